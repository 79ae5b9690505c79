"""Minima of a binned likelihood: pyhf evaluates it, Minuit descends, and no bound is arbitrary.

Parameters with a Gaussian constraint are unbounded, factors have the lower bound of the workspace and
no upper one, and the parameter of interest may fall until a bin's nominal expectation is zero. What
ends at such a bound is named in the result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyhf
from iminuit import Minuit
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.curvature import covariance_at, step_sizes
from znought.stats.descent import descend, measurements

__all__ = ["Minimum", "fit_at", "lower_bounds", "sensitivity", "twice_nll"]

Floats = NDArray[np.float64]

_ATTEMPTS = ((0, 1e-5), (1, 1e-3), (2, 1e-2), (2, 1.0))
"""Minuit's strategy and tolerance; the estimated distance to the minimum stays below 0.002 of the latter."""
_STEP = 3e-3
"""Of the gradient's differences, in standard deviations of each parameter."""
_BATCH_ELEMENTS = 5_000_000
_FORBIDDEN = 1e15
"""−2 ln L where a bin expects less than nothing."""
_INSIDE = 0.1
_AT_BOUND = 2e-2
"""Distances from a bound in standard deviations: where a fit may begin, and what counts as at it."""
_CLOSEST_TO_EMPTY = 1e-4
"""Part of a bin's background that the lowest signal strength leaves."""


@dataclass(frozen=True)
class Minimum:
    """Where a fit ended."""

    values: Floats
    """Shape (n_parameters,)."""
    errors: Floats
    """Zero where parameters were held or ended at a bound."""
    nll: float
    """−2 ln L."""
    covariance: Floats
    """Shape (n_parameters, n_parameters); zero where parameters were held or ended at a bound."""
    at_bound: tuple[str, ...] = ()
    """Parameters that the likelihood pushes against their bound."""


def fit_at(
    model: pyhf.Model,
    counts: list[float],
    *,
    fixed: dict[int, float] | None = None,
    start: Floats | None = None,
    lowest_mu: float | None = None,
    errors: bool = True,
) -> Minimum:
    """The minimum of −2 ln L with some parameters held; call it within `pyhf_session`.

    Minuit is tried again with more care, then with a wider tolerance, where it gives up.

    Args:
        model: with a parameter of interest.
        counts: main and auxiliary data.
        fixed: parameter index → value at which it is held.
        start: where to begin, shape (n_parameters,); by default the model's own values.
        lowest_mu: lower bound of the parameter of interest; by default where a bin would be empty.
        errors: whether standard deviations and covariance are wanted; without, they are zero.

    Raises:
        DataError: the fit did not converge.
    """
    config = model.config
    point = np.array(config.suggested_init() if start is None else start, dtype=np.float64)
    hold = np.array(config.suggested_fixed(), dtype=bool)
    for i, value in (fixed or {}).items():
        point[i], hold[i] = value, True
    evaluate = twice_nll(model, counts)
    if hold.all():
        nothing = np.zeros((point.size, point.size))
        return Minimum(point, np.zeros_like(point), _possible(evaluate(point[None])[0]), nothing)
    low = lower_bounds(model)
    if lowest_mu is not None and config.poi_index is not None:
        low[config.poi_index] = lowest_mu
    sigma = sensitivity(model, point)
    point = descend(
        np.where(hold, point, np.maximum(point, low)),
        ~hold,
        np.where(hold, -np.inf, low),
        sigma,
        data=measurements(model, counts),
        expected=lambda points: _expectations(model, points, auxiliary=True),
        nll=evaluate,
    )
    point = np.where(hold, point, np.maximum(point, low + _INSIDE * sigma))
    for minuit in _attempts(evaluate, point, hold, low, sigma):
        bound = _bound(minuit, hold, low, sigma)
        if bound is not None:
            values = np.array(minuit.values, dtype=np.float64)
            covariance = np.zeros((values.size, values.size))
            if errors:
                moving = np.setdiff1d(np.flatnonzero(~hold), bound)
                covariance = covariance_at(evaluate, values, moving, step_sizes(values, low, sigma))
            names = tuple(config.par_names[i] for i in bound)
            return Minimum(values, np.sqrt(np.diag(covariance)), float(minuit.fval), covariance, names)
    _possible(evaluate(point[None])[0])
    held = ", ".join(f"{config.par_names[i]} = {value:.3g}" for i, value in (fixed or {}).items())
    raise DataError(f"the fit{' with ' + held if held else ''} did not converge.")


