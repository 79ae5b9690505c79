"""Files: whole or not there at all, and their rows in a fixed order."""

from pathlib import Path

import numpy as np
import pytest
import uproot

from znought.analyses.vh_ww.recipes import RECIPES
from znought.simulation import ntuple
from znought.simulation.batch import GeneratedBatch
from znought.simulation.config import DetectorConfig
from znought.simulation.jobs import SimulationJob, run_job
from znought.simulation.ntuple import Rows
from znought.simulation.pythia import PythiaGenerator

RUNS = {"run": np.array([1], dtype=np.uint32)}


def _rows(event: list[int], response: int) -> Rows:
    n = len(event)
    return Rows(
        flat={
            "event": np.array(event, dtype=np.uint64),
            "response": np.full(n, response, dtype=np.uint8),
            "MET_pt": np.array(event, dtype=np.float32),
        },
        counts={"Jet": np.array([i % 3 for i in event])},
        objects={"Jet": {"pt": np.concatenate([np.full(i % 3, i, dtype=np.float32) for i in event])}},
    )


def test_merged_rows_are_ordered_by_event_then_response_with_their_objects() -> None:
    columns = ntuple.merge([_rows([1, 4, 5], 0), _rows([4], 1), _rows([2], 0)])
    assert columns["event"].tolist() == [1, 2, 4, 4, 5]
    assert columns["response"].tolist() == [0, 0, 0, 1, 0]
    assert columns["Jet"].pt.tolist() == [[1.0], [2.0, 2.0], [4.0], [4.0], [5.0, 5.0]]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "set" / "a.root"
    ntuple.write(path, ntuple.merge([_rows([1, 2], 0)]), RUNS, {"fingerprint": "x"})
    assert ntuple.read_job(path) == {"fingerprint": "x"}
    with uproot.open(path) as file:
        assert file["Events"]["Jet_pt"].array().tolist() == [[1.0], [2.0, 2.0]]
        assert file["Events"]["nJet"].array().tolist() == [1, 2]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    columns = ntuple.merge([_rows([1, 2], 0)])
    with pytest.raises(ValueError, match=r"same|length|differ|broadcast"):
        ntuple.write(tmp_path / "a.root", {**columns, "MET_pt": np.zeros(7, dtype=np.float32)}, RUNS, {})
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_job_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = PythiaGenerator.batch
    calls: list[int] = []

    def interrupted(self: PythiaGenerator, n_events: int) -> GeneratedBatch:
        calls.append(n_events)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return genuine(self, n_events)

    monkeypatch.setattr(PythiaGenerator, "batch", interrupted)
    job = SimulationJob("top", RECIPES["ttbar_ll"], 0, 300, 1, seed=1, detector=DetectorConfig())
    with pytest.raises(KeyboardInterrupt):
        run_job(job, str(tmp_path))
    assert list(tmp_path.rglob("*")) == []


def test_files_of_others_are_no_jobs(tmp_path: Path) -> None:
    foreign, text = tmp_path / "foreign.root", tmp_path / "text.root"
    with uproot.recreate(foreign) as file:
        file.mktree("Events", {"run": np.uint32})
    text.write_text("not ROOT")
    assert [ntuple.read_job(path) for path in (foreign, text, tmp_path / "none.root")] == [None, None, None]
