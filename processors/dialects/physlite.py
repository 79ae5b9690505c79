"""ATLAS DAOD_PHYSLITE: objects calibrated, E_T^miss to be built from objects and the soft track term."""

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.dialects.base import Dialect, Flavour
from znought.processors.dialects.layout import Field
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons, Missing

__all__ = ["PHYSLITE"]

_GEV = 1e-3
_TRACK_BIT = np.uint64(0x4000)  # MissingETBase::Source: term built from tracks
_CHARM_FRACTION = 0.018  # of the DL1d discriminant
_JVT_BELOW_MEV = 60e3
_MUON_QUALITY_BITS = 7  # xAOD::Muon::Quality: 0 tight, 1 medium, 2 loose, 3 very loose
_MUON_MEDIUM = 1

_TRACKER_ETA = 2.5
_TAGGING_KEY = (
    582299515  # of BTagging_AntiKt4EMPFlow in links: a hash of type and name, the same in all files
)

_TRACK_MET = "E_T^miss with the soft track term: PHYSLITE holds no purely track-based one"
_SIGNIFICANCE = "E_T^miss / √H_T: PHYSLITE holds no resolution of the objects"


def _leptons(view: View, flavour: Flavour) -> Leptons:
    """Tight electrons or medium muons; isolation is ptvarcone30 over pT."""
    pt = view.flat(f"{flavour}_pt")
    if flavour == "electron":
        identified = view.bits("electron_id") != 0
    else:
        identified = (view.bits("muon_id") & _MUON_QUALITY_BITS) <= _MUON_MEDIUM
    isolation = np.divide(view.flat(f"{flavour}_ptvarcone"), pt, out=np.full(len(pt), np.inf), where=pt > 0.0)
    return Leptons(
        view.counts(f"{flavour}_pt"),
        pt * np.float32(_GEV),
        view.flat(f"{flavour}_eta"),
        view.flat(f"{flavour}_phi"),
        np.rint(view.flat(f"{flavour}_charge")).astype(np.int32),
        isolation,
        identified,
    )


def _jets(view: View, btag: Floats) -> Jets:
    """Particle-flow jets with NNJvt below 60 GeV."""
    pt = view.flat("jet_pt")
    return Jets(
        view.counts("jet_pt"),
        pt * np.float32(_GEV),
        view.flat("jet_eta"),
        view.flat("jet_phi"),
        view.flat("jet_mass") * np.float32(_GEV),
        (view.bits("jet_jvt") != 0) | (pt > _JVT_BELOW_MEV),
        btag,
        view.objects("jet_pt"),
    )


def _btag(view: View) -> Floats:
    """The file's own decision, 1 or 0, where a b-tagging tool has left one; DL1d otherwise."""
    return view.bits("jet_btag").astype(np.float64) if view.has("jet_btag") else _dl1d(view)


def _dl1d(view: View) -> Floats:
    """DL1d = ln(p_b / (f_c p_c + (1 − f_c) p_u)) of every jet, through the link to its tagging.

    A jet beyond the tracker without a tagging cannot be b-tagged: −∞.
    """
    p_b, p_c, p_u = (view.flat(f"btag_{name}").astype(np.float64) for name in ("pb", "pc", "pu"))
    linked, position = _linked(view)
    other = _CHARM_FRACTION * p_c + (1.0 - _CHARM_FRACTION) * p_u
    tagged = (p_b > 0.0) & (other > 0.0)
    discriminant = np.log(np.divide(p_b, other, out=np.full(len(p_b), 1e-30), where=tagged))
    of_jets = np.full(len(linked), -np.inf)
    of_jets[linked] = discriminant[position]
    return of_jets


def _linked(view: View) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which jets have a tagging, and its place among all, shape (n_linked,).

    Raises:
        DataError: a jet in the tracker's acceptance has no tagging of its own event and collection.
    """
    index, key = view.bits("jet_btag_index").astype(np.int64), view.bits("jet_btag_key")
    jets, taggings = view.counts("jet_pt"), view.counts("btag_pb")
    event = np.repeat(np.arange(len(jets)), jets)
    linked = (key == _TAGGING_KEY) & (index >= 0) & (index < taggings[event])
    lost = np.flatnonzero(~linked & (np.abs(view.flat("jet_eta")) < _TRACKER_ETA))
    if lost.size:
        message = (
            f"{view.entries.metadata['filename']}: branch {view.layout.branches['jet_btag_index']} links "
            f"{lost.size} of {len(linked)} jets to no b-tagging of their event (the first: index "
            f"{index[lost[0]]}, key {key[lost[0]]}); their b-tags are unknown."
        )
        raise DataError(message)
    first = np.cumsum(taggings) - taggings
    return linked, first[event[linked]] + index[linked]


def _missing(view: View) -> Missing:
    """The soft track term; leptons and jets are added once they are selected."""
    n_events = len(view)
    event = np.repeat(np.arange(n_events), view.counts("met_source"))
    is_track = (view.bits("met_source").astype(np.uint64) & _TRACK_BIT) != 0

    def total(name: str, keep: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        values = view.flat(name)[keep].astype(np.float64) * _GEV
        return np.bincount(event[keep], weights=values, minlength=n_events).astype(np.float64)

    return Missing(
        total("met_mpx", is_track),
        total("met_mpy", is_track),
        None,
        None,
        None,
        total("met_sumet", slice(None)),
        soft_only=True,
    )


def _gen_weight(view: View) -> NDArray[np.float64]:
    """The nominal generator weight: the first of the event's weights."""
    counts = view.counts("gen_weight")
    if len(counts) and counts.min() < 1:
        branch, path = view.layout.branches["gen_weight"], view.entries.metadata["filename"]
        message = f"{path}: branch {branch} holds no weight in {int((counts < 1).sum())} events."
        raise DataError(message)
    return np.asarray(view.flat("gen_weight")[np.cumsum(counts) - counts], np.float64)


