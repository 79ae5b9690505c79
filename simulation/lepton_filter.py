"""The generator filter on the leptons of W bosons, from Pythia's records of hard process and shower."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

from znought.simulation.recipe import LeptonFilter, LeptonPart

__all__ = ["Lepton", "leptons", "pair_of", "passes_hard", "passes_shower", "reach_gev"]

_CHARGED: Final = (11, 13, 15)
_NEUTRINOS: Final = (12, 14, 16)
_TAU: Final = 15
_FIRST: Final = 5  # record entries before it: system, beams and colliding partons


class Lepton(NamedTuple):
    """Particle number and momentum, GeV, of an outgoing lepton of the hard process."""

    pdg_id: int
    px: float
    py: float
    pz: float
    e: float


def leptons(record: Any) -> tuple[Lepton, ...]:
    """Outgoing charged leptons and neutrinos of a Pythia record, before hadrons or τ decay."""
    return tuple(
        Lepton(p.id(), p.px(), p.py(), p.pz(), p.e())
        for p in (record[i] for i in range(_FIRST, record.size()))
        if p.status() > 0 and 11 <= p.idAbs() <= 16
    )


def pair_of(found: Sequence[Lepton], cut: LeptonFilter) -> LeptonPart | None:
    """Which pair the leptons of a hard process may be, `pair` or `tau_pair`.

    >>> electron, positron = Lepton(11, 60.0, 45.0, 0.0, 75.0), Lepton(-11, 60.0, -45.0, 0.0, 75.0)
    >>> pair_of((electron, positron), LeptonFilter("pair"))
    'pair'
    """
    charged = _charged(found)
    if len(charged) != 2:
        return None
    mass, pt = _mass_and_pt(*charged)
    low, high = cut.m_ll_gev
    if pt <= cut.pt_hard_gev or mass <= low:
        return None
    if _TAU in (abs(one.pdg_id) for one in charged):
        return "tau_pair"
    return "pair" if charged[0].pdg_id == -charged[1].pdg_id and mass < high else None


def passes_hard(found: Sequence[Lepton], cut: LeptonFilter) -> bool:
    """Whether a hard process may end in the part that the filter names."""
    if cut.part != "rest":
        return pair_of(found, cut) == cut.part
    low, high = cut.pt_rest_gev
    return low < reach_gev(found) <= high


def passes_shower(showered: Sequence[Lepton], cut: LeptonFilter, pair: LeptonPart | None) -> bool:
    """Whether an event is in its part for good, by its leptons behind the shower.

    Args:
        showered: leptons before hadronisation, with the recoil of the shower.
        cut: the filter, whose veto on the hard process the event has passed.
        pair: what `pair_of` said of the hard process.
    """
    is_pair = pair is not None and _mass_and_pt(*_charged(showered))[1] > cut.pt_pair_gev
    return is_pair == (cut.part != "rest")


def _charged(found: Sequence[Lepton]) -> list[Lepton]:
    return [one for one in found if abs(one.pdg_id) in _CHARGED]


def _mass_and_pt(first: Lepton, second: Lepton) -> tuple[float, float]:
    px, py, pz, e = (a + b for a, b in zip(first[1:], second[1:], strict=True))
    return math.sqrt(max(e * e - px * px - py * py - pz * pz, 0.0)), math.hypot(px, py)


def reach_gev(found: Sequence[Lepton]) -> float:
    """Largest |Σ pT(ν) + Σ pT(ℓ)| over the sets of charged leptons, GeV.

    >>> reach_gev([Lepton(12, 30.0, 0.0, 0.0, 30.0), Lepton(-11, 0.0, 40.0, 0.0, 40.0)])
    50.0
    """
    charged = _charged(found)
    px, py = (sum(one[axis] for one in found if abs(one.pdg_id) in _NEUTRINOS) for axis in (1, 2))
    return max(
        math.hypot(px + sum(one.px for one in chosen), py + sum(one.py for one in chosen))
        for chosen in _subsets(charged)
    )


def _subsets(charged: Sequence[Lepton]) -> Iterator[tuple[Lepton, ...]]:
    return (chosen for n in range(len(charged) + 1) for chosen in combinations(charged, n))
