"""Expected events per process and bin, with their MC-statistical errors."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError, unknown_name
from znought.stats.bins import checked_edges
from znought.stats.labels import Labels
from znought.stats.ordered import bin_contents, bin_index

__all__ = ["Yields", "count_yields"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Yields:
    """Expected events of every process in every bin; arrays of shape (n_processes, n_bins)."""

    processes: tuple[str, ...]
    edges: Floats
    sumw: Floats
    sumw2: Floats
    """Squared MC-statistical errors; rows of one generated event are one statistical unit."""
    events: NDArray[np.int64]
    """Distinct generated events."""

    def __post_init__(self) -> None:
        expected = (len(self.processes), self.edges.size - 1)
        for name in ("sumw", "sumw2", "events"):
            if np.shape(getattr(self, name)) != expected:
                received = np.shape(getattr(self, name))
                raise DataError(f"{name} must have the shape {expected}. Received: {received}.")

    def __add__(self, other: "Yields") -> "Yields":
        """Yields of these and of other generated events, of the same processes and bins."""
        if self.processes != other.processes or not np.array_equal(self.edges, other.edges):
            raise DataError("Yields of other processes or bins cannot be added.")
        return Yields(
            self.processes,
            self.edges,
            self.sumw + other.sumw,
            self.sumw2 + other.sumw2,
            self.events + other.events,
        )

    @property
    def errors(self) -> Floats:
        """MC-statistical errors, sqrt(sumw2)."""
        return np.asarray(np.sqrt(self.sumw2), dtype=np.float64)

    def total(self, processes: Collection[str]) -> tuple[Floats, Floats]:
        """Σw and Σw² over some processes, shape (n_bins,) each.

        Raises:
            DataError: an unknown process.
        """
        for process in processes:
            if process not in self.processes:
                raise DataError(unknown_name("process", process, self.processes))
        rows = [i for i, process in enumerate(self.processes) if process in processes]
        return self.sumw[rows].sum(axis=0), self.sumw2[rows].sum(axis=0)

    def with_process(self, process: str, sumw: ArrayLike, sumw2: ArrayLike) -> "Yields":
        """These yields with other Σw and Σw² of one process, such as a background that data predict.

        Args:
            process: one of `processes`.
            sumw, sumw2: shape (n_bins,).

        Raises:
            DataError: an unknown process.
        """
        if process not in self.processes:
            raise DataError(unknown_name("process", process, self.processes))
        row = self.processes.index(process)
        changed, changed2 = self.sumw.copy(), self.sumw2.copy()
        changed[row], changed2[row] = sumw, sumw2
        return replace(self, sumw=changed, sumw2=changed2)

    def scaled(self, factor: float) -> "Yields":
        """These yields at another luminosity: Σw times the factor, Σw² times its square."""
        return replace(self, sumw=self.sumw * factor, sumw2=self.sumw2 * factor**2)

    def to_dict(self) -> dict[str, object]:
        """Plain lists by process, ready for JSON."""
        per_process = {
            process: {
                "yields": self.sumw[i].tolist(),
                "mc_errors": self.errors[i].tolist(),
                "events": self.events[i].tolist(),
            }
            for i, process in enumerate(self.processes)
        }
        return {"edges": self.edges.tolist(), "processes": per_process}


def count_yields(
    discriminant: ArrayLike,
    weights: ArrayLike,
    process: ArrayLike | Labels,
    edges: ArrayLike,
    *,
    processes: tuple[str, ...] | None = None,
    identity: ArrayLike | None = None,
) -> Yields:
    """Yields of every process in given bins.

    Args:
        discriminant, weights: shape (n_events,).
        process: name of every event's process, shape (n_events,).
        edges: shape (n_bins + 1,), rising; the last bin includes its upper edge.
        processes: their order in the result; by default the names that occur, sorted. A process
            without events has zero yields.
        identity: integer of the generated event behind every row; None takes rows as independent.

    Raises:
        DataError: edges that do not rise, values that are not finite, or a process not listed.

    >>> y = count_yields([0.1, 0.6, 0.7], [1.0, 2.0, 3.0], ["VH", "top", "top"], [0, 0.5, 1])
    >>> y.processes, y.sumw.tolist(), y.sumw2[1].tolist()
    (('VH', 'top'), [[1.0, 0.0], [0.0, 5.0]], [0.0, 13.0])
    """
    bounds = checked_edges(edges)
    x, w = np.asarray(discriminant, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(x).all() and np.isfinite(w).all()):
        raise DataError("discriminant or weights hold values that are not finite.")
    labels = Labels.of(process)
    names = tuple(sorted(labels.present)) if processes is None else processes
    for name in labels.present:
        if name not in names:
            raise DataError(unknown_name("process", name, names))
    bins, n_bins = bin_index(x, bounds), bounds.size - 1
    inside = (bins >= 0) & (bins < n_bins)
    # Events of different processes are different events, even where their numbers coincide.
    row = np.array([names.index(name) if name in names else 0 for name in labels.names])[labels.codes]
    cell = (row * n_bins + bins)[inside]
    codes = None if identity is None else np.unique(np.asarray(identity)[inside], return_inverse=True)[1]
    shape = (len(names), n_bins)
    filled = bin_contents(cell, w[inside], len(names) * n_bins, codes)
    return Yields(
        names, bounds, filled.sumw.reshape(shape), filled.sumw2.reshape(shape), filled.events.reshape(shape)
    )
