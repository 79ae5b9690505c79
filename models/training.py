"""Training of one fold's network: one task, one thread, resumable after every epoch."""

import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.models import backend
from znought.models import checkpoint as checkpoints
from znought.models.alignment import class_quantiles
from znought.models.checkpoint import State
from znought.models.evaluation import macro_auc
from znought.models.network import NetworkConfig, build_network, build_optimiser, fold_normalisation
from znought.models.objective import Objective, objectives
from znought.models.samples import FoldSample, TrainingConfig, TrainingData, prepare_fold
from znought.models.scaling import RobustScaler

__all__ = ["DivergedError", "OnEpoch", "TrainedFold", "TrainingConfig", "TrainingData", "train_fold"]

OnEpoch = Callable[[int, int, Mapping[str, float]], None]
"""(fold, epoch, metrics of this epoch): called after every epoch, for progress displays."""


class DivergedError(DataError):
    """The loss has stopped being finite: this network with these settings, not the data, is to blame."""


@dataclass(frozen=True)
class TrainedFold:
    """The network of one fold, ready to travel.

    Attributes:
        fold: the fold that this network has not seen.
        repeat: of the folds.
        keras_model: content of a `.keras` file.
        onnx_model: the same scores as ONNX, batch normalisation folded into the dense layers.
        scaler: learned on this fold's training part.
        history: per metric, one value per epoch: `loss`, `stop_loss`, `stop_auc`, `learning_rate`, `seconds`.
        best_epoch: counted from 0; its weights are kept.
        sha256: of weights and scaler: equal for equal trainings.
        data_sha256: fingerprint of the training data.
        quantiles: of each class's own output in the part that stopped the training, (n_classes, 51).
    """

    fold: int
    keras_model: bytes
    onnx_model: bytes
    scaler: RobustScaler
    history: dict[str, tuple[float, ...]]
    best_epoch: int
    sha256: str
    data_sha256: str
    quantiles: tuple[tuple[float, ...], ...]
    repeat: int = 0


