"""What a fold is trained on: validated columns, balanced weights, and the parts of one fold."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.models.folds import SEARCHED, UNTRAINED, is_stop, repeat_salt
from znought.models.scaling import RobustScaler, check_finite

__all__ = [
    "FoldSample",
    "Part",
    "TrainingConfig",
    "TrainingData",
    "balanced_weights",
    "prepare_fold",
    "uncorrelated",
    "validate",
]


@dataclass(frozen=True)
class TrainingConfig:
    """Card section `training`.

    Attributes:
        n_folds, test_fraction, salt: the split by event identity, see `znought.models.folds`.
        n_repeats: repeats of the folds with other salts; an event has the mean score of as many networks.
        scoring: every event by the networks of its "own_fold"; "published" takes the mean of all K networks
            for test part, data and untrained processes, as is often published, for comparison only.
        search_fraction: part of the events that a search is judged on: trained on, in no template, Z or area.
        align: map the outputs of each network on common quantiles of each class in the part that stops it.
        batch_size: events per optimiser step; an incomplete last batch waits for the next epoch's order.
        max_epochs, patience: training ends after `patience` epochs without a better `monitor`.
        stop_fraction: part of the training folds that decides when to stop, by event identity.
        monitor: macro ROC AUC or cross-entropy on that part.
        negative_weights: "absolute" trains with |w|, "drop" leaves such events out. Yields never use it.
        seed: of initial weights, order of events and noise; equal seeds give equal bytes of scores.
        undefined: sentinel of inputs that may be undefined, see `znought.models.scaling`.
        max_input_correlation: inputs that correlate more with an earlier one are left out, decided inside
            each training part; None keeps all.
    """

    n_folds: int = 5
    test_fraction: float = 0.2
    salt: str = "znought"
    n_repeats: int = 3
    scoring: Literal["own_fold", "published"] = "own_fold"
    search_fraction: float = 0.0
    align: bool = False
    batch_size: int = 1024
    max_epochs: int = 100
    patience: int = 10
    stop_fraction: float = 0.1
    monitor: Literal["auc", "loss"] = "auc"
    negative_weights: Literal["absolute", "drop"] = "absolute"
    seed: int = 1
    undefined: dict[str, float] = field(default_factory=dict)
    max_input_correlation: float | None = None

    def __post_init__(self) -> None:
        for name, lowest in (
            ("n_folds", 2),
            ("n_repeats", 1),
            ("batch_size", 1),
            ("max_epochs", 1),
            ("patience", 1),
            ("seed", 0),
        ):
            if getattr(self, name) < lowest:
                raise CardError(
                    f"training.{name}: expected at least {lowest}. Received: {getattr(self, name)}."
                )
        for name in ("test_fraction", "search_fraction"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise CardError(
                    f"training.{name}: expected 0 ≤ fraction < 1. Received: {getattr(self, name)}."
                )
        if not 0.0 < self.stop_fraction < 1.0:
            raise CardError(
                f"training.stop_fraction: expected 0 < fraction < 1. Received: {self.stop_fraction}."
            )
        limit = self.max_input_correlation
        if limit is not None and not 0.0 < limit <= 1.0:
            raise CardError(f"training.max_input_correlation: expected 0 < limit ≤ 1. Received: {limit}.")

    @property
    def n_networks(self) -> int:
        """Networks of all folds and repeats."""
        return self.n_repeats * self.n_folds

    def of_repeat(self, repeat: int) -> "TrainingConfig":
        """The same settings with the folds and random numbers of one repeat; repeat 0 is unchanged.

        Raises:
            CardError: no such repeat.
        """
        if not 0 <= repeat < self.n_repeats:
            raise CardError(f"repeat: expected 0 … {self.n_repeats - 1}. Received: {repeat}.")
        if repeat == 0:
            return self
        seed = int(np.random.SeedSequence((self.seed, repeat)).generate_state(1)[0])
        return replace(self, salt=repeat_salt(self.salt, repeat), seed=seed)


@dataclass(frozen=True)
class TrainingData:
    """Events of the trained classes, one row each.

    Attributes:
        features: unscaled inputs, float32, shape (n_events, n_features).
        class_index: shape (n_events,).
        weights: event weights with their sign, shape (n_events,).
        fold: int8, shape (n_events,); −1 is the test part, which training skips, and −2 the part of a
            search, which every fold trains on.
        identity: uint64, shape (n_events,); equal for the detector responses of one generated event.
        stratum: numbers from 0 of parts that count equally, the classes balanced in each, shape (n_events,);
            None for one part.
    """

    features: NDArray[np.float32]
    class_index: NDArray[np.int64]
    weights: NDArray[np.float64]
    fold: NDArray[np.int8]
    identity: NDArray[np.uint64]
    stratum: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name, column in self._columns().items():
            shape = column.shape[:1] if name == "features" else column.shape
            if shape != self.features.shape[:1]:
                raise DataError(f"{name}: expected shape {self.features.shape[:1]}. Received: {shape}.")

    def without_search(self) -> "TrainingData":
        """The same events, of which those set apart for a search train nothing."""
        fold = np.where(self.fold == SEARCHED, np.int8(UNTRAINED), self.fold)
        return replace(self, fold=fold)

    def fingerprint(self) -> str:
        """sha256 of all columns: the same events in the same order, and nothing else, give it again."""
        digest = hashlib.sha256()
        for name, values in self._columns().items():
            column = np.ascontiguousarray(values)
            digest.update(f"{name} {column.dtype.str} {column.shape}".encode())
            digest.update(column.view(np.uint8).data)
        return digest.hexdigest()

    def _columns(self) -> dict[str, NDArray[Any]]:
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: column for name, column in columns.items() if column is not None}


@dataclass(frozen=True)
class Part:
    """Scaled inputs, classes and balanced weights of a part of the events, row by row."""

    features: NDArray[np.float32]
    class_index: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class FoldSample:
    """One fold's training part, the part that stops it, and the scaler of the former."""

    train: Part
    stop: Part
    scaler: RobustScaler


