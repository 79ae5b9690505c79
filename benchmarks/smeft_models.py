"""Models of talk B for the benchmarks, out of fold: its network with two losses, and the linear models."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from benchmarks.smeft_sample import N_FOLDS, Floats, Sample
from znought.models.network import LossConfig, NetworkConfig
from znought.models.observables import Predict, out_of_fold
from znought.models.training import TrainingConfig, TrainingData, train_fold
from znought.stats.eft.channel import hypothesis

LossKind = Literal["cross_entropy", "asimov"]
TRAINING = TrainingConfig(batch_size=4096, max_epochs=100, patience=15, monitor="loss")


def talk_network(n_features: int, *, kind: LossKind, signal: float, background: float) -> NetworkConfig:
    """The network of arXiv:1902.05803: one hidden layer as wide as the inputs."""
    return NetworkConfig(
        hidden_nodes=(n_features,),
        activation="relu",
        batch_normalisation=False,
        input_noise=0.0,
        hidden_noise=0.0,
        l1=0.003 if kind == "asimov" else 0.0,
        learning_rate=0.01,
        loss=LossConfig(kind=kind, signal_class="bsm", signal_events=signal, background_events=background),
    )


def training_rows(data: Sample, value: float) -> TrainingData:
    """VH alone: every event stands for c̄_HW = value and for the standard model."""
    rows = hypothesis(data.events, (value, 0.0), with_backgrounds=False)
    return TrainingData(
        data.features[rows.row].astype(np.float32),
        rows.is_signal.astype(np.int64),
        rows.weight,
        data.fold[rows.row],
        data.events.identity[rows.row],
    )


def network(data: Sample, value: float, *, kind: LossKind) -> Floats:
    """Output of the talk's network for every event, shape (n_events,)."""
    table = training_rows(data, value)
    signal = float(table.weights[table.class_index == 1].sum())
    width = table.features.shape[1]
    config = talk_network(width, kind=kind, signal=signal, background=float(table.weights.sum() - signal))
    scores = np.zeros(len(data.events))
    for fold in range(N_FOLDS):
        names = tuple(f"x{i}" for i in range(width))
        trained = train_fold(table, fold, config, TRAINING, classes=("sm", "bsm"), feature_names=names)
        session = onnxruntime.InferenceSession(trained.onnx_model)
        held = data.fold == fold
        scaled = trained.scaler.transform(data.features[held].astype(np.float32))
        scores[held] = session.run(None, {session.get_inputs()[0].name: scaled})[0][:, 1]
    return scores


LINEAR_MODELS: Mapping[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=500)),
    "linear support vectors": lambda: make_pipeline(
        StandardScaler(), SGDClassifier(loss="hinge", alpha=1e-4, random_state=1)
    ),
    "linear discriminant": lambda: make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
    "naive Bayes": lambda: make_pipeline(StandardScaler(), GaussianNB()),
    "logistic, squares and products": lambda: make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=500),
    ),
}
"""Scikit-learn's models in the spirit of the talk's comparison; scalers are fitted in the training folds."""


def linear_model(data: Sample, value: float, name: str) -> Floats:
    """Output of a linear model for c̄_HW = value against the standard model, VH alone, out of fold."""
    make, ratio = LINEAR_MODELS[name], data.ratio(value)

    def fit(train: NDArray[np.bool_]) -> Predict:
        mine = np.flatnonzero(train & data.events.is_vh)
        weight = data.events.weight[mine]
        w = np.concatenate([weight * ratio[mine] / (weight * ratio[mine]).sum(), weight / weight.sum()])
        y = np.arange(2 * len(mine)) < len(mine)
        x = data.features[np.concatenate([mine, mine])]
        model = make()
        if isinstance(model[-1], LinearDiscriminantAnalysis):  # takes no weights: draw by them
            drawn = np.random.default_rng(1).choice(len(w), len(w), p=w / w.sum())
            model.fit(x[drawn], y[drawn])
        else:
            model.fit(x, y, **{f"{model.steps[-1][0]}__sample_weight": w / w.mean()})
        if hasattr(model, "decision_function"):
            return lambda new: np.asarray(model.decision_function(new))
        return lambda new: np.asarray(model.predict_proba(new)[:, 1])

    return out_of_fold(data.observable, fit)
