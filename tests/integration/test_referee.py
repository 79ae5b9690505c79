"""The referee on a finished run: the clean one does not fail, and planted mistakes do."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import Finished, znought
from znought.facility.cards.reading import StandardCard, load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.events.sample import read_sample
from znought.facility.progress import Silent
from znought.facility.referee.counting import counting_checks
from znought.facility.referee.scores import score_checks
from znought.facility.results.standard import read_results
from znought.facility.workspace import Workspace, write_json
from znought.models.scoring import Scorer
from znought.stats.referee.record import Check

LEFT_OUT = shutil.ignore_patterns("figures", "ntuples", "report.html")


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Finished:
    """The run without figures and ntuples."""
    shutil.copytree(finished.output, tmp_path / "output", ignore=LEFT_OUT)
    return Finished(finished.card, tmp_path / "output", "")


def _context(run: Finished) -> Context[StandardCard]:
    card, found = load_with_analysis(run.card)
    assert isinstance(card, StandardCard)
    cluster: Any = None
    return Context(card, Workspace(run.output), RunOptions(), Silent(), cluster, found)


def _failed(checks: Iterable[Check]) -> set[str]:
    return {check.name for check in checks if check.verdict == "fail"}


def _counting(run: Finished) -> set[str]:
    context = _context(run)
    sample = read_sample(context.card, context.workspace, kind="simulation")
    return _failed(counting_checks(context, sample, read_results(context.workspace.results)))


def _scoring(run: Finished) -> set[str]:
    context = _context(run)
    return _failed(score_checks(context.card, context.workspace))


def test_a_clean_run_does_not_fail(finished: Finished, copied: Finished) -> None:
    fileset = finished.output / "fileset.json"
    done = znought(
        "referee", copied.card, "--output", copied.output, "--fileset", fileset, "--no-report", "--json"
    )
    found = json.loads((copied.output / "referee.json").read_text())
    assert found["verdict"] in ("pass", "warn")
    assert "Referee: " in done.stderr
    checks = {check["name"]: check for check in found["checks"]}
    assert len(checks) == len(found["checks"]) > 20
    for name in ("events counted once", "scores repeated", "scalers repeated", "likelihood repeated"):
        assert checks[name]["verdict"] == "pass", checks[name]
    for name in ("errors by generated event", "training data repeated", "sums of weights", "up and down"):
        assert checks[name]["verdict"] == "pass", checks[name]
    assert checks["goodness of fit"]["measured"] == "data are blinded"
    assert all(check["measured"] for check in checks.values())


def _rewritten(file: Path, name: str, values: np.ndarray) -> None:
    table = pq.read_table(file)
    place = table.schema.get_field_index(name)
    pq.write_table(table.set_column(place, name, pa.array(values)), file)


def _double_a_dataset(run: Finished) -> None:
    for kind in ("columns", "scores", "scores_boosting"):
        for file in list((run.output / kind / "ggf" / "nominal").glob("*.parquet")):
            shutil.copy(file, file.with_name(f"again_{file.name}"))


def _count_responses(run: Finished) -> None:
    path = run.output / "results.json"
    results = json.loads(path.read_text())
    found = results["yields"]["mva_greedy"]["top"]
    found["mc_stat_error"] = [0.5 * error for error in found["mc_stat_error"]]
    write_json(path, results)


def _mistake_the_luminosity(run: Finished) -> None:
    path = run.output / "columns" / "normalisation.json"
    scales = json.loads(path.read_text())
    scales["ttbar"]["scale"] *= 140.1 / 139
    write_json(path, scales)


def _give_data_the_mean_of_all(run: Finished) -> None:
    scorer = Scorer.load(run.output / "models")
    for file in (run.output / "scores" / "data" / "nominal").glob("*.parquet"):
        table = pq.read_table(run.output.joinpath("columns", *file.parts[-3:])).to_pydict()
        features = scorer.features({name: np.asarray(values) for name, values in table.items()})
        scores = scorer.score(features, np.full((len(features), scorer.manifest.n_repeats), -1))
        for i, name in enumerate(scorer.manifest.classes):
            _rewritten(file, f"score_{name}", scores[:, i])


def _shift_the_folds_of_a_variation(run: Finished) -> None:
    for file in (run.output / "scores" / "ttbar" / "jes_up").glob("*.parquet"):
        folds = pq.read_table(file)["fold"].to_numpy()
        _rewritten(file, "fold", ((folds + 1) % 2).astype(folds.dtype))


def _fit_a_scaler_on_everything(run: Finished) -> None:
    path = run.output / "models" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["scalers"][0]["median"][3] += 1e-3 * manifest["scalers"][0]["iqr"][3]
    write_json(path, manifest)


@pytest.mark.parametrize(
    ("plant", "found_by", "failed"),
    [
        (_double_a_dataset, _counting, "events counted once"),
        (_count_responses, _counting, "errors by generated event"),
        (_mistake_the_luminosity, _counting, "normalisation"),
        (_give_data_the_mean_of_all, _scoring, "scores repeated"),
        (_shift_the_folds_of_a_variation, _scoring, "folds by identity"),
        (_fit_a_scaler_on_everything, _scoring, "scalers repeated"),
    ],
)
def test_planted_mistakes_fail(
    copied: Finished, plant: Callable[[Finished], None], found_by: Callable[[Finished], set[str]], failed: str
) -> None:
    # As a faulty program would have left it; what is changed behind a run's back is refused at once.
    (copied.output / "manifest.json").unlink()
    assert failed not in found_by(copied)
    plant(copied)
    assert failed in found_by(copied)
