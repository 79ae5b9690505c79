from dataclasses import replace

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, TRAINING, make_data
from znought.errors import CardError, DataError
from znought.models.boosting import BoostedFold, BoostingConfig, boost_fold, combine
from znought.models.evaluation import macro_auc
from znought.models.samples import TrainingData

DATA = make_data()
OTHERS = make_data(50, seed=2).features
BOOSTING = BoostingConfig(max_iter=15, max_leaf_nodes=6)


def _boost(data: TrainingData, fold: int) -> BoostedFold:
    return boost_fold(data, fold, BOOSTING, TRAINING, classes=CLASSES, feature_names=FEATURES, others=OTHERS)


def test_scores_are_out_of_fold_for_training_events_and_means_otherwise() -> None:
    folds = [_boost(DATA, fold) for fold in (2, 0, 1)]
    scores, others = combine(DATA, folds)
    assert others.shape == (50, 3)
    np.testing.assert_array_equal(scores[DATA.fold == 2], folds[0].held_out)
    n_test = int(np.sum(DATA.fold == -1))
    mean = np.mean([boosted.untrained for boosted in folds], axis=0)
    np.testing.assert_allclose(np.concatenate([scores[DATA.fold == -1], others]), mean, atol=1e-6)
    assert len(mean) == n_test + 50
    assert macro_auc(scores, DATA.class_index, np.abs(DATA.weights)) > 0.75


def test_the_scored_fold_and_the_test_part_have_no_influence() -> None:
    unseen = (DATA.fold == 1) | (DATA.fold == -1)
    changed = replace(DATA, class_index=np.where(unseen, (DATA.class_index + 1) % 3, DATA.class_index))
    np.testing.assert_array_equal(_boost(changed, 1).held_out, _boost(DATA, 1).held_out)


def test_a_missing_fold_is_named() -> None:
    with pytest.raises(DataError, match=r"expected trees for \[0, 1, 2\]\. Received: \[1\]"):
        combine(DATA, [_boost(DATA, 1)])
    with pytest.raises(CardError, match=r"boosting\.max_iter"):
        BoostingConfig(max_iter=0)
