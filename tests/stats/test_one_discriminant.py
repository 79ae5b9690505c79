"""The test that test and out-of-fold events have one discriminant: when it passes, and what it catches."""

from dataclasses import replace

import numpy as np
import pytest

from tests.models.samples import CLASSES, FEATURES, TRAINING, make_data
from znought.errors import DataError
from znought.models.boosting import BoostingConfig, ScoredEvents, boost_fold, combine
from znought.models.folds import is_test, own_folds
from znought.stats import one_discriminant as module
from znought.stats.one_discriminant import OneDiscriminant, one_discriminant, uniformity

N_EVENTS, N_RESPONSES = 1500, 4


def _toy(seed: int, *, n_means: int, n_responses: int = N_RESPONSES) -> OneDiscriminant:
    """Events of one process whose output is one of five networks; test events have the mean of `n_means`."""
    random = np.random.default_rng(seed)
    events = np.repeat(np.arange(N_EVENTS), n_responses)
    common = random.normal(size=N_EVENTS)[events]
    networks = 2.0 * random.normal(size=(5, N_EVENTS))[:, events] + 0.1 * random.normal(size=(5, events.size))
    test = random.random(N_EVENTS)[events] < 0.2
    own = common + networks[0]
    output = np.where(test, common + networks[:n_means].mean(axis=0), own)
    weights = random.uniform(0.5, 1.5, N_EVENTS)[events]
    outputs = {"first": output, "second": -output + 0.3 * random.normal(size=N_EVENTS)[events]}
    return one_discriminant(outputs, weights, np.full(events.size, "vh"), test, events)


def test_probabilities_are_uniform_under_one_discriminant() -> None:
    """Though the outputs depend on each other, and the responses of one event nearly repeat it."""
    found = [_toy(seed, n_means=1).p_value for seed in range(60)]
    assert uniformity(found) > 0.01
    assert 0.3 < np.mean(found) < 0.7
    assert min(found) > 1e-3


def test_many_events_are_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _toy(5, n_means=1)
    monkeypatch.setattr(module, "_UNITS", 400)
    pieces = _toy(5, n_means=1)
    assert pieces.p_value == pytest.approx(whole.p_value, rel=1e-9)
    assert pieces.fisher == pytest.approx(whole.fisher, rel=1e-9)


def test_responses_taken_for_events_would_fail() -> None:
    random, events = np.random.default_rng(3), np.repeat(np.arange(N_EVENTS), N_RESPONSES)
    found = []
    for _ in range(20):
        output = random.normal(size=N_EVENTS)[events]
        test = random.random(N_EVENTS)[events] < 0.2
        rows = np.arange(events.size)
        columns = ({"x": output}, np.ones(events.size), np.full(events.size, "vh"), test)
        assert one_discriminant(*columns, events).comparisons[0].p_value > 1e-3
        found.append(one_discriminant(*columns, rows).comparisons[0].p_value)
    assert uniformity(found) < 1e-4


def test_a_mean_of_networks_is_another_discriminant() -> None:
    assert _toy(1, n_means=5).p_value < 1e-6
    assert _toy(1, n_means=5).smallest.above[0.9][0] < 0.0


def test_tails_have_their_error() -> None:
    """Share above the 90 % quantile, test less others: its error is that of 300 and 1200 events."""
    pulls = []
    for seed in range(40):
        value, error = _toy(seed, n_means=1, n_responses=1).comparisons[0].above[0.9]
        assert error == pytest.approx(np.sqrt(0.9 * 0.1 * (1 / 300 + 1 / 1200)), rel=0.15)
        pulls.append(value / error)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.3)


def test_bad_input_is_refused() -> None:
    columns = ({"x": np.arange(4.0)}, np.ones(4), np.full(4, "vh"))
    with pytest.raises(DataError, match="in the test part and outside"):
        one_discriminant(*columns, [True, False, False, False], [1, 1, 2, 3])
    with pytest.raises(DataError, match="no process has enough"):
        one_discriminant(*columns, [True, False, False, False], [1, 2, 3, 4])


N_TRAINED = 5000


def _boosted(seed: int, *, published: bool) -> OneDiscriminant:
    """Trees of five folds on a small sample, every event scored and tested."""
    data = make_data(N_TRAINED, seed=seed)
    training = replace(TRAINING, n_folds=5, salt=f"seed{seed}", seed=seed)
    run, event = np.full(N_TRAINED, seed + 1), data.identity
    own = own_folds(run, run, event, n_folds=5, n_repeats=1, salt=training.salt)[:, 0]
    test = is_test(run, run, event, fraction=0.2, salt=training.salt)
    mine = replace(data, fold=np.where(test, np.int8(-1), own))
    scored = ScoredEvents(data.features, np.where(test & published, np.int8(-1), own))
    settings = BoostingConfig(
        learning_rate=0.3, max_iter=40, max_leaf_nodes=31, min_samples_leaf=5, patience=40
    )
    grown = [
        boost_fold(mine, k, settings, training, classes=CLASSES, feature_names=FEATURES, scored=scored)
        for k in range(5)
    ]
    scores = combine(grown, training, N_TRAINED)
    outputs = {name: scores[:, i] for i, name in enumerate(CLASSES)}
    process = np.asarray(CLASSES)[data.class_index]
    return one_discriminant(outputs, np.abs(data.weights), process, test, event)


def test_trees_of_own_folds_pass_and_the_published_way_fails() -> None:
    assert min(_boosted(seed, published=False).p_value for seed in range(3)) > 1e-3
    assert max(_boosted(seed, published=True).p_value for seed in range(3)) < 1e-4
