"""Samples divided by the content of their events: split into processes, and stitched where they overlap."""

import json
import textwrap
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
import yaml

from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.cards.checking import check_card
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.pipeline import run_stages, whole
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace

ANALYSIS = """
    import awkward as ak
    import numpy as np

    from znought import Analysis, Histogram, Variable


    def objects(events, cuts):
        return {"jets": events.Jet, "flavour": np.asarray(events.genTtbarId)}


    def select(o, cuts):
        return {"jets": ak.num(o.jets) >= 2}


    def split(o):
        return {"tt_b": o.flavour == 5, "tt_c": o.flavour == 4, "tt_light": o.flavour SPLIT}


    ANALYSIS = Analysis(
        "divided",
        objects=objects,
        select=select,
        split=split,
        histograms=[
            Histogram("jet_pt", lambda o: o.jets.pt, [Variable("pt", bins=(20, 0, 200), unit="GeV")]),
            Histogram(
                "jet_pt_eta",
                lambda o: (o.jets.pt, o.jets.eta),
                [Variable("pt", edges=(0, 50, 200)), Variable("eta", bins=(4, -4, 4))],
            ),
            Histogram("ht_met", MET, [Variable("ht", bins=(5, 0, 500)), Variable("met", bins=(5, 0, 200))]),
        ],
        generator={"lhe_ht": lambda o: o.events.LHE.HT},
        variables=[
            Variable("n_jets", lambda o: ak.num(o.jets), bins="integer"),
            Variable("lhe_ht", lambda o: o.events.LHE.HT, bins=(10, 0, 1000)),
        ],
    )
"""
N_EVENTS = 1000


def _write(folder: Path, name: str, seed: int, ht: Any, flavour: Any) -> dict[str, Any]:
    columns = events(N_EVENTS, seed=seed)
    columns["genWeight"] = np.where(np.arange(N_EVENTS) % 10 == 0, -1.0, 1.0).astype(np.float32)
    columns["LHE_HT"] = np.asarray(ht, np.float32)
    columns["genTtbarId"] = np.asarray(flavour, np.int32)
    sums = {
        "genEventCount": N_EVENTS,
        "genEventSumw": float(columns["genWeight"].sum()),
        "genEventSumw2": 1000.0,
    }
    write_nanoaod(folder / f"{name}.root", columns, runs=sums)
    return columns


MET = "lambda o: (ak.sum(o.jets.pt, axis=1), o.events.MET.pt)"


def _card(folder: Path, *, of_light: str = "== 0", met: str = MET, **changes: Any) -> Path:
    text = ANALYSIS.replace("SPLIT", of_light).replace("MET,", f"{met},")
    (folder / "divided.py").write_text(textwrap.dedent(text))
    content = {
        "analysis": "divided.py",
        "title": "divided",
        "lumi_ifb": 10.0,
        "processes": {"tt_b": {}, "tt_c": {}, "tt_light": {}},
        "datasets": {
            "tt": {"split": ["tt_b", "tt_c", "tt_light"], "xsec_pb": 2.0, "files": [f"{folder}/tt.root"]}
        },
    }
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return path


def _processed(card: Path, output: Path, **options: Any) -> Workspace:
    read, found = load_with_analysis(card)
    context: Context[Any] = Context(
        read,
        Workspace(output),
        RunOptions(**options),
        Silent(),
        lambda: None,  # type: ignore[arg-type, return-value]  # no cluster
        found,
    )
    run_stages(
        context, [stage for stage in whole(context) if stage.name in ("process", "validate", "summarise")]
    )
    return context.workspace


def _weights(workspace: Workspace, dataset: str) -> float:
    """Expected events of a dataset after the selection."""
    scale = json.loads(workspace.normalisation.read_text())[dataset]["scale"]
    files = (workspace.columns / dataset / "nominal").glob("*.parquet")
    return float(scale * sum(pq.read_table(file)["gen_weight"].to_numpy().sum() for file in files))


def test_one_dataset_becomes_several_processes(tmp_path: Path) -> None:
    flavour = np.random.default_rng(1).choice([0, 4, 5], N_EVENTS)
    columns = _write(tmp_path, "tt", 1, np.zeros(N_EVENTS), flavour)
    card = _card(tmp_path, processing={"chunk_size": 1000})
    workspace = _processed(card, tmp_path / "out")
    two_jets = np.array([len(jets) >= 2 for jets in columns["Jet"].pt])
    weight = columns["genWeight"].astype(float)
    scale = 10e3 * 2.0 / weight.sum()
    cutflow = json.loads(workspace.cutflow.read_text())
    for code, process in ((5, "tt_b"), (4, "tt_c"), (0, "tt_light")):
        expected = scale * weight[two_jets & (flavour == code)].sum()
        assert _weights(workspace, f"tt_{process}") == pytest.approx(expected, rel=1e-12)
        entry = cutflow["processes"][process]
        assert entry["raw"] == [(flavour == code).sum(), (two_jets & (flavour == code)).sum()]
        assert entry["before_acceptance"] == pytest.approx(scale * weight[flavour == code].sum(), rel=1e-12)
    results = json.loads(workspace.results.read_text())
    assert sum(entry["raw"] for entry in results["events"].values()) == two_jets.sum()
    ledger = json.loads(workspace.ledger.read_text())["datasets"]
    assert {name: entry["events"] for name, entry in ledger.items()} == {"tt": N_EVENTS}


