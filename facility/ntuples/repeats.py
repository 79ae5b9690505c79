"""Events that stand in the columns twice: copied files, overlapping samples, numbers given twice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.events.store import IDENTITY, EventTable, read_events, stored_columns
from znought.identity import event_identity

__all__ = ["refuse_repeats"]

# Generators number the events of each dataset from one: across datasets only kinematics tell whether two are
# the same. Numbers of this many columns never agree by chance.
_N_KINEMATICS = 4


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
    table = read_events(columns, datasets, names)
    first, second = _repeated(table)
    alike = np.ones(first.size, np.bool_)
    for name in names:
        alike &= table[name][first] == table[name][second]
    if not is_data:
        count = alike | (table.dataset[first] == table.dataset[second])
        first, second, alike = first[count], second[count], alike[count]
    if first.size:
        raise DataError(_message(table, first, second, alike, is_data=is_data))


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


def _repeated(table: EventTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of neighbours among events of equal run, block, number and response, the earlier one first."""
    if not len(table):
        none = np.zeros(0, np.int64)
        return none, none
    run, block, event, response = (table[name] for name in IDENTITY)
    mark = event_identity(event_identity(run, block, event, salt="event"), response, 0 * run, salt="response")
    order = np.argsort(mark, kind="stable")
    same = np.flatnonzero(mark[order][1:] == mark[order][:-1])
    first, second = order[same], order[same + 1]
    # Equal marks of different events are as good as impossible, and must not stop a run all the same.
    equal = np.ones(first.size, np.bool_)
    for name in IDENTITY:
        equal &= table[name][first] == table[name][second]
    return first[equal], second[equal]
