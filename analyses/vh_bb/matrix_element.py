"""Event weights of the SMEFT coefficients c̄_HW and c̄_HB in qq̄ → V* → V H → (f f̄') H at tree level.

HEL basis (Alloul, Fuks, Sanz, arXiv:1310.5150); massless fermions, so that every current has one chirality.
An amplitude is linear in the coefficients, M = M₀ + c̄_HW M_HW + c̄_HB M_HB, hence |M|² summed over
chiralities is a positive semi-definite quadratic form: six weights fix it for two coefficients, three for
one.
The Warsaw basis normalises its C_HW differently: never mix the two.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from znought.errors import CardError, DataError

__all__ = [
    "COEFFICIENTS",
    "REFERENCE_POINTS",
    "Electroweak",
    "HardProcess",
    "amplitudes",
    "contract",
    "current",
    "effective_sample_size",
    "massless_pair",
    "quadratic_form",
    "reference_weights",
    "weights",
]

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Integers = npt.NDArray[np.int64]

COEFFICIENTS: Final = ("c_hw", "c_hb")
"""Order of the coefficients in every point (c̄_HW, c̄_HB)."""

_STEP: Final = 0.01
REFERENCE_POINTS: Final[tuple[tuple[float, float], ...]] = (
    (0.0, 0.0),
    (_STEP, 0.0),
    (-_STEP, 0.0),
    (0.0, _STEP),
    (0.0, -_STEP),
    (_STEP, _STEP),
)
"""Where the stored weights are evaluated; the first three are enough for c̄_HW alone."""

_METRIC: Final = np.array([1.0, -1.0, -1.0, -1.0])


@dataclass(frozen=True)
class Electroweak:
    """Electroweak input in the on-shell scheme, sin²θ_W = 1 − m_W²/m_Z²."""

    m_w_gev: float = 80.379
    m_z_gev: float = 91.1876

    def __post_init__(self) -> None:
        if not 0.0 < self.m_w_gev < self.m_z_gev:
            raise CardError(f"Expected 0 < m_w_gev < m_z_gev. Received: {self.m_w_gev}, {self.m_z_gev}.")

    @property
    def sin2_theta_w(self) -> float:
        """Squared sine of the weak mixing angle."""
        return 1.0 - (self.m_w_gev / self.m_z_gev) ** 2


@dataclass(frozen=True)
class HardProcess:
    """Hard scattering of n events: q q̄' → (f f̄') H, momenta as (n, 4) rows (E, px, py, pz) in GeV.

    `quark` and `fermion` carry positive, `antiquark` and `antifermion` negative particle numbers. Charged
    (WH) and neutral (ZH) production may be mixed: the quark flavours tell them apart.
    """

    quark: Floats
    antiquark: Floats
    fermion: Floats
    antifermion: Floats
    quark_id: Integers
    antiquark_id: Integers
    fermion_id: Integers

    def __post_init__(self) -> None:
        n = len(self.quark_id)
        for name in ("quark", "antiquark", "fermion", "antifermion"):
            momenta = getattr(self, name)
            if momenta.shape != (n, 4):
                raise DataError(f"Expected momenta of shape ({n}, 4) for {name}. Received: {momenta.shape}.")
            if not np.isfinite(momenta).all():
                raise DataError(f"Expected finite momenta for {name}.")
        if self.antiquark_id.shape != (n,) or self.fermion_id.shape != (n,):
            raise DataError(f"Expected {n} particle numbers of each leg.")
        quarks = (
            (self.quark_id > 0) & (self.quark_id < 6) & (self.antiquark_id < 0) & (self.antiquark_id > -6)
        )
        if not quarks.all():
            raise DataError(
                "Expected a quark and an antiquark in every initial state; leave gg → ZH unweighted."
            )
        if not ((self.fermion_id > 0) & (self.fermion_id < 17)).all():
            raise DataError(
                "Expected a fermion with a positive particle number in every decay of the vector."
            )

    @property
    def charged(self) -> npt.NDArray[np.bool_]:
        """True where the vector is a W, shape (n,)."""
        return np.asarray(self.quark_id % 2 != (-self.antiquark_id) % 2)

    @property
    def pt_v(self) -> Floats:
        """Transverse momentum of the vector, GeV, shape (n,)."""
        vector = self.fermion + self.antifermion
        return np.asarray(np.hypot(vector[:, 1], vector[:, 2]))


def contract(a: npt.NDArray[np.inexact], b: npt.NDArray[np.inexact]) -> npt.NDArray[np.inexact]:
    """Lorentz product a·b with signature (+, −, −, −), over the last axis; no complex conjugation.

    >>> float(contract(np.array([5.0, 0.0, 0.0, 3.0]), np.array([1.0, 0.0, 0.0, 1.0])))
    2.0
    """
    return np.asarray((a * b * _METRIC).sum(axis=-1))


def massless_pair(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The two momenta made light-like along their directions in the pair's rest frame; their sum is kept.

    p' = q/2 ± (√q²/2) k/|k| with q = p₁ + p₂ and k = p₁ − (p₁·q/q²) q: covariant, exact for massless input.

    Raises:
        DataError: a pair without a rest frame (q² ≤ 0).
    """
    total = first + second
    mass2 = contract(total, total)
    if (mass2 <= 0.0).any():
        raise DataError("Expected pairs of momenta with a positive invariant mass.")
    relative = first - (contract(first, total) / mass2)[:, None] * total
    scale = 0.5 * np.sqrt(mass2 / -contract(relative, relative))
    half = scale[:, None] * relative
    return 0.5 * total + half, 0.5 * total - half