def test_objects_and_pairs_of_values_are_histogrammed(tmp_path: Path) -> None:
    """Each object with the weight of its event, in each part of a split dataset."""
    flavour = np.random.default_rng(1).choice([0, 4, 5], N_EVENTS)
    columns = _write(tmp_path, "tt", 1, np.zeros(N_EVENTS), flavour)
    workspace = _processed(_card(tmp_path), tmp_path / "out")
    weight = columns["genWeight"].astype(float)
    scale, jets = 10e3 * 2.0 / weight.sum(), columns["Jet"]
    with uproot.open(workspace.hists / "inputs.root") as file:
        for code, process in ((5, "tt_b"), (4, "tt_c"), (0, "tt_light")):
            rows = (ak.num(jets) >= 2) & (flavour == code)
            pt, eta = (ak.to_numpy(ak.flatten(jets[name][rows])).astype(float) for name in ("pt", "eta"))
            of_jets = scale * np.repeat(weight[rows], ak.num(jets[rows]))
            expected = np.histogram(pt, 20, (0, 200), weights=of_jets)[0]
            assert file[f"{process}/jet_pt"].values() == pytest.approx(expected, rel=1e-9, abs=1e-9)
            expected = np.histogram(pt, 20, (0, 200), weights=of_jets**2)[0]
            assert file[f"{process}/jet_pt"].variances() == pytest.approx(expected, rel=1e-9)
            both = np.histogram2d(pt, eta, ([0, 50, 200], np.linspace(-4, 4, 5)), weights=of_jets)[0]
            assert file[f"{process}/jet_pt_eta"].values() == pytest.approx(both, rel=1e-9, abs=1e-9)
            total = file[f"{process}/ht_met"].values(flow=True).sum()
            assert total == pytest.approx(scale * weight[rows].sum())


def test_overlapping_samples_are_stitched(tmp_path: Path) -> None:
    """By hand: where inclusive and binned samples overlap, events count by both luminosities together."""
    rng = np.random.default_rng(2)
    flavour = np.zeros(N_EVENTS)
    files = {
        "incl": (2.0, rng.uniform(0, 400, N_EVENTS), None),
        "ht_100": (1.0, rng.uniform(100, 200, N_EVENTS), [100, 200]),
        "ht_200": (0.5, rng.uniform(200, 400, N_EVENTS), [200, None]),
    }
    datasets, columns = {}, {}
    for seed, (name, (xsec, ht, ranges)) in enumerate(files.items()):
        columns[name] = _write(tmp_path, name, seed, ht, flavour)
        datasets[name] = {"process": "W", "xsec_pb": xsec, "files": [f"{tmp_path}/{name}.root"]}
        datasets[name] |= {} if ranges is None else {"generator_range": {"lhe_ht": ranges}}
    card = _card(tmp_path, processes={"W": {}}, datasets=datasets, stitched={"W": "lhe_ht"})
    workspace = _processed(card, tmp_path / "out")
    lumi = {name: columns[name]["genWeight"].astype(float).sum() / files[name][0] for name in files}
    by_hand = 0.0
    for name in files:
        ht = columns[name]["LHE_HT"]
        together = np.select(
            [ht < 100, ht < 200],
            [lumi["incl"], lumi["incl"] + lumi["ht_100"]],
            lumi["incl"] + lumi["ht_200"],
        )
        two_jets = np.array([len(jets) >= 2 for jets in columns[name]["Jet"].pt])
        by_hand += (10e3 / together * columns[name]["genWeight"])[two_jets].sum()
    parts = json.loads(workspace.normalisation.read_text())
    assert sorted(parts) == [
        "ht_100_lhe_ht_100_200",
        "ht_200_lhe_ht_from_200",
        "incl_lhe_ht_100_200",
        "incl_lhe_ht_from_200",
        "incl_lhe_ht_to_100",
    ]
    assert sum(_weights(workspace, part) for part in parts) == pytest.approx(by_hand, rel=1e-12)
    assert parts["incl_lhe_ht_to_100"]["scale"] == pytest.approx(10e3 / lumi["incl"], rel=1e-12)
    assert parts["incl_lhe_ht_100_200"]["scale"] == parts["ht_100_lhe_ht_100_200"]["scale"]


