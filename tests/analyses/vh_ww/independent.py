"""V(qq)H(WW) of calibrated NanoAOD events, worked out with awkward and correctionlib alone."""

from dataclasses import dataclass
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import uproot

from znought.processors.calibration.jets import JetCalibration

__all__ = ["Independent", "independent"]


@dataclass(frozen=True)
class Independent:
    """Selected events and a few of their variables, shape (n_selected,)."""

    event: np.ndarray
    weight: np.ndarray
    pt_j0: np.ndarray
    m_jj: np.ndarray
    met: np.ndarray


def independent(
    path: str,
    calibration: JetCalibration,
    noise: np.ndarray,
    *,
    btag: str,
    working_point: float,
    vary: tuple[str, str] = ("", "nom"),
) -> Independent:
    """Events of a file that pass the preselection with a veto of b-tagged jets.

    Args:
        path: the file.
        calibration: names of the corrections.
        noise: a Gaussian number for each jet of the file.
        btag, working_point: branch, and smallest discriminant of a b-jet.
        vary: source of the jet energy scale or "jer", and "up" or "down".
    """
    events = uproot.open(path)["Events"].arrays()
    met = "PFMET" if "PFMET_pt" in events.fields else "MET"
    electrons, muons = _leptons(events, "Electron"), _leptons(events, "Muon")
    pt, before = _momenta(events, calibration, noise, vary), events.Jet_pt
    jets = _vectors(pt, events.Jet_eta, events.Jet_phi, events.Jet_mass * pt / before)
    jets["good"], jets["btag"], jets["change"] = events.Jet_jetId >= 2, events[btag], pt - before
    tight = ak.concatenate([electrons[electrons.id >= 4], muons[muons.id >= 1]], axis=1)
    clean = _away(jets, tight[tight.pt > 10])
    dx = ak.sum(ak.where(clean, jets.change * np.cos(jets.phi), 0), axis=1)
    dy = ak.sum(ak.where(clean, jets.change * np.sin(jets.phi), 0), axis=1)
    x = events[f"{met}_pt"] * np.cos(events[f"{met}_phi"]) - dx
    y = events[f"{met}_pt"] * np.sin(events[f"{met}_phi"]) - dy
    passed, pair = _paired(electrons, muons)
    jets = jets[jets.good & _away(jets, pair)]
    passed = passed & ~ak.any((jets.pt > 20) & (abs(jets.eta) < 2.5) & (jets.btag > working_point), axis=1)
    jets = jets[(jets.pt > 30) & (abs(jets.eta) < 4.5)]
    passed = ak.to_numpy(passed & (ak.num(jets) >= 2))
    jets = jets[passed]
    jets = jets[ak.argsort(jets.pt, axis=1, ascending=False)]
    weight = events.genWeight if "genWeight" in events.fields else np.ones(len(events))
    return Independent(
        ak.to_numpy(events.event)[passed],
        ak.to_numpy(weight)[passed].astype(np.float64),
        ak.to_numpy(jets.pt[:, 0]),
        _mass(jets[:, 0], jets[:, 1]),
        np.hypot(ak.to_numpy(x), ak.to_numpy(y))[passed],
    )


def _vectors(pt: Any, eta: Any, phi: Any, mass: Any) -> Any:
    return ak.zip({"pt": pt, "eta": eta, "phi": phi, "mass": mass})


def _leptons(events: Any, name: str) -> Any:
    mass = 0.000511 if name == "Electron" else 0.105658
    pt, eta, phi = (events[f"{name}_{one}"] for one in ("pt", "eta", "phi"))
    found = _vectors(pt, eta, phi, mass)
    is_electron = name == "Electron"
    found["id"] = events.Electron_cutBased if is_electron else ak.values_astype(events.Muon_tightId, int)
    found["charge"] = events[f"{name}_charge"]
    found["iso"] = events["Electron_pfRelIso03_all" if is_electron else "Muon_pfRelIso04_all"]
    return found


