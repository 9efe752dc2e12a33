"""Limit and return freed memory that the C library keeps.

glibc has a heap per thread and keeps up to 64 MB of each after large arrays were freed. With other
C libraries this does nothing.
"""

import ctypes

_ARENA_MAX = -8  # what mallopt(3) calls it


def share_heap() -> None:
    """Have all threads of this process that start from now on share one heap."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Let the system have what is kept, as far as it is in whole pages."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
