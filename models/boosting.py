"""The baseline that a network must beat: histogram gradient boosting through the same folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.models.alignment import aligned, class_quantiles, common_quantiles
from znought.models.folds import UNTRAINED
from znought.models.samples import FoldSample, TrainingConfig, TrainingData, prepare_fold
from znought.models.scaling import check_finite

__all__ = ["BoostedFold", "BoostingConfig", "ScoredEvents", "boost_fold", "combine", "grown_scores"]

Scores = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class BoostingConfig:
    """Card section `boosting`; names as in scikit-learn's HistGradientBoostingClassifier."""

    learning_rate: float = 0.1
    """Shrinkage of every tree."""
    max_iter: int = 300
    """Most rounds of boosting; each grows one tree per class."""
    max_leaf_nodes: int = 31
    """Most leaves of a tree."""
    min_samples_leaf: int = 50
    """Fewest events in a leaf."""
    l2_regularization: float = 1.0
    """Penalty on the values of the leaves."""
    patience: int = 10
    """Rounds without a lower loss of the part that stops the training, after which it ends."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "max_iter", "min_samples_leaf", "patience"):
            if not getattr(self, name) > 0:
                raise CardError(
                    f"boosting.{name}: expected a positive number. Received: {getattr(self, name)}."
                )
        if self.max_leaf_nodes < 2:
            raise CardError(f"boosting.max_leaf_nodes: expected at least 2. Received: {self.max_leaf_nodes}.")


@dataclass(frozen=True)
class ScoredEvents:
    """Events to be scored, those of the training among them.

    Attributes:
        features: unscaled inputs, shape (n_events, n_features).
        fold: whose trees score each event in the repeat, −1 for the mean over all K (the published way),
            shape (n_events,).
    """

    features: NDArray[np.float32]
    fold: NDArray[np.integer]


@dataclass(frozen=True)
class BoostedFold:
    """Scores of one fold's trees.

    Attributes:
        fold: the fold that these trees have not seen.
        repeat: of the folds.
        rows: of the events that they have scored.
        scores: of these rows, shape (n_rows, n_classes).
        quantiles: of each class's own output in the part that stopped the boosting, (n_classes, 51).
        n_iterations: boosting rounds kept.
    """

    fold: int
    repeat: int
    rows: NDArray[np.intp]
    scores: NDArray[np.float32]
    quantiles: NDArray[np.float64]
    n_iterations: int


def boost_fold(
    data: TrainingData,
    fold: int,
    boosting: BoostingConfig,
    training: TrainingConfig,
    *,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
    scored: ScoredEvents,
    repeat: int = 0,
) -> BoostedFold:
    """Scores by trees trained on exactly the events, weights and stop part of the fold's network.

    The trees stay in the worker (scikit-learn could only pickle them): what travels are scores.

    Args:
        data: all folds' events.
        fold: the fold that these trees will score.
        boosting, training: card sections.
        classes, feature_names: as for `train_fold`.
        scored: every event that has a score, whatever its part or process.
        repeat: of the folds that `data` and `scored` hold.

    Raises:
        DataError: as `train_fold`.
    """
    check_finite(scored.features, feature_names)
    sample = prepare_fold(
        data, fold, training.of_repeat(repeat), classes=classes, feature_names=feature_names
    )
    scores, n_iterations = _grown(sample, boosting, feature_names, seed=training.of_repeat(repeat).seed)
    stop, rows = sample.stop, np.flatnonzero((scored.fold == fold) | (scored.fold == UNTRAINED))
    return BoostedFold(
        fold=fold,
        repeat=repeat,
        rows=rows,
        scores=scores(sample.scaler.scale(scored.features[rows], feature_names)),
        quantiles=class_quantiles(scores(stop.features), stop.class_index, stop.weights),
        n_iterations=n_iterations,
    )


def grown_scores(
    data: TrainingData,
    fold: int,
    boosting: BoostingConfig,
    training: TrainingConfig,
    *,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
) -> Scores:
    """Trees of one fold of repeat 0, as a function from unscaled inputs to scores.

    Raises:
        DataError: as `train_fold`.
    """
    sample = prepare_fold(data, fold, training, classes=classes, feature_names=feature_names)
    scores, _ = _grown(sample, boosting, feature_names, seed=training.seed)
    return lambda features: scores(sample.scaler.scale(features, feature_names))


def _grown(
    sample: FoldSample, boosting: BoostingConfig, feature_names: tuple[str, ...], *, seed: int
) -> tuple[Scores, int]:
    """Trees as a function from scaled inputs to scores, and their number of rounds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        learning_rate=boosting.learning_rate,
        max_iter=boosting.max_iter,
        max_leaf_nodes=boosting.max_leaf_nodes,
        min_samples_leaf=boosting.min_samples_leaf,
        l2_regularization=boosting.l2_regularization,
        n_iter_no_change=boosting.patience,
        early_stopping=True,
        random_state=seed,
    )
    trees.fit(
        sample.train.features,
        sample.train.class_index,
        sample_weight=sample.train.weights,
        X_val=sample.stop.features,
        y_val=sample.stop.class_index,
        sample_weight_val=sample.stop.weights,
    )

    def scores(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(scaled) == 0:
            return np.empty((0, len(trees.classes_)), np.float32)
        return np.asarray(trees.predict_proba(scaled), np.float32)

    return scores, int(trees.n_iter_)


def combine(folds: Sequence[BoostedFold], training: TrainingConfig, n_events: int) -> NDArray[np.float32]:
    """Mean scores of the trees of each event's own folds, shape (n_events, n_classes).

    Raises:
        DataError: as `scores_by_repeat`.
    """
    return np.asarray(scores_by_repeat(folds, training, n_events).mean(axis=0), np.float32)


def scores_by_repeat(
    folds: Sequence[BoostedFold], training: TrainingConfig, n_events: int
) -> NDArray[np.float64]:
    """Scores of the trees of each event's own fold in each repeat, shape (n_repeats, n_events, n_classes).

    Raises:
        DataError: a fold without its trees, or an event that not every repeat has scored.
    """
    expected = [(repeat, fold) for repeat in range(training.n_repeats) for fold in range(training.n_folds)]
    ordered = sorted(folds, key=lambda boosted: (boosted.repeat, boosted.fold))
    given = [(boosted.repeat, boosted.fold) for boosted in ordered]
    if given != expected:
        raise DataError(f"folds: expected trees for (repeat, fold) {expected}. Received: {given}.")
    target = common_quantiles(np.stack([boosted.quantiles for boosted in ordered]))
    found = np.zeros((training.n_repeats, n_events, ordered[0].scores.shape[1]))
    times = np.zeros((training.n_repeats, n_events), np.int64)
    for boosted in ordered:
        times[boosted.repeat][boosted.rows] += 1
    if not times.all():
        raise DataError("folds: there are events that the trees of a repeat have not scored.")
    for boosted in ordered:
        scores = aligned(boosted.scores, boosted.quantiles, target) if training.align else boosted.scores
        share = times[boosted.repeat][boosted.rows][:, None]
        found[boosted.repeat, boosted.rows] += scores / share
    return found
