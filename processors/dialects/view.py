"""Branches of one chunk as plain arrays, read when they are asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.dialects.layout import Layout
from znought.processors.reading import Column, Tree

__all__ = ["Entries", "View"]


@dataclass(frozen=True)
class Entries:
    """The events of one tree between two entries, or those of them that count.

    Attributes:
        tree: the tree.
        start, stop: entries.
        metadata: of the dataset, file and chunk, with coffea's names.
        kept: which of them count, shape (stop − start,); None for all.
        copies: branch → another one that is read in its place, under its name.
    """

    tree: Tree
    start: int
    stop: int
    metadata: Mapping[str, Any]
    kept: NDArray[np.bool_] | None = None
    copies: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.stop - self.start if self.kept is None else int(np.count_nonzero(self.kept))

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        """Several branches of these events, in one request.

        Raises:
            ReadError, DataError: as `Tree.read`.
        """
        wanted = {name: self.copies.get(name, name) for name in names}
        read = self.tree.read(wanted.values(), self.start, self.stop)
        found = {name: read[branch] for name, branch in wanted.items()}
        return found if self.kept is None else {name: one.only(self.kept) for name, one in found.items()}

    def whole(self, name: str) -> ak.Array:
        """A branch of any type of these events, as uproot reads it."""
        found = self.tree.whole(name, self.start, self.stop)
        return found if self.kept is None else found[self.kept]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Entry of each event in the file, shape (n_events,)."""
        if self.kept is None:
            return np.arange(self.start, self.stop)
        return np.flatnonzero(self.kept) + self.start


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
    _lists: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.entries) if self.rows is None else len(self.rows)

    def only(self, rows: NDArray[np.int64]) -> "View":
        """The events of the chunk with these indices; nothing is read twice for them."""
        return replace(self, rows=rows, _objects={})

    def counting(self, kept: NDArray[np.bool_]) -> "View":
        """The events of the chunk that count, shape (n_events,), as if the chunk held no others."""
        fields = self._columns.keys() & set(self.layout.branches.values())
        columns = {name: self._columns[name].only(kept) for name in fields}
        of_chunk = kept
        if self.entries.kept is not None:
            of_chunk = self.entries.kept.copy()
            of_chunk[of_chunk] = kept
        return View(replace(self.entries, kept=of_chunk), self.layout, _columns=columns)

    def copied(self, copies: Mapping[str, str]) -> "View":
        """The same events with other branches in the place of some; the others are not read twice."""
        columns = {name: column for name, column in self._columns.items() if name not in copies}
        return View(replace(self.entries, copies=copies), self.layout, self.rows, columns)

    def with_field(self, name: str, column: Column) -> "View":
        """The same events with a field that no branch supplies."""
        layout = replace(self.layout, branches={**self.layout.branches, name: name})
        return replace(self, layout=layout, _columns={**self._columns, name: column})

    def has(self, name: str) -> bool:
        """Whether a branch supplies the field."""
        return name in self.layout.branches

    def read_ahead(self, *fields: str) -> None:
        """Read several fields in one request; those that no branch supplies are left out."""
        self.read_branches(self.layout.branches[name] for name in fields if self.has(name))

    def read_branches(self, names: Iterable[str]) -> None:
        """Read several branches by their own names in one request."""
        if branches := {*names} - self._columns.keys():
            self._columns.update(self.entries.read(branches))

    def scalar(self, name: str) -> NDArray[Any]:
        """One finite number per event, shape (n_events,).

        Raises:
            DataError: the branch holds a list per event, or something that is not a finite number.
        """
        column = self._column(name)
        if column.offsets is not None:
            raise DataError(f"{self._branch(name)} holds a list of numbers per event, expected one number.")
        content = column.content
        return self._finite(name, _native(content if self.rows is None else content[self.rows]))

    def counts(self, name: str) -> NDArray[np.int64]:
        """Objects per event in the field's collection, shape (n_events,)."""
        offsets = self._offsets(name)
        if self.rows is None:
            return np.diff(offsets).astype(np.int64)
        return (offsets[self.rows + 1] - offsets[self.rows]).astype(np.int64)

    def flat(self, name: str) -> NDArray[Any]:
        """The field of all objects, finite numbers, event by event, shape (n_objects,).

        Raises:
            DataError: the branch holds one number per event, not as many as others of its collection, or
                something that is not a finite number.
        """
        self._offsets(name)
        content = self._column(name).content
        return self._finite(name, _native(content if self.rows is None else content[self.objects(name)]))

    def bits(self, name: str) -> NDArray[Any]:
        """The field of all objects where it must be of integers or truth values, shape (n_objects,).

        Raises:
            DataError: as `flat`, or the branch holds floating-point numbers.
        """
        values = self.flat(name)
        if values.dtype.kind not in "iub":
            raise DataError(f"{self._branch(name)} holds {values.dtype} numbers, expected integers.")
        return values

    def whole(self, name: str, kind: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
        """One whole number per event in an integer type that can hold it, shape (n_events,).

        Raises:
            DataError: as `scalar`, or a number is negative, fractional or too large for the type.
        """
        values = self.scalar(name)
        if values.dtype.kind not in "iub":
            raise DataError(f"{self._branch(name)} holds {values.dtype} numbers, expected integers.")
        limits = np.iinfo(kind)
        if values.size and (values.min() < 0 or values.max() > limits.max):
            raise DataError(
                f"{self._branch(name)} holds numbers from {values.min()} to {values.max()}, expected 0 to "
                f"{limits.max}."
            )
        return values.astype(kind)

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
        """Where the objects of each event begin; the same for all fields of a collection, or refused."""
        offsets = self._column(name).offsets
        if offsets is None:
            raise DataError(f"{self._branch(name)} holds one number per event, not a list.")
        collection, branch = name.split("_")[0], self.layout.branches[name]
        agreeing = self._lists.setdefault(collection, [branch])
        if branch not in agreeing:
            self._check_counts(name, offsets, agreeing[0])
            agreeing.append(branch)
        return offsets

    def _check_counts(self, name: str, offsets: NDArray[np.integer], other: str) -> None:
        """Refuse a branch with other numbers of objects than another of its collection."""
        counts = np.diff(offsets), np.diff(np.asarray(self._columns[other].offsets))
        if np.array_equal(*counts):
            return
        event = int(np.argmax(counts[0] != counts[1]))
        raise DataError(
            f"{self._branch(name)} holds {counts[0][event]} values in entry {self.entries.numbers[event]} "
            f"where {other} holds {counts[1][event]}, expected one for each of the same objects."
        )

    def _branch(self, name: str) -> str:
        """File and branch of a field, as messages begin."""
        return f"{self.entries.metadata['filename']}: branch {self.layout.branches[name]}"

    def _finite(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """The values, or a refusal with the number of those that are not finite and the first's entry."""
        if values.dtype.kind in "iub":
            return values
        if values.dtype.kind != "f":
            raise DataError(f"{self._branch(name)} holds {values.dtype} values, expected numbers.")
        finite = np.isfinite(values)
        if finite.all():
            return values
        bad = ~finite
        row = int(np.argmax(bad))
        if self._columns[self.layout.branches[name]].offsets is not None:
            row = int(np.searchsorted(np.cumsum(self.counts(name)), row, side="right"))
        entry = self.entries.numbers[row if self.rows is None else int(self.rows[row])]
        raise DataError(
            f"{self._branch(name)} holds {values[bad][0]} in {int(bad.sum())} of {len(values)} values, the "
            f"first in entry {entry}: no number can be made of it. Mend the branch, or write the file anew "
            "without these events."
        )

    def _column(self, name: str) -> Column:
        return self.branch(self.layout.branches[name])

    def branch(self, name: str) -> Column:
        """A branch by its own name, of all events of the chunk."""
        if name not in self._columns:
            self._columns.update(self.entries.read([name]))
        return self._columns[name]


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the byte order of the machine."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)
