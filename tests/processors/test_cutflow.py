"""Cutflows are exact: neither chunking nor order changes a digit."""

from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.errors import DataError
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.exact import ExactSum, exact_sums

_numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40)


@settings(max_examples=100, deadline=None)
@given(_numbers)
def test_sum_is_that_of_fractions(values: list[float]) -> None:
    (total,) = exact_sums(np.array(values, np.float64), np.zeros(len(values), np.int64), 1)
    assert Fraction(total.units, 1 << 1074) == sum((Fraction(value) for value in values), Fraction(0))
    assert total == sum((ExactSum.of(value) for value in values), ExactSum())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 3)), min_size=1, max_size=30), st.randoms())
def test_any_chunking_and_order_gives_the_same_cutflow(rows: list[tuple[float, int]], random: Random) -> None:
    names = ("all", "leptons", "jets")

    def flow(part: list[tuple[float, int]]) -> Cutflow:
        weights = np.array([w for w, _ in part], np.float64)
        return Cutflow.filled(names, np.array([n for _, n in part], np.int64), weights)

    whole = flow(rows)
    shuffled = list(rows)
    random.shuffle(shuffled)
    parts = [flow(shuffled[i : i + 4]) for i in range(0, len(shuffled), 4)]
    total = Cutflow()
    for part in reversed(parts):
        total = total + part
    assert total == whole
    assert whole + Cutflow() == whole


def test_tiny_and_huge_weights_do_not_lose_each_other() -> None:
    weight = np.array([1e300, 5e-324, -1e300, 2.5e-320])
    (total,) = exact_sums(weight, np.zeros(4, np.int64), 1)
    assert float(total) == 5e-324 + 2.5e-320


def test_weights_must_be_finite() -> None:
    with pytest.raises(DataError, match="1 of 2 are not"):
        exact_sums(np.array([1.0, np.nan]), np.zeros(2, np.int64), 1)


def test_scaling_scales_sumw2_by_the_square() -> None:
    flow = Cutflow.filled(["all", "cut"], np.array([2, 1]), np.array([2.0, -1.0]))
    row = flow.scaled(3.0).rows()[0]
    assert (row["count"], row["sumw"], row["sumw2"]) == (2, 3.0, 45.0)
    assert flow.rows()[1]["efficiency"] == 2.0
    assert Cutflow.from_json(flow.to_json()).to_json() == flow.to_json()


def test_tables() -> None:
    flow = Cutflow.filled(["all", "two_jets"], np.array([2, 1]), np.array([0.1, 0.2]))
    lines = table_csv({"ttbar": flow}, what="dataset").splitlines()
    assert lines[0] == "dataset,cut,count,sumw,sumw2,error,efficiency,relative_efficiency"
    assert lines[2].startswith("ttbar,two_jets,1,0.1,")
    lines = table_latex({"WW": flow, "top": flow.scaled(1e4)}).splitlines()
    assert lines[2] == r"cut & \multicolumn{2}{c}{WW} & \multicolumn{2}{c}{top} \\"
    cells = r"two\_jets & $0.10 \pm 0.10$ & 33.3\,\% & $1\,000 \pm 1\,000$ & 33.3\,\% \\"
    assert lines[5] == cells


def test_different_cuts_do_not_add() -> None:
    one = Cutflow.filled(["all"], np.array([1]), np.array([1.0]))
    with pytest.raises(DataError, match="different cuts"):
        _ = one + Cutflow.filled(["every"], np.array([1]), np.array([1.0]))


def test_moved_events_are_summed_alone() -> None:
    names, weight = ("all", "leptons", "jets"), np.array([0.1, 0.7, -0.3, 1e-30])
    before, after = np.array([1, 3, 2, 3]), np.array([1, 2, 3, 3])
    moved = Cutflow.filled(names, before, weight).moved(before, after, weight)
    assert moved == Cutflow.filled(names, after, weight)
