"""Binning for the significance with correlated systematics, which the quadrature sum cannot see.

One nuisance parameter moves the background of all bins together. The profile likelihood is then no
sum over bins, so the exact dynamic programme does not apply; the greedy search does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError
from znought.stats.bins import BinningResult, Columns, count, judge
from znought.stats.ordered import OrderedSample
from znought.stats.rules import BinningConfig
from znought.stats.search import SearchSpace, trial_edges

__all__ = ["CorrelatedBinning", "correlated_edges", "correlated_z0", "greedy_correlated"]

Floats = NDArray[np.float64]
_STEPS = 60
_MIN_GAIN = 1e-6
"""Relative gain in Z² below which a split is numerical noise."""


@dataclass(frozen=True)
class CorrelatedBinning:
    """Bins chosen for the correlated significance."""

    binning: BinningResult
    """With the quadrature sum beside it."""
    z_correlated: float
    systematics: tuple[str, ...]


def correlated_z0(signal: ArrayLike, background: ArrayLike, shifts: ArrayLike) -> float:
    """Expected discovery significance with Gaussian-constrained shifts common to all bins.

    Z² = min over α of 2 Σᵢ [λᵢ − nᵢ + nᵢ ln(nᵢ/λᵢ)] + Σₖ αₖ², λᵢ = bᵢ + Σₖ αₖ δₖᵢ, n = s + b, found by
    damped Newton steps; the function is convex.

    Args:
        signal, background: yields, shape (n_bins,); negative signal counts as none.
        shifts: change of the background for one standard deviation, shape (n_systematics, n_bins).
            Independent MC-statistical errors are the rows of a diagonal matrix.

    Raises:
        DataError: a background that is not positive, or shapes that do not fit.

    >>> round(correlated_z0([10.0], [100.0], [[10.0]]), 6)
    0.695787
    >>> round(correlated_z0([5.0, 5.0], [50.0, 50.0], [[5.0, 5.0]]), 6)
    0.695787
    """
    s, b = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (signal, background))
    delta = np.asarray(shifts, dtype=np.float64).reshape(-1, b.size)
    if s.shape != b.shape or not np.all(b > 0):
        raise DataError(
            f"background must be positive, one per bin. Received: {b.tolist()} for {s.size} bins."
        )
    if not (np.isfinite(s).all() and np.isfinite(b).all() and np.isfinite(delta).all()):
        raise DataError("signal, background or shifts hold values that are not finite.")
    n = np.maximum(s, 0.0) + b
    alpha = np.zeros(delta.shape[0])
    now = _q0(n, b, delta, alpha)
    for _ in range(_STEPS):
        expected = b + alpha @ delta
        gradient = delta @ (1 - n / expected) + alpha
        step = np.linalg.solve((delta * (n / expected**2)) @ delta.T + np.eye(alpha.size), gradient)
        length = 1.0
        while (then := _q0(n, b, delta, alpha - length * step)) > now and length > 1e-12:
            length /= 2
        if then > now:
            break
        alpha, gain, now = alpha - length * step, now - then, then
        if gain <= 1e-14 * now:
            break
    return float(np.sqrt(max(now, 0.0)))


def greedy_correlated(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    config: BinningConfig | None = None,
    two_point: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    identity: ArrayLike | None = None,
) -> CorrelatedBinning:
    """The greedy search, with the correlated significance as what a split must raise.

    Args:
        scores, weights, is_signal, identity: as in `znought.stats.binning.greedy`.
        config: rules; ``sigma_rel`` is one normalisation of the whole background.
        two_point: by name, scores and weights of an alternative background (another parton shower,
            say) in place of the nominal one; the full difference is one standard deviation.

    Raises:
        DataError: see `znought.stats.binning.greedy`.
    """
    rules = BinningConfig() if config is None else config
    columns = Columns.checked(scores, weights, is_signal, identity)
    space = SearchSpace.build(columns, rules)
    others = {
        name: OrderedSample.build(
            np.asarray(x, dtype=np.float64),
            np.asarray(w, dtype=np.float64),
            lower=rules.lower,
            upper=rules.upper,
        )
        for name, (x, w) in (two_point or {}).items()
    }
    edges, best = correlated_edges(space, others)
    result = judge(count(columns, edges, processes=rules.constraints.processes), edges, rules)
    return CorrelatedBinning(result, best, ("normalisation", *others))


def correlated_edges(
    space: SearchSpace, others: Mapping[str, OrderedSample] | None = None
) -> tuple[Floats, float]:
    """Edges of the greedy search, and the correlated significance that they reach.

    Args:
        space: events and rules.
        others: alternative backgrounds, as ``two_point`` of `greedy_correlated`.
    """
    alternatives = others or {}
    edges = np.array([space.config.lower, space.config.upper])
    best = _z2(space, alternatives, edges)
    limit = space.config.constraints.max_bins or np.inf
    while edges.size - 1 < limit:
        trials = [
            np.insert(edges, i + 1, middle)
            for i in range(edges.size - 1)
            for middle in _splits(space, edges, i)
        ]
        values = [_z2(space, alternatives, trial) for trial in trials]
        if not values or not max(values) > best * (1 + _MIN_GAIN):
            break
        edges, best = trials[int(np.argmax(values))], max(values)
    return edges, float(np.sqrt(best))


def _splits(space: SearchSpace, edges: Floats, i: int) -> Floats:
    """Admissible split points of bin i."""
    trial = trial_edges(edges[i], edges[i + 1], space.config)
    allowed = space.intervals(trial).allowed
    return trial[1:-1][allowed[0, 1:-1] & allowed[1:-1, -1]]


def _z2(space: SearchSpace, others: Mapping[str, OrderedSample], edges: Floats) -> float:
    s, b = (np.diff(sample.prefix(edges).sumw) for sample in (space.signal, space.background))
    shifts = [space.config.sigma_rel * b]
    shifts += [np.diff(sample.prefix(edges).sumw) - b for sample in others.values()]
    if space.config.mc_error:
        sumw2 = space.background.prefix(edges).sumw2
        shifts += list(np.diag(np.sqrt(np.diagonal(sumw2, offset=1))))
    return correlated_z0(s, b, np.array(shifts)) ** 2


def _q0(n: Floats, b: Floats, delta: Floats, alpha: Floats) -> float:
    expected = b + alpha @ delta
    if not np.all(expected > 0):
        return float(np.inf)
    return float(2 * np.sum(expected - n + n * np.log(n / expected)) + alpha @ alpha)
