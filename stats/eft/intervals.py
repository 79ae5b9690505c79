"""Intervals, contours and coverage for effective coefficients, from the profiled likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import beta, chi2, norm

from znought.errors import CardError, DataError, unknown_name
from znought.stats.eft.likelihood import LikelihoodModel, Observation

__all__ = [
    "Coverage",
    "Interval",
    "Thresholds",
    "best_value",
    "cls_interval",
    "coverage",
    "delta_2lnl",
    "interval",
    "toy_thresholds",
]

Floats = NDArray[np.float64]

_GRID: Final = 161
_REFINED: Final = 9
_ROUNDS: Final = 4


@dataclass(frozen=True)
class Interval:
    """Values of one coefficient that are not excluded; a quadratic dependence can leave two islands."""

    coefficient: str
    level: float
    segments: tuple[tuple[float, float], ...]
    """Allowed ranges, in increasing order."""
    reaches_validity: bool
    """True where a range ends at the edge of the morphing's validity: the limit is weaker than it says."""

    @property
    def half_width(self) -> float:
        """Half the distance between the outermost ends: one number to compare methods by."""
        return 0.5 * (self.segments[-1][1] - self.segments[0][0])

    def holds(self, value: float) -> bool:
        """Whether a value is allowed."""
        return any(low <= value <= high for low, high in self.segments)


def delta_2lnl(model: LikelihoodModel, data: Observation, values: ArrayLike, *, coefficient: str) -> Floats:
    """t(c) = −2 ln L(c)/L(ĉ) ≥ 0 for values of one coefficient, the others zero: (n_toys, n_values).

    Raises:
        CardError: an unknown coefficient.
        DataError: values outside the validity of the morphing.
    """
    axis = _axis(model, coefficient)
    scanned = model.profile(data, _embed(model, axis, np.atleast_1d(np.asarray(values, dtype=np.float64))))
    floor = _minima(model, data, axis).floor
    return np.asarray(np.maximum(scanned - floor[:, None], 0.0))


def best_value(model: LikelihoodModel, data: Observation, *, coefficient: str) -> float:
    """ĉ, where −2 ln L of one observation is least within the validity, the other coefficients zero.

    Raises:
        CardError: an unknown coefficient.
        DataError: more than one observation.
    """
    if len(data.counts) != 1:
        raise DataError(f"Expected one observation. Received: {len(data.counts)}.")
    return float(_minima(model, data, _axis(model, coefficient)).best[0])


@dataclass(frozen=True)
class Thresholds:
    """Height of t(c) that a level of toys thrown at c stays below: Neyman's construction.

    Where the yields are quadratic in c, t(c) does not follow χ²₁ and its quantile depends on c.
    """

    coefficient: str
    level: float
    values: Floats
    """Where toys were thrown, increasing, shape (n_values,)."""
    heights: Floats
    """The quantiles, shape (n_values,)."""
    n_toys: int
    """Toys at each value."""

    def __post_init__(self) -> None:
        if self.values.shape != self.heights.shape or not (np.diff(self.values) > 0.0).all():
            raise DataError("Expected increasing values of the coefficient and one threshold for each.")

    def at(self, values: ArrayLike) -> Floats:
        """Linear between the values; beyond them the nearest one's."""
        return np.interp(np.asarray(values, dtype=np.float64), self.values, self.heights)


def toy_thresholds(
    model: LikelihoodModel,
    *,
    coefficient: str,
    values: ArrayLike,
    level: float = 0.95,
    n_toys: int = 500,
    seed: int = 1,
) -> Thresholds:
    """Quantiles of t(c) in toys thrown at each of some values, nuisance parameters at nominal.

    The k-th smallest of n toys with k = ⌈(n + 1) · level⌉: a new toy stays below it with a probability of
    at least the level, whatever the distribution.

    Raises:
        CardError: an unknown coefficient; too few toys for the level.
        DataError: values outside the validity of the morphing.
    """
    rank = int(np.ceil((n_toys + 1) * level))
    if rank > n_toys:
        raise CardError(f"{n_toys} toys cannot tell a quantile of {level:g}: take more.")
    points = np.unique(np.asarray(values, dtype=np.float64))
    toys = (_toys_at(model, coefficient, float(c), n_toys, (seed, i)) for i, c in enumerate(points))
    heights = [np.sort(t)[rank - 1] for t in toys]
    return Thresholds(coefficient, level, points, np.array(heights), n_toys)


