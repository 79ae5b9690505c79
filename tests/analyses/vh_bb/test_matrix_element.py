"""The SMEFT amplitudes: conservation, invariance, an independent trace calculation, the quadratic form."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from znought.analyses.vh_bb import matrix_element as smeft
from znought.analyses.vh_bb.matrix_element import Electroweak, HardProcess
from znought.errors import CardError, DataError

Floats = npt.NDArray[np.float64]
M_H = 125.0


def boost(p: Floats, beta: Floats) -> Floats:
    """Momenta p (n, 4) seen from a frame that moves with −beta (3,)."""
    gamma = 1.0 / np.sqrt(1.0 - beta @ beta)
    along = p[:, 1:] @ beta
    energy = gamma * (p[:, 0] + along)
    space = p[:, 1:] + np.outer(gamma**2 / (1.0 + gamma) * along + gamma * p[:, 0], beta)
    return np.column_stack([energy, space])


def two_body(parents: Floats, mass2: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Isotropic decays of parents (n, 4) into a product of squared mass mass2 (n, 2)."""
    n = len(parents)
    m2 = smeft.contract(parents, parents)
    a, b = mass2.T
    momentum = np.sqrt((m2 - a - b) ** 2 - 4.0 * a * b) / (2.0 * np.sqrt(m2))
    direction = rng.normal(size=(n, 3))
    direction *= (momentum / np.linalg.norm(direction, axis=1))[:, None]
    daughters = []
    for sign, square in ((1.0, a), (-1.0, b)):
        rest = np.column_stack([np.sqrt(square + momentum**2), sign * direction])
        beta = parents[:, 1:] / parents[:, :1]
        daughters.append(np.concatenate([boost(rest[i : i + 1], beta[i]) for i in range(n)]))
    return daughters[0], daughters[1]


def hard_process(n: int, seed: int, *, charged: bool) -> HardProcess:
    """Random q q̄' → (f f̄') H, with quarks along the beam, of both directions."""
    rng = np.random.default_rng(seed)
    x1, x2 = rng.uniform(200.0, 1500.0, size=(2, n))
    direction = rng.choice([-1.0, 1.0], size=n)
    zero = np.zeros(n)
    quark = np.column_stack([x1, zero, zero, direction * x1])
    antiquark = np.column_stack([x2, zero, zero, -direction * x2])
    vector_mass2 = rng.uniform(70.0, 100.0, size=n) ** 2
    vector, _ = two_body(quark + antiquark, np.column_stack([vector_mass2, np.full(n, M_H**2)]), rng)
    fermion, antifermion = two_body(vector, np.zeros((n, 2)), rng)
    quark_id = rng.choice([1, 2, 3, 4, 5], size=n)
    partner = np.where(quark_id % 2 == 0, quark_id - 1, quark_id + 1) if charged else quark_id
    partner = np.where(partner > 5, 4, partner)
    fermion_id = rng.choice([11, 12, 13, 14], size=n)
    return HardProcess(quark, antiquark, fermion, antifermion, quark_id, -partner, fermion_id)


def mapped(hard: HardProcess, rotation: Floats, beta: Floats) -> HardProcess:
    """The same events seen from another frame."""

    def move(p: Floats) -> Floats:
        return boost(np.column_stack([p[:, 0], p[:, 1:] @ rotation.T]), beta)

    return replace(
        hard,
        quark=move(hard.quark),
        antiquark=move(hard.antiquark),
        fermion=move(hard.fermion),
        antifermion=move(hard.antifermion),
    )


def random_rotation(seed: int) -> Floats:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


@pytest.mark.parametrize("charged", [False, True])
def test_currents_are_conserved(charged: bool) -> None:
    hard = hard_process(500, 1, charged=charged)
    for a, b in ((hard.antiquark, hard.quark), (hard.fermion, hard.antifermion)):
        j = smeft.current(a, b)
        total = a + b
        scale = np.abs(j).max(axis=1) * np.abs(total).max(axis=1)
        assert np.abs(smeft.contract(j, total) / scale).max() < 1e-9


