"""VH(bb) under variations of objects and weights: what moves, and by how much."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from distributed import Client

from tests.analyses.vh_bb.test_columns import B1, B2, LIGHT, MU_PLUS, Event, write
from tests.facility.test_process import CORRECTIONS, MUON
from znought.analyses.vh_bb.analysis import ANALYSIS
from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import read_channel_scores, with_variations
from znought.analyses.vh_bb.channels import CLASSES
from znought.analyses.vh_bb.columns import CUTS
from znought.analyses.vh_bb.explained import ChannelExplanation
from znought.analyses.vh_bb.results import read_smeft_results
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.analyses.vh_bb.stages.limits import set_limits
from znought.analyses.vh_bb.stages.measure import measure
from znought.analyses.vh_bb.stages.score import score_tasks
from znought.analyses.vh_bb.stages.train import train_trees
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.learning.scoring import scored_files
from znought.facility.ntuples.runner import process_fileset
from znought.facility.progress import Silent
from znought.facility.results.explained import write_explanation
from znought.facility.stages.process import process
from znought.facility.workspace import Workspace
from znought.processors.evaluated import Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.result import ChannelResult
from znought.processors.variations import VariationsConfig
from znought.processors.weights import ScaleFactor
from znought.stats.eft.intervals import interval
from znought.stats.eft.measurement import likelihood_model

ALL = VariationsConfig(("jes", "jer", "lepton_scale", "met_soft", "btag"))
SOFT: Any = (42.0, 0.66, 0.45, -1)
TWO_MUONS = Event(muons=(MU_PLUS, SOFT), met=(10.0, 0.0))


def run(path: str, channel: str, columns: Path, **options: Any) -> ChannelResult:
    """What one channel leaves of a file; `options` go to the request."""
    request = Request(VHBBSelection(), channels=(channel,), **options)
    processor = AnalysisProcessor(ANALYSIS.for_workers, request, str(columns))
    fileset = {"vh": {"files": [path], "metadata": {"is_data": False}}}
    return process_fileset(None, fileset, processor).results["vh"].of(channel)


def rows(result: ChannelResult) -> dict[str, dict[int, dict[str, float]]]:
    """Variation → event → its row."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for file in result.columns:
        table = pq.read_table(file.path, partitioning=None)
        found.setdefault(file.variation, {}).update({row["event"]: row for row in table.to_pylist()})
    return found


def test_missing_momentum_follows_the_jets_in_0l(tmp_path: Path) -> None:
    found = rows(run(write(tmp_path / "a.root", [Event()]), "0L", tmp_path, variations=ALL))
    names = {f"{name}_{way}" for name in ("jes", "lepton_scale", "met_soft") for way in ("up", "down")}
    assert set(found) == {"nominal", *names, "jer_up", "btag_down"}
    nominal, up = found["nominal"][0], found["jes_up"][0]
    assert up["ptb1"] == pytest.approx(1.02 * nominal["ptb1"], rel=1e-6)
    jets = np.array([[pt * np.cos(phi), pt * np.sin(phi)] for pt, _, phi, _ in (B1, B2)]).sum(axis=0)
    moved = np.array([210.0, 0.0]) - 0.02 * jets
    assert up["met"] == pytest.approx(np.hypot(*moved), rel=1e-5)
    assert up["misset"] == up["pt_v"] == up["met"]
    soft = np.array([210.0, 0.0]) + jets
    assert found["met_soft_up"][0]["met"] == pytest.approx(np.hypot(*([210.0, 0.0] + 0.1 * soft)), rel=1e-5)
    # Without leptons their scale changes nothing; stored weights of the coefficients never move.
    assert found["lepton_scale_up"][0] == nominal
    assert [up[f"smeft_{i}"] for i in range(6)] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_leptons_move_the_boson_and_the_selection(tmp_path: Path) -> None:
    config = VariationsConfig(("lepton_scale",), lepton_scale_relative=0.02)
    result = run(write(tmp_path / "a.root", [TWO_MUONS]), "2L", tmp_path, variations=config)
    found = rows(result)
    nominal, up = found["nominal"][0], found["lepton_scale_up"][0]
    assert up["ptl1"] == pytest.approx(1.02 * nominal["ptl1"], rel=1e-6)
    assert up["ptz"] == pytest.approx(1.02 * nominal["ptz"], rel=1e-6)
    assert up["ptb1"] == nominal["ptb1"]
    px, py = (sum(pt * along(phi) for pt, _, phi, _ in (MU_PLUS, SOFT)) for along in (np.cos, np.sin))
    assert up["met"] == pytest.approx(np.hypot(10.0 - 0.02 * px, -0.02 * py), rel=1e-5)
    wide = VariationsConfig(("lepton_scale",), lepton_scale_relative=0.2)
    flows = run(write(tmp_path / "b.root", [TWO_MUONS]), "2L", tmp_path, variations=wide).cutflows
    # m_ll leaves the window of Z → ℓℓ: the first cut is where the event goes.
    assert [flows[name].counts[1] for name in ("nominal", "lepton_scale_down")] == [1, 0]


