"""The significance one may believe: edges tuned on some events, quoted on others.

Edges tuned and quoted on the same events follow their fluctuations, and the quoted Z0 is too high.
Here the events are cut into parts by identity; each part is quoted with edges that were tuned on
the other parts, with its yields scaled to the full luminosity.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError
from znought.identity import event_identity
from znought.stats.binning import Method, tune_columns
from znought.stats.bins import BinCounts, BinningResult, Columns, count, judge, merge_bins
from znought.stats.bootstrap import Multiplicity, resampled
from znought.stats.correlated import correlated_z0
from znought.stats.rules import BinningConfig
from znought.stats.significance import Auxiliary, asimov_z0, background_error

__all__ = [
    "FEW_EVENTS",
    "Companion",
    "Interval",
    "SignificanceEstimate",
    "cross_fitted",
    "event_parts",
]

Floats = NDArray[np.float64]

FEW_EVENTS = 3
"""A significance from a bin of so few generated background events is never a headline."""
_HELD_OUT_SHARE = 0.5
"""Held-out bins keep this share of the tuned bins' minimum effective background, or are merged."""


@dataclass(frozen=True)
class Interval:
    """A central interval at a stated confidence level."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Companion:
    """Z0 of the same bins with another treatment of the background's uncertainty, corrected alike."""

    quoted: float
    """Mean over parts, on events that had no say in the edges."""
    held_out: float
    """``quoted`` less its bootstrap estimate of the bias of finite MC statistics."""
    interval: Interval

    def to_dict(self) -> dict[str, object]:
        """Plain numbers, ready for JSON."""
        ends = [self.interval.low, self.interval.high]
        return {"quoted": self.quoted, "held_out": self.held_out, "interval": ends}


@dataclass(frozen=True)
class SignificanceEstimate:
    """A tuned binning's expected significance, with and without the optimism of the tuning."""

    tuned: float
    """Z0 quoted on the events that the edges were tuned on, mean over parts."""
    quoted: float
    """Z0 of the same edges on the other events, mean over parts."""
    held_out: float
    """``quoted`` less its bootstrap estimate of the bias of finite MC statistics.

    Z0 is convex in the background: a bin that fluctuates low gains more than one that fluctuates
    high loses, also on events that the edges never saw.
    """
    interval: Interval
    """Bootstrap interval of ``held_out`` over generated events, at the given edges, and over trainings where
    ``left_out`` is known."""
    replicates: Floats
    """Z0 of every bootstrap replicate, shape (n_bootstrap,); replicate k draws the same events for every
    discriminant under one seed."""
    level: float
    """Confidence level of ``interval``."""
    auxiliary: Auxiliary
    whole: BinningResult
    """Tuned and quoted on all events at once, as is often published."""
    parts: tuple[BinningResult, ...]
    """Quoted bins of every part; yields at the full luminosity."""
    tuned_edges: tuple[Floats, ...]
    """Edges as tuned for every part, before bins that the quoted events do not fill were merged."""
    trustworthy: bool
    """No bin, tuned or quoted, rests on few background events or misses a bound."""
    mc_stat: Companion
    """With the background's error of finite MC statistics in every bin, beside the systematic one."""
    correlated: Companion
    """Profile likelihood with the systematic uncertainty common to all bins."""
    left_out: tuple[float, ...] = ()
    """``quoted`` of the discriminant without each repeat of the folds in turn; empty where unknown."""
    training_error: float = 0.0
    """Standard error of ``held_out`` from training, which the intervals then hold."""

    @property
    def optimism(self) -> float:
        """Tuned − held-out: what tuning and quoting on the same events pretends."""
        return self.tuned - self.held_out

    @property
    def headline(self) -> float | None:
        """The held-out Z0, or None when the MC statistics do not carry it."""
        return self.held_out if self.trustworthy else None

    @property
    def edges(self) -> Floats:
        """Edges tuned on all events."""
        return self.whole.edges

    @property
    def edge_shift(self) -> Floats:
        """Root-mean-square distance from every inner edge to the nearest one of each part's tuning.

        Shape (n_bins − 1,); NaN where a part was left with a single bin.
        """
        inner = self.whole.edges[1:-1]
        distances = [
            np.min(np.abs(inner[:, None] - edges[None, 1:-1]), axis=1)
            if edges.size > 2
            else np.full(inner.size, np.nan)
            for edges in self.tuned_edges
        ]
        return np.asarray(np.sqrt(np.mean(np.square(distances), axis=0)), dtype=np.float64)

    def to_dict(self) -> dict[str, object]:
        """Plain lists and numbers, ready for JSON; undefined numbers are None."""
        return {
            "tuned": self.tuned,
            "quoted": self.quoted,
            "held_out": self.held_out,
            "interval": [self.interval.low, self.interval.high],
            "interval_level": self.interval.level,
            "optimism": self.optimism,
            "training_error": self.training_error,
            "replicates": self.replicates.tolist(),
            "left_out": list(self.left_out),
            "auxiliary": self.auxiliary,
            "trustworthy": self.trustworthy,
            "headline": self.headline,
            "mc_stat": self.mc_stat.to_dict(),
            "correlated": self.correlated.to_dict(),
            "edges": self.edges.tolist(),
            "edge_shift": [None if np.isnan(shift) else shift for shift in self.edge_shift.tolist()],
            "whole": self.whole.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
            "tuned_edges": [edges.tolist() for edges in self.tuned_edges],
        }


