"""Two results side by side: what differs is named, what does not is counted, yields are judged by event."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from znought.errors import DataError
from znought.facility.cli import app
from znought.facility.comparing.record import compared
from znought.facility.comparing.yields import paired_difference
from znought.facility.workspace import write_json

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
    write_json(folder / "manifest.json", {"stages": {"train": {"section": section}}})
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


def test_a_folder_without_results_is_one_line(outputs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no results\.json; expected the output of a finished run"):
        compared(outputs[0], tmp_path)
