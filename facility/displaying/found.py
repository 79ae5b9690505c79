"""Where a selected event stands: its dataset, its row in the columns, and its entry in a file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.base import Card
from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import region
from znought.facility.events.store import IDENTITY, read_events, stored_columns, stored_datasets
from znought.facility.ntuples.entries import opened_entries
from znought.facility.ntuples.fileset import read_fileset
from znought.facility.regions.books import read_region_books, still_blinded
from znought.facility.workspace import Workspace
from znought.processors.chunk import Chunk

__all__ = ["EventNumbers", "SelectedEvent", "best_event", "entry_of", "selected_event"]


@dataclass(frozen=True)
class EventNumbers:
    """What tells an event of a dataset from the others."""

    run: int
    block: int
    event: int

    @classmethod
    def of(cls, text: str) -> "EventNumbers":
        """Out of run:block:event.

        Raises:
            CardError: something else.

        >>> EventNumbers.of("1:2:345")
        EventNumbers(run=1, block=2, event=345)
        """
        parts = text.split(":")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            raise CardError(
                f"EVENT: expected run:luminosityBlock:event, such as 1:17:3405. Received: {text!r}."
            )
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return f"{self.run}:{self.block}:{self.event}"


@dataclass(frozen=True)
class SelectedEvent:
    """A row of the columns.

    Attributes:
        dataset, channel: whose; the channel is empty where columns have none.
        columns: variable → its value, the identity among them.
    """

    dataset: str
    channel: str
    columns: Mapping[str, Any]

    @property
    def numbers(self) -> EventNumbers:
        """Of the generated or recorded event."""
        return EventNumbers(*(int(self.columns[name]) for name in IDENTITY[:3]))


def selected_event(
    card: Card, workspace: Workspace, wanted: EventNumbers, dataset: str = ""
) -> SelectedEvent:
    """The selected event of these numbers.

    Args:
        card, workspace: of a run.
        wanted: its numbers.
        dataset: in which it is sought; all of them unless given.

    Raises:
        DataError: no such event was selected, several datasets have one, or it is of blinded data.
    """
    found = [*_rows(card, workspace, wanted, dataset)]
    datasets = list(dict.fromkeys(one.dataset for one in found))
    if not found:
        where = f"of {dataset}" if dataset else "of any dataset"
        raise DataError(f"EVENT: no selected event {where} is {wanted} (run:luminosityBlock:event).")
    if len(datasets) > 1:
        raise DataError(f"EVENT: {wanted} is an event of {', '.join(datasets)}: name one by --dataset.")
    _refuse_blinded(card, workspace, found[0])
    return found[0]


def best_event(card: Card, workspace: Workspace, dataset: str = "") -> SelectedEvent:
    """A selected event of the signal: that of its largest output where events are scored, else the first.

    Args:
        card, workspace: of a run.
        dataset: another one than the signal's.

    Raises:
        DataError: none was selected.
    """
    signal = card.drawn_signal
    for channel, name in _places(workspace, dataset):
        if dataset or signal is None or card.datasets[name].process == signal:
            folder, score = _scored(card, workspace, channel)
            table = read_events(folder, [name], [score] if score else [])
            if len(table):
                row = int(np.argmax(table[score])) if score else 0
                numbers = EventNumbers(*(int(table[one][row]) for one in IDENTITY[:3]))
                return selected_event(card, workspace, numbers, name)
    raise DataError(f"EVENT: no event of {dataset or signal or 'any dataset'} was selected.")


def _scored(card: Card, workspace: Workspace, channel: str) -> tuple[Path, str]:
    """Folder of the scores and the signal's output; the columns and none without a network."""
    if isinstance(card, StandardCard) and card.is_scored and card.class_of_signal is not None:
        return workspace.scores / channel, f"score_{card.class_of_signal}"
    return workspace.columns / channel, ""


def _places(workspace: Workspace, dataset: str) -> list[tuple[str, str]]:
    """Channel and name of every dataset with columns, or of one."""
    found = stored_datasets(workspace.columns)
    names = {name for _, name in found}
    if not found:
        raise DataError(f"{workspace.columns}: no columns; expected the output of a run.")
    if dataset and dataset not in names:
        raise DataError(f"--dataset: {unknown_name('dataset', dataset, names)}")
    return [(channel, name) for channel, name in found if not dataset or name == dataset]


def _rows(card: Card, workspace: Workspace, wanted: EventNumbers, dataset: str) -> Iterator[SelectedEvent]:
    for channel, name in _places(workspace, dataset):
        folder = workspace.columns / channel
        kept = [one for one in stored_columns(folder, [name]) if one in (*IDENTITY, *card.variables)]
        table = read_events(folder, [name], kept)
        if not len(table):
            continue
        mine = np.logical_and.reduce(
            [table[key] == number for key, number in zip(IDENTITY, vars(wanted).values(), strict=False)]
        )
        if mine.any():
            row = int(np.argmax(mine))
            yield SelectedEvent(name, channel, {key: values[row] for key, values in table.columns.items()})


def _refuse_blinded(card: Card, workspace: Workspace, found: SelectedEvent) -> None:
    """Raises for recorded data in the signal region, as long as no run has shown them."""
    if card.processes[card.datasets[found.dataset].process].kind != "data":
        return
    books = read_region_books(workspace.regions) if workspace.regions.is_file() else {}
    hidden = still_blinded(card, books)
    if hidden is None:
        return
    row = {name: np.atleast_1d(value) for name, value in found.columns.items()}
    if region(card, hidden).mask(row).any():
        raise DataError(
            f"EVENT: {found.numbers} of {found.dataset} lies in {hidden}, whose data are blinded."
        )


def entry_of(card: Card, workspace: Workspace, found: SelectedEvent) -> Chunk:
    """The one entry of its file, open.

    Args:
        card, workspace: of a run, whose ntuples are still there.
        found: the event.

    Raises:
        DataError: no file of the dataset holds it any more.
    """
    dataset, fileset = found.dataset, read_fileset(workspace.fileset, card)
    name = card.datasets[dataset].derived_from or dataset
    source = next(
        one for one, entry in fileset.items() if name == one or name in entry["metadata"].get("parts", {})
    )
    entry = fileset[source]
    wanted = tuple(int(found.columns[name]) for name in IDENTITY)
    for path in entry["files"]:
        chunk = opened_entries(source, entry, path)
        identity = chunk.identity(np.arange(len(chunk.view)))
        mine = np.logical_and.reduce(
            [identity[name] == number for name, number in zip(IDENTITY, wanted, strict=True)]
        )
        if mine.any():
            place = int(chunk.view.entries.numbers[np.argmax(mine)])
            return opened_entries(source, entry, path, start=place, stop=place + 1)
    raise DataError(f"{dataset}: no file of it holds the event {found.numbers} any more.")
