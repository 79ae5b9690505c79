"""Impact parameters of PHYSLITE's leptons, from the tracks that they link to."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.processors.canonical.assembly import Maker, branch_offsets, branch_values
from znought.processors.canonical.source import Source
from znought.processors.objects import event_of
from znought.processors.reading import Tree

__all__ = ["electron_track", "impact_parameters", "muon_track", "primary_vertex"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_MUON_LINK = "AnalysisMuonsAuxDyn.inDetTrackParticleLink"
_ELECTRON_LINKS = "AnalysisElectronsAuxDyn.trackParticleLinks"
_PRIMARY = 1  # xAOD::VxType::PriVtx


@dataclass(frozen=True)
class _Tracks:
    """Where the tracks of a kind of leptons stand.

    Attributes:
        container: of the tracks.
        linked: gives the index of each lepton's track in its event, −1 without one, shape (n_leptons,).
        needed: branches beside the container's.
    """

    container: str
    linked: Maker
    needed: tuple[str, ...]


def impact_parameters(collection: str, tree: Tree) -> dict[str, tuple[str, Maker]]:
    """Makers of `d0_significance`, with its sign, and `z0_sin_theta` in mm; none where the file lacks tracks.

    d₀/σ with σ² = σ²(d₀) + sin²φ σ_x² + cos²φ σ_y² − 2 sin φ cos φ σ_xy of track and beam spot, and
    (z₀ + v_z − z_PV) sin θ. A lepton without track has infinite ones, which pass no cut.

    Args:
        collection: Electron or Muon.
        tree: of the events.

    References:
        ATLAS, Athena, Event/xAOD/xAODTracking, TrackingHelpers.
    """
    tracks = _TRACKS.get(collection)
    if tracks is None or not {*_branches(tracks)} <= {*tree.branches}:
        return {}
    return {
        "d0_significance": ("float64", partial(_d0_significance, tracks=tracks)),
        "z0_sin_theta": ("float64", partial(_z0_sin_theta, tracks=tracks)),
    }


def _branches(tracks: _Tracks) -> tuple[str, ...]:
    parameters = ("d0", "z0", "vz", "theta", "phi", "definingParametersCovMatrixDiag")
    beam = (f"EventInfoAuxDyn.beamPosSigma{axis}" for axis in ("X", "Y", "XY"))
    vertices = ("PrimaryVerticesAuxDyn.vertexType", "PrimaryVerticesAuxDyn.z")
    return (*(f"{tracks.container}AuxDyn.{name}" for name in parameters), *beam, *vertices, *tracks.needed)


def muon_track(source: Source) -> Indices:
    """Index of each muon's track of the inner detector in its event; −1 without one, shape (n_muons,)."""
    index, key = (
        branch_values(source, branch=f"{_MUON_LINK}/{_MUON_LINK}.m_pers{part}") for part in ("Index", "Key")
    )
    return np.where(key == 0, -1, index.astype(np.int64))


def electron_track(source: Source) -> Indices:
    """Index of the first of each electron's refitted tracks, which fits its shower best; −1 without one."""
    first = ak.firsts(source.chunk.view.entries.whole(_ELECTRON_LINKS), axis=2)
    index, key = (ak.to_numpy(ak.flatten(ak.fill_none(first[f"m_pers{x}"], 0))) for x in ("Index", "Key"))
    return np.where(key == 0, -1, index.astype(np.int64))


_TRACKS: Mapping[str, _Tracks] = {
    "Electron": _Tracks("GSFTrackParticles", electron_track, (_ELECTRON_LINKS,)),
    "Muon": _Tracks(
        "InDetTrackParticles",
        muon_track,
        tuple(f"{_MUON_LINK}/{_MUON_LINK}.m_pers{part}" for part in ("Index", "Key")),
    ),
}


@dataclass(frozen=True)
class _Linked:
    """Leptons with a track: which they are, and, of these, event and place of the track."""

    found: NDArray[np.bool_]
    event: Indices
    place: Indices

    @classmethod
    def of(cls, source: Source, tracks: _Tracks, counts: Indices) -> "_Linked":
        """Links to a track of the lepton's own event."""
        index, event = tracks.linked(source), event_of(counts)
        first = branch_offsets(source, branch=f"{tracks.container}AuxDyn.d0")
        found = (index >= 0) & (index < np.diff(first)[event])
        return cls(found, event[found], first[event[found]] + index[found])

    def filled(self, values: Floats) -> Floats:
        """Values of the leptons with a track, and infinity for the others, shape (n_leptons,)."""
        every = np.full(len(self.found), np.inf)
        every[self.found] = values
        return every


def _d0_significance(source: Source, *, tracks: _Tracks) -> Floats:
    linked = _Linked.of(source, tracks, source.counts(_collection(tracks)))
    d0, phi = (_of_tracks(source, tracks, name)[linked.place] for name in ("d0", "phi"))
    covariance = source.chunk.view.entries.whole(f"{tracks.container}AuxDyn.definingParametersCovMatrixDiag")
    variance = ak.to_numpy(ak.flatten(covariance[:, :, 0])).astype(np.float64)[linked.place]
    x, y, xy = (
        branch_values(source, branch=f"EventInfoAuxDyn.beamPosSigma{axis}").astype(np.float64)[linked.event]
        for axis in ("X", "Y", "XY")
    )
    sin, cos = np.sin(phi), np.cos(phi)
    variance = variance + sin * (sin * x**2 - cos * xy) + cos * (cos * y**2 - sin * xy)
    return linked.filled(d0 / np.sqrt(variance))


def _z0_sin_theta(source: Source, *, tracks: _Tracks) -> Floats:
    linked = _Linked.of(source, tracks, source.counts(_collection(tracks)))
    z0, vz, theta = (_of_tracks(source, tracks, name)[linked.place] for name in ("z0", "vz", "theta"))
    return linked.filled((z0 + vz - _primary_z(source)[linked.event]) * np.sin(theta))


def _primary_z(source: Source) -> Floats:
    """z of each event's primary vertex, mm; infinite without one, shape (n_events,)."""
    z = branch_values(source, branch="PrimaryVerticesAuxDyn.z").astype(np.float64)
    first, index = branch_offsets(source, branch="PrimaryVerticesAuxDyn.z")[:-1], primary_vertex(source)
    found = np.full(len(index), np.inf)
    found[index >= 0] = z[(first + index)[index >= 0]]
    return found


def primary_vertex(source: Source) -> Indices:
    """Index of each event's primary vertex; −1 without one, shape (n_events,)."""
    kind = branch_values(source, branch="PrimaryVerticesAuxDyn.vertexType")
    first = branch_offsets(source, branch="PrimaryVerticesAuxDyn.vertexType")
    primary = np.flatnonzero(kind == _PRIMARY)
    event, place = np.unique(event_of(np.diff(first))[primary], return_index=True)
    found = np.full(len(first) - 1, -1)
    found[event] = primary[place] - first[event]
    return found


def _of_tracks(source: Source, tracks: _Tracks, name: str) -> Floats:
    values: NDArray[Any] = branch_values(source, branch=f"{tracks.container}AuxDyn.{name}")
    return values.astype(np.float64)


def _collection(tracks: _Tracks) -> str:
    return next(name for name, one in _TRACKS.items() if one is tracks)
