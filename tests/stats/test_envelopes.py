"""Envelopes of theory weights against hand calculations, with rates and acceptances apart."""

import numpy as np
import pytest

from znought.errors import CardError, DataError
from znought.stats.envelopes import (
    WeightedYields,
    WeightSet,
    hessian_pair_errors,
    in_quadrature,
    replica_errors,
    seven_points,
    theory_envelope,
)

NOMINAL = np.array([100.0, 50.0])
CENTRAL = WeightedYields(NOMINAL, 1000.0)


def _members(rows: list[list[float]], sums: list[float] | None = None) -> list[WeightedYields]:
    totals = sums or [1000.0] * len(rows)
    return [WeightedYields(np.array(row), total) for row, total in zip(rows, totals, strict=True)]


def test_scales_are_an_envelope_without_their_rate() -> None:
    weights = WeightSet("scale", ("a", "b"))
    members = _members([[110.0, 56.0], [95.0, 44.0]], [1100.0, 950.0])
    found = theory_envelope(NOMINAL, CENTRAL, members, weights)
    assert found.up == pytest.approx([100.0, 56 / 1.1])
    assert found.down == pytest.approx([100.0, 44 / 0.95])
    with_rate = theory_envelope(NOMINAL, CENTRAL, members, WeightSet("scale", ("a", "b"), keep_rate=True))
    assert with_rate.up == pytest.approx([110.0, 56.0])


def test_seven_points_leave_out_those_far_apart() -> None:
    points = [(r, f) for r in (2.0, 1.0, 0.5) for f in (1.0, 0.5, 2.0)]
    kept = [points[i] for i in seven_points(points)]
    assert (1.0, 1.0) not in kept
    assert (2.0, 0.5) not in kept
    assert (0.5, 2.0) not in kept
    assert len(kept) == 6
    eight = [point for point in points if point != (1.0, 1.0)]
    assert len(seven_points(eight)) == 6
    with pytest.raises(DataError, match=r"\(0.5, 0.5\)"):
        seven_points([point for point in points if point != (0.5, 0.5)])


def test_hessian_members_add_in_quadrature() -> None:
    found = theory_envelope(
        NOMINAL, CENTRAL, _members([[103.0, 50.0], [96.0, 50.0]]), WeightSet("hessian", ("e1", "e2"))
    )
    assert found.up == pytest.approx([105.0, 50.0])
    assert found.down == pytest.approx([95.0, 50.0])
    wide = WeightSet("hessian", ("e1", "e2"), confidence_level=90)
    scaled = theory_envelope(NOMINAL, CENTRAL, _members([[103.0, 50.0], [96.0, 50.0]]), wide)
    assert scaled.up[0] == pytest.approx(100 + 5 / 1.6448536)


def test_pairs_of_eigenvectors_are_asymmetric() -> None:
    central = np.array([10.0])
    # One pair to both sides, one with both members above.
    below, above = hessian_pair_errors(central, np.array([[13.0], [9.0], [14.0], [12.0]]))
    assert above == pytest.approx([5.0])
    assert below == pytest.approx([1.0])
    with pytest.raises(DataError, match="even"):
        hessian_pair_errors(central, np.array([[13.0]]))


def test_replicas_have_their_standard_deviation_or_interval() -> None:
    rng = np.random.default_rng(2)
    members = rng.normal(50.0, 2.0, (4000, 1))
    assert replica_errors(members) == pytest.approx([2.0], rel=0.05)
    assert replica_errors(members, interval=True) == pytest.approx([2.0 * 0.9945], rel=0.05)
    skewed = rng.exponential(2.0, (4000, 1))
    assert replica_errors(skewed, interval=True)[0] < 0.9 * replica_errors(skewed)[0]


def test_a_set_has_a_centre_of_its_own() -> None:
    # Generated with another set: its members scatter around 90, not around the nominal's 100.
    centre = WeightedYields(np.array([90.0, 50.0]), 900.0)
    members = _members([[93.0, 50.0], [86.0, 50.0]], [900.0, 900.0])
    found = theory_envelope(NOMINAL, centre, members, WeightSet("hessian", ("e1", "e2")))
    assert found.up == pytest.approx([100 * 95 / 90, 50.0])


def test_alpha_s_keeps_its_sign_and_adds_in_quadrature() -> None:
    weights = WeightSet("pair", ("up", "down"), spread=1.5)
    found = theory_envelope(NOMINAL, CENTRAL, _members([[94.0, 53.0], [106.0, 47.0]]), weights)
    assert found.up == pytest.approx([96.0, 52.0])
    assert found.down == pytest.approx([104.0, 48.0])
    assert in_quadrature(np.array([3.0]), found.up[:1] - 100.0) == pytest.approx([5.0])


def test_contradictions_are_named() -> None:
    with pytest.raises(CardError, match="did you mean 'hessian'"):
        WeightSet("hesian", ("a", "b"))  # type: ignore[arg-type]
    with pytest.raises(CardError, match="at least 10"):
        WeightSet("replicas", ("a", "b"))
    with pytest.raises(CardError, match="different"):
        WeightSet("scale", ("a", "a"))
    with pytest.raises(CardError, match="pair"):
        WeightSet("pair", ("a", "b", "c"))
    with pytest.raises(CardError, match="spread"):
        WeightSet("pair", ("a", "b"), spread=0.0)
    with pytest.raises(DataError, match="sum of a weight"):
        WeightedYields(NOMINAL, 0.0)
    with pytest.raises(DataError, match="2 members"):
        theory_envelope(NOMINAL, CENTRAL, _members([[1.0, 1.0]]), WeightSet("scale", ("a", "b")))
    with pytest.raises(DataError, match="2 bins"):
        theory_envelope(NOMINAL, CENTRAL, _members([[1.0], [2.0]]), WeightSet("scale", ("a", "b")))
