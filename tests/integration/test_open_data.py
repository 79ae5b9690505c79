"""Files of the experiments themselves pass through `znought process`, with a cutflow of whole events."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import ROOT, small_card, znought
from znought.processors.dialects.working_points import WORKING_POINTS

OPEN_DATA = Path(os.environ.get("ZNOUGHT_OPEN_DATA", ROOT.parent / "shared" / "data"))
CASES = {"nano_tt_v12.root": 200, "nano_dy.root": 40, "PHYSLITE_example.root": 100}
ERAS = {"nano_tt_v12.root": "2022", "nano_dy.root": "2018"}
WITHOUT_SUMS = {"nano_tt_v12.root", "PHYSLITE_example.root"}
# So loose that one of 200 tt̄ events passes; where no file gives a working point, one that none reaches.
LOOSE = {
    "isolation_max": 1e3,
    "pt_lepton_veto_gev": 14.0,
    "btag_mode": "veto",
    "btag_working_points": dict.fromkeys(WORKING_POINTS, 1e9),
}


def _file(name: str) -> Path:
    path = OPEN_DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {OPEN_DATA}; set ZNOUGHT_OPEN_DATA to the folder that holds it")
    return path


def _ttbar(path: Path) -> dict[str, Any]:
    """One dataset of one file; where the excerpt keeps no sum of weights, the card gives it."""
    entry = {"process": "top", "xsec_pb": 833.9, "files": [str(path)], "era": ERAS.get(path.name)}
    return {"ttbar": entry | ({"generated_sumw": 1000.0} if path.name in WITHOUT_SUMS else {})}


WITHOUT_DATA = {"action": "report"}
"""Simulation alone has nothing that the gate could compare it with."""


def test_every_event_is_counted(tmp_path: Path) -> None:
    path = _file("nano_tt_v12.root")
    card = small_card(tmp_path, datasets=_ttbar(path), validation=WITHOUT_DATA, selection=LOOSE)
    znought("process", card, "--output", tmp_path / "output", "--workers", 1)
    (flow,) = json.loads((tmp_path / "output" / "cutflow.json").read_text())["processes"].values()
    assert flow["raw"][0] == CASES[path.name]
    assert flow["raw"] == sorted(flow["raw"], reverse=True)
    assert flow["raw"][-1] == 1
    assert flow["sumw"][0] > 0


@pytest.mark.parametrize("name", ["nano_dy.root", "PHYSLITE_example.root"])
def test_where_nothing_passes_the_row_is_named(name: str, tmp_path: Path) -> None:
    """Neither excerpt holds an electron and a muon in one event."""
    card = small_card(tmp_path, datasets=_ttbar(_file(name)), validation=WITHOUT_DATA, selection=LOOSE)
    done = znought("process", card, "--output", tmp_path / "output", "--workers", 1, check=False)
    assert done.returncode == 1
    message = f"No event passes the selection: 'different_flavour' takes the last of {CASES[name]};"
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "output" / "cutflow.json").exists()


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
    card = small_card(tmp_path, datasets=datasets, validation=WITHOUT_DATA, selection=LOOSE)
    znought("process", card, "--output", tmp_path / "output", "--workers", 1)
    declared = json.loads((tmp_path / "output" / "columns" / "substitutes.json").read_text())
    assert declared["ttbar"]
    refusing = small_card(
        tmp_path,
        datasets=datasets,
        validation=WITHOUT_DATA,
        selection=LOOSE,
        processing={"substitutes": "refuse"},
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
