"""Recorded and simulated events of five eras, each in the layout of its NanoAOD, and one card of them all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.processors.calibrated import calibrated_columns, write_jet_energies
from tests.processors.fixtures import write_nanoaod

__all__ = ["ERAS", "N_EVENTS", "PROCESSES", "Period", "write_run2"]

N_EVENTS = 1200


@dataclass(frozen=True)
class Period:
    """One era.

    Attributes:
        year: whose sources of the jet energy scale it has.
        lumi_ifb: its luminosity.
        versions: of NanoAOD: VH, top and data.
        run: of its data.
        btag: branch, and working point.
    """

    year: str
    lumi_ifb: float
    versions: tuple[int, int, int]
    run: int
    btag: tuple[str, float]


_DEEP = "Jet_btagDeepFlavB"
ERAS = {
    "2016preVFP": Period("2016", 19.5, (9, 9, 9), 273_158, (_DEEP, 0.0508)),
    "2016postVFP": Period("2016", 16.8, (9, 9, 9), 284_044, (_DEEP, 0.0480)),
    "2017": Period("2017", 41.5, (9, 9, 9), 297_050, (_DEEP, 0.0532)),
    "2018": Period("2018", 59.8, (9, 9, 9), 315_257, (_DEEP, 0.0490)),
    "2022": Period("2022", 7.9, (15, 12, 15), 357_900, ("Jet_btagPNetB", 0.0470)),
}
PROCESSES = ("VH", "top", "data")
MENU = {"MuonEG": ["HLT_Mu23_Ele12_*"], "SingleMuon": ["HLT_IsoMu24"]}


def write_run2(folder: Path, *, jets: dict[str, dict[str, Any]] | None = None) -> Path:
    """A card beside its files.

    Args:
        folder: where they are written.
        jets: era → its calibration; small ones are written here, and their sources varied, unless given.
    """
    datasets: dict[str, Any] = {}
    eras: dict[str, Any] = {}
    for i, (era, period) in enumerate(ERAS.items()):
        own = write_jet_energies(folder / f"jerc_{era}.json", period.year) if jets is None else jets[era]
        certified = {str(period.run): [[1, 7], [9, 9]]}
        (folder / f"good_{era}.json").write_text(json.dumps(certified))
        eras[era] = {
            "lumi_ifb": period.lumi_ifb,
            "certification": f"good_{era}.json",
            "triggers": MENU,
            "filters": ["Flag_goodVertices"],
            "jets": own,
        }
        for k, process in enumerate(PROCESSES):
            file = _write(folder, era, process, seed=100 * i + k)
            datasets[f"{process}_{era}"] = {"process": process, "era": era, "files": [file]}
        for process, xsec in (("VH", 0.02), ("top", 0.4)):
            datasets[f"{process}_{era}"] |= {"xsec_pb": xsec}
        period_of = {"primary_dataset": "MuonEG", "period": next(iter(own["data"]))}
        datasets[f"data_{era}"] |= period_of
    path = folder / "run2.yaml"
    card = _card(eras, datasets)
    if jets is None:
        sources = [f"jes_Regrouped_Absolute{year}" for year in ("", "_2016", "_2017", "_2018")]
        card["variations"] = {"jets": "measured", "enabled": [*sources, "jer"]}
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return path


def _card(eras: dict[str, Any], datasets: dict[str, Any]) -> dict[str, Any]:
    return {
        "analysis": "vh_ww",
        "title": "Four years",
        "lumi_ifb": sum(era["lumi_ifb"] for era in eras.values()),
        "eras": eras,
        "processes": {"VH": {"class": "VH"}, "top": {"class": "top"}, "data": {"kind": "data"}},
        "datasets": datasets,
        "signal": "VH",
        "classes": ["VH", "top"],
        "signal_region": "signal",
        "regions": {"signal": {"m_jj": [40.0, 160.0]}},
        "by_era": True,
        "network": {"hidden_nodes": [8], "learning_rate": 0.01},
        "training": {"n_folds": 2, "n_repeats": 1, "max_epochs": 3, "batch_size": 128},
        "boosting": {"max_iter": 5},
        "crossfit": {"n_bootstrap": 10},
        "binning": {"lower": 0.0, "min_yield": 0.5},
        "likelihood": {"workspace": {"systematics": {"jer": {"decorrelate": ["era"]}}}},
    }


def _write(folder: Path, era: str, process: str, *, seed: int) -> str:
    """One file: VH has its jets close in mass, and data are of a run that is certified in part."""
    period, is_data = ERAS[era], process == "data"
    version = period.versions[PROCESSES.index(process)]
    columns = calibrated_columns(version, seed=seed, n_events=N_EVENTS, every_id=True)
    rng = np.random.default_rng(seed)
    columns["event"] = columns["event"] + np.uint64(N_EVENTS * seed)
    columns["Flag_goodVertices"] = rng.random(N_EVENTS) < 0.97
    columns["HLT_Mu23_Ele12_v7"] = rng.random(N_EVENTS) < 0.8
    columns["HLT_IsoMu24"] = rng.random(N_EVENTS) < 0.3
    if process == "VH":
        columns["MET_pt" if "MET_pt" in columns else "PFMET_pt"] *= np.float32(0.5)
    if is_data:
        del columns["genWeight"]
        columns["run"] = np.full(N_EVENTS, period.run, np.uint32)
    return write_nanoaod(folder / f"{process}_{era}.root", columns)
