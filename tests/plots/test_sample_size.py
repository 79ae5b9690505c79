"""Significances against the size of the sample are those that were given."""

import numpy as np
import pytest

from znought.errors import DataError
from znought.plots.sample_size import SizePoint, significance_by_size
from znought.plots.style import FigureLabel

LABEL = FigureLabel(label="Simulation", lumi_ifb=10.0)
POINTS = (
    SizePoint(1000, {"cut_based": (0.3, 0.2, 0.4)}),
    SizePoint(2000, {"cut_based": (0.3, 0.25, 0.35), "mva_greedy": (0.6, 0.5, 0.8)}),
    SizePoint(4000, {"cut_based": (0.4, 0.35, 0.45), "mva_greedy": (1.0, 0.9, 1.1)}),
)


def test_the_ratio_is_drawn_where_both_are_known() -> None:
    upper, lower = significance_by_size(POINTS, label=LABEL).axes
    (ratio,) = lower.lines
    np.testing.assert_allclose(np.asarray(ratio.get_xdata()), [2000, 4000])
    np.testing.assert_allclose(np.asarray(ratio.get_ydata()), [2.0, 2.5])
    heights = [np.asarray(container[0].get_ydata()).tolist() for container in upper.containers]
    assert heights == [[0.3, 0.3, 0.4], [0.6, 1.0]]
    low, high = upper.get_xlim()
    assert low < 1000 * 0.98
    assert high > 4000 * 1.02


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(DataError, match="at least one significance"):
        significance_by_size([SizePoint(10, {})], label=LABEL)
