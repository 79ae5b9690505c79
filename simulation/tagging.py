"""b-tagging: a continuous discriminant with the 85, 77, 70 and 60 % working points.

For b jets around 100 GeV the discriminant is uniform in [0, 1], so a cut at t keeps 1 − t of them:
the working points are cuts at 0.15, 0.23, 0.30 and 0.40. Efficiencies for c and light jets at these
cuts are 1 / rejection of the MV2 tagger of arXiv:1907.05120 (c: 2.7, 4.9, 8.9, 23; light: 25, 110, 300,
1200), joined by straight lines in ln ε. The pT dependence is a smooth shape of the kind shown there.
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["WORKING_POINTS", "discriminant", "tag_probability"]

Array = NDArray[np.float64]

WORKING_POINTS = MappingProxyType({"85": 0.15, "77": 0.23, "70": 0.30, "60": 0.40})
ETA_MAX = 2.5
PT_MIN_GEV = 20.0

_CUTS = np.array([0.0, 0.15, 0.23, 0.30, 0.40, 1.0])
_LOG_SURVIVAL = MappingProxyType(
    {
        4: -np.log([1.0, 2.7, 4.9, 8.9, 23.0, 1e4]),
        0: -np.log([1.0, 25.0, 110.0, 300.0, 1200.0, 1e6]),
    }
)


def _exponent(pt: Array, flavour: NDArray[np.int32]) -> Array:
    """Power of the reference survival function: > 1 where tagging is less likely than at the reference."""
    soft = np.exp(-(pt - 20.0) / 20.0)
    hard = np.maximum(pt - 150.0, 0.0) / 400.0
    b = 1.0 + 0.8 * soft + 0.5 * hard
    c = 1.0 + 0.15 * soft + 0.1 * hard
    light = 1.0 / (1.0 + 0.08 * soft + 0.15 * np.minimum(hard, 2.0))
    return np.select([flavour == 5, flavour == 4], [b, c], light)


def tag_probability(pt: Array, eta: Array, flavour: NDArray[np.int32], *, cut: float) -> Array:
    """Probability that each jet's discriminant lies above `cut`; 0 outside the tracker or below 20 GeV.

    Args:
        pt: jet transverse momenta in GeV, any shape.
        eta: pseudorapidities, same shape.
        flavour: 5, 4 or 0 by the heaviest hadron in the jet, same shape.
        cut: see `WORKING_POINTS`.

    >>> pt, eta = np.array([100.0, 100.0, 100.0]), np.array([0.0, 0.0, 3.0])
    >>> tag_probability(pt, eta, np.array([5, 0, 5], dtype=np.int32), cut=0.15).round(2).tolist()
    [0.85, 0.04, 0.0]
    """
    log_survival = np.where(flavour == 5, np.log1p(-min(cut, 1.0 - 1e-12)), 0.0)
    for code, table in _LOG_SURVIVAL.items():
        log_survival = np.where(flavour == code, np.interp(cut, _CUTS, table), log_survival)
    probability = np.exp(log_survival * _exponent(pt, flavour))
    return np.where(_taggable(pt, eta), probability, 0.0)


def discriminant(pt: Array, eta: Array, flavour: NDArray[np.int32], rng: np.random.Generator) -> Array:
    """Random discriminants, distributed so that `tag_probability` holds for every cut."""
    log_survival = np.log(1.0 - rng.random(pt.shape)) / _exponent(pt, flavour)
    value = -np.expm1(log_survival)
    for code, table in _LOG_SURVIVAL.items():
        value = np.where(flavour == code, np.interp(-log_survival, -table, _CUTS), value)
    return np.where(_taggable(pt, eta), value, 0.0)


def _taggable(pt: Array, eta: Array) -> NDArray[np.bool_]:
    return (np.abs(eta) < ETA_MAX) & (pt > PT_MIN_GEV)
