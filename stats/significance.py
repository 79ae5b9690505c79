"""Expected (Asimov) significances of a counting experiment with an uncertain background.

Two models, two names. ``gaussian``: the background is constrained by a Gaussian auxiliary
measurement of width sigma_b. ``poisson``: by a Poisson auxiliary count, the on/off problem. Both go
to the same limit for sigma_b -> 0 and differ otherwise.

The textbook forms subtract nearly equal logarithms and lose every digit for s << b. Here each is
rewritten with h(t) = (1 + t) ln(1 + t) - t, which is evaluated by its series where t is small, so
that no precision is lost and sigma_b = 0 needs no special case.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from znought.errors import CardError, DataError, unknown_name

__all__ = [
    "Auxiliary",
    "Scaling",
    "asimov_exclusion_z",
    "asimov_z0",
    "background_error",
    "luminosity_scan",
    "p_value",
    "quadrature_sum",
    "z_value",
]

Auxiliary = Literal["gaussian", "poisson"]
Scaling = Literal["fixed", "inverse_sqrt"]
Floats = NDArray[np.float64]

_SERIES_BELOW = 0.05
_SERIES_TERMS = 14


def asimov_z0(
    signal: ArrayLike, background: ArrayLike, sigma_b: ArrayLike, *, auxiliary: Auxiliary = "gaussian"
) -> Floats:
    r"""Expected discovery significance of every bin, Z = sqrt(q0) on the Asimov data n = s + b.

    ``gaussian``: Z² = 2 [(s+b) ln((s+b)/b̂) + b̂ − s − b + (b−b̂)²/(2σ²)],
    b̂ = ½ (b − σ² + sqrt((b−σ²)² + 4(s+b)σ²)).

    ``poisson``: Z² = 2 [(s+b) ln((s+b)(b+σ²)/(b²+(s+b)σ²)) − (b²/σ²) ln(1 + σ²s/(b(b+σ²)))],
    eq. (20) of Cowan's note.

    Zero cases: s = 0 gives exactly 0; s < 0 gives 0 as well, because q0 is defined as 0 for a
    downward fluctuation; sigma_b = 0 gives sqrt(2[(s+b) ln(1+s/b) − s]) for both.

    Args:
        signal: expected signal events, shape (n_bins,) or anything that broadcasts.
        background: expected background events, all above zero.
        sigma_b: absolute uncertainty of the background in events, not negative.
        auxiliary: which measurement constrains the background.

    Returns:
        Z of every bin, in standard deviations, shape of the broadcast inputs.

    Raises:
        DataError: a background that is not positive, a negative sigma_b, anything not finite.
        CardError: an unknown auxiliary measurement.

    References:
        Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727; Cowan, "Discovery sensitivity for a counting
        experiment with background uncertainty" (2012).

    >>> asimov_z0([10, 20], [100, 1000], [10, 100]).round(6).tolist()
    [0.695787, 0.19053]
    >>> asimov_z0([10, 20], [100, 1000], [10, 100], auxiliary="poisson").round(6).tolist()
    [0.690196, 0.189492]
    """
    s, b, sigma = _checked(signal, background, sigma_b)
    s = np.maximum(s, 0.0)
    variance = sigma**2
    if _known(auxiliary) == "gaussian":
        # With b̂ = b + σ²t, the condition on b̂ reads σ²t² + (b + σ²)t − s = 0, and (s+b)/b̂ = 1 + t.
        t = 2 * s / (b + variance + np.sqrt((b + variance) ** 2 + 4 * s * variance))
        q0 = 2 * (b + variance * t) * _h(t) + variance * t**2
    else:
        share = variance / (b + variance)
        fitted = b + s * share
        u = -s * share / fitted
        q0 = 2 * fitted * _h(s * (1 - share) / fitted)
        q0 += 2 * (1 - share) * share * s**2 / fitted * _h_over_square(u)
    return np.sqrt(q0)


def asimov_exclusion_z(
    signal: ArrayLike, background: ArrayLike, sigma_b: ArrayLike, *, auxiliary: Auxiliary = "gaussian"
) -> Floats:
    """Expected significance with which mu = 1 is excluded, sqrt(q_1) on the Asimov data n = b.

    The 95 % CL expected exclusion of CL_s+b corresponds to Z = 1.645. Zero cases as in `asimov_z0`.

    Args, Returns, Raises: as `asimov_z0`.

    References:
        Kumar, Martin, arXiv:1510.03371, for the Poisson auxiliary measurement.

    >>> asimov_exclusion_z([10.0], [100.0], [0.0]).round(6).tolist()
    [0.968485]
    """
    s, b, sigma = _checked(signal, background, sigma_b)
    s = np.maximum(s, 0.0)
    variance = sigma**2
    if _known(auxiliary) == "gaussian":
        root = np.sqrt((s + b - variance) ** 2 + 4 * b * variance)
        v = 2 * s / (s + b + variance + root)
        q1 = 2 * (s + b - variance * v) * _h(-v) + variance * v**2
    else:
        share = variance / (b + variance)
        w = 2 * b * s / (b + s + np.sqrt((b + s) ** 2 - 4 * share * b * s))
        lowered = share * w
        expected = s + b - lowered
        q1 = 2 * expected * _h((lowered - s) / expected)
        remaining = b - lowered
        q1 += 2 * (1 - share) * share * w**2 / remaining * _h_over_square(lowered / remaining)
    return np.sqrt(q1)


def background_error(background: ArrayLike, *, sigma_rel: float, sumw2: ArrayLike | None = None) -> Floats:
    """Absolute background uncertainty: sigma_rel · b, with the MC-statistical error in quadrature on request.

    Args:
        background: expected background events, shape (n_bins,).
        sigma_rel: relative systematic uncertainty, not negative.
        sumw2: squared MC-statistical error, shape (n_bins,); None leaves it out.

    Raises:
        CardError: a negative sigma_rel.

    >>> background_error([100.0], sigma_rel=0.1, sumw2=[44.0]).tolist()
    [12.0]
    """
    if not sigma_rel >= 0:
        raise CardError(f"sigma_rel must not be negative. Received: {sigma_rel}.")
    b = np.asarray(background, dtype=np.float64)
    extra = 0.0 if sumw2 is None else np.asarray(sumw2, dtype=np.float64)
    return np.asarray(np.sqrt((sigma_rel * b) ** 2 + extra), dtype=np.float64)


def quadrature_sum(z_per_bin: ArrayLike) -> float:
    """Total significance of independent bins: sqrt(Σ Z²).

    It takes every uncertainty as uncorrelated between bins; `znought.stats.fit` gives the correlated one.

    >>> quadrature_sum([3.0, 4.0])
    5.0
    """
    return float(np.sqrt(np.sum(np.asarray(z_per_bin, dtype=np.float64) ** 2)))


def luminosity_scan(
    signal: ArrayLike,
    background: ArrayLike,
    factors: ArrayLike,
    *,
    sigma_rel: float,
    scaling: Scaling = "fixed",
    auxiliary: Auxiliary = "gaussian",
) -> Floats:
    """Total Z for several luminosities, given as factors of the one that the yields stand for.

    Args:
        signal, background: yields, shape (n_bins,).
        factors: L / L_yields, all above zero, shape (n_factors,).
        sigma_rel: relative systematic uncertainty at factor 1.
        scaling: ``fixed`` keeps sigma_rel; ``inverse_sqrt`` divides it by sqrt(factor), as for an
            uncertainty that comes from data.
        auxiliary: see `asimov_z0`.

    Returns:
        Quadrature sum over bins, shape (n_factors,).

    Raises:
        DataError: a factor or a background that is not positive.
        CardError: an unknown scaling or auxiliary measurement.

    >>> luminosity_scan([10.0], [100.0], [1.0, 4.0], sigma_rel=0.0).round(4).tolist()
    [0.984, 1.968]
    """
    if scaling not in get_args(Scaling):
        raise CardError(unknown_name("scaling", scaling, get_args(Scaling)))
    f = np.atleast_1d(np.asarray(factors, dtype=np.float64))[:, None]
    if not np.all(f > 0):
        raise DataError(f"luminosity factors must be positive. Received: {f.ravel().tolist()}.")
    s = f * np.atleast_1d(np.asarray(signal, dtype=np.float64))
    b = f * np.atleast_1d(np.asarray(background, dtype=np.float64))
    relative = sigma_rel / np.sqrt(f) if scaling == "inverse_sqrt" else sigma_rel * np.ones_like(f)
    z = asimov_z0(s, b, relative * b, auxiliary=auxiliary)
    return np.asarray(np.sqrt(np.sum(z**2, axis=1)), dtype=np.float64)


def p_value(z: ArrayLike) -> Floats:
    """One-sided p-value of a significance, p = 1 − Φ(Z).

    >>> p_value([0.0, 5.0]).tolist()
    [0.5, 2.866515718791933e-07]
    """
    return np.asarray(ndtr(-np.asarray(z, dtype=np.float64)), dtype=np.float64)


def z_value(p: ArrayLike) -> Floats:
    """Significance of a one-sided p-value, Z = Φ⁻¹(1 − p).

    Raises:
        DataError: a p outside [0, 1].

    >>> z_value([0.5, 2.866515718791933e-07]).round(9).tolist()
    [0.0, 5.0]
    """
    array = np.asarray(p, dtype=np.float64)
    if not np.all((array >= 0) & (array <= 1)):
        raise DataError("p-values must lie in [0, 1].")
    return np.asarray(0.0 - ndtri(array), dtype=np.float64)


def _checked(signal: ArrayLike, background: ArrayLike, sigma_b: ArrayLike) -> tuple[Floats, Floats, Floats]:
    s, b, sigma = (np.asarray(values, dtype=np.float64) for values in (signal, background, sigma_b))
    if not np.all(np.isfinite(s)):
        raise DataError("signal holds values that are not finite.")
    if not np.all(np.isfinite(b) & (b > 0)):
        bad = np.atleast_1d(b)[~(np.isfinite(np.atleast_1d(b)) & (np.atleast_1d(b) > 0))]
        raise DataError(f"background must be positive in every bin. Received: {bad[0]:g}.")
    if not np.all(np.isfinite(sigma) & (sigma >= 0)):
        raise DataError("sigma_b must be finite and not negative in every bin.")
    return s, b, sigma


def _known(auxiliary: Auxiliary) -> Auxiliary:
    if auxiliary not in get_args(Auxiliary):
        raise CardError(unknown_name("auxiliary measurement", auxiliary, get_args(Auxiliary)))
    return auxiliary


def _h_over_square(t: Floats) -> Floats:
    """h(t)/t² for t > −1; 1/2 at t = 0. The series is Σ (−t)^k / ((k+1)(k+2))."""
    small = np.abs(t) < _SERIES_BELOW
    near = np.where(small, t, 0.0)
    series = np.zeros_like(near)
    for k in reversed(range(_SERIES_TERMS)):
        series = series * -near + 1.0 / ((k + 1) * (k + 2))
    far = np.where(small, 1.0, t)
    return np.where(small, series, ((1 + far) * np.log1p(far) - far) / far**2)


def _h(t: Floats) -> Floats:
    return np.asarray(t**2 * _h_over_square(t), dtype=np.float64)
