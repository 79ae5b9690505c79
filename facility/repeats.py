"""Events that stand in the columns twice: copied files, overlapping samples or trigger streams."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.store import IDENTITY, EventTable, read_events, stored_columns
from znought.identity import event_identity

__all__ = ["refuse_repeats"]

# Generators number the events of each dataset from one: only kinematics tell whether two are the same.
N_KINEMATICS = 4


def refuse_repeats(columns: Path, datasets: Sequence[str], variables: Sequence[str]) -> None:
    """Raises if a selected event is there twice: same run, block, number, response and kinematics.

    Args:
        columns: directory of the columns.
        datasets: among which every event may be there once.
        variables: of the analysis, some of which tell one event from another.

    Raises:
        DataError: by the datasets that share events, with the number of these and the first one.
    """
    kinematics = [name for name in variables if name in stored_columns(columns, datasets)][:N_KINEMATICS]
    table = read_events(columns, datasets, kinematics)
    first, second = _repeated(table, kinematics)
    if not first.size:
        return
    one, two = (table.datasets[table.dataset[rows[0]]] for rows in (first, second))
    between = (table.dataset[first] == table.dataset[first[0]]) & (
        table.dataset[second] == table.dataset[second[0]]
    )
    where = ", ".join(f"{name} {int(table[name][first[0]])}" for name in IDENTITY[:3])
    shared = "twice" if one == two else f"that are in datasets.{one} too"
    raise DataError(
        f"datasets.{two} holds {int(between.sum()):,} selected events {shared} (the first: {where}), which "
        "would count twice: take one of the files or datasets out."
    )


def _repeated(table: EventTable, kinematics: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of pairs of equal events, the earlier one first."""
    if not len(table):
        none = np.zeros(0, np.int64)
        return none, none
    mark = _mark(table, kinematics)
    order = np.argsort(mark, kind="stable")
    same = np.flatnonzero(mark[order][1:] == mark[order][:-1])
    first, second = order[same], order[same + 1]
    # Equal marks of different events are as good as impossible, and must not stop a run all the same.
    equal = np.ones(first.size, np.bool_)
    for name in (*IDENTITY, *kinematics):
        equal &= table[name][first] == table[name][second]
    return first[equal], second[equal]


def _mark(table: EventTable, kinematics: Sequence[str]) -> NDArray[np.uint64]:
    """One integer from everything that makes an event what it is."""
    run, block, event, response = (table[name] for name in IDENTITY)
    mark = event_identity(event_identity(run, block, event, salt="event"), response, 0 * run, salt="both")
    for name in kinematics:
        bits = table[name].astype(np.float64).view(np.uint64)
        mark = event_identity(mark, bits, 0 * run, salt=name)
    return mark
