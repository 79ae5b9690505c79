"""The challenge's measurement equals a short script of uproot, awkward and pyhf on the same files."""

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from tests.facility.small import context_of
from tests.integration.conftest import ROOT
from tests.processors.fixtures import events, write_nanoaod
from znought.facility.pipeline import flow_of, run_stages

OPEN_DATA = Path(os.environ.get("ZNOUGHT_OPEN_DATA", ROOT.parent / "shared" / "data"))
N_EVENTS = 6000
XSEC_PB = {"ttbar": 2.0, "wjets": 1.0, "single_top_t": 0.5}
LUMI_IFB = 1.0


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agc_by_hand", ROOT / "benchmarks" / "agc_by_hand.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _card(folder: Path, datasets: dict[str, Any], **changes: Any) -> Path:
    """The shipped card on other datasets, its templates as the events have them."""
    card = yaml.safe_load((ROOT / "analyses" / "agc_ttbar.yaml").read_text())
    raw = {name: {"smoothing": "none"} for name in ("jes", "jer", "btag")}
    card["likelihood"]["workspace"]["systematics"] = raw
    del card["simulation"]
    for entry in card["discriminants"].values():
        entry["bins"] = [4, 110, 550]  # few parameters, so that the fit is short
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(card | {"lumi_ifb": LUMI_IFB, "datasets": datasets} | changes))
    return path


def _run(card: Path, output: Path, *names: str) -> None:
    context = context_of(card, output, opened="signal")
    run_stages(context, [stage for stage in flow_of(context).stages if stage.name in names])


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, float], Any]:
    """Differences of engine and script, and what the script found."""
    folder = tmp_path_factory.mktemp("agc")
    datasets, fileset = dict[str, Any](), dict[str, Any]()
    for seed, name in enumerate([*XSEC_PB, "data"]):
        is_data = name == "data"
        columns = events(2000 if is_data else N_EVENTS, seed=seed, is_data=is_data)
        if not is_data:
            # Two detector responses of every generated event, of different weights from event to event.
            columns["response"] = (np.arange(N_EVENTS) % 2).astype(np.uint8)
            columns["event"] = (np.arange(N_EVENTS) // 2).astype(np.uint64)
            columns["genWeight"] = (1.0 + 0.5 * (columns["event"] % 3)).astype(np.float32)
        path = write_nanoaod(folder / f"{name}.root", columns)
        datasets[name] = {"process": name, "files": [path]}
        datasets[name] |= {"lumi_ifb": LUMI_IFB} if is_data else {"xsec_pb": XSEC_PB[name] * 3.0}
        metadata = {"is_data": is_data} | ({"lumi_ifb": LUMI_IFB} if is_data else {})
        fileset[name] = {"files": {path: None}, "metadata": metadata}
    (folder / "fileset.json").write_text(json.dumps(fileset))
    card = _card(folder, datasets)
    _run(card, folder / "output", "process", "validate", "optimise", "fit")
    script = _script()
    hand = script.by_hand(card, folder / "fileset.json")
    return script.compared(hand, folder / "output"), hand


def test_counts_are_equal(found: tuple[dict[str, float], Any]) -> None:
    differences, hand = found
    assert differences["counts"] == 0
    assert all(row[-1] > 50 for row in hand["cutflow"].values())


def test_templates_and_their_variations_are_equal(found: tuple[dict[str, float], Any]) -> None:
    differences, hand = found
    assert differences["templates"] < 1e-12
    assert differences["squared errors"] < 1e-12
    for tables in hand["templates"].values():
        nominal = tables["nominal"]["ttbar"][0]
        assert all((tables[name]["ttbar"][0] != nominal).any() for name in tables if name != "nominal")


def test_mu_is_equal(found: tuple[dict[str, float], Any]) -> None:
    differences, _ = found
    assert differences["mu"] < 1e-3
    assert abs(differences["mu by hand"] - 1.0) > 1e-2  # the data are not those of the Asimov set


def test_the_card_reads_nanoaod_of_cms(tmp_path: Path) -> None:
    file = OPEN_DATA / "nano_tt_v12.root"
    if not file.is_file():
        pytest.skip(f"{file.name} is not in {OPEN_DATA}; set ZNOUGHT_OPEN_DATA to the folder that holds it")
    ttbar = {"process": "ttbar", "xsec_pb": 729.84, "era": "2022", "generated_sumw": 66735.3}
    card = _card(tmp_path, {"ttbar": ttbar | {"files": [str(file)]}})
    _run(card, tmp_path / "output", "process")
    flow = json.loads((tmp_path / "output" / "cutflow.json").read_text())["processes"]["ttbar"]["raw"]
    with uproot.open(file) as opened:
        e = opened["Events"].arrays(filter_name=["Electron_*", "Muon_*", "Jet_*"])
    electron = (e.Electron_cutBased >= 4) & (e.Electron_pt > 30) & (abs(e.Electron_eta) < 2.1)
    muon = e.Muon_tightId & (e.Muon_pt > 30) & (abs(e.Muon_eta) < 2.1) & (e.Muon_pfRelIso04_all < 0.15)
    electron = electron & (e.Electron_pfRelIso03_all < 0.15)
    jet = ((e.Jet_jetId & 2) > 0) & (e.Jet_pt > 30) & (abs(e.Jet_eta) < 2.4)
    n_leptons, n_jets = ak.sum(electron, axis=1) + ak.sum(muon, axis=1), ak.sum(jet, axis=1)
    n_tagged = ak.sum(jet & (e.Jet_btagPNetB > 0.047), axis=1)
    masks = [n_leptons >= 0, n_leptons == 1, (n_leptons == 1) & (n_jets >= 4)]
    assert flow == [int(ak.sum(mask)) for mask in (*masks, masks[-1] & (n_tagged >= 1))]
    assert flow[-1] > 10
