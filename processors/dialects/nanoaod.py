"""The NanoAOD family: CMS versions 9, 12 and 15, and the ntuples of the simulation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.base import Dialect, Flavour
from znought.processors.dialects.layout import Field, Source
from znought.processors.dialects.view import View
from znought.processors.objects import Jets, Leptons, Missing

__all__ = ["NANOAOD_V9", "NANOAOD_V12", "NANOAOD_V15", "SIMULATION"]

_ELECTRON_MEDIUM = 3  # Electron_cutBased: 0 fail, 1 veto, 2 loose, 3 medium, 4 tight
_JET_TIGHT = 2  # bit of Jet_jetId

_HARD_ONLY = "H_T of leptons and jets only: the ntuple has no soft activity"
_SOFT_JETS = "soft term from SoftActivityJetHT, the H_T of soft track jets"
_ROOT_SIGNIFICANCE = "square root of the χ²-like MET_significance"
_MET_OVER_ROOT_HT = "E_T^miss / √H_T: the ntuple has no object-based significance"
_PUPPI_TRACK = "PuppiMET in place of the track-based one, which this version lacks"


def _leptons(view: View, flavour: Flavour) -> Leptons:
    """Electrons (medium cut-based) or muons (tight), with relative isolation."""
    pt = view.flat(f"{flavour}_pt")
    if not view.has(f"{flavour}_id"):
        identified = np.ones(len(pt), np.bool_)
    elif flavour == "electron":
        identified = view.flat("electron_id") >= _ELECTRON_MEDIUM
    else:
        identified = view.flat("muon_id").astype(np.bool_)
    return Leptons(
        view.counts(f"{flavour}_pt"),
        pt,
        view.flat(f"{flavour}_eta"),
        view.flat(f"{flavour}_phi"),
        view.flat(f"{flavour}_charge"),
        view.flat(f"{flavour}_isolation"),
        identified,
    )


def _jets(view: View, events: NDArray[np.bool_]) -> Jets:
    """Jets of the events in the mask, with tight identification where the version has one."""
    counts = view.counts("jet_pt")
    mine = np.repeat(events, counts)
    usable = np.ones(int(mine.sum()), np.bool_)
    if view.has("jet_id"):
        usable = (view.flat("jet_id")[mine] & _JET_TIGHT) > 0
    probability = view.flat("jet_btag_probability")[mine] if view.has("jet_btag_probability") else None
    return Jets(
        counts[events],
        view.flat("jet_pt")[mine],
        view.flat("jet_eta")[mine],
        view.flat("jet_phi")[mine],
        view.flat("jet_mass")[mine],
        view.flat("jet_btag")[mine],
        probability,
        usable,
        np.flatnonzero(mine),
    )


def _missing(view: View, events: NDArray[np.bool_]) -> Missing:
    """Missing transverse momentum, track-based one, significance and soft activity."""
    px, py = _cartesian(view, "met", events)
    track_px, track_py = _cartesian(view, "met_track", events)
    significance = None
    if view.has("met_significance"):
        significance = view.scalar("met_significance")[events].astype(np.float64)
        if "met_significance" in view.layout.substitutes:
            significance = np.sqrt(np.maximum(significance, 0.0))
    soft = view.scalar("soft_ht")[events].astype(np.float64) if view.has("soft_ht") else np.zeros(len(px))
    return Missing(px, py, track_px, track_py, significance, soft)


def _cartesian(
    view: View, name: str, events: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """px and py in GeV of a transverse momentum stored as pt and phi."""
    pt = view.scalar(f"{name}_pt")[events].astype(np.float64)
    phi = view.scalar(f"{name}_phi")[events].astype(np.float64)
    return pt * np.cos(phi), pt * np.sin(phi)


def _gen_weight(view: View) -> NDArray[np.float64]:
    """Generator weight, signed."""
    return view.scalar("gen_weight").astype(np.float64)


_EVENT = (
    Field.of("run", "run"),
    Field.of("luminosity_block", "luminosityBlock"),
    Field.of("event", "event"),
    Field.of("response", "response", optional=True),
    Field.of("gen_weight", "genWeight", optional=True),
    Field.of("pileup", "Pileup_nTrueInt", optional=True),
)
_LEPTONS = (
    *(Field.of(f"electron_{x}", f"Electron_{x}") for x in ("pt", "eta", "phi", "charge")),
    *(Field.of(f"muon_{x}", f"Muon_{x}") for x in ("pt", "eta", "phi", "charge")),
    Field.of("electron_isolation", "Electron_pfRelIso03_all"),
    Field.of("electron_id", "Electron_cutBased", optional=True),
    Field.of("muon_id", "Muon_tightId", optional=True),
)
_JETS = (
    *(Field.of(f"jet_{x}", f"Jet_{x}") for x in ("pt", "eta", "phi", "mass")),
    Field.of("jet_id", "Jet_jetId", optional=True),
    Field.of("jet_btag_probability", "Jet_btagProb85", optional=True),
    Field.of("jet_flavour", "Jet_hadronFlavour", optional=True),
)
_COMMON = (*_EVENT, *_LEPTONS, *_JETS)

NANOAOD_V12 = Dialect(
    name="nanoaod_v12",
    description="CMS NanoAOD version 10 to 12 (Run 3, ParticleNet b-tag, no track MET)",
    tree="Events",
    markers=("MET_pt", "Jet_btagPNetB"),
    fields=(
        *_COMMON,
        Field.of("muon_isolation", "Muon_pfRelIso04_all"),
        Field.of("jet_btag", "Jet_btagPNetB"),
        Field.of("met_pt", "MET_pt"),
        Field.of("met_phi", "MET_phi"),
        Field("met_track_pt", (Source("TkMET_pt"), Source("PuppiMET_pt", _PUPPI_TRACK))),
        Field("met_track_phi", (Source("TkMET_phi"), Source("PuppiMET_phi", _PUPPI_TRACK))),
        Field("met_significance", (Source("MET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
        Field("soft_ht", (Source("SoftActivityJetHT", _SOFT_JETS),), _HARD_ONLY),
    ),
    leptons=_leptons,
    jets=_jets,
    missing=_missing,
    gen_weight=_gen_weight,
    sums="runs",
    btag_working_point=0.047,  # ParticleNet, loose
    electron_gap=(1.4442, 1.566),
)

NANOAOD_V9 = replace(
    NANOAOD_V12,
    name="nanoaod_v9",
    description="CMS NanoAOD up to version 9 (Run 2, DeepJet b-tag, TkMET)",
    markers=("MET_pt", "Jet_btagDeepFlavB"),
    fields=(
        *_COMMON,
        Field.of("muon_isolation", "Muon_pfRelIso04_all"),
        Field.of("jet_btag", "Jet_btagDeepFlavB"),
        Field.of("met_pt", "MET_pt"),
        Field.of("met_phi", "MET_phi"),
        Field.of("met_track_pt", "TkMET_pt"),
        Field.of("met_track_phi", "TkMET_phi"),
        Field("met_significance", (Source("MET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
        Field("soft_ht", (Source("SoftActivityJetHT", _SOFT_JETS),), _HARD_ONLY),
    ),
    btag_working_point=0.0490,  # DeepJet, loose
)

NANOAOD_V15 = replace(
    NANOAOD_V12,
    name="nanoaod_v15",
    description="CMS NanoAOD version 13 to 15, TTree or RNTuple (PFMET, TrkMET, UParT b-tag)",
    markers=("PFMET_pt",),
    fields=(
        *_COMMON,
        Field.of("muon_isolation", "Muon_pfRelIso04_all"),
        Field.of("jet_btag", "Jet_btagUParTAK4B", "Jet_btagPNetB"),
        Field.of("met_pt", "PFMET_pt"),
        Field.of("met_phi", "PFMET_phi"),
        Field("met_track_pt", (Source("TrkMET_pt"), Source("PuppiMET_pt", _PUPPI_TRACK))),
        Field("met_track_phi", (Source("TrkMET_phi"), Source("PuppiMET_phi", _PUPPI_TRACK))),
        Field("met_significance", (Source("PFMET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
        Field("soft_ht", (Source("SoftActivityJetHT", _SOFT_JETS),), _HARD_ONLY),
    ),
    btag_working_point=0.0246,  # UParT, loose
)

SIMULATION = replace(
    NANOAOD_V12,
    name="simulation",
    description="ntuples of the simulation of this package (NanoAOD-like)",
    markers=("Jet_btagDiscriminant", "SoftActivity_ht"),
    fields=(
        *_COMMON,
        Field.of("muon_isolation", "Muon_pfRelIso03_all"),
        Field.of("jet_btag", "Jet_btagDiscriminant"),
        Field.of("met_pt", "MET_pt"),
        Field.of("met_phi", "MET_phi"),
        Field.of("met_track_pt", "TkMET_pt"),
        Field.of("met_track_phi", "TkMET_phi"),
        Field.of("met_significance", "MET_significance"),
        Field.of("soft_ht", "SoftActivity_ht"),
        # Quadratic form of the SMEFT weight, in samples that carry it.
        *(Field.of(f"smeft_{i}", f"SMEFTWeight_{i}", optional=True) for i in range(6)),
    ),
    btag_working_point=0.15,  # 85 %
    electron_gap=(1.37, 1.52),
)
