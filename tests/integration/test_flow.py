"""From event generation to significance in one command: what it leaves, repeats and resumes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.golden.frozen import GOLDEN, differences, frozen
from tests.integration.conftest import Finished, small_card, znought
from tests.pages import counterparts, without_counterpart
from znought.models.folds import assign_folds
from znought.models.samples import TrainingConfig

CONTRACT = (
    "cutflow.json",
    "columns",
    "hists",
    "models",
    "scores",
    "binning.json",
    "results.json",
    "figures",
    "report.html",
    "manifest.json",
    "metrics.json",
)
METHODS = {"cut_based", "cut_based_mt_binned", "mva_greedy", "mva_optimal", "boosting_greedy"}


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _scores(output: Path) -> dict[tuple[str, int, int, int], np.ndarray]:
    """Scores of every row of every dataset, by its identity."""
    found: dict[tuple[str, int, int, int], np.ndarray] = {}
    for file in sorted((output / "scores").glob("*/nominal/*.parquet")):
        table = pq.read_table(file).to_pydict()
        names = [name for name in table if name.startswith("score_")]
        rows = np.column_stack([table[name] for name in names])
        keys = zip(table["luminosityBlock"], table["event"], table["response"], strict=True)
        found |= {(file.parts[-3], *key): row for key, row in zip(keys, rows, strict=True)}
    return found


def test_everything_of_the_contract_is_there(finished: Finished) -> None:
    assert [name for name in CONTRACT if not (finished.output / name).exists()] == []


def test_every_published_figure_has_its_counterpart(finished: Finished) -> None:
    wanted = counterparts("VH(WW)")
    assert len(wanted) >= 7
    # So few events may give no edge of bins to draw.
    missing = {"optimised binning, with its Z₀": ["binning_*"]}
    assert without_counterpart(wanted, finished.output / "figures") in ({}, missing)


def test_results_hold_what_they_promise(finished: Finished) -> None:
    results = _json(finished.output / "results.json")
    assert set(results["z0"]) == METHODS
    for found in results["z0"].values():
        low, high = found["interval"]
        assert 0 <= low <= high
        assert found["held_out"] >= 0
        assert found["auxiliary"] == "gaussian"
    assert set(results["auc"]) == {"VH", "ggF", "VBF", "top", "Zjets", "WW", "macro"}
    assert all(0.5 < area["value"] < 1 for area in results["auc"].values())
    for name, edges in results["edges"].items():
        assert {len(y["events"]) for y in results["yields"][name].values()} == {len(edges) - 1}
    assert results["label"] == "Simulation"


def test_the_likelihood_is_there_in_every_format(finished: Finished) -> None:
    folder = finished.output / "fit"
    expected = {"workspace.json", "hs3.json", "datacard.txt", "datacard_shapes.root", "templates.root"}
    expected |= {"templates.json", "yields.tex", "hepdata/submission.yaml", "hepdata/sr.yaml"}
    assert {name for name in expected if not (folder / name).stat().st_size} == set()
    channels = {channel["name"] for channel in _json(folder / "workspace.json")["channels"]}
    assert set(_json(folder / "templates.json")) == channels
    assert channels < {entry["name"] for entry in _json(folder / "hs3.json")["distributions"]}


def test_the_result_is_printed_last_as_json(finished: Finished) -> None:
    start = finished.printed.index("\n{\n") + 1
    printed, _ = json.JSONDecoder().raw_decode(finished.printed[start:])
    assert printed == _json(finished.output / "results.json")


def test_closing_table_says_simulation_luminosity_and_limits(finished: Finished) -> None:
    for words in ("Simulation, 13 TeV, 139 fb⁻¹", "cut-based, one bin", "network, greedy bins", "held-out"):
        assert words in finished.printed
    # A sample of this size cannot carry a significance, and the table must say so.
    assert "limited by the simulated sample" in finished.printed


def test_scores_have_the_rows_of_the_columns_and_weights_add_up(finished: Finished) -> None:
    flow = _json(finished.output / "cutflow.json")["processes"]
    scale = _json(finished.output / "columns" / "normalisation.json")
    total: dict[str, float] = {}
    for columns in sorted((finished.output / "columns").glob("*/*/*.parquet")):
        scored = pq.read_table(finished.output.joinpath("scores", *columns.parts[-3:]))
        table = pq.read_table(columns)
        for name in ("run", "luminosityBlock", "event", "response"):
            assert scored.column(name).equals(table.column(name))
        dataset = columns.parts[-3]
        weight = table.column("gen_weight").to_numpy() * scale[dataset]["scale"]
        np.testing.assert_allclose(scored.column("event_weight").to_numpy(), weight)
        if columns.parts[-2] == "nominal":
            total[dataset] = total.get(dataset, 0.0) + weight.sum()
    for row in flow.values():
        assert row["sumw"][-1] == pytest.approx(sum(total.get(name, 0.0) for name in row["datasets"]))


# Expected e±μ∓ events before acceptance at 139 fb⁻¹; of VH this sample has W⁺H alone.
HIERARCHY = {"top": 3.7e6, "Zjets": 17e6, "WW": 0.53e6, "VH": 0.54e3}


@pytest.mark.parametrize("process", HIERARCHY)
def test_yields_before_acceptance(finished: Finished, process: str) -> None:
    flow = _json(finished.output / "cutflow.json")["processes"][process]
    assert flow["before_acceptance"] == pytest.approx(HIERARCHY[process], rel=0.2)
    assert flow["sumw"][0] < flow["before_acceptance"]


def test_every_event_meets_the_networks_of_its_own_fold(finished: Finished) -> None:
    """Data and variations alike: the fold follows from the identity, and the parts have their sizes."""
    parts: dict[str, list[int]] = {}
    for file in sorted((finished.output / "scores").glob("*/*/*.parquet")):
        table = pq.read_table(file)
        run, lumi, event = (table[name].to_numpy() for name in ("run", "luminosityBlock", "event"))
        expected = assign_folds(run, lumi, event, n_folds=2, salt=TrainingConfig().salt)
        np.testing.assert_array_equal(table["fold"].to_numpy(), expected)
        parts.setdefault(file.parts[-3], []).extend(table["part"].to_pylist())
    assert set(parts.pop("data")) <= {2}
    trained = np.concatenate(list(parts.values()))
    assert set(trained.tolist()) == {0, 1}
    assert 0.1 < np.mean(trained == 1) < 0.3


def test_differences_and_areas_say_what_they_are_of(finished: Finished) -> None:
    results = _json(finished.output / "results.json")
    assert "each by the models of its own folds" in results["auc_events"]
    areas = (results[name]["VH"]["value"] for name in ("auc", "auc_boosting", "auc_differences"))
    network, trees, difference = areas
    assert difference == pytest.approx(network - trees)
    mine = results["z0"]["mva_greedy"]["held_out"]
    for name, found in results["z0_differences"].items():
        assert found["value"] == pytest.approx(mine - results["z0"][name]["held_out"])
    assert {"cut_based", "boosting_greedy"} <= set(results["z0_differences"])
    assert all(tested["p_value"] > 1e-3 for tested in results["one_discriminant"].values())
    tails = _json(finished.output / "explanation.json")["tails"]
    assert {(entry["repeat"], entry["fold"]) for entry in tails} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_the_numbers_are_the_frozen_ones(finished: Finished) -> None:
    assert [*differences(_json(GOLDEN / "vh_ww.json"), frozen(finished.output), rtol=1e-6)] == []


def test_what_it_cost_is_kept(finished: Finished) -> None:
    stages = _json(finished.output / "metrics.json")["stages"]
    assert list(stages) == list(_json(finished.output / "manifest.json")["stages"])
    read = sum(entry["events"] for entry in _json(finished.output / "ledger.json")["datasets"].values())
    work = stages["process"]["work"]
    assert (work["events"], work["failures"], work["retries"]) == (read, 0, 0)
    # The branches that are read are most of these files.
    size = sum(path.stat().st_size for path in (finished.output / "ntuples").rglob("*.root"))
    assert 0.2 * size < work["bytes_read"] < 1.5 * size
    assert len(stages["train"]["workers"]) == 2
    assert all(stages[name]["work"]["events"] for name in ("simulate", "train", "score"))
    assert stages["fit"]["work"] is None
    assert "Tasks of each worker" in (finished.output / "report.html").read_text()


def test_a_second_run_skips_every_stage_whatever_they_cost(finished: Finished) -> None:
    metrics = finished.output / "metrics.json"
    metrics.write_text('{"stages": {}}')
    before = {p: p.stat().st_mtime_ns for p in finished.output.rglob("*") if p.is_file()}
    done = znought("run", finished.card, "--output", finished.output)
    assert done.stderr.count("still valid") == 8
    assert {p: p.stat().st_mtime_ns for p in finished.output.rglob("*") if p.is_file()} == before


def test_one_worker_and_other_chunks_change_no_digit(finished: Finished, tmp_path: Path) -> None:
    card = small_card(tmp_path, processing={"chunk_size": 1000})
    fileset = finished.output / "fileset.json"
    for stage in ("process", "train", "score", "optimise"):
        znought(stage, card, "--output", tmp_path / "o", "--fileset", fileset, "--workers", 1)
    one, two = tmp_path / "o", finished.output
    assert len(list(one.glob("columns/ttbar/nominal/*"))) > len(list(two.glob("columns/ttbar/nominal/*")))
    assert _json(one / "cutflow.json") == _json(two / "cutflow.json")
    assert _json(one / "columns/normalisation.json") == _json(two / "columns/normalisation.json")
    first, second = _scores(one), _scores(two)
    assert first.keys() == second.keys()
    for key, row in first.items():
        np.testing.assert_allclose(row, second[key], rtol=0, atol=1e-6)
    assert _json(one / "binning.json") == _json(two / "binning.json")