def cross_fitted(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    identity: ArrayLike,
    *,
    process: ArrayLike | None = None,
    method: Method = "greedy",
    config: BinningConfig | None = None,
    n_parts: int = 2,
    n_bootstrap: int = 500,
    level: float = 0.68,
    seed: int = 0,
) -> SignificanceEstimate:
    """Cross-fitted expected significance of a binning, with its optimism and a bootstrap interval.

    Part i of the events, cut by a hash of ``identity``, is quoted with edges tuned on the other
    parts; weights of each side are scaled up to the full luminosity. The result does not depend on
    the order of the rows. A tuned bin that the quoted events hardly fill (background not positive,
    or under half of the required effective events) is merged with its lower neighbour.

    Args:
        scores, weights, is_signal: columns as in `znought.stats.binning.greedy`.
        identity: integer of the generated event behind every row, distinct between datasets,
            shape (n_events,); repeated detector responses of one event share it.
        process: name of every row's process; needed only by bounds per process.
        method: ``single`` quotes the whole range as one bin, as a cut-based selection does.
        config: rules of the binning; the default is `BinningConfig()`, with its bounds on the MC
            statistics.
        n_parts: number of parts, at least 2.
        n_bootstrap: Poisson-bootstrap replicates over generated events.
        level: confidence level of the interval.
        seed: of parts and replicates.

    Raises:
        CardError: fewer than two parts or replicates, or a level outside (0, 1).
        DataError: a part without positive signal or background.
    """
    if n_parts < 2 or n_bootstrap < 2 or not 0 < level < 1:
        received = f"{n_parts}, {n_bootstrap}, {level}"
        raise CardError(
            f"Expected n_parts ≥ 2, n_bootstrap ≥ 2 and a level within (0, 1). Received: {received}."
        )
    rules = BinningConfig() if config is None else config
    columns = Columns.checked(scores, weights, is_signal, identity, process)
    part = event_parts(np.asarray(identity), n_parts, seed)
    tuned, quoted, samples = [], [], []
    for i in range(n_parts):
        others = columns.select(part != i).scaled(n_parts / (n_parts - 1))
        tuned.append(tune_columns(others, method, rules))
        samples.append(columns.select(part == i).scaled(n_parts))
        quoted.append(_quote(samples[-1], tuned[-1].edges, rules))
    codes, seeds = np.unique(np.asarray(identity)), f"crossfit-{seed}"
    shifts = _shifts(samples, quoted, rules, n_bootstrap, Multiplicity(codes, seeds))
    found = [
        _corrected(float(np.mean([np.sqrt(z2(_yields(q), rules)) for q in quoted])), shift, level)
        for z2, shift in zip(_TREATMENTS, shifts, strict=True)
    ]
    plain, mc_stat, correlated = found
    whole = tune_columns(columns, method, rules)
    return SignificanceEstimate(
        tuned=float(np.mean([result.z_total for result in tuned])),
        quoted=plain.quoted,
        held_out=plain.held_out,
        interval=plain.interval,
        replicates=plain.quoted + shifts[0],
        level=level,
        auxiliary=rules.auxiliary,
        whole=whole,
        parts=tuple(quoted),
        tuned_edges=tuple(result.edges for result in tuned),
        trustworthy=not any(_shaky(result) for result in (whole, *tuned))
        and not any(_few(q) for q in quoted),
        mc_stat=mc_stat,
        correlated=correlated,
    )


def event_parts(identity: NDArray[np.generic], n_parts: int, seed: int) -> NDArray[np.int64]:
    """The part of every event, from 0 on, by a hash of its identity, shape (n_events,)."""
    zeros = np.zeros(identity.size, dtype=np.uint64)
    mixed = event_identity(identity, zeros, zeros, salt=f"crossfit-{seed}")
    return (mixed % np.uint64(n_parts)).astype(np.int64)


