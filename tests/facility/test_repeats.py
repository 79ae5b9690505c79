"""Events that are there twice are found file by file, in one pass over them or in several."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.events.store import write_parquet
from znought.facility.ntuples import repeats
from znought.facility.ntuples.repeats import refuse_repeats

N = 100


def _write(folder: Path, dataset: str, file: str, *, first: int, seed: int) -> None:
    """A file of events with numbers of their own, and kinematics that a seed draws for each number."""
    number = np.arange(first, first + N, dtype=np.uint64)
    columns: dict[str, NDArray[Any]] = {
        "run": np.ones(N, np.uint32),
        "luminosityBlock": np.ones(N, np.uint32),
        "event": number,
        "response": np.zeros(N, np.uint8),
        "mass": np.array([np.random.default_rng((seed, n)).normal() for n in number.tolist()], np.float32),
    }
    path = folder / dataset / "nominal" / f"{file}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, columns)


@pytest.fixture(params=[2**24, 30], ids=["one pass", "several passes"])
def columns(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two datasets that number their events alike."""
    monkeypatch.setattr(repeats, "_AT_A_TIME", request.param)
    for dataset, seed in (("a", 1), ("b", 2)):
        for file, first in (("one", 1), ("two", N + 1)):
            _write(tmp_path, dataset, file, first=first, seed=seed)
    return tmp_path


def _refused(columns: Path, line: str, *, is_data: bool) -> None:
    with pytest.raises(DataError, match=line):
        refuse_repeats(columns, ("a", "b"), ["mass"], is_data=is_data)


def test_equal_numbers_of_two_simulations_are_no_repetition(columns: Path) -> None:
    refuse_repeats(columns, ("a", "b"), ["mass"], is_data=False)


def test_recorded_events_are_the_same_by_their_numbers(columns: Path) -> None:
    line = r"datasets\.b holds 200 selected events that are in datasets\.a too, 200 of them .*event 1\)"
    _refused(columns, line, is_data=True)


def test_a_copy_in_another_simulated_dataset(columns: Path) -> None:
    _write(columns, "b", "copy", first=2 * N - 29, seed=1)
    line = r"datasets\.b holds 30 selected events that are in datasets\.a too \(the first: .*event 171\)"
    _refused(columns, line, is_data=False)


def test_numbers_that_jobs_of_one_dataset_share(columns: Path) -> None:
    _write(columns, "a", "job", first=N + 1, seed=3)
    line = r"datasets\.a holds 100 .*\(the first: .*event 101\), 100 of them with other kinematics"
    _refused(columns, line, is_data=False)
