"""Canonical events of ATLAS DAOD_PHYSLITE: momenta from MeV, missing transverse momentum from objects."""

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
    branch_values,
    integers,
    rounded,
    scaled,
)
from znought.processors.canonical.identification import (
    MASS_ELECTRON_GEV,
    MASS_MUON_GEV,
    btag,
    constant,
    hadron_flavour,
    is_btagged,
)
from znought.processors.canonical.momenta import LEPTON_SUM, jet_sum
from znought.processors.canonical.physlite_overlap import OVERLAP, overlap, passes_overlap
from znought.processors.canonical.physlite_tracks import impact_parameters
from znought.processors.canonical.source import Catalogue, Source, data
from znought.processors.reading import Tree

__all__ = ["physlite_catalogue"]

Typed = tuple[str, Maker]

_GEV = 1e-3
_COLLECTIONS: Mapping[str, str] = {
    "Electron": "AnalysisElectrons",
    "Muon": "AnalysisMuons",
    "Tau": "AnalysisTauJets",
    "Photon": "AnalysisPhotons",
    "Jet": "AnalysisJets",
    "FatJet": "AnalysisLargeRJets",
}
_MASSES = {"Electron": MASS_ELECTRON_GEV, "Muon": MASS_MUON_GEV, "Photon": 0.0}
_CHARGED = ("Electron", "Muon", "Tau")
_SCALARS: Mapping[str, str] = {
    "run": "EventInfoAuxDyn.runNumber",
    "luminosityBlock": "EventInfoAuxDyn.lumiBlock",
    "event": "EventInfoAuxDyn.eventNumber",
}
_MUON_QUALITY_BITS = 7  # xAOD::Muon::Quality: 0 tight, 1 medium, 2 loose, 3 very loose
_JVT_BELOW_GEV = 60.0
_CALORIMETER_CONE = "topoetcone20"
_FJVT = "DFCommonJets_fJvt"
_FJVT_LOOSE, _FJVT_ETA, _FJVT_ABOVE_GEV = 0.5, (2.5, 4.5), 20.0
_PT_MET_JET_MIN_GEV = 20.0
_MET_NOTE = (
    "negative vector sum of tight leptons above 10 GeV, good jets above 20 GeV and the soft track term: "
    "PHYSLITE leaves the sum to the analysis"
)


def physlite_catalogue(tree: Tree) -> Catalogue:
    """Collections of a PHYSLITE tree; besides the canonical fields, every whole number and flag."""
    collections = {
        name: _collection(name, container, tree)
        for name, container in _COLLECTIONS.items()
        if f"{container}AuxDyn.pt" in tree.branches
    }
    if "MET_Core_AnalysisMETAuxDyn.mpx" in tree.branches:
        collections["MET"] = Fields(
            {"pt": ("float64", partial(_met, place=0)), "phi": ("float64", partial(_met, place=1))}
        )
    remaining = passes_overlap(tree) if {"Electron", "Muon", "Jet"} <= collections.keys() else {}
    for name, maker in remaining.items():
        fields = collections[name]
        collections[name] = Fields({**fields.makers, "passes_overlap": maker}, fields.offsets)
    scalars = {name: branch for name, branch in _SCALARS.items() if branch in tree.branches}
    found = assembled(collections, scalars, tree)
    return Catalogue(found.contents, {**found.makers, OVERLAP: overlap})


def _collection(name: str, container: str, tree: Tree) -> Fields:
    """Fields of one container."""
    prefix = f"{container}AuxDyn."
    makers: dict[str, Typed] = {
        "pt": scaled(f"{prefix}pt", _GEV),
        "eta": scaled(f"{prefix}eta"),
        "phi": scaled(f"{prefix}phi"),
        "charge": ("int32", constant(name, 0)),
    }
    if f"{prefix}m" in tree.branches:
        makers["mass"] = scaled(f"{prefix}m", _GEV)
    elif name in _MASSES:
        makers["mass"] = "float64", constant(name, _MASSES[name])
    if name in _CHARGED:
        makers["charge"] = "int32", partial(rounded, branch=f"{prefix}charge")
    makers |= _IDENTIFICATION.get(name, {})
    makers |= impact_parameters(name, tree)
    if name in _MASSES and f"{prefix}{_CALORIMETER_CONE}" in tree.branches:
        makers["isolation_calo"] = "float64", partial(_calorimeter_isolation, prefix=prefix)
    if f"{prefix}{_FJVT}" in tree.branches:
        makers["fjvt"] = scaled(f"{prefix}{_FJVT}")
        makers["passes_fjvt"] = "bool", _passes_fjvt
    makers |= integers(tree, prefix, makers)
    return Fields(makers, partial(branch_offsets, branch=f"{prefix}pt"))