def validate(
    data: TrainingData, training: TrainingConfig, *, classes: tuple[str, ...], feature_names: tuple[str, ...]
) -> None:
    """Refuse data that cannot be trained on, in one line that names the culprit.

    Raises:
        DataError: NaN or infinity in a feature or weight; a class or fold out of range; one event in
            two folds; a class with fewer events than folds or without a positive sum of weights.
    """
    check_finite(data.features, feature_names)
    if not np.isfinite(data.weights).all():
        raise DataError("weights: expected finite values. Received: NaN or infinity.")
    _check_range("class_index", data.class_index, 0, len(classes) - 1)
    _check_range("fold", data.fold, SEARCHED, training.n_folds - 1)
    order = np.argsort(data.identity, kind="stable")
    identity, fold = data.identity[order], data.fold[order]
    shared = (identity[1:] == identity[:-1]) & (fold[1:] != fold[:-1])
    if shared.any():
        raise DataError(
            f"fold: {int(shared.sum())} events lie in two folds; responses of one event share a fold."
        )
    for index, name in enumerate(classes):
        rows = (data.class_index == index) & (data.fold != UNTRAINED)
        n_events = len(np.unique(data.identity[rows]))
        if n_events < training.n_folds:
            raise DataError(
                f"Class {name!r}: expected at least {training.n_folds} training events, one per fold. "
                f"Received: {n_events}."
            )
        total = float(data.weights[rows].sum())
        if not total > 0.0:
            raise DataError(f"Class {name!r}: expected a positive sum of weights. Received: {total:g}.")


def _check_range(name: str, values: NDArray[np.integer], lowest: int, highest: int) -> None:
    if len(values) == 0:
        raise DataError("features: no events.")
    if values.min() < lowest or values.max() > highest:
        raise DataError(
            f"{name}: expected {lowest} … {highest}. Received: {int(values.min())} … {int(values.max())}."
        )