def interval(
    model: LikelihoodModel,
    data: Observation | None = None,
    *,
    coefficient: str,
    level: float = 0.95,
    thresholds: Thresholds | None = None,
) -> Interval:
    """Values with −2 Δln L below a threshold, the other coefficients zero.

    Args:
        model: channels and systematics.
        data: one observation; None takes the standard-model Asimov data (expected interval).
        coefficient: which one.
        level: confidence level.
        thresholds: from toys; None takes the χ²₁ quantile (3.84 for 95 %) everywhere.

    Raises:
        CardError: an unknown coefficient, a level outside (0, 1) or other than that of the thresholds.
        DataError: more than one observation.
    """
    observed = _single(model, data, level)
    axis = _axis(model, coefficient)
    minima = _minima(model, observed, axis)

    def margin(c: Floats) -> Floats:
        t = model.profile(observed, _embed(model, axis, c))[0] - minima.floor[0]
        return np.asarray(_heights(c, coefficient, level, thresholds) - t)

    return _allowed(model, axis, margin, level, minima.wells[0])


def cls_interval(
    model: LikelihoodModel,
    data: Observation | None = None,
    *,
    coefficient: str,
    level: float = 0.95,
    band: float = 0.0,
) -> Interval:
    """Values with CLs = p_{s+b}/p_b above 1 − level, by asymptotic formulae, the other coefficients zero.

    One-sided tests on either side of the standard model: q(c) is zero where ĉ lies beyond c.
    Observed: CLs = [1 − Φ(√q)] / Φ(√q_A − √q). Expected (no data), at the quantile `band` of the
    standard-model ensemble: √q = √q_A − band, CLs = [1 − Φ(√q_A − band)] / Φ(band); for band = 0 this
    is 2[1 − Φ(√q_A)], so that the median CLs interval is the −2 Δln L interval of the Asimov data.

    Args:
        model: channels and systematics.
        data: one observation; None gives the expected interval.
        coefficient: which one.
        level: confidence level.
        band: standard deviations from the median; positive values weaken the limit. Only without data.

    References:
        Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727, eqs. 65 and 89; Read, J. Phys. G 28 (2002) 2693.
    """
    if data is not None and band:
        raise CardError("A band belongs to the expected interval: leave out the data.")
    axis = _axis(model, coefficient)
    asimov = model.asimov()
    observed = _single(model, data, level)
    minima_a, minima = _minima(model, asimov, axis), _minima(model, observed, axis)

    def margin(c: Floats) -> Floats:
        points = _embed(model, axis, c)
        root_a = np.sqrt(np.maximum(model.profile(asimov, points)[0] - minima_a.floor[0], 0.0))
        if data is None:
            cls = norm.sf(root_a - band) / norm.cdf(band)
        else:
            q = np.maximum(model.profile(observed, points)[0] - minima.floor[0], 0.0)
            beyond = np.where(c >= 0.0, minima.best[0] > c, minima.best[0] < c)
            root = np.where(beyond, 0.0, np.sqrt(q))
            cls = norm.sf(root) / norm.cdf(root_a - root)
        return np.asarray(np.minimum(cls, 1.0) - (1.0 - level))

    return _allowed(model, axis, margin, level, np.append(minima.wells[0], minima_a.wells[0]))


@dataclass(frozen=True)
class Coverage:
    """How often intervals of a nominal level hold the true value, in toys."""

    truth: float
    level: float
    n_toys: int
    fraction: float
    interval68: tuple[float, float]
    """Clopper–Pearson interval of the fraction, 68 %."""


def coverage(
    model: LikelihoodModel,
    *,
    coefficient: str,
    truth: float,
    level: float = 0.95,
    n_toys: int = 500,
    seed: int = 1,
    thresholds: Thresholds | None = None,
) -> Coverage:
    """Fraction of toys, thrown at c = truth, whose −2 Δln L interval holds the truth.

    Counts, the auxiliary measurements of all nuisance parameters and of the MC statistics fluctuate.
    Where the quadratic term makes a second minimum of nearly the same depth, t(c) has a longer tail than
    χ²₁ and intervals cover less than they claim: that is what this measures. With `thresholds` the
    intervals are those of Neyman's construction; throw them with another seed than the thresholds'.

    Raises:
        CardError: an unknown coefficient; thresholds of another coefficient or level.
        DataError: a truth outside the validity of the morphing.
    """
    t = _toys_at(model, coefficient, truth, n_toys, (seed,))
    height = _heights(np.array([truth]), coefficient, level, thresholds)
    n_held = int((t <= height).sum())
    tail = norm.sf(1.0)
    low = beta.ppf(tail, n_held, n_toys - n_held + 1) if n_held else 0.0
    high = beta.isf(tail, n_held + 1, n_toys - n_held) if n_held < n_toys else 1.0
    return Coverage(truth, level, n_toys, n_held / n_toys, (float(low), float(high)))


def _toys_at(
    model: LikelihoodModel, coefficient: str, truth: float, n_toys: int, seed: tuple[int, ...]
) -> Floats:
    """t(truth) of toys thrown at the truth, shape (n_toys,)."""
    axis = _axis(model, coefficient)
    point = _embed(model, axis, np.array([truth]))[0]
    data = model.toys(n_toys, point=point, seed=seed)
    return delta_2lnl(model, data, [truth], coefficient=coefficient)[:, 0]


