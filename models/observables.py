"""Discriminants of an effective coefficient, trees out of fold: classifiers and optimal observables.

A VH event has the weight w(c)/w(0) = 1 + a·c + b·c², with a and b known from the simulation. With
p(x) the share of VH among standard-model events of inputs x, the density at c over that of the standard
model is 1 + p(x)·(E[a|x] c + E[b|x] c²), the means over VH events. The score of the linear term,
p(x)·E[a|x], is the best observable for c → 0 (arXiv:1805.00020); for a finite c it is
p(x)·E[w(c)/w(0) − 1|x].
Both factors are learned apart: E[a|x] from VH events alone, of which simulation has plenty, so that the
few background events shape nothing but p(x).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.models.folds import SEARCHED, UNTRAINED

__all__ = [
    "ObservableData",
    "TreesConfig",
    "classifier_scores",
    "fitted_classifier",
    "linear_scores",
    "out_of_fold",
    "parametrised_scores",
    "ratio_scores",
    "vh_probability",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Predict = Callable[[NDArray[np.floating[Any]]], Floats]


@dataclass(frozen=True)
class TreesConfig:
    """Card section `trees`.

    Attributes:
        max_iter, learning_rate, max_leaf_nodes, min_samples_leaf: as scikit-learn's HistGradientBoosting.
        seed: of the binning's subsample.
    """

    max_iter: int = 100
    learning_rate: float = 0.06
    max_leaf_nodes: int = 15
    min_samples_leaf: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("max_iter", 1), ("max_leaf_nodes", 2), ("min_samples_leaf", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise CardError(f"trees.{name}: expected at least {least}. Received: {getattr(self, name)}.")
        if not 0.0 < self.learning_rate <= 1.0:
            raise CardError(f"trees.learning_rate: expected 0 < rate ≤ 1. Received: {self.learning_rate}.")


@dataclass(frozen=True)
class ObservableData:
    """Events of one channel, VH and backgrounds together.

    Attributes:
        features: inputs, shape (n_events, n_features).
        weight: expected events per row in the standard model, not negative, shape (n_events,).
        is_vh: whether the coefficient changes the event.
        fold: fold of the event; −1 is the test part, which trains nothing, and −2 the part of a search,
            which trains every model.
        own_fold: whose model scores the event, −1 for the mean over all (the published way); `fold` if not
            given, where every event trains.
        scored: inputs of the events that are scored, if they are others than those that train: under
            variations too, each by the model of its own fold, shape (n_scored, n_features). Then `own_fold`
            is of these.
    """

    features: NDArray[np.floating[Any]]
    weight: Floats
    is_vh: Mask
    fold: NDArray[np.integer[Any]]
    own_fold: NDArray[np.integer[Any]] | None = None
    scored: NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        n = len(self.features)
        for name in ("weight", "is_vh", "fold"):
            if getattr(self, name).shape != (n,):
                raise DataError(f"{name}: expected shape ({n},). Received: {getattr(self, name).shape}.")
        if not (np.isfinite(self.features).all() and np.isfinite(self.weight).all()):
            raise DataError("Expected finite inputs and weights to learn observables from.")
        if (self.weight < 0.0).any():
            raise DataError("Expected weights ≥ 0 to learn observables from.")
        if self.scored_by.shape != (len(self.inputs),):
            raise DataError(
                f"own_fold: expected shape ({len(self.inputs)},). Received: {self.scored_by.shape}."
            )
        if not np.isfinite(self.inputs).all():
            raise DataError("Expected finite inputs of the events to be scored.")
        if missing := set(np.unique(self.scored_by).tolist()) - {UNTRAINED, *self.folds}:
            raise DataError(f"No event to learn observables from in folds {sorted(missing)}.")
        for fold in self.folds:
            train = self.trains(fold)
            if not (train & self.is_vh).any():
                raise DataError(f"No VH event to learn observables from outside fold {fold}.")

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds, without test part and search."""
        return tuple(int(fold) for fold in np.unique(self.fold) if fold not in (UNTRAINED, SEARCHED))

    @property
    def scored_by(self) -> NDArray[np.integer[Any]]:
        """Whose model scores each event, shape (n_scored,)."""
        return self.fold if self.own_fold is None else self.own_fold

    @property
    def inputs(self) -> NDArray[np.floating[Any]]:
        """Inputs of the events that are scored, shape (n_scored, n_features)."""
        return self.features if self.scored is None else self.scored

    def trains(self, fold: int) -> Mask:
        """Events that the model of a fold learns from."""
        return np.asarray((self.fold != fold) & (self.fold != UNTRAINED))


