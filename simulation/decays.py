"""Lepton decays drawn anew for each detector response, vectorised over events.

A scalar Higgs boson decays alike whatever produced it, and a τ of given helicity decays alike whatever
its parent: so one showered event can be given many decays. The helicities of the two τ of a Z or photon are
fully anticorrelated, and their mean follows the mass of the pair; transverse spin correlations are left out.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LeptonDraw",
    "boosted",
    "draw_higgs_ww",
    "draw_tau_pair",
    "draw_w",
    "draw_w_pair",
    "rotated",
    "tau_polarisation",
    "tau_to_lepton",
]

Array = NDArray[np.float64]

TAU_MASS_GEV = 1.77686
BR_W_E, BR_W_MU, BR_W_TAU = 0.1071, 0.1063, 0.1138
BR_TAU_E, BR_TAU_MU = 0.1782, 0.1739
ELECTRON_MASS_GEV, MUON_MASS_GEV = 0.000511, 0.105658
# arXiv:hep-ex/0509008, tables 8.4 and 8.9.
Z_MASS_GEV, Z_WIDTH_GEV, SIN2_EFFECTIVE = 91.1875, 2.4952, 0.23153


@dataclass(frozen=True)
class LeptonDraw:
    """Prompt light leptons of one response, rectangular.

    Attributes:
        p4: (px, py, pz, E) in GeV, shape (n_events, n_leptons, 4).
        pdg_id: ±11, ±13, or 0 for padding, shape (n_events, n_leptons).
    """

    p4: Array
    pdg_id: NDArray[np.int32]


def boosted(p4: Array, frame: Array) -> Array:
    """Four-momenta taken from the rest frame of `frame` into the frame in which `frame` is given.

    Args:
        p4: (px, py, pz, E), shape (..., 4).
        frame: massive four-momenta that broadcast against p4.

    >>> at_rest = np.array([0.0, 0.0, 0.0, 2.0])
    >>> boosted(at_rest, np.array([3.0, 0.0, 0.0, 5.0])).round(6).tolist()
    [1.5, 0.0, 0.0, 2.5]
    """
    momentum, energy = frame[..., :3], frame[..., 3:]
    mass = np.sqrt(np.maximum(energy**2 - np.sum(momentum**2, axis=-1, keepdims=True), 1e-12))
    projection = np.sum(p4[..., :3] * momentum, axis=-1, keepdims=True)
    new_energy = (energy * p4[..., 3:] + projection) / mass
    new_momentum = p4[..., :3] + momentum * (p4[..., 3:] + new_energy) / (energy + mass)
    return np.concatenate([new_momentum, new_energy], axis=-1)


def rotated(p4: Array, rng: np.random.Generator) -> Array:
    """Each row of particles (n, k, 4) turned by its own uniformly drawn rotation."""
    quaternion = rng.normal(size=(p4.shape[0], 4))
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    scalar, axis = quaternion[:, None, :1], quaternion[:, None, 1:]
    vector = p4[..., :3]
    cross = 2.0 * np.cross(np.broadcast_to(axis, vector.shape), vector)
    turned = vector + scalar * cross + np.cross(np.broadcast_to(axis, vector.shape), cross)
    return np.concatenate([turned, p4[..., 3:]], axis=-1)


@dataclass(frozen=True)
class _Spectrum:
    """Energy and direction of the light lepton of τ → ℓνν̄ in the rest frame of the τ.

    Attributes:
        mass_gev: of the lepton.
    """

    mass_gev: float

    @property
    def end_gev(self) -> float:
        """Largest energy, (m_τ² + m_ℓ²) / 2 m_τ."""
        return (TAU_MASS_GEV**2 + self.mass_gev**2) / (2.0 * TAU_MASS_GEV)

    @cached_property
    def table(self) -> tuple[Array, Array]:
        """x = E/E_max and its cumulative distribution."""
        x0 = self.mass_gev / self.end_gev
        x = np.linspace(x0, 1.0, 4097)
        density = np.sqrt(x**2 - x0**2) * (3.0 * x - 2.0 * x**2 - x0**2)
        cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        return x, cumulative / cumulative[-1]

    def slope(self, x: Array) -> Array:
        """dΓ/dcosθ ∝ 1 + h · slope · cosθ at energy fraction x."""
        x0 = self.mass_gev / self.end_gev
        anisotropy = np.sqrt(x**2 - x0**2) * (2.0 * x - 2.0 + np.sqrt(1.0 - x0**2))
        return np.asarray(anisotropy / (3.0 * x - 2.0 * x**2 - x0**2), np.float64)


_ELECTRON, _MUON = _Spectrum(ELECTRON_MASS_GEV), _Spectrum(MUON_MASS_GEV)


def tau_to_lepton(
    tau: Array, hardness: Array, is_electron: NDArray[np.bool_], rng: np.random.Generator
) -> Array:
    """Light leptons from τ → ℓνν̄ of polarised τ.

    With x = E/E_max, x₀ = m_ℓ/E_max and θ the angle to the τ's flight direction, in its rest frame,
    d²Γ/dx dcosθ ∝ √(x² − x₀²) [3x − 2x² − x₀² + h cosθ √(x² − x₀²) (2x − 2 + √(1 − x₀²))];
    h = +1 for a left-handed τ⁻ or right-handed τ⁺ (hard leptons, as from W decays), −1 for the opposite.

    Args:
        tau: four-momenta, shape (n, 4).
        hardness: h, shape (n,).
        is_electron: which become electrons, the others muons, shape (n,).
        rng: random numbers.

    Returns:
        Lepton four-momenta, shape (n, 4).

    References:
        Fetscher, Gerber, "Muon decay parameters", Review of Particle Physics, for V − A; masses beyond
        the first order in Bullock, Hagiwara, Martin, Nucl. Phys. B395 (1993) 499.
    """
    n = len(tau)
    drawn = rng.random(n)
    x, slope, end, mass = (np.empty(n) for _ in range(4))
    for spectrum, chosen in ((_ELECTRON, is_electron), (_MUON, ~is_electron)):
        grid, cumulative = spectrum.table
        x[chosen] = np.interp(drawn[chosen], cumulative, grid)
        slope[chosen] = spectrum.slope(x[chosen])
        end[chosen], mass[chosen] = spectrum.end_gev, spectrum.mass_gev
    cos = _cosines(hardness * slope, rng)
    sin, phi = np.sqrt(1.0 - cos**2), 2.0 * np.pi * rng.random(n)
    energy = end * x
    momentum = np.sqrt(np.maximum(energy**2 - mass**2, 0.0))
    flight = tau[:, :3] / np.linalg.norm(tau[:, :3], axis=1, keepdims=True)
    side, up = _transverse(flight)
    direction = (
        cos[:, None] * flight + (sin * np.cos(phi))[:, None] * side + (sin * np.sin(phi))[:, None] * up
    )
    rest = np.concatenate([momentum[:, None] * direction, energy[:, None]], axis=1)
    return boosted(rest, tau)


def _cosines(slope: Array, rng: np.random.Generator) -> Array:
    """cosθ of density (1 + slope · cosθ) / 2, shape (n,)."""
    u = 2.0 * rng.random(slope.size) - 1.0
    flat = np.abs(slope) < 1e-6
    safe = np.where(flat, 1.0, slope)
    root = np.sqrt(np.maximum(1.0 + safe * (safe + 2.0 * u), 0.0))
    return np.clip(np.where(flat, u, (root - 1.0) / safe), -1.0, 1.0)


def tau_polarisation(mass_gev: Array) -> Array:
    """Mean polarisation of τ⁻ in qq̄ → γ*/Z → τ⁺τ⁻, averaged over angles and over u and d quarks.

    P = Σ (|A_λR|² − |A_λL|²) / Σ (|A_λR|² + |A_λL|²), summed over the quark and its helicity λ, with
    A_λσ = Q_q Q_τ + g_λ(q) g_σ(τ) s / (s − m_Z² + i m_Z Γ_Z) / (sin²θ cos²θ), g = T₃ − Q sin²θ for left
    and −Q sin²θ for right hands.

    Args:
        mass_gev: √s of the pair, shape (n,).

    Returns:
        P, shape (n,); at the Z pole −A_τ, whatever the quarks.

    References:
        LEP and SLD, arXiv:hep-ex/0509008, section 1.5, for amplitudes, mass, width and sin²θ of leptons.
    """
    s = np.asarray(mass_gev, np.float64) ** 2
    weak = SIN2_EFFECTIVE * (1.0 - SIN2_EFFECTIVE)
    propagator = s / (s - Z_MASS_GEV**2 + 1j * Z_MASS_GEV * Z_WIDTH_GEV) / weak
    left, right = np.zeros_like(s), np.zeros_like(s)
    for charge, isospin in ((2.0 / 3.0, 0.5), (-1.0 / 3.0, -0.5)):
        for quark in _couplings(charge, isospin):
            of_left, of_right = _couplings(-1.0, -0.5)
            left += np.abs(-charge + quark * of_left * propagator) ** 2
            right += np.abs(-charge + quark * of_right * propagator) ** 2
    return np.asarray((right - left) / (right + left), np.float64)


def _couplings(charge: float, isospin: float) -> tuple[float, float]:
    """g of left and right hands to the Z."""
    return isospin - charge * SIN2_EFFECTIVE, -charge * SIN2_EFFECTIVE


def _transverse(direction: Array) -> tuple[Array, Array]:
    helper = np.where(np.abs(direction[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(helper, direction)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return side, np.cross(direction, side)


def draw_w_pair(leptons: Array, rng: np.random.Generator) -> LeptonDraw:
    """e±μ∓ from the two charged leptons (ℓ⁺, ℓ⁻) of a W⁺W⁻ pair, also through τ.

    Flavours are drawn with the branching ratios of W and τ, given an e±μ∓ final state; its total
    probability is `2 · 0.1274 · 0.1261 = 0.03213`.
    """
    n = leptons.shape[0]
    plus_is_electron = rng.random(n) < 0.5
    is_electron = np.stack([plus_is_electron, ~plus_is_electron], axis=1)
    return LeptonDraw(_perhaps_through_tau(leptons, is_electron, rng), _pdg_ids(is_electron))


def draw_w(lepton: Array, pdg_id: NDArray[np.int32], rng: np.random.Generator) -> LeptonDraw:
    """e or μ from the charged lepton of one W boson, also through τ.

    Of the total probability, 0.1274 + 0.1261 = 0.2535, the first part are electrons.

    Args:
        lepton: four-momenta, shape (n_events, 1, 4).
        pdg_id: of any generation, for its charge, shape (n_events, 1).
        rng: random numbers.
    """
    electrons, muons = BR_W_E + BR_W_TAU * BR_TAU_E, BR_W_MU + BR_W_TAU * BR_TAU_MU
    is_electron = rng.random(pdg_id.shape) < electrons / (electrons + muons)
    drawn = np.sign(pdg_id) * np.where(is_electron, 11, 13)
    return LeptonDraw(_perhaps_through_tau(lepton, is_electron, rng), drawn.astype(np.int32))


def _perhaps_through_tau(leptons: Array, is_electron: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Momenta of light leptons from W bosons, some of them of a τ in their place, shape (n, k, 4)."""
    through_e = BR_W_TAU * BR_TAU_E / (BR_W_E + BR_W_TAU * BR_TAU_E)
    through_mu = BR_W_TAU * BR_TAU_MU / (BR_W_MU + BR_W_TAU * BR_TAU_MU)
    via_tau = rng.random(is_electron.shape) < np.where(is_electron, through_e, through_mu)
    p4 = leptons.copy()
    tau = p4[via_tau]
    tau[:, 3] = np.sqrt(np.sum(tau[:, :3] ** 2, axis=1) + TAU_MASS_GEV**2)
    p4[via_tau] = tau_to_lepton(tau, np.ones(tau.shape[0]), is_electron[via_tau], rng)
    return p4


