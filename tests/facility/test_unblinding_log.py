"""A log of shown data that was changed, cut or taken away is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from znought.errors import DataError
from znought.facility.results.unblinding_log import logged, read_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "unblinding.jsonl"
    for step in ("control", "tails", "signal"):
        logged(path, {"opened": step})
    return path


def test_lines_are_added_with_their_time(log: Path) -> None:
    entries = read_log(log)
    assert [entry.content["opened"] for entry in entries] == ["control", "tails", "signal"]
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert all("T" in entry.content["time"] for entry in entries)
    before = log.read_text()
    added = logged(log, {"opened": "signal"}, known=entries[0].sha256)
    assert log.read_text().startswith(before)
    assert (added.number, read_log(log)[-1].sha256) == (4, added.sha256)
    assert read_log(log.with_name("none.jsonl")) == ()


def _changed(lines: list[str]) -> list[str]:
    return [lines[0].replace("control", "signal"), *lines[1:]]


def _without_sum(lines: list[str]) -> list[str]:
    content = json.loads(lines[1])
    content.pop("sha256")
    return [lines[0], json.dumps(content), lines[2]]


@pytest.mark.parametrize(
    "spoil",
    [
        _changed,
        _without_sum,
        lambda lines: [lines[0], lines[2]],
        lambda lines: [lines[1], lines[0], lines[2]],
        lambda lines: [lines[0], "no JSON", *lines[1:]],
    ],
)
def test_a_line_that_was_changed_dropped_or_moved_is_found(
    log: Path, spoil: Callable[[list[str]], list[str]]
) -> None:
    log.write_text("\n".join(spoil(log.read_text().splitlines())) + "\n")
    with pytest.raises(DataError, match="not what was written there"):
        logged(log, {"opened": "signal"})


def test_lines_cut_off_at_the_end_are_missed_by_who_knows_the_last(log: Path) -> None:
    known = read_log(log)[-1].sha256
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:2]))
    assert len(read_log(log)) == 2
    with pytest.raises(DataError, match="taken away or rewritten"):
        read_log(log, known=known)
    log.unlink()
    with pytest.raises(DataError, match="taken away or rewritten"):
        logged(log, {"opened": "control"}, known=known)
