"""Events that stand in the columns twice: copied files, overlapping samples, numbers given twice.

Of each event only a mark of 64 bits is held, and of some 17 million events at a time: more are looked at in
several passes over the files. What has equal marks is then compared as it stands there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.events.store import IDENTITY, EventTable, read_files, stored_columns, stored_rows
from znought.identity import event_identity

__all__ = ["refuse_repeats"]

Pairs = NDArray[np.uint64]
"""Places (file << 32 | row) of two events, the earlier one first, shape (n_pairs, 2)."""

# Generators number the events of each dataset from one: across datasets only kinematics tell whether two are
# the same. Numbers of this many columns never agree by chance.
_N_KINEMATICS = 4
_AT_A_TIME = 2**24
_FILE = np.uint64(32)


def refuse_repeats(
    columns: Path, datasets: Sequence[str], variables: Sequence[str], *, is_data: bool
) -> None:
    """Raises if a selected event is there twice.

    Recorded events are the same if run, block, number and response are, whatever was calibrated anew since.
    So are those of one simulated dataset; of two simulated datasets their kinematics must agree too.

    Args:
        columns: directory of the columns.
        datasets: among which every event may be there once.
        variables: of the analysis, some of which tell one event from another.
        is_data: whether they hold recorded events, or pseudo-data.

    Raises:
        DataError: by the datasets that share events, with the number of these and the first one.
    """
    names = _kinematics(columns, datasets, variables)
    stored = _Stored(columns, tuple(datasets))
    searches = [stored.pairs(within=not is_data)]
    if not is_data:
        searches.append(stored.pairs(names, within=False))
    pairs = np.unique(np.concatenate(searches), axis=0)
    if not pairs.size:
        return
    places, inverse = np.unique(pairs, return_inverse=True)
    table, (first, second) = stored.at(places, names), inverse.reshape(pairs.shape).T
    same, alike = (_equal(table, first, second, which) for which in (IDENTITY, names))
    # Equal marks of different events are as good as impossible, and must not stop a run all the same.
    kept = same if is_data else same & (alike | (table.dataset[first] == table.dataset[second]))
    if kept.any():
        raise DataError(_message(table, first[kept], second[kept], alike[kept], is_data=is_data))


@dataclass(frozen=True)
class _Stored:
    """Columns of some datasets, read file by file."""

    columns: Path
    datasets: tuple[str, ...]

    def pairs(self, names: Sequence[str] = (), *, within: bool) -> Pairs:
        """Events of equal identity and equal values in the columns of these names.

        Args:
            names: of the columns.
            within: only those of one dataset.
        """
        n_passes = -(-stored_rows(self.columns, self.datasets) // _AT_A_TIME)
        parts = [self._pairs(names, within, part, n_passes) for part in range(n_passes)]
        return np.concatenate([np.empty((0, 2), np.uint64), *parts])

    def _pairs(self, names: Sequence[str], within: bool, part: int, n_parts: int) -> Pairs:
        """Those whose marks leave this rest."""
        marks, places = [], []
        for number, table in enumerate(read_files(self.columns, self.datasets, names)):
            mark = _marks(table, names, within=within)
            rows = np.flatnonzero(mark % np.uint64(n_parts) == np.uint64(part))
            marks.append(mark[rows])
            places.append(rows.astype(np.uint64) | np.uint64(number) << _FILE)
        mark, place = np.concatenate(marks), np.concatenate(places)
        order = np.argsort(mark, kind="stable")
        mark = mark[order]
        equal = np.flatnonzero(mark[1:] == mark[:-1])
        return np.stack([place[order[equal]], place[order[equal + 1]]], axis=1)

    def at(self, places: NDArray[np.uint64], names: Sequence[str]) -> EventTable:
        """The events at some places, in their order."""
        wanted = [*IDENTITY, *names]
        files, rows = places >> _FILE, places & np.uint64(2**32 - 1)
        found = []
        for number, table in enumerate(read_files(self.columns, self.datasets, names)):
            mine = rows[files == number].astype(np.int64)
            if mine.size:
                kept = {name: table[name][mine] for name in wanted}
                found.append(EventTable(kept, table.dataset[mine], self.datasets))
        joined = {name: np.concatenate([part[name] for part in found]) for name in wanted}
        return EventTable(joined, np.concatenate([part.dataset for part in found]), self.datasets)


def _marks(table: EventTable, names: Sequence[str], *, within: bool) -> NDArray[np.uint64]:
    """Integers that are equal where identity and values are, shape (n_events,)."""
    run, block, event, response = (table[name] for name in IDENTITY)
    dataset = table.dataset.astype(np.uint64) if within else np.zeros(len(table), np.uint64)
    mark = event_identity(event_identity(run, block, event, salt="event"), response, dataset, salt="response")
    for name in names:
        # Adding zero makes one of both zeros.
        bits = (table[name].astype(np.float64) + 0.0).view(np.uint64)
        mark = event_identity(mark, bits, dataset, salt=name)
    return mark


def _equal(
    table: EventTable, first: NDArray[np.int64], second: NDArray[np.int64], names: Sequence[str]
) -> NDArray[np.bool_]:
    """Whether the rows of each pair agree in the columns of these names."""
    agree = np.ones(first.size, np.bool_)
    for name in names:
        agree &= table[name][first] == table[name][second]
    return agree


def _kinematics(columns: Path, datasets: Sequence[str], variables: Sequence[str]) -> list[str]:
    """Some of the variables that the columns hold, from all over the list."""
    held = set(stored_columns(columns, datasets))
    kept = [name for name in variables if name in held]
    return kept[:: max(len(kept) // _N_KINEMATICS, 1)][:_N_KINEMATICS]


def _message(
    table: EventTable,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    alike: NDArray[np.bool_],
    *,
    is_data: bool,
) -> str:
    one, two = (table.datasets[table.dataset[rows[0]]] for rows in (first, second))
    between = (table.dataset[first] == table.dataset[first[0]]) & (
        table.dataset[second] == table.dataset[second[0]]
    )
    where = ", ".join(f"{name} {int(table[name][first[0]])}" for name in IDENTITY[:3])
    n_events, n_other = int(between.sum()), int((between & ~alike).sum())
    if n_other and not is_data:
        return (
            f"datasets.{two} holds {n_events:,} selected events whose run, block and number another one has "
            "too "
            f"(the first: {where}), {n_other:,} of them with other kinematics, as jobs have that number "
            "events "
            f"alike: declare `identity: file` for the dataset, or take the files out that repeat others."
        )
    shared = "twice" if one == two else f"that are in datasets.{one} too"
    other = f", {n_other:,} of them with other kinematics (calibrated anew?)" if n_other else ""
    return (
        f"datasets.{two} holds {n_events:,} selected events {shared}{other} (the first: {where}), which "
        "would "
        "count twice: take one of the files or datasets out."
    )
