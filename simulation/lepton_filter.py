"""The generator filter on the leptons of the hard process, from Pythia's process record."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

from znought.simulation.recipe import LeptonFilter, LeptonPart

__all__ = ["Lepton", "leptons", "part_of", "passes", "reach_gev"]

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


def leptons(process: Any) -> tuple[Lepton, ...]:
    """Outgoing charged leptons and neutrinos of a Pythia process record (`pythia.process`)."""
    return tuple(
        Lepton(p.id(), p.px(), p.py(), p.pz(), p.e())
        for p in (process[i] for i in range(_FIRST, process.size()))
        if p.status() > 0 and 11 <= p.idAbs() <= 16
    )


def passes(process: Any, cut: LeptonFilter) -> bool:
    """Whether a hard process is in the part that the filter names."""
    return part_of(leptons(process), cut) == cut.part


def part_of(found: Sequence[Lepton], cut: LeptonFilter) -> LeptonPart | None:
    """The part of the filter that some leptons belong to, by its thresholds.

    >>> electron, positron = Lepton(11, 60.0, 45.0, 0.0, 75.0), Lepton(-11, 60.0, -45.0, 0.0, 75.0)
    >>> part_of((electron, positron), LeptonFilter("pair"))
    'pair'
    """
    charged = [one for one in found if abs(one.pdg_id) in _CHARGED]
    if len(charged) == 2:
        mass, pt = _mass_and_pt(*charged)
        low, high = cut.m_ll_gev
        if pt > cut.pt_pair_gev and mass > low:
            if _TAU in (abs(one.pdg_id) for one in charged):
                return "tau_pair"
            if charged[0].pdg_id == -charged[1].pdg_id and mass < high:
                return "pair"
    low, high = cut.pt_rest_gev
    return "rest" if low < reach_gev(found) <= high else None


def _mass_and_pt(first: Lepton, second: Lepton) -> tuple[float, float]:
    px, py, pz, e = (a + b for a, b in zip(first[1:], second[1:], strict=True))
    return math.sqrt(max(e * e - px * px - py * py - pz * pz, 0.0)), math.hypot(px, py)


def reach_gev(found: Sequence[Lepton]) -> float:
    """Largest |Σ pT(ν) + Σ pT(ℓ)| over the sets of charged leptons, GeV.

    >>> reach_gev([Lepton(12, 30.0, 0.0, 0.0, 30.0), Lepton(-11, 0.0, 40.0, 0.0, 40.0)])
    50.0
    """
    charged = [one for one in found if abs(one.pdg_id) in _CHARGED]
    px, py = (sum(one[axis] for one in found if abs(one.pdg_id) in _NEUTRINOS) for axis in (1, 2))
    return max(
        math.hypot(px + sum(one.px for one in chosen), py + sum(one.py for one in chosen))
        for chosen in _subsets(charged)
    )


def _subsets(charged: Sequence[Lepton]) -> Iterator[tuple[Lepton, ...]]:
    return (chosen for n in range(len(charged) + 1) for chosen in combinations(charged, n))
