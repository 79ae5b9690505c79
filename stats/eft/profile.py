"""Nuisance parameters profiled out of a binned likelihood, for many toys and many hypotheses at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ProfileRows", "profiled"]

Floats = NDArray[np.float64]

_STEPS: Final = 100
_LARGEST_STEP: Final = 2.0
_CONVERGED: Final = 1e-7
_LEAST_YIELD: Final = 1e-9
_SMALLEST_DAMPING: Final = 1e-4


@dataclass(frozen=True)
class ProfileRows:
    """One row for each pair of data and hypothesis; B bins, K nuisance parameters."""

    components: Floats
    """Expected events at nominal: those without a nuisance, then by nuisance; shape (n, 1 + K, B)."""
    variance: Floats
    """Squared relative MC-statistical error of each bin, shape (n, B)."""
    counts: Floats
    gamma: Floats
    """Auxiliary measurement of the MC-statistics factor, shape (n, B)."""
    aux: Floats
    """Auxiliary measurement of the nuisance parameters, shape (n, K)."""

    def __getitem__(self, rows: NDArray[np.intp]) -> "ProfileRows":
        arrays = (self.components, self.variance, self.counts, self.gamma, self.aux)
        return ProfileRows(*(array[rows] for array in arrays))


def profiled(rows: ProfileRows, sigma_rel: Floats) -> Floats:
    """min over θ and β of −2 ln L for each row, zero for data that equal the expectation.

    Damped Newton steps with the positive part of the curvature, until a full step gains less than 1e-7;
    rows that are done are left alone.

    Args:
        rows: data and hypotheses.
        sigma_rel: relative uncertainties of the log-normal factors (1 + σ)^θ, shape (K,).
    """
    kappa = np.log1p(sigma_rel)
    theta = np.array(rows.aux)
    best = _objective(rows, kappa, theta)
    if not len(kappa):
        return best
    damping = np.ones(len(theta))
    active = np.arange(len(theta))
    for _ in range(_STEPS):
        part = rows[active]
        trial = theta[active] + damping[active, None] * _step(part, kappa, theta[active])
        value = _objective(part, kappa, trial)
        better = value <= best[active]
        gain = np.where(better, best[active] - value, np.inf)
        done = (gain < _CONVERGED) | (damping[active] < _SMALLEST_DAMPING)
        theta[active] = np.where(better[:, None], trial, theta[active])
        best[active] = np.where(better, value, best[active])
        damping[active] = np.where(better, 1.0, 0.3 * damping[active])
        active = active[~done]
        if not len(active):
            break
    return best


def _objective(rows: ProfileRows, kappa: Floats, theta: Floats) -> Floats:
    n = rows.counts
    nu = _expected(rows, kappa, theta)
    beta = _barlow_beeston(rows, nu)
    mean = beta * nu
    poisson = 2.0 * (mean - n) - 2.0 * n * np.log(mean / np.where(n > 0.0, n, mean))
    positive = rows.variance > 0.0
    pull = (beta - rows.gamma) ** 2 / np.where(positive, rows.variance, 1.0) * positive
    return np.asarray((poisson + pull).sum(axis=1) + ((theta - rows.aux) ** 2).sum(axis=1))


def _step(rows: ProfileRows, kappa: Floats, theta: Floats) -> Floats:
    """Newton step for θ, bounded in each parameter."""
    nu = _expected(rows, kappa, theta)
    residual = 2.0 * (_barlow_beeston(rows, nu) - rows.counts / nu)
    slope = rows.components[:, 1:] * (np.exp(kappa * theta) * kappa)[..., None]
    by_bin = slope * residual[:, None]
    gradient = by_bin.sum(axis=2) + 2.0 * (theta - rows.aux)
    curvature = 2.0 * np.maximum(rows.counts, 1.0) / (nu**2 * (1.0 + rows.variance * rows.counts))
    hessian = np.einsum("nkb,nb,nlb->nkl", slope, curvature, slope, optimize=True)
    diagonal = 2.0 + np.maximum(kappa * by_bin.sum(axis=2), 0.0)
    hessian[:, np.arange(len(kappa)), np.arange(len(kappa))] += diagonal
    step = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return np.asarray(np.clip(step, -_LARGEST_STEP, _LARGEST_STEP))


def _expected(rows: ProfileRows, kappa: Floats, theta: Floats) -> Floats:
    """Expected events; a trial step may make a negative linear term win, which must cost, not fail."""
    factors = np.exp(kappa * theta)
    expected = rows.components[:, 0] + np.einsum("nkb,nk->nb", rows.components[:, 1:], factors)
    return np.asarray(np.maximum(expected, _LEAST_YIELD))


def _barlow_beeston(rows: ProfileRows, nu: Floats) -> Floats:
    """β that minimises 2(βν − n ln βν) + (β − γ)²/δ²: root of β² + (νδ² − γ)β − nδ² = 0; 1 for δ = 0."""
    b = rows.gamma - nu * rows.variance
    root = 0.5 * (b + np.sqrt(b**2 + 4.0 * rows.counts * rows.variance))
    return np.where(rows.variance > 0.0, np.maximum(root, 1e-9), 1.0)
