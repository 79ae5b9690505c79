"""The cutflow, by the numbers drawn."""

import numpy as np
import pytest

from tests.plots.drawn import steps
from znought.errors import DataError
from znought.plots.cutflow import cutflow
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)


def test_cutflow_draws_each_process_and_ends_where_nothing_is_left() -> None:
    figure = cutflow(["all", "two_jets", "m_ll"], {"VH": [10, 4, 0], "top": [1e5, 1e4, 1e3]}, label=LABEL)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    heights = steps(axes)
    assert heights["$VH$"][:2].tolist() == [10, 4]
    assert np.isnan(heights["$VH$"][2])
    assert heights["Top"].tolist() == [1e5, 1e4, 1e3]
    assert axes.get_ylim()[0] < 4
    assert [text.get_text() for text in axes.get_xticklabels()] == ["all", "two jets", r"$m_{\ell\ell}$"]


def test_cutflow_refuses_other_lengths_and_emptiness() -> None:
    with pytest.raises(DataError, match="cutflow of VH: expected 2 values"):
        cutflow(["all", "b veto"], {"VH": [1]}, label=LABEL)
    with pytest.raises(DataError, match="no positive yield"):
        cutflow(["all"], {"VH": [0]}, label=LABEL)