def _left_spinor(p: Floats) -> Complexes:
    """Left-handed two-spinor χ of light-like momenta with χ†χ = 2E, shape (n, 2).

    Two forms differing by a phase, for pz ≥ 0 and pz < 0, so that neither divides by a vanishing E ± pz.
    """
    energy = np.sqrt((p[:, 1:] ** 2).sum(axis=1))
    forward = p[:, 3] >= 0.0
    root = np.sqrt(energy + np.abs(p[:, 3]))
    minus = (p[:, 1] - 1j * p[:, 2]) / root
    upper = np.where(forward, -minus, -root)
    lower = np.where(forward, root, minus.conj())
    return np.stack([upper, lower], axis=1)


def current(bra: Floats, ket: Floats) -> Complexes:
    """Left-handed current J^μ = ū(bra) γ^μ P_L u(ket) of massless fermions, shape (n, 4), GeV.

    The right-handed one is its complex conjugate, `current(ket, bra)`. Both are conserved:
    (bra ± ket)·J = 0.

    >>> z = np.array([[1.0, 0.0, 0.0, 1.0]])
    >>> current(z, z).real.round(9).tolist()
    [[2.0, 0.0, -0.0, 2.0]]
    """
    a, b = _left_spinor(bra).conj(), _left_spinor(ket)
    time = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1]
    x = a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0]
    y = -1j * a[:, 0] * b[:, 1] + 1j * a[:, 1] * b[:, 0]
    z = a[:, 0] * b[:, 0] - a[:, 1] * b[:, 1]
    return np.stack([time, -x, -y, -z], axis=1)


def _charge(particle_id: Integers) -> Floats:
    """Electric charge of fermions 1–16 in units of e."""
    up = particle_id % 2 == 0
    return np.where(particle_id < 10, np.where(up, 2.0 / 3.0, -1.0 / 3.0), np.where(up, 0.0, -1.0))


def _couplings(particle_id: Integers, charged: npt.NDArray[np.bool_], electroweak: Electroweak) -> Floats:
    """Couplings to the vector by chirality (left, right), in units of g, shape (n, 2)."""
    sin2 = electroweak.sin2_theta_w
    cos = np.sqrt(1.0 - sin2)
    isospin = np.where(particle_id % 2 == 0, 0.5, -0.5)
    charge = _charge(particle_id)
    left = np.where(charged, 1.0, (isospin - charge * sin2) / cos)
    right = np.where(charged, 0.0, -charge * sin2 / cos)
    return np.stack([left, right], axis=1)


@dataclass(frozen=True)
class _Kinematics:
    """Currents and invariants of one event sample."""

    product: Complexes  # J_in·J_out, (n, 2, 2): incoming, outgoing chirality
    derivative: Complexes  # (J_in·q₂)(J_out·q₁), (n, 2, 2)
    s1: Floats  # q₁²
    s2: Floats  # q₂²
    s12: Floats  # q₁·q₂


def _kinematics(hard: HardProcess) -> _Kinematics:
    quark, antiquark = massless_pair(hard.quark, hard.antiquark)
    fermion, antifermion = massless_pair(hard.fermion, hard.antifermion)
    q1, q2 = quark + antiquark, fermion + antifermion
    left_in, left_out = current(antiquark, quark), current(fermion, antifermion)
    incoming = np.stack([left_in, left_in.conj()], axis=1)
    outgoing = np.stack([left_out, left_out.conj()], axis=1)
    product = contract(incoming[:, :, None, :], outgoing[:, None, :, :])
    with_q2 = contract(incoming, q2[:, None, :].astype(np.complex128))
    with_q1 = contract(outgoing, q1[:, None, :].astype(np.complex128))
    return _Kinematics(
        product=product.astype(np.complex128),
        derivative=(with_q2[:, :, None] * with_q1[:, None, :]).astype(np.complex128),
        s1=contract(q1, q1).astype(np.float64),
        s2=contract(q2, q2).astype(np.float64),
        s12=contract(q1, q2).astype(np.float64),
    )


