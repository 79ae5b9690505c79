"""K-fold networks from an own table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.identity import event_identity
from znought.models import artefacts
from znought.models.areas import Estimate, auc_estimates
from znought.models.evaluation import roc_curve
from znought.models.folds import own_folds
from znought.models.network import NetworkConfig
from znought.models.scoring import scores_of
from znought.models.training import TrainedFold, TrainingConfig, TrainingData, train_fold
from znought.plots.report import ReportTable
from znought.plots.style import FigureLabel
from znought.plots.training import roc_curves

__all__ = ["FoldNetworks", "train_folds"]

Table = Any
"""A pandas DataFrame, or a mapping of names to arrays."""
IDENTITY = ("run", "luminosityBlock", "event")
WHETHER = ("background", "signal")


@dataclass(frozen=True, repr=False)
class FoldNetworks:
    """Networks of all folds, and the scores of every event by those that have not seen it.

    Attributes:
        networks: by repeat and fold.
        inputs, classes: names, in the networks' order.
        network, training: settings.
        data: what was trained on, with the folds of repeat 0.
        scores: out of fold, shape (n_events, n_classes).
    """

    networks: tuple[TrainedFold, ...]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    network: NetworkConfig
    training: TrainingConfig
    data: TrainingData
    scores: NDArray[np.float32]

    @cached_property
    def auc(self) -> dict[str, Estimate]:
        """Area under the ROC curve of each class against the rest and their mean, `macro`, out of fold."""
        data = self.data
        return auc_estimates(self.scores, data.class_index, data.weights, data.identity, classes=self.classes)

    def score(self, table: Table) -> NDArray[np.float32]:
        """Scores of other events by the networks of their own folds, shape (n_events, n_classes).

        Raises:
            DataError: an input is missing.
        """
        features = _matrix(table, self.inputs)
        return _scores(self.networks, features, _folds(table, self.training), self.inputs)

    def save(self, directory: Path | str) -> None:
        """Writes the networks as `znought train` does: .keras, .onnx, scalers and a manifest."""
        artefacts.save(
            Path(directory),
            self.networks,
            network=self.network,
            training=self.training,
            classes=self.classes,
            feature_names=self.inputs,
        )

    @property
    def table(self) -> ReportTable:
        """A row per class."""
        rows = []
        for name, area in self.auc.items():
            number = (
                "" if name == "macro" else f"{(self.data.class_index == self.classes.index(name)).sum():,}"
            )
            rows.append((name, number, f"{area.value:.4f} [{area.lower:.4f}, {area.upper:.4f}]"))
        kind = f"{self.training.n_folds} folds, {len(self.inputs)} inputs"
        caption = "One class against the rest, every event by networks that have not seen it."
        return ReportTable(f"Networks: {kind}", ("class", "events", "AUC"), tuple(rows), caption)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def plot(self, *, label: FigureLabel | None = None) -> Figure:
        """ROC curves, out of fold.

        Args:
            label: what stands above the frame; "Simulation" unless given.
        """
        curves = {}
        for i, name in enumerate(self.classes):
            curve = roc_curve(self.scores[:, i], self.data.class_index == i, self.data.weights)
            curves[name] = (curve.background_efficiency, curve.signal_efficiency, curve.auc)
        macro = self.auc["macro"].value
        return roc_curves(curves, label=label or FigureLabel(), macro=macro)


def train_folds(
    table: Table,
    *,
    inputs: Sequence[str],
    label: str,
    weight: str | None = None,
    network: NetworkConfig | None = None,
    training: TrainingConfig | None = None,
) -> FoldNetworks:
    """Networks of all folds, trained here on an own table, and out-of-fold scores.

    The fold of an event follows from `run`, `luminosityBlock` and `event` where the table has them;
    otherwise from its row, and every row is an event of its own.

    Args:
        table: a pandas DataFrame, or a mapping of names to arrays.
        inputs: columns that the network sees.
        label: column of the class: names, or True for signal and False for background.
        weight: column of event weights; None gives every event 1.
        network: settings of the network; the default one unless given.
        training: settings of the training; five folds of all events unless given.

    Raises:
        DataError: a column is missing, or holds what cannot be trained on.

    >>> rng = np.random.default_rng(1)
    >>> table = {"x": rng.normal(size=2000), "is_signal": rng.uniform(size=2000) < 0.5}
    >>> table["x"] += table["is_signal"]
    >>> small = TrainingConfig(n_folds=2, n_repeats=1, test_fraction=0.0, max_epochs=2)
    >>> found = train_folds(table, inputs=["x"], label="is_signal", training=small)
    >>> found.scores.shape, bool(found.auc["macro"].value > 0.7)
    ((2000, 2), True)
    """
    settings = training or TrainingConfig(n_folds=5, n_repeats=1, test_fraction=0.0)
    config, names = network or NetworkConfig(), tuple(inputs)
    classes, class_index = _classes(_column(table, label), label)
    folds = _folds(table, settings)
    weights = np.ones(len(class_index)) if weight is None else np.asarray(_column(table, weight), np.float64)
    features, identity = _matrix(table, names), event_identity(*_identity(table), salt="event")
    networks = []
    for repeat in range(settings.n_repeats):
        data = TrainingData(features, class_index, weights, folds[:, repeat], identity)
        networks += [
            train_fold(data, k, config, settings, classes=classes, feature_names=names, repeat=repeat)
            for k in range(settings.n_folds)
        ]
    whole = TrainingData(features, class_index, weights, folds[:, 0], identity)
    scores = _scores(networks, features, folds, names)
    return FoldNetworks(tuple(networks), names, classes, config, settings, whole, scores)


def _column(table: Table, name: str) -> NDArray[Any]:
    if name not in table:
        raise DataError(unknown_name("column", name, list(table)))
    return np.asarray(table[name])


def _matrix(table: Table, names: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([_column(table, name).astype(np.float32) for name in names], axis=1)


def _identity(table: Table) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Run, block and event of every row; its number where the table has none of them."""
    there = [name for name in IDENTITY if name in table]
    if there and len(there) < len(IDENTITY):
        lacking = next(name for name in IDENTITY if name not in table)
        raise DataError(f"table: it has {', '.join(there)}, but no {lacking}: an event needs all three.")
    if there:
        run, block, event = (_column(table, name) for name in IDENTITY)
        return run, block, event
    rows = np.arange(len(np.asarray(table[next(iter(table))])))
    return np.ones_like(rows), np.zeros_like(rows), rows


