"""Memory of a process that handles chunk after chunk: kept for the next one instead of handed back."""

import ctypes
from functools import cache

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_TRIM_BYTES = 256 << 20
_MMAP_BYTES = 32 << 20  # glibc's own upper limit on 64-bit machines


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to 256 MiB that it has freed, where the C library is glibc.

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_=65536. That also stops glibc from learning which
    sizes come again, so each array above 128 KiB is mapped, filled with fresh pages and unmapped: a chunk
    then takes twice its CPU time. Set from inside, it holds at every site, whoever started the worker.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        set_option(_M_TRIM_THRESHOLD, _TRIM_BYTES)