def out_of_fold(data: ObservableData, fit: Callable[[Mask], Predict]) -> Floats:
    """Scores of events by the model of their own fold, which has not seen them, shape (n_scored,).

    Args:
        data: the events.
        fit: from the mask of training events to a function of inputs.
    """
    scores, own = np.zeros(len(data.inputs)), data.scored_by
    for fold in data.folds:
        rows = np.flatnonzero((own == fold) | (own == UNTRAINED))
        share = np.where(own[rows] == UNTRAINED, len(data.folds), 1)
        scores[rows] += fit(data.trains(fold))(data.inputs[rows]) / share
    return scores


def classifier_scores(
    data: ObservableData, ratio: Floats, trees: TreesConfig, *, with_backgrounds: bool = True
) -> Floats:
    """Probability of c ≠ 0 against the standard model, with trees and cross-entropy (arXiv:1902.05803).

    VH events stand in both classes, with w(c) and with w(0); backgrounds in the second.

    Args:
        data: events of one channel.
        ratio: w(c)/w(0) of each event (read for VH alone), shape (n_events,).
        trees: the model.
        with_backgrounds: whether backgrounds train; they are scored all the same.
    """
    return out_of_fold(
        data, partial(fitted_classifier, data, ratio, trees, with_backgrounds=with_backgrounds)
    )


def fitted_classifier(
    data: ObservableData, ratio: Floats, trees: TreesConfig, train: Mask, *, with_backgrounds: bool = True
) -> Predict:
    """The classifier of `classifier_scores`, fitted on some of the events.

    Args:
        data, ratio, trees, with_backgrounds: as there.
        train: events to learn from, shape (n_events,).
    """
    columns = _per_event(data, {"ratio": ratio})
    x, y, w = _two_classes(data, columns["ratio"], train, with_backgrounds=with_backgrounds)
    return _classifier(x, y, w, trees)


def parametrised_scores(
    data: ObservableData, ratios: Mapping[float, Floats], trees: TreesConfig, *, at: float
) -> Floats:
    """One classifier with c among its inputs, evaluated at one value.

    Args:
        data: events of one channel, with backgrounds.
        ratios: value of c → w(c)/w(0) of each event.
        trees: the model.
        at: value that all events are scored for.

    Raises:
        CardError: no value to train at, or one to score at outside those that train.
    """
    if not ratios or not min(ratios) <= at <= max(ratios):
        raise CardError(f"Expected a coefficient within the trained {sorted(ratios)}. Received: {at}.")
    _per_event(data, {f"ratio at {c:g}": ratio for c, ratio in ratios.items()})

    def fit(train: Mask) -> Predict:
        inputs, targets, weights = [], [], []
        for c, ratio in ratios.items():
            x, y, w = _two_classes(data, ratio, train, with_backgrounds=True)
            inputs.append(np.column_stack([x, np.full(len(x), c)]))
            targets.append(y)
            weights.append(w)
        model = _classifier(np.concatenate(inputs), np.concatenate(targets), np.concatenate(weights), trees)
        return lambda x: model(np.column_stack([x, np.full(len(x), at)]))

    return out_of_fold(data, fit)


def linear_scores(data: ObservableData, slope: Floats, trees: TreesConfig) -> Floats:
    """Score of the linear term, p(x)·E[a|x] = d ln p(x; c)/dc at c = 0: locally optimal.

    Args:
        data: events of one channel, with backgrounds.
        slope: a of each event (read for VH alone), shape (n_events,).
        trees: both models.
    """
    return vh_probability(data, trees) * _mean_of_vh(data, slope, trees)


