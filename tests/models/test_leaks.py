"""No leak: each check passes on the code as it is, and fails once the leak is put in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, NETWORK, TRAINING, make_data, tensorflow_warnings
from znought.errors import DataError
from znought.models import artefacts, samples, scoring
from znought.models.folds import UNTRAINED, is_stop
from znought.models.samples import TrainingConfig, TrainingData, prepare_fold
from znought.models.scoring import Scorer
from znought.models.training import TrainedFold, train_fold

pytestmark = tensorflow_warnings

DATA = make_data()
SHORT = replace(TRAINING, max_epochs=3)
Rows = tuple[np.ndarray, np.ndarray]
HONEST = samples._visible_rows


def _disturbed(unseen: np.ndarray) -> TrainingData:
    """The same events, those that must not be seen with other inputs and classes."""
    features = np.where(unseen[:, None], DATA.features * 3.0 + 50.0, DATA.features).astype(np.float32)
    class_index = np.where(unseen, (DATA.class_index + 1) % len(CLASSES), DATA.class_index)
    return replace(DATA, features=features, class_index=class_index)


def _train(data: TrainingData, fold: int = 0) -> TrainedFold:
    return train_fold(data, fold, NETWORK, SHORT, classes=CLASSES, feature_names=FEATURES)


def check_scaler(fold: int = 0) -> None:
    """Inputs of the scored fold do not move the scaler."""
    honest, disturbed = (
        prepare_fold(data, fold, SHORT, classes=CLASSES, feature_names=FEATURES).scaler
        for data in (DATA, _disturbed(DATA.fold == fold))
    )
    assert honest == disturbed


def check_test_part() -> None:
    """Neither network nor stopping (hence no search) knows the test part."""
    assert _train(DATA).sha256 == _train(_disturbed(DATA.fold == UNTRAINED)).sha256


def check_scored_fold() -> None:
    """Neither network nor early stopping knows the scored fold."""
    one, two = _train(DATA), _train(_disturbed(DATA.fold == 0))
    assert one.sha256 == two.sha256
    assert one.history["stop_auc"] == two.history["stop_auc"]


def _learns_from_scored_fold(data: TrainingData, fold: int, training: TrainingConfig) -> Rows:
    train, stop = HONEST(data, fold, training)
    return np.union1d(train, np.flatnonzero(data.fold == fold)), stop


def _learns_from_test_part(data: TrainingData, fold: int, training: TrainingConfig) -> Rows:
    train, stop = HONEST(data, fold, training)
    return np.union1d(train, np.flatnonzero(data.fold == UNTRAINED)), stop


def _searches_on_test_part(data: TrainingData, fold: int, training: TrainingConfig) -> Rows:
    return HONEST(data, fold, training)[0], np.flatnonzero(data.fold == UNTRAINED)


def _stops_on_scored_fold(data: TrainingData, fold: int, training: TrainingConfig) -> Rows:
    return HONEST(data, fold, training)[0], np.flatnonzero(data.fold == fold)


@pytest.mark.parametrize("check", [check_scaler, check_test_part, check_scored_fold])
def test_there_is_no_leak(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize(
    ("leak", "check"),
    [
        (_learns_from_scored_fold, check_scaler),
        (_learns_from_scored_fold, check_scored_fold),
        (_stops_on_scored_fold, check_scored_fold),
        (_learns_from_test_part, check_test_part),
        (_searches_on_test_part, check_test_part),
    ],
)
def test_a_leak_put_in_is_seen(
    monkeypatch: pytest.MonkeyPatch, leak: Callable[..., Rows], check: Callable[[], None]
) -> None:
    monkeypatch.setattr(samples, "_visible_rows", leak)
    with pytest.raises(AssertionError):
        check()


def test_responses_of_one_event_in_two_folds_are_refused() -> None:
    data = make_data(300, n_responses=3)
    prepare_fold(data, 0, SHORT, classes=CLASSES, feature_names=FEATURES)
    by_row = np.where(data.fold == UNTRAINED, UNTRAINED, np.arange(900) % 3).astype(np.int8)
    with pytest.raises(DataError, match="events lie in two folds"):
        prepare_fold(replace(data, fold=by_row), 0, SHORT, classes=CLASSES, feature_names=FEATURES)


def test_responses_of_one_event_stop_and_train_never_both(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data(300, n_responses=3)

    def check() -> None:
        train, stop = samples._visible_rows(data, 0, SHORT)
        assert not set(data.identity[train]) & set(data.identity[stop])

    check()

    def by_row(identity: np.ndarray, *, fold: int, fraction: float, salt: str) -> np.ndarray:
        return is_stop(np.arange(len(identity), dtype=np.uint64), fold=fold, fraction=fraction, salt=salt)

    monkeypatch.setattr(samples, "is_stop", by_row)
    with pytest.raises(AssertionError):
        check()


@contextmanager
def _scorer(directory: Path, data: TrainingData) -> Iterator[Scorer]:
    folds = [_train(data, fold) for fold in range(SHORT.n_folds)]
    artefacts.save(directory, folds, network=NETWORK, training=SHORT, classes=CLASSES, feature_names=FEATURES)
    yield Scorer.load(directory)


def test_a_training_event_is_scored_by_the_network_that_has_not_seen_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = DATA.fold == 1
    with _scorer(tmp_path / "a", DATA) as honest, _scorer(tmp_path / "b", _disturbed(rows)) as disturbed:

        def check() -> None:
            one, two = (scorer.score(DATA.features, DATA.fold)[rows] for scorer in (honest, disturbed))
            np.testing.assert_array_equal(one, two)

        check()
        monkeypatch.setattr(
            scoring, "_rows_of", lambda fold, network: np.flatnonzero((fold + 1) % 3 == network)
        )
        with pytest.raises(AssertionError):
            check()