def test_jets_lose_their_tags_at_the_given_rate(tmp_path: Path) -> None:
    n, config = 4000, VariationsConfig(("btag",), btag_relative=0.1)
    result = run(write(tmp_path / "a.root", [Event()] * n), "0L", tmp_path, variations=config)
    flow = result.cutflows["btag_down"]
    before, after = (flow.counts[CUTS.index(cut)] for cut in ("n_jets", "two_b_jets"))
    assert before == n
    error = np.sqrt(0.81 * 0.19 / n)
    assert after / before == pytest.approx(0.9**2, abs=4 * error)
    assert set(rows(result)["btag_down"]) < set(rows(result)["nominal"])


def factor(tmp_path: Path, **changes: Any) -> ScaleFactor:
    """The scale factor of muons, or one of jets, in a file of its own."""
    content: dict[str, Any] = json.loads(json.dumps(CORRECTIONS))
    efficiency: dict[str, Any] = {**content["corrections"][0], "name": "efficiency"}
    efficiency["inputs"] = [{"name": "pt", "type": "real"}]
    efficiency["data"] = {
        "nodetype": "binning",
        "input": "pt",
        "edges": [0.0, 1e4],
        "content": [0.6],
        "flow": "clamp",
    }
    content["corrections"].append(efficiency)
    path = tmp_path / "sf.json"
    path.write_text(json.dumps(content))
    return ScaleFactor(**(MUON | {"file": str(path)} | changes))


def test_factors_of_leptons_multiply(tmp_path: Path) -> None:
    weights = {"muon_id": factor(tmp_path)}
    result = run(write(tmp_path / "a.root", [TWO_MUONS]), "2L", tmp_path, weights=weights, variations=ALL)
    found = rows(result)
    row = found["nominal"][0]
    # 1.1 of each muon above 30 GeV; ± 20 % of each.
    assert row["gen_weight"] == pytest.approx(0.5 * 1.1**2)
    assert row["gen_weight_muon_id_up"] == pytest.approx(0.5 * (1.1 * 1.2) ** 2)
    assert row["gen_weight_muon_id_down"] == pytest.approx(0.5 * (1.1 * 0.8) ** 2)
    assert found["jes_up"][0]["gen_weight"] == pytest.approx(0.5 * 1.1**2)
    assert "gen_weight_muon_id_up" not in found["jes_up"][0]
    flow = result.cutflows["nominal"]
    assert flow.names == (*CUTS, "weights")
    assert float(flow.sumw[-1]) == pytest.approx(0.5 * 1.1**2)
    none = rows(run(write(tmp_path / "b.root", [Event()]), "0L", tmp_path, weights=weights))
    assert none["nominal"][0]["gen_weight"] == none["nominal"][0]["gen_weight_muon_id_up"] == 0.5