def test_the_right_handed_current_is_the_conjugate_and_currents_square_to_minus_twice_the_mass() -> None:
    hard = hard_process(200, 2, charged=False)
    left = smeft.current(hard.fermion, hard.antifermion)
    right = smeft.current(hard.antifermion, hard.fermion)
    np.testing.assert_allclose(left.conj(), right, atol=1e-9)
    # Σ J·J* = tr over one chirality = −4 p·k
    np.testing.assert_allclose(
        smeft.contract(left, left.conj()), -4.0 * smeft.contract(hard.fermion, hard.antifermion), rtol=1e-9
    )


@pytest.mark.parametrize("charged", [False, True])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_weights_do_not_depend_on_the_frame(charged: bool, seed: int) -> None:
    hard = hard_process(200, seed, charged=charged)
    beta = np.random.default_rng(seed).uniform(-0.5, 0.5, size=3)
    moved = mapped(hard, random_rotation(seed), beta)
    np.testing.assert_allclose(
        smeft.quadratic_form(moved), smeft.quadratic_form(hard), rtol=1e-7, atol=1e-7 * 3e3
    )
    m0, m1 = (np.abs(smeft.amplitudes(h)[0]) ** 2 for h in (hard, moved))
    np.testing.assert_allclose(m1.sum(axis=(1, 2)), m0.sum(axis=(1, 2)), rtol=1e-7)


def dirac() -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128]]:
    """γ^μ (4, 4, 4) and γ₅ in the Dirac representation: another one than the Weyl spinors use."""
    one, zero = np.eye(2), np.zeros((2, 2))
    sigma = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.array([[1, 0], [0, -1]])]
    gamma = [np.block([[one, zero], [zero, -one]])] + [np.block([[zero, s], [-s, zero]]) for s in sigma]
    return np.array(gamma, dtype=np.complex128), np.block([[zero, one], [one, zero]]).astype(np.complex128)


METRIC = np.diag([1.0, -1.0, -1.0, -1.0])


def lepton_tensor(p: Floats, k: Floats, left: float, right: float) -> npt.NDArray[np.complex128]:
    """tr[p̸ γ^μ k̸ γ^ν (left² P_L + right² P_R)]: what the sum over spins of a current and its conjugate is."""
    gamma, gamma5 = dirac()
    slash_p = np.einsum("m,mab->ab", METRIC @ p, gamma)
    slash_k = np.einsum("m,mab->ab", METRIC @ k, gamma)
    projector = left**2 * (np.eye(4) - gamma5) / 2 + right**2 * (np.eye(4) + gamma5) / 2
    return np.asarray(np.einsum("ab,mbc,cd,nde,ea->mn", slash_p, gamma, slash_k, gamma, projector))


def vertex_tensor(q1: Floats, q2: Floats, g1: float, g2: tuple[float, float], sm: float) -> Floats:
    """h V(q₁ in) V'(q₂ out) of −g⁽¹⁾/2·V_μν V'^μν h − g⁽²⁾ V_ν ∂_μ V'^μν h, with conserved currents.

    g2 = (coefficient with the derivatives on the incoming field, on the outgoing field).
    """
    s1, s2, s12 = q1 @ METRIC @ q1, q2 @ METRIC @ q2, q1 @ METRIC @ q2
    metric_part = sm - g1 * s12 + g2[0] * s1 + g2[1] * s2
    return np.asarray(metric_part * METRIC + g1 * np.outer(METRIC @ q2, METRIC @ q1))


