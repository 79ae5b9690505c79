"""Pile-up without overlay: other interactions of the crossing, their jets, and a jet-vertex tag.

Jets of other interactions come above 20 GeV with a rate a n + b n (n − 1) in the number n of those
interactions: a fit to the two curves of ATLAS-CONF-2014-018, fig. 24a (Z → µµ of 8 TeV, anti-kT 0.4 of
topological clusters), within 3 % and 5 % of them from 10 to 40 interactions. Their pT follows the spectra of
fig. 24b; η is even within a region, φ everywhere. The tag is that note's JVT: of jets of the hard
interaction by fig. 15 (Z → µµ, efficiencies above 0.2, 0.4 and 0.7 in steps of pT; above 0.7 the shape of
fig. 5b), of others by fig. 5b (20 to 30 GeV; 1.6 % above 0.59). Numbers read from the figures' own files
(repository pnef/JVTCodeAndDocumentation). Assumed: 13 TeV and particle flow change them little; no such jet
has a mass. Beyond |η| = 2.4 nothing is tagged, as without a forward tag (fJVT).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "REFERENCE",
    "Crossing",
    "PileUpJets",
    "crossing",
    "jet_noise",
    "jet_rate",
    "jvt",
    "passes_jvt",
    "pile_up_jets",
    "soft_noise",
]

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

REFERENCE = 33.7
"""Interactions that the detector's noise refers to: mean of Run 2 (ATLAS, LuminosityPublicResultsRun2)."""

JVT_MIN, JVT_PT_MAX_GEV, JVT_ETA_MAX = 0.59, 60.0, 2.4
NO_TRACKS = -0.1

_REGIONS = ((0.0, 2.4), (2.4, 3.2), (3.2, 4.5))
_RATE = ((0.01036, 2.522e-4), (0.00407, 3.90e-5))
_FORWARD_SHARE = 0.509  # of 2.4 < |η| < 3.2, at 20 GeV
_PT_GEV = np.array([20.0, 22.0, 24.0, 26.0, 30.0, 34.0, 40.0, 50.0, 60.0, 80.0, 100.0])
_SPECTRUM = (
    (1.0, 0.635, 0.414, 0.279, 0.136, 0.0721, 0.0322, 0.0115, 0.00494, 0.00122, 0.000406),
    (1.0, 0.645, 0.431, 0.298, 0.151, 0.0792, 0.0358, 0.0119, 0.00480, 0.00123, 0.000297),
    (1.0, 0.618, 0.395, 0.258, 0.120, 0.0591, 0.0234, 0.0063, 0.00227, 0.000318, 0.0000288),
)
_JVT = np.array([NO_TRACKS, 0.0, 0.0, 0.2, 0.4, 0.6, 0.7, 0.92, 0.967, 1.0])
_JVT_PT_EDGES_GEV = np.array([25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0])
_HARD_ABOVE_02 = np.array([0.909, 0.928, 0.942, 0.955, 0.963, 0.965, 0.972, 0.974])
_HARD_ABOVE_04 = np.array([0.872, 0.900, 0.918, 0.934, 0.944, 0.949, 0.957, 0.959])
_HARD_ABOVE_07 = np.array([0.813, 0.849, 0.876, 0.895, 0.911, 0.919, 0.928, 0.934])
_HARD_TRACKS = (0.999, 0.977)  # any tracks; any of the hard vertex
_HARD_TAIL = (0.894, 0.758)  # above 0.92 and 0.967, of those above 0.7
_PILE_UP_ABOVE = np.array([1.0, 0.997, 0.141, 0.047, 0.0257, 0.0154, 0.0123, 0.0056, 0.0033, 0.0])


def _hard_above() -> Array:
    """Share of jets of the hard interaction above each value of `_JVT`, in steps of pT."""
    above_06 = (_HARD_ABOVE_04 + 2.0 * _HARD_ABOVE_07) / 3.0
    ones = np.ones_like(above_06)
    tracks = [share * ones for share in (1.0, *_HARD_TRACKS)]
    tail = [share * _HARD_ABOVE_07 for share in (*_HARD_TAIL, 0.0)]
    columns = [*tracks, _HARD_ABOVE_02, _HARD_ABOVE_04, above_06, _HARD_ABOVE_07, *tail]
    table: Array = np.stack(columns, axis=1)
    return table


_HARD_LINE = (
    (2.0 * np.arange(len(_HARD_ABOVE_02))[:, None] - _hard_above()).ravel(),
    np.tile(_JVT, len(_HARD_ABOVE_02)),
)
"""All steps of pT in one line: 2 · step − share above, and the tag."""


@dataclass(frozen=True)
class Crossing:
    """Interactions beside the hard one, shapes (n_events,).

    Attributes:
        mean: of the Poisson distribution they come from.
        interactions: their number.
        vertices: reconstructed ones, the hard one among them.
    """

    mean: Array
    interactions: Counts
    vertices: Counts


