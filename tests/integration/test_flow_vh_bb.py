"""VH(bb) in the SMEFT in one command, on a sample that fits into a test."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.golden.frozen import GOLDEN, differences, frozen
from tests.integration.conftest import ROOT, znought
from tests.pages import counterparts, without_counterpart
from znought.analyses.vh_bb.features import FEATURES
from znought.analyses.vh_bb.results import read_smeft_results
from znought.analyses.vh_bb.summary import smeft_tables
from znought.facility.cards.reading import load_with_analysis
from znought.facility.comparing.record import compared
from znought.facility.results.notebook import load_results
from znought.facility.results.replicated import read_replicates

pytestmark = pytest.mark.timeout(600)

N_EVENTS = {"zh_nunubb_high": 250, "zh_llbb_high": 250, "z_ll_bb_high": 12, "ttbar_lnuqq_high": 300}
CHANNELS = ("0L", "2L")
STAGES = ("simulate", "process", "validate", "train", "score", "measure", "limits", "plot")


def _small_card(directory: Path, **changes: Any) -> Path:
    """The shipped card with two channels, one value, few events and two folds."""
    card = yaml.safe_load((ROOT / "analyses" / "vh_bb_smeft.yaml").read_text())
    card["datasets"] = {
        name: card["datasets"][name] | {"n_events": n_events, "n_responses": 4}
        for name, n_events in N_EVENTS.items()
    }
    card["channels"] = list(CHANNELS)
    card["training"] |= {"n_folds": 2, "n_repeats": 2, "max_epochs": 6, "patience": 6}
    card["network"] |= {"pretraining_epochs": 2}
    card["trees"] = {"max_iter": 5, "min_samples_leaf": 5}
    card["discriminants"] = {"parametrised_values": [-0.01, 0.01], "parametrised_nodes": [8]}
    card["smeft"] = {
        "values": [0.03],
        "limit_luminosities_ifb": [80.0],
        "truncations_gev": [600.0],
        "n_toys": 20,
        "calibration_toys": 40,
        "calibration_points": 2,
        "n_contour": 11,
    }
    card["export"] = {"values": [0.03], "n_events": 200}
    card["plotting"] = {"variables": ["m_bb"], "formats": ["png"]}
    card |= changes
    path = directory / "card.yaml"
    path.write_text(yaml.safe_dump(card))
    return path


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole flow with two workers, figures included."""
    directory = tmp_path_factory.mktemp("vh_bb")
    card = _small_card(directory)
    done = znought("run", card, "--output", directory / "output", "--workers", 2)
    (directory / "printed.txt").write_text(done.stdout + done.stderr)
    return directory / "output"


def test_the_search_for_z_gives_sections_for_the_card(output: Path, tmp_path: Path) -> None:
    read = yaml.safe_load((output.parent / "card.yaml").read_text())
    training = read["training"] | {"search_fraction": 0.3}
    evolution = {"population": 3, "generations": 1}
    search = {
        "sampler": "evolution",
        "objective": "z0",
        "min_epochs": 3,
        "max_epochs": 3,
        "evolution": evolution,
        "trees": {"n_trials": 2},
    }
    card, copied = _small_card(tmp_path, training=training, search=search), tmp_path / "output"
    shutil.copytree(output, copied)
    done = znought("tune", card, "--output", copied, "--workers", 2)
    assert "sections for the card in" in done.stderr
    assert len(_json(copied / "search" / "trials.json")["trials"]) == 3
    found = yaml.safe_load((copied / "search" / "network.yaml").read_text())
    assert set(found) == {"network", "trees", "training"}
    load_with_analysis(_small_card(tmp_path, **found | {"training": training}))


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def test_everything_of_the_contract_is_there(output: Path) -> None:
    files = ("cutflow.json", "columns", "models", "scores", "results.json", "report.html", "manifest.json")
    books = ("ledger.json", "cutflow_0L.csv", "cutflow_2L_datasets.csv", "cutflow_2L.tex")
    assert [name for name in (*files, *books) if not (output / name).exists()] == []
    assert set(_json(output / "manifest.json")["stages"]) == set(STAGES)
    drawn = {path.stem for path in (output / "figures").glob("*.png")}
    figures = {"outputs_0L", "roc_asimov_0L", "z_cut_cross_entropy_paper", "combination_trees_inclusive"}
    assert figures | {"z_luminosity_trees_excess", "predicted_2L", "intervals_inclusive", "contour"} <= drawn


