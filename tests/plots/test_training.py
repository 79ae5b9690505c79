"""Figures of the training, by the numbers drawn."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tests.plots.drawn import lines, points, steps, texts
from znought.errors import DataError
from znought.plots.labels import colours
from znought.plots.network_tails import network_tails
from znought.plots.style import FigureLabel
from znought.plots.training import (
    Density,
    confusion_matrix,
    discriminant_overlay,
    history,
    importance,
    roc_curves,
    search_history,
)

LABEL = FigureLabel()
FOLDS = [
    {"loss": [2.0, 1.0, 0.9], "val_loss": [2.1, 1.2, 1.3], "learning_rate": [1.0, 1.0, 1.0]},
    {"loss": [2.2, 1.1], "val_loss": [2.3, 1.4], "learning_rate": [1.0, 1.0]},
]


def test_history_draws_both_curves_of_each_fold_and_marks_the_kept_epoch() -> None:
    figure = history(FOLDS, label=LABEL, best_epochs=[1, 1])
    (axes,) = figure.axes
    drawn = [tuple(np.asarray(line.get_ydata())) for line in axes.lines]
    assert (2.0, 1.0, 0.9) in drawn
    assert (2.3, 1.4) in drawn
    kept = [(line.get_xdata(), line.get_ydata()) for line in axes.lines if line.get_marker() == "o"]
    assert kept == [([2], [1.2]), ([2], [1.4])]


def test_history_knows_metrics_of_the_stopping_part_alone() -> None:
    figure = history([{"loss": [1.0], "val_auc": [0.8]}], label=LABEL)
    assert [axes.get_ylabel() for axes in figure.axes] == ["Loss", "ROC AUC"]
    assert [line.get_linestyle() for line in figure.axes[1].lines] == ["-"]


def test_history_refuses_a_metric_that_is_not_there() -> None:
    with pytest.raises(DataError, match="Unknown metric 'los', did you mean 'loss'"):
        history(FOLDS, label=LABEL, metrics=["los"])


def test_roc_curves_carry_class_colour_and_area() -> None:
    x = np.array([0.0, 0.5, 1.0])
    figure = roc_curves(
        {"VH": (x, np.array([0.0, 0.9, 1.0]), 0.7), "WW": (x, x, 0.5)},
        label=LABEL,
        intervals={"VH": (0.65, 0.75)},
        macro=0.6,
    )
    by_label = lines(figure.axes[0])
    assert by_label["$VH$  AUC = 0.700 [0.650, 0.750]"][1].tolist() == [0.0, 0.9, 1.0]
    assert "$WW$  AUC = 0.500" in by_label
    assert to_hex(figure.axes[0].lines[0].get_color()) == colours(["VH"])["VH"]
    assert "macro AUC = 0.600" in texts(figure)


def test_overlay_has_unit_area_in_both_samples_whatever_the_bin_widths() -> None:
    edges = np.array([0.0, 0.5, 1.0, 3.0])
    train = {"VH": Density([1.0, 3.0, 4.0], [1.0, 3.0, 4.0]), "WW": Density([5.0, 3.0, 2.0], [1, 1, 1])}
    test = {"VH": Density([10.0, 20.0, 10.0], [4.0, 9.0, 4.0]), "WW": Density([5.0, 3.0, 2.0], [1, 1, 1])}
    figure = discriminant_overlay(
        train, test, edges, discriminant="VH", label=LABEL, agreement={"VH": "KS 0.43"}
    )
    linear, log = figure.axes
    assert (linear.get_yscale(), log.get_yscale()) == ("linear", "log")
    for axes in (linear, log):
        expected = np.array([1, 3, 4]) / 8 / np.diff(edges)
        assert steps(axes)["$VH$"] == pytest.approx(expected)
        x, y = points(axes)[0]
        assert y == pytest.approx(np.array([10, 20, 10]) / 40 / np.diff(edges))
        assert x.tolist() == [0.25, 0.75, 2.0]
    assert "$VH$  KS 0.43" in texts(figure)
    assert "out of fold" in texts(figure)


def test_legends_of_the_overlay_stay_inside_their_frames() -> None:
    """Six classes with their p-values, the longest that a test can give."""
    names = ("VH", "ggF", "VBF", "top", "Zjets", "WW")
    flat = {name: Density(np.ones(40), np.full(40, 0.01)) for name in names}
    figure = discriminant_overlay(
        flat,
        flat,
        np.linspace(0.0, 1.0, 41),
        discriminant="VH",
        label=LABEL,
        agreement=dict.fromkeys(names, "p = 1.2e-22"),
        test_scores="mean of all networks",
    )
    figure.canvas.draw()
    for axes in figure.axes:
        drawn = axes.get_legend()
        assert drawn is not None
        legend, frame = drawn.get_window_extent(), axes.get_window_extent()
        assert frame.x0 <= legend.x0, "the legend begins left of its frame"
        assert legend.x1 <= frame.x1
        assert frame.y0 <= legend.y0
        assert legend.y1 <= frame.y1


def test_tails_show_every_network_and_their_mean() -> None:
    shares = {"VH": {"0.9": [0.02, 0.04], "0.98": [0.0, 0.01]}, "WW": {"0.9": [0.1, 0.3], "0.98": [0.0, 0.0]}}
    figure = network_tails(shares, label=LABEL)
    assert len(figure.axes) == 2
    first, second = (line.get_ydata() for line in figure.axes[0].lines[:2])
    assert np.asarray(first) == pytest.approx([2.0, 4.0])
    assert np.asarray(second) == pytest.approx([10.0, 30.0])
    mean = np.asarray(figure.axes[0].collections[0].get_paths()[0].vertices)
    assert mean[:, 1] == pytest.approx([3.0, 3.0])
    with pytest.raises(DataError, match="same cuts in every class"):
        network_tails({"VH": {"0.9": [0.1]}, "WW": {"0.8": [0.1]}}, label=LABEL)


def test_peaks_of_other_classes_do_not_flatten_the_outputs_own() -> None:
    edges = np.linspace(0.0, 1.0, 101)
    spike = np.append([1000.0], np.ones(99))
    sample = {"VH": Density(np.ones(100), np.full(100, 1e-6)), "WW": Density(spike, np.full(100, 1e-6))}
    linear, log = discriminant_overlay(sample, sample, edges, discriminant="VH", label=LABEL).axes
    assert 2.5 < linear.get_ylim()[1] < 6.0
    assert log.get_ylim()[1] > 90.0
    assert "axis cut" in linear.texts[0].get_text()


def test_overlay_refuses_a_sample_without_weight() -> None:
    empty = {"VH": Density([0.0], [0.0])}
    with pytest.raises(DataError, match="training events of VH: weights sum to 0"):
        discriminant_overlay(empty, empty, [0, 1], discriminant="VH", label=LABEL)


def test_confusion_rows_are_shares_of_the_true_class() -> None:
    figure = confusion_matrix([[3.0, 1.0], [50.0, 50.0]], classes=["VH", "WW"], label=LABEL)
    assert [text.get_text() for text in figure.axes[0].texts][:4] == ["75 %", "25 %", "50 %", "50 %"]


def test_confusion_refuses_an_empty_class() -> None:
    with pytest.raises(DataError, match="class WW has no weight"):
        confusion_matrix([[3.0, 1.0], [0.0, 0.0]], classes=["VH", "WW"], label=LABEL)


def test_importance_puts_the_most_important_input_on_top() -> None:
    values = {"m_jj": (0.05, 0.01), "m_ll": (0.10, 0.01), "m_t": (-0.001, 0.01)}
    figure = importance(values, metric="AUC", label=LABEL)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["$m_{T}$", "$m_{jj}$", r"$m_{\ell\ell}$"]


def test_search_shows_the_best_so_far_and_counts_lost_trials() -> None:
    figure = search_history([np.nan, 0.8, 0.7, np.nan, 0.9], objective="AUC", label=LABEL)
    by_label = lines(figure.axes[0])
    assert by_label["best so far"][0].tolist() == [2, 3, 4, 5]
    assert by_label["best so far"][1].tolist() == [0.8, 0.8, 0.8, 0.9]
    assert by_label["trial"][0].tolist() == [2, 3, 5]
    assert "stopped or failed (2)" in by_label


def test_search_without_a_finished_trial_is_refused() -> None:
    with pytest.raises(DataError, match="finished trial"):
        search_history([np.nan], objective="AUC", label=LABEL)
