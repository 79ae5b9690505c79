"""Event identity decides folds and splits: it must be stable, mixed, and blind to order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from znought.identity import event_identity, uniform

INTEGERS = st.integers(min_value=0, max_value=2**32 - 1)


def test_pinned_value() -> None:
    # Folds of published networks depend on this number: a change must be a decision.
    assert int(event_identity([1], [2], [3], salt="fold")[0]) == 5004701244003713714


@given(st.lists(st.tuples(INTEGERS, INTEGERS, INTEGERS), min_size=1, max_size=50))
def test_order_does_not_matter(events: list[tuple[int, int, int]]) -> None:
    order = np.random.default_rng(0).permutation(len(events))
    columns = [np.array(column, dtype=np.uint64) for column in zip(*events, strict=True)]
    straight = event_identity(*columns, salt="fold")
    shuffled = event_identity(*(column[order] for column in columns), salt="fold")
    np.testing.assert_array_equal(straight[order], shuffled)


def test_salts_are_independent() -> None:
    event = np.arange(100_000)
    one = np.ones_like(event)
    a, b = (uniform(one, one, event, salt=salt) for salt in ("fold", "test"))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02


def test_uniform_is_flat_for_consecutive_events() -> None:
    event = np.arange(100_000)
    counts, _ = np.histogram(
        uniform(np.ones_like(event), event // 1000, event, salt="x"), bins=20, range=(0, 1)
    )
    chi2 = float(np.sum((counts - 5000) ** 2 / 5000))
    assert chi2 < 43.8  # 99.9 % quantile of 19 degrees of freedom


def test_run_lumi_and_event_all_count() -> None:
    mixed = [int(event_identity([a], [b], [c], salt="s")[0]) for a, b, c in [(1, 2, 3), (2, 1, 3), (3, 2, 1)]]
    assert len(set(mixed)) == 3