def _momenta(events: Any, names: JetCalibration, noise: np.ndarray, vary: tuple[str, str]) -> Any:
    """Calibrated momenta of all jets."""
    corrections = correctionlib.CorrectionSet.from_file(names.file)
    counts = ak.num(events.Jet_pt)
    rho = next(events[name] for name in events.fields if name.endswith("fixedGridRhoFastjetAll"))

    def flat(values: Any) -> np.ndarray:
        return np.asarray(ak.flatten(values), np.float64)

    eta, phi = flat(events.Jet_eta), flat(events.Jet_phi)
    given: dict[str, Any] = {
        "JetPt": flat(events.Jet_pt) * (1 - flat(events.Jet_rawFactor)),
        "JetEta": eta,
        "JetA": flat(events.Jet_area),
        "Rho": flat(ak.broadcast_arrays(rho, events.Jet_pt)[0]),
        "systematic": vary[1] if vary[0] == "jer" else "nom",
    }

    def value(name: str) -> np.ndarray:
        group = corrections.compound if name in list(corrections.compound) else corrections
        one = group[f"{name}"]
        return np.asarray(one.evaluate(*(given[item.name] for item in one.inputs)))

    pt = given["JetPt"] * value(f"{names.scale}_L1L2L3Res_{names.algorithm}")
    given["JetPt"] = pt
    if names.resolution:
        sigma = value(f"{names.resolution}_PtResolution_{names.algorithm}")
        factor = value(f"{names.resolution}_ScaleFactor_{names.algorithm}")
        index = events.Jet_genJetIdx
        has = flat(index) >= 0
        safe = ak.where(index >= 0, index, 0)
        gen_pt, gen_eta, gen_phi = (flat(events[f"GenJet_{x}"][safe]) for x in ("pt", "eta", "phi"))
        dphi = (phi - gen_phi + np.pi) % (2 * np.pi) - np.pi
        near = has & (np.hypot(eta - gen_eta, dphi) < 0.2) & (abs(pt - gen_pt) < 3 * sigma * pt)
        drawn = noise * sigma * np.sqrt(np.maximum(factor**2 - 1, 0))
        pt = pt * np.maximum(1 + np.where(near, (factor - 1) * (pt - gen_pt) / pt, drawn), 0.1)
    if vary[0] not in ("", "jer"):
        given["JetPt"] = pt
        sign = 1 if vary[1] == "up" else -1
        pt = pt * (1 + sign * value(f"{names.scale}_{vary[0]}_{names.algorithm}"))
    return ak.unflatten(pt, counts)


def _away(jets: Any, leptons: Any) -> Any:
    """Jets farther than 0.4 from every lepton."""
    jet, lepton = ak.unzip(ak.cartesian([jets, leptons], nested=True))
    dphi = (jet.phi - lepton.phi + np.pi) % (2 * np.pi) - np.pi
    return ak.all(np.hypot(jet.eta - lepton.eta, dphi) >= 0.4, axis=2)


def _paired(electrons: Any, muons: Any) -> tuple[Any, Any]:
    """Events with one electron and one muon that pass, and their pair."""
    gap = (abs(electrons.eta) <= 1.4442) | (abs(electrons.eta) >= 1.566)
    e = electrons[(electrons.id >= 3) & gap & (abs(electrons.eta) < 2.5) & (electrons.iso < 0.15)]
    mu = muons[(muons.id >= 1) & (abs(muons.eta) < 2.5) & (muons.iso < 0.15)]
    e, mu = e[e.pt > 10], mu[mu.pt > 10]
    one = (ak.num(e) == 1) & (ak.num(mu) == 1)
    pair = ak.where(one, ak.concatenate([e, mu], axis=1), ak.concatenate([e, mu], axis=1)[:, :0])
    padded = ak.pad_none(pair, 2, clip=True)
    first, second = padded[:, 0], padded[:, 1]
    hard, soft = np.maximum(first.pt, second.pt), np.minimum(first.pt, second.pt)
    good = (first.charge * second.charge < 0) & (hard > 22) & (soft > 15)
    heavy = _mass(first, second) > 10
    return ak.fill_none(one & good & heavy, False), pair


def _mass(a: Any, b: Any) -> Any:
    """Mass of two objects."""
    parts = []
    for one in (a, b):
        px, py, pz = one.pt * np.cos(one.phi), one.pt * np.sin(one.phi), one.pt * np.sinh(one.eta)
        parts.append((np.sqrt(px**2 + py**2 + pz**2 + one.mass**2), px, py, pz))
    e, x, y, z = (one + two for one, two in zip(*parts, strict=True))
    mass = np.sqrt(np.maximum(e**2 - x**2 - y**2 - z**2, 0))
    return mass if isinstance(mass, np.ndarray) else ak.to_numpy(mass, allow_missing=True)