def amplitudes(hard: HardProcess, electroweak: Electroweak = Electroweak()) -> Complexes:
    """Amplitudes M₀, M_HW, M_HB by chirality: shape (3, n, 2, 2), common factors left out.

    M_λσ = g_σ [A_λ J_in·J_out + B_λ (J_in·q₂)(J_out·q₁)] with, for ZH and X = c̄_HW g/m_W,

        A_λ = g_λ/(q₁² − m_Z²) [g m_W/c_W² + X (q₁² + q₂² − 2 q₁·q₂)] + (e Q/q₁²)(s_W/c_W) X (q₁² − q₁·q₂),
        B_λ = 2 X g_λ/(q₁² − m_Z²) + (e Q/q₁²)(s_W/c_W) X.

    c̄_HB: a factor s_W²/c_W² in the Z terms and −1 in the photon terms. WH: left-handed only, vertex g m_W,
    neither photon nor c̄_HB. The weak coupling g factors out of all of it and is set to 1.

    Raises:
        DataError: q₁² ≤ m_V² somewhere, which V H production cannot give.
    """
    charged = hard.charged
    kin = _kinematics(hard)
    mass2 = np.where(charged, electroweak.m_w_gev, electroweak.m_z_gev) ** 2
    if (kin.s1 <= mass2).any():
        raise DataError("Expected a partonic energy above the vector mass in every event.")
    vector = _couplings(hard.quark_id, charged, electroweak) / (kin.s1 - mass2)[:, None]
    outgoing = _couplings(hard.fermion_id, charged, electroweak)
    a, b = _vertex(vector, hard, kin, electroweak)
    bracket = a[..., None] * kin.product + b[..., None] * kin.derivative
    return np.asarray(bracket * outgoing[:, None, :])


def _vertex(
    vector: Floats, hard: HardProcess, kin: _Kinematics, electroweak: Electroweak
) -> tuple[Floats, Floats]:
    """Coefficients A and B for the three amplitudes, shape (3, n, 2); `vector` is g_λ/(q₁² − m_V²)."""
    charged, sin2 = hard.charged, electroweak.sin2_theta_w
    x = 1.0 / electroweak.m_w_gev
    # e = g s_W: (e Q/q₁²)(s_W/c_W) X, the same for both chiralities of the quark.
    photon = _charge(hard.quark_id) * sin2 / np.sqrt(1.0 - sin2) * x / kin.s1
    photon = np.where(charged, 0.0, photon)[:, None]
    standard = np.where(charged, electroweak.m_w_gev, electroweak.m_w_gev / (1.0 - sin2))[:, None]
    invariant = x * (kin.s1 + kin.s2 - 2.0 * kin.s12)[:, None]
    recoil = (kin.s1 - kin.s12)[:, None]
    hb = np.where(charged, 0.0, sin2 / (1.0 - sin2))[:, None]
    a = [vector * standard, vector * invariant + photon * recoil, hb * vector * invariant - photon * recoil]
    b = [np.zeros_like(vector), 2.0 * x * vector + photon, hb * 2.0 * x * vector - photon]
    return np.stack(a), np.stack(b)


def quadratic_form(hard: HardProcess, electroweak: Electroweak = Electroweak()) -> Floats:
    """Symmetric matrices G with |M(c)|²/|M(0)|² = vᵀ G v, v = (1, c̄_HW, c̄_HB); shape (n, 3, 3), G₀₀ = 1."""
    m = amplitudes(hard, electroweak)
    form = np.einsum("inab,jnab->nij", m, m.conj()).real
    return np.asarray(form / form[:, :1, :1])


def weights(
    hard: HardProcess, points: npt.ArrayLike, electroweak: Electroweak = Electroweak()
) -> npt.NDArray[np.float64]:
    """Event weights |M(c)|²/|M(0)|² at points (k, 2) of (c̄_HW, c̄_HB): shape (n, k), never negative.

    Raises:
        DataError: points that are not pairs of finite numbers.
    """
    c = np.asarray(points, dtype=np.float64)
    if c.ndim != 2 or c.shape[1] != 2 or not np.isfinite(c).all():
        raise DataError(f"Expected finite points (c_hw, c_hb) of shape (k, 2). Received shape: {c.shape}.")
    v = np.column_stack([np.ones(len(c)), c])
    return np.asarray(np.einsum("ki,nij,kj->nk", v, quadratic_form(hard, electroweak), v))


def reference_weights(
    hard: HardProcess, *, coefficients: Literal[1, 2] = 2, electroweak: Electroweak = Electroweak()
) -> Floats:
    """Weights to store with each event: six columns at `REFERENCE_POINTS`, or the three of c̄_HW alone."""
    points = REFERENCE_POINTS if coefficients == 2 else REFERENCE_POINTS[:3]
    return weights(hard, points, electroweak)


def effective_sample_size(event_weights: npt.ArrayLike) -> Floats:
    """Kish's (Σw)²/Σw² over the first axis: how many unweighted events the sample is worth.

    >>> float(effective_sample_size([1.0, 1.0, 2.0]))
    2.6666666666666665
    """
    w = np.asarray(event_weights, dtype=np.float64)
    return np.asarray(w.sum(axis=0) ** 2 / (w**2).sum(axis=0))
