"""tt̄ → ℓ + jets, as in the Analysis Grand Challenge of IRIS-HEP: one lepton, at least four jets.

The measurement is that of https://github.com/iris-hep/analysis-grand-challenge (CMS Open Data of 2015):
events with one b-tagged jet are binned in H_T, those with two or more in the mass of the hadronic top.
"""

from typing import Any

import awkward as ak

from znought import Analysis, Cuts, ProcessStyle, Variable
from znought.analyses.agc_ttbar.recipes import RECIPES

__all__ = ["ANALYSIS"]


class Selection(Cuts):
    """Cuts of the challenge.

    Attributes:
        pt_lepton_min_gev, abs_eta_lepton_max, isolation_max: of the one lepton, which is tight.
        pt_jet_min_gev, abs_eta_jet_max: of jets that count.
        n_jets_min: fewest jets.
    """

    pt_lepton_min_gev: float = 30.0
    abs_eta_lepton_max: float = 2.1
    isolation_max: float = 0.15
    pt_jet_min_gev: float = 30.0
    abs_eta_jet_max: float = 2.4
    n_jets_min: int = 4


def objects(events: Any, cuts: Selection) -> dict[str, Any]:
    """Leptons and jets that count, and the b-tagged among the jets."""
    electrons, muons = (
        leptons[
            leptons.is_tight
            & (leptons.isolation < cuts.isolation_max)
            & (leptons.pt > cuts.pt_lepton_min_gev)
            & (abs(leptons.eta) < cuts.abs_eta_lepton_max)
        ]
        for leptons in (events.Electron, events.Muon)
    )
    good = events.Jet.is_good & (events.Jet.pt > cuts.pt_jet_min_gev)
    jets = events.Jet[good & (abs(events.Jet.eta) < cuts.abs_eta_jet_max)]
    return {"electrons": electrons, "muons": muons, "jets": jets, "b_jets": jets[jets.is_btagged]}


def select(o: Any, cuts: Selection) -> dict[str, Any]:
    """Rows of the cutflow, in order."""
    return {
        "one_lepton": ak.num(o.electrons) + ak.num(o.muons) == 1,
        "jets": ak.num(o.jets) >= cuts.n_jets_min,
        "b_jet": ak.num(o.b_jets) >= 1,
    }


def m_bjj(o: Any) -> Any:
    """Mass of the three jets, one of them b-tagged, of largest combined pT, GeV, shape (n_events,)."""
    a, b, c = ak.unzip(ak.combinations(o.jets, 3))
    triple = (a + b + c)[a.is_btagged | b.is_btagged | c.is_btagged]
    return ak.firsts(triple[ak.argmax(triple.pt, axis=1, keepdims=True)]).mass


def ht(o: Any) -> Any:
    """Scalar sum of the jets' pT, GeV, shape (n_events,)."""
    return ak.sum(o.jets.pt, axis=1)


def n_b(o: Any) -> Any:
    """Number of b-tagged jets, shape (n_events,)."""
    return ak.num(o.b_jets)


ANALYSIS = Analysis(
    "agc_ttbar",
    selection=Selection,
    objects=objects,
    select=select,
    variables=(
        Variable(m_bjj, bins=(22, 110, 550), label=r"$m_{bjj}$", unit="GeV", undefined=-1.0),
        Variable(ht, bins=(22, 110, 550), label=r"$H_{T}$", unit="GeV"),
        Variable(n_b, bins="integer", label=r"$N_{b}$"),
    ),
    recipes=RECIPES,
    processes={
        "ttbar": ProcessStyle(r"$t\bar{t}$", "#f89c20"),
        "wjets": ProcessStyle(r"$W$ + jets", "#5790fc"),
        "single_top_t": ProcessStyle("Single top, t-channel", "#e42536"),
    },
)
