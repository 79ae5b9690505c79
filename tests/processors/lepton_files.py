"""Files of correctionlib as CMS has them for electron energies and muon momenta, with simple content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np

from znought.processors.calibration.leptons import ElectronCalibration

__all__ = [
    "ELECTRONS",
    "electron_calibration",
    "lepton_columns",
    "write_electron_energies",
    "write_muon_momenta",
]

ELECTRONS: dict[str, dict[str, str]] = {
    "ultra-legacy": {"scale": "UL-EGM_ScaleUnc"},
    "2022": {"scale": "2022Re-recoBCD_ScaleJSON", "smearing": "2022Re-recoBCD_SmearingJSON"},
    "2022 by energy": {
        "scale": "EGMScale_Compound_Ele_2022preEE",
        "smearing": "EGMSmearAndSyst_ElePTsplit_2022preEE",
    },
    "2024 by energy": {"scale": "Scale", "smearing": "SmearAndSyst"},
}
"""Layout of the file → names of its corrections, as a card has them."""
_TEXT = ("valtype", "syst", "ValType", "year", "variation")
_INT = ("parameter",)


def _correction(
    name: str, inputs: tuple[str, ...], chooser: str, values: Mapping[Any, Any]
) -> dict[str, Any]:
    """One correction: value of an input → formula of all others, x, y, z, t in order."""
    rest = [one for one in inputs if one not in (*_TEXT, *_INT)]
    content = [
        {
            "key": key,
            "value": node
            if not isinstance(node, str)
            else {"nodetype": "formula", "expression": node, "parser": "TFormula", "variables": rest},
        }
        for key, node in values.items()
    ]
    kinds = {one: "string" if one in _TEXT else "int" if one in _INT else "real" for one in inputs}
    data: dict[str, Any] = {"nodetype": "category", "input": chooser, "content": content}
    if "year" in inputs:
        data = {"nodetype": "category", "input": "year", "content": [{"key": "2018", "value": data}]}
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": one, "type": kind} for one, kind in kinds.items()],
        "output": {"name": "value", "type": "real"},
        "data": data,
    }


def _electrons(layout: str) -> dict[str, Any]:
    names = ELECTRONS[layout]
    if layout == "ultra-legacy":
        values = {"scaleup": "1.01+0.001*x", "scaledown": "0.98+0.001*x", "scaleunc": "0.01"}
        one = _correction(names["scale"], ("year", "ValType", "eta", "gain"), "ValType", values)
        return {"schema_version": 2, "corrections": [one]}
    if layout == "2022":
        values = {"total_correction": "1.01+1e-9*y-0.002*t", "total_uncertainty": "0.004+0.0001*x+0.001*z"}
        scale = _correction(names["scale"], ("valtype", "gain", "run", "eta", "r9", "et"), "valtype", values)
        values = {"rho": "0.02+0.003*abs(x)", "err_rho": "0.005+0.02*y"}
        smear = _correction(names["smearing"], ("valtype", "eta", "r9"), "valtype", values)
        return {"schema_version": 2, "corrections": [scale, smear]}
    eta = ("AbsScEta",) if layout == "2022 by energy" else ("ScEta",)
    values = {"smear": "0.01+0.0001*x", "esmear": "0.015-0.005*y", "escale": "0.002+0.001*abs(z)"}
    smear = _correction(names["smearing"], ("syst", "pt", "r9", *eta), "syst", values)
    steps = [
        _correction(
            f"step{i}", ("syst", "run", "ScEta", "r9", "pt", "seedGain"), "syst", {"scale": expression}
        )
        for i, expression in enumerate(("1.01-0.0001*t", "1.0+1e-9*x+0.002*abs(y)+0.0002*t"))
    ]
    further = ("AbsScEta",) if layout == "2022 by energy" else ()
    inputs = ("syst", "run", "ScEta", "r9", *further, "pt", "seedGain")
    whole = {
        "name": names["scale"],
        "inputs": [{"name": one, "type": "string" if one == "syst" else "real"} for one in inputs],
        "output": {"name": "value", "type": "real"},
        "inputs_update": ["pt"],
        "input_op": "*",
        "output_op": "*",
        "stack": ["step0", "step1"],
    }
    return {"schema_version": 2, "corrections": [*steps, smear], "compound_corrections": [whole]}


def write_electron_energies(path: Path, layout: str) -> dict[str, str]:
    """Write a file of one of the `ELECTRONS`, and give the card's `electrons` of its era."""
    path.write_text(json.dumps(_electrons(layout)))
    return {"file": path.name, **ELECTRONS[layout]}


def electron_calibration(path: Path, layout: str, era: str = "2018", **options: bool) -> ElectronCalibration:
    """The calibration that a card with these `electrons` gives."""
    names = ELECTRONS[layout]
    return ElectronCalibration(era, str(path), names["scale"], names.get("smearing", ""), **options)


def write_muon_momenta(path: Path) -> dict[str, str]:
    """Write a file as `muon_scalesmearing.json.gz` is, and give the card's `muons` of its era."""
    scale, width = ("eta", "phi", "variation"), ("abseta", "variation")
    shape = ("abseta", "nlayers", "parameter")
    corrections = [
        _correction("a_data", scale, "variation", {"nom": "2e-5*x", "stat": "1e-5"}),
        _correction("a_mc", scale, "variation", {"nom": "1e-5*y", "stat": "1e-5+1e-6*abs(x)"}),
        _correction("m_data", scale, "variation", {"nom": "0.999+0.0005*y", "stat": "1e-4"}),
        _correction(
            "m_mc",
            scale,
            "variation",
            {"nom": "1.001-0.0003*x", "stat": "2e-4+1e-5*abs(y)", "rho_stat": "0.3"},
        ),
        _correction("k_data", width, "variation", {"nom": "1.1+0.1*x", "stat": "0.02"}),
        _correction("k_mc", width, "variation", {"nom": "1.3-0.05*x", "stat": "0.03+0.001*x"}),
        _correction(
            "cb_params", shape, "parameter", {0: "0.01*x", 1: "0.9+0.01*y", 2: "3.0+0.1*x", 3: "1.2+0.02*y"}
        ),
        _correction("poly_params", shape, "parameter", {0: "0.008+0.004*x", 1: "1e-5*y", 2: "1e-7"}),
    ]
    path.write_text(json.dumps({"schema_version": 2, "corrections": corrections}))
    return {"file": path.name}


def lepton_columns(columns: dict[str, Any], *, version: int = 9) -> dict[str, Any]:
    """NanoAOD columns with those that leptons are calibrated by."""
    rng = np.random.default_rng(11)
    found = dict(columns)
    for name, like, values in (
        ("Electron_r9", "Electron_pt", lambda n: np.float32(rng.uniform(0.8, 1.0, n))),
        ("Electron_seedGain", "Electron_pt", lambda n: rng.choice(np.array([1, 6, 12], np.uint8), n)),
        ("Electron_deltaEtaSC", "Electron_pt", lambda n: np.float32(rng.uniform(-0.05, 0.05, n))),
        ("Muon_nTrackerLayers", "Muon_pt", lambda n: np.uint8(rng.integers(6, 17, n))),
    ):
        counts = ak.num(found[like])
        found[name] = ak.unflatten(values(int(ak.sum(counts))), counts)
    if version >= 15:
        found["Electron_superclusterEta"] = found["Electron_eta"] + found.pop("Electron_deltaEtaSC")
    return found