def test_a_check_tries_a_split_dataset(tmp_path: Path) -> None:
    _write(tmp_path, "tt", 1, np.zeros(N_EVENTS), np.arange(N_EVENTS) % 2 * 5)
    report = check_card(_card(tmp_path))
    assert not report.problems
    assert report.tried is not None
    assert "of the first 200 pass" in report.tried["tt"]


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_light", "message"),
    [
        ("== 1", r"divided\.py:16, split, dataset 'tt': 250 of 1000 events are without a process"),
        ("!= 5", "250 of 1000 events are in several processes"),
        ("> 'a'", "divided.py:17, split, dataset 'tt': "),
    ],
)
def test_a_split_that_is_no_split_is_refused(tmp_path: Path, of_light: str, message: str) -> None:
    flavour = np.array([0, 4, 5, 5])[np.arange(N_EVENTS) % 4]
    _write(tmp_path, "tt", 1, np.zeros(N_EVENTS), flavour)
    with pytest.raises(DataError, match=message):
        _processed(_card(tmp_path, of_light=of_light), tmp_path / "out")


@pytest.mark.parametrize(
    ("met", "message"),
    [
        (
            "lambda o: o.events.MET.pt",
            "histogram 'ht_met', dataset 'tt': expected values of 2 axes, received 1",
        ),
        ("lambda o: (o.jets.pt, o.events.MET.pt)", "its axes have other numbers of objects"),
        (
            "lambda o: (o.jets.pt, o.jets)",
            "axis 'met': expected one number or one list of numbers for each of",
        ),
        ("lambda o: (o.events.MET.pt[1:], o.events.MET.pt)", "axis 'ht': expected .* received"),
        ("lambda o: (ak.max(o.jets.pt[:, 9:], axis=1), o.events.MET.pt)", "axis 'ht': some values are None"),
        (
            "lambda o: (o.events.MET.pt * np.nan, o.events.MET.pt)",
            "axis 'ht': some values are NaN or infinite",
        ),
    ],
)
def test_what_fills_no_histogram_is_refused(tmp_path: Path, met: str, message: str) -> None:
    _write(tmp_path, "tt", 1, np.zeros(N_EVENTS), np.zeros(N_EVENTS))
    with pytest.raises(DataError, match=message):
        _processed(_card(tmp_path, met=met), tmp_path / "out")


def test_events_outside_their_range_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "tt", 1, np.full(N_EVENTS, 250.0), np.zeros(N_EVENTS))
    ranges = {"generator_range": {"lhe_ht": [100, 200]}}
    dataset = {"process": "W", "xsec_pb": 1.0, "files": [f"{tmp_path}/tt.root"]} | ranges
    card = _card(tmp_path, processes={"W": {}}, datasets={"tt": dataset}, stitched={"W": "lhe_ht"})
    with pytest.raises(
        DataError, match=r"generator 'lhe_ht', .*1000 of 1000 events \(the first: 250\) lie outside"
    ):
        _processed(card, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"tt": {"split": ["tt_b", "tt_x"], "xsec_pb": 1.0}}}, "Unknown process 'tt_x'"),
        ({"datasets": {"tt": {"split": ["tt_b"], "process": "tt_b"}}}, "a process or split, received both"),
        ({"datasets": {"tt": {"xsec_pb": 1.0}}}, r"datasets\.tt: expected a process, or split"),
        ({"stitched": {"ttt": "lhe_ht"}}, "Unknown sample 'ttt'"),
        ({"stitched": {"ttt": ["lhe_ht"]}}, "stitched"),
        (
            {"stitched": {"W": "x"}, "datasets": {"w": {"process": "W", "generator_range": {"x": 5}}}},
            r"datasets\.w\.generator_range\.x: expected \[lower, upper\]",
        ),
        (
            {"stitched": {"W": "lhe_ht"}, "datasets": {"w": {"process": "W", "xsec_pb": 1.0}}},
            "no dataset of sample 'W' declares a generator_range of lhe_ht",
        ),
        ({"stitched": {"tt_b": "lhe_ht"}}, "cannot be split as well"),
    ],
)
def test_a_card_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        load_with_analysis(_card(tmp_path, **changes))


def test_functions_that_the_analysis_lacks_are_named(tmp_path: Path) -> None:
    card = _card(
        tmp_path,
        stitched={"W": "ht"},
        processes={"W": {}},
        datasets={"w": {"process": "W", "xsec_pb": 1.0, "generator_range": {"ht": [1, 2]}}},
    )
    with pytest.raises(CardError, match=r"Unknown generator-level variable 'ht'\. Expected one of: lhe_ht"):
        load_with_analysis(card)
    card = _card(tmp_path)
    text = (tmp_path / "divided.py").read_text().replace("    split=split,\n", "")
    (tmp_path / "divided.py").write_text(text)
    with pytest.raises(CardError, match=r"datasets\.tt\.split: the analysis has no function split"):
        load_with_analysis(card)
