from dataclasses import replace

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, TRAINING, make_data
from znought.errors import CardError, DataError
from znought.models.boosting import BoostedFold, BoostingConfig, ScoredEvents, boost_fold, combine
from znought.models.boosting_search import TreesSpace
from znought.models.evaluation import macro_auc
from znought.models.samples import TrainingData

DATA = make_data()
OTHERS = make_data(50, seed=2)
BOOSTING = BoostingConfig(max_iter=15, max_leaf_nodes=6)
# The test part and data have folds of their own, too.
OWN = np.concatenate([np.where(DATA.fold < 0, np.arange(900) % 3, DATA.fold), np.arange(50) % 3])
SCORED = ScoredEvents(np.concatenate([DATA.features, OTHERS.features]), OWN)


def _boost(data: TrainingData, fold: int, scored: ScoredEvents = SCORED, repeat: int = 0) -> BoostedFold:
    return boost_fold(
        data,
        fold,
        BOOSTING,
        replace(TRAINING, n_repeats=2),
        classes=CLASSES,
        feature_names=FEATURES,
        scored=scored,
        repeat=repeat,
    )


def test_every_event_is_scored_by_the_trees_of_its_own_fold() -> None:
    folds = [_boost(DATA, fold) for fold in (2, 0, 1)]
    scores = combine(folds, TRAINING, 950)
    for boosted in folds:
        np.testing.assert_array_equal(boosted.rows, np.flatnonzero(boosted.fold == OWN))
        np.testing.assert_array_equal(scores[boosted.rows], boosted.scores)
    assert macro_auc(scores[:900], DATA.class_index, np.abs(DATA.weights)) > 0.75


def test_the_ensemble_is_the_mean_over_repeats() -> None:
    other = replace(DATA, fold=np.where(DATA.fold < 0, DATA.fold, (DATA.fold + 1) % 3).astype(np.int8))
    moved = replace(SCORED, fold=(OWN + 1) % 3)
    first = [_boost(DATA, fold) for fold in range(3)]
    second = [_boost(other, fold, moved, repeat=1) for fold in range(3)]
    twice = replace(TRAINING, n_repeats=2)
    mean = 0.5 * (
        combine(first, TRAINING, 950) + combine([replace(b, repeat=0) for b in second], TRAINING, 950)
    )
    np.testing.assert_allclose(combine([*second, *first], twice, 950), mean, atol=1e-6)


def test_the_published_way_is_the_mean_of_all_folds() -> None:
    published = replace(SCORED, fold=np.concatenate([DATA.fold, np.full(50, -1)]))
    folds = [_boost(DATA, fold, published) for fold in range(3)]
    scores = combine(folds, TRAINING, 950)
    each = [boosted.scores[np.isin(boosted.rows, np.arange(900, 950))] for boosted in folds]
    np.testing.assert_allclose(scores[900:], np.mean(each, axis=0), atol=1e-6)


def test_the_scored_fold_and_the_test_part_have_no_influence() -> None:
    unseen = (DATA.fold == 1) | (DATA.fold == -1)
    changed = replace(DATA, class_index=np.where(unseen, (DATA.class_index + 1) % 3, DATA.class_index))
    np.testing.assert_array_equal(_boost(changed, 1).scores, _boost(DATA, 1).scores)


def test_the_part_of_a_search_trains_every_fold() -> None:
    searched = np.arange(900) % 5 == 0
    data = replace(DATA, fold=np.where(searched, np.int8(-2), DATA.fold))
    changed = replace(data, class_index=np.where(searched, (DATA.class_index + 1) % 3, DATA.class_index))
    assert not np.array_equal(_boost(changed, 1).scores, _boost(data, 1).scores)
    np.testing.assert_array_equal(
        _boost(changed.without_search(), 1).scores, _boost(data.without_search(), 1).scores
    )


def test_a_missing_fold_is_named() -> None:
    with pytest.raises(DataError, match=r"expected trees for \(repeat, fold\) .* Received: \[\(0, 1\)\]"):
        combine([_boost(DATA, 1)], TRAINING, 950)
    with pytest.raises(CardError, match=r"boosting\.max_iter"):
        BoostingConfig(max_iter=0)


def test_settings_of_a_search_are_drawn_by_seed() -> None:
    space = TreesSpace()
    drawn = [space.drawn(trial, 7) for trial in range(20)]
    assert drawn == [space.drawn(trial, 7) for trial in range(20)]
    assert len({tuple(settings.values()) for settings in drawn}) == 20
    assert all(0.02 <= settings["learning_rate"] <= 0.3 for settings in drawn[1:])
    with pytest.raises(CardError, match=r"search\.trees\.learning_rate"):
        TreesSpace(learning_rate=(0.3, 0.1))
