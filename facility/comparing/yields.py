"""Expected events of two results, their difference judged by the generated events that both have."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.facility.events.store import read_events
from znought.facility.ntuples.scales import scale_of
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace
from znought.processors.evaluated import NOMINAL

__all__ = ["PairedYield", "paired_difference", "paired_yields"]


class PairedYield(Record):
    """Expected events of one dataset after the preselection.

    Attributes:
        dataset: with its channel, where channels have columns of their own.
        first, second: Σw.
        difference: second less first.
        error: of the difference: √Σ(w₂ − w₁)² over generated events, 0 weight where one lacks an event.
        common: generated events that both have.
    """

    dataset: str
    first: float
    second: float
    difference: float
    error: float
    common: int


def paired_yields(one: Workspace, two: Workspace) -> tuple[PairedYield, ...]:
    """Every dataset that both have columns of; none where columns stand elsewhere."""
    places = [_datasets(place.columns) for place in (one, two)]
    if not (one.normalisation.is_file() and two.normalisation.is_file()):
        return ()
    scales = scale_of(one), scale_of(two)
    return tuple(
        _paired(
            name,
            (one.columns, two.columns),
            (scales[0][name.rpartition("/")[2]], scales[1][name.rpartition("/")[2]]),
        )
        for name in sorted(places[0] & places[1])
    )


def _datasets(columns: Path) -> set[str]:
    """Datasets with nominal columns, below their channels where these have folders."""
    return {str(path.parent.relative_to(columns)) for path in columns.rglob(NOMINAL) if path.is_dir()}


def _paired(name: str, columns: tuple[Path, Path], scales: tuple[float, float]) -> PairedYield:
    channel, _, dataset = name.rpartition("/")
    sides = []
    for folder, scale in zip(columns, scales, strict=True):
        table = read_events(folder / channel, [dataset], ["gen_weight"])
        sides.append((table.identity, np.asarray(table["gen_weight"] * scale, np.float64)))
    (first, w1), (second, w2) = sides
    difference, error, common = paired_difference(first, w1, second, w2)
    return PairedYield(
        dataset=name,
        first=float(w1.sum()),
        second=float(w2.sum()),
        difference=difference,
        error=error,
        common=common,
    )


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