def ratio_scores(data: ObservableData, ratio: Floats, trees: TreesConfig) -> Floats:
    """Density ratio minus one, p(x)·E[w(c)/w(0) − 1|x]: optimal for one finite c.

    Args:
        data: events of one channel, with backgrounds.
        ratio: w(c)/w(0) of each event (read for VH alone), shape (n_events,).
        trees: both models.
    """
    return vh_probability(data, trees) * _mean_of_vh(data, np.asarray(ratio) - 1.0, trees)


def vh_probability(data: ObservableData, trees: TreesConfig) -> Floats:
    """Share p(x) of VH among standard-model events of inputs x; one where there is no background."""
    if data.is_vh.all():
        return np.ones(len(data.inputs))

    def fit(train: Mask) -> Predict:
        y, w = data.is_vh[train], data.weight[train]
        model = _classifier(data.features[train], y, w * _balance(y, w), trees)
        odds = w[y].sum() / max(w[~y].sum(), 1e-300)

        def predict(x: NDArray[np.floating[Any]]) -> Floats:
            balanced = np.clip(model(x), 1e-9, 1.0 - 1e-9)
            share = odds * balanced / (1.0 - balanced)
            return np.asarray(share / (1.0 + share))

        return predict

    return out_of_fold(data, fit)


def _mean_of_vh(data: ObservableData, target: Floats, trees: TreesConfig) -> Floats:
    """Regression of a property of VH events on the inputs, out of fold."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    values = _per_event(data, {"target": target})["target"]

    def fit(train: Mask) -> Predict:
        mine = train & data.is_vh
        scale = max(float(np.std(values[mine])), 1e-300)
        model = HistGradientBoostingRegressor(**_settings(trees))
        w = data.weight[mine]
        model.fit(data.features[mine], values[mine] / scale, w / w.mean())
        return lambda x: np.asarray(model.predict(x) * scale)

    return out_of_fold(data, fit)


def _classifier(
    features: NDArray[np.floating[Any]], target: Mask, weight: Floats, trees: TreesConfig
) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(**_settings(trees)).fit(features, target, weight)
    return lambda x: np.asarray(model.predict_proba(x)[:, 1])


def _settings(trees: TreesConfig) -> dict[str, Any]:
    return {
        "max_iter": trees.max_iter,
        "learning_rate": trees.learning_rate,
        "max_leaf_nodes": trees.max_leaf_nodes,
        "min_samples_leaf": trees.min_samples_leaf,
        "early_stopping": False,
        "random_state": trees.seed,
    }


def _two_classes(
    data: ObservableData, ratio: Floats, train: Mask, *, with_backgrounds: bool
) -> tuple[NDArray[Any], Mask, Floats]:
    """Inputs, class and balanced weight of the training rows; VH stands in both classes."""
    vh = np.flatnonzero(train & data.is_vh)
    rest = np.flatnonzero(train & (data.is_vh | with_backgrounds))
    rows = np.concatenate([vh, rest])
    y = np.arange(len(rows)) < len(vh)
    w = np.concatenate([data.weight[vh] * ratio[vh], data.weight[rest]])
    return data.features[rows], y, w * _balance(y, w)


def _balance(y: Mask, w: Floats) -> Floats:
    """Factors that give both classes the same sum of weights, and rows a mean weight of one."""
    return np.asarray(np.where(y, 1.0 / w[y].sum(), 1.0 / w[~y].sum()) * len(w) / 2.0)


def _per_event(data: ObservableData, columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Columns that hold a finite value for every VH event."""
    found = {}
    for name, raw in columns.items():
        values = np.asarray(raw, dtype=np.float64)
        if values.shape != data.weight.shape or not np.isfinite(values[data.is_vh]).all():
            raise DataError(f"Expected a finite {name} for each VH event. Received shape: {values.shape}.")
        found[name] = values
    return found
