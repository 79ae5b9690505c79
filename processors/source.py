"""Local files for uproot: read without an event loop, and their trees parsed once per process."""

import os
from collections.abc import Callable
from io import FileIO
from queue import Queue
from types import TracebackType

import numpy as np
from uproot.cache import LRUCache
from uproot.source.chunk import Chunk, Source
from uproot.source.futures import TrivialFuture

__all__ = ["KeptSource", "KeptTrees", "kept_trees"]

_N_KEPT = 16


class KeptTrees(LRUCache):  # type: ignore[misc]  # uproot has no type information
    """The process's cache of trees by their file's uuid; what travels to a worker becomes that worker's."""

    def __reduce__(self) -> tuple[Callable[[], "KeptTrees"], tuple[()]]:
        """Arrive as the cache of the other process, not as a copy of this one."""
        return kept_trees, ()


_TREES = KeptTrees(_N_KEPT)


def kept_trees() -> KeptTrees:
    """The cache of this process."""
    return _TREES


class KeptSource(Source):  # type: ignore[misc]  # uproot has no type information
    """A local file that outlives the `with` block of its chunk, read where it is asked for.

    coffea opens the file anew for each chunk, and uproot forgets a tree once its file is closed: so the
    file stays open until the tree leaves the cache. A replaced file has another uuid and is read anew.
    Not mapped into memory: pages of big files would count as memory of the worker, and a file that
    shrinks would kill it.
    """

    def __init__(self, file_path: str, **_: object) -> None:
        super().__init__()
        self._file_path = file_path
        self._file = FileIO(file_path)

    def chunk(self, start: int, stop: int) -> Chunk:
        """The bytes from start to stop, or to the end of the file."""
        data = os.pread(self._file.fileno(), stop - start, start)
        self._num_requests += 1
        self._num_requested_chunks += 1
        self._num_requested_bytes += len(data)
        return Chunk(self, start, stop, TrivialFuture(np.frombuffer(data, np.uint8)))

    def chunks(self, ranges: list[tuple[int, int]], notifications: Queue[Chunk]) -> list[Chunk]:
        """One chunk per range, each announced as it is read."""
        chunks = [self.chunk(start, stop) for start, stop in ranges]
        for chunk in chunks:
            notifications.put(chunk)
        return chunks

    @property
    def closed(self) -> bool:
        """Whether the file is closed, which happens when nobody holds the tree any more."""
        return self._file.closed

    @property
    def num_bytes(self) -> int:
        """Length of the file."""
        return os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> "KeptSource":
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the file open for whoever holds the tree."""

    def __del__(self) -> None:
        if hasattr(self, "_file"):  # else it never opened
            self._file.close()
