"""Sums between edges against plain masks, events exactly on edges and shared identities included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from znought.stats.ordered import OrderedSample


def plain_sumw2(
    weights: NDArray[np.float64], codes: NDArray[np.int64] | None, rows: NDArray[np.bool_]
) -> float:
    if codes is None:
        return float((weights[rows] ** 2).sum())
    return float(sum(weights[rows & (codes == code)].sum() ** 2 for code in np.unique(codes)))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shared=st.booleans(), single=st.booleans())
def test_prefix_and_contents_are_plain_sums(seed: int, shared: bool, single: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    drawn = np.round(rng.uniform(0.1, 1.1, n), 1 if seed % 2 else 6)
    scores: NDArray[np.floating] = drawn.astype(np.float32) if single else drawn
    weights, codes = rng.normal(size=n), rng.integers(0, 5, n) if shared else None
    sample = OrderedSample.build(scores, weights, lower=0.2, upper=1.0, codes=codes)
    edges = np.unique(np.concatenate([[0.2, 1.0], np.round(rng.uniform(0.2, 1.0, 5), 1)]))
    prefix, exact = sample.prefix(edges), scores.astype(np.float64)
    for a in range(edges.size):
        for b in range(a + 1, edges.size):
            rows = (exact >= edges[a]) & ((exact < edges[b]) | (exact == 1.0) & (edges[b] == 1.0))
            assert prefix.sumw[b] - prefix.sumw[a] == pytest.approx(weights[rows].sum(), abs=1e-12)
            assert prefix.sumw2[a, b] == pytest.approx(plain_sumw2(weights, codes, rows), abs=1e-12)
            if b == a + 1:
                contents = sample.contents(edges)
                assert contents.sumw[a] == pytest.approx(weights[rows].sum(), abs=1e-12)
                assert contents.sumw2[a] == pytest.approx(plain_sumw2(weights, codes, rows), abs=1e-12)
                events = rows.sum() if codes is None else np.unique(codes[rows]).size
                assert contents.events[a] == events


def test_quantiles_hold_equal_numbers_and_forget_the_order() -> None:
    scores = 4 * np.random.default_rng(1).beta(5, 1, 20_000) - 1
    build = OrderedSample.build
    first = build(scores, np.ones(scores.size), lower=-1.0, upper=3.0).quantiles(9)
    second = build(scores[::-1], np.ones(scores.size), lower=-1.0, upper=3.0).quantiles(9)
    assert np.array_equal(first, second)
    filled, _ = np.histogram(scores, np.concatenate([[-1.0], first, [3.0]]))
    assert filled == pytest.approx(2000, abs=40)
