"""Likelihood scans, contours and limits, by the numbers drawn."""

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet

from tests.plots.drawn import bars, legend_in_frame, lines, texts
from znought.errors import DataError
from znought.plots.limits import ContourGrid, LimitEntry, contours, likelihood_scan, limit_bars
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)


def test_scan_draws_the_curve_up_to_nine_and_both_levels() -> None:
    c = np.array([-3.0, -2.0, 0.0, 2.0, 4.0])
    (axes,) = likelihood_scan({"quadratic": (c, c**2)}, label=LABEL).axes
    drawn = lines(axes)
    assert drawn["quadratic"][1][:4].tolist() == [9.0, 4.0, 0.0, 4.0]
    assert np.isnan(drawn["quadratic"][1][4])
    heights = [y[0] for name, (_, y) in drawn.items() if name != "quadratic"]
    assert heights == pytest.approx([0.99, 3.84])


def test_contour_keeps_first_coefficient_on_the_x_axis() -> None:
    x, y = np.linspace(-3, 3, 61), np.linspace(-9, 9, 91)
    # One unit wide in x, three in y, around a point off the middle of both.
    t = (x[:, None] - 1) ** 2 + ((y[None, :] - 2) / 3) ** 2
    figure = contours({"fit": ContourGrid(x, y, t, {0.68: 1.0})}, axes_titles=("a", "b"), label=LABEL)
    drawn = [artist for artist in figure.axes[0].collections if isinstance(artist, QuadContourSet)]
    points = np.concatenate([path.vertices for path in drawn[0].get_paths()])
    assert points.min(axis=0) == pytest.approx([0.0, -1.0], abs=0.02)
    assert points.max(axis=0) == pytest.approx([2.0, 5.0], abs=0.02)
    assert "68%" in texts(figure)


def test_contour_refuses_a_wrong_shape_and_a_grid_that_no_level_crosses() -> None:
    x, y = np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)
    with pytest.raises(DataError, match=r"expected shape \(5, 4\)"):
        contours({"a": ContourGrid(x, y, np.zeros((4, 5)), {0.95: 6.0})}, axes_titles=("a", "b"), label=LABEL)
    with pytest.raises(DataError, match="does not cross the 95% level"):
        contours({"a": ContourGrid(x, y, np.zeros((5, 4)), {0.95: 6.0})}, axes_titles=("a", "b"), label=LABEL)


def test_limit_bars_draw_islands_and_write_the_ends_out() -> None:
    entries = [
        LimitEntry("0L", "80/fb", ((-0.04, -0.03), (-0.02, 0.01)), ((-0.01, 0.005),), at_validity=True),
        LimitEntry("combined", "3000/fb", ((-0.005, 0.004),)),
    ]
    figure = limit_bars(entries, label=FigureLabel(), claim=0.001)
    (axes,) = figure.axes
    spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in bars(axes))
    assert spans == [
        pytest.approx(pair) for pair in [(-40.0, -30.0), (-20.0, 10.0), (-10.0, 5.0), (-5.0, 4.0)]
    ]
    drawn = texts(figure)
    assert "[−40, −30], [−20, 10] (validity)" in drawn
    assert "published reach, ±0.001" in drawn
    assert "80/fb" in drawn
    claims = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines if line.get_linestyle() == "--"]
    assert claims == [-1.0, 1.0]
    assert axes.get_yticks()[0] > axes.get_yticks()[1]


def test_the_legend_of_many_luminosities_stays_in_its_frame_and_clear_of_lines() -> None:
    groups = ("80 fb$^{-1}$", "139 fb$^{-1}$", "300 fb$^{-1}$", "3000 fb$^{-1}$")
    entries = [LimitEntry("parametrised network", group, ((-0.005, 0.004),)) for group in groups]
    figure = limit_bars(entries, label=FigureLabel(), claim=0.001, note="all channels, inclusive")
    figure.canvas.draw()
    (axes,) = figure.axes
    assert legend_in_frame(axes).y0 >= max(line.get_window_extent().y1 for line in axes.lines) - 1.0


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match="at least one curve"):
        likelihood_scan({}, label=LABEL)
    with pytest.raises(DataError, match="at least one entry"):
        limit_bars([], label=LABEL)


def test_a_contour_beyond_the_scan_leaves_the_frame() -> None:
    x, y = np.linspace(-1.0, 1.0, 21), np.linspace(-0.5, 0.5, 11)
    t = 40.0 * x[:, None] ** 2 + 0.0 * y[None, :]
    figure = contours({"1L": ContourGrid(x, y, t, {0.95: 6.0})}, axes_titles=("a", "b"), label=LABEL)
    # Above what was scanned stands the legend.
    assert figure.axes[0].get_ylim() == pytest.approx((-0.5, 0.72))
    left, right = figure.axes[0].get_xlim()
    assert -1.0 < left < -0.3
    assert 0.3 < right < 1.0
