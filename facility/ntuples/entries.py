"""Some entries of one file of a dataset, opened as a worker opens a chunk."""

from collections.abc import Mapping
from typing import Any

from znought.processors.chunk import Chunk, open_chunk
from znought.processors.dialects.files import inspect_file
from znought.processors.dialects.view import Entries
from znought.processors.source import kept_tree

__all__ = ["opened_entries"]


def opened_entries(
    dataset: str, entry: Mapping[str, Any], path: str, *, start: int = 0, stop: int | None = None
) -> Chunk:
    """A chunk of the entries between two places of a file.

    Args:
        dataset: name.
        entry: of it in the fileset.
        path: one of its files.
        start, stop: entries; None for all that follow.

    Raises:
        DataError: the file cannot be read, or lacks a branch.
    """
    summary = inspect_file(path, tree=entry["files"][path])
    opened = kept_tree(path, summary.tree)
    metadata = {"dataset": dataset, "filename": path, "treename": summary.tree, "fileuuid": opened.uuid}
    end = opened.n_entries if stop is None else min(stop, opened.n_entries)
    entries = Entries(opened, start, end, {**entry["metadata"], **metadata})
    return open_chunk(entries, refuse_substitutes=False, complete=False)
