"""Exact dynamic programming: the best partition of a grid of candidate edges into bins."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_partition"]

Floats = NDArray[np.float64]


def best_partition(
    value: Floats, *, max_bins: int | None = None, purity: Floats | None = None
) -> list[int] | None:
    """Candidate edges whose bins have the largest sum of values, or None when no partition is allowed.

    Args:
        value: worth of the bin from candidate a to candidate b at [a, b], −inf where it is not
            allowed; only a < b is read. Shape (n_edges, n_edges).
        max_bins: largest number of bins; None leaves it free.
        purity: ordering quantity of every bin, same shape; it may not fall from one bin to the
            next. None leaves it free.

    Returns:
        Indices of the chosen edges, first and last candidate included. Of equally good partitions, one.

    >>> value = np.full((4, 4), -np.inf)
    >>> value[0, 3], value[0, 2], value[2, 3], value[0, 1], value[1, 2] = 5.0, 3.0, 4.0, 2.0, 0.5
    >>> best_partition(value)
    [0, 2, 3]
    >>> best_partition(value, max_bins=1)
    [0, 3]
    """
    if purity is None:
        return _free(value) if max_bins is None else _limited(value, max_bins)
    return _monotone(value, purity, max_bins)


def _free(value: Floats) -> list[int] | None:
    n = value.shape[0]
    ending_at = np.ascontiguousarray(value.T)
    best = np.full(n, -np.inf)
    best[0] = 0.0
    previous = np.zeros(n, dtype=np.int64)
    for b in range(1, n):
        totals = best[:b] + ending_at[b, :b]
        previous[b] = np.argmax(totals)
        best[b] = totals[previous[b]]
    return None if best[-1] == -np.inf else _walk_back([previous] * n, n - 1)


def _limited(value: Floats, max_bins: int) -> list[int] | None:
    n = value.shape[0]
    worth = np.where(np.triu(np.ones((n, n), dtype=bool), 1), value, -np.inf)
    best = np.full(n, -np.inf)
    best[0] = 0.0
    layers: list[NDArray[np.int64]] = []
    ends: list[float] = []
    for _ in range(min(max_bins, n - 1)):
        totals = best[:, None] + worth
        layers.append(np.argmax(totals, axis=0))
        best = totals[layers[-1], np.arange(n)]
        ends.append(float(best[-1]))
    chosen = int(np.argmax(ends))
    return None if ends[chosen] == -np.inf else _walk_back(layers[chosen::-1], n - 1)


def _walk_back(layers: list[NDArray[np.int64]], last: int) -> list[int]:
    edges = [last]
    for previous in layers:
        edges.append(int(previous[edges[-1]]))
        if edges[-1] == 0:
            break
    return edges[::-1]


def _monotone(value: Floats, purity: Floats, max_bins: int | None) -> list[int] | None:
    """States are bins, not edges: the best chain ending in [a, b), by the number of its bins if limited."""
    n = value.shape[0]
    if max_bins is None:
        total, before = _extend(value, purity, None)
        return _walk_chain([(total, before)], n, unlimited=True)
    layers = [(_first_bins(value), np.full((n, n), -1))]
    for _ in range(min(max_bins, n - 1) - 1):
        layers.append(_extend(value, purity, layers[-1][0]))
    return _walk_chain(layers, n, unlimited=False)


def _first_bins(value: Floats) -> Floats:
    total = np.full_like(value, -np.inf)
    total[0, 1:] = value[0, 1:]
    return total


def _extend(value: Floats, purity: Floats, shorter: Floats | None) -> tuple[Floats, NDArray[np.int64]]:
    """Best chains one bin longer than those of ``shorter``; of any length when it is None."""
    n = value.shape[0]
    total = _first_bins(value) if shorter is None else np.full_like(value, -np.inf)
    chains = total if shorter is None else shorter
    before = np.full((n, n), -1)
    for a in range(1, n - 1):
        order = np.argsort(purity[:a, a], kind="stable")
        values = chains[:a, a][order]
        running = np.maximum.accumulate(values)
        # Index of the running maximum: where it last rose.
        rises = np.concatenate([[True], running[1:] > running[:-1]])
        holder = np.maximum.accumulate(np.where(rises, np.arange(a), 0))
        allowed = np.searchsorted(purity[:a, a][order], purity[a, a + 1 :], side="right") - 1
        reachable = (allowed >= 0) & (running[allowed] > -np.inf)
        total[a, a + 1 :] = np.where(reachable, running[allowed] + value[a, a + 1 :], -np.inf)
        before[a, a + 1 :] = order[holder[allowed]]
    return total, before


def _walk_chain(
    layers: list[tuple[Floats, NDArray[np.int64]]], n: int, *, unlimited: bool
) -> list[int] | None:
    ends = [float(np.max(total[:-1, -1])) for total, _ in layers]
    layer = int(np.argmax(ends))
    if ends[layer] == -np.inf:
        return None
    edges = [n - 1, int(np.argmax(layers[layer][0][:-1, -1]))]
    while edges[-1] != 0:
        edges.append(int(layers[layer][1][edges[-1], edges[-2]]))
        layer = layer if unlimited else layer - 1
    return edges[::-1]
