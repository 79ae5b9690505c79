"""The optimised binning and the comparison of significances, by the numbers drawn."""

import numpy as np
import pytest

from tests.plots.drawn import legend_in_frame, lines, points, steps, texts
from znought.errors import DataError
from znought.plots.binning import SignificanceEntry, optimised_binning, significance_comparison
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
EDGES = [0.2, 0.5, 0.7, 1.0]
YIELDS = {"VH": ([3.0, 4.0, 5.0], [0.1, 0.1, 0.1]), "top": ([300.0, 40.0, 5.0], [9.0, 4.0, 1.0])}
Z = [0.3, 0.4, 1.2]


def test_binning_draws_yields_z_per_bin_and_their_sum() -> None:
    figure = optimised_binning(
        EDGES, YIELDS, signal="VH", z_per_bin=Z, label=LABEL, note="held-out $Z$ = 1.1"
    )
    upper, lower = figure.axes
    assert upper.get_yscale() == "log"
    assert steps(upper)["$VH$"].tolist() == [303.0, 44.0, 10.0]
    assert steps(upper)["$VH$ alone"].tolist() == [3.0, 4.0, 5.0]
    assert steps(upper)["MC stat."] == pytest.approx(np.array([303, 44, 10]) + np.sqrt([9.1, 4.1, 1.1]))
    assert next(iter(steps(lower).values())).tolist() == Z
    described = r"below: all events tuned and quoted, $\sqrt{\Sigma Z^2}$ = 1.30"
    assert f"held-out $Z$ = 1.1\n{described}" in texts(figure)


def test_wide_bins_are_drawn_to_scale_and_every_edge_is_written() -> None:
    lower = optimised_binning(EDGES, YIELDS, signal="VH", z_per_bin=Z, label=LABEL).axes[1]
    assert lower.get_xticks().tolist() == EDGES
    assert [text.get_text() for text in lower.get_xticklabels()] == ["0.2", "0.5", "0.7", "1"]


def test_edges_have_three_digits_unless_that_confuses_two() -> None:
    one = optimised_binning([0.2, 0.39583, 0.7, 1.0], YIELDS, signal="VH", z_per_bin=Z, label=LABEL)
    assert [text.get_text() for text in one.axes[1].get_xticklabels()] == ["0.2", "0.396", "0.7", "1"]
    two = optimised_binning([0.2, 0.39583, 0.39612, 1.0], YIELDS, signal="VH", z_per_bin=Z, label=LABEL)
    assert [text.get_text() for text in two.axes[1].get_xticklabels()][1:3] == ["0.3958", "0.3961"]


def test_a_bin_too_narrow_to_see_gives_bins_of_equal_width_and_says_so() -> None:
    figure = optimised_binning([0.2, 0.5, 0.505, 1.0], YIELDS, signal="VH", z_per_bin=Z, label=LABEL)
    assert figure.axes[1].get_xticks().tolist() == [0, 1, 2, 3]
    assert "0.505" in texts(figure)
    assert "bins drawn of equal width" in texts(figure)


def test_binning_refuses_an_unknown_signal_and_a_wrong_length() -> None:
    with pytest.raises(DataError, match="Unknown signal process 'VHH', did you mean 'VH'"):
        optimised_binning(EDGES, YIELDS, signal="VHH", z_per_bin=Z, label=LABEL)
    with pytest.raises(DataError, match="Z per bin: expected 3 values"):
        optimised_binning(EDGES, YIELDS, signal="VH", z_per_bin=[1.0], label=LABEL)


def test_binning_refuses_yields_that_are_nowhere_positive() -> None:
    nothing = {"VH": ([0.0], [0.0])}
    with pytest.raises(DataError, match="no bin with a positive yield"):
        optimised_binning([0, 1], nothing, signal="VH", z_per_bin=[0.0], label=LABEL)


def test_comparison_draws_every_form_of_every_method() -> None:
    entries = [
        SignificanceEntry("cut_based", tuned=0.31, held_out=0.30, interval=(0.27, 0.34), published=0.29),
        SignificanceEntry(
            "mva_greedy", tuned=1.2, held_out=1.0, interval=(0.9, 1.1), profile=0.8, published=0.97
        ),
        SignificanceEntry("mine", tuned=0.5),
    ]
    figure = significance_comparison(entries, label=LABEL)
    (axes,) = figure.axes
    by_label = lines(axes)
    assert by_label["tuned and quoted on the same"][0].tolist() == [0.31, 1.2, 0.5]
    assert by_label["held-out, correlated"][0].tolist() == [0.8]
    assert by_label["published"][0].tolist() == [0.29, 0.97]
    assert points(axes)[0][0].tolist() == [0.30, 1.0]
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ["Cut-based, one bin", "Network, greedy bins", "mine"]
    # The first method stands on top.
    assert axes.get_yticks()[0] > axes.get_yticks()[1]
    assert axes.get_xlim()[1] > 1.2


def test_the_legend_of_a_comparison_stays_in_its_frame() -> None:
    entries = [
        SignificanceEntry(name, 1.0, 0.9, (0.8, 1.0), 0.85, 0.97)
        for name in ("cut_based", "mva_greedy", "mva")
    ]
    figure = significance_comparison(entries, label=LABEL, note="10% background uncertainty")
    figure.canvas.draw()
    (axes,) = figure.axes
    assert legend_in_frame(axes).y0 >= axes.transData.transform((0.0, 2.5))[1]


def test_comparison_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="at least one method"):
        significance_comparison([], label=LABEL)
