"""b-tagging: a continuous discriminant with the 85, 77, 70 and 60 % working points.

For b jets of average efficiency the discriminant is uniform in [0, 1], so a cut at t keeps 1 − t of them:
the working points are cuts at 0.15, 0.23, 0.30 and 0.40. Efficiencies for c and light jets at these
cuts are 1 / rejection of the MV2 tagger of arXiv:1907.05120, table 4 (c: 2.7, 4.9, 8.9, 23; light: 25, 110,
300, 1200), joined by straight lines in ln ε.

The dependence on pT is a power of that survival function, chosen so that it is what is published at one
working point. b jets: steps of ATL-PHYS-PUB-2016-012, fig. 12 (MV2c10, 77 %), as read for GAMBIT and Rivet
(analysis ATLAS_2022_I2182381), who extrapolate the last step, above 500 GeV. c and light jets: shapes of
ATL-PHYS-PUB-2015-022 (MV2c20, 70 %) as in `delphes_card_ATLAS.tcl`, divided by their means over the jets of
tt̄ → ℓν qq' of this simulation, since table 4 is of tt̄. Assumed: one power for all working points, and no
dependence on η. The b jets of that tt̄ have 0.752 on average instead of 0.77.
"""

import math
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["WORKING_POINTS", "discriminant", "tag_probability"]

Array = NDArray[np.float64]

WORKING_POINTS = MappingProxyType({"85": 0.15, "77": 0.23, "70": 0.30, "60": 0.40})
ETA_MAX = 2.5
PT_MIN_GEV = 20.0

_CUTS = np.array([0.0, 0.15, 0.23, 0.30, 0.40, 1.0])
_C_REJECTION = (1.0, 2.7, 4.9, 8.9, 23.0, 1e4)
_LIGHT_REJECTION = (1.0, 25.0, 110.0, 300.0, 1200.0, 1e6)
_LOG_SURVIVAL = MappingProxyType({4: -np.log(_C_REJECTION), 0: -np.log(_LIGHT_REJECTION)})

_B_PT_EDGES_GEV = (30.0, 40.0, 50.0, 60.0, 75.0, 90.0, 105.0, 150.0, 200.0, 500.0)
_B_EFFICIENCY = (0.63, 0.705, 0.74, 0.76, 0.775, 0.785, 0.795, 0.80, 0.79, 0.75, 0.675)
_C_MEAN, _LIGHT_MEAN = 0.122, 0.00245


def _exponent(pt: Array, flavour: NDArray[np.int32]) -> Array:
    """Power of the average survival function: > 1 where tagging is less likely than on average."""
    powers = np.log(_B_EFFICIENCY) / math.log(0.77)
    b = powers[np.searchsorted(_B_PT_EDGES_GEV, pt, side="right")]
    c_shape = 0.20 * np.tanh(0.02 * pt) / (1.0 + 0.0034 * pt) / _C_MEAN
    c = 1.0 + np.log(np.maximum(c_shape, 1e-3)) / _log_survival(4, WORKING_POINTS["70"])
    light = 1.0 + np.log((0.002 + 7.3e-6 * pt) / _LIGHT_MEAN) / _log_survival(0, WORKING_POINTS["70"])
    return np.select([flavour == 5, flavour == 4], [b, c], light)


def _log_survival(flavour: int, cut: float) -> float:
    """ln ε of c or light jets at the average."""
    return float(np.interp(cut, _CUTS, _LOG_SURVIVAL[flavour]))


def tag_probability(pt: Array, eta: Array, flavour: NDArray[np.int32], *, cut: float) -> Array:
    """Probability that each jet's discriminant lies above `cut`; 0 outside the tracker or below 20 GeV.

    Args:
        pt: jet transverse momenta in GeV, any shape.
        eta: pseudorapidities, same shape.
        flavour: 5, 4 or 0 by the heaviest hadron in the jet, same shape.
        cut: see `WORKING_POINTS`.

    >>> pt, eta = np.array([100.0, 100.0, 100.0]), np.array([0.0, 0.0, 3.0])
    >>> tag_probability(pt, eta, np.array([5, 0, 5], dtype=np.int32), cut=0.15).round(2).tolist()
    [0.87, 0.04, 0.0]
    """
    log_survival = np.where(flavour == 5, np.log1p(-min(cut, 1.0 - 1e-12)), 0.0)
    for code in _LOG_SURVIVAL:
        log_survival = np.where(flavour == code, _log_survival(code, cut), log_survival)
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