def train_fold(
    data: TrainingData,
    fold: int,
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
    repeat: int = 0,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainedFold:
    """Network trained on every fold but `fold`, weights of its best epoch.

    The end is decided on a part of the *training* folds chosen by event identity; neither the scored
    fold nor the test part has any influence. A training resumed from `checkpoint` gives the same bytes
    of scores as an uninterrupted one.

    Args:
        data: all folds' events; those of `fold` and of the test part are not looked at.
        fold: the fold that this network will score.
        network, training: card sections.
        classes, feature_names: names, in the order of `class_index` and of the columns.
        repeat: of the folds that `data` holds.
        checkpoint: file to resume from and to write after every epoch.
        on_epoch: called with (fold, epoch, metrics) after every epoch.

    Raises:
        DataError: see `znought.models.samples.validate`.
        DivergedError: a loss that is not finite.
    """
    training = training.of_repeat(repeat)
    sample = prepare_fold(data, fold, training, classes=classes, feature_names=feature_names)
    data_sha256 = data.fingerprint()
    backend.start()
    fitter = _Fitter(sample, fold, network, training, classes)
    fingerprint = _fingerprint(data_sha256, fold, network, training, (classes, feature_names))
    saved = checkpoints.load(checkpoint, fingerprint) if checkpoint else None
    state = fitter.restore(saved or fitter.fresh)
    while not _finished(state, training):
        state = fitter.run_epoch(state)
        if checkpoint:
            checkpoints.save(checkpoint, state, fingerprint)
        if on_epoch:
            epoch = state.n_epochs - 1
            on_epoch(fold, epoch, {name: values[-1] for name, values in state.history.items()})
    return _trained(fitter, state, fold=fold, repeat=repeat, data_sha256=data_sha256)


def _finished(state: State, training: TrainingConfig) -> bool:
    stale = state.n_epochs - 1 - state.best_epoch
    return state.n_epochs >= training.max_epochs or (state.n_epochs > 0 and stale >= training.patience)


@dataclass(frozen=True)
class _Engine:
    """Model, optimiser and their compiled loop; the values of their variables belong to a `_Fitter`."""

    model: Any
    optimiser: Any
    random_widths: tuple[int, ...]
    objectives: tuple[Objective, Objective]
    train_steps: tuple[Callable[..., Any], Callable[..., Any]]
    scores: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    fresh_optimiser: tuple[NDArray[np.float32], ...]


@lru_cache(maxsize=1)
def _engine(network: NetworkConfig, n_features: int, classes: tuple[str, ...]) -> _Engine:
    """The engine of a network, compiled once for all folds that a worker trains one after another."""
    from znought.models import loop

    pretraining, main = objectives(network.loss, classes)
    model = build_network(network, n_features=n_features, n_classes=len(classes), seed=0)
    optimiser = build_optimiser(network)
    optimiser.build(model.trainable_variables)
    return _Engine(
        model=model,
        optimiser=optimiser,
        random_widths=loop.random_widths(model),
        objectives=(pretraining, main),
        train_steps=(
            loop.compile_steps(model, optimiser, pretraining.of_batch),
            loop.compile_steps(model, optimiser, main.of_batch),
        ),
        scores=loop.compile_scores(model),
        fresh_optimiser=tuple(np.asarray(variable) for variable in optimiser.variables),
    )


class _Fitter:
    """One fold's training, advanced epoch by epoch from one `State` to the next."""

    def __init__(
        self,
        sample: FoldSample,
        fold: int,
        network: NetworkConfig,
        training: TrainingConfig,
        classes: tuple[str, ...],
    ) -> None:
        self.sample, self.training, self.network = sample, training, network
        self.seed = (training.seed, fold)
        n_features = sample.train.features.shape[1]
        self.engine = _engine(network, n_features, classes)
        seed = int(np.random.SeedSequence(self.seed).generate_state(1)[0])
        start = build_network(network, n_features=n_features, n_classes=len(classes), seed=seed)
        self.n_pretraining = network.loss.pretraining_epochs if network.loss.kind == "asimov" else 0
        self.batch = min(training.batch_size, len(sample.train.features))
        self.n_steps = len(sample.train.features) // self.batch
        self.fresh = State(tuple(start.get_weights()), self.engine.fresh_optimiser, (), -1, {})

    def restore(self, state: State) -> State:
        self.engine.model.set_weights(state.weights)
        self._restore_optimiser(state.optimiser)
        return state

    def _restore_optimiser(self, values: tuple[NDArray[np.float32], ...]) -> None:
        for variable, value in zip(self.engine.optimiser.variables, values, strict=True):
            variable.assign(value)

    def run_epoch(self, state: State) -> State:
        """The state one epoch later; order of events and noise depend on seed, fold and epoch only.

        The optimiser starts anew behind the pretraining: −s²/(s+b) and 1/Z_A² differ by five orders of
        magnitude, and with the squared gradients of the first in its memory it would stand still.
        """
        epoch, begin = state.n_epochs, time.perf_counter()
        if 0 < epoch == self.n_pretraining:
            self._restore_optimiser(self.engine.fresh_optimiser)
        learning_rate = self.network.learning_rate * self.network.learning_rate_decay**epoch
        self.engine.optimiser.learning_rate.assign(learning_rate)
        phase = int(epoch >= self.n_pretraining)
        loss = self._train(np.random.default_rng((*self.seed, epoch)), self.engine.train_steps[phase])
        stop = self.sample.stop
        scores = self.engine.scores(stop.features)
        stop_loss = self.engine.objectives[phase].of_part(scores, stop)
        if not np.isfinite(loss) or not np.isfinite(stop_loss):
            raise DivergedError(
                f"Fold {self.seed[1]}: the loss is not finite in epoch {epoch}; lower the learning rate."
            )
        metrics = {
            "loss": loss,
            "stop_loss": stop_loss,
            "stop_auc": macro_auc(scores, stop.class_index, stop.weights),
            "learning_rate": learning_rate,
            "seconds": time.perf_counter() - begin,
        }
        return self._next(state, {name: [*state.history.get(name, ()), metrics[name]] for name in metrics})

    def _next(self, state: State, history: dict[str, list[float]]) -> State:
        weights = tuple(self.engine.model.get_weights())
        optimiser = tuple(np.asarray(variable) for variable in self.engine.optimiser.variables)
        sign = {"auc": 1.0, "loss": -1.0}[self.training.monitor]
        merit = [sign * value for value in history[f"stop_{self.training.monitor}"]]
        if state.best_epoch < self.n_pretraining or merit[-1] > merit[state.best_epoch]:
            return State(weights, optimiser, weights, len(merit) - 1, history)
        return State(weights, optimiser, state.best_weights, state.best_epoch, history)

    def _train(self, random: np.random.Generator, train_steps: Callable[..., Any]) -> float:
        """One pass over the training part in random order; mean loss per step."""
        from znought.models.loop import STEPS_PER_CALL, n_deviates

        order = random.permutation(len(self.sample.train.features))
        capacity = STEPS_PER_CALL
        taken = self.batch * np.array(self.engine.random_widths or (0,))
        length = n_deviates(self.engine.random_widths, self.batch)
        total = 0.0
        for first in range(0, self.n_steps, capacity):
            steps = min(capacity, self.n_steps - first)
            rows = order[first * self.batch : (first + steps) * self.batch]
            # Every call has the same shapes, or XLA would compile again.
            rows = np.resize(rows, capacity * self.batch)
            places = random.integers(0, length - taken, (capacity, len(taken)), dtype=np.int32)
            train, shape = self.sample.train, (capacity, self.batch)
            total += float(
                train_steps(
                    train.features[rows].reshape(*shape, -1),
                    train.class_index[rows].reshape(shape),
                    train.weights[rows].reshape(shape),
                    places,
                    random.standard_normal(length, dtype=np.float32),
                    np.int32(steps),
                )
            )
        return total / self.n_steps


def _fingerprint(
    data_sha256: str,
    fold: int,
    network: NetworkConfig,
    training: TrainingConfig,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> str:
    """What a checkpoint belongs to; a longer training continues a shorter one."""
    sections = {"network": asdict(network), "training": asdict(training)}
    del sections["training"]["max_epochs"]
    text = json.dumps([data_sha256, fold, sections, names], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _trained(fitter: _Fitter, state: State, *, fold: int, repeat: int, data_sha256: str) -> TrainedFold:
    model, scaler, stop = fitter.engine.model, fitter.sample.scaler, fitter.sample.stop
    model.set_weights(state.best_weights)
    quantiles = class_quantiles(fitter.engine.scores(stop.features), stop.class_index, stop.weights)
    digest = hashlib.sha256(json.dumps(scaler.to_json(), sort_keys=True).encode())
    for array in state.best_weights:
        digest.update(array.tobytes())
    keras_model, onnx_model = _saved(model)
    return TrainedFold(
        fold=fold,
        repeat=repeat,
        keras_model=keras_model,
        onnx_model=onnx_model,
        scaler=scaler,
        history={name: tuple(values) for name, values in state.history.items()},
        best_epoch=state.best_epoch,
        sha256=digest.hexdigest(),
        data_sha256=data_sha256,
        quantiles=tuple(tuple(row) for row in quantiles.tolist()),
    )


def _saved(model: Any) -> tuple[bytes, bytes]:
    """The model as `.keras` and as ONNX."""
    with tempfile.TemporaryDirectory() as directory:
        keras_file, onnx_file = Path(directory, "model.keras"), Path(directory, "model.onnx")
        model.save(keras_file)
        with warnings.catch_warnings():
            # tf2onnx asks NumPy for `np.object`.
            warnings.simplefilter("ignore", FutureWarning)
            fold_normalisation(model).export(str(onnx_file), format="onnx", verbose=False)
        return keras_file.read_bytes(), onnx_file.read_bytes()
