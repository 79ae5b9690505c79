"""The flat ntuples of ATLAS Open Data: the 2020 release in MeV and the 2025 release in GeV."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.base import Dialect, Flavour
from znought.processors.dialects.layout import Field
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons, Missing

__all__ = ["OPENDATA_2020", "OPENDATA_2025", "jets_with_energy", "missing_with_pt"]

_PDG_ID = {"electron": 11, "muon": 13}
_JVT_MIN, _JVT_BELOW_GEV, _JVT_BELOW_ETA = 0.59, 60.0, 2.4

_TRACK_MET = "calibrated E_T^miss: the ntuple holds no track-based one"
_SIGNIFICANCE = "E_T^miss / √H_T: the ntuple has no object-based significance"
_HARD_ONLY = "H_T of leptons and jets only: the ntuple has no soft activity"


def _leptons(view: View, flavour: Flavour, *, gev: float) -> Leptons:
    """Tight leptons of one flavour out of the common list; isolation is the track cone over pT."""
    counts = view.counts("lepton_pt")
    mine = view.bits("lepton_type") == _PDG_ID[flavour]
    event = np.repeat(np.arange(len(counts)), counts)[mine]
    pt = view.flat("lepton_pt")[mine]
    cone = view.flat("lepton_cone")[mine]
    return Leptons(
        np.bincount(event, minlength=len(counts)),
        pt * np.float32(gev),
        view.flat("lepton_eta")[mine],
        view.flat("lepton_phi")[mine],
        np.rint(view.flat("lepton_charge")[mine]).astype(np.int32),
        np.divide(cone, pt, out=np.full(len(pt), np.inf, np.float32), where=pt > 0.0),
        view.bits("lepton_tight")[mine].astype(np.bool_),
    )


def _jets(view: View, btag: Floats, *, gev: float) -> Jets:
    """Jets with their jet-vertex tag."""
    usable = view.flat("jet_jvt")
    if usable.dtype != np.bool_:
        pt, eta = (view.flat(f"jet_{name}").astype(np.float64) for name in ("pt", "eta"))
        usable = (usable > _JVT_MIN) | (pt * gev > _JVT_BELOW_GEV) | (np.abs(eta) > _JVT_BELOW_ETA)
    return jets_with_energy(view, btag, usable, gev=gev)


def jets_with_energy(view: View, btag: Floats, usable: NDArray[np.bool_], *, gev: float) -> Jets:
    """Jets whose mass follows from the energy.

    Args:
        view: the events.
        btag, usable: discriminant, and whether it is a good one, of each jet.
        gev: unit of momenta and energies in GeV.
    """
    pt, eta = (view.flat(f"jet_{name}").astype(np.float64) for name in ("pt", "eta"))
    mass2 = view.flat("jet_energy").astype(np.float64) ** 2 - (pt * np.cosh(eta)) ** 2
    return Jets(
        view.counts("jet_pt"),
        (pt * gev).astype(np.float32),
        eta.astype(np.float32),
        view.flat("jet_phi"),
        (np.sqrt(np.maximum(mass2, 0.0)) * gev).astype(np.float32),
        usable,
        btag,
        view.objects("jet_pt"),
    )


def _btag(view: View) -> Floats:
    """The release's b-tag discriminant of every jet."""
    return view.flat("jet_btag")


def missing_with_pt(view: View, *, gev: float) -> Missing:
    """Calibrated missing transverse momentum; nothing else is there."""
    met = view.scalar("met_pt").astype(np.float64) * gev
    phi = view.scalar("met_phi").astype(np.float64)
    return Missing(met * np.cos(phi), met * np.sin(phi), None, None, None, np.zeros(len(met)))


def _gen_weight(view: View) -> NDArray[np.float64]:
    """Generator weight times the pile-up, lepton and trigger scale factors of the ntuple."""
    weight = view.scalar("gen_weight").astype(np.float64)
    for name in _SCALE_FACTORS:
        if view.has(name):
            weight = weight * view.scalar(name)
    return weight


_SCALE_FACTORS = ("sf_pileup", "sf_electron", "sf_muon", "sf_trigger")

_COMMON = (
    Field.of("run", "runNumber"),
    Field.of("event", "eventNumber"),
    Field.of("gen_weight", "mcWeight", optional=True),
    *(
        Field.of(
            f"sf_{name}",
            f"scaleFactor_{branch}",
            f"ScaleFactor_{branch}",
            fallback=f"1: the ntuple holds no scale factor {branch}",
            beside="gen_weight",
        )
        for name, branch in (
            ("pileup", "PILEUP"),
            ("electron", "ELE"),
            ("muon", "MUON"),
            ("trigger", "LepTRIGGER"),
        )
    ),
    *(Field.of(f"lepton_{x}", f"lep_{x}") for x in ("pt", "eta", "phi", "charge", "type")),
    Field.of("lepton_tight", "lep_isTightID"),
    *(Field.of(f"jet_{x}", f"jet_{x}") for x in ("pt", "eta", "phi", "jvt")),
    Field("met_track", (), _TRACK_MET),
    Field("met_significance", (), _SIGNIFICANCE),
    Field("soft_ht", (), _HARD_ONLY),
    Field.of("total_events", "num_events", optional=True),
)

OPENDATA_2020 = Dialect(
    name="atlas_opendata_2020",
    description="ATLAS Open Data for education, 13 TeV release of 2020 (flat, MeV)",
    tree="mini",
    markers=("lep_pt", "met_et", "jet_MV2c10"),
    fields=(
        *_COMMON,
        Field.of("lepton_cone", "lep_ptcone30"),
        Field.of("jet_energy", "jet_E"),
        Field.of("jet_btag", "jet_MV2c10"),
        Field.of("met_pt", "met_et"),
        Field.of("met_phi", "met_phi"),
        Field.of("total_sumw", "SumWeights", optional=True),
    ),
    leptons=partial(_leptons, gev=1e-3),
    jets=partial(_jets, gev=1e-3),
    btag=_btag,
    missing=partial(missing_with_pt, gev=1e-3),
    gen_weight=_gen_weight,
    sums="total",
    identity=("run", "event"),
    electron_gap=(1.37, 1.52),
)

OPENDATA_2025 = Dialect(
    name="atlas_opendata_2025",
    description="ATLAS Open Data for education, 13 TeV release of 2025 (flat, GeV)",
    tree="analysis",
    markers=("lep_pt", "jet_btag_quantile"),
    fields=(
        *_COMMON,
        Field.of("lepton_cone", "lep_ptvarcone30"),
        Field.of("jet_energy", "jet_e"),
        Field.of("jet_btag", "jet_btag_quantile"),
        Field.of("met_pt", "met"),
        Field.of("met_phi", "met_phi"),
        Field.of("total_sumw", "sum_of_weights", optional=True),
    ),
    leptons=partial(_leptons, gev=1.0),
    jets=partial(_jets, gev=1.0),
    btag=_btag,
    missing=partial(missing_with_pt, gev=1.0),
    gen_weight=_gen_weight,
    sums="total",
    identity=("run", "event"),
    electron_gap=(1.37, 1.52),
)
