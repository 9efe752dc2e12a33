"""`polylens doctor`"""

import importlib
import platform
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.options import CollectionName, Data, EncoderName, More, installation
from api.cli.render import counted
from api.installation import Installation
from encoders import EncoderError
from indexer import IndexerError, LocalCollection, LocalStore

# Distribution, module, and what is missing without it; None where polylens needs it to run.
PARTS: tuple[tuple[str, str, str | None], ...] = (
    ("torch", "torch", None),
    ("transformers", "transformers", None),
    ("decord2", "decord", None),
    ("av", "av", None),
    ("pillow-heif", "pillow_heif", "HEIC photos: pip install 'polylens[heic]'"),
    ("flash-attn", "flash_attn", "faster attention on CUDA; sdpa is used"),
)


class Failure(Exception):
    """A check that found something broken; its text says the fix."""


def doctor(
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    more: More = None,
) -> None:
    """Check that this machine has everything polylens needs, and how to fix what is missing."""
    console = Console(highlight=False)
    with installation(more, data=data, collection=collection, encoder=encoder) as polylens:
        healthy = [_tell(console, name, check) for name, check in _checks(polylens)]
    if not all(healthy):
        raise typer.Exit(1)


def _tell(console: Console, name: str, check: Callable[[], str]) -> bool:
    """Run a check and print what it says; whether it went well."""
    try:
        words, healthy = check(), True
    except (Failure, EncoderError, IndexerError, OSError) as error:
        words, healthy = str(error), False
    mark = "[green]ok[/]  " if healthy else "[red]FAIL[/]"
    console.print(f"{mark} {name}: {escape(words)}", soft_wrap=True)
    return healthy


def _checks(polylens: Installation) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "python", lambda: f"{platform.python_version()} on {platform.platform()}"
    for distribution, module, without in PARTS:
        yield distribution, partial(_part, distribution, module, without)
    yield "device", _device
    yield "data folder", lambda: _data(polylens)
    yield "encoder", lambda: polylens.encoder().info.description
    store = polylens.store
    for name in [*store.names(), *(store.broken() if isinstance(store, LocalStore) else ())]:
        yield f"collection {name}", partial(_collection, polylens, name)


def _part(distribution: str, module: str, without: str | None) -> str:
    try:
        importlib.import_module(module)
        return version(distribution)
    except (ImportError, PackageNotFoundError) as error:
        if without is None:
            raise Failure(
                f"cannot be imported ({error}): run `pip install {distribution}`"
            ) from error
        return f"not installed (optional: {without})"


def _collection(polylens: Installation, name: str) -> str:
    collection = polylens.store.open(name)
    points = counted(collection.count(), "point")
    if isinstance(collection, LocalCollection):
        return f"{points}, {collection.verify() / 1e6:.1f} MB of vectors verified"
    return points


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        names = (torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return ", ".join(names)
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return f"CPU only, {torch.get_num_threads()} threads: fine for `offline`, slow for InternVL"


def _data(polylens: Installation) -> str:
    folder = polylens.settings.data
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    probe.write_bytes(b"")
    probe.unlink()
    return f"{folder} is writable"
