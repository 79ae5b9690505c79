"""Data over simulation where there is little or nothing to draw."""

import numpy as np
import pytest

from tests.plots.drawn import texts
from znought.errors import DataError
from znought.plots.data_mc import data_mc
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
EDGES = [0.0, 1.0, 2.0]


@pytest.mark.parametrize("background", [[0.0, 0.0], [-5.0, -3.0]])
@pytest.mark.parametrize("log", [False, True])
def test_signal_line_over_a_sum_that_is_not_positive(background: list[float], log: bool) -> None:
    processes = {
        "top": (np.array(background), np.ones(2)),
        "VH": (np.array([1.0, 2.0]), np.array([0.1, 0.1])),
    }
    figure = data_mc(None, processes, EDGES, variable="m_jj", label=LABEL, signal="VH", log=log)
    assert not any("×" in text for text in texts(figure))


def test_signal_that_is_no_process_is_named() -> None:
    processes = {"top": (np.ones(2), np.ones(2))}
    with pytest.raises(DataError, match="Unknown signal process 'tops', did you mean 'top'"):
        data_mc(None, processes, EDGES, variable="m_jj", label=LABEL, signal="tops")
