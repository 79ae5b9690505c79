from dataclasses import replace

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, TRAINING, make_data
from znought.errors import CardError, DataError
from znought.models.samples import FoldSample, TrainingConfig, TrainingData, balanced_weights, prepare_fold

DATA = make_data()


def _prepare(data: TrainingData, training: TrainingConfig = TRAINING, fold: int = 0) -> FoldSample:
    return prepare_fold(data, fold, training, classes=CLASSES, feature_names=FEATURES)


def test_every_class_weighs_the_same_and_the_mean_weight_is_one() -> None:
    train = _prepare(DATA).train
    sums = np.bincount(train.class_index, weights=train.weights)
    np.testing.assert_allclose(sums, len(train.weights) / 3, rtol=1e-5)
    assert train.weights.min() > 0.0


def test_the_parts_cover_the_training_folds_once() -> None:
    sample = _prepare(DATA)
    seen = int(np.sum((DATA.fold != 0) & (DATA.fold != -1)))
    assert len(sample.train.features) + len(sample.stop.features) == seen
    assert len(sample.stop.features) / seen == pytest.approx(TRAINING.stop_fraction, abs=0.06)


def test_responses_of_one_event_never_straddle_the_stop_part() -> None:
    data = make_data(300, n_responses=4)
    marked = replace(data, features=data.features.copy())
    marked.features[:, 0] = data.identity
    sample = _prepare(marked)
    assert not set(sample.train.features[:, 0]) & set(sample.stop.features[:, 0])


def test_negative_weights_follow_the_policy() -> None:
    dropped = _prepare(DATA, replace(TRAINING, negative_weights="drop"))
    kept = _prepare(DATA)
    negative = (DATA.weights < 0.0) & (DATA.fold > 0)
    sizes = [len(s.train.features) + len(s.stop.features) for s in (kept, dropped)]
    assert sizes[0] - sizes[1] == negative.sum()


def test_balance_needs_every_class() -> None:
    with pytest.raises(DataError, match=r"Class 'top': expected positive weight in every part.* none\."):
        balanced_weights(np.ones(2), np.zeros(2, np.int64), ("VH", "top"))


def _with(name: str, value: float, row: int = 5, column: int = 1) -> TrainingData:
    array = getattr(DATA, name).copy()
    array[(row, column) if array.ndim == 2 else row] = value
    return replace(DATA, **{name: array})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_with("features", np.nan), r"Feature 'm_ll': expected finite values\. .* in 1 of 900 events"),
        (_with("features", -np.inf), "Feature 'm_ll'"),
        (_with("weights", np.inf), "weights: expected finite values"),
        (_with("class_index", 3), r"class_index: expected 0 … 2\. Received: 0 … 3"),
        (_with("fold", 3), r"fold: expected -2 … 2\. Received: -1 … 3"),
        (
            replace(DATA, class_index=np.where(DATA.class_index == 1, 0, DATA.class_index)),
            r"Class 'top': expected at least 3 training events, one per fold\. Received: 0",
        ),
        (
            replace(DATA, weights=np.where(DATA.class_index == 2, -1.0, 1.0)),
            r"Class 'WW': expected a positive sum of weights\. Received: -",
        ),
        (replace(DATA, identity=DATA.identity // np.uint64(2)), "events lie in two folds"),
        (
            replace(DATA, features=np.where([1, 0, 1, 1], DATA.features, 4).astype(np.float32)),
            "'m_ll': constant",
        ),
    ],
)
def test_bad_input_gets_one_clear_line(data: TrainingData, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        _prepare(data)
    assert "\n" not in str(caught.value)


def test_columns_must_have_one_length() -> None:
    with pytest.raises(DataError, match=r"fold: expected shape \(900,\)\. Received: \(1,\)"):
        replace(DATA, fold=np.zeros(1, np.int8))


def test_a_card_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(CardError, match=r"training\.batch_size: expected at least 1\. Received: 0"):
        TrainingConfig(batch_size=0)
    with pytest.raises(CardError, match=r"fold: expected 0 … 2\. Received: 3"):
        _prepare(DATA, fold=3)


def test_the_fingerprint_sees_every_column() -> None:
    prints = {
        data.fingerprint() for data in (DATA, _with("weights", 2.5), _with("features", 2.5), make_data())
    }
    assert len(prints) == 3