def _heights(values: Floats, coefficient: str, level: float, thresholds: Thresholds | None) -> Floats:
    """What t is compared with at each value."""
    if thresholds is None:
        return np.full(values.shape, chi2.ppf(level, 1))
    if (thresholds.coefficient, thresholds.level) != (coefficient, level):
        raise CardError(
            f"Expected thresholds of {coefficient} at {level:g}. "
            f"Received: {thresholds.coefficient} at {thresholds.level:g}."
        )
    return thresholds.at(values)


def _axis(model: LikelihoodModel, coefficient: str) -> int:
    if coefficient not in model.names:
        raise CardError(unknown_name("coefficient", coefficient, model.names))
    return model.names.index(coefficient)


def _embed(model: LikelihoodModel, axis: int, values: Floats) -> Floats:
    """Points with one coefficient set and the others zero: (...,) to (..., n_coefficients)."""
    points = np.zeros((*values.shape, len(model.names)))
    points[..., axis] = values
    return points


def _single(model: LikelihoodModel, data: Observation | None, level: float) -> Observation:
    if not 0.0 < level < 1.0:
        raise CardError(f"Expected a confidence level between 0 and 1. Received: {level}.")
    observed = model.asimov() if data is None else data
    if len(observed.counts) != 1:
        raise DataError(f"Expected one observation. Received: {len(observed.counts)}.")
    return observed


@dataclass(frozen=True)
class _Minima:
    """The two lowest minima of −2 ln L for each toy: a quadratic dependence has up to two."""

    wells: Floats
    """Where they are, shape (n_toys, 2); equal where there is one."""
    best: Floats
    """The lower one, shape (n_toys,)."""
    floor: Floats
    """−2 ln L there, shape (n_toys,)."""


def _minima(model: LikelihoodModel, data: Observation, axis: int) -> _Minima:
    """Grid over the validity, then finer grids about the two lowest local minima."""
    low, high = model.validity[axis]
    grid = np.linspace(low, high, _GRID)
    values = model.profile(data, _embed(model, axis, grid))
    rows = np.arange(len(values))
    edge = np.pad(values, ((0, 0), (1, 1)), constant_values=np.inf)
    local = np.where((values <= edge[:, :-2]) & (values <= edge[:, 2:]), values, np.inf)
    order = np.argsort(local, axis=1)[:, :2]
    order[:, 1] = np.where(np.isfinite(local[rows, order[:, 1]]), order[:, 1], order[:, 0])
    centres, floors = [], []
    for k in (0, 1):
        centre, floor = _refined(model, data, axis, grid[order[:, k]], grid[1] - grid[0])
        centres.append(centre)
        floors.append(floor)
    wells, depth = np.stack(centres, axis=1), np.stack(floors, axis=1)
    lower = np.argmin(depth, axis=1)
    return _Minima(wells, wells[rows, lower], depth[rows, lower])


def _refined(
    model: LikelihoodModel, data: Observation, axis: int, centre: Floats, width: float
) -> tuple[Floats, Floats]:
    low, high = model.validity[axis]
    rows = np.arange(len(centre))
    floor = np.full(len(centre), np.inf)
    for _ in range(_ROUNDS):
        near = np.clip(centre[:, None] + width * np.linspace(-1.0, 1.0, _REFINED), low, high)
        values = model.profile(data, _embed(model, axis, near))
        best = np.argmin(values, axis=1)
        centre, floor = near[rows, best], values[rows, best]
        width *= 2.0 / (_REFINED - 1)
    return centre, floor


def _allowed(
    model: LikelihoodModel, axis: int, margin: Callable[[Floats], Floats], level: float, wells: Floats
) -> Interval:
    """Where `margin` is not negative, within the validity; ends found to full precision.

    The grid is dense about the wells, so that an island narrower than its spacing is not lost.
    """
    low, high = model.validity[axis]
    offsets = (high - low) / (_GRID - 1) * 0.5 ** np.arange(12)
    near = (wells[:, None] + np.concatenate([-offsets, [0.0], offsets])).ravel()
    grid = np.unique(np.clip(np.concatenate([np.linspace(low, high, _GRID), near]), low, high))
    inside = margin(grid) >= 0.0
    if not inside.any():
        raise DataError(f"No value of {model.names[axis]} within [{low:g}, {high:g}] is allowed.")

    def end(i: int) -> float:
        return float(brentq(lambda c: float(margin(np.array([c]))[0]), grid[i], grid[i + 1], xtol=1e-9))

    starts = [low] if inside[0] else []
    starts += [end(int(i)) for i in np.flatnonzero(~inside[:-1] & inside[1:])]
    stops = [end(int(i)) for i in np.flatnonzero(inside[:-1] & ~inside[1:])]
    stops += [high] if inside[-1] else []
    segments = tuple(zip(starts, stops, strict=True))
    return Interval(model.names[axis], level, segments, bool(inside[0] or inside[-1]))
