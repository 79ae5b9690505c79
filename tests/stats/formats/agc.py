"""The tt̄ measurement of the Analysis Grand Challenge: ours and cabinetry's description of one fit."""

import json
from pathlib import Path
from typing import Any

import cabinetry
import hist
import numpy as np
import uproot

from tests.stats.formats.third_party import published
from znought.stats.formats.likelihood import Likelihood
from znought.stats.formats.template_reader import read_templates

EDGES = [float(edge) for edge in range(110, 551, 40)]
HISTOGRAMS = "agc/histos_all_file_per_process.json"
SAMPLES = ("ttbar", "wjets", "single_top_s_chan", "single_top_t_chan", "single_top_tW")
SYSTEMATICS: dict[str, dict[str, Any]] = {
    "ME variation": {"up": "_ME_var", "processes": ["ttbar"]},
    "PS variation": {"up": "_PS_var", "processes": ["ttbar"]},
    "ttbar scale": {"up": "_scaleup", "down": "_scaledown", "processes": ["ttbar"]},
    "jet energy scale": {"up": "_pt_scale_up"},
    "jet energy resolution": {"up": "_pt_res_up"},
    **{f"b-tag {i}": {"up": f"_btag_var_{i}_up", "down": f"_btag_var_{i}_down"} for i in range(4)},
    "W scale": {"up": "_scale_var_up", "down": "_scale_var_down", "processes": ["wjets"]},
}
DESCRIPTION: dict[str, Any] = {
    "title": "tt̄",
    "pattern": "{region}_{process}{variation}",
    "data": "pseudodata",
    "poi": "ttbar_norm",
    "poi_range": [0, 10],
    "signal": ["ttbar"],
    "backgrounds": list(SAMPLES[1:]),
    "regions": {"4j1b": {"edges": EDGES}, "4j2b": {"edges": EDGES}},
    "norms": {"luminosity": {"down": 0.97, "up": 1.03}},
    "systematics": SYSTEMATICS,
    # The file holds no variances.
    "mc_stat": False,
}


def ours(folder: Path) -> Likelihood:
    """The likelihood of our description, which is written to ``folder/agc.yaml``."""
    (folder / "agc.yaml").write_text(json.dumps(DESCRIPTION | {"templates": str(published(HISTOGRAMS))}))
    return read_templates(folder / "agc.yaml")


def cabinetrys(folder: Path) -> dict[str, Any]:
    """The workspace that cabinetry builds from the same histograms."""
    _write_root(folder / "histograms.root")
    configuration = _configuration(folder)
    cabinetry.templates.collect(configuration)
    cabinetry.templates.postprocess(configuration)
    return dict(cabinetry.workspace.build(configuration))


def _write_root(path: Path) -> None:
    with uproot.recreate(path) as file:
        for name, entry in json.loads(published(HISTOGRAMS).read_text()).items():
            fine, edges = np.array(entry["contents"][1:-1]), np.array(entry["edges"])
            filled = hist.Hist(hist.axis.Variable(EDGES), storage=hist.storage.Weight())
            filled.values()[:] = np.histogram((edges[1:] + edges[:-1]) / 2, EDGES, weights=fine)[0]
            file[name] = filled


def _configuration(folder: Path) -> dict[str, Any]:
    systematics = []
    for name, line in SYSTEMATICS.items():
        down = {"VariationPath": line["down"]} if "down" in line else {"Symmetrize": True}
        entry = {"Name": name, "Type": "NormPlusShape", "Up": {"VariationPath": line["up"]}, "Down": down}
        systematics.append(entry | ({"Samples": line["processes"]} if "processes" in line else {}))
    luminosity: dict[str, Any] = {"Name": "luminosity", "Type": "Normalization"}
    luminosity |= {"Up": {"Normalization": 0.03}, "Down": {"Normalization": -0.03}}
    samples = [{"Name": name, "SamplePath": name, "DisableStaterror": True} for name in SAMPLES]
    return {
        "General": {
            "Measurement": "ttbar",
            "POI": "ttbar_norm",
            "HistogramFolder": f"{folder}/templates/",
            "InputPath": f"{folder}/histograms.root:{{RegionPath}}_{{SamplePath}}{{VariationPath}}",
            "VariationPath": "",
        },
        "Regions": [
            {"Name": name, "RegionPath": name, "Variable": "x", "Binning": EDGES} for name in ("4j1b", "4j2b")
        ],
        "Samples": [{"Name": "data", "SamplePath": "pseudodata", "Data": True}, *samples],
        "Systematics": [*systematics, luminosity],
        "NormFactors": [{"Name": "ttbar_norm", "Samples": "ttbar", "Nominal": 1.0, "Bounds": [0, 10]}],
    }
