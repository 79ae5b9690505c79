"""Small files as TopCPToolkit writes them, with known copies of their columns under systematics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import uproot

__all__ = ["columns_of", "write_topcp"]

_SHIFTS = {"JET_Pileup_RhoTopology__1up": 1.05, "JET_Pileup_RhoTopology__1down": 0.96}
_OF_WEIGHTS = {"PRW_DATASF__1up": 1.1, "PRW_DATASF__1down": 0.92}
_ONE_SIDED = "MET_SoftTrk_ResoPara"
_THRESHOLD_MEV = 25e3


def _objects(rng: np.random.Generator, counts: Any, mean_pt_mev: float) -> dict[str, Any]:
    n = int(counts.sum())
    pt = 20e3 + rng.exponential(mean_pt_mev, n)
    eta = rng.normal(0.0, 1.2, n)
    made = {"pt": pt, "eta": eta, "phi": rng.uniform(-np.pi, np.pi, n), "e": pt * np.cosh(eta) * 1.02}
    return {name: ak.unflatten(values.astype(np.float32), counts) for name, values in made.items()}


def _flags(rng: np.random.Generator, counts: Any, share: float) -> ak.Array:
    return ak.unflatten((rng.random(int(counts.sum())) < share).astype(np.int8), counts)


def columns_of(n_events: int, *, seed: int, is_data: bool = False, first: int = 0) -> dict[str, Any]:
    """Branches of a tree: jets move under one systematic, weights under another, one has one side."""
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = {
        "runNumber": np.full(n_events, 340000 if is_data else 300000, np.uint32),
        "eventNumber": (np.arange(n_events) + first).astype(np.uint64),
        "actualInteractionsPerCrossing": rng.uniform(10, 60, n_events).astype(np.float32),
    }
    for prefix, flag in (("el", "tight"), ("mu", "tight"), ("jet", "baselineJvt")):
        counts = rng.integers(0, 6 if prefix == "jet" else 3, n_events)
        made = _objects(rng, counts, 40e3)
        varying = ("pt", "e")
        found |= {f"{prefix}_{name}{'_NOSYS' * (name in varying)}": one for name, one in made.items()}
        found[f"{prefix}_select_{flag}_NOSYS"] = _flags(rng, counts, 0.9)
        found[f"{prefix}_select_passesOR_NOSYS"] = _flags(rng, counts, 0.95)
        if prefix != "jet":
            found[f"{prefix}_charge"] = ak.unflatten(
                rng.choice(np.array([-1, 1], np.float32), int(counts.sum())), counts
            )
    jets = ak.num(found["jet_eta"]).to_numpy()
    found["jet_select_GN2v01_FixedCutBEff_77_NOSYS"] = _flags(rng, jets, 0.3)
    found["met_met_NOSYS"] = rng.exponential(50e3, n_events).astype(np.float32)
    found["met_phi_NOSYS"] = rng.uniform(-np.pi, np.pi, n_events).astype(np.float32)
    found["pass_jets_NOSYS"] = _passes(found["jet_pt_NOSYS"])
    return found if is_data else found | _of_simulation(rng, found, n_events)


def _passes(pt: ak.Array) -> Any:
    return (ak.sum(pt > _THRESHOLD_MEV, axis=1) >= 2).to_numpy().astype(np.int8)


def _of_simulation(rng: np.random.Generator, found: Mapping[str, Any], n_events: int) -> dict[str, Any]:
    """Weights, and the copies of columns."""
    weight = rng.choice(np.array([1.0, 1.0, 1.0, -1.0]), n_events) * 2.5
    made: dict[str, Any] = {"weight_mc_NOSYS": weight.astype(np.float32)}
    for name in ("pileup", "leptonSF_tight"):
        made[f"weight_{name}_NOSYS"] = rng.uniform(0.8, 1.2, n_events).astype(np.float32)
    for systematic, factor in _SHIFTS.items():
        pt, energy = (found[f"jet_{name}_NOSYS"] * np.float32(factor) for name in ("pt", "e"))
        made |= {f"jet_pt_{systematic}": pt, f"jet_e_{systematic}": energy}
        made[f"met_met_{systematic}"] = found["met_met_NOSYS"] * np.float32(2.0 - factor)
        made[f"jet_select_baselineJvt_{systematic}"] = _flags(rng, ak.num(pt).to_numpy(), 0.85)
        made[f"pass_jets_{systematic}"] = _passes(pt)
        made[f"weight_leptonSF_tight_{systematic}"] = made["weight_leptonSF_tight_NOSYS"] * np.float32(1.01)
    for systematic, factor in _OF_WEIGHTS.items():
        made[f"weight_pileup_{systematic}"] = made["weight_pileup_NOSYS"] * np.float32(factor)
    made[f"met_met_{_ONE_SIDED}"] = found["met_met_NOSYS"] + np.float32(8e3)
    for systematic in ("GEN_muR05", "GEN_muR20"):
        varied = made["weight_mc_NOSYS"] * rng.uniform(0.6, 1.5, n_events)
        made[f"weight_mc_{systematic}"] = varied.astype(np.float32)
    return made


def write_topcp(
    path: Path, columns: Mapping[str, Any], sums: Mapping[str, tuple[float, float, float]]
) -> Path:
    """Writes a file; `sums` are bins of `CutBookkeeper_<key>`."""
    types = {
        name: one.dtype if isinstance(one, np.ndarray) else ak.type(one).content
        for name, one in columns.items()
    }
    with uproot.recreate(path) as file:
        file.mktree("reco", types).extend(dict(columns))
        for key, values in sums.items():
            made = hist.Hist(hist.axis.Regular(3, 0, 3), storage=hist.storage.Double())
            made[...] = values
            file[f"CutBookkeeper_{key}"] = made
    return path
