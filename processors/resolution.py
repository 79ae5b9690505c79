"""Jet energy resolution of simulation brought to that of data, and its variations."""

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["smearing_factors", "worsened"]

Floats = NDArray[np.float64]

SMALLEST_FACTOR = 0.1
"""A jet keeps at least this share of its momentum."""


def smearing_factors(
    pt: Floats,
    matched_pt: Floats,
    *,
    resolution: Floats,
    scale_factor: Floats,
    noise: Floats,
) -> Floats:
    """Factor on the momentum of each jet that brings its resolution to that of data, shape (n_jets,).

    Matched to a particle-level jet: 1 + (s − 1)(pT − pT_gen)/pT. Without a match: 1 + √(s² − 1) σ ξ for
    s > 1, else 1. Nominal, up and down differ in s alone: with the same ξ they move every jet the same way,
    and down is a better resolution.

    Args:
        pt: in GeV, shape (n_jets,).
        matched_pt: particle-level jet in GeV, not above 0 where there is none, shape (n_jets,).
        resolution: σ(pT)/pT in simulation, shape (n_jets,).
        scale_factor: s, resolution in data over that in simulation, shape (n_jets,).
        noise: ξ, a standard Gaussian number of the jet, as `resolution_noise` gives it, shape (n_jets,).

    Raises:
        DataError: a resolution or scale factor that is not positive and finite.

    References:
        CMS, JINST 12 (2017) P02014, arXiv:1607.03663.

    >>> one = np.ones(1)
    >>> data_like = {"resolution": 0.1 * one, "scale_factor": 1.2 * one, "noise": one}
    >>> smearing_factors(100 * one, 90 * one, **data_like).tolist()
    [1.02]
    """
    for name, values in (("resolution", resolution), ("scale_factor", scale_factor)):
        if not (np.isfinite(values).all() and np.all(values > 0.0)):
            raise DataError(f"jet {name} must be positive and finite; the smallest is {np.min(values):g}.")
    matched = matched_pt > 0.0
    scaled = (scale_factor - 1.0) * (pt - np.where(matched, matched_pt, pt)) / pt
    drawn = np.sqrt(np.maximum(scale_factor**2 - 1.0, 0.0)) * resolution * noise
    return np.asarray(np.maximum(1.0 + np.where(matched, scaled, drawn), SMALLEST_FACTOR))


def worsened(noise: Floats, relative: float) -> Floats:
    """Factor on the momentum of each jet of simulation that was never smeared, shape (n_jets,).

    1 + r ξ makes the resolution worse whatever the sign of ξ: there is no down, and the fit mirrors the
    change.

    >>> worsened(np.array([1.0, -1.0]), 0.05).tolist()
    [1.05, 0.95]
    """
    return np.asarray(np.maximum(1.0 + relative * noise, SMALLEST_FACTOR))
