"""Yields per process and bin."""

import json

import numpy as np
import pytest

from znought.errors import DataError
from znought.stats.yields import Yields, count_yields


def test_counts_every_process_in_every_bin() -> None:
    result = count_yields(
        [0.1, 0.6, 0.6, 1.0, 2.0],
        [1.0, 2.0, 3.0, 4.0, 9.0],
        ["VH", "top", "top", "top", "VH"],
        [0.0, 0.5, 1.0],
        processes=("VH", "WW", "top"),
        identity=[1, 1, 1, 2, 3],
    )
    assert result.sumw.tolist() == [[1, 0], [0, 0], [0, 9]]
    assert result.sumw2.tolist() == [[1, 0], [0, 0], [0, 25 + 16]]
    assert result.events.tolist() == [[1, 0], [0, 0], [0, 2]]
    assert result.errors[2, 1] == pytest.approx(np.sqrt(41))
    assert result.total(("VH", "top"))[0].tolist() == [1, 9]
    assert json.loads(json.dumps(result.to_dict()))["processes"]["top"]["yields"] == [0, 9]


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="did you mean 'top'"):
        count_yields([0.1], [1.0], ["topp"], [0, 1], processes=("top",))
    with pytest.raises(DataError, match="not finite"):
        count_yields([np.nan], [1.0], ["top"], [0, 1])
    with pytest.raises(DataError, match="Unknown process 'WW'"):
        count_yields([0.1], [1.0], ["top"], [0, 1]).total(["WW"])
    with pytest.raises(DataError, match="must have the shape"):
        Yields(
            ("top",), np.array([0.0, 1.0]), np.ones((2, 1)), np.ones((1, 1)), np.ones((1, 1), dtype=np.int64)
        )