def balanced_weights(
    weights: NDArray[np.float64], class_index: NDArray[np.integer], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    """Weights scaled so that every class has the same sum and the mean weight is 1.

    Args:
        weights: not negative, shape (n_events,).
        class_index: shape (n_events,).
        classes: names, in the order of `class_index`.

    Raises:
        DataError: a class without positive weight, naming it.

    >>> balanced_weights(np.array([1.0, 3.0, 10.0]), np.array([0, 0, 1]), ("VH", "top")).tolist()
    [0.375, 1.125, 1.5]
    """
    sums = np.bincount(class_index, weights=weights, minlength=len(classes))
    if not (sums > 0.0).all():
        name = classes[int(np.argmin(sums))]
        raise DataError(
            f"Class {name!r}: expected positive weight in every part of the training events. Received: none."
        )
    factors: NDArray[np.float64] = len(weights) / len(classes) / sums
    balanced: NDArray[np.float64] = weights * factors[class_index]
    return balanced


def prepare_fold(
    data: TrainingData,
    fold: int,
    training: TrainingConfig,
    *,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
) -> FoldSample:
    """The parts that the network of `fold` may see: neither the scored fold nor the test part.

    The scaler is learned on the training part alone, with its balanced weights.

    Raises:
        DataError: as `validate`; a constant feature.
        CardError: no such fold.
    """
    if not 0 <= fold < training.n_folds:
        raise CardError(f"fold: expected 0 … {training.n_folds - 1}. Received: {fold}.")
    validate(data, training, classes=classes, feature_names=feature_names)
    train_rows, stopping = _visible_rows(data, fold, training)
    train_weights = _part_weights(data, train_rows, classes)
    features = data.features[train_rows]
    scaler = RobustScaler.fit(features, train_weights, feature_names, training.undefined)
    scaled = scaler.transform(features)
    if training.max_input_correlation is not None:
        kept = uncorrelated(scaled, train_weights, limit=training.max_input_correlation)
        scaler, scaled = scaler.select(tuple(feature_names[column] for column in kept)), scaled[:, kept]
    stop_weights = _part_weights(data, stopping, classes)
    return FoldSample(
        train=_part(data, train_rows, train_weights, scaled),
        stop=_part(data, stopping, stop_weights, scaler.scale(data.features[stopping], feature_names)),
        scaler=scaler,
    )


def _visible_rows(
    data: TrainingData, fold: int, training: TrainingConfig
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of the training part and of the stop part: the only ones that anything is learned from."""
    visible = (data.fold != fold) & (data.fold != UNTRAINED)
    if training.negative_weights == "drop":
        visible &= data.weights >= 0.0
    stops = is_stop(data.identity, fold=fold, fraction=training.stop_fraction, salt=training.salt)
    return np.flatnonzero(visible & ~stops), np.flatnonzero(visible & stops)


def uncorrelated(features: NDArray[np.float32], weights: NDArray[np.float64], *, limit: float) -> list[int]:
    """Columns left after pruning: each that correlates with no earlier kept one beyond `limit`.

    Args:
        features: shape (n_events, n_features).
        weights: not negative, shape (n_events,).
        limit: largest |linear correlation| allowed.

    >>> x = np.arange(4, dtype=np.float32)
    >>> uncorrelated(np.stack([x, 2 * x, x % 2], axis=1), np.ones(4), limit=0.9)
    [0, 2]
    """
    covariance = np.cov(features, rowvar=False, aweights=weights)
    spread = np.sqrt(np.diag(covariance))
    correlation = np.abs(covariance / np.outer(spread, spread))
    kept: list[int] = []
    for column in range(features.shape[1]):
        if all(correlation[column, other] <= limit for other in kept):
            kept.append(column)
    return kept


def _part_weights(
    data: TrainingData, rows: NDArray[np.intp], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    class_index, weights = data.class_index[rows], np.abs(data.weights[rows])
    if data.stratum is None:
        return balanced_weights(weights, class_index, classes)
    parts = range(int(data.stratum.max()) + 1)
    names = tuple(f"{name}, stratum {part}" for part in parts for name in classes)
    return balanced_weights(weights, data.stratum[rows] * len(classes) + class_index, names)


def _part(
    data: TrainingData, rows: NDArray[np.intp], weights: NDArray[np.float64], scaled: NDArray[np.float32]
) -> Part:
    return Part(scaled, data.class_index[rows].astype(np.int32), weights.astype(np.float32))
