import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.models import artefacts
from znought.models.export import lwtnn_of_fold
from znought.models.samples import prepare_fold, uncorrelated
from znought.models.scoring import Scorer
from znought.models.training import train_fold

pytestmark = tensorflow_warnings

DATA = make_data()
# An input that repeats another one: pruning leaves it out.
TWIN = replace(DATA, features=np.concatenate([DATA.features, DATA.features[:, 1:2] * 2.0], axis=1))
NAMES = (*FEATURES, "twice_m_ll")
PRUNED = replace(TRAINING, max_epochs=1, n_folds=3, max_input_correlation=0.95, undefined={"m_tautau": -1.0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("model")
    folds = [
        train_fold(TWIN, fold, NETWORK, PRUNED, classes=CLASSES, feature_names=NAMES) for fold in range(3)
    ]
    artefacts.save(directory, folds, network=NETWORK, training=PRUNED, classes=CLASSES, feature_names=NAMES)
    return directory


def _lwtnn(content: dict[str, Any], columns: dict[str, np.ndarray]) -> np.ndarray:
    """What the C++ library does with the file."""
    entries = content["inputs"]
    values = np.stack([(columns[e["name"]] + e["offset"]) * e["scale"] for e in entries], axis=1)
    for layer in content["layers"]:
        matrix = np.reshape(layer["weights"], (len(layer["bias"]), -1))
        values = values @ matrix.T + layer["bias"]
        if layer["activation"] == {"function": "elu", "alpha": 1.0}:
            values = np.where(values > 0.0, values, np.expm1(np.minimum(values, 0.0)))
        elif layer["activation"] == "softmax":
            values = np.exp(values - values.max(axis=1, keepdims=True))
            values /= values.sum(axis=1, keepdims=True)
        else:
            assert layer["activation"] == "linear"
    return values


def test_the_exported_network_gives_the_same_scores(folder: Path) -> None:
    content = json.loads(json.dumps(lwtnn_of_fold(folder, 1)))
    assert content["outputs"] == list(CLASSES)
    columns = {name: TWIN.features[:, index].astype(float) for index, name in enumerate(NAMES)}
    undefined = columns["m_tautau"] == float(content["miscellaneous"]["undefined_m_tautau"])
    columns["m_tautau"][undefined] = content["defaults"]["m_tautau"]
    expected = Scorer.load(folder).score_with(1, TWIN.features)
    np.testing.assert_allclose(_lwtnn(content, columns), expected, atol=1e-5)


def test_pruned_inputs_are_left_out_in_training_and_scoring(folder: Path) -> None:
    scorer = Scorer.load(folder)
    assert all(scaler.feature_names == FEATURES for scaler in scorer.manifest.scalers)
    other = TWIN.features.copy()
    other[:, 4] += 100.0
    np.testing.assert_array_equal(scorer.score(other, TWIN.fold), scorer.score(TWIN.features, TWIN.fold))


def test_pruning_is_decided_on_the_training_part_alone() -> None:
    hidden = np.isin(DATA.fold, (-1, 0))
    features = DATA.features.copy()
    features[hidden, 0] = features[hidden, 1]
    sample = prepare_fold(
        replace(DATA, features=features), 0, PRUNED, classes=CLASSES, feature_names=FEATURES
    )
    assert sample.scaler.feature_names == FEATURES
    assert uncorrelated(features[hidden], np.ones(int(hidden.sum())), limit=0.95) == [0, 2, 3]
