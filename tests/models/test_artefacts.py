import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.errors import DataError
from znought.models import artefacts
from znought.models.scoring import Scorer
from znought.models.training import TrainedFold, train_fold

pytestmark = tensorflow_warnings

DATA = make_data()
SHORT = replace(TRAINING, max_epochs=1)


@pytest.fixture(scope="module")
def folds() -> list[TrainedFold]:
    return [
        train_fold(DATA, fold, NETWORK, SHORT, classes=CLASSES, feature_names=FEATURES)
        for fold in range(SHORT.n_folds)
    ]


def _save(directory: Path, folds: list[TrainedFold]) -> artefacts.Manifest:
    return artefacts.save(
        directory, folds, network=NETWORK, training=SHORT, classes=CLASSES, feature_names=FEATURES
    )


@pytest.fixture
def folder(tmp_path: Path, folds: list[TrainedFold]) -> Path:
    _save(tmp_path / "model", folds)
    return tmp_path / "model"


def test_what_was_saved_is_loaded(folder: Path, folds: list[TrainedFold]) -> None:
    manifest = artefacts.load(folder)
    assert manifest.classes == CLASSES
    assert manifest.feature_names == FEATURES
    assert (manifest.n_folds, manifest.salt) == (SHORT.n_folds, SHORT.salt)
    assert manifest.scalers == tuple(trained.scaler for trained in folds)
    assert manifest.data_sha256 == (DATA.fingerprint(),)
    assert manifest.histories[0] == folds[0].history
    assert set(manifest.files) == {path.name for path in folder.iterdir()} - {"manifest.json"}


def test_a_changed_or_missing_file_is_refused_by_name(folder: Path) -> None:
    path = folder / "fold_1.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"fold_1\.onnx: does not match the sha256"):
        artefacts.load(folder)
    with pytest.raises(DataError, match=r"fold_1\.onnx"):
        Scorer.load(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"fold_1\.onnx: missing"):
        artefacts.load(folder)


def test_a_folder_without_manifest_or_with_another_format_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model manifest"):
        Scorer.load(tmp_path)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 0}))
    with pytest.raises(DataError, match="expected manifest format 2"):
        artefacts.load(folder)


def test_a_missing_fold_or_mixed_data_is_refused(folds: list[TrainedFold], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one network for each of 0 … 2 in repeat 0\. Received: \[0, 2\]"):
        _save(tmp_path, [folds[2], folds[0]])
    with pytest.raises(DataError, match="different data"):
        _save(tmp_path, [folds[0], replace(folds[1], data_sha256="0"), folds[2]])


def test_training_events_get_the_network_that_has_not_seen_them(folder: Path) -> None:
    scorer = Scorer.load(folder)
    scores = scorer.score(DATA.features, DATA.fold)
    each = np.stack([scorer.score_with(network, DATA.features) for network in range(3)])
    for network in range(3):
        rows = DATA.fold == network
        np.testing.assert_array_equal(scores[rows], each[network][rows])
    rest = DATA.fold == -1
    np.testing.assert_allclose(scores[rest], each[:, rest].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_scores_do_not_depend_on_the_chunking(folder: Path) -> None:
    scorer = Scorer.load(folder)
    whole = scorer.score(DATA.features, DATA.fold)
    parts = [scorer.score(DATA.features[rows], DATA.fold[rows]) for rows in np.array_split(np.arange(900), 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
    assert scorer.score(DATA.features[:0], DATA.fold[:0]).shape == (0, 3)


def test_keras_agrees_with_the_scorer(folder: Path) -> None:
    scorer = Scorer.load(folder)
    model = artefacts.load_keras(folder, 2)
    expected = np.asarray(model(scorer.manifest.scalers[2].transform(DATA.features)))
    np.testing.assert_allclose(scorer.score_with(2, DATA.features), expected, atol=1e-6)


def test_a_scorer_is_loaded_once_per_content(folder: Path) -> None:
    assert Scorer.load(folder) is Scorer.load(str(folder))


def test_bad_events_are_refused_at_scoring(folder: Path) -> None:
    scorer = Scorer.load(folder)
    columns = {name: DATA.features[:, index] for index, name in enumerate(FEATURES)}
    np.testing.assert_array_equal(scorer.features(columns), DATA.features)
    del columns["m_ll"]
    with pytest.raises(DataError, match="Missing feature 'm_ll'"):
        scorer.features(columns)
    broken = DATA.features.copy()
    broken[0, 3] = np.nan
    with pytest.raises(DataError, match="Feature 'dphi_ll'"):
        scorer.score(broken, DATA.fold)
    with pytest.raises(DataError, match=r"folds: expected −1 … 2"):
        scorer.score(DATA.features, DATA.fold + 1)
    with pytest.raises(DataError, match="folds: expected shape"):
        scorer.score(DATA.features, DATA.fold[:1])
