import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from znought.errors import DataError
from znought.models import evaluation
from znought.models.evaluation import (
    agreement,
    auc,
    auc_estimates,
    auc_replicas,
    confusion_matrix,
    macro_auc,
    poisson_multiplicity,
    roc_curve,
)

RANDOM = np.random.default_rng(0)


def test_the_area_is_that_of_scikit_learn_with_ties_and_weights() -> None:
    signal = RANDOM.random(400) < 0.3
    scores = np.round(RANDOM.normal(size=400) + signal, 1)
    weights = RANDOM.random(400)
    assert auc(scores, signal, weights) == pytest.approx(roc_auc_score(signal, scores, sample_weight=weights))


def test_negative_weights_cancel_events() -> None:
    signal = np.array([True, True, False, False])
    scores = np.array([0.9, 0.2, 0.5, 0.1])
    doubled = np.concatenate([scores, [0.7, 0.7]])
    curve = auc(doubled, np.append(signal, [False, False]), np.array([1, 1, 1, 1, 1.0, -1.0]))
    assert curve == pytest.approx(auc(scores, signal, np.ones(4)))


def test_a_curve_ends_at_one_and_needs_both_sides() -> None:
    curve = roc_curve(RANDOM.random(50), np.arange(50) % 2 == 0, np.ones(50))
    assert (curve.background_efficiency[0], curve.signal_efficiency[0]) == (0.0, 0.0)
    assert (curve.background_efficiency[-1], curve.signal_efficiency[-1]) == (1.0, 1.0)
    with pytest.raises(DataError, match="positive sum of signal weights"):
        roc_curve(np.ones(3), np.zeros(3, bool), np.ones(3))
    with pytest.raises(DataError, match="no events"):
        roc_curve(np.ones(0), np.zeros(0, bool), np.ones(0))


def test_intervals_cover_and_macro_is_the_mean() -> None:
    class_index = RANDOM.integers(0, 3, 3000)
    scores = RANDOM.random((3000, 3)) + np.eye(3)[class_index] * 0.5
    found = auc_estimates(
        scores,
        class_index,
        np.ones(3000),
        np.arange(3000, dtype=np.uint64),
        classes=("a", "b", "c"),
        n_bootstrap=40,
    )
    assert list(found) == ["a", "b", "c", "macro"]
    for estimate in found.values():
        assert estimate.lower < estimate.value < estimate.upper
        assert estimate.upper - estimate.lower < 0.05
    assert found["macro"].value == pytest.approx(np.mean([found[name].value for name in "abc"]))
    assert found["macro"].value == pytest.approx(macro_auc(scores, class_index, np.ones(3000)))


def test_replicas_of_many_events_are_those_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class_index = RANDOM.integers(0, 3, 20_000)
    scores = RANDOM.normal(size=(20_000, 3)) + np.eye(3)[class_index]
    columns = scores, class_index, RANDOM.uniform(-0.1, 1.0, 20_000), np.arange(20_000, dtype=np.uint64)
    exact = auc_replicas(*columns, classes=("a", "b", "c"), n_bootstrap=10)
    monkeypatch.setattr(evaluation, "_MOST_RANKED", 10_000)
    coarse = auc_replicas(*columns, classes=("a", "b", "c"), n_bootstrap=10)
    assert coarse.values.tolist() == exact.values.tolist()
    assert coarse.replicas == pytest.approx(exact.replicas, abs=0.01 * exact.replicas.std())
    assert (coarse.replicas != exact.replicas).any()


def test_repeated_responses_widen_the_interval() -> None:
    class_index = RANDOM.integers(0, 2, 500)
    scores = RANDOM.random((500, 2)) + np.eye(2)[class_index] * 0.5
    identity = np.arange(500, dtype=np.uint64)

    def width(copies: int, *, independent: bool) -> float:
        rows = np.repeat(np.arange(500), copies)
        ids = np.arange(len(rows), dtype=np.uint64) if independent else identity[rows]
        found = auc_estimates(
            scores[rows], class_index[rows], np.ones(len(rows)), ids, classes=("a", "b"), n_bootstrap=100
        )["macro"]
        return found.upper - found.lower

    assert width(9, independent=False) == pytest.approx(width(1, independent=True), rel=0.3)
    assert width(9, independent=True) < 0.6 * width(9, independent=False)


def test_the_bootstrap_draws_poisson_numbers() -> None:
    times = poisson_multiplicity(np.arange(100_000, dtype=np.uint64), 3, salt="x")
    assert times.mean() == pytest.approx(1.0, abs=0.02)
    assert times.var() == pytest.approx(1.0, abs=0.03)


def test_equal_distributions_agree_and_shifted_ones_do_not() -> None:
    one, two = RANDOM.random(4000), RANDOM.random(3000)
    edges = np.linspace(0.0, 1.0, 21)
    same = agreement(one, np.ones(4000), two, RANDOM.choice([2.0, 3.0], 3000), edges=edges)
    assert same.ks_p_value > 0.01
    assert same.chi2_p_value > 0.01
    assert same.ndof == 19
    assert same.first.sum() == pytest.approx(1.0)
    shifted = agreement(one**1.2, np.ones(4000), two, np.ones(3000), edges=edges)
    assert shifted.ks_p_value < 1e-4
    assert shifted.chi2_p_value < 1e-4
    with pytest.raises(DataError, match="agreement: expected positive sums"):
        agreement(one, -np.ones(4000), two, np.ones(3000), edges=edges)


def test_the_distance_is_that_of_scipy() -> None:
    from scipy.stats import ks_2samp

    one, two = RANDOM.normal(size=300), RANDOM.normal(0.2, 1.0, 200)
    found = agreement(one, np.ones(300), two, np.ones(200), edges=np.linspace(-3, 3, 11))
    assert found.ks == pytest.approx(ks_2samp(one, two).statistic)


def test_p_values_are_uniform_for_equal_samples() -> None:
    edges = np.linspace(0.0, 1.0, 11)
    p_values = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        weights = random.choice([1.0, 4.0], 400)
        p_values.append(
            agreement(random.random(400), weights, random.random(500), np.ones(500), edges=edges).chi2_p_value
        )
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)


def test_confusion_sums_weights() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.6, 0.2]])
    found = confusion_matrix(scores, np.array([0, 0, 1]), np.array([1.0, -2.0, 4.0]))
    np.testing.assert_array_equal(found, [[1.0, 0.0, -2.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
