"""A doubled dataset, an event in two regions and a variation with another fold are caught."""

import numpy as np
import pytest

from znought.stats.referee.identities import counted_once, folds_by_identity, in_one_region

N = 400
NAMES = ("one", "two")


def _table(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two datasets of events with two responses each."""
    content = np.random.default_rng(seed).normal(size=(N, 3)).astype(np.float32)
    return np.arange(N) // 2, np.arange(N) % 2, (np.arange(N) >= N // 2).astype(int), content


def test_events_of_their_own_pass() -> None:
    identity, response, dataset, content = _table()
    found = counted_once(identity, response, dataset, NAMES, content, np.ones(N))
    assert (found.verdict, found.value) == ("pass", 0.0)


def test_a_doubled_dataset_fails_under_its_own_numbers() -> None:
    identity, response, dataset, content = _table()
    twice = [np.concatenate([x, x[dataset == 1]]) for x in (identity, response, dataset)]
    other = np.concatenate([content, content[dataset == 1] + 1])
    found = counted_once(twice[0], twice[1], twice[2], NAMES, other, np.ones(len(other)))
    assert (found.verdict, found.value, found.parts) == ("fail", N / 2, {"two": (N / 2, 0.0)})


def test_a_doubled_dataset_fails_under_other_numbers() -> None:
    identity, response, dataset, content = _table()
    numbers = np.concatenate([identity, identity[dataset == 1] + N])
    twice = [np.concatenate([x, x[dataset == 1]]) for x in (response, dataset, content)]
    found = counted_once(numbers, twice[0], twice[1], NAMES, twice[2], np.ones(len(numbers)))
    assert (found.verdict, found.value) == ("fail", N / 2)


def test_one_copied_event_fails() -> None:
    identity, response, dataset, content = _table()
    content[-1] = content[0]
    assert counted_once(identity, response, dataset, NAMES, content, np.ones(N)).value == 1.0


def test_rows_of_one_event_may_look_alike_with_other_weights() -> None:
    identity, response, dataset, content = _table()
    content[1] = content[0]
    weight = np.where(response == 1, 0.01, 0.99)
    assert counted_once(identity, response, dataset, NAMES, content, weight).value == 0.0
    assert counted_once(identity, response, dataset, NAMES, content, np.ones(N)).value == 1.0
    content[2] = content[0]
    assert counted_once(identity, response, dataset, NAMES, content, weight).value == 1.0


def test_whole_numbers_that_coincide_by_chance_do_not_count() -> None:
    identity, response, dataset, content = _table()
    found = counted_once(identity, response, dataset, NAMES, np.round(content), np.ones(N))
    assert found.verdict == "pass"
    assert "too few columns" in found.unseen


def test_an_event_in_two_regions_fails() -> None:
    first = np.arange(N) < 10
    assert in_one_region({"SR": first, "CR": ~first}).verdict == "pass"
    found = in_one_region({"SR": first, "CR": np.arange(N) >= 9, "VR": np.zeros(N, bool)})
    assert (found.verdict, found.value, found.parts) == ("fail", 1.0, {"SR and CR": (1.0, 0.0)})


@pytest.mark.parametrize("kind", ["data", "jes_up"])
def test_another_fold_fails(kind: str) -> None:
    folds = np.arange(N, dtype=np.int8) % 5
    expected = {"nominal": folds, "data": folds, "jes_up": folds}
    assert folds_by_identity(expected, expected).verdict == "pass"
    found = folds_by_identity({**expected, kind: (folds + 1) % 5}, expected)
    assert (found.verdict, found.value, list(found.parts)) == ("fail", float(N), [kind])
