"""The discriminant and the probabilities say the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.simulation import tagging


@given(st.floats(21.0, 500.0), st.sampled_from([0, 4, 5]), st.sampled_from(sorted(tagging.WORKING_POINTS)))
@settings(max_examples=30, deadline=None)
def test_discriminants_pass_a_cut_with_the_stated_probability(pt: float, flavour: int, point: str) -> None:
    n = 20_000
    pts, etas = np.full(n, pt), np.full(n, 1.0)
    flavours = np.full(n, flavour, dtype=np.int32)
    cut = tagging.WORKING_POINTS[point]
    expected = tagging.tag_probability(pts[:1], etas[:1], flavours[:1], cut=cut)[0]
    passed = np.mean(tagging.discriminant(pts, etas, flavours, np.random.default_rng(1)) > cut)
    assert abs(passed - expected) < 5 * np.sqrt(expected * (1 - expected) / n) + 1e-4


@pytest.mark.parametrize(
    ("point", "b", "c", "light"),
    [
        ("85", 0.85, 1 / 2.7, 1 / 25),
        ("77", 0.77, 1 / 4.9, 1 / 110),
        ("70", 0.70, 1 / 8.9, 1 / 300),
        ("60", 0.60, 1 / 23, 1 / 1200),
    ],
)
def test_working_points_at_reference_momentum(point: str, b: float, c: float, light: float) -> None:
    pt, eta = np.full(3, 140.0), np.zeros(3)
    got = tagging.tag_probability(pt, eta, np.array([5, 4, 0], np.int32), cut=tagging.WORKING_POINTS[point])
    assert np.allclose(got, [b, c, light], rtol=0.02)


def test_soft_b_jets_are_tagged_less_and_none_outside_the_tracker() -> None:
    flavour = np.full(4, 5, dtype=np.int32)
    pt, eta = np.array([25.0, 100.0, 100.0, 15.0]), np.array([0.0, 0.0, 2.6, 0.0])
    probability = tagging.tag_probability(pt, eta, flavour, cut=0.15)
    assert probability[0] < probability[1]
    assert probability[2:].tolist() == [0.0, 0.0]
    assert tagging.discriminant(pt, eta, flavour, np.random.default_rng(1))[2:].tolist() == [0.0, 0.0]