def test_factors_of_jets_are_those_of_the_tags(tmp_path: Path) -> None:
    """Two tagged jets give f each, the untagged one (1 − f ε)/(1 − ε)."""
    weights = {"btag_sf": factor(tmp_path, applies_to="jets", efficiency="efficiency")}
    path = write(tmp_path / "a.root", [Event(jets=(B1, B2, LIGHT))])
    (row,) = rows(run(path, "0L", tmp_path, weights=weights))["nominal"].values()
    for name, f in (("gen_weight", 1.1), ("gen_weight_btag_sf_down", 1.1 * 0.8)):
        assert row[name] == pytest.approx(0.5 * f * f * (1 - 0.6 * f) / 0.4)


CARD: dict[str, Any] = {
    "analysis": "vh_bb_smeft",
    "title": "test",
    "lumi_ifb": 80.0,
    "channels": ["0L"],
    "processes": {"vh": {}, "ttbar": {}},
    "regions": {"inclusive": {"m_bb": [50.0, 250.0]}},
    "training": {"n_folds": 2, "n_repeats": 1},
    "trees": {"max_iter": 3, "min_samples_leaf": 5},
    "discriminants": {"parametrised_values": [-0.01, 0.01]},
    "smeft": {
        "values": [0.03],
        "limit_luminosities_ifb": [80.0],
        "truncations_gev": [600.0],
        "n_toys": 5,
        "calibration_toys": 19,
        "calibration_points": 2,
        "n_contour": 3,
    },
    "systematics": {"relative": {"vh": 0.1, "ttbar": 0.1}},
    "variations": {"enabled": ["jes", "btag"]},
}


def some_events(n: int, seed: int) -> list[Event]:
    """Z → νν with two b-jets, of random momenta."""
    rng = np.random.default_rng(seed)
    found = []
    for pt, phi, tag in zip(
        150 + rng.exponential(80, n), rng.uniform(-0.4, 0.4, n), rng.random(n), strict=True
    ):
        b1 = (0.6 * pt, 0.2, np.pi + phi - 0.3, 0.9)
        b2 = (0.45 * pt, -0.3, np.pi + phi + 0.4, 0.8 if tag < 0.9 else 0.1)
        found.append(Event(jets=(b1, b2), met=(pt, phi)))
    return found


class Outputs:
    """Stands in for the networks: their output grows with the missing transverse momentum."""

    manifest = SimpleNamespace(feature_names=("misset",), classes=CLASSES, n_folds=5, n_repeats=1)

    def features(self, columns: dict[str, Any]) -> Any:
        return columns["misset"]

    def score(self, met: Any, folds: Any, *, on_network: Any = None) -> Any:
        output = np.clip(met / 1000.0, 0.01, 0.99)
        return np.column_stack([1.0 - output, output]).astype(np.float32)


def measured(folder: Path, content: dict[str, Any], client: Client) -> Context[VHBBCard]:
    """From ntuples to what limits are set with, without networks."""
    datasets = dict(content.get("datasets", {}))
    eras = {name: {"era": era} for name, era in zip(("vh", "ttbar"), content.get("eras", {}), strict=False)}
    for i, (name, xsec) in enumerate({"vh": 2e-3, "ttbar": 4e-3}.items()):
        path = write(folder / f"{name}.root", some_events(500, seed=i), weights=name == "vh")
        era = eras.get(name, {})
        datasets[f"{name}_sample"] = {"process": name, "xsec_pb": xsec, "files": [path], **era}
    written = folder / "card.yaml"
    written.write_text(yaml.safe_dump(content | {"datasets": datasets}))
    card, found = load_with_analysis(written)
    assert isinstance(card, VHBBCard)
    context = Context(card, Workspace(folder / "out"), RunOptions(), Silent(), lambda: client, found)
    process(replace(context, cluster=lambda: None))  # type: ignore[arg-type, return-value]  # no cluster
    train_trees(context)
    for task in score_tasks(context, "0L"):
        scored_files(task, {model.name: Outputs() for model in task.models})  # type: ignore[misc]  # stand-ins
    write_explanation(context.workspace.explanation, ChannelExplanation(tails={}, networks={}))
    measure(context)
    return context


