"""Standard input and output: a terminal, a file, a full disk, a pipe that closes, or nothing."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


def read_stdin() -> str:
    """All of standard input; wrong usage where it is closed or not text."""
    if sys.stdin is None:
        raise typer.BadParameter("- reads standard input, which is closed")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("standard input is not UTF-8 text") from error


@contextmanager
def flushed() -> Iterator[None]:
    """Have what was printed arrive before the block is left; raises `OSError` where it cannot."""
    try:
        yield
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def abandon_stdout() -> None:
    """Print no more: what could not be written is not tried again when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
