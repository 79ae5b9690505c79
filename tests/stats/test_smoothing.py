"""Smoothing keeps what events support and nothing else, in toys whose true variation is known."""

import numpy as np
import pytest

from tests.stats.variation_toys import N_BINS, Shape, bump, flat, slope, toy, truth
from znought.errors import CardError
from znought.stats.paired import BinnedEvents, PairedDifference, paired_difference
from znought.stats.smoothing import SmoothingConfig, cumulative_basis, groups_of, smoothed

N_TOYS = 60


def _differences(shape: Shape, n_events: int) -> list[PairedDifference]:
    return [paired_difference(*toy(shape, n_events, seed), N_BINS) for seed in range(N_TOYS)]


def _squared_errors(shape: Shape, n_events: int) -> tuple[float, float]:
    """Mean squared error of raw and smoothed, in units of the true effect squared."""
    true = truth(shape)
    raw, smooth = [], []
    for found in _differences(shape, n_events):
        raw.append(np.sum((found.change - true) ** 2))
        smooth.append(np.sum((smoothed(found).change - true) ** 2))
    return float(np.mean(raw) / np.sum(true**2)), float(np.mean(smooth) / np.sum(true**2))


@pytest.mark.parametrize("n_events", [600, 4000])
def test_a_slope_is_found_with_a_fraction_of_the_noise(n_events: int) -> None:
    raw, smooth = _squared_errors(slope, n_events)
    assert smooth < 0.1 * raw


def test_a_narrow_bump_in_a_large_sample_is_kept_as_it_is() -> None:
    for found in _differences(bump, 4000)[:20]:
        kept = smoothed(found)
        assert kept.kept_raw
        assert kept.p_value < 0.01
        assert np.array_equal(kept.change, found.change)
        assert np.array_equal(kept.covariance, found.covariance)


def test_noise_stays_at_order_zero_at_the_stated_rate() -> None:
    orders = [smoothed(found).order for found in _differences(flat, 1000)]
    # Three chances at 5 % each, nested; a residual below 1 % on top.
    assert sum(order != 0 for order in orders) / N_TOYS < 0.15 + 2 * np.sqrt(0.15 * 0.85 / N_TOYS)


def test_the_error_of_what_is_smoothed_is_honest() -> None:
    true, pulls = truth(slope), []
    for found in _differences(slope, 4000):
        result = smoothed(found, SmoothingConfig(max_order=1))
        if not result.kept_raw:
            # Of the relative change: the nominal fluctuates too, and takes the difference along.
            expected = true[0] * N_BINS * found.nominal[0]
            pulls.append((result.change[0] - expected) / np.sqrt(result.covariance[0, 0]))
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))
    # 1.4 rather than 1: the cumulative yield that the polynomial runs in fluctuates as well.
    assert 0.75 < np.std(pulls) < 1.6


def test_an_exact_polynomial_weight_comes_back() -> None:
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(size=4000))
    bins = (x * N_BINS).astype(np.int64)
    nominal = BinnedEvents(np.arange(4000), bins, np.ones(4000))
    up = BinnedEvents(nominal.identity, bins, 1 + 0.2 * (np.arange(4000) + 0.5) / 4000)
    result = smoothed(paired_difference(nominal, up, None, N_BINS))
    counts = np.bincount(bins, minlength=N_BINS)
    assert result.order == 1
    assert result.change == pytest.approx(np.bincount(bins, up.weights, N_BINS) - counts, abs=0.01)
    factor = BinnedEvents(nominal.identity, bins, np.full(4000, 1.07))
    common = smoothed(paired_difference(nominal, factor, None, N_BINS))
    assert common.order == 0
    assert common.change == pytest.approx(0.07 * counts)


def test_basis_is_the_yield_and_sums_to_zero_beyond() -> None:
    nominal = np.array([5.0, 0.0, 2.0, -1.0, 3.0])
    basis = cumulative_basis(nominal, 3)
    assert basis[:, 0] == pytest.approx(np.maximum(nominal, 0))
    assert basis[:, 1:].sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert not basis[1].any()
    assert not basis[3].any()


def test_bins_join_until_enough_events_differ() -> None:
    found = paired_difference(*toy(flat, 200, seed=2), N_BINS)
    groups = groups_of(found, 5.0)
    assert groups.max() < N_BINS - 1
    assert np.all(np.diff(groups) >= 0)
    assert found.merged(groups).movers.min() >= 5.0
    assert not groups_of(found, 1e6).any()


def test_nothing_at_all_changes_nothing() -> None:
    rows = BinnedEvents.of(np.arange(50), np.arange(50) % 5, np.ones(50))
    same = smoothed(paired_difference(rows, rows, rows, 5))
    assert same.change == pytest.approx(np.zeros(5), abs=1e-12)
    assert same.order == 0
    empty = BinnedEvents.of([], np.empty(0, np.int64), [])
    assert smoothed(paired_difference(empty, empty, empty, 3)).change.tolist() == [0, 0, 0]


def test_events_may_move_into_bins_that_the_nominal_leaves_empty() -> None:
    rows = np.arange(500)
    nominal = BinnedEvents.of(rows, np.zeros(500, np.int64), np.ones(500))
    up = BinnedEvents.of(rows, (rows % 10 == 0).astype(np.int64), np.ones(500))
    found = smoothed(paired_difference(nominal, up, None, 2))
    assert found.kept_raw
    assert found.change.tolist() == [-50, 50]


def test_limits_are_checked() -> None:
    with pytest.raises(CardError, match="max_order"):
        SmoothingConfig(max_order=9)
    with pytest.raises(CardError, match="order_p_value"):
        SmoothingConfig(order_p_value=0.0)
    with pytest.raises(CardError, match="movers_min"):
        SmoothingConfig(movers_min=0.0)
