import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from znought.errors import DataError
from znought.models.evaluation import (
    agreement,
    auc,
    confusion_matrix,
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


def test_equal_distributions_agree_and_shifted_ones_do_not() -> None:
    one, two = RANDOM.random(4000), RANDOM.random(3000)
    edges = np.linspace(0.0, 1.0, 21)
    same = agreement(one, np.ones(4000), two, RANDOM.choice(np.array([2.0, 3.0]), 3000), edges=edges)
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
        weights = random.choice(np.array([1.0, 4.0]), 400)
        p_values.append(
            agreement(random.random(400), weights, random.random(500), np.ones(500), edges=edges).chi2_p_value
        )
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.08)


def test_confusion_sums_weights() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.6, 0.2]])
    found = confusion_matrix(scores, np.array([0, 0, 1]), np.array([1.0, -2.0, 4.0]))
    np.testing.assert_array_equal(found, [[1.0, 0.0, -2.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
