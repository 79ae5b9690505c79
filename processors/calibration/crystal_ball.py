"""Numbers of a double-sided Crystal Ball function out of uniform ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, ndtr, ndtri

__all__ = ["crystal_ball_number"]

Floats = NDArray[np.float64]


def crystal_ball_number(number: Floats, *, alpha: Floats, n: Floats) -> Floats:
    """x with ∫₋∞ˣ f = number, f a Gaussian core of mean 0 and width 1 with two equal power tails, shape (n,).

    f(t) ∝ exp(−t²/2) for |t| ≤ α, else (n/α)ⁿ exp(−α²/2) (n/α − α + |t|)⁻ⁿ. NaN or infinite where α or n − 1
    is not positive.

    Args:
        number: uniform in [0, 1).
        alpha: where the tails begin.
        n: their power, above 1.

    References:
        M. Oreglia, SLAC-R-236 (1980), appendix D, for one side.

    >>> two = np.array([2.0])
    >>> crystal_ball_number(np.array([0.5]), alpha=two, n=two).tolist()
    [0.0]
    """
    tail = n / alpha / (n - 1.0) * np.exp(-(alpha**2) / 2.0)
    core = np.sqrt(2.0 * np.pi) * erf(alpha / np.sqrt(2.0))
    whole = core + 2.0 * tail
    low = np.minimum(number, 1.0 - number)
    in_tail = low < tail / whole
    share = np.where(in_tail, tail / whole / np.maximum(low, 2.0**-53), 1.0)
    x_tail = n / alpha - alpha - n / alpha * share ** (1.0 / (n - 1.0))
    inside = ndtr(-alpha) + (low - tail / whole) * whole / np.sqrt(2.0 * np.pi)
    x = np.where(in_tail, x_tail, ndtri(np.where(in_tail, 0.5, inside)))
    return np.asarray(np.where(number > 0.5, -x, x) + 0.0)
