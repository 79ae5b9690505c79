"""The two searches against plain transcriptions, and the rules that bins obey."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.stats.toys import Toy, toy
from znought.errors import CardError, DataError
from znought.stats.binning import (
    FRACTIONS,
    BinningConfig,
    BinningResult,
    Constraints,
    evaluate,
    greedy,
    optimal,
    tune,
)
from znought.stats.significance import asimov_z0


def in_bin(toy: Toy, low: float, high: float, upper: float) -> NDArray[np.bool_]:
    inside = (toy.scores >= low) & (toy.scores < high)
    return inside | (toy.scores == upper) if high == upper else inside


def yields(toy: Toy, low: float, high: float, upper: float) -> tuple[float, float]:
    rows = in_bin(toy, low, high, upper)
    signal = toy.weights[rows & toy.is_signal].sum()
    return float(signal), float(toy.weights[rows & ~toy.is_signal].sum())


def z2(toy: Toy, low: float, high: float, upper: float) -> float:
    s, b = yields(toy, low, high, upper)
    return float(asimov_z0(s, b, 0.1 * b)) ** 2


def transcribed(toy: Toy, low: float, high: float, upper: float = 1.0) -> list[float]:
    """The talk's text: edges inside [low, high), by recursion."""
    best, gain = None, 0.0
    for i in range(1, 20):
        middle = low + round(0.05 * i, 2) * (high - low)
        parts = [(low, middle), (middle, high)]
        if any(min(yields(toy, *part, upper)) <= 3 for part in parts):
            continue
        raised = sum(z2(toy, *part, upper) for part in parts) - z2(toy, low, high, upper)
        if raised > gain:
            best, gain = middle, raised
    if best is None:
        return []
    return [*transcribed(toy, low, best, upper), best, *transcribed(toy, best, high, upper)]


@pytest.mark.parametrize("seed", range(12))
def test_greedy_is_the_talks_text(seed: int) -> None:
    sample = toy(600, seed, spread=0.3, negative=0.1 * (seed % 2))
    result = greedy(sample.scores, sample.weights, sample.is_signal)
    assert result.edges == pytest.approx([0.2, *transcribed(sample, 0.2, 1.0), 1.0], abs=1e-12)
    assert result.z_total == pytest.approx(np.sqrt(np.sum(result.z_per_bin**2)))


def brute_force(
    toy: Toy, grid: NDArray[np.float64], min_yield: float, effective: float, max_bins: int | None
) -> float:
    """The largest Σ Z² over every subset of the inner edges, −inf when none is admissible."""
    n = grid.size
    value = np.full((n, n), -np.inf)
    for a, b in combinations(range(n), 2):
        rows = in_bin(toy, grid[a], grid[b], grid[-1])
        s, background = toy.weights[rows & toy.is_signal].sum(), toy.weights[rows & ~toy.is_signal]
        total = background.sum()
        if s > min_yield and total > min_yield and total**2 >= effective * (background**2).sum():
            value[a, b] = float(asimov_z0(s, total, 0.1 * total)) ** 2
    best = -np.inf
    for k in range(n - 1 if max_bins is None else min(max_bins, n - 1)):
        for inner in combinations(range(1, n - 1), k):
            edges = [0, *inner, n - 1]
            best = max(best, value[edges[:-1], edges[1:]].sum())
    return float(best)