def _electron_tight(source: Source) -> NDArray[np.bool_]:
    return np.asarray(source.chunk.view.flat("electron_id") != 0)


def _muon_tight(source: Source) -> NDArray[np.bool_]:
    return np.asarray((source.chunk.view.flat("muon_id") & _MUON_QUALITY_BITS) == 0)


def _isolation(source: Source, *, flavour: str) -> NDArray[np.float64]:
    """ptvarcone30 over pT."""
    view = source.chunk.view
    cone, pt = (view.flat(f"{flavour}_{name}").astype(np.float64) for name in ("ptvarcone", "pt"))
    return np.asarray(np.divide(cone, pt, out=np.full(len(pt), np.inf), where=pt > 0.0))


def _calorimeter_isolation(source: Source, *, prefix: str) -> NDArray[np.float64]:
    """topoetcone20 over pT."""
    cone, pt = (
        branch_values(source, branch=f"{prefix}{name}").astype(np.float64)
        for name in (_CALORIMETER_CONE, "pt")
    )
    return np.asarray(np.divide(cone, pt, out=np.full(len(pt), np.inf), where=pt > 0.0))


def _passes_fjvt(source: Source) -> NDArray[np.bool_]:
    """Jets that fJVT does not take for pile-up: below 0.5 (Loose) where it applies.

    References:
        ATLAS, arXiv:1705.02211; Athena, Reconstruction/Jet/JetJvtEfficiency, FJvtSelectionTool.
    """
    pt, eta, fjvt = (source.array(data("Jet", name)) for name in ("pt", "eta", "fjvt"))
    low, high = _FJVT_ETA
    applies = (np.abs(eta) > low) & (np.abs(eta) < high) & (pt > _FJVT_ABOVE_GEV) & (pt < _JVT_BELOW_GEV)
    return np.asarray(~applies | (fjvt <= _FJVT_LOOSE))


def _jet_good(source: Source) -> NDArray[np.bool_]:
    """NNJvt below 60 GeV."""
    return np.asarray(
        (source.chunk.view.flat("jet_jvt") != 0) | (source.array(data("Jet", "pt")) > _JVT_BELOW_GEV)
    )


_IDENTIFICATION: Mapping[str, Mapping[str, Typed]] = {
    "Electron": {
        "is_tight": ("bool", _electron_tight),
        "isolation": ("float64", partial(_isolation, flavour="electron")),
    },
    "Muon": {
        "is_tight": ("bool", _muon_tight),
        "isolation": ("float64", partial(_isolation, flavour="muon")),
    },
    "Jet": {
        "is_good": ("bool", _jet_good),
        "btag": ("float64", btag),
        "is_btagged": ("bool", is_btagged),
        "hadronFlavour": ("int32", hadron_flavour),
    },
}


def _met(source: Source, *, place: int) -> NDArray[np.float64]:
    """pT or φ of the missing transverse momentum."""
    source.declare("MET", _MET_NOTE)
    soft = source.chunk.dialect.missing(source.chunk.view)
    pt = source.array(data("Jet", "pt"))
    use = source.array(data("Jet", "is_good")) & (pt > _PT_MET_JET_MIN_GEV)
    hard: NDArray[Any] = jet_sum(source, use.astype(np.float64)) + source.array(LEPTON_SUM)
    px, py = soft.px - hard[0], soft.py - hard[1]
    return np.asarray(np.hypot(px, py) if place == 0 else np.arctan2(py, px))
