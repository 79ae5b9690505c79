"""The two searches for edges, on one layout of the events: the greedy one and the exact one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.bins import BinCounts, Columns
from znought.stats.ordered import OrderedSample
from znought.stats.partition import best_partition
from znought.stats.rules import BinningConfig
from znought.stats.significance import asimov_z0, background_error

__all__ = ["Intervals", "SearchSpace", "greedy_edges", "optimal_edges", "trial_edges"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """Every interval [edge a, edge b) of a list of edges; arrays of shape (n_edges, n_edges), a < b."""

    z2: Floats
    """Z0², −inf where signal or background is not positive."""
    allowed: NDArray[np.bool_]
    purity: Floats
    """s/b."""


@dataclass(frozen=True)
class SearchSpace:
    """Signal and background along the discriminant, and the rules for bins."""

    signal: OrderedSample
    background: OrderedSample
    by_process: dict[str, OrderedSample]
    """Processes that have a bound of their own."""
    config: BinningConfig

    @classmethod
    def build(cls, columns: Columns, config: BinningConfig) -> "SearchSpace":
        """Order the events within the range.

        Raises:
            DataError: no positive signal or no positive background in the range.
        """

        def ordered(kind: NDArray[np.bool_]) -> OrderedSample:
            return OrderedSample.build(
                columns.scores[kind],
                columns.weights[kind],
                lower=config.lower,
                upper=config.upper,
                codes=None if columns.codes is None else columns.codes[kind],
            )

        signal, background = ordered(columns.is_signal), ordered(~columns.is_signal)
        for name, sample in (("signal", signal), ("background", background)):
            if not sample.cumulative[-1] > 0:
                raise DataError(
                    f"{name} in [{config.lower:g}, {config.upper:g}] sums to {sample.cumulative[-1]:g}; "
                    "Z0 needs a positive yield."
                )
        by_process = {process: ordered(columns.of(process)) for process in config.constraints.processes}
        return cls(signal, background, by_process, config)

    def count(self, edges: Floats) -> BinCounts:
        """Contents of the bins between edges that span the range."""
        by_process = {process: sample.contents(edges) for process, sample in self.by_process.items()}
        return BinCounts.of(self.signal.contents(edges), self.background.contents(edges), by_process)

    def intervals(self, edges: Floats) -> Intervals:
        """Significance, admissibility and purity of every interval between two of the edges."""
        signal, background = self.signal.prefix(edges), self.background.prefix(edges)
        s = signal.sumw[None, :] - signal.sumw[:, None]
        b = background.sumw[None, :] - background.sumw[:, None]
        rules = self.config
        positive = np.triu((s > 0) & (b > 0), 1)
        allowed = positive & (s > rules.min_yield) & (b > rules.min_yield)
        allowed &= rules.constraints.populated(s, b, signal.sumw2, background.sumw2)
        for process, sample in self.by_process.items():
            part = sample.prefix(edges)
            sumw = part.sumw[None, :] - part.sumw[:, None]
            allowed &= rules.constraints.process_populated(process, sumw, part.sumw2)
        extra = background.sumw2[positive] if rules.mc_error else None
        error = background_error(b[positive], sigma_rel=rules.sigma_rel, sumw2=extra)
        z2, purity = np.full_like(s, -np.inf), np.full_like(s, np.nan)
        z2[positive] = asimov_z0(s[positive], b[positive], error, auxiliary=rules.auxiliary) ** 2
        purity[positive] = s[positive] / b[positive]
        return Intervals(z2, allowed, purity)


@dataclass(frozen=True)
class _Split:
    gain: float
    position: int


def greedy_edges(space: SearchSpace) -> Floats:
    """Edges of the greedy search of Basso, CAP 2020.

    Bins do not influence each other's Z0, so that the order of splitting matters only when the
    number of bins or the purity is bound; then the bin that gains most goes first.
    """
    rules = space.config
    edges = [rules.lower, rules.upper]
    tables = [space.intervals(trial_edges(rules.lower, rules.upper, rules))]
    while rules.constraints.max_bins is None or len(tables) < rules.constraints.max_bins:
        splits = [_best_split(tables, i, rules.constraints.monotone_purity) for i in range(len(tables))]
        i = max(range(len(tables)), key=lambda k: splits[k].gain)
        if not splits[i].gain > 0:
            break
        low, high = edges[i], edges[i + 1]
        middle = float(trial_edges(low, high, rules)[splits[i].position])
        edges.insert(i + 1, middle)
        tables[i : i + 1] = [
            space.intervals(trial_edges(*ends, rules)) for ends in ((low, middle), (middle, high))
        ]
    return np.array(edges)


def trial_edges(low: float, high: float, rules: BinningConfig) -> Floats:
    """A bin's ends and the trial splits between them."""
    return np.array([low, *(low + np.array(rules.fractions) * (high - low)), high])


def _best_split(tables: list[Intervals], i: int, monotone: bool) -> _Split:
    z2, allowed, purity = tables[i].z2, tables[i].allowed, tables[i].purity
    inner = slice(1, z2.shape[0] - 1)
    admissible = allowed[0, inner] & allowed[inner, -1]
    if monotone:
        admissible &= purity[0, inner] <= purity[inner, -1]
        if i > 0:
            admissible &= purity[0, inner] >= tables[i - 1].purity[0, -1]
        if i + 1 < len(tables):
            admissible &= purity[inner, -1] <= tables[i + 1].purity[0, -1]
    if not admissible.any():
        return _Split(-np.inf, 0)
    totals = np.where(admissible, z2[0, inner] + z2[inner, -1], -np.inf)
    best = int(np.argmax(totals))
    return _Split(float(totals[best] - z2[0, -1]), best + 1)


def optimal_edges(space: SearchSpace, candidates: Floats | None = None) -> Floats:
    """Edges of the exact search on a grid of candidates; the whole range when no partition is allowed."""
    rules = space.config
    grid = _quantile_grid(space) if candidates is None else candidates
    if rules.edge_digits is not None:
        grid = np.round(grid, rules.edge_digits)
    grid = grid[(grid > rules.lower) & (grid < rules.upper)]
    grid = np.unique(np.concatenate([[rules.lower], grid, [rules.upper]]))
    table = space.intervals(grid)
    chosen = best_partition(
        np.where(table.allowed, table.z2, -np.inf),
        max_bins=rules.constraints.max_bins,
        purity=table.purity if rules.constraints.monotone_purity else None,
    )
    return grid[[0, -1] if chosen is None else chosen]


def _quantile_grid(space: SearchSpace) -> Floats:
    half = space.config.n_candidates // 2
    return np.concatenate([space.signal.quantiles(half), space.background.quantiles(half)])
