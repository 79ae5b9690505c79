"""The preselection of V(qq)H(WW) in a few lines of uproot and awkward, with nothing of znought."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

__all__ = ["DEFAULTS", "Plain", "plain"]

DEFAULTS: Mapping[str, Any] = {
    "pt_l0_min_gev": 22.0,
    "pt_l1_min_gev": 15.0,
    "pt_lepton_veto_gev": 10.0,
    "abs_eta_lepton_max": 2.5,
    "isolation_max": 0.15,
    "exclude_electron_gap": True,
    "m_ll_min_gev": 10.0,
    "n_jets_min": 2,
    "pt_jet_min_gev": 30.0,
    "abs_eta_jet_max": 4.5,
    "dr_jet_lepton_min": 0.4,
    "btag_mode": "weight",
    "pt_btag_min_gev": 20.0,
    "abs_eta_btag_max": 2.5,
}
READ = {
    *("event", "genWeight", "MET_pt", "Electron_cutBased", "Muon_tightId", "Jet_jetId"),
    *("Muon_pfRelIso03_all", "Muon_pfRelIso04_all", "Electron_pfRelIso03_all"),
    *(f"{name}_{x}" for name in ("Electron", "Muon") for x in ("pt", "eta", "phi", "charge")),
    *(f"Jet_{x}" for x in ("pt", "eta", "phi", "btagDiscriminant", "btagDeepFlavB", "btagProb85")),
}
MASS = {"Electron": 0.000511, "Muon": 0.105658}


@dataclass(frozen=True)
class Plain:
    """Events and weights after each cut; of the selected events, number, dilepton mass, first jet and MET."""

    counts: list[int]
    sumw: list[float]
    size: float
    event: NDArray[Any]
    m_ll: NDArray[Any]
    pt_j0: NDArray[Any]
    met: NDArray[Any]
    generated: float | None
    lacking: frozenset[str]


def _leptons(events: Any, name: str, cuts: Mapping[str, Any], gap: tuple[float, float]) -> Any:
    """Good leptons of one flavour above the veto threshold."""
    own = name == "Electron" and "Electron_cutBased" in events.fields
    tight = name == "Muon" and "Muon_tightId" in events.fields
    cone = "pfRelIso04_all" if f"{name}_pfRelIso04_all" in events.fields else "pfRelIso03_all"
    eta, pt = events[f"{name}_eta"], events[f"{name}_pt"]
    good = (abs(eta) < cuts["abs_eta_lepton_max"]) & (pt > cuts["pt_lepton_veto_gev"])
    good = good & (events[f"{name}_{cone}"] < cuts["isolation_max"])
    if own:
        good = good & (events.Electron_cutBased >= 3)
    if tight:
        good = good & (events.Muon_tightId != 0)
    if name == "Electron" and cuts["exclude_electron_gap"]:
        good = good & ((abs(eta) <= gap[0]) | (abs(eta) >= gap[1]))
    fields = {x: ak.values_astype(events[f"{name}_{x}"], np.float64) for x in ("pt", "eta", "phi", "charge")}
    return ak.zip(fields)[good]


def _mass(one: Any, two: Any, masses: tuple[float, float]) -> Any:
    px, py = (one.pt * f(one.phi) + two.pt * f(two.phi) for f in (np.cos, np.sin))
    pz = one.pt * np.sinh(one.eta) + two.pt * np.sinh(two.eta)
    energy = sum(
        np.sqrt((p.pt * np.cosh(p.eta)) ** 2 + m**2) for p, m in zip((one, two), masses, strict=True)
    )
    return np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))


def _delta_phi(one: Any, two: Any) -> Any:
    return abs((one - two + np.pi) % (2.0 * np.pi) - np.pi)


def _generated(file: Any) -> float | None:
    if "Runs" not in file or "genEventSumw" not in file["Runs"]:
        return None
    return float(np.sum(file["Runs"]["genEventSumw"].array(library="np")))


def plain(path: str, given: Mapping[str, Any], *, is_data: bool, working_point: float) -> Plain:
    """What is selected, event by event, from a NanoAOD-like file."""
    cuts = {name: _as_read(given.get(name, value), value) for name, value in DEFAULTS.items()}
    events, generated = _read(path, READ - ({"Jet_btagProb85"} if cuts["btag_mode"] == "veto" else set()))
    simulated = "Jet_btagDiscriminant" in events.fields
    weight = np.ones(len(events)) if is_data else ak.to_numpy(events.genWeight).astype(np.float64)
    steps, veto, m_ll, pt_j0 = _steps(events, cuts, is_data=is_data, working_point=working_point)
    passed, counts, sumw = np.ones(len(events), np.bool_), [len(events)], [float(weight.sum())]
    for step in steps:
        passed = passed & ak.to_numpy(ak.fill_none(step, False))
        counts.append(int(passed.sum()))
        sumw.append(float(weight[passed].sum()))
    sumw[-1] = float((weight * veto)[passed].sum())
    order = np.argsort(ak.to_numpy(events.event)[passed], kind="stable")
    lacking = frozenset({"Electron_cutBased", "Muon_tightId", "Jet_jetId"}.difference(events.fields))
    return Plain(
        counts,
        sumw,
        float(abs(weight).sum()),
        ak.to_numpy(events.event)[passed][order],
        ak.to_numpy(ak.fill_none(m_ll, 0.0))[passed][order],
        ak.to_numpy(ak.fill_none(pt_j0, 0.0))[passed][order],
        ak.to_numpy(events.MET_pt)[passed][order].astype(np.float64),
        generated,
        frozenset() if simulated else lacking,
    )


def _as_read(given: Any, default: Any) -> Any:
    """A value of a card in the type of its default, as a number in quotes or a whole number is taken."""
    if isinstance(default, bool):
        return given in (True, 1, "true", "yes", "on", "1")
    return type(default)(given)


def _read(path: str, wanted: set[str]) -> tuple[Any, float | None]:
    """Events with the branches that are there, and the sum of generated weights."""
    with uproot.open(path) as file:
        tree = file["Events"]
        names = [name for name in tree.keys() if name in wanted]  # noqa: SIM118  # not a dict
        return tree.arrays(names, library="ak"), _generated(file)


def _steps(
    events: Any, cuts: Mapping[str, Any], *, is_data: bool, working_point: float
) -> tuple[list[Any], NDArray[Any], Any, Any]:
    """Masks of the cuts, weight of the b-veto, dilepton mass and pT of the first jet."""
    simulated = "Jet_btagDiscriminant" in events.fields
    gap = (1.37, 1.52) if simulated else (1.4442, 1.566)
    electrons, muons = (_leptons(events, name, cuts, gap) for name in ("Electron", "Muon"))
    n_e, n_mu = ak.num(electrons.pt), ak.num(muons.pt)
    two = n_e + n_mu == 2
    e, mu = ak.firsts(electrons), ak.firsts(muons)
    m_ll = _mass(e, mu, (MASS["Electron"], MASS["Muon"]))
    jets, probability = _jets(events, e, mu, cuts, simulated)
    counting = jets[(jets.pt > cuts["pt_jet_min_gev"]) & (abs(jets.eta) < cuts["abs_eta_jet_max"])]
    near = (jets.pt > cuts["pt_btag_min_gev"]) & (abs(jets.eta) < cuts["abs_eta_btag_max"])
    steps = [
        two,
        two & (n_e == 1),
        e.charge * mu.charge < 0,
        np.maximum(e.pt, mu.pt) > cuts["pt_l0_min_gev"],
        np.minimum(e.pt, mu.pt) > cuts["pt_l1_min_gev"],
        m_ll > cuts["m_ll_min_gev"],
        ak.num(counting.pt) >= cuts["n_jets_min"],
    ]
    veto = np.ones(len(events))
    if probability and not is_data:
        kept = ak.prod(1.0 - jets.probability[near], axis=1)
        veto = ak.to_numpy(ak.fill_none(kept, 1.0))
        steps.append(two)
    else:
        steps.append(~ak.any(near & (jets.btag > working_point), axis=1))
    return steps, veto, m_ll, ak.max(counting.pt, axis=1)


def _jets(events: Any, e: Any, mu: Any, cuts: Mapping[str, Any], simulated: bool) -> tuple[Any, bool]:
    """Identified jets away from both leptons, with their b-tag; whether they have a tagging probability."""
    fields = {x: ak.values_astype(events[f"Jet_{x}"], np.float64) for x in ("pt", "eta", "phi")}
    fields["btag"] = events["Jet_btagDiscriminant" if simulated else "Jet_btagDeepFlavB"]
    has_probability = "Jet_btagProb85" in events.fields
    if has_probability:
        fields["probability"] = ak.values_astype(events.Jet_btagProb85, np.float64)
    jets = ak.zip(fields)
    keep = jets.pt == jets.pt
    if not simulated and "Jet_jetId" in events.fields:
        keep = keep & ((events.Jet_jetId & 2) > 0)
    for lepton in (e, mu):
        dr2 = (jets.eta - lepton.eta) ** 2 + _delta_phi(jets.phi, lepton.phi) ** 2
        keep = keep & ak.fill_none(dr2 >= cuts["dr_jet_lepton_min"] ** 2, True)
    return jets[ak.fill_none(keep, False)], has_probability
