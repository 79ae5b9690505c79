"""Local files for uproot: mapped into memory, and their trees parsed once per process."""

from collections.abc import Callable
from types import TracebackType

from uproot.cache import LRUCache
from uproot.source.file import MemmapSource

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


class KeptSource(MemmapSource):  # type: ignore[misc]  # uproot has no type information
    """A mapped file that outlives the `with` block of its chunk.

    coffea opens the file anew for each chunk, and uproot forgets a tree once its file is closed: so the
    file stays mapped until the tree leaves the cache. A replaced file has another uuid and is read anew.
    """

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the mapping to whoever holds the tree."""
