"""Cross-fitting: what it promises about row order, few events, responses and optimism."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.stats.toys import Toy, toy, true_z
from znought.errors import CardError
from znought.stats.binning import PLAIN, BinningConfig
from znought.stats.crossfit import FEW_EVENTS, SignificanceEstimate, cross_fitted, held_out_difference


def estimate(
    sample: Toy, config: BinningConfig, *, n_bootstrap: int = 50, seed: int = 0
) -> SignificanceEstimate:
    return cross_fitted(
        sample.scores,
        sample.weights,
        sample.is_signal,
        sample.identity,
        method="greedy",
        config=config,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def test_row_order_changes_nothing() -> None:
    sample = toy(2000, 1, spread=0.3, responses=4)
    order = np.random.default_rng(0).permutation(sample.scores.size)
    mixed = Toy(sample.scores[order], sample.weights[order], sample.is_signal[order], sample.identity[order])
    first, second = estimate(sample, BinningConfig()), estimate(mixed, BinningConfig())
    assert first.held_out == pytest.approx(second.held_out, rel=1e-12)
    assert first.interval.low == pytest.approx(second.interval.low, rel=1e-9)


def test_tuned_and_quoted_shows_its_optimism_and_the_cross_fitted_does_not() -> None:
    config = BinningConfig(lower=0.0, constraints=PLAIN)
    tuned, held_out, truth = [], [], []
    for seed in range(12):
        result = estimate(toy(2000, seed), config, seed=seed)
        tuned.append(result.tuned)
        held_out.append(result.held_out)
        truth.append(np.mean([true_z(edges) for edges in result.tuned_edges]))
    assert np.mean(tuned) - np.mean(truth) > 0.5
    assert abs(np.mean(held_out) - np.mean(truth)) < 0.3
    assert np.mean(tuned) > np.mean(held_out) + 0.4


def test_headline_rules_are_unbiased_and_covered() -> None:
    config = BinningConfig(lower=0.0)
    pulls, inside = [], []
    for seed in range(16):
        result = estimate(toy(2000, seed), config, seed=seed)
        truth = float(np.mean([true_z(part.edges) for part in result.parts]))
        pulls.append((result.held_out - truth) / (result.interval.high - result.interval.low) * 2)
        inside.append(result.interval.low <= truth <= result.interval.high)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.4 <= np.mean(inside) <= 0.95


def test_single_bin_has_one_bin_and_little_optimism() -> None:
    sample = toy(4000, 2)
    result = cross_fitted(
        sample.scores, sample.weights, sample.is_signal, sample.identity, method="single", n_bootstrap=50
    )
    assert result.edges.tolist() == [0.2, 1.0]
    assert result.tuned == pytest.approx(result.quoted)
    assert abs(result.optimism) < 0.01
    assert result.whole.z_total == pytest.approx(result.tuned, rel=0.01)
    assert result.edge_shift.size == 0


def test_parts_are_scaled_to_the_full_luminosity() -> None:
    sample = toy(20000, 2)
    result = estimate(sample, BinningConfig())
    for part in result.parts:
        assert part.background.sum() == pytest.approx(result.whole.background.sum(), rel=0.03)


def test_few_raw_events_are_never_a_headline() -> None:
    sample = toy(60, 3)
    plain = estimate(sample, BinningConfig(lower=0.0, constraints=PLAIN))
    assert min(part.events_background.min() for part in plain.parts) <= FEW_EVENTS
    assert not plain.trustworthy
    assert plain.headline is None
    kept = estimate(toy(2000, 3), BinningConfig())
    assert kept.trustworthy
    assert kept.headline == kept.held_out
    assert min(part.effective_background.min() for part in kept.parts) > FEW_EVENTS


def test_responses_of_one_event_stay_on_one_side_and_widen_the_interval() -> None:
    sample = toy(4000, 5, responses=10)
    rows = Toy(sample.scores, sample.weights, sample.is_signal, np.arange(sample.scores.size))
    honest = estimate(sample, BinningConfig(lower=0.0), n_bootstrap=100)
    naive = estimate(rows, BinningConfig(lower=0.0), n_bootstrap=100)
    assert honest.edges.size < naive.edges.size
    width = (honest.interval.high - honest.interval.low) / honest.held_out
    assert width > 1.5 * (naive.interval.high - naive.interval.low) / naive.held_out


def test_more_parts_tune_on_more_events() -> None:
    sample = toy(3000, 6)
    result = cross_fitted(
        sample.scores, sample.weights, sample.is_signal, sample.identity, n_parts=3, n_bootstrap=20
    )
    assert len(result.parts) == len(result.tuned_edges) == 3


def test_result_goes_to_json() -> None:
    text = json.dumps(estimate(toy(1000, 1), BinningConfig()).to_dict(), allow_nan=False)
    assert {"tuned", "held_out", "interval", "auxiliary", "optimism"} <= set(json.loads(text))


def test_bad_options_are_one_clear_line() -> None:
    sample = toy(100, 1)
    with pytest.raises(CardError, match="n_parts ≥ 2"):
        cross_fitted(sample.scores, sample.weights, sample.is_signal, sample.identity, n_parts=1)


def test_differences_of_discriminants_are_paired() -> None:
    """The same events in all replicates: a discriminant less itself is nothing, twins differ by little."""
    random = np.random.default_rng(5)
    n = 4000
    signal = np.arange(n) < n // 4
    first = np.clip(random.beta(2.0, 2.0, n) + 0.3 * signal, 0.0, 1.0)
    second = np.clip(first + 0.02 * random.normal(size=n), 0.0, 1.0)
    weights, identity = np.where(signal, 0.02, 1.0), np.arange(n)
    rules = BinningConfig(lower=0.0, upper=1.0)
    one, two = (
        cross_fitted(x, weights, signal, identity, config=rules, n_bootstrap=100, seed=3)
        for x in (first, second)
    )
    value, interval = held_out_difference(one, one)
    assert (value, interval.low, interval.high) == (0.0, 0.0, 0.0)
    value, interval = held_out_difference(one, two)
    assert interval.low - 1e-9 <= value <= interval.high + 0.05
    alone = one.interval.high - one.interval.low
    assert interval.high - interval.low < 0.8 * alone
    with pytest.raises(CardError, match="equal numbers of replicates"):
        held_out_difference(one, replace(two, replicates=two.replicates[:10]))
