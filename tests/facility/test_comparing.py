"""Two results side by side: what differs is named, what does not is counted, yields are judged by event."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from znought.errors import DataError
from znought.facility.cli import app
from znought.facility.comparing.record import compared
from znought.facility.comparing.significances import (
    paired_significances,
    trained_apart,
    unpaired_because,
)
from znought.facility.comparing.tables import comparison_tables
from znought.facility.comparing.yields import PairedYield, other_events, paired_difference
from znought.facility.events.store import IDENTITY, EventTable
from znought.facility.results.binned import BinnedSelection, read_binning, write_binning
from znought.facility.results.replicated import ReplicatedNumber, ReplicatedNumbers, write_replicates
from znought.facility.workspace import Workspace, write_json
from znought.stats.crossfit import cross_fitted
from znought.stats.rules import BinningConfig

RESULTS = {
    "title": "x",
    "z0": {"mva": {"held_out": 1.5, "interval": [1.3, 1.7], "tuned": 1.9}},
    "yields": [1.0, 2.0],
    "fit": None,
}
SECTION = {"lumi_ifb": 139.0, "training": {"n_folds": 5, "seed": 1}}


def _output(folder: Path, results: Any, section: Any, figures: tuple[str, ...] = ("roc",)) -> Path:
    folder.mkdir()
    write_json(folder / "results.json", results)
    done = {"train": {"section": section}, "fit": {"section": {}, "outputs": {"results.json": {}}}}
    write_json(folder / "manifest.json", {"stages": done})
    (folder / "figures").mkdir()
    for name in figures:
        Image.new("RGB", (4, 3), "white").save(folder / "figures" / f"{name}.png")
    return folder


@pytest.fixture
def outputs(tmp_path: Path) -> tuple[Path, Path]:
    other = {
        **RESULTS,
        "z0": {"mva": {"held_out": 1.25, "interval": [1.0, 1.5], "tuned": 1.9}, "cut": {"tuned": 0.3}},
    }
    return (
        _output(tmp_path / "one", RESULTS, SECTION),
        _output(tmp_path / "two", other, {**SECTION, "training": {"n_folds": 5, "seed": 2}}, ("roc", "bins")),
    )


def test_only_what_differs_is_named(outputs: tuple[Path, Path]) -> None:
    found = compared(*outputs)
    numbers = {one.name: one for one in found.numbers}
    held_out = numbers["z0.mva.held_out"]
    assert (held_out.first, held_out.second, held_out.difference) == (1.5, 1.25, -0.25)
    assert held_out.intervals == ((1.3, 1.7), (1.0, 1.5))
    assert (numbers["z0.cut.tuned"].first, numbers["z0.cut.tuned"].second) == (None, 0.3)
    assert "z0.mva.tuned" not in numbers
    assert found.n_equal == 3
    assert [(one.key, one.first, one.second) for one in found.cards] == [("training.seed", 1, 2)]
    assert (found.figures, found.only_first, found.only_second) == (("roc",), (), ("bins",))


def test_a_result_is_the_same_as_itself(outputs: tuple[Path, Path]) -> None:
    found = compared(outputs[0], outputs[0])
    assert found.is_same
    assert found.n_equal == 6


def test_differences_of_yields_are_judged_by_the_events_that_differ() -> None:
    random = np.random.default_rng(1)
    ids, weight = np.arange(1000, dtype=np.uint64), random.uniform(0.5, 1.5, 1000)
    assert paired_difference(ids, weight, ids[::-1], weight[::-1]) == (0.0, 0.0, 1000)
    # Two responses of one event are one unit, whose errors add.
    twice = paired_difference(ids[:1], np.ones(1), np.array([0, 0], np.uint64), np.ones(2))
    assert twice == (1.0, 1.0, 1)
    kept = random.uniform(size=1000) < 0.9
    shift, error, common = paired_difference(ids, weight, ids[kept], weight[kept])
    assert shift == pytest.approx(-weight[~kept].sum())
    assert error == pytest.approx(np.sqrt(np.sum(weight[~kept] ** 2)))
    assert common == kept.sum()


def _events(values: NDArray[np.float64]) -> EventTable:
    """Events 1, 2, … of one dataset with a variable, and one that tells none of them apart."""
    n, ones = values.size, np.ones(values.size, np.int64)
    columns = dict(zip(IDENTITY, (ones, ones, np.arange(n), ones), strict=True))
    return EventTable(columns | {"pt": values, "n_jets": 2 * ones}, np.zeros(n, np.int16), ("zh",))


def test_equal_numbers_of_another_seed_are_other_events() -> None:
    random = np.random.default_rng(2)
    one = _events(random.normal(size=100))
    moved = EventTable({**one.columns, "met": one["pt"] + 1.0}, one.dataset, one.datasets)
    assert not other_events(one, moved, ["pt", "n_jets"])
    assert other_events(one, _events(random.normal(size=100)), ["pt", "n_jets"])
    assert not other_events(one, _events(random.normal(size=100)), ["n_jets"])


def _selection(seed: int, shift: float) -> BinnedSelection:
    """A binned selection of toy events; `seed` of the events, `shift` of the discriminant."""
    random, n = np.random.default_rng(seed), 3000
    signal = np.arange(n) < n // 3
    scores = np.clip(random.beta(2.0, 2.0, n) + 0.3 * signal + shift * random.normal(size=n), 0.0, 1.0)
    weights, rules = np.where(signal, 0.02, 1.0), BinningConfig(lower=0.0, upper=1.0)
    found = cross_fitted(scores, weights, signal, np.arange(n), config=rules, n_bootstrap=300, seed=3)
    none = {"z_total": 0.0, "edges": [], "min_background_events": 0}
    more = {"yields": {"edges": [], "processes": {}}, "z_profile": 0.0, "min_background_events": 9.0}
    return BinnedSelection.model_validate(found.to_dict() | more | {"unbounded": none})


def test_differences_of_significances_are_paired_where_events_are_common(tmp_path: Path) -> None:
    places = [Workspace(_output(tmp_path / name, RESULTS, SECTION)) for name in ("one", "two")]
    for place, shift in zip(places, (0.0, 0.01), strict=True):
        write_binning(place.binning, {"mva_greedy": _selection(5, shift)})
    paired, apart = (paired_significances(places[0], places[1], why)[0] for why in ("", "of other events"))
    assert paired.difference == apart.difference == pytest.approx(paired.second - paired.first)
    width, independent = (one.interval[1] - one.interval[0] for one in (paired, apart))
    alone = [read_binning(place.binning)["mva_greedy"].interval for place in places]
    assert width < 0.5 * independent
    assert independent == pytest.approx(np.hypot(*np.diff(alone)[:, 0]), rel=0.25)
    assert paired_significances(places[0], places[0], "")[0].interval == (0.0, 0.0)


def _with_replicates(folder: Path, replicates: NDArray[np.float64], model: str) -> Workspace:
    """A result with a significance by replicates, and a network of some digest."""
    place = Workspace(_output(folder, RESULTS, SECTION))
    number = ReplicatedNumber(title="combined, trees", value=2.0, replicates=tuple(replicates.tolist()))
    write_replicates(place.replicates, ReplicatedNumbers(quantity="held-out Z_A", numbers={"trees": number}))
    written = json.loads(place.manifest.read_text())
    outputs = {"models/fold_0.onnx": {"sha256": model}, "models/fold_0.keras": {"sha256": folder.name}}
    written["stages"]["train"]["outputs"] = outputs
    write_json(place.manifest, written)
    return place


def test_what_is_paired_is_said_where_networks_were_trained_anew(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    common, own = random.normal(2.0, 0.5, 400), random.normal(0.0, 0.05, 400)
    one = _with_replicates(tmp_path / "one", common, "a")
    same = _with_replicates(tmp_path / "same", common + own, "a")
    apart = _with_replicates(tmp_path / "apart", common + own, "b")
    paired, independent = (paired_significances(one, same, why)[0] for why in ("", "of other events"))
    assert np.diff(paired.interval)[0] == pytest.approx(2 * 0.05, rel=0.2)
    assert np.diff(independent.interval)[0] == pytest.approx(2 * 0.5 * 2**0.5, rel=0.2)
    captions = {
        place.directory.name: comparison_tables(compared(one.directory, place.directory))[0].caption
        for place in (same, apart)
    }
    words = (" the same in both: no chance of training", " were trained apart: chance in the two trainings")
    for (name, caption), word in zip(captions.items(), words, strict=True):
        assert f"Networks and trees{word.replace(' the same', ' are the same')}" in caption, name
        assert "do not hold the chance of training" in caption
        assert "they have no generated event in common" in caption
    assert trained_apart(one, one) is False
    assert trained_apart(one, Workspace(_output(tmp_path / "none", RESULTS, SECTION))) is None


def test_why_results_are_no_pair_is_said() -> None:
    common = PairedYield(dataset="zh", first=1.0, second=1.0, difference=0.0, error=0.0, common=5)
    seeds = ({"crossfit.seed": 1}, {"crossfit.seed": 1})
    assert unpaired_because([common], seeds) == ""
    assert (
        unpaired_because([common], ({"crossfit.seed": 1}, {"crossfit.seed": 2})) == "crossfit.seed is 1 and 2"
    )
    assert "no generated event" in unpaired_because([common.model_copy(update={"common": 0})], seeds)
    assert "other events in zh" in unpaired_because([common.model_copy(update={"is_other": True})], seeds)


def test_the_command_prints_tables_json_and_a_page(outputs: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ["compare", *map(str, outputs), "--json", "--page", str(page)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert {one["name"] for one in found["numbers"]} == {
        "z0.mva.held_out",
        "z0.mva.interval[0]",
        "z0.mva.interval[1]",
        "z0.cut.tuned",
    }
    assert "training.seed" in done.stdout
    text = page.read_text()
    assert text.count("data:image/png") == 2
    assert f"roc, {outputs[0]}" in text


def test_results_of_an_interrupted_run_are_refused(outputs: tuple[Path, Path]) -> None:
    for stages in (["fit", "plot", "train"], ["train"]):
        done: dict[str, Any] = {
            name: {"section": {}, "outputs": {"results.json": {}} if name == "fit" else {}} for name in stages
        }
        write_json(outputs[1] / "manifest.json", {"stages": done})
        with pytest.raises(DataError, match="older than stage 'train': a run began anew"):
            compared(*outputs)


def test_a_folder_without_results_is_one_line(outputs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no results\.json; expected the output of a finished run"):
        compared(outputs[0], tmp_path)
