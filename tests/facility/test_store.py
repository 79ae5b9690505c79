"""Events come back in one order, whatever files they were cut into."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.events.store import EventTable, read_events, write_parquet


def _events(n: int, *, seed: int = 1) -> dict[str, NDArray[np.generic]]:
    generator = np.random.default_rng(seed)
    return {
        "run": np.ones(n, dtype=np.uint32),
        "luminosityBlock": np.arange(n, dtype=np.uint32) // 100,
        "event": np.arange(n, dtype=np.uint64) // 2,
        "response": (np.arange(n) % 2).astype(np.uint8),
        "m_ll": generator.normal(50, 10, n).astype(np.float32),
    }


def _write(directory: Path, dataset: str, events: dict[str, NDArray[np.generic]], cuts: list[int]) -> None:
    bounds = [0, *cuts, events["run"].size]
    for i, (start, stop) in enumerate(pairwise(bounds)):
        part = {name: values[start:stop] for name, values in events.items()}
        # Names in reverse order of the events, so that only the sorting can bring them back.
        write_parquet(directory / dataset / "nominal" / f"{99 - i}.parquet", part)


@pytest.mark.parametrize("cuts", [[], [10], [3, 4, 150], [0, 200]])
def test_order_does_not_depend_on_the_files(tmp_path: Path, cuts: list[int]) -> None:
    events = _events(200)
    _write(tmp_path, "ttbar", events, cuts)
    table = read_events(tmp_path, ["ttbar"], ["m_ll"])
    assert len(table) == 200
    for name, values in events.items():
        np.testing.assert_array_equal(table[name], values)


def test_identity_joins_responses_and_parts_datasets(tmp_path: Path) -> None:
    for dataset in ("ggF", "VBF"):
        _write(tmp_path, dataset, _events(200), [50])
    table = read_events(tmp_path, ["ggF", "VBF"], ["m_ll"])
    assert np.unique(table.identity).size == 200
    assert np.all(table.identity[0::2] == table.identity[1::2])


def test_a_dataset_without_events_contributes_none(tmp_path: Path) -> None:
    _write(tmp_path, "ggF", _events(20), [])
    table = read_events(tmp_path, ["ZZ", "ggF"], ["m_ll"])
    assert table.datasets == ("ZZ", "ggF")
    assert set(table.dataset) == {1}
    assert len(read_events(tmp_path, ["ZZ"], ["m_ll"])) == 0


def test_a_missing_column_is_named_with_its_nearest(tmp_path: Path) -> None:
    _write(tmp_path, "ggF", _events(20), [])
    with pytest.raises(DataError, match="Unknown column 'm_l', did you mean 'm_ll'"):
        read_events(tmp_path, ["ggF"], ["m_l"])


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match="'m_ll': expected 3 events, received 2"):
        EventTable({"m_ll": np.zeros(2)}, np.zeros(3, dtype=np.int16), ("ggF",))
