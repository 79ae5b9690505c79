"""Bins of variables, for comparisons and figures."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.analysis import Variable

__all__ = ["aligned", "comparison_edges", "limits", "n_undefined_bins"]

Floats = NDArray[np.float64]
_MOST_INTEGERS = 50
_CLOSE = 1e-6


def comparison_edges(variable: Variable, values: ArrayLike = ()) -> Floats:
    """Half as many bins as the histogram of a variable has, and one for all that lies beyond.

    Args:
        variable: with bins.
        values: of an integer variable, whose bins cover what is there.
    """
    if variable.edges:
        edges = np.asarray(variable.edges, np.float64)
        return np.append(edges, 2 * edges[-1] - edges[-2])
    if isinstance(variable.bins, tuple):
        bins, lower, upper = variable.bins
        n_bins = max(int(bins) // 2, 1)
        return np.linspace(float(lower), upper + (upper - lower) / n_bins, n_bins + 2)
    whole = np.asarray(values, np.float64)
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 1)
    return np.arange(low, min(high, low + _MOST_INTEGERS) + 3, dtype=np.float64) - 0.5


def aligned(edges: Floats, window: tuple[float, float]) -> Floats:
    """Edges with the ends of a window among them, and none very close beside.

    >>> aligned(np.array([0.0, 20.0, 40.0, 60.0]), (25.0, 40.0)).tolist()
    [0.0, 20.0, 25.0, 40.0, 60.0]
    """
    for end in window:
        if edges[0] < end < edges[-1]:
            distance = np.abs(edges - end)
            if distance.min() < _CLOSE * np.diff(edges).min():
                edges = np.where(distance == distance.min(), end, edges)
            else:
                edges = np.sort(np.append(edges, end))
    return edges


def limits(variable: Variable) -> tuple[float, float]:
    """Ends of the bins; integers have none."""
    if variable.edges:
        return variable.edges[0], variable.edges[-1]
    if isinstance(variable.bins, tuple):
        return float(variable.bins[1]), float(variable.bins[2])
    return -np.inf, np.inf


def n_undefined_bins(variable: Variable | None, edges: ArrayLike) -> int:
    """Bins at the lower end that hold the events for which the variable is not defined."""
    if variable is None or variable.undefined is None:
        return 0
    borders = np.asarray(edges, np.float64)
    return int(np.searchsorted(borders, variable.undefined, side="right").clip(0, borders.size - 1))
