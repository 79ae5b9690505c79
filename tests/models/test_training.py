import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingConfig, TrainingData, prepare_fold
from znought.models.training import TrainedFold, train_fold

pytestmark = tensorflow_warnings

DATA = make_data()


def _train(
    data: TrainingData = DATA,
    training: TrainingConfig = TRAINING,
    *,
    network: NetworkConfig = NETWORK,
    fold: int = 0,
    checkpoint: Path | None = None,
) -> TrainedFold:
    return train_fold(
        data, fold, network, training, classes=CLASSES, feature_names=FEATURES, checkpoint=checkpoint
    )


def _scores(trained: TrainedFold, features: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(trained.onnx_model, providers=["CPUExecutionProvider"])
    scaled = trained.scaler.transform(features)
    scores: np.ndarray = session.run(None, {session.get_inputs()[0].name: scaled})[0]
    return scores


@pytest.fixture(scope="module")
def trained() -> TrainedFold:
    return _train()


def test_it_learns(trained: TrainedFold) -> None:
    assert trained.history["loss"][-1] < trained.history["loss"][0]
    assert trained.history["stop_auc"][trained.best_epoch] == max(trained.history["stop_auc"])
    assert max(trained.history["stop_auc"]) > 0.7


def test_keras_and_onnx_give_the_same_scores(trained: TrainedFold, tmp_path: Path) -> None:
    import keras

    path = tmp_path / "model.keras"
    path.write_bytes(trained.keras_model)
    model = keras.saving.load_model(path, safe_mode=True)
    expected = np.asarray(model(trained.scaler.transform(DATA.features)))
    np.testing.assert_allclose(_scores(trained, DATA.features), expected, atol=1e-6)


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(trained: TrainedFold) -> None:
    again = _train()
    assert again.sha256 == trained.sha256
    assert _scores(again, DATA.features).tobytes() == _scores(trained, DATA.features).tobytes()
    assert _train(training=replace(TRAINING, seed=4, max_epochs=1)).sha256 != trained.sha256


class _KilledError(Exception):
    """Stands for a worker that dies."""


def test_a_worker_killed_in_mid_fold_changes_nothing(trained: TrainedFold, tmp_path: Path) -> None:
    checkpoint = tmp_path / "deep" / "fold_0.npz"
    seen: list[int] = []

    def die(fold: int, epoch: int, metrics: Mapping[str, float]) -> None:
        seen.append(epoch)
        if epoch == 1:
            raise _KilledError

    with pytest.raises(_KilledError):
        train_fold(
            DATA,
            0,
            NETWORK,
            TRAINING,
            classes=CLASSES,
            feature_names=FEATURES,
            checkpoint=checkpoint,
            on_epoch=die,
        )
    resumed = _train(checkpoint=checkpoint)
    assert seen == [0, 1]
    assert resumed.sha256 == trained.sha256
    assert resumed.history["stop_loss"] == trained.history["stop_loss"]
    assert _scores(resumed, DATA.features).tobytes() == _scores(trained, DATA.features).tobytes()
    # A finished training is not repeated, and one of other data not resumed.
    assert _train(checkpoint=checkpoint).history == resumed.history
    other = _train(make_data(seed=1), replace(TRAINING, max_epochs=1), checkpoint=checkpoint)
    assert len(other.history["loss"]) == 1
    assert not list(checkpoint.parent.glob("*.tmp"))


def test_training_ends_when_patience_does() -> None:
    noise = np.random.default_rng(5).integers(0, 3, len(DATA.class_index))
    result = _train(replace(DATA, class_index=noise), replace(TRAINING, max_epochs=60, patience=2))
    n_epochs = len(result.history["loss"])
    assert n_epochs < 60
    assert n_epochs == result.best_epoch + 3


def test_every_part_of_the_network_is_configurable() -> None:
    network = NetworkConfig(
        hidden_nodes=(6,),
        activation="relu",
        batch_normalisation=False,
        input_noise=0.0,
        hidden_noise=0.0,
        dropout=0.2,
        l1=1e-4,
        optimiser="nadam",
        learning_rate=0.01,
        learning_rate_decay=0.5,
    )
    result = _train(training=replace(TRAINING, max_epochs=2, monitor="loss"), network=network)
    assert result.history["learning_rate"] == (0.01, 0.005)
    assert np.isfinite(result.history["loss"]).all()


def test_the_keras_file_is_a_plain_archive(trained: TrainedFold) -> None:
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(trained.keras_model)).namelist()
    assert "config.json" in names
    assert hashlib.sha256(trained.onnx_model).hexdigest()


def _noise_of(layer: Any, width: int) -> np.ndarray:
    """What a layer makes of 1000 × `width` ones in training."""
    import keras
    import tensorflow as tf

    from znought.models.loop import _noisy_logits, n_deviates, random_widths

    model = keras.Sequential([keras.layers.Input((width,)), layer, keras.layers.Activation("softmax")])
    assert random_widths(model) == (width,)
    deviates = np.random.default_rng(1).standard_normal(n_deviates((width,), 1000), dtype=np.float32)

    def draw(place: Any, table: Any) -> Any:
        return _noisy_logits(model, tf.ones((1000, width)), place, table)

    drawn: np.ndarray = tf.function(draw, jit_compile=True)(
        tf.constant([12345]), tf.constant(deviates)
    ).numpy()
    return drawn


def test_noise_follows_its_law() -> None:
    import keras

    noise = (_noise_of(keras.layers.GaussianNoise(0.05), 200) - 1.0) / 0.05
    assert noise.mean() == pytest.approx(0.0, abs=0.01)
    assert noise.std() == pytest.approx(1.0, abs=0.01)
    assert np.mean(noise**4) == pytest.approx(3.0, abs=0.1)
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1
    kept = _noise_of(keras.layers.Dropout(0.2), 200)
    assert np.mean(kept == 0.0) == pytest.approx(0.2, abs=0.005)
    assert np.unique(kept).tolist() == [0.0, 1.25]


def test_every_step_and_every_call_draws_noise_anew() -> None:
    from znought.models.training import _Fitter

    sample = prepare_fold(DATA, 0, TRAINING, classes=CLASSES, feature_names=FEATURES)
    fitter = _Fitter(sample, 0, NETWORK, TRAINING, CLASSES)
    calls: list[tuple[np.ndarray, ...]] = []

    def record(*arguments: np.ndarray) -> float:
        calls.append(arguments)
        return 0.0

    for epoch in range(2):
        fitter._train(np.random.default_rng(epoch), record)
    (_, _, _, places, deviates, _), (_, _, _, _, others, _) = calls
    taken = TRAINING.batch_size * np.array([len(FEATURES), *NETWORK.hidden_nodes])
    assert (places >= 0).all()
    assert (places + taken <= len(deviates)).all()
    assert len(np.unique(places)) > 0.99 * places.size
    assert abs(np.corrcoef(deviates, others)[0, 1]) < 0.02


def test_the_steps_are_compiled_once_whatever_the_noise(tmp_path: Path) -> None:
    """XLA writes down every program that it compiles: one for the steps, in two epochs of two calls."""
    code = (
        "from tests.models.test_training import *\n"
        "from tests.models.test_training import _train\n"
        "from znought.models import loop\n"
        "loop.STEPS_PER_CALL = 12\n"
        "_train(training=replace(TRAINING, max_epochs=2))"
    )
    environment = os.environ | {"XLA_FLAGS": f"--xla_dump_to={tmp_path}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, env=environment, capture_output=True
    )
    programs = [path.name for path in tmp_path.glob("*before_optimizations.txt")]
    assert sum("steps" in name for name in programs) == 1, programs
