"""Cross-fitting: what it promises about row order, few events, responses and optimism."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from tests.stats.toys import BACKGROUND_YIELD, SIGNAL_YIELD, Toy, toy, true_z
from znought.errors import CardError
from znought.stats.binning import PLAIN, BinningConfig
from znought.stats.correlated import correlated_z0
from znought.stats.crossfit import FEW_EVENTS, SignificanceEstimate, cross_fitted
from znought.stats.fit import z_profile
from znought.stats.repeats import held_out_difference, with_training
from znought.stats.significance import asimov_z0
from znought.stats.yields import Yields

Floats = NDArray[np.float64]


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


def test_intervals_hold_the_chance_of_training() -> None:
    """Three repeats with noise of their own: the error of their mean is the jackknife's, by hand."""
    random = np.random.default_rng(8)
    n = 3000
    signal = np.arange(n) < n // 3
    good = 0.3 * random.normal(size=n) + signal
    by_repeat = [1 / (1 + np.exp(-good - 0.5 * random.normal(size=n))) for _ in range(3)]
    weights, identity = np.where(signal, 0.02, 1.0), np.arange(n)
    rules = BinningConfig(lower=0.0, upper=1.0)

    def quoted(scores: Floats) -> SignificanceEstimate:
        return cross_fitted(scores, weights, signal, identity, config=rules, n_bootstrap=40)

    one, *others = (
        quoted(np.mean(chosen, axis=0))
        for chosen in (by_repeat, by_repeat[1:], by_repeat[::2], by_repeat[:2])
    )
    whole = with_training(one, others)
    z = [other.quoted for other in others]
    error = np.sqrt(2 / 3 * sum((value - np.mean(z)) ** 2 for value in z))
    assert whole.training_error == pytest.approx(error)
    assert error > 0.01
    assert whole.held_out == one.held_out
    low = one.held_out - np.hypot(one.held_out - one.interval.low, error)
    assert whole.interval.low == pytest.approx(low)
    assert whole.mc_stat.interval.high > one.mc_stat.interval.high
    assert with_training(one, []) == one
    # Less itself a discriminant is nothing, whatever its training; less one without training it is uncertain.
    assert held_out_difference(whole, whole)[1].high == 0.0
    sure = held_out_difference(whole, one)[1]
    assert sure.high == pytest.approx(error)


def test_companions_are_of_the_same_bins_and_corrected_alike() -> None:
    result = estimate(toy(4000, 3), BinningConfig(lower=0.0), n_bootstrap=40)
    profile = []
    for part in result.parts:
        sumw = np.stack([part.signal, part.background])
        sumw2 = np.stack([part.sumw2_signal, part.sumw2_background])
        events = np.stack([part.events_signal, part.events_background])
        yields = Yields(("signal", "background"), part.edges, sumw, sumw2, events)
        profile.append(z_profile(yields, ["signal"], sigma_rel=0.10).correlated)
    assert result.correlated.quoted == pytest.approx(np.mean(profile), rel=1e-4)
    with_error = [
        judge_with_error(part.signal, part.background, part.sumw2_background) for part in result.parts
    ]
    assert result.mc_stat.quoted == pytest.approx(np.mean(with_error))
    for one in (result.mc_stat, result.correlated):
        assert one.held_out < one.quoted
        assert one.interval.low < one.held_out < one.interval.high
    assert result.mc_stat.held_out < result.held_out
    content = json.loads(json.dumps(result.to_dict()))
    assert content["correlated"]["held_out"] == result.correlated.held_out


def judge_with_error(signal: Floats, background: Floats, sumw2: Floats) -> float:
    error = np.sqrt((0.10 * background) ** 2 + sumw2)
    return float(np.sqrt(np.sum(asimov_z0(signal, background, error) ** 2)))


def test_the_correlated_one_is_corrected_for_its_bias() -> None:
    config = BinningConfig(lower=0.0)
    quoted, held_out = [], []
    for seed in range(16):
        result = estimate(toy(2000, seed), config, seed=seed)
        truth = np.mean([true_correlated(part.edges) for part in result.parts])
        quoted.append(result.correlated.quoted - truth)
        held_out.append(result.correlated.held_out - truth)
    assert np.mean(quoted) > 0.05
    assert abs(np.mean(held_out)) < 0.6 * np.mean(quoted)


def true_correlated(edges: Floats) -> float:
    signal, background = (
        SIGNAL_YIELD * np.diff(beta.cdf(edges, 4, 2)),
        BACKGROUND_YIELD * np.diff(beta.cdf(edges, 2, 3)),
    )
    return correlated_z0(signal, background, 0.10 * background)