def draw_higgs_ww(higgs: Array, library: Array, rng: np.random.Generator) -> LeptonDraw:
    """e±μ∓ from H → WW* → ℓνℓν: a decay of the library, turned at random, boosted to each Higgs boson.

    Args:
        higgs: four-momenta, shape (n_events, 4).
        library: decays in the rest frame as `generator.higgs_decays` gives them, shape (m, 4, 4).
        rng: random numbers.
    """
    chosen = library[rng.integers(library.shape[0], size=higgs.shape[0])][:, ::2]
    return draw_w_pair(boosted(rotated(chosen, rng), higgs[:, None, :]), rng)


def draw_tau_pair(taus: Array, rng: np.random.Generator) -> LeptonDraw:
    """e±μ∓ from (τ⁺, τ⁻) of a Z or photon: equal hardness of the two, as opposite helicities make it."""
    n = taus.shape[0]
    plus_is_electron = rng.random(n) < 0.5
    is_electron = np.stack([plus_is_electron, ~plus_is_electron], axis=1)
    pair = taus.sum(axis=1)
    mass = np.sqrt(np.maximum(pair[:, 3] ** 2 - np.sum(pair[:, :3] ** 2, axis=1), 0.0))
    hard = rng.random(n) < 0.5 * (1.0 - tau_polarisation(mass))
    hardness = np.repeat(np.where(hard, 1.0, -1.0), 2)
    p4 = tau_to_lepton(taus.reshape(-1, 4), hardness, is_electron.reshape(-1), rng).reshape(n, 2, 4)
    return LeptonDraw(p4, _pdg_ids(is_electron))


def _pdg_ids(is_electron: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Identifiers of (ℓ⁺, ℓ⁻): antiparticles first."""
    return np.where(is_electron, [-11, 11], [-13, 13]).astype(np.int32)
