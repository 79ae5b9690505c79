"""The dynamic programme against every partition there is."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.stats.partition import best_partition


def every_partition(n_edges: int) -> list[list[int]]:
    inner = range(1, n_edges - 1)
    return [[0, *chosen, n_edges - 1] for k in range(n_edges - 1) for chosen in combinations(inner, k)]


def worth(value: NDArray[np.float64], edges: list[int]) -> float:
    return float(sum(value[a, b] for a, b in pairwise(edges)))


def rising(purity: NDArray[np.float64], edges: list[int]) -> bool:
    bins = [purity[a, b] for a, b in pairwise(edges)]
    return all(low <= high for low, high in pairwise(bins))


@pytest.mark.parametrize("max_bins", [None, 1, 2, 4])
@pytest.mark.parametrize("monotone", [False, True])
def test_finds_the_best_of_all_partitions(max_bins: int | None, monotone: bool) -> None:
    rng = np.random.default_rng(11)
    for _ in range(40):
        n = int(rng.integers(2, 9))
        value = rng.normal(size=(n, n))
        value[rng.random((n, n)) < 0.2] = -np.inf
        purity = rng.normal(size=(n, n))
        allowed = [
            worth(value, edges)
            for edges in every_partition(n)
            if (max_bins is None or len(edges) - 1 <= max_bins) and (not monotone or rising(purity, edges))
        ]
        best = max(allowed)
        found = best_partition(value, max_bins=max_bins, purity=purity if monotone else None)
        if best == -np.inf:
            assert found is None
            continue
        assert found is not None
        assert found[0] == 0
        assert found[-1] == n - 1
        assert worth(value, found) == pytest.approx(best, abs=1e-12)
        assert max_bins is None or len(found) - 1 <= max_bins
        assert not monotone or rising(purity, found)
