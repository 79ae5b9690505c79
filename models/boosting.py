"""The baseline that a network must beat: histogram gradient boosting through the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.models.folds import UNTRAINED
from znought.models.samples import TrainingConfig, TrainingData, prepare_fold
from znought.models.scaling import check_finite

__all__ = ["BoostedFold", "BoostingConfig", "boost_fold", "combine"]


@dataclass(frozen=True)
class BoostingConfig:
    """Card section `boosting`; names as in scikit-learn's HistGradientBoostingClassifier."""

    learning_rate: float = 0.1
    max_iter: int = 300
    max_leaf_nodes: int = 31
    min_samples_leaf: int = 50
    l2_regularization: float = 1.0
    patience: int = 10

    def __post_init__(self) -> None:
        for name in ("learning_rate", "max_iter", "min_samples_leaf", "patience"):
            if not getattr(self, name) > 0:
                raise CardError(
                    f"boosting.{name}: expected a positive number. Received: {getattr(self, name)}."
                )
        if self.max_leaf_nodes < 2:
            raise CardError(f"boosting.max_leaf_nodes: expected at least 2. Received: {self.max_leaf_nodes}.")


@dataclass(frozen=True)
class BoostedFold:
    """Scores of one fold's trees.

    Attributes:
        fold: the fold that these trees have not seen.
        held_out: scores of the rows of `data` with this fold, in their order, (n, n_classes).
        untrained: scores of the test rows of `data` and then of the `others`, in their order.
        n_iterations: boosting rounds kept.
    """

    fold: int
    held_out: NDArray[np.float32]
    untrained: NDArray[np.float32]
    n_iterations: int


def boost_fold(
    data: TrainingData,
    fold: int,
    boosting: BoostingConfig,
    training: TrainingConfig,
    *,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
    others: NDArray[np.float32] | None = None,
) -> BoostedFold:
    """Trees trained on exactly the events, weights and stop part of the fold's network.

    The trees stay in the worker (scikit-learn could only pickle them): what travels are scores.

    Args:
        data: all folds' events.
        fold: the fold that these trees will score.
        boosting, training: card sections.
        classes, feature_names: as for `train_fold`.
        others: further events to score (data, untrained processes), shape (n_others, n_features).

    Raises:
        DataError: as `train_fold`.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    sample = prepare_fold(data, fold, training, classes=classes, feature_names=feature_names)
    trees = HistGradientBoostingClassifier(
        learning_rate=boosting.learning_rate,
        max_iter=boosting.max_iter,
        max_leaf_nodes=boosting.max_leaf_nodes,
        min_samples_leaf=boosting.min_samples_leaf,
        l2_regularization=boosting.l2_regularization,
        n_iter_no_change=boosting.patience,
        early_stopping=True,
        random_state=training.seed,
    )
    trees.fit(
        sample.train.features,
        sample.train.class_index,
        sample_weight=sample.train.weights,
        X_val=sample.stop.features,
        y_val=sample.stop.class_index,
        sample_weight_val=sample.stop.weights,
    )

    def scores(features: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(features) == 0:
            return np.empty((0, len(classes)), np.float32)
        probabilities: NDArray[Any] = trees.predict_proba(sample.scaler.scale(features, feature_names))
        return probabilities.astype(np.float32)

    untrained = [data.features[data.fold == UNTRAINED]]
    if others is not None:
        check_finite(others, feature_names)
        untrained.append(others)
    return BoostedFold(
        fold=fold,
        held_out=scores(data.features[data.fold == fold]),
        untrained=scores(np.concatenate(untrained)),
        n_iterations=int(trees.n_iter_),
    )


def combine(
    data: TrainingData, folds: Sequence[BoostedFold]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores of the rows of `data` (out-of-fold, test rows: mean of K) and of the `others` (mean of K).

    Raises:
        DataError: a fold of `data` without its trees.
    """
    by_fold = {boosted.fold: boosted for boosted in folds}
    needed = set(np.unique(data.fold).tolist()) - {UNTRAINED}
    if not needed <= set(by_fold):
        raise DataError(f"folds: expected trees for {sorted(needed)}. Received: {sorted(by_fold)}.")
    stacked = np.stack([boosted.untrained for boosted in folds])
    mean: NDArray[np.float32] = stacked.mean(axis=0, dtype=np.float64).astype(np.float32)
    scores = np.empty((len(data.features), mean.shape[1]), np.float32)
    for fold in needed:
        scores[data.fold == fold] = by_fold[fold].held_out
    test = data.fold == UNTRAINED
    n_test = int(test.sum())
    scores[test] = mean[:n_test]
    return scores, mean[n_test:]