def test_optimal_is_brute_force_on_500_random_problems() -> None:
    rng = np.random.default_rng(4)
    admissible = 0
    for problem in range(500):
        sample = toy(int(rng.integers(8, 120)), problem, spread=0.5, negative=float(rng.choice([0.0, 0.2])))
        if min(yields(sample, 0.2, 1.0, 1.0)) <= 0:
            continue
        n_inner = int(rng.integers(0, 11)) if problem % 10 == 0 else int(rng.integers(0, 7))
        grid = np.array([0.2, *np.sort(rng.uniform(0.2, 1.0, n_inner)), 1.0])
        min_yield = float(rng.choice([0.0, 3.0, 12.0]))
        effective = float(rng.choice([0.0, 4.0]))
        max_bins = int(rng.integers(1, 4)) if problem % 3 == 0 else None
        best = brute_force(sample, grid, min_yield, effective, max_bins)
        result = optimal(
            sample.scores,
            sample.weights,
            sample.is_signal,
            min_yield=min_yield,
            constraints=Constraints(
                min_effective_background=effective, max_relative_mc_error_background=None, max_bins=max_bins
            ),
            candidates=grid,
        )
        if best == -np.inf:
            assert result.edges.tolist() == [0.2, 1.0]
            assert result.weak.all()
            continue
        admissible += 1
        assert result.z_total**2 == pytest.approx(best, rel=1e-9)
        assert not result.weak.any()
    assert admissible > 300


@pytest.mark.parametrize(
    "constraints", [Constraints(), Constraints(max_bins=4), Constraints(monotone_purity=True)]
)
def test_optimal_is_never_below_greedy_on_the_same_grid(constraints: Constraints) -> None:
    for seed in range(5):
        sample = toy(3000, seed, spread=0.3)
        columns = (sample.scores, sample.weights, sample.is_signal)
        first = greedy(*columns, constraints=constraints)
        best = optimal(*columns, constraints=constraints, candidates=first.edges)
        assert best.z_total >= first.z_total * (1 - 1e-12)


@pytest.mark.parametrize("method", ["greedy", "optimal"])
def test_headline_rules_rule_out_bins_of_few_events(method: Any) -> None:
    sample = toy(400, 3, responses=4)
    columns = (sample.scores, sample.weights, sample.is_signal)
    result = tune(*columns, method=method, config=BinningConfig(), identity=sample.identity)
    assert result.effective_background.min() >= 1 / 0.3**2
    assert result.events_background.min() >= result.effective_background.min()
    # Rows taken one by one pretend to be four times as many.
    naive = tune(*columns, method=method, config=BinningConfig())
    assert naive.edges.size > result.edges.size


@pytest.mark.parametrize("method", ["greedy", "optimal"])
def test_monotone_purity_and_max_bins_hold(method: Any) -> None:
    sample = toy(1000, 5, spread=0.5)
    rules = Constraints(monotone_purity=True, max_bins=6)
    result = tune(
        sample.scores,
        sample.weights,
        sample.is_signal,
        method=method,
        config=BinningConfig(constraints=rules),
    )
    assert 2 <= result.signal.size <= 6
    assert np.all(np.diff(result.signal / result.background) >= 0)


@pytest.mark.parametrize("method", ["greedy", "optimal"])
@pytest.mark.parametrize("digits", [1, 2])
def test_rounded_edges_keep_the_rules(method: Any, digits: int) -> None:
    sample = toy(800, 7)
    config = BinningConfig(edge_digits=digits)
    result = tune(sample.scores, sample.weights, sample.is_signal, method=method, config=config)
    assert result.edges == pytest.approx(np.round(result.edges, digits))
    assert not result.weak.any()
    again = evaluate(sample.scores, sample.weights, sample.is_signal, result.edges)
    assert again.z_per_bin == pytest.approx(result.z_per_bin)


@pytest.mark.parametrize("search", [greedy, optimal])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.5, 20.0))
def test_row_order_changes_nothing(search: Callable[..., BinningResult], seed: int, factor: float) -> None:
    sample = toy(300, seed, spread=0.3, responses=3)
    order = np.random.default_rng(seed).permutation(sample.scores.size)
    first = search(sample.scores, factor * sample.weights, sample.is_signal, identity=sample.identity)
    second = search(
        sample.scores[order],
        factor * sample.weights[order],
        sample.is_signal[order],
        identity=sample.identity[order],
    )
    assert first.edges == pytest.approx(second.edges)
    assert first.z_total == pytest.approx(second.z_total)


