"""Flat ntuples of ATLAS' TopCPToolkit: one tree, in MeV, with copies of its columns for each systematic.

An object is one of the event only where its flags `<object>_select_<name>_NOSYS` say so; elsewhere its
columns hold anything. Names of objects are those of the toolkit's examples: `el_`, `mu_`, `jet_`, `met_`.

References:
    TopCPToolkit, https://topcptoolkit.docs.cern.ch/: docs/starting/running_local.md (sums of weights),
    docs/faq/index.md (flags), docs/settings/eventselection.md (`pass_<region>`), and
    share/configs/exampleTtbarLjets/reco.yaml (names).
"""

from collections.abc import Collection
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from znought.processors.copies import NOSYS
from znought.processors.dialects.base import Dialect, Flavour
from znought.processors.dialects.layout import Field
from znought.processors.dialects.opendata import jets_with_energy, missing_with_pt
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons

__all__ = ["BTAGS", "MOMENTUM", "SELECTED_BY", "TOPCPTOOLKIT", "is_like_topcptoolkit", "selected"]

_GEV = 1e-3
_PREFIXES = {"electron": "el", "muon": "mu", "jet": "jet"}
_FLAGS = {"electron": "tight", "muon": "tight", "jet": "baselineJvt"}
SELECTED_BY = ("selected", "overlap", "valid")
"""Ends of the fields whose flags select objects."""
MOMENTUM = {
    "pt": ("met_met", _GEV),
    "phi": ("met_phi", 1.0),
    "significance": ("met_significance", 1.0),
    "sumEt": ("met_sumet", _GEV),
}
"""Field of the missing transverse momentum → its column, and the unit of that."""
BTAGS = tuple(
    name.format(f"{tagger}_FixedCutBEff_{efficiency}") + end
    for tagger, efficiency, name, end in product(
        ("GN2v01", "DL1dv01"),
        (85, 77, 70, 65, 60, 90),
        ("jet_select_{}", "jet_ftag_select_{}", "jet_{}_select"),
        (NOSYS, ""),
    )
)
"""Branches of decisions of a b-tagging tool, the first of which a file's jets are tagged by."""

_ISOLATION = "0: the working point of the leptons holds their isolation"
_TRACK_MET = "E_T^miss as it is: the ntuple holds no track-based one"
_SIGNIFICANCE = "E_T^miss / √H_T: the ntuple has no object-based significance"
_HARD_ONLY = "H_T of leptons and jets only: the ntuple has no soft activity"


def selected(view: View, name: str) -> NDArray[np.bool_]:
    """Objects that all flags of their selection take, electron, muon or jet, shape (n_objects,)."""
    flags = [field for field in (f"{name}_{kind}" for kind in SELECTED_BY) if view.has(field)]
    found = np.ones(len(view.flat(f"{name}_pt")), np.bool_)
    for field in flags:
        found &= view.bits(field) != 0
    return found


def is_like_topcptoolkit(present: Collection[str]) -> bool:
    """Whether some column of numbered events is written as the common algorithms do.

    >>> is_like_topcptoolkit({"eventNumber", "el_pt_NOSYS"}), is_like_topcptoolkit({"eventNumber", "lep_pt"})
    (True, False)
    """
    return "eventNumber" in present and any(name.endswith(NOSYS) for name in present)


def _leptons(view: View, flavour: Flavour) -> Leptons:
    """Selected leptons, whose working point holds their isolation."""
    pt = view.flat(f"{flavour}_pt")
    return Leptons(
        view.counts(f"{flavour}_pt"),
        pt * np.float32(_GEV),
        view.flat(f"{flavour}_eta"),
        view.flat(f"{flavour}_phi"),
        np.rint(view.flat(f"{flavour}_charge")).astype(np.int32),
        np.zeros(len(pt), np.float32),
        selected(view, flavour),
    )


def _jets(view: View, btag: Floats) -> Jets:
    """Jets with the flags of their selection."""
    return jets_with_energy(view, btag, selected(view, "jet"), gev=_GEV)


def _btag(view: View) -> Floats:
    """The file's own decision, 1 or 0."""
    return view.bits("jet_btag").astype(np.float64)


def _gen_weight(view: View) -> NDArray[np.float64]:
    """The generator's weight alone; which scale factors apply, the card says."""
    return np.asarray(view.scalar("gen_weight"), np.float64)


def _either(name: str, base: str, *, fallback: str = "", optional: bool = False) -> Field:
    """A field of a column that systematics may change, or may not."""
    return Field.of(name, base + NOSYS, base, fallback=fallback, optional=optional)


def _objects(name: str, prefix: str) -> tuple[Field, ...]:
    """Fields of electrons, muons or jets that all of them have."""
    flag = f"{prefix}_select_{_FLAGS[name]}"
    return (
        *(_either(f"{name}_{x}", f"{prefix}_{x}") for x in ("pt", "eta", "phi")),
        _either(f"{name}_selected", flag, fallback=f"every {name} of the file: it has no {flag}"),
        _either(f"{name}_overlap", f"{prefix}_select_passesOR", optional=True),
        _either(f"{name}_valid", f"{prefix}_select_outputSelect", optional=True),
    )


TOPCPTOOLKIT = Dialect(
    name="topcptoolkit",
    description="ATLAS TopCPToolkit (flat, MeV, a copy of columns for each systematic)",
    tree="reco",
    markers=(),
    fields=(
        Field.of("run", "runNumber"),
        Field.of("luminosity_block", "lumiBlock", optional=True),
        Field.of("event", "eventNumber"),
        _either("gen_weight", "weight_mc", optional=True),
        Field.of("pileup", "actualInteractionsPerCrossing", optional=True),
        *(field for name, prefix in _PREFIXES.items() for field in _objects(name, prefix)),
        _either("electron_charge", "el_charge"),
        _either("muon_charge", "mu_charge"),
        Field("lepton_isolation", (), _ISOLATION),
        _either("jet_energy", "jet_e"),
        Field.of("jet_flavour", "jet_HadronConeExclTruthLabelID", optional=True),
        Field.of("jet_btag", *BTAGS),
        _either("met_pt", "met_met"),
        _either("met_phi", "met_phi"),
        Field("met_track", (), _TRACK_MET),
        Field("met_significance", (), _SIGNIFICANCE),
        Field("soft_ht", (), _HARD_ONLY),
    ),
    leptons=_leptons,
    jets=_jets,
    btag=_btag,
    missing=partial(missing_with_pt, gev=_GEV),
    gen_weight=_gen_weight,
    sums="histograms",
    identity=("run", "event"),
    electron_gap=(1.37, 1.52),
)
