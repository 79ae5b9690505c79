"""Regions of the detector in which jets are not to be trusted, by maps of CMS."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from correctionlib.highlevel import open_auto
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.identity import uniform
from znought.processors.chunk import Chunk
from znought.processors.corrections import correction, evaluated_correction, variations
from znought.processors.dialects.view import View
from znought.processors.kinematics import delta_phi
from znought.processors.objects import event_of, pairs_of_events

__all__ = ["VETOED", "JetVeto", "check_map", "events_with", "in_region"]

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]

VETOED = "jet_vetoed"
"""Field of jets in the region of a map that drops jets."""

_DR_MUON = 0.2


@dataclass(frozen=True)
class JetVeto:
    """A map, and to which jets and events it applies.

    Attributes:
        era: name of the era, for messages.
        file: of correctionlib, `jetvetomaps.json.gz`.
        correction: name of the maps of the era in it, such as "Summer19UL18_V1".
        types: of these maps, those whose regions together are vetoed.
        drops: whether events with such a jet, or only the jets, do not count.
        pt_min_gev: jets above it count, by the momenta of the file.
        em_fraction_max: and below this electromagnetic share of their energy; None asks nothing.
        first_run: of recorded data, from this run on; None means all of them.
        simulated_share: of simulated events, this share, chosen by their identity.
    """

    era: str
    file: str
    correction: str
    types: tuple[str, ...] = ("jetvetomap",)
    drops: Literal["events", "jets"] = "events"
    pt_min_gev: float = 15.0
    em_fraction_max: float | None = None
    first_run: int | None = None
    simulated_share: float = 1.0

    def jets(self, chunk: Chunk) -> Mask:
        """Jets of a chunk in the region, of events that it applies to, shape (n_jets,).

        They are those that pass the era's identification and overlap with no muon.

        References:
            CMS, https://cms-jerc.web.cern.ch/Recommendations/#jet-veto-maps.

        Raises:
            DataError: an input is missing.
        """
        view = chunk.view
        jets = chunk.dialect.jets(view, np.zeros(len(view.flat("jet_pt"))))
        found = jets.usable & (jets.pt > self.pt_min_gev) & self._applies(chunk)[jets.event]
        if self.em_fraction_max is not None:
            found &= self._em_fraction(view) < self.em_fraction_max
        place = np.flatnonzero(found)
        place = place[self._in_region(chunk, jets.eta[place], jets.phi[place])]
        vetoed = np.zeros(len(jets.pt), np.bool_)
        vetoed[place[~_at_muon(view, jets.event[place], jets.eta[place], jets.phi[place])]] = True
        return vetoed

    def _in_region(self, chunk: Chunk, eta: Floats, phi: Floats) -> Mask:
        found = np.zeros(len(eta), np.bool_)
        for kind in self.types:
            inside, beyond = in_region(self.file, self.correction, kind, eta, phi)
            found |= inside
            if beyond.any():
                chunk.declared[f"{self.correction} {kind}"] = (
                    f"era {self.era!r}: jets beyond the map of {Path(self.file).name} are not vetoed"
                )
        return found

    def _applies(self, chunk: Chunk) -> Mask:
        """Events that it applies to, shape (n_events,)."""
        every = np.ones(len(chunk.view), np.bool_)
        if (self.first_run is None) if chunk.is_data else (self.simulated_share >= 1.0):
            return every
        identity = chunk.identity(np.arange(len(chunk.view)))
        if chunk.is_data:
            return np.asarray(identity["run"] >= self.first_run)
        numbers = (identity[name] for name in ("run", "luminosityBlock", "event"))
        return np.asarray(uniform(*numbers, salt="jet_veto") < self.simulated_share)

    def _em_fraction(self, view: View) -> Floats:
        for name in ("jet_ch_em", "jet_ne_em"):
            if not view.has(name):
                path = view.entries.metadata["filename"]
                raise DataError(
                    f"{path}: era {self.era!r} vetoes jets by their electromagnetic share (Jet_chEmEF, "
                    "Jet_neEmEF), which is not there."
                )
        return np.asarray(view.flat("jet_ch_em") + view.flat("jet_ne_em"))


def check_map(veto: JetVeto) -> None:
    """Refuses a map that is not in its file.

    Raises:
        CardError: with the names that are there.
    """
    try:
        correction(veto.file, veto.correction)
    except CardError as error:
        raise CardError(f"{error} ({veto.file})") from error
    known = variations(veto.file, veto.correction, "type")
    for kind in veto.types:
        if kind not in known:
            raise CardError(
                f"{veto.correction} of {veto.file}: {unknown_name('type', kind, map(str, known))}"
            )


def in_region(file: str, name: str, kind: str, eta: Floats, phi: Floats) -> tuple[Mask, Mask]:
    """Which directions lie in the region of a map, and which beyond the map, where it vetoes nothing.

    Args:
        file, name, kind: the map.
        eta, phi: shape (n,); any φ is brought into (−π, π].
    """
    low, high = _reach(file, name, kind)
    phi = np.pi - np.mod(np.pi - np.asarray(phi, np.float64), 2.0 * np.pi)
    eta = np.asarray(eta, np.float64)
    beyond = (eta < low) | (eta >= high)
    inside = np.zeros(len(eta), np.bool_)
    arguments = {"type": kind, "eta": eta[~beyond], "phi": phi[~beyond]}
    inside[~beyond] = evaluated_correction(file, name, arguments, int((~beyond).sum())) != 0.0
    return inside, beyond


@cache
def _reach(file: str, name: str, kind: str) -> tuple[float, float]:
    """First and last edge of a map in η.

    Raises:
        CardError: the file holds no such map.
    """
    for entry in json.loads(open_auto(file))["corrections"]:
        for item in entry["data"].get("content", ()) if entry["name"] == name else ():
            value: Any = item["value"]
            if item["key"] == kind and "eta" in value.get("inputs", ()):
                edges = value["edges"][value["inputs"].index("eta")]
                return float(edges[0]), float(edges[-1])
    raise CardError(f"{file}: {name} has no map {kind!r} in eta and phi.")


def _at_muon(view: View, event: NDArray[np.int64], eta: Floats, phi: Floats) -> Mask:
    """Which jets overlap with a muon of their event, shape (n_jets,)."""
    near = np.zeros(len(eta), np.bool_)
    if not view.has("muon_eta") or not len(eta):
        return near
    counts = view.counts("muon_eta")
    muon_eta, muon_phi = (view.flat(f"muon_{name}") for name in ("eta", "phi"))
    counts_too = view.flat("muon_is_pf") != 0 if view.has("muon_is_pf") else np.ones(len(muon_eta), np.bool_)
    jet, muon = pairs_of_events(event, counts)
    dr2 = (eta[jet] - muon_eta[muon]) ** 2 + delta_phi(phi[jet], muon_phi[muon]) ** 2
    near[jet[(dr2 < _DR_MUON**2) & counts_too[muon]]] = True
    return near


def events_with(view: View, jets: Mask) -> Mask:
    """Events with such a jet, shape (n_events,)."""
    event = event_of(view.counts("jet_pt"))
    return np.bincount(event[jets], minlength=len(view)) > 0
