"""The NanoAOD family: CMS versions 9, 12 and 15, and the ntuples of the simulation."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.base import Dialect, Flavour
from znought.processors.dialects.jet_identification import JET_ID_FIELDS, identified_jets
from znought.processors.dialects.layout import Field, Source
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons, Missing

__all__ = [
    "NANOAOD_OTHER",
    "NANOAOD_V9",
    "NANOAOD_V12",
    "NANOAOD_V15",
    "SIMULATION",
    "is_like_nanoaod",
]

_ELECTRON_MEDIUM = 3  # Electron_cutBased: 0 fail, 1 veto, 2 loose, 3 medium, 4 tight

_HARD_ONLY = "H_T of leptons and jets only: the ntuple has no soft activity"
_SOFT_JETS = "soft term from SoftActivityJetHT, the H_T of soft track jets"
_ROOT_SIGNIFICANCE = "square root of the χ²-like MET_significance"
_MET_OVER_ROOT_HT = "E_T^miss / √H_T: the ntuple has no object-based significance"
_ANY_ELECTRON = "every electron counts as identified: the ntuple holds no cut-based identification"
_ANY_MUON = "every muon counts as identified: the ntuple holds no tight identification"
_ANY_JET = "every jet counts as identified: the ntuple holds no jet identification"
_UNMENDED = "Jet_jetId as version 12 writes it, too loose beyond |η| = 2.7: the ntuple lacks what mends it"
_PUPPI_TRACK = "PuppiMET in place of the track-based one, which this version lacks"


def _leptons(view: View, flavour: Flavour) -> Leptons:
    """Electrons (medium cut-based) or muons (tight), with relative isolation."""
    pt = view.flat(f"{flavour}_pt")
    if not view.has(f"{flavour}_id"):
        identified = np.ones(len(pt), np.bool_)
    elif flavour == "electron":
        identified = view.bits("electron_id") >= _ELECTRON_MEDIUM
    else:
        identified = view.bits("muon_id").astype(np.bool_)
    return Leptons(
        view.counts(f"{flavour}_pt"),
        pt,
        view.flat(f"{flavour}_eta"),
        view.flat(f"{flavour}_phi"),
        view.flat(f"{flavour}_charge"),
        view.flat(f"{flavour}_isolation"),
        identified,
    )


def _jets(view: View, btag: Floats) -> Jets:
    """Jets, with the identification of their era where the version has one."""
    pt, eta, phi, mass = (view.flat(f"jet_{x}") for x in ("pt", "eta", "phi", "mass"))
    usable = identified_jets(view)
    return Jets(view.counts("jet_pt"), pt, eta, phi, mass, usable, btag, view.objects("jet_pt"))


def _missing(view: View) -> Missing:
    """Missing transverse momentum, track-based one, significance and soft activity."""
    px, py = _cartesian(view, "met")
    track_px, track_py = _cartesian(view, "met_track")
    significance = None
    if view.has("met_significance"):
        significance = view.scalar("met_significance").astype(np.float64)
        if "met_significance" in view.layout.substitutes:
            significance = np.sqrt(np.maximum(significance, 0.0))
    soft = view.scalar("soft_ht").astype(np.float64) if view.has("soft_ht") else np.zeros(len(px))
    return Missing(px, py, track_px, track_py, significance, soft)


def _cartesian(view: View, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """px and py in GeV of a transverse momentum stored as pt and phi."""
    pt = view.scalar(f"{name}_pt").astype(np.float64)
    phi = view.scalar(f"{name}_phi").astype(np.float64)
    return pt * np.cos(phi), pt * np.sin(phi)


def _btag(view: View) -> Floats:
    """The version's b-tag discriminant of every jet."""
    return view.flat("jet_btag")


def _gen_weight(view: View) -> NDArray[np.float64]:
    """Generator weight, signed."""
    return view.scalar("gen_weight").astype(np.float64)


def _transverse(name: str, best: str, instead: str = "", note: str = "") -> tuple[Field, Field]:
    """pT and φ of a missing transverse momentum, and of what stands in for it."""
    pt, phi = (
        Field(f"{name}_{x}", (Source(f"{best}_{x}"), *([Source(f"{instead}_{x}", note)] if instead else [])))
        for x in ("pt", "phi")
    )
    return pt, phi


