"""Branches of one chunk as plain arrays, read when they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.dialects.layout import Layout
from znought.processors.reading import Column, Tree

__all__ = ["Entries", "View"]


@dataclass(frozen=True)
class Entries:
    """The events of one tree between two entries.

    Attributes:
        tree: the tree.
        start, stop: entries.
        metadata: of the dataset, file and chunk, with coffea's names.
    """

    tree: Tree
    start: int
    stop: int
    metadata: Mapping[str, Any]

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class View:
    """Some events of one chunk, seen through the layout of its dialect.

    Attributes:
        entries: the chunk.
        layout: which branch supplies which field.
        rows: indices of the events in view; None for all.
    """

    entries: Entries
    layout: Layout
    rows: NDArray[np.int64] | None = None
    _columns: dict[str, Column] = field(default_factory=dict, repr=False, compare=False)
    _objects: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.entries) if self.rows is None else len(self.rows)

    def only(self, rows: NDArray[np.int64]) -> "View":
        """The events of the chunk with these indices; nothing is read twice for them."""
        return replace(self, rows=rows, _objects={})

    def has(self, name: str) -> bool:
        """Whether a branch supplies the field."""
        return name in self.layout.branches

    def read_ahead(self, *fields: str) -> None:
        """Read several fields in one request; those that no branch supplies are left out."""
        branches = {self.layout.branches[name] for name in fields if self.has(name)} - self._columns.keys()
        if branches:
            self._columns.update(self.entries.tree.read(branches, self.entries.start, self.entries.stop))

    def scalar(self, name: str) -> NDArray[Any]:
        """One number per event, shape (n_events,)."""
        content = self._column(name).content
        return _native(content if self.rows is None else content[self.rows])

    def counts(self, name: str) -> NDArray[np.int64]:
        """Objects per event in the field's collection, shape (n_events,)."""
        offsets = self._offsets(name)
        if self.rows is None:
            return np.diff(offsets).astype(np.int64)
        return (offsets[self.rows + 1] - offsets[self.rows]).astype(np.int64)

    def flat(self, name: str) -> NDArray[Any]:
        """The field of all objects, event by event, shape (n_objects,)."""
        content = self._column(name).content
        return _native(content if self.rows is None else content[self.objects(name)])

    def objects(self, name: str) -> NDArray[np.int64]:
        """Place of each object among all of the chunk in the field's collection, shape (n_objects,)."""
        if self.rows is None:
            return np.arange(len(self._column(name).content))
        collection = name.split("_")[0]
        if collection not in self._objects:
            counts, starts = self.counts(name), self._offsets(name)[self.rows]
            ends = np.cumsum(counts)
            n_objects = int(ends[-1]) if len(ends) else 0
            self._objects[collection] = np.repeat(starts - ends + counts, counts) + np.arange(n_objects)
        return self._objects[collection]

    def _offsets(self, name: str) -> NDArray[np.integer]:
        offsets = self._column(name).offsets
        if offsets is None:
            path = self.entries.metadata["filename"]
            message = f"{path}: branch {self.layout.branches[name]} holds one number per event, not a list."
            raise DataError(message)
        return offsets

    def _column(self, name: str) -> Column:
        branch = self.layout.branches[name]
        if branch not in self._columns:
            self.read_ahead(name)
        return self._columns[branch]


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the byte order of the machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)
