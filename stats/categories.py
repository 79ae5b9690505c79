"""Several signals and several discriminants: argmax categories, and strips of a second discriminant."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.binning import Method, tune_columns
from znought.stats.bins import BinningResult, Columns, count, judge
from znought.stats.ordered import OrderedSample
from znought.stats.partition import best_partition
from znought.stats.rules import BinningConfig
from znought.stats.significance import quadrature_sum

__all__ = ["Categories", "Strips", "argmax_categories", "strips"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Categories:
    """Events sorted by their most probable class, each signal's category binned in its own score."""

    binnings: dict[str, BinningResult]
    """By signal: the category of that class; the other signals count as its background."""
    z: dict[str, float]
    """Expected significance of every signal, from its own category."""

    @property
    def z_combined(self) -> float:
        """All signals together, in quadrature."""
        return quadrature_sum(list(self.z.values()))


@dataclass(frozen=True)
class Strips:
    """A 2-D categorisation: strips of one discriminant, each binned in another."""

    boundaries: Floats
    """Of the strips, shape (n_strips + 1,)."""
    binnings: tuple[BinningResult, ...]
    z_total: float


def argmax_categories(
    scores: Mapping[str, ArrayLike],
    weights: ArrayLike,
    process: ArrayLike,
    *,
    signals: tuple[str, ...],
    method: Method = "optimal",
    config: BinningConfig | None = None,
    identity: ArrayLike | None = None,
) -> Categories:
    """Sort events by the class of their largest score and bin each signal's category.

    Args:
        scores: one score per class, shape (n_events,) each; signals are named as their classes.
        weights: shape (n_events,).
        process: name of every event's process; whatever is not the category's signal is background.
        signals: classes that count as signals, each with a significance of its own.
        method, config: of the binning. The range's lower end should lie at or below 1/n_classes.
        identity: as in `znought.stats.binning.greedy`.

    Raises:
        CardError: a signal that has no score.
        DataError: a category without its signal or without background.
    """
    for signal in signals:
        if signal not in scores:
            raise CardError(unknown_name("signal", signal, scores))
    rules = BinningConfig(lower=0.0) if config is None else config
    names = list(scores)
    table = np.stack([np.asarray(scores[name]) for name in names])
    chosen = np.argmax(table, axis=0)
    binnings = {}
    for signal in signals:
        is_signal = np.asarray(process, dtype=str) == signal
        columns = Columns.checked(scores[signal], weights, is_signal, identity, process)
        binnings[signal] = tune_columns(columns.select(chosen == names.index(signal)), method, rules)
    return Categories(binnings, {signal: result.z_total for signal, result in binnings.items()})


def strips(
    scores: ArrayLike,
    second: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    n_boundaries: int = 9,
    config: BinningConfig | None = None,
    identity: ArrayLike | None = None,
) -> Strips:
    """Best strips of a second discriminant, each optimally binned in the first.

    Exact among the strips that quantiles of ``second`` allow: the dynamic programme of the binning,
    with the best binning of a strip as its worth.

    Args:
        scores, weights, is_signal, identity: as in `znought.stats.binning.optimal`.
        second: discriminant that is cut into strips, shape (n_events,).
        n_boundaries: candidates between strips.
        config: rules of every strip.

    Raises:
        DataError: no signal or background at all, or columns that do not fit.
    """
    rules = BinningConfig(lower=0.0, n_candidates=200) if config is None else config
    columns = Columns.checked(scores, weights, is_signal, identity)
    y = np.asarray(second, dtype=np.float64)
    if y.shape != columns.scores.shape or not np.isfinite(y).all():
        raise DataError(f"second must be finite, of shape {columns.scores.shape}. Received shape: {y.shape}.")
    top = np.nextafter(y.max(), np.inf)
    sample = OrderedSample.build(y, columns.weights, lower=float(y.min()), upper=float(top))
    grid = np.unique(np.concatenate([[y.min()], sample.quantiles(n_boundaries), [top]]))
    value = np.full((grid.size, grid.size), -np.inf)
    binned: dict[tuple[int, int], BinningResult] = {}
    for a in range(grid.size - 1):
        for b in range(a + 1, grid.size):
            result = _strip(columns.select((y >= grid[a]) & (y < grid[b])), rules)
            if result is not None:
                binned[a, b], value[a, b] = result, result.z_total**2
    chosen = best_partition(value)
    if chosen is None:
        edges = np.array([rules.lower, rules.upper])
        result = judge(count(columns, edges), edges, rules)
        return Strips(grid[[0, -1]], (result,), result.z_total)
    parts = tuple(binned[a, b] for a, b in pairwise(chosen))
    return Strips(grid[chosen], parts, quadrature_sum([part.z_total for part in parts]))


def _strip(columns: Columns, rules: BinningConfig) -> BinningResult | None:
    """The best binning of one strip, None where the rules allow none."""
    inside = (columns.scores >= rules.lower) & (columns.scores <= rules.upper)
    for kind in (columns.is_signal, ~columns.is_signal):
        if not columns.weights[inside & kind].sum() > 0:
            return None
    result = tune_columns(columns, "optimal", rules)
    return None if result.weak.any() else result