ERAS = {
    "2017": {"lumi_ifb": 50.0, "lumi_uncertainties": {"lumi_correlated": 0.009, "lumi_2017": 0.3}},
    "2018": {"lumi_ifb": 30.0, "lumi_uncertainties": {"lumi_correlated": 0.02}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Context[VHBBCard]:
    """From ntuples to limits with variations of jets, tags, a weight and luminosities, without networks."""
    folder = tmp_path_factory.mktemp("variations")
    btag_sf = asdict(factor(folder, applies_to="jets", efficiency="efficiency"))
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        content = CARD | {"weights": {"btag_sf": btag_sf}, "eras": ERAS}
        context = measured(folder, content, client)
        set_limits(context)
    return context


def test_variations_reach_limits_and_exchange_formats(finished: Context[VHBBCard]) -> None:
    results = read_smeft_results(finished.workspace.results)
    widths = {one.systematics: one.segments[-1][1] - one.segments[0][0] for one in results.breakdown}
    assert widths["none"] < widths["rates"] < widths["all"]
    (whole,) = [
        one
        for one in results.intervals
        if (one.channel, one.discriminant, one.order, one.method, one.scaling)
        == ("combined", "parametrised_network", "quadratic", "delta_2lnl", "fixed")
    ]
    assert whole.segments == results.breakdown[-1].segments
    assert results.fit is not None
    lumis = {"lumi_correlated", "lumi_2017"}
    assert {"jes", "btag", "btag_sf", "rate_vh", "rate_ttbar"} | lumis == set(results.fit.impacts)
    assert any(
        "jes, btag, btag_sf, lumi_2017, lumi_correlated variations: expected Z" in note
        for note in results.notes
    )
    files = {path.name for path in finished.workspace.fit.iterdir()}
    assert {"workspace.json", "hs3.json", "datacard.txt", "templates.root", "hepdata"} <= files
    card = (finished.workspace.fit / "datacard.txt").read_text()
    assert all(name in card for name in ("0L", "jes", "btag_sf", "rate_ttbar"))


def test_luminosities_of_eras_act_on_their_datasets_in_the_limits(finished: Context[VHBBCard]) -> None:
    card = finished.card
    (channel,) = with_variations(
        [read_channel_scores(card, finished.workspace, "0L")], finished.workspace, "inclusive"
    )
    # VH is simulated for 2017 and tt̄ for 2018: each stands at the luminosity of its era.
    model = likelihood_model([channel], "pt_v", card.systematics_of_limits, card.smeft)
    found = model.channels[0].responses
    expected = {
        ("lumi_correlated", "vh"): 0.009,
        ("lumi_correlated", "ttbar"): 0.02,
        ("lumi_2017", "vh"): 0.3,
    }
    for (name, of), shift in expected.items():
        np.testing.assert_allclose(found[name][of], np.arctanh(shift), rtol=1e-6)
    assert set(found["lumi_2017"]) == {"vh"}
    assert card.rates["lumi_2017"] == {"vh_sample": 0.3, "ttbar_sample": 0.0}

    def width(left_out: str) -> float:
        kept = {key: one for key, one in channel.variations.items() if not key.startswith(left_out)}
        some = likelihood_model(
            [replace(channel, variations=kept)], "pt_v", card.systematics_of_limits, card.smeft
        )
        return interval(some, coefficient=some.names[0]).half_width

    whole = width("nothing")
    assert whole > width("lumi_correlated") > width("lumi")
    assert whole > 1.01 * width("lumi_2017")


def test_scores_of_variations_are_of_the_same_networks_and_trees(finished: Context[VHBBCard]) -> None:
    for kind in (finished.workspace.scores, finished.workspace.boosted):
        held = {path.parts[-2] for path in kind.glob("0L/vh_sample/*/*.parquet")}
        assert held == {"nominal", "jes_up", "jes_down", "btag_down"}
    folds = {}
    for variation in ("nominal", "jes_up"):
        (file,) = finished.workspace.scores.glob(f"0L/vh_sample/{variation}/*.parquet")
        table = pq.read_table(file, partitioning=None)
        folds[variation] = dict(zip(table["event"].to_pylist(), table["fold"].to_pylist(), strict=True))
    both = folds["nominal"].keys() & folds["jes_up"].keys()
    assert len(both) > 100
    assert all(folds["nominal"][event] == folds["jes_up"][event] for event in both)
