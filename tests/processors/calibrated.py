"""NanoAOD with all that a calibration of jets reads, and a small calibration for it."""

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from tests.processors.test_identification import nanoaod

__all__ = ["N_EVENTS", "calibrated_columns", "write_jet_energies"]

N_EVENTS = 100


def calibrated_columns(
    version: int, *, seed: int | None = None, n_events: int = N_EVENTS, every_id: bool = False
) -> dict[str, Any]:
    """NanoAOD columns with all that a calibration reads; particle-level jets are near, far, or not there.

    Args:
        version: of NanoAOD.
        seed: of everything; that of the version unless given.
        n_events: at most 300 unless a seed is given.
        every_id: every lepton and jet is identified, in place of every other one, and few jets are tagged.
    """
    rng = np.random.default_rng(version if seed is None else seed)
    if seed is None:
        columns = {name: values[:n_events] for name, values in nanoaod(version).items()}
    else:
        columns = nanoaod(version, seed=seed, n_events=n_events)
    for name, passing in {"Electron_cutBased": 4, "Muon_tightId": True, "Jet_jetId": 6}.items():
        if every_id:
            columns[name] = ak.full_like(columns[name], passing)
    for name in [name for name in columns if name.startswith("Jet_btag") and every_id]:
        columns[name] = columns[name] * np.float32(0.3)
    counts = ak.num(columns["Jet_pt"])
    n_jets = int(ak.sum(counts))

    def jagged(values: Any, kind: type = np.float32) -> ak.Array:
        return ak.unflatten(np.asarray(values, kind), counts)

    def flat(name: str) -> Any:
        return ak.to_numpy(ak.flatten(columns[name]))

    place = ak.to_numpy(ak.flatten(ak.local_index(columns["Jet_pt"])))
    columns["Jet_rawFactor"] = jagged(rng.uniform(-0.1, 0.2, n_jets))
    columns["Jet_area"] = jagged(rng.uniform(0.4, 0.6, n_jets))
    # A fifth without a partner, a fifth with one too far in angle, the others near.
    kind = rng.integers(0, 5, n_jets)
    columns["Jet_genJetIdx"] = jagged(np.where(kind == 0, -1, place), np.int32)
    columns["GenJet_pt"] = jagged(flat("Jet_pt") * rng.normal(1.0, 0.12, n_jets))
    columns["GenJet_eta"] = jagged(flat("Jet_eta") + np.where(kind == 1, 0.3, 0.02))
    columns["GenJet_phi"] = jagged(flat("Jet_phi"))
    rho = "Rho_fixedGridRhoFastjetAll" if version >= 10 else "fixedGridRhoFastjetAll"
    columns[rho] = rng.uniform(5.0, 40.0, n_events).astype(np.float32)
    return columns


def write_jet_energies(path: Path, year: str) -> dict[str, Any]:
    """Write a calibration that knows the year's own source, and give the card's `jets` of that era."""
    inputs = {
        "L1L2L3Res": ("JetA", "JetEta", "JetPt", "Rho"),
        "PtResolution": ("JetEta", "JetPt", "Rho"),
        "ScaleFactor": ("JetEta", "systematic"),
    }
    expressions = {
        "MC_L1L2L3Res": "1.02+0.01*abs(y)-0.002*x*t",
        "DATA_L1L2L3Res": "1.01+0.02*abs(y)-0.002*x*t",
        "MC_PtResolution": "0.06+4/y",
        "MC_Total": "0.04",
        "MC_Regrouped_Absolute": "0.02+0.2/y",
        f"MC_Regrouped_Absolute_{year}": "0.01+0.01*abs(x)",
    }
    corrections = [
        _correction(f"{name}_AK4PFchs", inputs.get(name.partition("_")[2], ("JetEta", "JetPt")), expression)
        for name, expression in expressions.items()
    ]
    values = {"nom": 1.15, "up": 1.25, "down": 1.05}
    content = [{"key": way, "value": value} for way, value in values.items()]
    node = {"nodetype": "category", "input": "systematic", "content": content}
    corrections.append(_correction("MC_ScaleFactor_AK4PFchs", inputs["ScaleFactor"], node))
    path.write_text(json.dumps({"schema_version": 2, "corrections": corrections}))
    return {"file": path.name, "simulation": "MC", "resolution": "MC", "data": {"A": "DATA"}}


def _correction(name: str, inputs: tuple[str, ...], content: Any) -> dict[str, Any]:
    """One correction, from a formula of its first four inputs x, y, z and t, or from a node."""
    node = content
    if isinstance(content, str):
        node = {"nodetype": "formula", "expression": content, "parser": "TFormula", "variables": [*inputs]}
    kinds = {one: "string" if one == "systematic" else "real" for one in inputs}
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": one, "type": kind} for one, kind in kinds.items()],
        "output": {"name": "value", "type": "real"},
        "data": node,
    }
