"""Differences without noise: a polynomial in cumulative nominal yield, no higher than the events support."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2 as chi2_distribution

from znought.errors import CardError
from znought.stats.paired import PairedDifference

__all__ = ["Smoothed", "SmoothingConfig", "cumulative_basis", "groups_of", "smoothed"]

Floats = NDArray[np.float64]
_ROUNDING = 1e-12
_FLOOR = 1e-5
"""Smallest relative error of a bin's ratio: weights that are exact functions leave no error at all."""


@dataclass(frozen=True)
class SmoothingConfig:
    """When a higher order is believed, and when none is.

    Attributes:
        max_order: highest order of the polynomial.
        order_p_value: an order is added only if Δχ² is less probable than this without it.
        residual_p_value: a remaining χ² less probable than this keeps the difference as it is, and warns.
        movers_min: neighbouring bins are fitted together until so many effective generated events differ
            in each; a covariance needs events to be known.
    """

    max_order: int = 3
    order_p_value: float = 0.05
    residual_p_value: float = 0.01
    movers_min: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_order <= 6:
            raise CardError(f"smoothing.max_order must lie between 0 and 6. Received: {self.max_order}.")
        for name in ("order_p_value", "residual_p_value"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise CardError(
                    f"smoothing.{name} must lie between 0 and 1. Received: {getattr(self, name)}."
                )
        if not self.movers_min >= 1.0:
            raise CardError(f"smoothing.movers_min must be at least 1. Received: {self.movers_min}.")


@dataclass(frozen=True)
class Smoothed:
    """A difference after smoothing.

    Attributes:
        change: δ, shape (n_bins,).
        covariance: of δ for the nominal as it is, r ν with the error of r only, shape (n_bins, n_bins); the
            paired one where δ is kept raw.
        order: of the polynomial; None where δ is kept raw.
        chi2, n_dof, p_value: what the polynomial leaves; 0, 0, 1 where nothing is left to compare.
        n_fitted_bins: bins that the polynomial was fitted in, after merging.
    """

    change: Floats
    covariance: Floats
    order: int | None
    chi2: float
    n_dof: int
    p_value: float
    n_fitted_bins: int

    @property
    def kept_raw(self) -> bool:
        """Whether no polynomial describes the difference."""
        return self.order is None


@dataclass(frozen=True)
class _Fit:
    coefficients: Floats
    covariance: Floats
    chi2: float
    n_dof: int

    @property
    def order(self) -> int:
        return self.coefficients.size - 1

    @property
    def p_value(self) -> float:
        return float(chi2_distribution.sf(self.chi2, self.n_dof)) if self.n_dof > 0 else 1.0


def smoothed(difference: PairedDifference, config: SmoothingConfig | None = None) -> Smoothed:
    """The difference as nominal yield × polynomial in cumulative nominal yield, by generalised least squares.

    δ_b = N ∫ p(x) dx over the bin's share of the cumulative nominal yield x ∈ [0, 1], N the yield: exact
    for a relative change p(x). χ² = (δ − B c)ᵀ C⁻¹ (δ − B c) with C the paired covariance of δ − r ν, r the
    relative change itself (`PairedDifference.ratio_covariance`), iterated once. From order 0, a higher order
    is taken where its Δχ² against the order taken so far has p < `order_p_value`.

    References:
        A. C. Aitken, Proc. R. Soc. Edinburgh 55 (1935) 42 (generalised least squares).
    """
    config = config or SmoothingConfig()
    groups = groups_of(difference, config.movers_min)
    coarse = difference.merged(groups)
    if not coarse.nominal.clip(0).sum() > 0:
        return _raw(difference, _Fit(np.zeros(1), np.zeros((1, 1)), 0.0, 0), coarse.n_bins)
    fit = _selected(coarse, np.full(coarse.n_bins, coarse.norm), config)
    fit = _selected(coarse, _ratio(coarse, fit), config)
    if fit.p_value < config.residual_p_value:
        return _raw(difference, fit, coarse.n_bins)
    basis = cumulative_basis(difference.nominal, fit.order)
    spread = basis @ fit.covariance @ basis.T
    change = basis @ fit.coefficients
    return Smoothed(change, spread, fit.order, fit.chi2, fit.n_dof, fit.p_value, coarse.n_bins)


def cumulative_basis(nominal: Floats, order: int) -> Floats:
    """N ∫ P_k(2x − 1) dx over each bin's share of the cumulative yield, shape (n_bins, order + 1).

    Bins of negative yield have no share.

    >>> cumulative_basis(np.array([1.0, 1.0]), 1).tolist()
    [[1.0, -0.5], [1.0, 0.5]]
    """
    positive = np.maximum(nominal, 0.0)
    total = positive.sum()
    edges = np.concatenate([[0.0], np.cumsum(positive)]) / total
    columns = []
    for k in range(order + 1):
        integral = legendre.legint(np.eye(k + 1)[k])
        columns.append(0.5 * total * np.diff(legendre.legval(2.0 * edges - 1.0, integral)))
    return np.stack(columns, axis=1)


def groups_of(difference: PairedDifference, movers_min: float) -> NDArray[np.int64]:
    """New bin of each bin: neighbours join until enough generated events differ in each, shape (n_bins,).

    Bins are joined from the left; what is left over at the right joins the last. A variation that moves
    fewer events in all leaves one bin.
    """
    ends, first = [0], 0
    for last in range(1, difference.n_bins + 1):
        if _movers_between(difference, first, last) >= movers_min:
            ends.append(last)
            first = last
    if len(ends) == 1:
        return np.zeros(difference.n_bins, np.int64)
    ends[-1] = difference.n_bins
    return np.repeat(np.arange(len(ends) - 1), [b - a for a, b in pairwise(ends)])


def _movers_between(difference: PairedDifference, first: int, last: int) -> float:
    """Effective generated events that differ in the sum of some neighbouring bins."""
    block = difference.covariance[first:last, first:last]
    square, size = float(block.sum()), float(difference.sizes[first, last - 1])
    # What moves between these bins cancels but for rounding.
    return size**2 / square if square > _ROUNDING * np.trace(block) else 0.0


def _selected(coarse: PairedDifference, ratio: Floats, config: SmoothingConfig) -> _Fit:
    """The polynomial whose every order has earned its place, given the ratio that the errors are for."""
    factor = cho_factor(_regular(coarse.ratio_covariance(ratio), coarse.nominal))
    fit = _fitted(coarse, factor, 0)
    # Bins without nominal yield have no share of the polynomial, and tell nothing about its order.
    n_filled = int(np.count_nonzero(coarse.nominal > 0))
    for order in range(1, min(config.max_order, n_filled - 1) + 1):
        higher = _fitted(coarse, factor, order)
        gain = fit.chi2 - higher.chi2
        if chi2_distribution.sf(gain, order - fit.order) < config.order_p_value:
            fit = higher
    return fit


def _fitted(coarse: PairedDifference, factor: tuple[Floats, bool], order: int) -> _Fit:
    basis = cumulative_basis(coarse.nominal, order)
    covariance = np.linalg.inv(basis.T @ cho_solve(factor, basis))
    coefficients = covariance @ basis.T @ cho_solve(factor, coarse.change)
    rest = coarse.change - basis @ coefficients
    return _Fit(
        coefficients, covariance, float(rest @ cho_solve(factor, rest)), coarse.n_bins - coefficients.size
    )


def _ratio(coarse: PairedDifference, fit: _Fit) -> Floats:
    """Relative change of each bin in the fit."""
    nominal = coarse.nominal
    change = cumulative_basis(nominal, fit.order) @ fit.coefficients
    return np.asarray(np.divide(change, nominal, out=np.zeros_like(nominal), where=nominal > 0))


def _regular(covariance: Floats, nominal: Floats) -> Floats:
    """The covariance with a floor that keeps it invertible where a variation is an exact function."""
    floor = _FLOOR * np.maximum(np.abs(nominal), _FLOOR * np.abs(nominal).sum())
    return covariance + np.diag(np.maximum(floor, np.finfo(np.float64).tiny ** 0.25) ** 2)


def _raw(difference: PairedDifference, fit: _Fit, n_fitted: int) -> Smoothed:
    change, covariance = difference.change, difference.covariance
    return Smoothed(change, covariance, None, fit.chi2, fit.n_dof, fit.p_value, n_fitted)
