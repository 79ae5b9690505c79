"""Weighted events along a discriminant, laid out so that yields between any edges are cheap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

__all__ = ["Contents", "OrderedSample", "Prefix", "bin_contents", "bin_index", "binned_sum"]

Floats = NDArray[np.float64]
_N_BUCKETS = 1 << 16


@dataclass(frozen=True)
class Prefix:
    """Sums below each of n edges: the yield of bin [a, b) is the difference of two entries."""

    sumw: Floats
    """Sum of weights below each edge, shape (n_edges,)."""
    sumw2: Floats
    """Squared MC-statistical error of the interval [edge a, edge b), shape (n_edges, n_edges)."""


@dataclass(frozen=True)
class Contents:
    """One kind of event in given bins; arrays of shape (n_bins,)."""

    sumw: Floats
    sumw2: Floats
    """Squared MC-statistical errors."""
    events: NDArray[np.int64]
    """Distinct generated events."""


@dataclass(frozen=True)
class OrderedSample:
    """Events of one kind within [lower, upper], bucket-sorted along the discriminant.

    A radix sort into equal buckets takes a tenth of the time of a comparison sort; the few events
    that share a bucket with an edge are compared one by one, so that every sum is exact.
    """

    lower: float
    upper: float
    scores: Floats
    weights: Floats
    cumulative: Floats
    cumulative_square: Floats
    starts: NDArray[np.int64]
    codes: NDArray[np.int64] | None
    """Dense integer per generated event; rows that share one are one statistical unit."""

    @classmethod
    def build(
        cls,
        scores: NDArray[np.floating],
        weights: NDArray[np.floating],
        *,
        lower: float,
        upper: float,
        codes: NDArray[np.int64] | None = None,
    ) -> "OrderedSample":
        """Order the events with lower ≤ score ≤ upper; the rest is dropped."""
        inside = (scores >= lower) & (scores <= upper)
        if not inside.all():
            scores, weights = scores[inside], weights[inside]
            codes = None if codes is None else codes[inside]
        buckets = _bucket(scores, lower, upper).astype(np.uint16)
        order = np.argsort(buckets, kind="stable")
        starts = np.zeros(_N_BUCKETS + 1, dtype=np.int64)
        np.cumsum(np.bincount(buckets, minlength=_N_BUCKETS), out=starts[1:])
        ordered = weights[order].astype(np.float64)
        return cls(
            lower=lower,
            upper=upper,
            scores=scores[order].astype(np.float64),
            weights=ordered,
            cumulative=_running_sum(ordered),
            cumulative_square=_running_sum(ordered**2),
            starts=starts,
            codes=None if codes is None else codes[order],
        )

    def prefix(self, edges: Floats) -> Prefix:
        """Sums below every edge; an event exactly at ``upper`` belongs to the last bin."""
        sumw, square = np.empty(edges.size), np.empty(edges.size)
        buckets = _bucket(edges, self.lower, self.upper)
        for i, (edge, bucket) in enumerate(zip(edges, buckets, strict=True)):
            first, last = self.starts[bucket], self.starts[bucket + 1]
            if edge >= self.upper:
                first, last = self.starts[-1], self.starts[-1]
            part = self.weights[first:last][self.scores[first:last] < edge]
            sumw[i] = self.cumulative[first] + part.sum()
            square[i] = self.cumulative_square[first] + (part**2).sum()
        if self.codes is None:
            return Prefix(sumw, square[None, :] - square[:, None])
        return Prefix(sumw, self._correlated_sumw2(edges, self.codes))

    def contents(self, edges: Floats) -> Contents:
        """Contents of the bins between edges that span the range."""
        # Rows are nearly in order, which makes the search for their bins several times quicker.
        return bin_contents(bin_index(self.scores, edges), self.weights, edges.size - 1, self.codes)

    def quantiles(self, n: int) -> Floats:
        """About n scores that hold equal numbers of raw events between them; independent of row order."""
        counts = self.starts.astype(np.float64)
        wanted = np.linspace(0, counts[-1], n + 2)[1:-1]
        fraction = np.interp(wanted, counts, np.arange(_N_BUCKETS + 1) / _N_BUCKETS)
        return self.lower + fraction * (self.upper - self.lower)

    def _correlated_sumw2(self, edges: Floats, codes: NDArray[np.int64]) -> Floats:
        # Rows of one generated event add linearly before they are squared, also across cells:
        # the Gram matrix of the (event × cell) sums holds every product that an interval needs.
        first = self.starts[_bucket(edges[:1], self.lower, self.upper)[0]]
        last = self.starts[_bucket(edges[-1:], self.lower, self.upper)[0] + 1]
        scores, weights = self.scores[first:last], self.weights[first:last]
        cell = np.searchsorted(edges, scores, side="right") - 1
        if edges[-1] >= self.upper:
            cell[scores >= self.upper] = edges.size - 2
        keep = (cell >= 0) & (cell < edges.size - 1)
        shape = (int(codes.max(initial=-1)) + 1, edges.size - 1)
        table = csr_matrix((weights[keep], (codes[first:last][keep], cell[keep])), shape=shape)
        corner = np.zeros((edges.size, edges.size))
        corner[1:, 1:] = (table.T @ table).toarray().cumsum(axis=0).cumsum(axis=1)
        diagonal = np.diagonal(corner)
        blocks = diagonal[None, :] + diagonal[:, None] - corner - corner.T
        return np.asarray(np.maximum(blocks, 0.0), dtype=np.float64)


def bin_index(scores: NDArray[np.floating], edges: Floats) -> NDArray[np.int64]:
    """Bin of every event; −1 below and n_bins above the range. The last bin includes its upper edge."""
    bins = np.searchsorted(edges, scores, side="right") - 1
    bins[scores == edges[-1]] = edges.size - 2
    return bins


def bin_contents(
    bins: NDArray[np.int64], weights: Floats, n_bins: int, codes: NDArray[np.int64] | None
) -> Contents:
    """Contents of bins, with Σ over generated events of (Σ of its rows' weights)² as the squared error.

    Args:
        bins: bin of every row, in [0, n_bins).
        weights: shape (n_rows,).
        n_bins: number of bins.
        codes: dense integer per generated event; None takes every row as its own.
    """
    sumw = binned_sum(bins, weights, n_bins)
    if codes is None:
        events = np.bincount(bins, minlength=n_bins).astype(np.int64)
        return Contents(sumw, binned_sum(bins, weights**2, n_bins), events)
    keys, inverse = np.unique(codes * n_bins + bins, return_inverse=True)
    units = binned_sum(inverse, weights, keys.size)
    where = keys % n_bins
    events = np.bincount(where, minlength=n_bins).astype(np.int64)
    return Contents(sumw, binned_sum(where, units**2, n_bins), events)


def binned_sum(bins: NDArray[np.int64], weights: Floats, n_bins: int) -> Floats:
    """Σw per bin, shape (n_bins,)."""
    return np.bincount(bins, weights, n_bins).astype(np.float64)


def _bucket(scores: NDArray[np.floating], lower: float, upper: float) -> NDArray[np.int64]:
    scaled = (scores.astype(np.float64) - lower) * (_N_BUCKETS / (upper - lower))
    return np.clip(scaled, 0, _N_BUCKETS - 1).astype(np.int64)


def _running_sum(values: Floats) -> Floats:
    total = np.zeros(values.size + 1)
    np.cumsum(values, out=total[1:])
    return total
