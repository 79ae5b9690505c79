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
    """One row for each pair of data and hypothesis; B bins, K nuisance parameters, P processes."""

    components: Floats
    """Expected events at nominal by process, shape (n, P, B)."""
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


def profiled(rows: ProfileRows, response: Floats) -> Floats:
    """min over θ and β of −2 ln L for each row, zero for data that equal the expectation.

    Damped Newton steps with the positive part of the curvature, until a full step gains less than 1e-7;
    rows that are done are left alone.

    Args:
        rows: data and hypotheses.
        response: ρ of the log-linear factors exp(Σ_k θ_k ρ_kpb) on the expectation, shape (K, P, B).
    """
    theta, factors = np.array(rows.aux), _Factors.of(response)
    best = _objective(rows, factors, theta)
    if not len(response):
        return best
    damping = np.ones(len(theta))
    active = np.arange(len(theta))
    for _ in range(_STEPS):
        part = rows[active]
        trial = theta[active] + damping[active, None] * _step(part, factors, theta[active])
        value = _objective(part, factors, trial)
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


@dataclass(frozen=True)
class _Factors:
    """Log-linear factors on the expectation; equal ones, as those of a rate in all bins, are worked out once.

    Attributes:
        response: shape (K, P, B).
        distinct: columns of it that differ, shape (K, n_distinct).
        place: which of them each process and bin has, shape (P, B).
    """

    response: Floats
    distinct: Floats
    place: NDArray[np.intp]

    @classmethod
    def of(cls, response: Floats) -> "_Factors":
        if not len(response):
            return cls(response, np.zeros((0, 1)), np.zeros(response.shape[1:], np.intp))
        distinct, place = np.unique(response.reshape(len(response), -1), axis=1, return_inverse=True)
        return cls(response, distinct, place.reshape(response.shape[1:]))

    def at(self, theta: Floats) -> Floats:
        """Factors for each row of θ, shape (n, P, B)."""
        return np.asarray(np.exp(theta @ self.distinct)[:, self.place])


def _objective(rows: ProfileRows, factors: _Factors, theta: Floats) -> Floats:
    n = rows.counts
    nu = _total(_expected(rows, factors, theta))
    beta = _barlow_beeston(rows, nu)
    mean = beta * nu
    poisson = 2.0 * (mean - n) - 2.0 * n * np.log(mean / np.where(n > 0.0, n, mean))
    positive = rows.variance > 0.0
    pull = (beta - rows.gamma) ** 2 / np.where(positive, rows.variance, 1.0) * positive
    return np.asarray((poisson + pull).sum(axis=1) + ((theta - rows.aux) ** 2).sum(axis=1))


def _step(rows: ProfileRows, factors: _Factors, theta: Floats) -> Floats:
    """Newton step for θ, bounded in each parameter."""
    expected = _expected(rows, factors, theta)
    nu = _total(expected)
    residual = 2.0 * (_barlow_beeston(rows, nu) - rows.counts / nu)
    response = factors.response
    slope = np.einsum("npb,kpb->nkb", expected, response)
    gradient = np.einsum("nkb,nb->nk", slope, residual) + 2.0 * (theta - rows.aux)
    curvature = 2.0 * np.maximum(rows.counts, 1.0) / (nu**2 * (1.0 + rows.variance * rows.counts))
    hessian = np.einsum("nkb,nb,nlb->nkl", slope, curvature, slope, optimize=True)
    bend = np.einsum("npb,kpb,nb->nk", expected, response**2, residual, optimize=True)
    places = np.arange(len(response))
    hessian[:, places, places] += 2.0 + np.maximum(bend, 0.0)
    step = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    return np.asarray(np.clip(step, -_LARGEST_STEP, _LARGEST_STEP))


def _expected(rows: ProfileRows, factors: _Factors, theta: Floats) -> Floats:
    """Expected events by process, shape (n, P, B)."""
    return np.asarray(rows.components * factors.at(theta))


def _total(expected: Floats) -> Floats:
    """All expected events; a trial step may make a negative linear term win, which must cost, not fail."""
    return np.asarray(np.maximum(expected.sum(axis=1), _LEAST_YIELD))


def _barlow_beeston(rows: ProfileRows, nu: Floats) -> Floats:
    """β that minimises 2(βν − n ln βν) + (β − γ)²/δ²: root of β² + (νδ² − γ)β − nδ² = 0; 1 for δ = 0."""
    b = rows.gamma - nu * rows.variance
    root = 0.5 * (b + np.sqrt(b**2 + 4.0 * rows.counts * rows.variance))
    return np.where(rows.variance > 0.0, np.maximum(root, 1e-9), 1.0)