def traced(hard: HardProcess, i: int, c_hw: float, c_hb: float) -> float:
    """|M|² of event i from Dirac traces and the HEL Lagrangian of arXiv:1310.5150 (g = 1)."""
    ew = Electroweak()
    s2 = ew.sin2_theta_w
    cos, sin = np.sqrt(1 - s2), np.sqrt(s2)
    q1, q2 = hard.quark[i] + hard.antiquark[i], hard.fermion[i] + hard.antifermion[i]
    s_hat = q1 @ METRIC @ q1
    quark, fermion = int(hard.quark_id[i]), int(hard.fermion_id[i])

    def z_couplings(pid: int) -> tuple[float, float]:
        isospin = 0.5 if pid % 2 == 0 else -0.5
        charge = {(True, True): 2 / 3, (True, False): -1 / 3, (False, True): 0.0, (False, False): -1.0}[
            (pid < 10, pid % 2 == 0)
        ]
        return (isospin - charge * s2) / cos, -charge * s2 / cos

    if hard.charged[i]:
        g1, g2 = 2 * c_hw / ew.m_w_gev, c_hw / ew.m_w_gev
        tensors = {0: vertex_tensor(q1, q2, g1, (g2, g2), ew.m_w_gev) / (s_hat - ew.m_w_gev**2)}
        outgoing = (1.0, 0.0)
    else:
        unit = 1 / (cos**2 * ew.m_w_gev)
        g2 = unit * (c_hw * cos**2 + c_hb * s2)
        zz = vertex_tensor(q1, q2, 2 * g2, (g2, g2), ew.m_w_gev / cos**2) / (s_hat - ew.m_z_gev**2)
        ga = sin / (cos * ew.m_w_gev) * (c_hw - c_hb)
        az = vertex_tensor(q1, q2, ga, (ga, 0.0), 0.0) / s_hat
        charge = 2 / 3 if quark % 2 == 0 else -1 / 3
        tensors = {h: g * zz + sin * charge * az for h, g in enumerate(z_couplings(quark))}
        outgoing = z_couplings(fermion)
    out = lepton_tensor(hard.fermion[i], hard.antifermion[i], *outgoing)
    total = 0.0
    for chirality, tensor in tensors.items():
        one = (1.0, 0.0) if chirality == 0 else (0.0, 1.0)
        incoming = lepton_tensor(hard.antiquark[i], hard.quark[i], *one)
        total += np.einsum("ab,mn,am,bn->", incoming, out, tensor, tensor).real
    return total


@pytest.mark.parametrize("charged", [False, True])
@pytest.mark.parametrize("point", [(0.0, 0.0), (0.01, 0.0), (-0.03, 0.0), (0.0, 0.02), (0.01, -0.02)])
def test_amplitudes_agree_with_dirac_traces(charged: bool, point: tuple[float, float]) -> None:
    hard = hard_process(12, 6, charged=charged)
    expected = [traced(hard, i, *point) for i in range(12)]
    m = smeft.amplitudes(hard)
    total = m[0] + point[0] * m[1] + point[1] * m[2]
    np.testing.assert_allclose((np.abs(total) ** 2).sum(axis=(1, 2)), expected, rtol=1e-8)


@pytest.mark.parametrize("charged", [False, True])
def test_six_weights_fix_the_quadratic_form_at_any_other_point(charged: bool) -> None:
    hard = hard_process(100, 7, charged=charged)
    stored = smeft.reference_weights(hard)
    c = np.array(smeft.REFERENCE_POINTS)

    def monomials(p: Floats) -> Floats:
        return np.column_stack([np.ones(len(p)), p, p[:, 0] ** 2, p[:, 0] * p[:, 1], p[:, 1] ** 2])

    elsewhere = np.array([[0.03, 0.0], [-0.02, 0.05], [0.1, -0.1]])
    coefficients = np.linalg.solve(monomials(c), stored.T)
    predicted = (monomials(elsewhere) @ coefficients).T
    np.testing.assert_allclose(predicted, smeft.weights(hard, elsewhere), rtol=1e-8, atol=1e-7)
    three = smeft.reference_weights(hard, coefficients=1)
    np.testing.assert_array_equal(three, stored[:, :3])
    parabola = np.polynomial.polynomial.polyfit(c[:3, 0], three.T, 2)
    np.testing.assert_allclose(
        np.polynomial.polynomial.polyval(0.03, parabola), smeft.weights(hard, elsewhere)[:, 0], rtol=1e-8
    )


@pytest.mark.parametrize("charged", [False, True])
def test_weights_are_positive_and_one_in_the_standard_model(charged: bool) -> None:
    hard = hard_process(300, 8, charged=charged)
    grid = np.array([[x, y] for x in np.linspace(-0.1, 0.1, 9) for y in np.linspace(-0.1, 0.1, 9)])
    w = smeft.weights(hard, grid)
    assert np.isfinite(w).all()
    assert w.min() >= 0.0
    np.testing.assert_allclose(smeft.weights(hard, [(0.0, 0.0)]), 1.0, rtol=1e-12)
    assert np.linalg.eigvalsh(smeft.quadratic_form(hard)).min() > -1e-8 * smeft.quadratic_form(hard).max()