def _folds(table: Table, training: TrainingConfig) -> NDArray[np.int8]:
    """Fold of every row in every repeat, shape (n_events, n_repeats)."""
    n_folds, n_repeats = training.n_folds, training.n_repeats
    return own_folds(*_identity(table), n_folds=n_folds, n_repeats=n_repeats, salt=training.salt)


def _classes(values: NDArray[Any], label: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of the classes and the index of each row's."""
    found, index = np.unique(values, return_inverse=True)
    if len(found) < 2:
        raise DataError(
            f"label: expected two classes or more in column {label!r}. Received: {found.tolist()}."
        )
    is_whether = values.dtype.kind in "bui" and set(found.tolist()) <= {0, 1}
    return WHETHER if is_whether else tuple(map(str, found)), index.astype(np.int64)


def _scores(
    networks: Sequence[TrainedFold],
    features: NDArray[np.float32],
    folds: NDArray[np.int8],
    inputs: tuple[str, ...],
) -> NDArray[np.float32]:
    """Mean over repeats of the network whose fold the event is."""
    total = np.zeros((len(features), len(networks[0].quantiles)))
    for one in networks:
        rows = folds[:, one.repeat] == one.fold
        total[rows] += scores_of(one, features[rows], inputs) / folds.shape[1]
    return total.astype(np.float32)
