"""How often a jet is taken for a lepton, with which share of its momentum, and how often a charge is wrong.

A jet may hold a candidate, which is loose if it has most of the jet's momentum, and so is hardly isolated
(`misidentified`); a share of the loose ones is tight.

- Light jets → electrons: probability and momentum of ATLAS's performance functions for the HL-LHC, loose
  working point, by the jet's pT and |η|: `UpgradePerformanceFunctions` in Athena,
  `ElectronPerformanceFunctions.cxx`. They are of 200 interactions per crossing, and the only public numbers
  of ATLAS by jet that were found; Run 2 has less.
- Light jets → muons: no number by jet was found. 5·10⁻⁴ is an assumption (`light_jet_muon`), with the share
  of the momentum that electrons have.
- b and c jets → electrons or muons of b and c decays: probability and share of the jet's momentum in
  Pythia 8, tt̄ → ℓν qq', jets above 20 GeV (`benchmarks/nonprompt_leptons.py`). They are the whole rate of
  such jets: hadrons and photons in them are left out.
- Tight share: by the lepton's pT and |η| as CMS has it in simulated multijets of 2018
  (github.com/cmstas/FTAnalysis, `analysis/misc/year_2018/new_fake_rates.h`, commit ff7961d), with isolation
  and identification of that analysis, its pT corrected for the cone, and one share for all jets.
- Charge: ATLAS's performance functions, as above, medium working point, by |η|.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from znought.simulation.config import MisidentificationConfig

__all__ = ["candidate_rate", "flip_rate", "momentum_share", "tight_share"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ETA_MAX = 2.5
ELECTRON_GAP = (1.37, 1.52)
B_JET, C_JET = 5, 4

_JET_PT = (11.0, 17.5, 25.0, 40.0, 65.0, 100.0)  # centres of ATLAS's bins, joined by straight lines
_JET_ETA = (1.52, 2.37)  # upper edges of all but the last bin
_ELECTRON_RATE = np.array(
    [
        [0.00195988, 0.00643505, 0.0104913, 0.0296721, 0.028997, 0.0131643],
        [0.0019264, 0.00363142, 0.010256, 0.0159504, 0.0107428, 0.00440815],
        [0.00187043, 0.0059872, 0.00428476, 0.00949775, 0.00966112, 0.00499489],
    ]
)
_SHARE_MEAN = 1.0 + np.array(
    [
        [-0.129779, -0.469581, -0.608841, -0.694832, -0.740818, -0.737606],
        [-0.120145, -0.45052, -0.594601, -0.681389, -0.72002, -0.711455],
        [-0.192361, -0.458052, -0.642869, -0.717625, -0.760622, -0.777686],
    ]
)
_SHARE_WIDTH = np.array(
    [
        [0.21585, 0.127096, 0.108781, 0.114487, 0.132072, 0.149085],
        [0.226899, 0.137824, 0.123372, 0.123138, 0.146805, 0.163099],
        [0.217789, 0.158189, 0.0899702, 0.103921, 0.129332, 0.17286],
    ]
)

# Electrons and muons together, which agree: 8,048 b jets and 2,206 c jets; deciles of pT(ℓ)/pT(jet).
_DECAY_RATE = {B_JET: 0.192, C_JET: 0.089}
_DECAY_SHARE = {
    B_JET: (0.0, 0.029, 0.050, 0.076, 0.108, 0.141, 0.185, 0.244, 0.325, 0.454, 0.825),
    C_JET: (0.0, 0.026, 0.042, 0.062, 0.090, 0.118, 0.148, 0.184, 0.252, 0.321, 0.612),
}

_LEPTON_PT = (
    15.0,
    20.0,
    25.0,
    35.0,
    50.0,
    70.0,
)  # edges: below the first as in the bin above, the last is open
_ELECTRON_ETA, _MUON_ETA = (0.8, 1.479), (1.2, 2.1)
_ELECTRON_TIGHT = np.array(
    [
        [0.2035, 0.0511, 0.0373, 0.0416, 0.0446, 0.1370],
        [0.2369, 0.0711, 0.0462, 0.0472, 0.0981, 0.1299],
        [0.2406, 0.0761, 0.0489, 0.0507, 0.0780, 0.1798],
    ]
)
_MUON_TIGHT = np.array(
    [
        [0.0809, 0.0490, 0.0366, 0.0356, 0.0495, 0.0208],
        [0.0663, 0.0368, 0.0315, 0.0313, 0.0296, 0.0244],
        [0.0576, 0.0324, 0.0315, 0.0217, 0.0438, 0.0517],
    ]
)

_FLIP_ETA = (0.8, 1.37, 1.52, 2.40)
_FLIP_RATE = np.array(
    [9.66121344841e-05, 6.21028997277e-4, 7.38552437223e-4, 6.01906617494e-3, 1.51430173864e-2]
)


def candidate_rate(
    pt: Array, eta: Array, flavour: NDArray[np.int32], is_electron: Mask, config: MisidentificationConfig
) -> Array:
    """Probability of each jet to hold a candidate; 0 without a jet and outside of acceptance.

    Args:
        pt, eta: of the jets, GeV; pt = 0 for none, any shape.
        flavour: 5, 4 or 0 by the heaviest hadron, same shape.
        is_electron: electrons are asked for, else muons; broadcasts.
        config: factors and assumptions.

    >>> pt, eta, flavour = np.array([40.0, 40.0]), np.zeros(2), np.array([0, 5], np.int32)
    >>> candidate_rate(pt, eta, flavour, np.array([True]), MisidentificationConfig()).round(4).tolist()
    [0.0297, 0.192]
    """
    abs_eta = np.abs(eta)
    light = np.where(
        is_electron, config.light_jet_electron * _by_jet(_ELECTRON_RATE, pt, abs_eta), config.light_jet_muon
    )
    decays = [config.heavy_jet * rate for rate in _DECAY_RATE.values()]
    rate = np.select([flavour == code for code in _DECAY_RATE], decays, light)
    low, high = ELECTRON_GAP
    in_gap = is_electron & (abs_eta > low) & (abs_eta < high)
    return np.where((pt > 0.0) & (abs_eta < ETA_MAX) & ~in_gap, np.minimum(rate, 1.0), 0.0)


def momentum_share(
    pt: Array, eta: Array, flavour: NDArray[np.int32], rng: np.random.Generator, *, least: float
) -> tuple[Array, Array]:
    """pT of each candidate in units of its jet's, drawn between `least` and 1, and how often it lies there.

    Args:
        pt, eta: of the jets, GeV, any shape.
        flavour: 5, 4 or 0, same shape.
        rng: random numbers.
        least: smallest share.
    """
    abs_eta, u = np.abs(eta), rng.random(pt.shape)
    mean, width = _by_jet(_SHARE_MEAN, pt, abs_eta), _by_jet(_SHARE_WIDTH, pt, abs_eta)
    inside = ndtr((mean - least) / width)
    shares = [np.minimum(mean - width * ndtri(inside * u), 1.0)]
    chances = [inside]
    tenths = np.linspace(0.0, 1.0, 11)
    for deciles in _DECAY_SHARE.values():
        below = np.interp(least, deciles, tenths)
        shares.append(np.interp(below + (1.0 - below) * u, tenths, deciles))
        chances.append(np.full(pt.shape, 1.0 - below))
    chosen = [flavour == code for code in _DECAY_SHARE]
    return np.select(chosen, shares[1:], shares[0]), np.select(chosen, chances[1:], chances[0])


def tight_share(pt: Array, eta: Array, is_electron: Mask, config: MisidentificationConfig) -> Array:
    """Share of the loose candidates that are tight.

    Args:
        pt, eta: of the candidates, GeV, any shape.
        is_electron: electrons, else muons, same shape.
        config: factor.

    >>> of = np.array([True, False])
    >>> tight_share(np.full(2, 30.0), np.zeros(2), of, MisidentificationConfig()).tolist()
    [0.0373, 0.0366]
    """
    column = np.clip(np.searchsorted(_LEPTON_PT, pt, side="right") - 1, 0, None)
    electron, muon = (
        table[np.searchsorted(edges, np.abs(eta), side="right"), column]
        for table, edges in ((_ELECTRON_TIGHT, _ELECTRON_ETA), (_MUON_TIGHT, _MUON_ETA))
    )
    return np.asarray(np.minimum(config.tight * np.where(is_electron, electron, muon), 1.0))


def flip_rate(eta: Array) -> Array:
    """Probability of an electron to be found with the other charge, same shape as η.

    >>> flip_rate(np.array([0.1, -2.0])).round(5).tolist()
    [0.0001, 0.00602]
    """
    return _FLIP_RATE[np.searchsorted(_FLIP_ETA, np.abs(eta), side="left")]


def _by_jet(table: Array, pt: Array, abs_eta: Array) -> Array:
    """Values of a table in bins of |η|, interpolated in pT and constant beyond its ends."""
    values = [np.interp(pt, _JET_PT, row) for row in table]
    return np.select([abs_eta < edge for edge in _JET_ETA], values[:-1], values[-1])
