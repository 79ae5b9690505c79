from collections.abc import Iterator

import numpy as np
import pytest

from znought.models import areas
from znought.models.areas import (
    ScoredEvents,
    auc_estimates,
    auc_replicas,
    poisson_multiplicity,
    streamed_replicas,
)
from znought.models.evaluation import macro_auc

RANDOM = np.random.default_rng(0)


def test_intervals_cover_and_macro_is_the_mean() -> None:
    class_index = RANDOM.integers(0, 3, 3000)
    scores = RANDOM.random((3000, 3)) + np.eye(3)[class_index] * 0.5
    found = auc_estimates(
        scores,
        class_index,
        np.ones(3000),
        np.arange(3000, dtype=np.uint64),
        classes=("a", "b", "c"),
        n_bootstrap=40,
    )
    assert list(found) == ["a", "b", "c", "macro"]
    for estimate in found.values():
        assert estimate.lower < estimate.value < estimate.upper
        assert estimate.upper - estimate.lower < 0.05
    assert found["macro"].value == pytest.approx(np.mean([found[name].value for name in "abc"]))
    assert found["macro"].value == pytest.approx(macro_auc(scores, class_index, np.ones(3000)))


def test_replicas_of_many_events_are_those_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class_index = RANDOM.integers(0, 3, 20_000)
    scores = RANDOM.normal(size=(20_000, 3)) + np.eye(3)[class_index]
    columns = scores, class_index, RANDOM.uniform(-0.1, 1.0, 20_000), np.arange(20_000, dtype=np.uint64)
    exact = auc_replicas(*columns, classes=("a", "b", "c"), n_bootstrap=10)
    monkeypatch.setattr(areas, "_MOST_RANKED", 10_000)
    coarse = auc_replicas(*columns, classes=("a", "b", "c"), n_bootstrap=10)
    assert coarse.values.tolist() == exact.values.tolist()
    assert coarse.replicas == pytest.approx(exact.replicas, abs=0.01 * exact.replicas.std())
    assert (coarse.replicas != exact.replicas).any()


def test_events_read_in_parts_have_the_areas_of_all_events() -> None:
    class_index = RANDOM.integers(0, 2, 20_000)
    identity = np.repeat(np.arange(10_000, dtype=np.uint64), 2)
    scores = RANDOM.normal(size=(20_000, 2)) + np.eye(2)[class_index]
    weights = RANDOM.uniform(-0.1, 1.0, 20_000)
    calls = list[int]()

    def parts() -> Iterator[ScoredEvents]:
        for first in range(0, 20_000, 5_000):
            some = slice(first, first + 5_000)
            calls.append(first)
            both = {"one": scores[some], "other": -scores[some]}
            yield ScoredEvents(both, class_index[some], weights[some], identity[some])

    exact = auc_replicas(scores, class_index, weights, identity, classes=("a", "b"), n_bootstrap=10)
    found = streamed_replicas(parts, classes=("a", "b"), n_bootstrap=10)
    assert len(calls) == 8
    assert found["one"].values == pytest.approx(exact.values, abs=1e-4)
    assert found["one"].replicas == pytest.approx(exact.replicas, abs=0.03 * exact.replicas.std())
    assert found["other"].values == pytest.approx(1.0 - exact.values, abs=1e-4)
    assert found["one"].less(found["other"]).values[0] > 0.4


def test_repeated_responses_widen_the_interval() -> None:
    class_index = RANDOM.integers(0, 2, 500)
    scores = RANDOM.random((500, 2)) + np.eye(2)[class_index] * 0.5
    identity = np.arange(500, dtype=np.uint64)

    def width(copies: int, *, independent: bool) -> float:
        rows = np.repeat(np.arange(500), copies)
        ids = np.arange(len(rows), dtype=np.uint64) if independent else identity[rows]
        found = auc_estimates(
            scores[rows], class_index[rows], np.ones(len(rows)), ids, classes=("a", "b"), n_bootstrap=100
        )["macro"]
        return found.upper - found.lower

    assert width(9, independent=False) == pytest.approx(width(1, independent=True), rel=0.3)
    assert width(9, independent=True) < 0.6 * width(9, independent=False)


def test_the_bootstrap_draws_poisson_numbers() -> None:
    times = poisson_multiplicity(np.arange(100_000, dtype=np.uint64), 3, salt="x")
    assert times.mean() == pytest.approx(1.0, abs=0.02)
    assert times.var() == pytest.approx(1.0, abs=0.03)