def test_significances_stand_beside_their_replicates(output: Path) -> None:
    """What two results are compared by: the combination of each drawing is that of its channels."""
    found, results = read_replicates(output / "replicates.json"), _json(output / "results.json")
    assert {name.rpartition("_")[0] for name in found.numbers} == {"cross_entropy_0.03", "trees_0.03"}
    for one in results["significances"]:
        kind = (one["region"], one["signal_definition"], one["with_backgrounds"])
        if kind == ("inclusive", "excess", one["model"] == "trees") and one["model"] != "asimov":
            assert found.numbers[f"{one['model']}_0.03_{one['channel']}"].value == one["z"]
    whole = np.asarray(found.numbers["cross_entropy_0.03_combined"].replicates)
    parts = [found.numbers[f"cross_entropy_0.03_{name}"].replicates for name in CHANNELS]
    np.testing.assert_allclose(whole, np.linalg.norm(parts, axis=0))
    same = compared(output, output)
    assert same.trained_apart is False
    assert {one.interval for one in same.significances} == {(0.0, 0.0)}


def test_every_published_figure_has_its_counterpart(output: Path) -> None:
    wanted = counterparts("VH(bb) in the SMEFT")
    assert len(wanted) >= 8
    assert without_counterpart(wanted, output / "figures") == {}


def test_the_report_begins_with_the_intervals_and_what_was_published(output: Path) -> None:
    results, report = _json(output / "results.json"), (output / "report.html").read_text()
    usual = {"channel": "combined", "region": results["main_region"], "order": "quadratic"}
    usual |= {"method": "delta_2lnl", "scaling": "fixed", "lumi_ifb": results["lumi_ifb"]}
    usual |= {"discriminant": "parametrised_network"}
    (one,) = [i for i in results["intervals"] if all(i[key] == value for key, value in usual.items())]
    written = " ∪ ".join(f"[{1e3 * low:.2f}, {1e3 * high:.2f}]" for low, high in one["segments"])
    head = report[: report.index("<table")]
    assert written.replace("-", "−") in head
    assert "network, all channels; published reach ± 1" in head
    assert head.count("; published 31.5") == 1


def test_the_numbers_are_the_frozen_ones(output: Path) -> None:
    assert [*differences(_json(GOLDEN / "vh_bb.json"), frozen(output), rtol=1e-6)] == []


def test_results_hold_both_definitions_in_every_region(output: Path) -> None:
    results = _json(output / "results.json")
    found = {
        (one["channel"], one["region"], one["signal_definition"], one["with_backgrounds"])
        for one in results["significances"]
    }
    for channel in CHANNELS:
        for definition in ("paper", "excess"):
            assert (channel, "inclusive", definition, True) in found
            assert (channel, "inclusive", definition, False) in found
    assert {one["region"] for one in results["yields"]} == {"inclusive", "boosted"}
    for one in results["significances"]:
        # What exceeds the standard model is less than the whole.
        assert one["inclusive_z"] >= 0
        assert one["background"] > 0
    quoted = results["published"]
    assert quoted["z_a"] == {"0.03": 31.5, "0.001": 1.76}
    assert quoted["no_network"]["0.001"] == pytest.approx(1.654742, abs=1e-6)


def test_intervals_hold_the_standard_model(output: Path) -> None:
    results = _json(output / "results.json")
    chosen = [one for one in results["intervals"] if one["region"] == "inclusive"]
    assert {one["discriminant"] for one in chosen} == {
        "counting",
        "pt_v",
        "classifier",
        "parametrised_trees",
        "parametrised_network",
        "linear_score",
    }
    assert {one["channel"] for one in chosen} == {*CHANNELS, "combined"}
    assert {one["scaling"] for one in chosen} == {"fixed", "inverse_sqrt"}
    for one in results["intervals"]:
        assert any(low <= 0.0 <= high for low, high in one["segments"])


def test_an_event_meets_only_networks_that_never_saw_it(output: Path) -> None:
    """Scores have the rows of the columns; all responses of an event share its fold."""
    for columns in (output / "columns").glob("*/*/*/*.parquet"):
        scored = pq.read_table(output.joinpath("scores", *columns.parts[-4:]))
        table = pq.read_table(columns)
        folds: dict[tuple[int, int], set[int]] = {}
        for name in ("run", "luminosityBlock", "event", "response"):
            assert scored.column(name).equals(table.column(name))
        keys = zip(*(scored.column(name).to_pylist() for name in ("luminosityBlock", "event")), strict=True)
        for key, fold in zip(keys, scored.column("fold").to_pylist(), strict=True):
            folds.setdefault(key, set()).add(fold)
        assert all(len(fold) == 1 for fold in folds.values())


