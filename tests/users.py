"""Tests as a user who may not do everything, whoever runs them."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.crew import dismiss

VERSION = 0x20080522  # of the structures that capget and capset take (linux/capability.h)
READ_AND_WRITE_ALL = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
SET_SECUREBITS, NO_ROOT = 28, 1  # prctl: what is executed gets no privilege for being root


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read and write only what its permissions allow, until the block ends.

    So may the threads and processes that this thread starts meanwhile.
    """
    if os.geteuid() != 0:
        yield
        return
    system = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()
    dismiss()  # processes that rest have all privileges still
    _check(system.capget(header, sets))
    _check(system.prctl(SET_SECUREBITS, NO_ROOT, 0, 0, 0))
    sets[0] &= ~READ_AND_WRITE_ALL
    _check(system.capset(header, sets))
    try:
        yield
    finally:
        dismiss()
        sets[0] |= READ_AND_WRITE_ALL & sets[1]
        _check(system.capset(header, sets))
        _check(system.prctl(SET_SECUREBITS, 0, 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
