"""Open trees, kept from chunk to chunk: what every chunk of a file needs is read once per worker."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uproot
from uproot.source.file import MultithreadedFileSource

from znought.processors.damage import reading
from znought.processors.reading import Tree

__all__ = ["by_health", "forget", "is_local", "kept_tree", "note_failure", "open_options"]

_N_KEPT = 16

# uproot's default goes through an event loop, at a millisecond per request. Nor are files mapped into
# memory: pages of big files would count as memory of the worker, and a file that shrinks would kill it.
_LOCAL: dict[str, Any] = {"handler": MultithreadedFileSource, "use_threads": False, "num_workers": 1}
_REMOTE: dict[str, Any] = {"timeout": 30}  # seconds, of each request
# XRootD's client asks a server again two minutes after it was refused, and after five times not for half an
# hour: longer than a server needs that starts anew, and than requests wait. Windows are seconds.
_XROOTD = {"ConnectionWindow": 5, "ConnectionRetry": 10, "StreamErrorWindow": 5, "TimeoutResolution": 5}

State = tuple[int, int, int] | None


@dataclass
class _Kept(threading.local):
    """Open trees of this thread with the state of their files, the last one used at the end; bad files."""

    trees: OrderedDict[tuple[str, str], tuple[State, Tree]] = field(default_factory=OrderedDict)
    failed: set[str] = field(default_factory=set)


_KEPT = _Kept()


def is_local(path: str) -> bool:
    """Whether a path stands on a file system rather than behind a protocol."""
    return "://" not in path


def open_options(path: str) -> dict[str, Any]:
    """Options of `uproot.open` for a path."""
    if path.startswith("root://"):
        _hurry_xrootd()
    return _LOCAL if is_local(path) else _REMOTE


@cache
def _hurry_xrootd() -> None:
    """Lets this process return soon to servers that come back; what the environment says of XRootD holds."""
    if find_spec("XRootD"):
        client = import_module("XRootD.client")
        for name, seconds in _XROOTD.items():
            client.EnvPutInt(name, seconds)


def kept_tree(path: str, name: str) -> Tree:
    """A tree of a file, opened unless this worker holds it open; a replaced file is opened anew.

    Raises:
        ReadError: the file does not open.
    """
    trees, state = _KEPT.trees, _state(path)
    if (path, name) in trees:
        known, tree = trees[path, name]
        if known == state:
            trees.move_to_end((path, name))
            return tree
        forget(path)
    for _, other in trees.values():
        other.forget()
    with reading(path):
        directory = uproot.open(path, **open_options(path))
        tree = Tree(directory, name)
    weakref.finalize(tree, directory.file.close)
    trees[path, name] = state, tree
    if len(trees) > _N_KEPT:
        trees.popitem(last=False)
    return tree


def by_health(replicas: Iterable[str]) -> list[str]:
    """The replicas, those at the end that failed this worker before: each could cost a timeout again."""
    return sorted(replicas, key=_KEPT.failed.__contains__)


def note_failure(path: str) -> None:
    """Close a file that could not be read, and try other replicas before it from now on."""
    _KEPT.failed.add(path)
    forget(path)


def forget(path: str) -> None:
    """Close a file, so that the next chunk opens it anew."""
    for key in [key for key in _KEPT.trees if key[0] == path]:
        del _KEPT.trees[key]


def _state(path: str) -> State:
    """What changes when a local file is replaced."""
    if not is_local(path):
        return None
    with reading(path):
        found = Path(path).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
