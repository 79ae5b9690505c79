"""One chunk of one file: who it is, how it is read, and that it is still the file that was planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.processors.copies import nominal_branch, weight_columns
from znought.processors.dialects import DIALECTS, Dialect, dialect_of
from znought.processors.dialects.base import IDENTITY_OF_FILE
from znought.processors.dialects.layout import Layout
from znought.processors.dialects.view import Entries, View
from znought.processors.dialects.working_points import btag_branch, tagged_branch, working_point
from znought.processors.reading import Column, Tree

__all__ = ["Chunk", "check_layout", "check_unchanged", "open_chunk"]


@dataclass(frozen=True)
class Chunk:
    """Events of one file between two entries.

    Attributes:
        dataset: name of the dataset.
        path: the file.
        uuid: identity of the file as planned.
        start, stop: entries.
        is_data: recorded or pseudo-data: no generator weights, b-jets vetoed by the working point.
        dialect: how it is read.
        view: its branches.
        era: of the dataset; None if the card names none.
        by_entry: events are told apart by file and entry, not by their numbers.
        btag: branch of the b-tag that the card's scale factors are of → its working point there; None leaves
            it to the file's.
        weights: columns of the ntuple that multiply the generator's weight.
        declared: what stood in for what the file lacks; where fields are asked for one by one, so far.
    """

    dataset: str
    path: str
    uuid: str
    start: int
    stop: int
    is_data: bool
    dialect: Dialect
    view: View
    era: str | None = None
    by_entry: bool = False
    btag: Mapping[str, float | None] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    declared: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The same for every attempt at this chunk: names its column files."""
        return f"{self.uuid}_{self.start}-{self.stop}"

    def counting(self, kept: NDArray[np.bool_]) -> "Chunk":
        """The events that count, shape (n_events,), as if the file held no others between the two entries."""
        return replace(self, view=self.view.counting(kept))

    def with_field(self, name: str, column: Column) -> "Chunk":
        """The same events with a field that no branch supplies."""
        return replace(self, view=self.view.with_field(name, column))

    def copied(self, copies: Mapping[str, str]) -> "Chunk":
        """The same events with other branches in the place of some."""
        return replace(self, view=self.view.copied(copies))

    def weight(self) -> NDArray[np.float64]:
        """Generator weight of every event, times the ntuple's columns that the card names; 1 for data.

        Raises:
            DataError: a column is not there, or holds something else than a finite number per event.
        """
        if self.is_data:
            return np.ones(len(self.view))
        weight = self.dialect.gen_weight(self.view)
        if not self.weights and (unused := weight_columns(self.view.entries.tree.branches)):
            self.declared["processing.weights"] = f"the generator's alone: none of {', '.join(unused)} counts"
        for name in self.weights:
            weight = weight * self._factor(name)
        return weight

    def _factor(self, name: str) -> NDArray[np.float64]:
        """One column that multiplies the weight, shape (n_events,)."""
        branches = self.view.entries.tree.branches
        if (branch := nominal_branch(name, branches)) is None:
            raise DataError(
                f"{self.path}: processing.weights: {unknown_name('column', name, weight_columns(branches))}"
            )
        column = self.view.branch(branch)
        if column.offsets is not None or not np.isfinite(column.content).all():
            raise DataError(f"{self.path}: processing.weights: {branch} is not one finite number per event.")
        return column.content.astype(np.float64)

    def identity(self, events: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """run, luminosityBlock, event and response of events by index; 0 where a format lacks one.

        By entry, run and block are 64 bits of the file's identity, and the event is its entry.
        """
        view = self.view.only(events)
        response = (
            view.whole("response", np.uint8) if view.has("response") else np.zeros(len(events), np.uint8)
        )
        if self.by_entry:
            first, second = np.frombuffer(blake2b(self.uuid.encode(), digest_size=8).digest(), np.uint32)
            return {
                "run": np.full(len(events), first),
                "luminosityBlock": np.full(len(events), second),
                "event": self.view.entries.numbers[events].astype(np.uint64),
                "response": response,
            }
        kinds: dict[str, tuple[str, type[np.unsignedinteger[Any]]]] = {
            "run": ("run", np.uint32),
            "luminosityBlock": ("luminosity_block", np.uint32),
            "event": ("event", np.uint64),
        }
        numbers = {
            column: view.whole(name, kind) if view.has(name) else np.zeros(len(events), kind)
            for column, (name, kind) in kinds.items()
        }
        return {**numbers, "response": response}

    def working_point(self, given: Mapping[str, float]) -> float:
        """Smallest discriminant of a b-jet in this file.

        Args:
            given: working points of the card.

        Raises:
            DataError: nothing gives one for the file's b-tag and the dataset's era.
        """
        layout = self.view.layout
        of_factors = {branch: value for branch, value in self.btag.items() if value is not None}
        of_era = self.view.entries.metadata.get("btag_working_points", {})
        for key, cut in given.items():
            value = of_factors.get(tagged_branch(key), cut)
            if value != cut:
                raise DataError(
                    f"selection.btag_working_points: {key} is cut at {cut:g}, but the scale factors of era "
                    f"{self.era!r} are for {value:g}: leave it out."
                )
        given = {**given, **of_factors}
        return working_point(layout, era=self.era, given=given, path=self.path, of_file=of_era)

    def check_btag(self) -> None:
        """Refuse a file whose jets are tagged by another branch than the card's scale factors are for.

        Raises:
            DataError: names both.
        """
        branch = btag_branch(self.view.layout)
        if self.btag and branch not in self.btag:
            raise DataError(
                f"{self.path}: its jets are tagged by {branch or 'nothing'}, but the scale factors of era "
                f"{self.era!r} are for {' and '.join(self.btag)}: name its tagger in weights."
            )


def open_chunk(events: Any, *, refuse_substitutes: bool, complete: bool = True) -> Chunk:
    """The chunk behind the events that a processor is given: the facility's entries, or coffea's NanoEvents.

    Args:
        events: of one chunk.
        refuse_substitutes: refuse a file in place of using stand-ins.
        complete: refuse a file that lacks a field of its dialect; an analysis that asks for fields one by
            one finds out when it asks.

    Raises:
        DataError: the file changed after it was planned, lacks a needed branch, or needs a substitute that
            the card refuses.
    """
    entries = events if isinstance(events, Entries) else _entries(events)
    metadata = entries.metadata
    path = str(metadata["filename"])
    check_unchanged(entries)
    wanted = metadata.get("dialect")
    if wanted is not None and wanted not in DIALECTS:
        raise DataError(unknown_name("dialect", wanted, DIALECTS))
    dialect = DIALECTS[wanted] if wanted else dialect_of(entries.tree.branches, path=path)
    layout = dialect.layout(entries.tree.branches)
    is_data = bool(metadata.get("is_data", False))
    check_layout(layout, path=path, is_data=is_data, refuse_substitutes=refuse_substitutes, complete=complete)
    declared = layout.substitutes if complete else _identity_of_file(layout)
    return Chunk(
        str(metadata["dataset"]),
        path,
        entries.tree.uuid,
        entries.start,
        entries.stop,
        is_data,
        dialect,
        View(entries, layout),
        metadata.get("era"),
        metadata.get("identity") == "file" or IDENTITY_OF_FILE in layout.substitutes,
        declared=dict(declared),
    )


def _identity_of_file(layout: Layout) -> dict[str, str]:
    """The declaration that events are told apart by file and entry, where they are."""
    return {name: note for name, note in layout.substitutes.items() if name == IDENTITY_OF_FILE}


def _entries(events: Any) -> Entries:
    """The entries behind coffea's NanoEvents, whatever their schema."""
    metadata = events.metadata
    tree = Tree(events.attrs["@events_factory"].file_handle, metadata["treename"])
    return Entries(tree, int(metadata["entrystart"]), int(metadata["entrystop"]), metadata)


def check_layout(
    layout: Layout, *, path: str, is_data: bool, refuse_substitutes: bool, complete: bool = True
) -> None:
    """Refuse a file that lacks what the analysis needs: identity and generator weight if nothing else.

    Raises:
        DataError: a needed branch is missing, simulation has no generator weights, or a substitute would be
            used that the card refuses.
    """
    layout.require(path=path, only=None if complete else DIALECTS[layout.dialect].identity)
    if not is_data and "gen_weight" not in layout.branches:
        field = next(field for field in DIALECTS[layout.dialect].fields if field.name == "gen_weight")
        message = (
            f"{path}: branch {field.sources[0].branch} (generator weight) is missing. "
            "Set is_data: true if these are data."
        )
        raise DataError(message)
    substitutes = layout.substitutes if complete else _identity_of_file(layout)
    if refuse_substitutes and substitutes:
        name, note = next(iter(substitutes.items()))
        message = (
            f"{path} (dialect {layout.dialect}) lacks {name}, and the card refuses the substitute: {note}."
        )
        raise DataError(message)


def check_unchanged(entries: Entries) -> None:
    """Refuse a file that was replaced between planning and reading.

    Raises:
        DataError: its identity is another, or it has fewer entries.
    """
    if entries.tree.uuid != entries.metadata["fileuuid"] or entries.tree.n_entries < entries.stop:
        path = entries.metadata["filename"]
        message = f"{path} was replaced after it was planned: another file stands there now. Run again."
        raise DataError(message)
