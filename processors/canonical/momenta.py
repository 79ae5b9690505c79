"""Transverse momenta of canonical objects summed event by event, for what follows from them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.canonical.source import Source, data
from znought.processors.kinematics import delta_phi
from znought.processors.objects import Jets, event_of
from znought.processors.variations import jet_numbers, resolution_noise

__all__ = [
    "CLEAN_JET",
    "HELPERS",
    "JET_DIRECTION",
    "JET_NOISE",
    "JET_NUMBER",
    "LEPTON_SUM",
    "LEPTON_SUMS",
    "MET_VECTOR",
    "direction",
    "jet_sum",
    "lepton_sum",
]

Floats = NDArray[np.float64]
Maker = Callable[[Source], NDArray[Any]]

CLEAN_JET = "helper/clean_jet"
"""Jets away from tight leptons, which stand for one energy deposit with them, shape (n_jets,)."""
JET_DIRECTION = "helper/jet_direction"
"""cos φ and sin φ of the jets, shape (2, n_jets)."""
JET_NOISE = "helper/jet_noise"
"""A Gaussian number for every jet, shape (n_jets,)."""
JET_NUMBER = "helper/jet_number"
"""A uniform number for every jet, shape (n_jets,)."""
LEPTON_SUM = "helper/lepton_sum"
"""Vector sum of the tight leptons, GeV, shape (2, n_events)."""
LEPTON_SUMS = {name: f"{LEPTON_SUM}/{name}" for name in ("Electron", "Muon")}
"""The same of the leptons of one flavour."""
MET_VECTOR = "helper/met_vector"
"""px and py of the missing transverse momentum, GeV, shape (2, n_events)."""

_PT_LEPTON_MIN_GEV = 10.0
_DR_JET_LEPTON_MIN = 0.4


def direction(phi: Floats) -> Floats:
    """cos φ and sin φ, shape (2, n)."""
    return np.stack([np.cos(phi), np.sin(phi)])


def jet_sum(source: Source, weight: Floats) -> Floats:
    """Σ weight · pT over the jets away from leptons, GeV, shape (2, n_events)."""
    counts = source.counts("Jet")
    event = event_of(counts)
    size = np.where(source.array(CLEAN_JET), source.array(data("Jet", "pt")) * weight, 0.0)
    return np.stack(
        [np.bincount(event, size * along, minlength=len(counts)) for along in source.array(JET_DIRECTION)]
    ).astype(np.float64)


def _jet_direction(source: Source) -> Floats:
    return direction(source.array(data("Jet", "phi")))


def _met_vector(source: Source) -> Floats:
    return source.array(data("MET", "pt")) * direction(source.array(data("MET", "phi")))


def _tight(source: Source, collection: str) -> NDArray[np.bool_]:
    """Leptons that count."""
    hard = source.array(data(collection, "pt")) > _PT_LEPTON_MIN_GEV
    return np.asarray(hard & source.array(data(collection, "is_tight")))


def _flavours(source: Source) -> list[str]:
    return [name for name in LEPTON_SUMS if source.has(name, "pt")]


def _lepton_sum(source: Source) -> Floats:
    total = np.zeros((2, len(source.chunk.view)))
    for key in LEPTON_SUMS.values():
        total += source.array(key)
    return total


def _sum_of_flavour(source: Source, *, name: str) -> Floats:
    if not source.has(name, "pt"):
        return np.zeros((2, len(source.chunk.view)))
    return lepton_sum(source, name, source.array(data(name, "pt")))


def lepton_sum(source: Source, name: str, size: Floats) -> Floats:
    """Σ size along the tight leptons of one flavour, shape (2, n_events).

    Args:
        source: says which leptons are tight.
        name: of the collection.
        size: of each lepton, such as its momentum in GeV, shape (n_leptons,).
    """
    n_events, tight = len(source.chunk.view), _tight(source, name)
    event = event_of(source.counts(name))[tight]
    along = direction(source.array(data(name, "phi"))[tight])
    return np.stack([np.bincount(event, size[tight] * part, minlength=n_events) for part in along]).astype(
        np.float64
    )


def _clean_jet(source: Source) -> NDArray[np.bool_]:
    """Jets farther than ΔR = 0.4 from every tight lepton."""
    eta, phi = (source.array(data("Jet", name)) for name in ("eta", "phi"))
    clean = np.ones(len(eta), np.bool_)
    for name in _flavours(source):
        tight = _tight(source, name)
        lepton_eta, lepton_phi = (source.array(data(name, field))[tight] for field in ("eta", "phi"))
        counts = np.bincount(event_of(source.counts(name))[tight], minlength=len(source.chunk.view))
        first = np.cumsum(counts) - counts
        event = event_of(source.counts("Jet"))
        for place in range(int(counts.max(initial=0))):
            jet = np.flatnonzero(counts[event] > place)
            lepton = first[event[jet]] + place
            dr2 = (eta[jet] - lepton_eta[lepton]) ** 2 + delta_phi(phi[jet], lepton_phi[lepton]) ** 2
            clean[jet[dr2 < _DR_JET_LEPTON_MIN**2]] = False
    return clean


def _jet_noise(source: Source) -> Floats:
    """One Gaussian number per jet, from its event's identity and its place in the event."""
    return resolution_noise(_plain_jets(source), source.chunk.identity(np.arange(len(source.chunk.view))))


def _jet_number(source: Source) -> Floats:
    """One uniform number per jet for its tag."""
    identity = source.chunk.identity(np.arange(len(source.chunk.view)))
    return jet_numbers(_plain_jets(source), identity, salt="btag")


def _plain_jets(source: Source) -> Jets:
    """Momenta of the jets, and nothing else."""
    pt, eta, phi, mass = (source.array(data("Jet", name)) for name in ("pt", "eta", "phi", "mass"))
    nothing = np.zeros(len(pt))
    return Jets(
        source.counts("Jet"), pt, eta, phi, mass, nothing.astype(np.bool_), nothing, np.arange(len(pt))
    )


HELPERS: Mapping[str, Maker] = {
    CLEAN_JET: _clean_jet,
    JET_DIRECTION: _jet_direction,
    JET_NOISE: _jet_noise,
    JET_NUMBER: _jet_number,
    LEPTON_SUM: _lepton_sum,
    **{key: partial(_sum_of_flavour, name=name) for name, key in LEPTON_SUMS.items()},
    MET_VECTOR: _met_vector,
}
"""Buffers that no user sees."""