def twice_nll(model: pyhf.Model, counts: list[float]) -> Callable[[Floats], Floats]:
    """−2 ln L as a function of many points at once, (n_points, n_parameters) → (n_points,)."""
    size = _batch_size(model)
    batched = _batched(model, size)
    data = np.asarray(counts, dtype=np.float64)

    def evaluate(points: Floats) -> Floats:
        if len(points) == 1:
            with np.errstate(all="ignore"):
                return _allowed(-2 * np.ravel(model.logpdf(points[0], data)))
        padded = np.resize(points, (-(-len(points) // size) * size, points.shape[1]))
        with np.errstate(all="ignore"):
            parts = [batched.logpdf(padded[i : i + size], data) for i in range(0, len(padded), size)]
        return _allowed(-2 * np.concatenate(parts)[: len(points)])

    return evaluate


def lower_bounds(model: pyhf.Model) -> Floats:
    """The lowest value of every parameter, −∞ where a constraint alone holds it, shape (n_parameters,)."""
    config = model.config
    low = np.array([bound[0] for bound in config.suggested_bounds()], dtype=np.float64)
    for name in config.par_order:
        group = config.param_set(name)
        # A Gaussian around zero is a nuisance's; around one a factor's, which stays positive.
        if group.constrained and group.pdf_type == "normal" and not np.any(group.suggested_init):
            low[config.par_slice(name)] = -np.inf
    if config.poi_index is not None:
        low[config.poi_index] = _lowest_mu(model)
    return low


def sensitivity(model: pyhf.Model, point: Floats) -> Floats:
    """Standard deviation of every parameter with all others known, from the Fisher information at a point.

    Σ over bins and constraints of (∂λ/∂θ)²/λ, with λ/τ² in place of λ for Gaussian auxiliary data.
    """
    config = model.config
    widths = np.full(point.size, np.inf)
    for name in config.par_order:
        group = config.param_set(name)
        if group.constrained:
            widths[config.par_slice(name)] = np.asarray(group.width(), dtype=np.float64)
    step = np.where(np.isfinite(widths), widths, 0.1) * 0.1
    base, *moved = _expectations(model, np.vstack([point, point + np.diag(step)]))
    slopes = (np.array(moved) - base) / step[:, None]
    information = (slopes**2 / np.maximum(base, 1e-9)).sum(axis=1) + 1 / widths**2
    return np.asarray(1 / np.sqrt(np.maximum(information, 1e-24)), dtype=np.float64)


def _expectations(model: pyhf.Model, points: Floats, *, auxiliary: bool = False) -> Floats:
    """Expected main data, and auxiliary data on request, shape (n_points, n_data)."""
    size = _batch_size(model)
    padded = np.resize(points, (-(-len(points) // size) * size, points.shape[1]))
    batched = _batched(model, size)
    parts = [
        batched.expected_data(padded[i : i + size], include_auxdata=auxiliary)
        for i in range(0, len(padded), size)
    ]
    return np.asarray(np.concatenate(parts)[: len(points)], dtype=np.float64)


def _batch_size(model: pyhf.Model) -> int:
    """Points of a central gradient, or as many as stay within some tens of megabytes."""
    config = model.config
    elements = len(config.modifiers) * len(config.samples) * config.nmaindata
    return int(np.clip(_BATCH_ELEMENTS // max(elements, 1), 1, 2 * config.npars + 1))


@lru_cache(maxsize=8)
def _batched(model: pyhf.Model, size: int) -> pyhf.Model:
    return pyhf.Model(
        model.spec,
        batch_size=size,
        poi_name=model.config.poi_name,
        validate=False,
        modifier_settings=model.config.modifier_settings,
    )


def _possible(nll: float) -> float:
    if nll >= _FORBIDDEN:
        raise DataError("the likelihood is zero: a bin has events where none are expected.")
    return float(nll)


def _allowed(values: Floats) -> Floats:
    return np.asarray(np.where(np.isfinite(values), values, _FORBIDDEN), dtype=np.float64)


def _lowest_mu(model: pyhf.Model) -> float:
    """Just above the mu at which some bin's nominal expectation would be zero; 0 without such a bin."""
    point = np.array(model.config.suggested_init(), dtype=np.float64)
    ends = np.tile(point, (2, 1))
    ends[:, model.config.poi_index] = 0.0, 1.0
    background, expected = _expectations(model, ends)
    signal = expected - background
    reach = background[signal > 0] / signal[signal > 0]
    return -(1 - _CLOSEST_TO_EMPTY) * float(reach.min()) if reach.size else 0.0


def _attempts(
    evaluate: Callable[[Floats], Floats], point: Floats, hold: NDArray[np.bool_], low: Floats, sigma: Floats
) -> Iterator[Minuit]:
    """Minuit's valid minima, each attempt more patient than the last."""
    step = np.diag(np.where(hold, 0.0, _STEP * sigma))[~hold]

    def value(x: Floats) -> float:
        return float(evaluate(np.asarray(x)[None])[0])

    def gradient(x: Floats) -> Floats:
        slopes = np.zeros(point.size)
        slopes[~hold] = _slopes(evaluate, np.asarray(x), step)
        return slopes

    for number, (strategy, tolerance) in enumerate(_ATTEMPTS):
        # An attempt that found no minimum, or a bound that the slope leaves, begins elsewhere.
        minuit = Minuit(value, np.where(hold, point, point + number * _INSIDE * sigma), grad=gradient)
        minuit.errordef, minuit.print_level = 1.0, 0
        minuit.limits = [(bound, np.inf) for bound in low]
        minuit.fixed = hold
        minuit.errors = np.maximum(sigma, 1e-9)
        minuit.strategy, minuit.tol = strategy, tolerance
        with np.errstate(all="ignore"):
            minuit.migrad(ncall=100_000)
        if minuit.valid and minuit.fval < _FORBIDDEN:
            yield minuit


def _slopes(evaluate: Callable[[Floats], Floats], x: Floats, step: Floats) -> Floats:
    """Central differences; one-sided beside points where a bin expects less than nothing."""
    n = len(step)
    values = evaluate(np.vstack([x + step, x - step, x]))
    up, down, here = values[:n], values[n : 2 * n], values[-1]
    width = step.sum(axis=1)
    central = (up - down) / (2 * width)
    beside = np.where(up < _FORBIDDEN, (up - here) / width, (here - down) / width)
    both = (up < _FORBIDDEN) & (down < _FORBIDDEN)
    return np.asarray(np.where(both, central, beside), dtype=np.float64)


def _bound(minuit: Minuit, hold: NDArray[np.bool_], low: Floats, sigma: Floats) -> tuple[int, ...] | None:
    """Indices of parameters at their bound; None where the likelihood would rather leave one.

    At a bound the slope of Minuit's own variable is zero whatever the likelihood's slope is.
    """
    values = np.array(minuit.values)
    near = np.flatnonzero(~hold & (values - low < _AT_BOUND * sigma))
    if not near.size:
        return ()
    slopes = np.asarray(minuit.grad(values)) if minuit.grad is not None else np.zeros(values.size)
    if np.any(slopes[near] * sigma[near] < -_AT_BOUND):
        return None
    return tuple(int(i) for i in near)
