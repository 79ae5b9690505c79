"""Decays drawn anew per response: kinematics, polarisation, flavours, against closed forms and Pythia."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from znought.simulation import decays
from znought.simulation.decays import TAU_MASS_GEV
from znought.simulation.pythia import higgs_decays

N = 40_000


def _mass(p4: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.maximum(p4[..., 3] ** 2 - np.sum(p4[..., :3] ** 2, axis=-1), 0.0)))


def _along_z(mass: float, momentum: float, n: int) -> NDArray[np.float64]:
    return np.tile([0.0, 0.0, momentum, np.hypot(mass, momentum)], (n, 1))


@given(st.tuples(*[st.floats(-300.0, 300.0)] * 3), st.floats(1.0, 200.0))
@settings(max_examples=50, deadline=None)
def test_boost_turns_rest_into_flight_and_keeps_masses(momentum: tuple[float, ...], mass: float) -> None:
    frame = np.array([*momentum, np.sqrt(mass**2 + sum(p * p for p in momentum))])
    assert np.allclose(decays.boosted(np.array([0.0, 0.0, 0.0, mass]), frame), frame, rtol=1e-9, atol=1e-9)
    other = np.array([3.0, -1.0, 2.0, 9.0])
    assert np.isclose(_mass(decays.boosted(other, frame)), _mass(other), rtol=1e-6)


def test_rotation_keeps_lengths_and_angles_and_is_isotropic() -> None:
    pair = np.tile([[[1.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 2.0]]], (N, 1, 1))
    turned = decays.rotated(pair, np.random.default_rng(1))
    assert np.allclose(np.linalg.norm(turned[..., :3], axis=2), [1.0, 2.0])
    assert np.allclose(np.sum(turned[:, 0, :3] * turned[:, 1, :3], axis=1), 0.0, atol=1e-12)
    assert np.allclose(np.mean(turned[:, 0, :3], axis=0), 0.0, atol=4 / np.sqrt(3 * N))
    assert np.allclose(np.mean(turned[:, 0, :3] ** 2, axis=0), 1 / 3, atol=4 * 0.3 / np.sqrt(N))


@pytest.mark.parametrize(("hardness", "mean_fraction"), [(1.0, 0.4), (-1.0, 0.3), (0.0, 0.35)])
def test_energy_fraction_of_electrons_from_polarised_taus(hardness: float, mean_fraction: float) -> None:
    # Fast τ: dN/dz = (5 - 9z² + 4z³)/3 + P (1 - 9z² + 8z³)/3 with P = -h, so <z> = 7/20 + h/20.
    tau = _along_z(TAU_MASS_GEV, 500.0, N)
    electron = np.ones(N, np.bool_)
    lepton = decays.tau_to_lepton(tau, np.full(N, hardness), electron, np.random.default_rng(2))
    fraction = lepton[:, 3] / tau[:, 3]
    assert abs(fraction.mean() - mean_fraction) < 5 * fraction.std() / np.sqrt(N)
    assert fraction.max() < 1.0 + 1e-5


@pytest.mark.parametrize("hardness", [1.0, -1.0, 0.0])
def test_muons_know_their_mass(hardness: float) -> None:
    # <E_lab>/E_τ = <E + p cosθ>/m_τ of the double differential width, integrated here by itself.
    mass, n = 0.105658, 1_000_000
    end = (TAU_MASS_GEV**2 + mass**2) / (2 * TAU_MASS_GEV)
    x0 = mass / end
    x, cos = np.meshgrid(np.linspace(x0, 1.0, 1501), np.linspace(-1.0, 1.0, 201))
    p = np.sqrt(x**2 - x0**2)
    isotropic, anisotropic = 3 * x - 2 * x**2 - x0**2, p * (2 * x - 2 + np.sqrt(1 - x0**2))
    width = p * (isotropic + hardness * cos * anisotropic)
    weight = width * np.where(np.abs(cos) == 1.0, 0.5, 1.0)
    expected = end * np.sum(weight * (x + p * cos)) / np.sum(weight) / TAU_MASS_GEV
    tau = _along_z(TAU_MASS_GEV, 500.0, n)
    muon = np.zeros(n, np.bool_)
    lepton = decays.tau_to_lepton(tau, np.full(n, hardness), muon, np.random.default_rng(2))
    fraction = lepton[:, 3] / tau[:, 3]
    assert abs(fraction.mean() - expected) < 5 * fraction.std() / np.sqrt(n)
    assert expected - (7 + hardness) / 20 > 0.004
    assert np.allclose(_mass(lepton), mass, atol=0.02)


def test_polarisation_follows_the_mass_of_the_pair() -> None:
    v = 1 - 4 * decays.SIN2_EFFECTIVE
    pole, middle, low = decays.tau_polarisation(np.array([decays.Z_MASS_GEV, 60.0, 1.0]))
    assert pole == pytest.approx(-2 * v / (1 + v**2), abs=1e-3)
    # Photon and Z of one sign interfere below the pole, and turn it.
    assert 0.25 < middle < 0.4
    assert abs(low) < 1e-3


@pytest.mark.parametrize("is_electron", [True, False])
def test_neutrinos_of_a_tau_have_no_negative_mass(is_electron: bool) -> None:
    tau = _along_z(TAU_MASS_GEV, 30.0, 5000)
    flavour = np.full(5000, is_electron)
    lepton = decays.tau_to_lepton(tau, np.ones(5000), flavour, np.random.default_rng(3))
    neutrinos = tau - lepton
    mass2 = neutrinos[:, 3] ** 2 - np.sum(neutrinos[:, :3] ** 2, axis=1)
    assert mass2.min() > -1e-6
    assert mass2.max() < (TAU_MASS_GEV - _mass(lepton).min()) ** 2 + 1e-3


def test_w_pair_gives_one_electron_and_one_muon_of_opposite_charge() -> None:
    leptons = np.tile([[[30.0, 0.0, 5.0, np.hypot(30.0, 5.0)], [0.0, 40.0, 0.0, 40.0]]], (N, 1, 1))
    draw = decays.draw_w_pair(leptons, np.random.default_rng(4))
    assert np.array_equal(np.sort(np.abs(draw.pdg_id), axis=1), np.tile([11, 13], (N, 1)))
    assert np.all(draw.pdg_id[:, 0] < 0)
    assert np.all(draw.pdg_id[:, 1] > 0)
    direct = np.isclose(draw.p4[:, 0, 3], leptons[:, 0, 3])
    # Half of the first leptons are electrons, 0.1138·0.1782 / (0.1071 + 0.1138·0.1782) of them through τ.
    expected = 1.0 - 0.5 * (0.159204 + 0.156936)
    assert abs(direct.mean() - expected) < 5 * np.sqrt(0.16 * 0.84 / N)


def test_tau_pairs_are_both_hard_or_both_soft() -> None:
    taus = np.stack([_along_z(TAU_MASS_GEV, 45.0, N), _along_z(TAU_MASS_GEV, -45.0, N)], axis=1)
    draw = decays.draw_tau_pair(taus, np.random.default_rng(5))
    fraction = draw.p4[..., 3] / taus[..., 3]
    covariance = np.cov(fraction.T)[0, 1]
    # hardness h = ±1 in common shifts both means by h/20; its mean is that of -P at this mass. Muons, one of
    # the two, carry 0.0056 more.
    mean = -float(decays.tau_polarisation(np.array(2 * taus[0, 0, 3])))
    assert abs(covariance - (1.0 - mean**2) / 400.0) < 5 * 0.05 / np.sqrt(N)
    assert abs(fraction.mean() - (0.35 + 0.0056 / 2 + mean / 20.0)) < 0.002


def test_higgs_decays_balance_in_the_rest_frame_and_leptons_fly_together() -> None:
    legs = higgs_decays(4000, seed=6)
    assert legs.shape == (4000, 4, 4)
    total = legs.sum(axis=1)
    assert np.allclose(total[:, :3], 0.0, atol=1e-3)
    assert np.allclose(total[:, 3], 125.0, atol=0.5)
    plus, minus = legs[:, 0, :3], legs[:, 2, :3]
    cos = np.sum(plus * minus, axis=1) / np.linalg.norm(plus, axis=1) / np.linalg.norm(minus, axis=1)
    # The spin-0 parent and V-A decays pull the charged leptons together: ⟨cos⟩ > 0; unpolarised W pairs
    # that fly apart would give a negative mean.
    assert cos.mean() > 0.2


def test_redrawn_higgs_decay_keeps_the_dilepton_mass_and_follows_the_higgs() -> None:
    legs = higgs_decays(500, seed=7)
    higgs = np.tile([100.0, 0.0, 50.0, np.sqrt(125.0**2 + 100.0**2 + 50.0**2)], (3000, 1))
    draw = decays.draw_higgs_ww(higgs, legs, np.random.default_rng(8))
    assert _mass(draw.p4.sum(axis=1)).max() < 125.0
    assert draw.p4[..., 0].mean() > 15.0
    assert abs(draw.p4[..., 1].mean()) < 2.0
