"""Differences of templates that share their events, and their errors."""

import numpy as np
import pytest
from scipy.stats import kstest

from tests.stats.variation_toys import N_BINS, flat, slope, toy, truth
from znought.errors import DataError
from znought.stats.paired import BinnedEvents, chi_square, paired_difference


def test_difference_is_that_of_the_templates() -> None:
    nominal, up, down = toy(slope, 2000, seed=1)
    found = paired_difference(nominal, up, down, N_BINS)
    filled = [
        np.bincount(rows.bins[rows.bins >= 0], rows.weights[rows.bins >= 0], N_BINS) for rows in (up, down)
    ]
    assert found.change == pytest.approx((filled[0] - filled[1]) / 2, abs=1e-14)
    inside = nominal.inside(N_BINS)
    assert found.nominal == pytest.approx(np.bincount(inside.bins, inside.weights, N_BINS))


def test_paired_errors_are_those_of_repeated_samples() -> None:
    changes, expected = [], []
    for seed in range(300):
        found = paired_difference(*toy(slope, 1000, seed), N_BINS)
        changes.append(found.change)
        expected.append(found.covariance)
    assert np.mean(changes, axis=0) == pytest.approx(truth(slope), abs=4 * np.std(changes) / np.sqrt(300))
    measured = np.cov(np.array(changes).T)
    assert np.trace(np.mean(expected, axis=0)) == pytest.approx(np.trace(measured), rel=0.05)
    # Events that leave a bin enter its neighbour.
    assert np.mean(np.diagonal(np.mean(expected, axis=0), 1)) < 0
    assert np.mean(np.diagonal(measured, 1)) < 0


def test_p_values_are_uniform_where_nothing_changes() -> None:
    values = [paired_difference(*toy(flat, 4000, seed), N_BINS).p_value() for seed in range(200)]
    assert kstest(values, "uniform").pvalue > 0.001
    seen = [paired_difference(*toy(slope, 4000, seed), N_BINS).p_value() for seed in range(20)]
    assert max(seen) < 1e-3


def test_responses_of_one_generated_event_are_one_unit() -> None:
    nominal = BinnedEvents.of([1, 1, 2], [0, 0, 0], [1.0, 1.0, 1.0])
    up = BinnedEvents.of([1, 1, 2], [0, 0, 0], [1.5, 1.5, 1.0])
    found = paired_difference(nominal, up, None, 1)
    assert found.covariance.tolist() == [[1.0]]
    assert found.movers.tolist() == [1.0]


def test_two_independent_datasets_have_the_error_of_both() -> None:
    nominal = BinnedEvents.of([1, 2, 3, 4], [0, 0, 1, 1], np.full(4, 2.0))
    other = BinnedEvents.of([11, 12, 13], [0, 1, 1], np.full(3, 3.0))
    found = paired_difference(nominal, other, None, 2)
    assert found.change.tolist() == [-1.0, 2.0]
    assert np.diagonal(found.covariance).tolist() == [2 * 4 + 9, 2 * 4 + 2 * 9]


def test_a_common_factor_is_known_without_error() -> None:
    nominal = BinnedEvents.of(np.arange(100), np.arange(100) % 5, np.linspace(1, 2, 100))
    up = BinnedEvents(nominal.identity, nominal.bins, 1.1 * nominal.weights)
    found = paired_difference(nominal, up, None, 5)
    assert found.norm == pytest.approx(0.1)
    assert found.norm_error == pytest.approx(0.0, abs=1e-9)
    assert found.errors.min() > 0.01


def test_up_and_down_on_one_side_are_seen() -> None:
    nominal, up, down = toy(slope, 4000, seed=3)
    assert (paired_difference(nominal, up, down, N_BINS).bend_p_value() or 0) > 0.001
    one_sided = paired_difference(nominal, up, up, N_BINS)
    assert one_sided.p_value() == 1.0
    assert one_sided.bend_p_value() is not None
    assert (one_sided.bend_p_value() or 0) < 1e-3
    assert paired_difference(nominal, up, None, N_BINS).bend_p_value() is None


def test_merging_and_chi_square() -> None:
    found = paired_difference(*toy(slope, 1000, seed=5), N_BINS)
    halves = found.merged(np.arange(N_BINS) // 10)
    assert halves.change == pytest.approx([found.change[:10].sum(), found.change[10:].sum()])
    assert halves.covariance.sum() == pytest.approx(found.covariance.sum())
    assert chi_square(np.zeros(3), np.zeros((3, 3))) == (0.0, 0)
    assert chi_square(np.array([1.0, -1.0]), np.array([[2.0, -2.0], [-2.0, 2.0]]))[0] == pytest.approx(0.5)


def test_bad_rows_are_named() -> None:
    with pytest.raises(DataError, match="one shape"):
        BinnedEvents.of([1, 2], [0], [1.0])
    with pytest.raises(DataError, match="not finite"):
        BinnedEvents.of([1], [0], [np.nan])
    with pytest.raises(DataError, match="n_bins"):
        paired_difference(*toy(flat, 10, 1), 0)
