"""Regions after the fit, scans and pseudo-experiments, by the numbers drawn."""

import numpy as np
import pytest

from tests.plots.drawn import lines, points, steps, texts
from znought.errors import DataError
from znought.plots.postfit import RegionBins, likelihood_scans, region_summary, toy_distribution
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
CONTROL = RegionBins("top control", {"top": [2000.0], "WW": [100.0]}, [45.0], [2150.0])
SIGNAL = RegionBins("signal", {"VH": [4.0, 9.0], "top": [300.0, 90.0]}, [12.0, 5.0], [310.0, np.nan])


def test_all_bins_stand_side_by_side_with_their_data_and_errors() -> None:
    figure = region_summary([CONTROL, SIGNAL], label=LABEL, signal="VH", note="p = 0.4")
    upper, lower = figure.axes
    x, y = points(upper)[0]
    # The second signal bin is blinded.
    assert (x.tolist(), y.tolist()) == ([0.5, 1.5], [2150.0, 310.0])
    ratio = points(lower)[0][1]
    assert ratio == pytest.approx([2150 / 2100, 310 / 304])
    band = steps(upper)["Uncertainty"]
    assert band == pytest.approx([2145, 316, 104])
    assert [text.get_text() for text in lower.get_xticklabels()] == ["top control", "signal"]
    assert "After the fit" in texts(figure)
    assert upper.get_ylim()[1] > 2200


def test_blinded_regions_are_drawn_without_points() -> None:
    figure = region_summary([RegionBins("signal", SIGNAL.yields, SIGNAL.error)], label=LABEL)
    assert points(figure.axes[0]) == []


def test_scan_is_drawn_with_the_heights_of_its_intervals() -> None:
    x = np.linspace(-1, 3, 9)
    figure = likelihood_scans({"expected": (x, (x - 1) ** 2)}, label=LABEL)
    (axes,) = figure.axes
    fitted = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.asarray(fitted[0].get_ydata()) == pytest.approx((x - 1) ** 2)
    # The curve between them has no wiggles.
    at, curve = lines(axes)["expected"]
    assert np.abs(curve - (at - 1) ** 2).max() < 0.1
    assert np.all(np.diff(curve)[at[1:] < 1] <= 0)
    assert r"1$\sigma$" in texts(figure)
    assert r"2$\sigma$" in texts(figure)


def test_pseudo_experiments_are_counted_with_the_tail() -> None:
    toys = np.random.default_rng(1).chisquare(4, 1000)
    figure = toy_distribution(toys, 9.0, label=LABEL, statistic="q", n_dof=4)
    (axes,) = figure.axes
    drawn = steps(axes)
    assert drawn["1000 pseudo-experiments"].sum() == 1000
    assert drawn[r"$\chi^2$, 4 degrees of freedom"].sum() == pytest.approx(1000, rel=0.02)
    assert f"$p$ = {np.mean(toys >= 9):.2g}" in texts(figure)


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="at least one region"):
        region_summary([], label=LABEL)
    with pytest.raises(DataError, match="data in signal: expected 2 values"):
        region_summary([RegionBins("signal", SIGNAL.yields, SIGNAL.error, [1.0])], label=LABEL)
    with pytest.raises(DataError, match="yields of VH in signal"):
        region_summary([RegionBins("signal", {"VH": [1.0]}, [1.0, 2.0])], label=LABEL)
    with pytest.raises(DataError, match="at least one scan"):
        likelihood_scans({}, label=LABEL)
    with pytest.raises(DataError, match="at least one"):
        toy_distribution([], 1.0, label=LABEL, statistic="q")
