"""Ranking, normalisations and calibration, by the numbers drawn."""

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba

from tests.plots.drawn import bars, points, texts
from znought.errors import DataError
from znought.plots.calibration import CalibrationCurve, calibration
from znought.plots.fit import NuisanceImpact, normalisations, ranking
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
ENTRIES = [
    NuisanceImpact("small", 0.1, (0.9, 0.8), (-0.1, 0.05), (-0.2, 0.3)),
    NuisanceImpact("large", -1.5, (1.0, 1.0), (0.2, -0.4)),
    NuisanceImpact("tiny", 0.0, (1.0, 1.0), (-0.01, 0.01)),
]


def test_ranking_is_by_impact_and_keeps_pulls_with_their_names() -> None:
    left, right = ranking(ENTRIES, label=LABEL, n_shown=2).axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["large", "small"]
    pulls, rows = points(left)[0]
    assert dict(zip(pulls, rows, strict=True)) == {-1.5: 1.0, 0.1: 0.0}
    drawn = {(round(patch.get_width(), 3), patch.get_y() > 0.5) for patch in bars(right)}
    assert drawn == {(0.2, True), (-0.4, True), (-0.1, False), (0.05, False), (-0.2, False), (0.3, False)}
    assert right.get_xlim()[1] > 0.4


def test_impact_before_the_fit_is_drawn_open_and_fits_the_frame() -> None:
    wide = NuisanceImpact("wide", 0.0, (1.0, 1.0), (-0.1, 0.1), (-0.9, 0.9))
    _, right = ranking([wide], label=LABEL).axes
    by_width = {round(patch.get_width(), 3): patch for patch in bars(right)}
    assert to_rgba(by_width[0.9].get_facecolor())[3] == 0.0
    assert to_hex(by_width[0.1].get_facecolor()) == to_hex(by_width[0.9].get_edgecolor())
    assert right.get_xlim()[1] > 0.9


def test_normalisations_draw_values_with_their_ends() -> None:
    figure = normalisations({"VH": (1.0, -0.1, 2.2), "Zjets": (1.09, 1.03, 1.15)}, label=LABEL)
    (axes,) = figure.axes
    assert [x.tolist() for x, _ in points(axes)] == [[1.0], [1.09]]
    assert "1.00  [−0.10, 2.20]" in texts(figure)
    low, high = axes.get_xlim()
    assert low < -0.1
    assert high > 2.2


def test_calibration_draws_share_against_output_and_the_events_below() -> None:
    curve = CalibrationCurve([0.1, 0.9], [0.2, 0.8], [0.01, 0.02], [0.7, 0.3])
    upper, lower = calibration({"VH": curve}, label=LABEL).axes
    x, y = points(upper)[0]
    assert (x.tolist(), y.tolist()) == ([0.1, 0.9], [0.2, 0.8])
    assert np.asarray(lower.lines[0].get_ydata()).tolist() == [0.7, 0.3]


def test_nothing_to_rank_is_refused() -> None:
    with pytest.raises(DataError, match="at least one nuisance"):
        ranking([], label=LABEL)
    with pytest.raises(DataError, match="at least one factor"):
        normalisations({}, label=LABEL)