def _aux(collection: str, field: str) -> str:
    return f"{collection}AuxDyn.{field}"


_LINK = _aux("AnalysisJets", "btaggingLink")
# As ATLAS' algorithms name decisions of a b-tagging tool, now and before: tagger and efficiency.
_DECISIONS = tuple(
    _aux("AnalysisJets", name)
    for tagger in ("GN2v01_FixedCutBEff_85", "DL1dv01_FixedCutBEff_85")
    for name in (f"{tagger}_select", f"ftag_select_{tagger}")
)
_ISOLATION = "ptvarcone30_Nonprompt_All_MaxWeightTTVA"

PHYSLITE = Dialect(
    name="physlite",
    description="ATLAS DAOD_PHYSLITE",
    tree="CollectionTree",
    markers=("AnalysisElectronsAuxDyn.pt", "AnalysisJetsAuxDyn.pt"),
    fields=(
        Field.of("run", _aux("EventInfo", "runNumber")),
        Field.of("luminosity_block", _aux("EventInfo", "lumiBlock")),
        Field.of("event", _aux("EventInfo", "eventNumber")),
        Field.of("gen_weight", _aux("EventInfo", "mcEventWeights"), optional=True),
        Field.of("pileup", _aux("EventInfo", "actualInteractionsPerCrossing"), optional=True),
        *(Field.of(f"electron_{x}", _aux("AnalysisElectrons", x)) for x in ("pt", "eta", "phi", "charge")),
        Field.of("electron_id", _aux("AnalysisElectrons", "DFCommonElectronsLHTight")),
        Field.of("electron_ptvarcone", _aux("AnalysisElectrons", f"{_ISOLATION}LooseCone_pt1000")),
        *(Field.of(f"muon_{x}", _aux("AnalysisMuons", x)) for x in ("pt", "eta", "phi", "charge")),
        Field.of("muon_id", _aux("AnalysisMuons", "quality")),
        Field.of("muon_ptvarcone", _aux("AnalysisMuons", f"{_ISOLATION}_pt1000")),
        *(Field.of(f"jet_{x}", _aux("AnalysisJets", x)) for x in ("pt", "eta", "phi")),
        Field.of("jet_mass", _aux("AnalysisJets", "m")),
        Field.of("jet_flavour", _aux("AnalysisJets", "HadronConeExclTruthLabelID"), optional=True),
        Field.of("jet_jvt", _aux("AnalysisJets", "NNJvtPass")),
        Field.of("jet_btag", *_DECISIONS, optional=True),
        Field.of("jet_btag_index", f"{_LINK}/{_LINK}.m_persIndex", unless="jet_btag"),
        Field.of("jet_btag_key", f"{_LINK}/{_LINK}.m_persKey", unless="jet_btag"),
        *(
            Field.of(f"btag_{x}", _aux("BTagging_AntiKt4EMPFlow", f"DL1dv01_{x}"), unless="jet_btag")
            for x in ("pb", "pc", "pu")
        ),
        Field.of("met_mpx", _aux("MET_Core_AnalysisMET", "mpx")),
        Field.of("met_mpy", _aux("MET_Core_AnalysisMET", "mpy")),
        Field.of("met_sumet", _aux("MET_Core_AnalysisMET", "sumet")),
        Field.of("met_source", _aux("MET_Core_AnalysisMET", "source")),
        Field("met_track", (), _TRACK_MET),
        Field("met_significance", (), _SIGNIFICANCE),
    ),
    leptons=_leptons,
    jets=_jets,
    btag=_btag,
    missing=_missing,
    gen_weight=_gen_weight,
    sums="bookkeepers",
    identity=("run", "luminosity_block", "event"),
    electron_gap=(1.37, 1.52),
)