def test_folding_in_the_mc_error_lowers_the_significance() -> None:
    sample = toy(1000, 1)
    edges = [0.2, 0.5, 0.8, 1.0]
    columns = (sample.scores, sample.weights, sample.is_signal)
    plain, folded = evaluate(*columns, edges), evaluate(*columns, edges, mc_error=True)
    expected = np.sqrt((0.1 * plain.background) ** 2 + plain.sumw2_background)
    assert np.all(folded.z_per_bin < plain.z_per_bin)
    assert folded.z_per_bin == pytest.approx(asimov_z0(plain.signal, plain.background, expected))


def test_rows_of_one_event_are_one_statistical_unit() -> None:
    scores, weights = np.array([0.3, 0.3, 0.7, 0.7, 0.3]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    identity = np.array([1, 1, 1, 2, 3])
    is_signal = np.zeros(5, dtype=bool)
    result = evaluate(scores, weights, is_signal, [0.0, 0.5, 1.0], identity=identity)
    assert result.sumw2_background.tolist() == [(1 + 2) ** 2 + 5**2, 3**2 + 4**2]
    assert result.events_background.tolist() == [2, 2]
    assert evaluate(scores, weights, is_signal, [0.0, 0.5, 1.0]).sumw2_background.tolist() == [30, 25]


def test_scores_at_the_upper_edge_belong_to_the_last_bin() -> None:
    scores = np.array([0.2, 0.5, 1.0, 1.1, 0.1])
    result = evaluate(scores, np.ones(5), np.zeros(5, dtype=bool), [0.2, 0.5, 1.0])
    assert result.background.tolist() == [1.0, 2.0]


def test_defaults_are_the_talks() -> None:
    assert tuple(round(0.05 * i, 2) for i in range(1, 20)) == FRACTIONS
    config = BinningConfig()
    assert (config.lower, config.upper, config.min_yield, config.sigma_rel) == (0.2, 1.0, 3.0, 0.10)


def test_bad_input_is_one_clear_line() -> None:
    sample = toy(200, 1)
    none = np.zeros(sample.scores.size, dtype=bool)
    with pytest.raises(DataError, match=r"signal in \[0.2, 1\] sums to 0"):
        greedy(sample.scores, sample.weights, none)
    with pytest.raises(DataError, match=r"background in \[2, 3\]|signal in \[2, 3\]"):
        optimal(sample.scores, sample.weights, sample.is_signal, lower=2.0, upper=3.0)
    with pytest.raises(DataError, match="edges must be at least two and rise"):
        evaluate(sample.scores, sample.weights, sample.is_signal, [0.2, 0.2, 1.0])
    with pytest.raises(DataError, match=r"bin \[2, 3\) holds 0 background events"):
        evaluate(sample.scores, sample.weights, sample.is_signal, [0.2, 2.0, 3.0])
    with pytest.raises(DataError, match="one length"):
        greedy(sample.scores, sample.weights[1:], sample.is_signal)
    with pytest.raises(DataError, match="scores holds values that are not finite"):
        greedy(np.where(none, 0.0, np.nan), sample.weights, sample.is_signal)
    with pytest.raises(CardError, match="did you mean 'greedy'"):
        tune(sample.scores, sample.weights, sample.is_signal, method="gredy", config=BinningConfig())  # type: ignore[arg-type]  # the misspelling is the test


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lower": 1.0, "upper": 0.2}, "lower must be below upper"),
        ({"min_yield": -1.0}, "min_yield"),
        ({"sigma_rel": -0.1}, "sigma_rel"),
        ({"fractions": (0.5, 1.5)}, "fractions must rise"),
        ({"auxiliary": "flat"}, "Unknown auxiliary measurement"),
        ({"n_candidates": 1}, "n_candidates"),
    ],
)
def test_bad_configuration_is_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        BinningConfig(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_effective_background": -1.0}, "min_effective_background"),
        ({"max_relative_mc_error_background": 0.0}, "max_relative_mc_error_background"),
        ({"max_bins": 0}, "max_bins"),
    ],
)
def test_bad_constraints_are_one_clear_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        Constraints(**options)
