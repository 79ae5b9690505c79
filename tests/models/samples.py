"""A small separable sample of three classes for the tests of this room."""

import numpy as np
import pytest

from znought.models.folds import assign_folds, is_test
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingConfig, TrainingData

CLASSES = ("VH", "top", "WW")
FEATURES = ("pt_l0", "m_ll", "m_tautau", "dphi_ll")
NETWORK = NetworkConfig(hidden_nodes=(12, 8), learning_rate=0.02)
TRAINING = TrainingConfig(
    n_folds=3,
    n_repeats=1,
    batch_size=16,
    max_epochs=6,
    patience=3,
    stop_fraction=0.2,
    salt="t",
    seed=3,
    undefined={"m_tautau": -1.0},
)

tensorflow_warnings = pytest.mark.filterwarnings(
    # Keras 3.15 and tf2onnx 1.17 on NumPy 2.4.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    "ignore:In the future `np.object`:FutureWarning",
)


def make_data(n_events: int = 900, *, seed: int = 0, n_responses: int = 1) -> TrainingData:
    """Events of three classes with shifted means, signed weights and an undefined m_tautau here and there."""
    random = np.random.default_rng(seed)
    class_index = np.repeat(random.integers(0, len(CLASSES), n_events), n_responses)
    n_rows = len(class_index)
    features = random.normal(size=(n_rows, len(FEATURES))) * [20.0, 15.0, 30.0, 0.5] + [60.0, 50.0, 90.0, 1.5]
    features += class_index[:, None] * np.array([15.0, -10.0, 5.0, 0.3])
    features[random.random(n_rows) < 0.2, 2] = -1.0
    event = np.repeat(np.arange(n_events), n_responses)
    run, block = np.full(n_rows, seed + 1), np.ones(n_rows, np.int64)
    fold = assign_folds(run, block, event, n_folds=TRAINING.n_folds, salt=TRAINING.salt)
    fold[is_test(run, block, event, fraction=TRAINING.test_fraction, salt=TRAINING.salt)] = -1
    return TrainingData(
        features=features.astype(np.float32),
        class_index=class_index,
        weights=np.where(random.random(n_rows) < 0.1, -0.5, 1.0) * (1.0 + class_index),
        fold=fold,
        identity=event.astype(np.uint64),
    )