def _quote(columns: Columns, edges: Floats, rules: BinningConfig) -> BinningResult:
    def filled(counts: BinCounts) -> NDArray[np.bool_]:
        return _filled(counts.background, counts.sumw2_background, rules)

    counts, merged = merge_bins(partial(count, columns), edges, filled)
    return judge(counts, merged, rules)


def _filled(background: Floats, sumw2: Floats, rules: BinningConfig) -> NDArray[np.bool_]:
    """Which bins hold enough background to be quoted."""
    wanted = _HELD_OUT_SHARE * rules.constraints.effective_background
    return np.asarray((background > 0) & (background**2 >= wanted * sumw2), dtype=np.bool_)


def _few(result: BinningResult) -> bool:
    return bool(np.any(result.effective_background <= FEW_EVENTS))


def _shaky(result: BinningResult) -> bool:
    return bool(result.weak.any()) or _few(result)


def _shifts(
    samples: list[Columns],
    quoted: list[BinningResult],
    rules: BinningConfig,
    n_bootstrap: int,
    multiplicity: Multiplicity,
) -> Floats:
    """How far every replicate's Z0 lies above the sample's, shape (n_treatments, n_bootstrap).

    Each generated event counts Poisson(1) times; bins that a replicate hardly fills are merged, by the
    rule for quoted bins, in the replicate and in the sample it is compared with.
    """
    z2 = np.zeros((len(_TREATMENTS), 2, len(samples), n_bootstrap))
    for i, (columns, result) in enumerate(zip(samples, quoted, strict=True)):
        s, _ = resampled(columns, result.edges, columns.is_signal, n_bootstrap, multiplicity)
        b, sumw2 = resampled(columns, result.edges, ~columns.is_signal, n_bootstrap, multiplicity)
        given = _yields(result)
        for k in range(n_bootstrap):
            drawn = np.stack([s[k], b[k], sumw2[k]])
            first = _merged(drawn, rules)
            for j, yields in enumerate((drawn, given)):
                merged = np.add.reduceat(yields, first, axis=1)
                z2[:, j, i, k] = [treatment(merged, rules) for treatment in _TREATMENTS]
    replicate, sample = np.sqrt(z2).mean(axis=2).swapaxes(0, 1)
    return np.asarray(replicate - sample, dtype=np.float64)


def _merged(drawn: Floats, rules: BinningConfig) -> NDArray[np.int64]:
    """First bin of every group of bins, after merging as for quoted bins; ``drawn`` is s, b, Σw²."""
    first = np.arange(drawn.shape[1])
    while True:
        _, background, sumw2 = np.add.reduceat(drawn, first, axis=1)
        bad = np.flatnonzero(~_filled(background, sumw2, rules))
        if not bad.size or first.size == 1:
            return first
        first = np.delete(first, max(int(bad[-1]), 1))


def _z2(yields: Floats, rules: BinningConfig) -> float:
    """Σ Z0² of merged bins; 0 where not even one bin with background is left."""
    signal, background, sumw2 = yields
    if not np.all(background > 0):
        return 0.0
    error = background_error(background, sigma_rel=rules.sigma_rel, sumw2=sumw2 if rules.mc_error else None)
    return float(np.sum(asimov_z0(signal, background, error, auxiliary=rules.auxiliary) ** 2))


def _mc_z2(yields: Floats, rules: BinningConfig) -> float:
    """The same with the MC-statistical error of the background."""
    return _z2(yields, replace(rules, mc_error=True))


def _correlated_z2(yields: Floats, rules: BinningConfig) -> float:
    """Z0² with one systematic uncertainty common to all bins; 0 as of `_z2`."""
    signal, background, _ = yields
    if not np.all(background > 0):
        return 0.0
    return correlated_z0(signal, background, rules.sigma_rel * background) ** 2


_TREATMENTS = (_z2, _mc_z2, _correlated_z2)


def _yields(result: BinningResult) -> Floats:
    """Signal, background and its Σw², shape (3, n_bins)."""
    return np.stack([result.signal, result.background, result.sumw2_background])


def _corrected(quoted: float, shifts: Floats, level: float) -> Companion:
    replicates = quoted + shifts
    held_out = max(0.0, 2 * quoted - float(np.mean(replicates)))
    return Companion(quoted, held_out, _interval(quoted, replicates, level))


def _interval(quoted: float, replicates: Floats, level: float) -> Interval:
    """Basic bootstrap interval: the replicates' spread and bias, reflected at the estimate."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(max(0.0, 2 * quoted - float(high)), max(0.0, 2 * quoted - float(low)), level)
