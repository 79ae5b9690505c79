"""Figures of a coefficient, by the numbers drawn."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.patches import StepPatch

from tests.plots.drawn import bars, lines, steps, texts
from znought.errors import DataError
from znought.plots.smeft import (
    CutCurve,
    channel_combination,
    network_outputs,
    predicted_class_inputs,
    roc_by_coefficient,
    z_against_cut,
    z_against_luminosity,
)
from znought.plots.style import FigureLabel
from znought.plots.training import Density

LABEL = FigureLabel(lumi_ifb=80.0)


def test_outputs_have_unit_area_at_each_stage() -> None:
    flat, rising = Density([2.0, 2.0], [1.0, 1.0]), Density([1.0, 3.0], [1.0, 1.0])
    stages = {"after pretraining": {"SM": flat, "BSM": flat}, "after training": {"SM": flat, "BSM": rising}}
    figure = network_outputs(stages, [0.0, 0.5, 1.0], label=LABEL)
    assert [axes.get_legend() is not None for axes in figure.axes] == [True, True]
    assert steps(figure.axes[0])["SMEFT"].tolist() == [1.0, 1.0]
    assert steps(figure.axes[1])["SMEFT"].tolist() == [0.5, 1.5]
    assert "after pretraining" in texts(figure)


def test_roc_quotes_the_talk_only_where_it_has_a_number() -> None:
    x = np.array([0.0, 0.5, 1.0])
    figure = roc_by_coefficient(
        {0.03: (x, x**0.5, 0.75), 0.01: (x, x, 0.5)}, label=LABEL, published={0.03: 0.74}
    )
    by_label = lines(figure.axes[0])
    assert r"$\bar{c}_{HW}$ = 0.03: AUC = 0.750 (published: 0.74)" in by_label
    assert by_label[r"$\bar{c}_{HW}$ = 0.01: AUC = 0.500"][1].tolist() == [0.0, 0.5, 1.0]


def test_cut_scan_names_the_best_cut_and_its_background() -> None:
    curve = CutCurve("systematic 50 %", [0.0, 0.5, 0.9], [1.0, 3.25, 2.0], [100.0, 12.0, 3.0])
    upper, lower = z_against_cut([curve], label=LABEL, note="0L").axes
    drawn = lines(upper)
    assert drawn["systematic 50 %: best 3.25 at 0.5 ($b$ = 12)"][1].tolist() == [1.0, 3.25, 2.0]
    marked = [line for line in upper.lines if line.get_marker() == "o"]
    assert [list(np.asarray(line.get_xdata())) for line in marked] == [[0.5]]
    assert [y.tolist() for _, y in lines(lower).values()] == [[100.0, 12.0, 3.0]]
    assert lower.get_yscale() == "log"


def test_cut_scan_of_nothing_or_of_uneven_lengths_is_refused() -> None:
    with pytest.raises(DataError, match="at least one curve"):
        z_against_cut([], label=LABEL)
    with pytest.raises(DataError, match="Z of a: expected 2 values"):
        z_against_cut([CutCurve("a", [0.0, 1.0], [1.0], [1.0])], label=LABEL)


def test_luminosity_curves_keep_one_colour_per_value_and_one_dash_per_scaling() -> None:
    lumi = [20.0, 300.0, 3000.0]
    curves = {
        "fixed": {0.01: [1.0, 2.0, 3.0], 0.03: [4.0, 5.0, 6.0]},
        "inverse_sqrt": {0.01: [1.0, 4.0, 12.0], 0.03: [4.0, 15.0, 50.0]},
    }
    figure = z_against_luminosity(lumi, curves, label=FigureLabel())
    (axes,) = figure.axes
    drawn = {tuple(np.asarray(line.get_ydata())): line for line in axes.lines}
    one, other = drawn[1.0, 2.0, 3.0], drawn[1.0, 4.0, 12.0]
    assert one.get_color() == other.get_color() != drawn[4.0, 5.0, 6.0].get_color()
    assert one.get_linestyle() != other.get_linestyle()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["20", "80", "139", "300", "1000", "3000"]
    assert axes.get_ylim()[1] > 50
    assert "systematic fixed" in texts(figure)


def test_channels_show_both_definitions_side_by_side() -> None:
    z = {"0L": {"excess": 3.0, "paper": 9.0}, "combined": {"excess": 5.0, "paper": 14.0}}
    (axes,) = channel_combination(z, label=LABEL, note="x").axes
    groups = [container for container in axes.containers if isinstance(container, BarContainer)]
    drawn = {str(group.get_label()): [bar.get_height() for bar in group.patches] for group in groups}
    assert drawn == {"excess over SM": [3.0, 5.0], "whole $\\bar{c} \\neq 0$ yield (published)": [9.0, 14.0]}
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars(axes))
    assert all(left[1] <= right[0] + 1e-9 for left, right in pairwise(edges))


CALLED = ("SM", "SMEFT")


def test_predicted_classes_stack_to_all_signal_events() -> None:
    values = np.linspace(100.0, 200.0, 100)
    figure = predicted_class_inputs(
        {"ptz": values, "ptb1": values}, values > 150.0, np.full(100, 0.2), label=LABEL, called=CALLED
    )
    heights = steps(figure.axes[0])
    assert heights["called SMEFT"].sum() == pytest.approx(0.99, abs=0.011)
    assert heights["called SM"].sum() == pytest.approx(0.49)
    assert heights["called SM"][-1] == 0.0
    above = next(patch for patch in figure.axes[0].patches if patch.get_label() == "called SMEFT")
    assert isinstance(above, StepPatch)
    assert np.asarray(above.get_data()[2]).tolist() == heights["called SM"].tolist()
    assert len(figure.legends) == 1


def test_predicted_classes_leave_out_events_without_a_value() -> None:
    values = np.append(np.linspace(100.0, 200.0, 80), np.full(20, -1.0))
    called = np.ones(100, np.bool_)
    figure = predicted_class_inputs(
        {"m_tautau": values},
        called,
        np.ones(100),
        label=LABEL,
        called=CALLED,
        undefined={"m_tautau": -1.0},
    )
    (axes, *_) = figure.axes
    assert axes.get_xlim()[0] > 99.0
    assert steps(axes)["called SMEFT"].sum() == pytest.approx(0.8, abs=0.021)


def test_predicted_classes_refuse_other_lengths_and_no_weight() -> None:
    with pytest.raises(DataError, match="expected 2 values"):
        predicted_class_inputs({"ptz": [1.0, 2.0]}, [True], [1.0, 1.0], label=LABEL, called=CALLED)
    with pytest.raises(DataError, match="sum to 0"):
        predicted_class_inputs({"ptz": [1.0, 2.0]}, [True, False], [1.0, -1.0], label=LABEL, called=CALLED)
