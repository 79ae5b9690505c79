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
    ("pt", "efficiency"),
    [(25.0, 0.63), (45.0, 0.74), (80.0, 0.785), (120.0, 0.80), (160.0, 0.79), (300.0, 0.75), (600.0, 0.675)],
)
def test_b_jets_have_the_published_efficiency_at_77_per_cent(pt: float, efficiency: float) -> None:
    """ATL-PHYS-PUB-2016-012, fig. 12."""
    flavour = np.array([5], dtype=np.int32)
    got = tagging.tag_probability(np.array([pt]), np.zeros(1), flavour, cut=tagging.WORKING_POINTS["77"])
    assert got[0] == pytest.approx(efficiency, abs=1e-9)


@pytest.mark.parametrize(
    ("point", "c", "light"),
    [("85", 2.7, 25.0), ("77", 4.9, 110.0), ("70", 8.9, 300.0), ("60", 23.0, 1200.0)],
)
def test_c_and_light_jets_have_the_published_rejection_on_average(point: str, c: float, light: float) -> None:
    """arXiv:1907.05120, table 4, where the shapes of ATL-PHYS-PUB-2015-022 have their mean."""
    pt, eta = np.array([42.8, 61.6]), np.zeros(2)
    flavour = np.array([4, 0], dtype=np.int32)
    got = tagging.tag_probability(pt, eta, flavour, cut=tagging.WORKING_POINTS[point])
    assert np.allclose(1.0 / got, [c, light], rtol=0.01)


@pytest.mark.parametrize(("flavour", "steepness"), [(4, 1.70), (0, 1.25)])
def test_c_and_light_jets_follow_the_published_shape_at_70_per_cent(flavour: int, steepness: float) -> None:
    """`delphes_card_ATLAS.tcl`: 0.20 tanh(0.02 pT) / (1 + 0.0034 pT) and 0.002 + 7.3e-6 pT, 25 to 100 GeV."""
    pt, flavours = np.array([25.0, 100.0]), np.full(2, flavour, dtype=np.int32)
    low, high = tagging.tag_probability(pt, np.zeros(2), flavours, cut=tagging.WORKING_POINTS["70"])
    published = {4: (0.20 * np.tanh(0.02 * pt) / (1 + 0.0034 * pt)), 0: 0.002 + 7.3e-6 * pt}[flavour]
    assert high / low == pytest.approx(published[1] / published[0], rel=1e-6)
    assert high / low == pytest.approx(steepness, abs=0.02)


def test_soft_b_jets_are_tagged_less_and_none_outside_the_tracker() -> None:
    flavour = np.full(4, 5, dtype=np.int32)
    pt, eta = np.array([25.0, 100.0, 100.0, 15.0]), np.array([0.0, 0.0, 2.6, 0.0])
    probability = tagging.tag_probability(pt, eta, flavour, cut=0.15)
    assert probability[0] < probability[1]
    assert probability[2:].tolist() == [0.0, 0.0]
    assert tagging.discriminant(pt, eta, flavour, np.random.default_rng(1))[2:].tolist() == [0.0, 0.0]