_COMMON = (
    Field.of("run", "run"),
    Field.of("luminosity_block", "luminosityBlock"),
    Field.of("event", "event"),
    Field.of("response", "response", optional=True),
    Field.of("gen_weight", "genWeight", optional=True),
    Field.of("pileup", "Pileup_nTrueInt", optional=True),
    *(Field.of(f"electron_{x}", f"Electron_{x}") for x in ("pt", "eta", "phi", "charge")),
    *(Field.of(f"muon_{x}", f"Muon_{x}") for x in ("pt", "eta", "phi", "charge")),
    Field.of("electron_isolation", "Electron_pfRelIso03_all"),
    *(Field.of(f"jet_{x}", f"Jet_{x}") for x in ("pt", "eta", "phi", "mass")),
    Field.of("jet_flavour", "Jet_hadronFlavour", optional=True),
    Field.of("jet_btag_probability", "Jet_btagProb85", optional=True),
)
_CMS = (
    *_COMMON,
    Field.of("muon_isolation", "Muon_pfRelIso04_all"),
    Field.of("electron_id", "Electron_cutBased", fallback=_ANY_ELECTRON),
    Field.of("muon_id", "Muon_tightId", fallback=_ANY_MUON),
    *JET_ID_FIELDS,
    Field.of("jet_id", "Jet_jetId", fallback=_ANY_JET, unless="jet_n_neutral"),
    Field("soft_ht", (Source("SoftActivityJetHT", _SOFT_JETS),), _HARD_ONLY),
)
_TO_V12 = (
    *_CMS,
    *_transverse("met", "MET"),
    Field("met_significance", (Source("MET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
)

NANOAOD_V12 = Dialect(
    name="nanoaod_v12",
    description="CMS NanoAOD version 10 to 12 (Run 3, ParticleNet b-tag, no track MET)",
    tree="Events",
    markers=("MET_pt", "Jet_btagPNetB"),
    fields=(
        *_TO_V12,
        Field.of("jet_id_mended", "Jet_neHEF", fallback=_UNMENDED, beside="jet_id"),
        Field.of("jet_btag", "Jet_btagPNetB"),
        *_transverse("met_track", "TkMET", instead="PuppiMET", note=_PUPPI_TRACK),
    ),
    leptons=_leptons,
    jets=_jets,
    btag=_btag,
    missing=_missing,
    gen_weight=_gen_weight,
    sums="runs",
    identity=("run", "luminosity_block", "event"),
    electron_gap=(1.4442, 1.566),
)

NANOAOD_V9 = replace(
    NANOAOD_V12,
    name="nanoaod_v9",
    description="CMS NanoAOD up to version 9 (Run 2, DeepJet b-tag, TkMET)",
    markers=("MET_pt", "Jet_btagDeepFlavB"),
    fields=(
        *_TO_V12,
        Field.of("jet_btag", "Jet_btagDeepFlavB"),
        *_transverse("met_track", "TkMET"),
    ),
)

NANOAOD_V15 = replace(
    NANOAOD_V12,
    name="nanoaod_v15",
    description="CMS NanoAOD version 13 to 15, TTree or RNTuple (PFMET, TrkMET, UParT b-tag)",
    markers=("PFMET_pt",),
    fields=(
        *_CMS,
        Field.of("jet_btag", "Jet_btagUParTAK4B", "Jet_btagPNetB"),
        *_transverse("met", "PFMET"),
        *_transverse("met_track", "TrkMET", instead="PuppiMET", note=_PUPPI_TRACK),
        Field("met_significance", (Source("PFMET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
    ),
)

SIMULATION = replace(
    NANOAOD_V12,
    name="simulation",
    description="ntuples of the simulation of this package (NanoAOD-like)",
    markers=("Jet_btagDiscriminant", "SoftActivity_ht"),
    fields=(
        # Leptons and jets of the simulation are identified: what fails is not written.
        *_COMMON,
        Field.of("muon_isolation", "Muon_pfRelIso03_all"),
        Field.of("jet_btag", "Jet_btagDiscriminant"),
        *_transverse("met", "MET"),
        *_transverse("met_track", "TkMET"),
        Field.of("met_significance", "MET_significance"),
        Field.of("soft_ht", "SoftActivity_ht"),
        # Quadratic form of the SMEFT weight, in samples that carry it.
        *(Field.of(f"smeft_{i}", f"SMEFTWeight_{i}", optional=True) for i in range(6)),
    ),
    electron_gap=(1.37, 1.52),
)

NANOAOD_OTHER = replace(
    NANOAOD_V9,
    name="nanoaod",
    description="NanoAOD-like trees with some of the collections only, such as skims and scouting",
    markers=(),
    fields=(
        *_CMS,
        Field.of("jet_btag", "Jet_btagUParTAK4B", "Jet_btagPNetB", "Jet_btagDeepFlavB"),
        *_transverse("met", "MET", instead="PFMET", note="PFMET"),
        *_transverse("met_track", "TkMET", instead="TrkMET", note="TrkMET"),
        Field("met_significance", (Source("MET_significance", _ROOT_SIGNIFICANCE),), _MET_OVER_ROOT_HT),
    ),
)


def is_like_nanoaod(present: Collection[str]) -> bool:
    """Whether some collection is written as NanoAOD does: `nJet` beside `Jet_pt`.

    >>> is_like_nanoaod({"nMuon", "Muon_pt"}), is_like_nanoaod({"lep_n", "lep_pt"})
    (True, False)
    """
    names = (branch.removesuffix("_pt") for branch in present if branch.endswith("_pt"))
    return any(f"n{name}" in present for name in names)
