"""Kinematics against an independent calculation with `vector`, and in the limits."""

from typing import Any

import numpy as np
import pytest
import vector
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.processors.kinematics import (
    Momentum,
    collinear_fractions,
    collinear_mass,
    delta_phi,
    delta_r,
    delta_y,
    invariant_mass,
    pair_azimuth,
    pair_pt,
    transverse_mass,
)

_momenta = st.tuples(
    st.floats(1.0, 500.0), st.floats(-4.5, 4.5), st.floats(-np.pi, np.pi), st.floats(0.0, 100.0)
)


def _vector(p: tuple[float, float, float, float]) -> Any:
    return vector.obj(pt=p[0], eta=p[1], phi=p[2], mass=p[3])


@settings(max_examples=100, deadline=None)
@given(_momenta, _momenta)
def test_pairs_agree_with_vector(
    p: tuple[float, float, float, float], q: tuple[float, float, float, float]
) -> None:
    a, b, va, vb = Momentum.of(*p), Momentum.of(*q), _vector(p), _vector(q)
    total = va + vb
    # vector takes the difference of large numbers: compare the squares on the scale of the energies.
    assert invariant_mass(a, b) ** 2 == pytest.approx(total.mass2, abs=1e-9 * total.E**2)
    assert delta_y(a, b) == pytest.approx(abs(va.rapidity - vb.rapidity), abs=1e-6)
    assert delta_phi(a.phi, b.phi) == pytest.approx(abs(va.deltaphi(vb)), abs=1e-9)
    assert delta_r(a.eta, a.phi, b.eta, b.phi) == pytest.approx(va.deltaR(vb), abs=1e-9)
    assert pair_pt(a, b) == pytest.approx(total.pt, abs=1e-6)
    if total.pt > 1e-3:
        assert np.cos(pair_azimuth(a, b) - total.phi) == pytest.approx(1.0, abs=1e-9)


def test_massless_collinear_pair_has_exactly_no_mass() -> None:
    lepton = Momentum.of([45.0, 1e3], [2.1, -2.0], [3.1, -1.0])
    assert invariant_mass(lepton, lepton).tolist() == [0.0, 0.0]


def test_back_to_back_pair() -> None:
    a, b = Momentum.of(50.0, 0.0, 0.0), Momentum.of(50.0, 0.0, np.pi)
    assert invariant_mass(a, b) == pytest.approx(100.0)
    assert pair_pt(a, b) == pytest.approx(0.0, abs=1e-9)
    assert delta_phi(0.0, np.pi) == np.pi


def test_zero_momentum_is_finite() -> None:
    nothing, jet = Momentum.of(0.0, 0.0, 0.0), Momentum.of(30.0, 1.0, 1.0, 5.0)
    assert invariant_mass(nothing, jet) == pytest.approx(5.0)
    assert np.isfinite(nothing.y)


def _cartesian(pt: float, phi: float) -> tuple[float, float]:
    return pt * float(np.cos(phi)), pt * float(np.sin(phi))


def test_transverse_mass_by_its_definition() -> None:
    pt, mass, met = 60.0, 35.0, 45.0
    for phi, met_phi in ((0.4, -2.2), (0.4, 0.1), (-3.0, 3.0), (1.0, 1.0)):
        p_ll, missing = _cartesian(pt, phi), _cartesian(met, met_phi)
        vector_sum = np.hypot(p_ll[0] + missing[0], p_ll[1] + missing[1])
        expected = np.sqrt((np.hypot(pt, mass) + met) ** 2 - vector_sum**2)
        assert transverse_mass(p_ll, mass, missing) == pytest.approx(expected, rel=1e-12)
    assert transverse_mass((0.0, 0.0), 0.0, (30.0, -20.0)) == 0.0


def test_transverse_mass_of_parallel_momenta_keeps_its_digits() -> None:
    # M_T² = p q Δφ² for massless parallel vectors: a difference of squares would leave nothing of it.
    pt, met, opening = 60.0, 45.0, 1e-7
    found = transverse_mass(_cartesian(pt, 0.3), 0.0, _cartesian(met, 0.3 + opening))
    assert found == pytest.approx(np.sqrt(pt * met) * opening, rel=1e-6)


def test_collinear_mass_finds_the_generated_mass() -> None:
    # Visible leptons carry x of their τ; neutrinos follow them exactly.
    x1, x2 = 0.3, 0.7
    tau1, tau2 = Momentum.of(80.0, 0.5, 0.3), Momentum.of(50.0, -0.4, 2.0)
    l1 = Momentum.of(x1 * tau1.pt, tau1.eta, tau1.phi)
    l2 = Momentum.of(x2 * tau2.pt, tau2.eta, tau2.phi)
    px = (1 - x1) * tau1.px + (1 - x2) * tau2.px
    py = (1 - x1) * tau1.py + (1 - x2) * tau2.py
    fractions = collinear_fractions(l1, l2, (px, py))
    assert [float(x) for x in fractions] == pytest.approx([x1, x2])
    assert collinear_mass(l1, l2, (px, py)) == pytest.approx(float(invariant_mass(tau1, tau2)))


@pytest.mark.parametrize(
    ("phi", "met_phi"),
    [
        pytest.param(0.0, 1.0, id="parallel leptons"),
        pytest.param(np.pi, 1.0, id="antiparallel leptons"),
        pytest.param(np.float32(0.7) - np.float32(np.pi) - 0.7, 1.0, id="antiparallel in float32"),
        pytest.param(1.0, np.pi + 0.5, id="x above 1"),
        pytest.param(1.0, -1.0, id="second x outside"),
        pytest.param(1.0, 2.0, id="first x outside"),
    ],
)
def test_collinear_mass_is_undefined_outside_its_range(phi: float, met_phi: float) -> None:
    a, b = Momentum.of(40.0, 0.0, 0.0), Momentum.of(30.0, 0.0, phi)
    assert np.isnan(collinear_mass(a, b, _cartesian(30.0, met_phi)))


def test_collinear_mass_at_x_equal_one() -> None:
    a, b = Momentum.of(40.0, 0.0, 0.0), Momentum.of(30.0, 0.0, 1.0)
    assert collinear_mass(a, b, (0.0, 0.0)) == pytest.approx(float(invariant_mass(a, b)))
    assert collinear_mass(a, b, (20.0, 0.0)) == pytest.approx(float(invariant_mass(a, b)) * np.sqrt(1.5))
