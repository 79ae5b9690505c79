"""Binning of a discriminant for the best expected significance: the greedy search, and the exact optimum."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, unknown_name
from znought.stats.baselines import equal_background, equal_width, transformation_d
from znought.stats.bins import BinningResult, Columns, evaluate, judge, merge_bins, strong_bins
from znought.stats.correlated import correlated_edges
from znought.stats.rules import FRACTIONS, PLAIN, BinningConfig, Constraints
from znought.stats.search import SearchSpace, greedy_edges, optimal_edges
from znought.stats.significance import Auxiliary

__all__ = [
    "FRACTIONS",
    "PLAIN",
    "BinningConfig",
    "BinningResult",
    "Constraints",
    "Method",
    "evaluate",
    "greedy",
    "optimal",
    "tune",
    "tune_columns",
]

Floats = NDArray[np.float64]
Method = Literal[
    "single", "greedy", "optimal", "correlated", "transformation_d", "equal_background", "equal_width"
]
"""Searches for the best quadrature or correlated Z0, and the baselines, of ten bins before merging."""

_BASELINE_BINS = 10


def greedy(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    lower: float = 0.2,
    upper: float = 1.0,
    min_yield: float = 3.0,
    fractions: tuple[float, ...] = FRACTIONS,
    sigma_rel: float = 0.10,
    auxiliary: Auxiliary = "gaussian",
    mc_error: bool = False,
    edge_digits: int | None = None,
    constraints: Constraints = PLAIN,
    identity: ArrayLike | None = None,
    process: ArrayLike | None = None,
) -> BinningResult:
    """The greedy binning of Basso, CAP 2020: split each bin where the total Z0 gains most.

    Start with one bin; a split is admissible when both parts hold more than ``min_yield`` weighted
    signal and background events (and meet ``constraints``); take the admissible split that raises
    the total Z0 most; a bin that none raises is final; recurse into both parts.

    Args:
        scores: discriminant, shape (n_events,); any variable will do.
        weights: event weights at the full luminosity, shape (n_events,); may be negative.
        is_signal: True for signal, shape (n_events,).
        lower, upper: range that is binned; events outside do not count.
        min_yield: see above.
        fractions: trial splits.
        sigma_rel: relative background uncertainty, uncorrelated between bins.
        auxiliary: see `znought.stats.significance.asimov_z0`.
        mc_error: fold the background's MC-statistical error into its uncertainty.
        edge_digits: decimals of the edges; the result is computed after rounding.
        constraints: further bounds; by default none.
        identity: integer of the generated event behind every row, distinct between datasets; rows
            that share it are one statistical unit. None takes every row as independent.
        process: name of every row's process; needed only by bounds per process.

    Raises:
        DataError: no positive signal or background in the range, or columns that do not fit.
    """
    config = BinningConfig(
        lower=lower,
        upper=upper,
        min_yield=min_yield,
        fractions=tuple(fractions),
        sigma_rel=sigma_rel,
        auxiliary=auxiliary,
        mc_error=mc_error,
        edge_digits=edge_digits,
        constraints=constraints,
    )
    return tune(
        scores, weights, is_signal, method="greedy", config=config, identity=identity, process=process
    )


def optimal(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    lower: float = 0.2,
    upper: float = 1.0,
    min_yield: float = 3.0,
    sigma_rel: float = 0.10,
    auxiliary: Auxiliary = "gaussian",
    mc_error: bool = False,
    edge_digits: int | None = None,
    constraints: Constraints = PLAIN,
    identity: ArrayLike | None = None,
    process: ArrayLike | None = None,
    n_candidates: int = 1000,
    candidates: ArrayLike | None = None,
) -> BinningResult:
    """The binning with the largest quadrature Z0 of all that a grid of candidate edges allows.

    Exact dynamic programming. The candidates follow the quantiles of signal and background, because
    the optimum on a grid that misses the populated region is the optimum of the wrong grid.

    Args:
        n_candidates: number of candidate edges.
        candidates: candidate edges to use instead; the range's ends are added.

    Other arguments and Raises: as `greedy`.
    """
    config = BinningConfig(
        lower=lower,
        upper=upper,
        min_yield=min_yield,
        sigma_rel=sigma_rel,
        auxiliary=auxiliary,
        mc_error=mc_error,
        edge_digits=edge_digits,
        constraints=constraints,
        n_candidates=n_candidates,
    )
    columns = Columns.checked(scores, weights, is_signal, identity, process)
    grid = None if candidates is None else np.asarray(candidates, dtype=np.float64)
    space = SearchSpace.build(columns, config)
    return _tidied(space, optimal_edges(space, grid))


def tune(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    method: Method,
    config: BinningConfig,
    identity: ArrayLike | None = None,
    process: ArrayLike | None = None,
) -> BinningResult:
    """Any method, with every option from one configuration; weak bins of a baseline are merged.

    Raises:
        CardError: an unknown method.
        DataError: see `greedy`.
    """
    if method not in get_args(Method):
        raise CardError(unknown_name("binning method", method, get_args(Method)))
    return tune_columns(Columns.checked(scores, weights, is_signal, identity, process), method, config)


def tune_columns(columns: Columns, method: Method, config: BinningConfig) -> BinningResult:
    """`tune` on columns that are already checked."""
    space = SearchSpace.build(columns, config)
    return _tidied(space, _edges(space, columns, method))


def _edges(space: SearchSpace, columns: Columns, method: Method) -> Floats:
    lower, upper = space.config.lower, space.config.upper
    events = (columns.scores, columns.weights, columns.is_signal)
    match method:
        case "single":
            return np.array([lower, upper])
        case "greedy":
            return greedy_edges(space)
        case "optimal":
            return optimal_edges(space)
        case "correlated":
            return correlated_edges(space)[0]
        case "transformation_d":
            return transformation_d(*events, lower=lower, upper=upper)
        case "equal_background":
            return equal_background(*events, _BASELINE_BINS, lower=lower, upper=upper)
        case "equal_width":
            return equal_width(_BASELINE_BINS, lower=lower, upper=upper)


def _tidied(space: SearchSpace, edges: Floats) -> BinningResult:
    """Round the inner edges, merge what rounding has emptied, and compute the result anew."""
    config = space.config
    if config.edge_digits is not None:
        inner = np.round(edges[1:-1], config.edge_digits)
        inner = inner[(inner > config.lower) & (inner < config.upper)]
        edges = np.unique(np.concatenate([edges[:1], inner, edges[-1:]]))
    counts, merged = merge_bins(space.count, edges, lambda bins: strong_bins(bins, config))
    return judge(counts, merged, config)
