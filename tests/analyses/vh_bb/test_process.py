"""The books of several channels: one normalisation, and so the same files, for all of them."""

import pytest

from znought.analyses.vh_bb.stages.process import _check_same_files
from znought.errors import DataError
from znought.facility.ledger import Skipped
from znought.facility.runner import RunResult


def _read(*lost: str) -> RunResult:
    return RunResult({}, {}, (), tuple(Skipped("zh_nunubb", path, 10, "gone") for path in lost), 1)


def test_channels_of_different_files_are_refused() -> None:
    _check_same_files({"0L": _read("a.root"), "1L": _read("a.root")})
    with pytest.raises(DataError, match=r"Channels 0L and 2L did not read the same files.*both: b\.root"):
        _check_same_files({"0L": _read("a.root"), "1L": _read("a.root"), "2L": _read("a.root", "b.root")})
