"""Input shapes, data over simulation and correlations, by the numbers drawn."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from tests.plots.drawn import lines, points, steps, texts
from znought.analysis import Analysis, Variable
from znought.errors import DataError
from znought.plots.data_mc import data_mc, n_minus_one
from znought.plots.inputs import correlation_matrix, input_overview, input_shapes
from znought.plots.labels import drawn_as
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
EDGES = np.array([0.0, 10.0, 20.0, 30.0])
PROCESSES = {"VH": ([1.0, 2.0, 1.0], [0.1, 0.2, 0.1]), "top": ([99.0, 48.0, 0.0], [9.9, 4.8, 0.0])}


def test_shapes_are_shares_of_each_class() -> None:
    rng = np.random.default_rng(3)
    values = {"VH": rng.uniform(0, 1, 400), "top": rng.uniform(0, 1, 900)}
    weights = {"VH": np.full(400, 0.01), "top": rng.normal(5.0, 1.0, 900)}
    figure = input_shapes(values, weights, feature="dphi_ll", label=LABEL)
    heights = steps(figure.axes[0])
    assert set(heights) == {"$VH$", "Top"}
    for name, drawn in heights.items():
        assert 0.95 < drawn.sum() <= 1.0, name
    assert figure.axes[0].get_xlabel().endswith("[rad]")


def test_whole_numbers_have_a_bin_each() -> None:
    analysis = Analysis("a", columns=len, variables=[Variable("n_jets", bins="integer", label="$N_{jets}$")])
    values = {"VH": np.array([1.0, 2.0, 2.0, 4.0]), "top": np.array([2.0, 3.0])}
    weights = {"VH": np.ones(4), "top": np.ones(2)}
    with drawn_as(analysis):
        figure = input_shapes(values, weights, feature="n_jets", label=LABEL)
    assert figure.axes[0].get_xlim() == (0.5, 4.5)
    np.testing.assert_allclose(steps(figure.axes[0])["VH"], [0.25, 0.5, 0.0, 0.25])


@pytest.mark.parametrize("n_features", [1, 2, 6, 17])
def test_the_overview_has_no_row_of_one(n_features: int) -> None:
    features = [f"x{i}" for i in range(n_features)]
    values = {"VH": dict.fromkeys(features, np.arange(4.0))}
    figure = input_overview(values, {"VH": np.ones(4)}, features=features, label=LABEL)
    drawn = [axes for axes in figure.axes if axes.axison]
    place = drawn[0].get_subplotspec()
    assert place is not None
    n_rows, n_columns = place.get_topmost_subplotspec().get_gridspec().get_geometry()
    assert len(drawn) == n_features
    assert n_rows * n_columns - (n_features + 1) < max(n_rows, 2)
    figure.canvas.draw()
    widths = [axes.get_position().width for axes in drawn]
    assert max(widths) == pytest.approx(min(widths))


def test_shapes_follow_the_weights() -> None:
    values = {"VH": np.array([0.0, 0.0, 1.0, 1.0])}
    weights = {"VH": np.array([3.0, 3.0, 2.0, -1.0])}
    heights = steps(input_shapes(values, weights, feature="m_jj", label=LABEL).axes[0])["$VH$"]
    assert heights[0] == pytest.approx(6 / 7)
    assert heights.sum() <= 1.0


def test_undefined_values_are_left_out_and_counted() -> None:
    values = {"VH": np.array([-1.0, 50.0, 60.0, 70.0])}
    weights = {"VH": np.array([1.0, 1.0, 1.0, 1.0])}
    figure = input_shapes(values, weights, feature="m_tautau", label=LABEL, undefined=-1.0)
    assert "25% undefined" in texts(figure)
    assert figure.axes[0].get_xlim()[0] >= 50.0


def test_scaled_shapes_carry_no_unit() -> None:
    figure = input_shapes({"VH": [0.0, 1.0]}, {"VH": [1.0, 1.0]}, feature="m_jj", label=LABEL, scaled=True)
    assert "GeV" not in texts(figure)


def test_a_long_tail_does_not_squeeze_the_bulk() -> None:
    bulk, tail = np.linspace(0.0, 100.0, 990), np.linspace(2000.0, 9000.0, 10)
    values, weights = {"VH": np.append(bulk, tail)}, {"VH": np.ones(1000)}
    upper = input_shapes(values, weights, feature="m_jj", label=LABEL).axes[0].get_xlim()[1]
    assert 95.0 < upper < 101.0


def test_tails_are_judged_by_weight() -> None:
    values = {"VH": np.concatenate([np.linspace(0.0, 100.0, 900), np.full(100, 1000.0)])}
    weights = {"VH": np.concatenate([np.ones(900), np.full(100, 0.001)])}
    assert input_shapes(values, weights, feature="m_jj", label=LABEL).axes[0].get_xlim()[1] < 101.0


def test_collinear_mass_ends_where_its_label_says_unless_scaled() -> None:
    values, weights = {"VH": np.linspace(0.0, 2000.0, 500)}, {"VH": np.ones(500)}
    figure = input_shapes(values, weights, feature="m_tautau", label=LABEL)
    assert figure.axes[0].get_xlim()[1] == 300.0
    scaled = input_shapes(values, weights, feature="m_tautau", label=LABEL, scaled=True)
    assert scaled.axes[0].get_xlim()[1] > 1900.0


def test_shape_of_a_class_without_positive_weight_is_refused() -> None:
    with pytest.raises(DataError, match="class VH sum to -1"):
        input_shapes({"VH": [0.0]}, {"VH": [-1.0]}, feature="m_jj", label=LABEL)


def test_overview_has_a_panel_per_input_and_one_legend() -> None:
    features = ["m_jj", "m_ll", "dphi_ll", "dy_jj", "pt_l0", "pt_l1", "m_tautau"]
    rng = np.random.default_rng(1)
    values = {name: {feature: rng.random(50) for feature in features} for name in ("VH", "WW")}
    figure = input_overview(
        values, {"VH": np.ones(50), "WW": np.ones(50)}, features=features, label=LABEL, undefined={}
    )
    drawn = [axes for axes in figure.axes if axes.axison]
    assert len(drawn) == len(features)
    assert sum(axes.get_legend() is not None for axes in figure.axes) == 1
    assert texts(figure).count("Simulation") == 1


def _data_mc() -> Figure:
    return data_mc([110, 50, 4], PROCESSES, EDGES, variable="m_jj", label=LABEL)


def test_data_over_simulation_draws_counts_stack_and_ratio() -> None:
    upper, lower = _data_mc().axes
    assert steps(upper)["Top"].tolist() == [100.0, 50.0, 1.0]
    assert points(upper)[0][1].tolist() == [110, 50, 4]
    # The last point, at four, is outside the frame: an arrow stands for it.
    assert points(lower)[0][1].tolist() == pytest.approx([1.1, 1.0, 4.0])
    arrows = [line for line in lower.lines if line.get_marker() == "^"]
    assert [list(np.asarray(line.get_xdata())) for line in arrows] == [[25.0]]


def test_chi2_in_the_frame_is_that_of_the_drawn_numbers() -> None:
    chi2 = 10**2 / (100 + 10.0) + 0 + 3**2 / (1 + 0.1)
    assert f"= {chi2:.1f}/3" in texts(_data_mc())


def test_systematic_widens_the_band_and_lowers_chi2() -> None:
    figure = data_mc(
        [110, 50, 4], PROCESSES, EDGES, variable="m_jj", label=LABEL, systematic=[10.0, 5.0, 1.0]
    )
    upper, lower = figure.axes
    band = steps(upper)[r"MC stat. $\oplus$ syst."]
    assert band == pytest.approx(np.array([100, 50, 1]) + np.sqrt([10 + 100, 5 + 25, 0.1 + 1]))
    assert steps(lower)[""][0] == pytest.approx(1 + np.sqrt(110) / 100)
    chi2 = 10**2 / (100 + 110) + 3**2 / (1 + 1.1)
    assert f"= {chi2:.1f}/3" in texts(figure)


def test_blinded_bins_show_no_data_anywhere() -> None:
    figure = data_mc(
        [110, 50, 400], PROCESSES, EDGES, variable="m_jj", label=LABEL, blinded=[False, False, True]
    )
    upper, lower = figure.axes
    assert points(upper)[0][0].tolist() == points(lower)[0][0].tolist() == [5.0, 15.0]
    assert "/2, " in texts(figure)
    assert upper.get_ylim()[1] < 400


def test_expectation_alone_shows_neither_data_nor_chi2() -> None:
    figure = data_mc(None, PROCESSES, EDGES, variable="m_jj", label=LABEL, log=True)
    assert points(figure.axes[0]) == []
    assert "chi" not in texts(figure)


def test_signal_line_is_raised_by_the_power_it_names() -> None:
    figure = data_mc(None, PROCESSES, EDGES, variable="m_jj", label=LABEL, signal="VH")
    assert steps(figure.axes[0])["$VH$ × 10"].tolist() == [10.0, 20.0, 10.0]


def test_points_carry_the_name_given_and_lead_the_legend() -> None:
    figure = data_mc([1, 2, 3], PROCESSES, EDGES, variable="m_jj", label=LABEL, data_name="Pseudo-data")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][:2] == ["Pseudo-data", "Top"]


def test_data_of_another_length_are_refused() -> None:
    with pytest.raises(DataError, match="data: expected 3 values"):
        data_mc([1, 2], PROCESSES, EDGES, variable="m_jj", label=LABEL)


def test_correlation_difference_names_the_largest_off_diagonal_entry() -> None:
    matrix = np.array([[0.5, 0.01, -0.07], [0.01, 0.0, 0.02], [-0.07, 0.02, 0.0]])
    figure = correlation_matrix(matrix, features=["m_jj", "m_ll", "m_t"], kind="difference", label=LABEL)
    assert r"$m_{jj}$, $m_{T}$: −0.070" in texts(figure)


def test_correlation_entries_are_written_in_percent() -> None:
    matrix = np.array([[1.0, -0.004], [-0.236, 1.0]])
    figure = correlation_matrix(matrix, features=["m_jj", "m_ll"], kind="MC", label=LABEL)
    inside = [text.get_text() for text in figure.axes[0].texts if isinstance(text, Text)]
    assert inside[:4] == ["100", "0", "−24", "100"]
    assert figure.axes[0].images[0].get_clim() == (-1.0, 1.0)


def test_correlation_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="finite matrix of 2 × 2"):
        correlation_matrix(np.eye(3), features=["m_jj", "m_ll"], kind="data", label=LABEL)


def test_lines_of_the_ratio_stand_at_one() -> None:
    _, lower = _data_mc().axes
    assert any(set(np.asarray(y)) == {1.0} for _, y in lines(lower).values())


def test_a_ratio_below_the_frame_is_marked_too() -> None:
    counts, expected = [100.0] * 9, {"top": (np.full(9, 100.0), np.ones(9))}
    figure = data_mc([20.0, *counts[1:]], expected, np.arange(10.0), variable="m_jj", label=LABEL)
    arrows = [line for line in figure.axes[1].lines if line.get_marker() == "v"]
    assert [list(np.asarray(line.get_xdata())) for line in arrows] == [[0.5]]


def test_a_distribution_before_its_cut_shades_what_the_cut_removes() -> None:
    figure = n_minus_one(
        PROCESSES, EDGES, variable="m_jj", limits=(10.0, None), label=LABEL, signal="VH", note="Region SR"
    )
    (axes,) = figure.axes
    assert steps(axes)["Top"].tolist() == [99.0, 48.0, 0.0]
    assert [np.asarray(line.get_xdata())[0] for line in axes.lines] == [10.0]
    (veil,) = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_alpha() == 0.6]
    assert (veil.get_x(), veil.get_width()) == (EDGES[0], 10.0 - EDGES[0])
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_title().get_text() == "Region SR"


def test_the_largest_difference_is_quoted_with_its_error() -> None:
    matrix, error = np.array([[0.0, 0.07], [0.07, 0.0]]), np.full((2, 2), 0.03)
    figure = correlation_matrix(
        matrix, features=["m_jj", "m_ll"], kind="difference", label=LABEL, error=error
    )
    assert "+0.070 ± 0.030" in texts(figure)
