import numpy as np
import pytest

from tests.models.samples import tensorflow_warnings
from znought.models.explain import (
    by_predicted_class,
    calibration,
    gradient_attribution,
    permutation_importance,
)

pytestmark = tensorflow_warnings

RANDOM = np.random.default_rng(0)


def test_a_calibrated_score_lies_on_the_diagonal_and_a_squeezed_one_does_not() -> None:
    score = RANDOM.random(40_000)
    in_class = RANDOM.random(40_000) < score
    weights = RANDOM.random(40_000)
    found = calibration(score, in_class, weights, n_bins=10)
    np.testing.assert_allclose(found.fraction, found.mean_score, atol=0.03)
    pulls = (found.fraction - found.mean_score) / found.fraction_error
    assert np.abs(pulls).max() < 4.0
    assert found.expected_error < 0.01
    assert calibration(0.5 + 0.2 * (score - 0.5), in_class, weights).expected_error > 0.1


def test_bins_without_events_are_not_numbers_and_count_for_nothing() -> None:
    found = calibration(np.array([0.05, 0.95]), np.array([False, True]), np.ones(2), n_bins=2)
    assert found.expected_error == pytest.approx(0.05)
    assert np.isnan(calibration(np.array([1.0]), np.array([True]), np.ones(1), n_bins=2).fraction[0])


def test_only_the_input_that_matters_is_important() -> None:
    features = RANDOM.normal(size=(2000, 3)).astype(np.float32)
    class_index = (features[:, 1] > 0).astype(np.int64)

    def score(values: np.ndarray) -> np.ndarray:
        signal = 1.0 / (1.0 + np.exp(-values[:, 1]))
        return np.stack([1.0 - signal, signal], axis=1).astype(np.float32)

    found = permutation_importance(score, features, class_index, np.ones(2000), feature_names=("a", "b", "c"))
    assert found["b"].mean == pytest.approx(0.5, abs=0.05)
    assert found["a"].mean == found["c"].mean == 0.0


def test_gradients_are_those_of_the_softmax() -> None:
    import keras

    model = keras.Sequential(
        [keras.layers.Input((2,)), keras.layers.Dense(2), keras.layers.Activation("softmax")]
    )
    model.set_weights([np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros(2)])
    features = RANDOM.normal(size=(50, 2)).astype(np.float32)
    p = 1.0 / (1.0 + np.exp(-features[:, 0]))
    found = gradient_attribution(model, features, np.ones(50))
    expected = np.array([[np.mean(p * (1 - p)), 0.0]] * 2, dtype=np.float64)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_events_split_by_predicted_class() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    found = by_predicted_class(
        np.array([0.5, 0.5, 1.5]), scores, np.array([1.0, 2.0, -3.0]), edges=np.arange(3.0)
    )
    np.testing.assert_array_equal(found, [[1.0, 0.0], [2.0, -3.0]])
