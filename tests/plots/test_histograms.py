"""Weighted histograms, the stack, Poisson intervals and χ²."""

import numpy as np
import pytest
from scipy.stats import chisquare, poisson

from tests.plots.drawn import steps
from znought.errors import DataError
from znought.plots.histograms import binned_agreement, draw_stack, headroom, poisson_interval, weighted_hist
from znought.plots.style import new_figure


def test_poisson_interval_covers_as_it_says() -> None:
    low, high = poisson_interval(np.arange(1, 30))
    tail = 0.15865525393145707
    assert np.allclose(poisson.cdf(np.arange(1, 30), high), tail)
    assert np.allclose(poisson.sf(np.arange(1, 30) - 1, low), tail)


def test_agreement_without_model_error_is_pearson() -> None:
    data, model = np.array([12.0, 7.0, 31.0]), np.array([10.0, 10.0, 30.0])
    assert binned_agreement(data, model, np.zeros(3)).chi2 == pytest.approx(chisquare(data, model).statistic)


def test_agreement_leaves_empty_bins_out_and_counts_model_variance() -> None:
    agreement = binned_agreement([12, 5], [10.0, 0.0], [10.0, 0.0])
    assert agreement.chi2 == pytest.approx(0.2)
    assert agreement.n_bins == 1


def test_agreement_of_nothing_is_perfect() -> None:
    assert binned_agreement([3], [0.0], [0.0]).p_value == 1.0


@pytest.mark.parametrize("edges", [[0.0], [0.0, 1.0, 1.0], [1.0, 0.0]])
def test_edges_must_rise(edges: list[float]) -> None:
    with pytest.raises(DataError, match="rising"):
        weighted_hist(edges, np.ones(len(edges) - 1), np.ones(len(edges) - 1))


def test_stack_sums_yields_and_variances_and_puts_the_signal_on_top() -> None:
    axes = new_figure().add_subplot()
    total = draw_stack(
        axes,
        {
            "VH": weighted_hist([0, 1, 2], [1, 2], [0.1, 0.2]),
            "WW": weighted_hist([0, 1, 2], [10, 20], [1, 2]),
            "top": weighted_hist([0, 1, 2], [3, 4], [0.5, 0.6]),
        },
        on_top="VH",
    )
    assert total.values().tolist() == [14, 26]
    assert total.variances().tolist() == pytest.approx([1.6, 2.8])
    heights = steps(axes)
    assert heights[r"$VH$"].tolist() == [14, 26]
    assert heights[r"$WW$"].tolist() == [13, 24]


@pytest.mark.parametrize("log", [False, True])
def test_headroom_leaves_the_share_free(log: bool) -> None:
    axes = new_figure().add_subplot()
    headroom(axes, 1000.0, bottom=1.0, log=log, share=0.25)
    at = axes.transAxes.inverted().transform(axes.transData.transform((0.0, 1000.0)))[1]
    assert at == pytest.approx(0.75)
