"""Expected events of two results, their difference judged by the generated events that both have."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.facility.events.store import (
    IDENTITY,
    EventTable,
    read_events,
    stored_columns,
    stored_datasets,
)
from znought.facility.ntuples.scales import scale_of
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace

__all__ = ["PairedYield", "other_events", "paired_difference", "paired_yields"]

_WEIGHT = "gen_weight"
_APART = np.uint64(1 << 63)
"""Turns identities into those of events that the other side does not have."""


class PairedYield(Record):
    """Expected events of one dataset after the preselection.

    Attributes:
        dataset: with its channel, where channels have columns of their own.
        first, second: Σw.
        difference: second less first.
        error: of the difference: √Σ(w₂ − w₁)² over generated events, 0 weight where one lacks an event.
        common: generated events that both have.
        is_other: whether events of equal numbers are other events, such as of another seed; they then
            count as none in common.
    """

    dataset: str
    first: float
    second: float
    difference: float
    error: float
    common: int
    is_other: bool = False


def paired_yields(one: Workspace, two: Workspace) -> tuple[PairedYield, ...]:
    """Every dataset that both have columns of; none where columns stand elsewhere."""
    places = [set(stored_datasets(place.columns)) for place in (one, two)]
    if not (one.normalisation.is_file() and two.normalisation.is_file()):
        return ()
    scales = scale_of(one), scale_of(two)
    return tuple(
        _paired(
            (one.columns / channel, two.columns / channel),
            dataset,
            (scales[0][dataset], scales[1][dataset]),
            channel,
        )
        for channel, dataset in sorted(places[0] & places[1])
    )


def _paired(
    folders: tuple[Path, Path], dataset: str, scales: tuple[float, float], channel: str
) -> PairedYield:
    stored = [stored_columns(folder, [dataset]) for folder in folders]
    values = [one for one in stored[0] if one in stored[1] and not one.startswith(_WEIGHT)]
    tables = [read_events(folder, [dataset], [_WEIGHT, *values]) for folder in folders]
    w1, w2 = (
        np.asarray(table[_WEIGHT] * scale, np.float64) for table, scale in zip(tables, scales, strict=True)
    )
    first, second = (table.identity for table in tables)
    is_other = other_events(tables[0], tables[1], [one for one in values if one not in IDENTITY])
    difference, error, common = paired_difference(first, w1, second ^ _APART if is_other else second, w2)
    return PairedYield(
        dataset=f"{channel}/{dataset}" if channel else dataset,
        first=float(w1.sum()),
        second=float(w2.sum()),
        difference=difference,
        error=error,
        common=common,
        is_other=is_other,
    )


def other_events(first: EventTable, second: EventTable, columns: Iterable[str]) -> bool:
    """Whether rows of equal identity are not the same generated events.

    They are the same if in any variable that tells events apart half of them have equal values: a
    calibration moves some of the variables, another seed all of them.
    """
    _, one, two = np.intersect1d(first.identity, second.identity, return_indices=True)
    telling = 0
    for name in columns:
        values = np.asarray(first[name])[one]
        if 2 * np.unique(values).size > values.size:
            telling += 1
            if 2 * np.count_nonzero(values == np.asarray(second[name])[two]) >= values.size:
                return False
    return telling > 0


def paired_difference(
    first: NDArray[np.uint64], w1: NDArray[np.float64], second: NDArray[np.uint64], w2: NDArray[np.float64]
) -> tuple[float, float, int]:
    """Σw₂ − Σw₁, its statistical error, and how many generated events are in both.

    Rows of one identity are one generated event.

    Args:
        first, second: identity of every row.
        w1, w2: weight of every row.

    >>> ids = np.array([1, 2, 3], np.uint64)
    >>> paired_difference(ids, np.array([1.0, 1.0, 1.0]), ids[:2], np.array([1.0, 1.5]))
    (-0.5, 1.118033988749895, 2)
    """
    units, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    sums = [
        np.bincount(rows, weight, units.size)
        for rows, weight in ((place[: first.size], w1), (place[first.size :], w2))
    ]
    there = [
        np.bincount(rows, minlength=units.size) > 0 for rows in (place[: first.size], place[first.size :])
    ]
    shift = sums[1] - sums[0]
    return float(shift.sum()), float(np.sqrt(shift @ shift)), int((there[0] & there[1]).sum())