@pytest.mark.parametrize("charged", [False, True])
def test_weights_are_bounded_by_the_energy_of_the_collision(charged: bool) -> None:
    hard = hard_process(500, 13, charged=charged)
    total = hard.quark + hard.antiquark
    s_hat = np.asarray(smeft.contract(total, total), dtype=np.float64)
    # The amplitude of c̄ grows with ŝ/m_W² over that of the standard model, and not faster; the ratio is
    # larger only at decay angles where the standard model's amplitude nearly vanishes.
    amplitude = np.sqrt(smeft.quadratic_form(hard)[:, 1, 1])
    growth = amplitude / (s_hat / Electroweak().m_w_gev ** 2)
    assert np.quantile(growth, 0.98) < 5.0
    low, high = (np.median(growth[mask]) for mask in (s_hat < 1000.0**2, s_hat > 2000.0**2))
    assert high == pytest.approx(low, rel=0.3)
    for c in (0.001, 0.03, -0.1):
        w = smeft.weights(hard, [(c, 0.0)])[:, 0]
        assert (w <= (1.0 + abs(c) * amplitude) ** 2 * (1.0 + 1e-9)).all()
        assert (w >= (1.0 - abs(c) * amplitude) ** 2 * (1.0 - 1e-9) - 1e-9).all()


def test_c_hb_leaves_wh_alone_and_changes_zh() -> None:
    points = [(0.0, 0.02)]
    np.testing.assert_allclose(smeft.weights(hard_process(50, 9, charged=True), points), 1.0, rtol=1e-12)
    assert np.ptp(smeft.weights(hard_process(50, 9, charged=False), points)) > 0.01


def test_light_fermion_masses_do_not_spoil_conservation() -> None:
    rng = np.random.default_rng(10)
    vector = np.tile([300.0, 100.0, -50.0, 250.0], (20, 1))
    lepton, neutrino = two_body(vector, np.tile([1.777**2, 0.0], (20, 1)), rng)
    a, b = smeft.massless_pair(lepton, neutrino)
    np.testing.assert_allclose(smeft.contract(a, a), 0.0, atol=1e-9 * 300.0**2)
    np.testing.assert_allclose(a + b, lepton + neutrino, rtol=1e-12)
    assert np.abs(smeft.contract(smeft.current(a, b), a + b)).max() < 1e-9 * 300.0**2


def test_effective_sample_size_falls_with_the_spread_of_weights() -> None:
    assert smeft.effective_sample_size(np.ones(7)) == 7.0
    w = smeft.weights(hard_process(200, 11, charged=False), [(0.0, 0.0), (0.03, 0.0)])
    plain, spread = smeft.effective_sample_size(w)
    assert plain == pytest.approx(200.0)
    assert spread < 150.0


def test_errors_name_what_is_wrong() -> None:
    hard = hard_process(3, 12, charged=False)
    legs = (hard.quark, hard.antiquark, hard.fermion, hard.antifermion)
    with pytest.raises(DataError, match="gg → ZH"):
        HardProcess(*legs, np.full(3, 21), np.full(3, 21), hard.fermion_id)
    with pytest.raises(DataError, match="shape"):
        HardProcess(hard.quark[:2], *legs[1:], hard.quark_id, hard.antiquark_id, hard.fermion_id)
    with pytest.raises(DataError, match="finite momenta"):
        HardProcess(hard.quark * np.nan, *legs[1:], hard.quark_id, hard.antiquark_id, hard.fermion_id)
    with pytest.raises(DataError, match=r"\(k, 2\)"):
        smeft.weights(hard, [0.01])
    with pytest.raises(DataError, match="above the vector mass"):
        smeft.amplitudes(hard, Electroweak(m_w_gev=4000.0, m_z_gev=5000.0))
    with pytest.raises(DataError, match="positive invariant mass"):
        smeft.massless_pair(hard.quark, hard.quark)
    with pytest.raises(CardError, match="m_w_gev"):
        Electroweak(m_w_gev=100.0)
