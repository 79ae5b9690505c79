"""Slices of stored events: all of them, each once, every generated event with its responses in one slice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.facility.events import slices
from znought.facility.events.store import WHOLE_SHARE, EventTable, read_events, write_parquet

ROWS = {"few": 30, "some": 40, "many": 1000, "none": 0, "last": 20}


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    """Two files of each dataset, with the two responses of every event in different ones."""
    for name, n_rows in ROWS.items():
        events = np.arange(n_rows // 2, dtype=np.uint64)
        for response in range(2):
            run = np.ones(events.size, np.uint32)
            numbers = np.full(events.size, response, np.uint8)
            table: dict[str, NDArray[Any]] = {
                "run": run,
                "luminosityBlock": run,
                "event": events,
                "response": numbers,
            }
            folder = tmp_path / name / "nominal"
            folder.mkdir(parents=True, exist_ok=True)
            write_parquet(folder / f"{response}.parquet", table | {"x": events.astype(np.float32)})
    return tmp_path


def test_few_rows_are_one_slice(columns: Path) -> None:
    assert slices.slices(columns, tuple(ROWS)) == (slices.Slice(tuple(ROWS)),)
    assert slices.slices(columns, ()) == (slices.Slice(()),)
    assert slices.one_share(columns, tuple(ROWS)) == WHOLE_SHARE


def test_slices_hold_every_event_once_and_whole(columns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "AT_A_TIME", 100)
    found = slices.slices(columns, tuple(ROWS))
    assert [one.datasets for one in found] == [("few", "some"), *10 * [("many",)], ("none", "last")]
    parts = [read_events(columns, one.datasets, ["x"], share=one.share) for one in found]
    assert max(map(len, parts)) < 150
    identities = [np.unique(part.identity, return_counts=True) for part in parts]
    assert all((counts == 2).all() for _, counts in identities)
    every = read_events(columns, tuple(ROWS), ["x"])
    joined = np.concatenate([identity for identity, _ in identities])
    assert np.array_equal(np.sort(joined), np.unique(every.identity))
    assert sum(float(part["x"].sum()) for part in parts) == float(every["x"].sum())


def test_one_share_stands_for_all_where_there_are_too_many(
    columns: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "AT_A_TIME", 600)
    share = slices.one_share(columns, tuple(ROWS))
    part: EventTable = read_events(columns, tuple(ROWS), ["x"], share=share)
    assert share.of == 2
    assert 400 < len(part) < 700
    assert set(np.unique(part.dataset)) == {0, 1, 2, 4}
