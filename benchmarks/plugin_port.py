"""The preselection and inputs of vh_ww as plain functions, to see what its fast path gains."""

from typing import Any

import awkward as ak
import numpy as np

from znought.analyses.vh_ww.variables import VARIABLES
from znought.analysis import Analysis, Variable
from znought.processors.kinematics import (
    Momentum,
    collinear_mass,
    delta_phi,
    delta_y,
    invariant_mass,
    transverse_mass,
)
from znought.processors.leading import leading

__all__ = ["PORT"]


def _good(leptons: Any) -> Any:
    return leptons[
        leptons.is_tight & (leptons.isolation < 0.15) & (abs(leptons.eta) < 2.5) & (leptons.pt > 10.0)
    ]


def objects(events: Any, cuts: Any) -> dict[str, Any]:
    """Leptons, the leading one of each flavour, jets away from them, and what the event holds."""
    gap = abs(events.Electron.eta)
    electrons, muons = _good(events.Electron[(gap <= 1.37) | (gap >= 1.52)]), _good(events.Muon)
    (electron,), (muon,) = leading(electrons, 1), leading(muons, 1)
    jets = events.Jet[events.Jet.is_good]
    away = ak.ones_like(jets.eta) > 0
    for lepton in (electron, muon):
        dphi = (jets.phi - lepton.phi + np.pi) % (2 * np.pi) - np.pi
        away = away & ~((jets.eta - lepton.eta) ** 2 + dphi**2 < 0.16)
    jets = jets[away]
    hard = jets[(jets.pt > 30.0) & (abs(jets.eta) < 4.5)]
    j0, j1 = leading(hard, 2)
    swap = muon.pt > electron.pt
    return {
        "electrons": electrons,
        "muons": muons,
        "l0": _where(swap, muon, electron),
        "l1": _where(swap, electron, muon),
        "jets": hard,
        "j0": j0,
        "j1": j1,
        "taggable": jets[(jets.pt > 20.0) & (abs(jets.eta) < 2.5)],
        "met": events.MET,
        "track": events.TkMET,
        "soft": events["SoftActivity"],
    }


def _where(condition: Any, first: Momentum, second: Momentum) -> Momentum:
    fields = ("pt", "eta", "phi", "mass")
    return Momentum(*(np.where(condition, getattr(first, x), getattr(second, x)) for x in fields))


def select(o: Any, cuts: Any) -> dict[str, Any]:
    """Rows of the preselection."""
    n_e, n_mu = ak.num(o.electrons), ak.num(o.muons)
    charge = ak.sum(o.electrons.charge, axis=1) * ak.sum(o.muons.charge, axis=1)
    return {
        "two_leptons": n_e + n_mu == 2,
        "different_flavour": n_e == 1,
        "opposite_sign": charge < 0,
        "pt_l0": o.l0.pt > 22.0,
        "pt_l1": o.l1.pt > 15.0,
        "m_ll": np.nan_to_num(invariant_mass(o.l0, o.l1)) > 10.0,
        "two_jets": ~np.isnan(o.j1.pt),
    }


def weights(o: Any) -> dict[str, Any]:
    """Probability that no jet is b-tagged."""
    return {"b_veto": ak.prod(1.0 - o.taggable.btagProb85, axis=1)}


def _vector(met: Any) -> Any:
    pt, phi = ak.to_numpy(met.pt), ak.to_numpy(met.phi)
    return pt * np.cos(phi), pt * np.sin(phi)


def _total(o: Any) -> Any:
    parts = [_vector(o.track), *((p.px, p.py) for p in (o.l0, o.l1))]
    jets = [ak.to_numpy(ak.sum(o.jets.pt * trig(o.jets.phi), axis=1)) for trig in (np.cos, np.sin)]
    return np.hypot(*(sum(part[i] for part in parts) + jets[i] for i in (0, 1)))


def _m_t(o: Any) -> Any:
    momentum = o.l0.px + o.l1.px, o.l0.py + o.l1.py
    return transverse_mass(momentum, invariant_mass(o.l0, o.l1), _vector(o.met))


_FUNCTIONS: dict[str, Any] = {
    "pt_l0": lambda o: o.l0.pt,
    "pt_l1": lambda o: o.l1.pt,
    "dphi_ll": lambda o: delta_phi(o.l0.phi, o.l1.phi),
    "dy_ll": lambda o: delta_y(o.l0, o.l1),
    "m_ll": lambda o: invariant_mass(o.l0, o.l1),
    "pt_j0": lambda o: o.j0.pt,
    "pt_j1": lambda o: o.j1.pt,
    "dphi_jj": lambda o: delta_phi(o.j0.phi, o.j1.phi),
    "dy_jj": lambda o: delta_y(o.j0, o.j1),
    "m_jj": lambda o: invariant_mass(o.j0, o.j1),
    "m_tautau": lambda o: collinear_mass(o.l0, o.l1, _vector(o.met)),
    "m_t": _m_t,
    "met_track": lambda o: o.track.pt,
    "ht_soft": lambda o: o.l0.pt + o.l1.pt + ak.sum(o.jets.pt, axis=1) + o.soft.ht,
    "met_significance": lambda o: o.met.significance,
    "pt_total_track": _total,
    "sum_m_lj": lambda o: sum(invariant_mass(p, j) for p in (o.l0, o.l1) for j in (o.j0, o.j1)),
}

PORT = Analysis(
    "port",
    objects=objects,
    select=select,
    weights=weights,
    variables=tuple(
        Variable(v.name, _FUNCTIONS[v.name], bins=v.bins, edges=v.edges, undefined=-1.0)
        for v in VARIABLES
        if v.name in _FUNCTIONS
    ),
)
