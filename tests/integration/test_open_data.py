"""Files of the experiments themselves pass through `znought process`, with a cutflow of whole events."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import ROOT, small_card, znought

OPEN_DATA = Path(os.environ.get("ZNOUGHT_OPEN_DATA", ROOT.parent / "shared" / "data"))
CASES = {"nano_tt_v12.root": 200, "nano_dy.root": 40, "PHYSLITE_example.root": 100}


def _file(name: str) -> Path:
    path = OPEN_DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {OPEN_DATA}; set ZNOUGHT_OPEN_DATA to the folder that holds it")
    return path


def _ttbar(path: Path) -> dict[str, Any]:
    """One dataset of one file; these excerpts keep no sum of weights, so the card gives it."""
    entry = {"process": "top", "xsec_pb": 833.9, "files": [str(path)], "generated_sumw": 1000.0}
    return {"ttbar": entry}


WITHOUT_DATA = {"action": "report"}
"""Simulation alone has nothing that the gate could compare it with."""


@pytest.mark.parametrize("name", CASES)
def test_every_event_is_counted(name: str, tmp_path: Path) -> None:
    path = _file(name)
    card = small_card(tmp_path, datasets=_ttbar(path), validation=WITHOUT_DATA)
    znought("process", card, "--output", tmp_path / "output", "--workers", 1)
    (flow,) = json.loads((tmp_path / "output" / "cutflow.json").read_text())["processes"].values()
    assert flow["raw"][0] == CASES[name]
    assert flow["raw"] == sorted(flow["raw"], reverse=True)
    assert flow["sumw"][0] > 0


def test_without_a_sum_of_weights_nothing_is_normalised(tmp_path: Path) -> None:
    datasets = _ttbar(_file("nano_tt_v12.root"))
    del datasets["ttbar"]["generated_sumw"]
    card = small_card(tmp_path, datasets=datasets, validation=WITHOUT_DATA)
    done = znought("process", card, "--output", tmp_path / "output", "--workers", 1, check=False)
    assert done.returncode == 1
    assert "error: Dataset 'ttbar': a file lacks its sum of generated weights" in done.stderr
    assert not (tmp_path / "output" / "cutflow.json").exists()


def test_what_the_format_lacks_is_declared_or_refused(tmp_path: Path) -> None:
    path = _file("nano_tt_v12.root")
    datasets = _ttbar(path)
    card = small_card(tmp_path, datasets=datasets, validation=WITHOUT_DATA)
    znought("process", card, "--output", tmp_path / "output", "--workers", 1)
    declared = json.loads((tmp_path / "output" / "columns" / "substitutes.json").read_text())
    assert declared["ttbar"]
    refusing = small_card(
        tmp_path, datasets=datasets, validation=WITHOUT_DATA, processing={"substitutes": "refuse"}
    )
    done = znought("process", refusing, "--output", tmp_path / "other", "--workers", 1, check=False)
    assert done.returncode == 1
    assert any(name in done.stderr for name in declared["ttbar"])
    assert not (tmp_path / "other" / "cutflow.json").exists()


@pytest.mark.parametrize(
    ("name", "dialect"), [("nano_tt_v12.root", "nanoaod_v12"), ("PHYSLITE_example.root", "physlite")]
)
def test_inspect_names_the_dialect(name: str, dialect: str) -> None:
    printed = znought("inspect", _file(name)).stdout
    assert dialect in printed
    assert f"{CASES[name]} events" in printed
