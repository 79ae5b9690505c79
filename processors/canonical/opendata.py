"""Canonical events of the flat ntuples of ATLAS Open Data."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.canonical.assembly import (
    Fields,
    Maker,
    assembled,
    branch_offsets,
    mass_of_energy,
    scaled,
)
from znought.processors.canonical.identification import (
    MASS_ELECTRON_GEV,
    MASS_MUON_GEV,
    btag,
    constant,
    is_btagged,
)
from znought.processors.canonical.source import Catalogue, Source, data
from znought.processors.dialects.base import Dialect
from znought.processors.objects import event_of
from znought.processors.reading import Tree

__all__ = ["opendata_catalogue"]

Typed = tuple[str, Maker]

_LEPTONS: Mapping[str, tuple[int, float]] = {"Electron": (11, MASS_ELECTRON_GEV), "Muon": (13, MASS_MUON_GEV)}
_OTHERS: Mapping[str, str] = {"Jet": "jet", "FatJet": "largeRjet", "Photon": "photon", "Tau": "tau"}
_SCALARS = {"run": "runNumber", "event": "eventNumber"}
_JVT_MIN, _JVT_BELOW_GEV, _JVT_BELOW_ETA = 0.59, 60.0, 2.4


def opendata_catalogue(dialect: Dialect, tree: Tree) -> Catalogue:
    """Electrons, muons, jets, other objects that the release has, and missing transverse momentum."""
    gev = 1e-3 if dialect.name == "atlas_opendata_2020" else 1.0
    collections = {name: _leptons(name, gev) for name in _LEPTONS}
    for name, prefix in _OTHERS.items():
        energy = next((f"{prefix}_{e}" for e in ("E", "e") if f"{prefix}_{e}" in tree.branches), None)
        if energy is not None:
            collections[name] = _jagged(name, prefix, energy, gev)
    collections["MET"] = Fields({"pt": ("float64", partial(_met, gev=gev)), "phi": ("float64", _met_phi)})
    return assembled(collections, _SCALARS, tree)


def _mine(source: Source, name: str) -> NDArray[np.bool_]:
    """Leptons of one flavour among all."""
    return np.asarray(source.chunk.view.flat("lepton_type") == _LEPTONS[name][0])


def _leptons(name: str, gev: float) -> Fields:
    """Leptons of one flavour out of the common list."""
    makers: dict[str, Typed] = {
        "pt": ("float64", partial(_of_lepton, name=name, field="pt", kind=np.float64, factor=gev)),
        "eta": ("float64", partial(_of_lepton, name=name, field="eta", kind=np.float64)),
        "phi": ("float64", partial(_of_lepton, name=name, field="phi", kind=np.float64)),
        "charge": ("int32", partial(_of_lepton, name=name, field="charge", kind=np.int32)),
        "mass": ("float64", constant(name, _LEPTONS[name][1])),
        "is_tight": ("bool", partial(_of_lepton, name=name, field="tight", kind=np.bool_)),
        "isolation": ("float64", partial(_isolation, name=name)),
    }
    return Fields(makers, partial(_lepton_offsets, name=name))


def _of_lepton(
    source: Source, *, name: str, field: str, kind: type[Any], factor: float | None = None
) -> NDArray[Any]:
    values = source.chunk.view.flat(f"lepton_{field}")[_mine(source, name)].astype(kind)
    return values if factor is None else values * factor


def _lepton_offsets(source: Source, *, name: str) -> NDArray[np.int64]:
    counts = source.chunk.view.counts("lepton_type")
    mine = event_of(counts)[_mine(source, name)]
    return np.concatenate([[0], np.cumsum(np.bincount(mine, minlength=len(counts)), dtype=np.int64)])


def _isolation(source: Source, *, name: str) -> NDArray[np.float64]:
    """Track cone over pT."""
    view, mine = source.chunk.view, _mine(source, name)
    cone, pt = (view.flat(f"lepton_{field}")[mine].astype(np.float64) for field in ("cone", "pt"))
    return np.asarray(np.divide(cone, pt, out=np.full(len(pt), np.inf), where=pt > 0.0))


def _jagged(name: str, prefix: str, energy: str, gev: float) -> Fields:
    """Jets and whatever else is written with pT, η, φ and energy."""
    makers: dict[str, Typed] = {
        "pt": scaled(f"{prefix}_pt", gev),
        "eta": scaled(f"{prefix}_eta"),
        "phi": scaled(f"{prefix}_phi"),
        "mass": ("float64", partial(mass_of_energy, name=name, energy=scaled(energy, gev)[1])),
        "charge": ("int32", constant(name, 0)),
    }
    if name == "Jet":
        makers["is_good"] = "bool", _jet_good
        makers["btag"] = "float64", btag
        makers["is_btagged"] = "bool", is_btagged
    return Fields(makers, partial(branch_offsets, branch=f"{prefix}_pt"))


def _jet_good(source: Source) -> NDArray[np.bool_]:
    """Jets with a jet-vertex tag where it is meant."""
    jvt = source.chunk.view.flat("jet_jvt")
    if jvt.dtype == np.bool_:
        return jvt
    pt, eta = (source.array(data("Jet", field)) for field in ("pt", "eta"))
    return np.asarray((jvt > _JVT_MIN) | (pt > _JVT_BELOW_GEV) | (np.abs(eta) > _JVT_BELOW_ETA))


def _met(source: Source, *, gev: float) -> NDArray[np.float64]:
    return source.chunk.view.scalar("met_pt").astype(np.float64) * gev


def _met_phi(source: Source) -> NDArray[np.float64]:
    return source.chunk.view.scalar("met_phi").astype(np.float64)
