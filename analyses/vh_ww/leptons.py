"""Which electron and muon of an event are its pair, and which leptons stand beside them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.kinematics import Momentum, invariant_mass
from znought.processors.loose import FLAVOURS, lepton_columns
from znought.processors.objects import Leptons

__all__ = ["Chosen", "ThirdLepton", "chosen_leptons"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MASS_ELECTRON_GEV = 0.000511
MASS_MUON_GEV = 0.105658
_FAR_AWAY = 99.0
"""η of a third lepton that is not there: no jet is near it."""


@dataclass(frozen=True)
class ThirdLepton:
    """The lepton beside each pair.

    Attributes:
        momentum: without transverse momentum where there is none, shape (n_pairs,).
        m_sf: mass with the lepton of its flavour in the pair, GeV; NaN where there is none.
    """

    momentum: Momentum
    m_sf: Floats

    @property
    def is_there(self) -> NDArray[np.bool_]:
        """Whether the event has one, shape (n_pairs,)."""
        return np.asarray(self.momentum.pt > 0.0)

    def at(self, which: NDArray[np.bool_] | Indices) -> "ThirdLepton":
        """Those of some pairs."""
        return ThirdLepton(self.momentum.at(which), self.m_sf[which])


@dataclass(frozen=True)
class Chosen:
    """The electron and the muon of each event that can still pass, and the leptons beside them.

    Attributes:
        electrons, muons: candidates of a chunk.
        event: index of the events, rising, shape (n_pairs,).
        electron, muon: indices of the pair's, shape (n_pairs,).
        further: indices of other electrons and of other muons of the events.
    """

    electrons: Leptons
    muons: Leptons
    event: Indices
    electron: Indices
    muon: Indices
    further: tuple[Indices, Indices]

    @property
    def momenta(self) -> tuple[Momentum, Momentum]:
        """Electron and muon of each pair."""
        e, mu = self.electron, self.muon
        electron = Momentum.of(
            self.electrons.pt[e], self.electrons.eta[e], self.electrons.phi[e], MASS_ELECTRON_GEV
        )
        muon = Momentum.of(self.muons.pt[mu], self.muons.eta[mu], self.muons.phi[mu], MASS_MUON_GEV)
        return electron, muon

    @property
    def same_sign(self) -> NDArray[np.bool_]:
        """Whether the pair's charges are alike, shape (n_pairs,)."""
        return np.asarray(self.electrons.charge[self.electron] * self.muons.charge[self.muon] > 0)

    def at(self, which: NDArray[np.bool_]) -> "Chosen":
        """The same of some events."""
        event, pair = self.event[which], (self.electron[which], self.muon[which])
        electrons, muons = (
            index[np.isin(leptons.event[index], event)] if len(index) else index
            for leptons, index in zip((self.electrons, self.muons), self.further, strict=True)
        )
        return Chosen(self.electrons, self.muons, event, *pair, (electrons, muons))

    def gained(self) -> tuple[Floats, Floats]:
        """px and py that the leptons of each event have gained since missing momentum was built, GeV."""
        px, py = np.zeros(len(self.event)), np.zeros(len(self.event))
        parts = zip((self.electrons, self.muons), (self.electron, self.muon), self.further, strict=True)
        for leptons, own, more in parts:
            if leptons.of_met is None:
                continue
            index = np.concatenate([own, more])
            row = np.searchsorted(self.event, leptons.event[index])
            for total, each in zip((px, py), leptons.gained(index), strict=True):
                np.add.at(total, row, each)
        return px, py

    def third(self) -> ThirdLepton:
        """The lepton beside each pair."""
        n = len(self.event)
        pt, eta, phi, mass = np.zeros(n), np.full(n, _FAR_AWAY), np.zeros(n), np.zeros(n)
        m_sf = np.full(n, np.nan)
        parts = zip((self.electrons, self.muons), self.further, self.momenta, strict=True)
        for leptons, index, own in parts:
            row = np.searchsorted(self.event, leptons.event[index])
            pt[row], eta[row], phi[row] = leptons.pt[index], leptons.eta[index], leptons.phi[index]
            mass[row] = own.mass[row]
            m_sf[row] = invariant_mass(Momentum(pt, eta, phi, mass).at(row), own.at(row))
        return ThirdLepton(Momentum(pt, eta, phi, mass), m_sf)

    def loose(self) -> dict[str, NDArray[Any]]:
        """Columns of `lepton_columns`, shape (n_pairs,); none where loose leptons were not asked for."""
        electrons, muons = self.electrons, self.muons
        if electrons.loose is None or muons.loose is None:
            return {}
        parts = [
            (leptons, np.concatenate([own, more]), FLAVOURS.index(flavour))
            for leptons, own, more, flavour in (
                (electrons, self.electron, self.further[0], "electron"),
                (muons, self.muon, self.further[1], "muon"),
            )
        ]
        return lepton_columns(
            len(self.event),
            np.concatenate([np.searchsorted(self.event, one.event[index]) for one, index, _ in parts]),
            np.concatenate([np.full(len(index), number) for _, index, number in parts]),
            np.concatenate([one.pt[index] for one, index, _ in parts]),
            np.concatenate([one.eta[index] for one, index, _ in parts]),
            np.concatenate([one.loose[index] for one, index, _ in parts if one.loose is not None]),
        )


def chosen_leptons(
    electrons: Leptons, muons: Leptons, hard: tuple[Indices, Indices], mixed: NDArray[np.bool_], *, most: int
) -> Chosen:
    """The pair of each event: of three leptons that of opposite charges, and of two such the harder one.

    Args:
        electrons, muons: candidates of a chunk.
        hard: indices of the electrons and muons that count.
        mixed: events with leptons of both flavours, and not too many, shape (n_events,).
        most: leptons of an event.
    """
    index_e, index_mu = (
        index[mixed[leptons.event[index]]] for leptons, index in zip((electrons, muons), hard, strict=True)
    )
    event, none = np.flatnonzero(mixed), np.zeros(0, np.int64)
    if most == 2:
        return Chosen(electrons, muons, event, index_e, index_mu, (none, none))
    electron = _one_of_each(electrons, index_e, _charge(muons, index_mu))
    muon = _one_of_each(muons, index_mu, _charge(electrons, index_e))
    further = np.setdiff1d(index_e, electron), np.setdiff1d(index_mu, muon)
    return Chosen(electrons, muons, event, electron, muon, further)


def _charge(leptons: Leptons, index: Indices) -> Floats:
    """Charge of some leptons of each event together, shape (n_events,)."""
    n_events = len(leptons.counts)
    return np.bincount(leptons.event[index], leptons.charge[index], minlength=n_events).astype(np.float64)


def _one_of_each(leptons: Leptons, index: Indices, other: Floats) -> Indices:
    """One lepton of each event: of two that with a charge opposite to the other flavour's, or the harder."""
    event = leptons.event[index]
    opposite = leptons.charge[index] * other[event] < 0.0
    order = np.lexsort((leptons.pt[index], opposite, event))
    last = np.flatnonzero(np.diff(event[order], append=-1))
    return np.asarray(index[order[last]])
