"""Scale factors of correctionlib files reach the weights of the right lepton, and only those."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.runner import RunResult, process_fileset
from znought.processors.vh_ww import NOMINAL, VHWWProcessor
from znought.processors.weights import ScaleFactor


def _binned(name: str, variable: str, edges: list[float], values: list[float]) -> dict[str, Any]:
    """A correction in bins of one variable, with a systematic input that adds 10 %."""

    def node(shift: float) -> dict[str, Any]:
        content = [value * (1.0 + shift) for value in values]
        return {"nodetype": "binning", "input": variable, "edges": edges, "content": content, "flow": "clamp"}

    shifts = {"nominal": 0.0, "sfup": 0.1, "sfdown": -0.1}
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": "variation", "type": "string"}, {"name": variable, "type": "real"}],
        "output": {"name": "weight", "type": "real"},
        "data": {
            "nodetype": "category",
            "input": "variation",
            "content": [{"key": key, "value": node(shift)} for key, shift in shifts.items()],
        },
    }


@pytest.fixture(scope="module")
def corrections(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("corrections") / "sf.json"
    document = {
        "schema_version": 2,
        "corrections": [
            _binned("muon_id", "pt", [0.0, 30.0, 1e4], [0.9, 1.1]),
            _binned("electron_id", "sc_eta", [-5.0, 0.0, 5.0], [0.8, 1.2]),
            _binned("pileup", "npu", [0.0, 30.0, 100.0], [0.5, 1.5]),
        ],
    }
    path.write_text(json.dumps(document))
    return str(path)


_SYSTEMATICS: dict[Any, str] = {"nominal": "nominal", "up": "sfup", "down": "sfdown"}


def _run(path: str, directory: Path, **weights: ScaleFactor) -> RunResult:
    processor = VHWWProcessor(columns_directory=str(directory), weights=weights)
    return process_fileset(None, {"x": {"files": [path]}}, processor)


def _rows(result: RunResult) -> Any:
    return pq.read_table(result.results["x"].columns[0].path, partitioning=None)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    columns = events(1500, seed=41)
    columns["Pileup_nTrueInt"] = np.random.default_rng(1).uniform(10, 50, 1500).astype(np.float32)
    return write_nanoaod(tmp_path_factory.mktemp("weighted") / "a.root", columns)


def test_each_factor_follows_its_lepton_and_varies_alone(path: str, corrections: str, tmp_path: Path) -> None:
    weights = {
        "muon_id": ScaleFactor(
            corrections, "muon_id", "muon", systematic_input="variation", systematics=_SYSTEMATICS
        ),
        "electron_id": ScaleFactor(
            corrections,
            "electron_id",
            "electron",
            inputs={"sc_eta": "eta"},
            systematic_input="variation",
            systematics=_SYSTEMATICS,
        ),
        "pileup": ScaleFactor(
            corrections, "pileup", "event", inputs={"npu": "pileup"}, fixed={"variation": "nominal"}
        ),
    }
    plain, weighted = _rows(_run(path, tmp_path / "plain")), _run(path, tmp_path / "weighted", **weights)
    table = _rows(weighted)
    ratio = table["gen_weight"].to_numpy() / plain["gen_weight"].to_numpy()
    expected = sorted(m * e * p for m in (0.9, 1.1) for e in (0.8, 1.2) for p in (0.5, 1.5))
    assert np.unique(ratio.round(9)).tolist() == pytest.approx(expected)
    for name in ("muon_id", "electron_id"):
        for way, factor in (("up", 1.1), ("down", 0.9)):
            varied = table[f"gen_weight_{name}_{way}"].to_numpy() / table["gen_weight"].to_numpy()
            assert varied == pytest.approx(factor)
    assert "gen_weight_pileup_up" not in table.column_names
    # Both leptons below 30 GeV: the muon is in the lower bin for certain.
    soft = plain["pt_l0"].to_numpy() < 30.0
    assert np.unique(ratio[soft].round(9)).tolist() == pytest.approx([0.36, 0.54, 1.08, 1.62])
    flow = weighted.results["x"].cutflows[NOMINAL]
    assert float(flow.sumw[-1]) == pytest.approx(table["gen_weight"].to_numpy().sum(), rel=1e-12)


def test_data_are_not_corrected(corrections: str, tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "data.root", events(300, seed=2, is_data=True))
    muon = ScaleFactor(corrections, "muon_id", "muon", fixed={"variation": "nominal"})
    processor = VHWWProcessor(columns_directory=str(tmp_path), weights={"muon_id": muon})
    result = process_fileset(None, {"x": {"files": [path], "metadata": {"is_data": True}}}, processor)
    assert set(_rows(result)["gen_weight"].to_pylist()) == {1.0}


def test_mistakes_are_named(simulated: tuple[str, str], corrections: str, tmp_path: Path) -> None:
    fixed: dict[str, str | int | float] = {"variation": "nominal"}
    cases: list[tuple[ScaleFactor, type[Exception], str]] = [
        (ScaleFactor("nowhere.json", "muon_id", "muon"), CardError, "no such file nowhere.json"),
        (ScaleFactor(corrections, "muon_idd", "muon"), CardError, "did you mean 'muon_id'"),
        (
            ScaleFactor(corrections, "electron_id", "electron", fixed=fixed),
            CardError,
            "Unknown lepton variable 'sc_eta'",
        ),
        (
            ScaleFactor(corrections, "pileup", "event", inputs={"npu": "pileup"}, fixed=fixed),
            DataError,
            "no number of true interactions",
        ),
    ]
    for factor, kind, text in cases:
        with pytest.raises(kind, match=text):
            _run(simulated[0], tmp_path, wrong=factor)
    with pytest.raises(CardError, match=r"systematics\.nominal"):
        ScaleFactor("x", "y", "muon", systematic_input="variation")
    with pytest.raises(CardError, match="both"):
        ScaleFactor("x", "y", "muon", systematic_input="v", systematics={"nominal": "n", "up": "u"})