@dataclass(frozen=True)
class PileUpJets:
    """Jets of other interactions above 20 GeV; pt = 0 is padding, all (n_events, n_jets)."""

    pt: Array
    eta: Array
    phi: Array
    jvt: Array


def crossing(mean: float, n_events: int, rng: np.random.Generator) -> Crossing:
    """Interactions of each event and their vertices.

    A vertex is found with 80 % falling to 50 % between 0 and 40 interactions (ATLAS-CONF-2012-042, as
    quoted in ATLAS-CONF-2014-018). The spread of the mean over a run is left out.
    """
    interactions = rng.poisson(mean, n_events)
    efficiency = np.maximum(0.80 - 0.30 * interactions / 40.0, 0.20)
    return Crossing(np.full(n_events, mean), interactions, 1 + rng.binomial(interactions, efficiency))


def soft_noise(interactions: Counts) -> Array:
    """Factor on a sum's noise at REFERENCE: √ of all interactions, the hard one included.

    σ = k √ΣE_T (arXiv:1108.5602), with a sum that grows evenly with the interactions.
    """
    return np.asarray(np.sqrt((1.0 + interactions) / (1.0 + REFERENCE)), dtype=np.float64)


def jet_noise(interactions: Counts) -> Array:
    """Factor on the noise term of jets at REFERENCE: (3.2 + 0.035 n) / (3.2 + 0.035 · 33.7).

    Central jets with area subtraction of ATLAS's upgrade performance functions (Athena,
    `JetPerformanceFunctions.cxx`).

    >>> jet_noise(np.array([0, 33, 80])).round(2).tolist()
    [0.73, 0.99, 1.37]
    """
    return np.asarray((3.2 + 0.035 * interactions) / (3.2 + 0.035 * REFERENCE), dtype=np.float64)


def jet_rate(interactions: Counts) -> Array:
    """Mean number of jets of other interactions, in the regions |η| < 2.4, 3.2 and 4.5, before any tag.

    >>> jet_rate(np.array([34])).round(2).tolist()
    [[0.64, 0.09, 0.09]]
    """
    pairs = interactions * (interactions - 1.0)
    central, forward = (a * interactions + b * pairs for a, b in _RATE)
    rate: Array = np.stack([central, _FORWARD_SHARE * forward, (1.0 - _FORWARD_SHARE) * forward], axis=-1)
    return rate


def pile_up_jets(interactions: Counts, rng: np.random.Generator) -> PileUpJets:
    """Jets of other interactions that pass the tag, in no order.

    Args:
        interactions: beside the hard one, shape (n_events,).
        rng: random numbers.
    """
    counts = rng.poisson(jet_rate(interactions))
    region = np.repeat(np.tile(np.arange(3), len(counts)), counts.ravel())
    event = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
    low, high = np.array(_REGIONS)[region].T
    n = len(region)
    eta = rng.uniform(low, high) * rng.choice((-1.0, 1.0), n)
    phi = rng.uniform(-np.pi, np.pi, n)
    log_u = np.log(1.0 - rng.random(n))
    pt = np.zeros(n)
    for index, spectrum in enumerate(np.log(_SPECTRUM)):
        here = region == index
        pt[here] = np.interp(-log_u[here], -spectrum, _PT_GEV)
    tag = jvt(pt, eta, is_hard=False, rng=rng)
    kept = passes_jvt(pt, eta, tag)
    return PileUpJets(*_padded(event[kept], len(counts), pt[kept], eta[kept], phi[kept], tag[kept]))


def _padded(event: Counts, n_events: int, *values: Array) -> list[Array]:
    counts = np.bincount(event, minlength=n_events)
    place = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    rectangles = [np.zeros((n_events, int(counts.max(initial=0)))) for _ in values]
    for rectangle, column in zip(rectangles, values, strict=True):
        rectangle[event, place] = column
    return rectangles


def jvt(pt: Array, eta: Array, *, is_hard: bool, rng: np.random.Generator) -> Array:
    """Random jet-vertex tags in [0, 1]; −0.1 without tracks, as beyond |η| = 2.4.

    Args:
        pt: reconstructed momenta in GeV, any shape.
        eta: pseudorapidities, same shape.
        is_hard: jets of the hard interaction, or of others.
        rng: random numbers.
    """
    value = np.full(pt.shape, NO_TRACKS)
    tracked = (pt > 0.0) & (np.abs(eta) < JVT_ETA_MAX)
    u = rng.random(int(np.sum(tracked)))
    if not is_hard:
        value[tracked] = np.interp(-u, -_PILE_UP_ABOVE, _JVT)
        return value
    step = np.searchsorted(_JVT_PT_EDGES_GEV, pt[tracked], side="right")
    value[tracked] = np.interp(2.0 * step - u, *_HARD_LINE)
    return value


def passes_jvt(pt: Array, eta: Array, tag: Array) -> Mask:
    """Jets that are not taken for pile-up: above 0.59, or beyond where the tag is used."""
    passed: Mask = (tag > JVT_MIN) | (pt > JVT_PT_MAX_GEV) | (np.abs(eta) > JVT_ETA_MAX)
    return passed
