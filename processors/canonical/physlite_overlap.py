"""Which of PHYSLITE's leptons and jets stand for an energy deposit that another one of them stands for."""

from collections.abc import Mapping
from functools import partial

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.processors.canonical.assembly import Maker, branch_offsets, branch_values
from znought.processors.canonical.physlite_tracks import electron_track, muon_track, primary_vertex
from znought.processors.canonical.source import Source, data
from znought.processors.kinematics import delta_phi, rapidity
from znought.processors.objects import event_of, pairs_of_events
from znought.processors.reading import Tree

__all__ = ["OVERLAP", "overlap", "passes_overlap"]

Mask = NDArray[np.bool_]

OVERLAP = "helper/overlap"
"""Electrons, muons and jets that remain, on end, shape (n_electrons + n_muons + n_jets,)."""
_TRACKS = "AnalysisJetsAuxDyn.NumTrkPt500"
_ORIGINAL = "GSFTrackParticlesAuxDyn.originalTrackParticle"
_LINK = tuple(f"{_ORIGINAL}/{_ORIGINAL}.m_pers{part}" for part in ("Index", "Key"))
_INNER, _OUTER = 0.2, 0.4
_FEWEST_TRACKS = 3
_ORDER = ("Electron", "Muon", "Jet")


def passes_overlap(tree: Tree) -> Mapping[str, tuple[str, Maker]]:
    """Collection → maker of `passes_overlap`; none where the file lacks tracks of leptons or jets.

    Of identified leptons and good jets: an electron on the track of a muon goes; a jet within ΔR = 0.2 of an
    electron, then an electron within 0.4 of a jet that remains; a jet with fewer than three tracks within
    0.2 of a muon, then a muon within 0.4 of a jet that remains. ΔR is that of rapidity and azimuth. What is
    not identified does not pass.

    References:
        ATLAS, Athena, PhysicsAnalysis/AnalysisCommon/AssociationUtils: EleMuSharedTrkOverlapTool,
        EleJetOverlapTool, MuJetOverlapTool (without association of ghosts), with their defaults.
    """
    if not {_TRACKS, *_LINK} <= {*tree.branches}:
        return {}
    return {name: ("bool", partial(_passes, collection=name)) for name in _ORDER}


def _passes(source: Source, *, collection: str) -> Mask:
    counts = [int(source.counts(name).sum()) for name in _ORDER]
    ends = np.cumsum([0, *counts])
    place = _ORDER.index(collection)
    return source.array(OVERLAP)[ends[place] : ends[place + 1]].astype(np.bool_)


def overlap(source: Source) -> Mask:
    """What remains of all electrons, muons and jets."""
    electrons, muons = (source.array(data(name, "is_tight")).astype(np.bool_) for name in _ORDER[:2])
    jets = source.array(data("Jet", "is_good")).astype(np.bool_)
    electrons = electrons & ~_on_muon_track(source, muons)
    jets = jets & ~_near(source, ("Jet", jets), ("Electron", electrons), _INNER)
    electrons = electrons & ~_near(source, ("Electron", electrons), ("Jet", jets), _OUTER)
    few = jets & (_n_tracks(source) < _FEWEST_TRACKS)
    jets = jets & ~_near(source, ("Jet", few), ("Muon", muons), _INNER)
    muons = muons & ~_near(source, ("Muon", muons), ("Jet", jets), _OUTER)
    return np.concatenate([electrons, muons, jets])


def _near(source: Source, one: tuple[str, Mask], other: tuple[str, Mask], dr: float) -> Mask:
    """Which of the chosen objects of one collection lie near a chosen one of another."""
    (name, chosen), (beside, against) = one, other
    first, second = pairs_of_events(event_of(source.counts(name)), source.counts(beside))
    keep = chosen[first] & against[second]
    first, second = first[keep], second[keep]
    dy = _rapidity(source, name)[first] - _rapidity(source, beside)[second]
    phi, other_phi = (source.array(data(each, "phi")) for each in (name, beside))
    found = np.zeros(len(chosen), np.bool_)
    found[first[np.hypot(dy, delta_phi(phi[first], other_phi[second])) < dr]] = True
    return found


def _rapidity(source: Source, name: str) -> NDArray[np.float64]:
    pt, eta, mass = (source.array(data(name, field)) for field in ("pt", "eta", "mass"))
    return np.asarray(rapidity(pt, eta, mass), np.float64)


def _on_muon_track(source: Source, muons: Mask) -> Mask:
    """Electrons whose track was refitted from that of a muon that counts."""
    gsf, tracks = electron_track(source), muon_track(source)
    first = branch_offsets(source, branch="GSFTrackParticlesAuxDyn.d0")
    index, key = (branch_values(source, branch=branch) for branch in _LINK)
    original = np.where(key == 0, -1, index.astype(np.int64))
    event = event_of(source.counts("Electron"))
    linked = np.full(len(event), -1)
    linked[gsf >= 0] = original[(first[event] + gsf)[gsf >= 0]]
    electron, muon = pairs_of_events(event, source.counts("Muon"))
    shared = muons[muon] & (linked[electron] >= 0) & (linked[electron] == tracks[muon])
    found = np.zeros(len(event), np.bool_)
    found[electron[shared]] = True
    return found


def _n_tracks(source: Source) -> NDArray[np.int64]:
    """Tracks above 500 MeV of each jet from the primary vertex, shape (n_jets,)."""
    tracks = source.chunk.view.entries.whole(_TRACKS)
    vertex = primary_vertex(source)[event_of(source.counts("Jet"))]
    found = ak.to_numpy(ak.flatten(ak.num(tracks, axis=2))) > np.maximum(vertex, 0)
    flat = ak.flatten(tracks)[np.arange(len(vertex)), np.where(found & (vertex >= 0), vertex, 0)]
    return np.where(found & (vertex >= 0), ak.to_numpy(flat), 0).astype(np.int64)
