"""What a network has learned: calibration, importance of inputs, events by predicted class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.models.evaluation import macro_auc

__all__ = [
    "Calibration",
    "Importance",
    "by_predicted_class",
    "calibration",
    "gradient_attribution",
    "permutation_importance",
]

Floats = NDArray[np.float64]
Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Calibration:
    """Observed part of a class against the score of that class, per bin of the score.

    Attributes:
        edges: shape (n_bins + 1,).
        mean_score, fraction, fraction_error: weighted, shape (n_bins,); NaN in bins without weight.
        expected_error: weighted mean of |fraction − mean score| over the bins.
    """

    edges: Floats
    mean_score: Floats
    fraction: Floats
    fraction_error: Floats
    expected_error: float


@dataclass(frozen=True)
class Importance:
    """Loss of macro AUC when an input is shuffled: mean and standard deviation over repetitions."""

    mean: float
    stdev: float


def calibration(
    score: NDArray[np.floating], in_class: NDArray[np.bool_], weights: Floats, *, n_bins: int = 20
) -> Calibration:
    """Calibration of one class' score in [0, 1].

    The fractions mean something for the class balance of `weights`: a network trained on balanced
    classes is calibrated for balanced weights.

    Args:
        score: of the class, shape (n_events,).
        in_class: shape (n_events,).
        weights: not negative, shape (n_events,).
        n_bins: equal bins of the score.
    """
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    bins = np.clip((score * n_bins).astype(np.int64), 0, n_bins - 1)

    def sums(values: Floats) -> Floats:
        found: Floats = np.bincount(bins, weights=values, minlength=n_bins).astype(np.float64)
        return found

    total = sums(weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums(weights * score) / total
        fraction = sums(weights * in_class) / total
        error = np.sqrt(fraction * (1.0 - fraction) * sums(weights**2)) / total
    gap = np.where(total > 0.0, np.abs(fraction - mean), 0.0)
    return Calibration(edges, mean, fraction, error, float(np.sum(gap * total) / np.sum(total)))


def permutation_importance(
    score: Score,
    features: NDArray[np.float32],
    class_index: NDArray[np.integer],
    weights: Floats,
    *,
    feature_names: tuple[str, ...],
    n_repeats: int = 3,
    seed: int = 1,
) -> dict[str, Importance]:
    """How much macro AUC is lost when one input is shuffled among the events.

    Args:
        score: (n_events, n_features) unscaled → (n_events, n_classes), e.g. a `Scorer` with its folds.
        features, class_index, weights: events that `score` has not been trained on.
        feature_names: of the columns.
        n_repeats, seed: of the shuffles.
    """
    reference = macro_auc(score(features), class_index, weights)
    found = {}
    for column, name in enumerate(feature_names):
        random = np.random.default_rng((seed, column))
        losses = []
        for _ in range(n_repeats):
            shuffled = features.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            losses.append(reference - macro_auc(score(shuffled), class_index, weights))
        found[name] = Importance(float(np.mean(losses)), float(np.std(losses)))
    return found


def gradient_attribution(model: Any, scaled: NDArray[np.float32], weights: Floats) -> Floats:
    """Weighted mean |∂score of class / ∂scaled input|, shape (n_classes, n_features).

    Args:
        model: Keras model of one fold.
        scaled: its scaled inputs, shape (n_events, n_features).
        weights: not negative, shape (n_events,).
    """
    import tensorflow as tf

    inputs = tf.convert_to_tensor(scaled)
    rows = []
    for index in range(model.output_shape[-1]):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(model(inputs, training=False)[:, index])
        rows.append(np.average(np.abs(tape.gradient(total, inputs).numpy()), axis=0, weights=weights))
    return np.stack(rows).astype(np.float64)


def by_predicted_class(
    values: NDArray[np.floating], scores: NDArray[np.floating], weights: Floats, *, edges: Floats
) -> Floats:
    """Events of one true class split by predicted class, against an input: shape (n_classes, n_bins).

    Values beyond the edges are left out.

    >>> edges = np.array([0.0, 2.0, 4.0])
    >>> by_predicted_class(np.array([1.0, 3.0]), np.eye(2), np.ones(2), edges=edges).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    predicted = np.argmax(scores, axis=1)
    rows = [
        np.histogram(values[predicted == index], bins=edges, weights=weights[predicted == index])[0]
        for index in range(scores.shape[1])
    ]
    return np.stack(rows).astype(np.float64)
