"""A card of two eras with official scale factors of every kind, and its files."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import yaml

from tests.processors.calibrated import calibrated_columns
from tests.processors.fixtures import write_nanoaod

__all__ = ["ANALYSIS", "ERAS", "WEIGHTS", "columns_of", "official_card"]

ANALYSIS = """
import awkward as ak
import numpy as np
from znought import Analysis, Variable


def objects(events, cuts):
    electrons, muons, jets = events.Electron, events.Muon, events.Jet
    return {
        "electrons": electrons[(electrons.pt > 10) & (np.abs(electrons.eta) < 2.5)],
        "muons": muons[(muons.pt > 15) & (np.abs(muons.eta) < 2.4)],
        "jets": jets[(jets.pt > 20) & (np.abs(jets.eta) < 2.5)],
    }


ANALYSIS = Analysis(
    "tagged",
    objects=objects,
    select=lambda o, cuts: {"lepton": ak.num(o.electrons) + ak.num(o.muons) >= 1},
    variables=[Variable("n_b", lambda o: ak.sum(o.jets.is_btagged, axis=1), bins=(6, 0, 6))],
)
"""
TAGGERS = {"2018": "deepJet", "2022": "particleNet"}
ERAS = {"2018": ("2018_UL", 9), "2022": ("2022_Summer22", 12)}
WEIGHTS: dict[str, Any] = {
    "pileup": {"kind": "pileup"},
    "electron_reco": {"kind": "electron", "name": "Reco"},
    "electron_id": {"kind": "electron", "name": "wp80iso"},
    "muon_id": {"kind": "muon", "name": "NUM_TightID_DEN_TrackerMuons"},
    "muon_iso": {
        "kind": "muon",
        "uncertainty": "total",
        "name": {"2018": "NUM_TightRelIso_DEN_TightIDandIPCut", "2022": "NUM_TightPFIso_DEN_TightID"},
    },
    "btag": {
        "kind": "btag",
        "tagger": TAGGERS,
        "working_point": "M",
        "edges_pt_gev": [20, 40, 70, 200],
        "edges_abs_eta": [0, 1.2, 2.5],
    },
    "prefiring": {"kind": "prefiring", "eras": ["2018"]},
    "top_pt": {
        "kind": "particle",
        "particle": 6,
        "formula": "exp(0.0615-0.0005*x)",
        "combined": "geometric_mean",
        "uncertainty": "whole",
        "processes": ["top"],
    },
}


def columns_of(era: str) -> dict[str, Any]:
    """NanoAOD columns with all that the weights look at."""
    version = ERAS[era][1]
    rng = np.random.default_rng(version + 100)
    columns = calibrated_columns(version)
    n_events = len(columns["event"])
    columns["genWeight"] = np.ones(n_events, np.float32)
    columns["Pileup_nTrueInt"] = rng.uniform(5, 70, n_events).astype(np.float32)
    counts = ak.num(columns["Electron_pt"])
    shift = rng.uniform(-0.05, 0.05, int(ak.sum(counts))).astype(np.float32)
    columns["Electron_deltaEtaSC"] = ak.unflatten(shift, counts)
    for name, size in (("Nom", 0.02), ("Up", 0.04), ("Dn", 0.01)):
        columns[f"L1PreFiringWeight_{name}"] = (1 - size * rng.random(n_events)).astype(np.float32)
    # Two tops in their last copy, one of them in an earlier one, too, and a b quark.
    for name, values in (
        ("pdgId", np.tile([6, 6, -6, 5], (n_events, 1)).astype(np.int32)),
        ("statusFlags", np.tile([0, 1 << 13, 1 << 13, 1 << 13], (n_events, 1)).astype(np.int32)),
        ("pt", rng.exponential(120.0, (n_events, 4)).astype(np.float32)),
    ):
        columns[f"GenPart_{name}"] = ak.from_regular(values)
    return columns


def official_card(folder: Path, weights: dict[str, Any] | None = None, **changed: Any) -> Path:
    """The card beside its analysis and files."""
    (folder / "tagged.py").write_text(ANALYSIS)
    datasets, eras = {}, {}
    for i, (era, (place, _)) in enumerate(ERAS.items()):
        path = folder / f"{era}.root"
        if not path.exists():
            write_nanoaod(path, {**columns_of(era), "run": np.full(100, i + 1, np.uint32)})
        datasets[f"tt_{era}"] = {"process": "top", "era": era, "xsec_pb": 1.0 + i, "files": [str(path)]}
        files = {"pileup": "puWeights", "btag": "btagging", "electron": "electron", "muon": "muon_Z"}
        eras[era] = {"corrections": {kind: f"{place}/{file}.json.gz" for kind, file in files.items()}}
    content = {
        "analysis": "tagged.py",
        "title": "official scale factors",
        "lumi_ifb": 100.0,
        "processes": {"top": {}},
        "weights": WEIGHTS if weights is None else weights,
        "eras": eras,
        "datasets": datasets,
        **changed,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "card.yaml"