def test_the_closing_tables_quote_the_talk_as_the_talk(output: Path) -> None:
    printed = (output.parent / "printed.txt").read_text()
    for words in ("31.5", "0.75", "1.65", "arXiv:1902.05803", "paper (b)", "excess (b)"):
        assert words in printed


def test_a_notebook_shows_the_same_tables(output: Path) -> None:
    found = load_results(output)
    assert found.tables == smeft_tables(read_smeft_results(output / "results.json"))
    assert found._repr_html_().count("<table>") == len(found.tables)


def test_a_second_run_skips_every_stage(output: Path) -> None:
    done = znought("run", output.parent / "card.yaml", "--output", output)
    assert done.stderr.count("still valid") == len(STAGES)


def test_export_leaves_the_notebooks_files(output: Path) -> None:
    znought("export", output.parent / "card.yaml", "--output", output)
    folder = output / "export" / "0L"
    train, test = (np.load(folder / f"X_{part}_0L_cHW_0d03.npz") for part in ("train", "test"))
    assert train["x"].shape[1] == 10
    assert len(train["y"]) + len(test["y"]) == 400
    assert train["x"].min() == 0.0
    assert train["x"].max() == 1.0
    assert (folder / "sm.csv").read_text().split()[:2] == ["ptb1", "ptb2"]


def test_a_stage_of_the_other_analysis_is_named(output: Path) -> None:
    done = znought("optimise", output.parent / "card.yaml", "--output", output, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "vh_bb_smeft: Unknown stage 'optimise'" in line
    assert "simulate, process, validate, train, score, measure, limits, plot, tune, export" in line


def test_importance_of_the_inputs_is_told_for_every_channel(output: Path) -> None:
    results = read_smeft_results(output / "results.json")
    found = {(one.channel, one.model): one.inputs for one in results.importance}
    models = ("asimov_0.03", "cross_entropy_0.03", "parametrised_0.01")
    assert set(found) == {(channel, model) for channel in CHANNELS for model in models}
    for (channel, model), inputs in found.items():
        extra = {"c_hw"} if model.startswith("parametrised") else set()
        assert set(inputs) == {*FEATURES[channel], *extra}
        assert any(one.mean != 0.0 for one in inputs.values())
    drawn = {path.stem for path in (output / "figures").glob("importance_*.png")}
    assert drawn == {f"importance_{channel}_{model}" for channel, model in found}


def test_an_empty_channel_is_one_clear_line(output: Path, tmp_path: Path) -> None:
    """No lepton + missing momentum in Z → ℓℓ events: 1L has nothing to process here."""
    card = _small_card(tmp_path, channels=["0L", "1L"], selection={"pt_lepton_min_gev": 5000.0})
    target = tmp_path / "output"
    fileset = output / "fileset.json"
    done = znought("process", card, "--output", target, "--fileset", fileset, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Channel 1L: no event passes the selection" in line
    assert not (target / "cutflow.json").exists()


def test_vh_events_without_weights_are_named(output: Path, tmp_path: Path) -> None:
    """Weights that no recipe stored stop the training with the channel's name."""
    shutil.copytree(output / "columns", tmp_path / "output" / "columns")
    for file in (tmp_path / "output" / "columns" / "0L" / "zh_nunubb_high").rglob("*.parquet"):
        table = pq.read_table(file)
        missing = np.full(table.num_rows, np.nan)
        place = table.column_names.index("smeft_1")
        pq.write_table(table.set_column(place, "smeft_1", [missing]), file)
    done = znought("train", output.parent / "card.yaml", "--output", tmp_path / "output", check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "0L" in line
    assert "weight" in line


def test_the_referee_judges_the_events_of_every_channel(output: Path, tmp_path: Path) -> None:
    copied = tmp_path / "output"
    shutil.copytree(output, copied, ignore=shutil.ignore_patterns("ntuples", "figures", "report.html"))
    fileset = output / "fileset.json"
    znought("referee", output.parent / "card.yaml", "--output", copied, "--fileset", fileset, "--no-report")
    found = _json(copied / "referee.json")
    verdicts = {check["name"]: check["verdict"] for check in found["checks"]}
    assert found["verdict"] == "pass"
    assert {name for name, verdict in verdicts.items() if verdict == "pass"} == {
        "events counted once",
        "normalisation",
        "sums of weights",
    }
    assert verdicts["scores"] == "not applicable"
