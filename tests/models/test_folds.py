import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.errors import CardError
from znought.models.folds import assign_folds, is_stop, is_test


def _identity(n_events: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    event = np.arange(n_events)
    return np.full(n_events, 3), event // 100, event


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(40)), st.integers(2, 9))
def test_the_order_of_rows_does_not_matter(order: list[int], n_folds: int) -> None:
    run, block, event = _identity(40)
    folds = assign_folds(run, block, event, n_folds=n_folds, salt="a")
    shuffled = assign_folds(run[order], block[order], event[order], n_folds=n_folds, salt="a")
    np.testing.assert_array_equal(shuffled, folds[order])


def test_folds_are_equally_filled_and_independent_of_the_test_part() -> None:
    run, block, event = _identity(50_000)
    folds = assign_folds(run, block, event, n_folds=5, salt="a")
    test = is_test(run, block, event, fraction=0.2, salt="a")
    assert test.mean() == pytest.approx(0.2, abs=0.01)
    for part in (test, ~test):
        np.testing.assert_allclose(np.bincount(folds[part]) / part.sum(), 0.2, atol=0.02)


def test_another_salt_gives_other_folds() -> None:
    run, block, event = _identity(5_000)
    one, two = (assign_folds(run, block, event, n_folds=5, salt=salt) for salt in "ab")
    assert np.mean(one == two) == pytest.approx(0.2, abs=0.03)


def test_the_stop_part_is_another_one_for_every_fold() -> None:
    identity = np.arange(20_000, dtype=np.uint64)
    parts = [is_stop(identity, fold=fold, fraction=0.1, salt="a") for fold in (0, 1)]
    assert np.mean(parts[0]) == pytest.approx(0.1, abs=0.01)
    assert np.mean(parts[0] & parts[1]) == pytest.approx(0.01, abs=0.004)


def test_nonsense_is_refused() -> None:
    with pytest.raises(CardError, match=r"n_folds: expected 2 … 127\. Received: 1\."):
        assign_folds([1], [1], [1], n_folds=1, salt="a")
    with pytest.raises(CardError, match="test_fraction"):
        is_test([1], [1], [1], fraction=1.0, salt="a")
