from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.errors import CardError
from znought.models.losses import AsimovLoss, SignificanceLoss, asimov_z_squared
from znought.models.network import LossConfig
from znought.models.training import train_fold

pytestmark = tensorflow_warnings

RANDOM = np.random.default_rng(0)
TARGET = RANDOM.integers(0, 2, 64).astype(np.float32)
SCORE = RANDOM.random(64).astype(np.float32)
WEIGHTS = RANDOM.random(64).astype(np.float32)


def _yields(signal_events: float, background_events: float) -> tuple[float, float]:
    signal = np.sum(WEIGHTS * TARGET * SCORE, dtype=float) / np.sum(WEIGHTS * TARGET, dtype=float)
    rest = 1.0 - TARGET
    background = np.sum(WEIGHTS * rest * SCORE, dtype=float) / np.sum(WEIGHTS * rest, dtype=float)
    return signal_events * signal, background_events * background


@pytest.mark.parametrize(
    ("signal", "background", "sigma", "expected"),
    [
        (10.0, 100.0, 10.0, 0.690196),
        (20.0, 1000.0, 100.0, 0.189492),
        (175.84, 162.4, 81.2, 1.654742),
        (364.24, 162.4, 81.2, 2.895035),
        (1120.0, 162.4, 81.2, 6.169097),
        (949.36, 71.2, 35.6, 9.093134),
    ],
)
def test_the_reference_values(signal: float, background: float, sigma: float, expected: float) -> None:
    squared = asimov_z_squared(*(tf.constant(value, tf.float64) for value in (signal, background, sigma)))
    assert float(squared) ** 0.5 == pytest.approx(expected, abs=1e-6)


def test_little_signal_keeps_its_digits() -> None:
    squared = asimov_z_squared(*(tf.constant(value, tf.float64) for value in (1e-6, 1000.0, 100.0)))
    assert float(squared) == pytest.approx(1e-12 / (1000.0 + 100.0**2), rel=1e-6)


def test_losses_are_those_of_the_weighted_yields() -> None:
    signal, background = _yields(30.0, 200.0)
    loss = SignificanceLoss(signal_events=30.0, background_events=200.0)
    assert float(loss(TARGET[:, None], SCORE[:, None], WEIGHTS)) == pytest.approx(
        -(signal**2) / (signal + background), rel=1e-5
    )
    asimov = AsimovLoss(signal_events=30.0, background_events=200.0, relative_uncertainty=0.5)
    squared = asimov_z_squared(
        *(tf.constant(value, tf.float64) for value in (signal, background, 0.5 * background))
    )
    assert float(asimov(TARGET, SCORE, WEIGHTS)) == pytest.approx(1.0 / float(squared), rel=1e-5)


def test_the_signal_column_of_a_softmax_counts() -> None:
    one_hot = np.stack([1.0 - TARGET, TARGET], axis=1)
    scores = np.stack([1.0 - SCORE, SCORE], axis=1)
    binary = AsimovLoss(signal_events=30.0, background_events=200.0)
    column = AsimovLoss(signal_events=30.0, background_events=200.0, signal_index=1)
    assert float(column(one_hot, scores, WEIGHTS)) == pytest.approx(float(binary(TARGET, SCORE, WEIGHTS)))


@pytest.mark.parametrize("score", [0.0, 1e-30, 1e-12, 1.0])
def test_loss_and_gradient_are_finite_near_zero_yields(score: float) -> None:
    for loss in (
        AsimovLoss(signal_events=5.0, background_events=5.0),
        SignificanceLoss(signal_events=5.0, background_events=5.0),
    ):
        scores = tf.Variable(np.full(64, score, np.float32))
        with tf.GradientTape() as tape:
            value = loss(TARGET, scores, WEIGHTS)
        assert np.isfinite(float(value))
        assert np.isfinite(tape.gradient(value, scores).numpy()).all()


def test_a_batch_without_signal_is_finite() -> None:
    for loss in (
        AsimovLoss(signal_events=5.0, background_events=5.0),
        SignificanceLoss(signal_events=5.0, background_events=5.0),
    ):
        assert np.isfinite(float(loss(np.zeros(64, np.float32), SCORE, WEIGHTS)))


def test_a_compiled_model_survives_safe_mode(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    loss = AsimovLoss(
        signal_events=30.0, background_events=200.0, relative_uncertainty=0.3, minimum_background=2.0
    )
    model.compile("adam", loss)
    features = RANDOM.normal(size=(64, 3)).astype(np.float32)
    model.fit(features, TARGET, sample_weight=WEIGHTS, batch_size=64, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.loss.get_config() == loss.get_config()
    scores = np.asarray(model(features))
    assert float(loaded.loss(TARGET, scores, WEIGHTS)) == float(loss(TARGET, scores, WEIGHTS))


def test_pretraining_comes_first_and_training_goes_on_behind_it() -> None:
    """With many events −s²/(s+b) is 10⁷ times 1/Z_A²: an optimiser that remembers it would stand still."""
    loss = LossConfig(
        "asimov", pretraining_epochs=2, signal_class="VH", signal_events=5e3, background_events=3e4
    )
    result = train_fold(
        make_data(),
        1,
        replace(NETWORK, loss=loss),
        replace(TRAINING, monitor="loss", batch_size=64, max_epochs=8, patience=8),
        classes=CLASSES,
        feature_names=FEATURES,
    )
    stop_loss = result.history["stop_loss"]
    assert all(value < 0.0 for value in stop_loss[:2])
    assert all(value > 0.0 for value in stop_loss[2:])
    assert result.best_epoch >= 2
    assert stop_loss[-1] < 0.8 * stop_loss[2]


def test_nonsense_is_refused() -> None:
    with pytest.raises(CardError, match="expected positive yields"):
        SignificanceLoss(signal_events=0.0, background_events=1.0)
    with pytest.raises(CardError, match="positive uncertainty"):
        AsimovLoss(signal_events=1.0, background_events=1.0, minimum_background=0.0)
    with pytest.raises(CardError, match=r"network\.loss\.signal_events"):
        LossConfig(signal_events=-1.0)
    unknown = replace(NETWORK, loss=LossConfig("asimov", signal_class="VHH"))
    with pytest.raises(CardError, match="did you mean 'VH'"):
        train_fold(make_data(), 1, unknown, TRAINING, classes=CLASSES, feature_names=FEATURES)
