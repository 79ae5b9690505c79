"""Lepton decays drawn anew for each detector response, vectorised over events.

A scalar Higgs boson decays alike whatever produced it, and a τ of given helicity decays alike whatever
its parent: so one showered event can be given many decays without approximation beyond massless light
leptons. The helicities of the two τ of a Z are fully anticorrelated; transverse spin correlations are
left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LeptonDraw",
    "boosted",
    "draw_higgs_ww",
    "draw_tau_pair",
    "draw_w_pair",
    "rotated",
    "tau_to_lepton",
]

Array = NDArray[np.float64]

TAU_MASS_GEV = 1.77686
BR_W_E, BR_W_MU, BR_W_TAU = 0.1071, 0.1063, 0.1138
BR_TAU_E, BR_TAU_MU = 0.1782, 0.1739
Z_TAU_POLARISATION = -0.145  # arXiv:hep-ex/0509008: averaged over angles at the Z pole


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


def tau_to_lepton(tau: Array, hardness: Array, rng: np.random.Generator) -> Array:
    """Light leptons from τ → ℓνν̄ of polarised τ.

    With x = 2E/m_τ and θ the angle to the τ's flight direction, in its rest frame,
    d²Γ/dx dcosθ ∝ x² [(3 − 2x) + h (2x − 1) cosθ]; h = +1 for a left-handed τ⁻ or right-handed τ⁺
    (hard leptons, as from W decays), −1 for the opposite.

    Args:
        tau: four-momenta, shape (n, 4).
        hardness: h, shape (n,).
        rng: random numbers.

    Returns:
        Lepton four-momenta, shape (n, 4), massless.

    References:
        Bullock, Hagiwara, Martin, Nucl. Phys. B395 (1993) 499.
    """
    n = tau.shape[0]
    x: Array = np.asarray(np.interp(rng.random(n), _X_CUMULATIVE, _X_GRID))
    slope: Array = hardness * (2.0 * x - 1.0) / (3.0 - 2.0 * x)
    u = 2.0 * rng.random(n) - 1.0
    flat = np.abs(slope) < 1e-6
    safe = np.where(flat, 1.0, slope)
    root = np.sqrt(np.maximum(1.0 + safe * (safe + 2.0 * u), 0.0))
    cos: Array = np.clip(np.where(flat, u, (root - 1.0) / safe), -1.0, 1.0)
    sin, phi = np.sqrt(1.0 - cos**2), 2.0 * np.pi * rng.random(n)
    energy = 0.5 * TAU_MASS_GEV * x
    flight = tau[:, :3] / np.linalg.norm(tau[:, :3], axis=1, keepdims=True)
    side, up = _transverse(flight)
    direction = (
        cos[:, None] * flight + (sin * np.cos(phi))[:, None] * side + (sin * np.sin(phi))[:, None] * up
    )
    rest = np.concatenate([energy[:, None] * direction, energy[:, None]], axis=1)
    return boosted(rest, tau)


_X_GRID: Array = np.linspace(0.0, 1.0, 4097)
_X_CUMULATIVE: Array = 2.0 * _X_GRID**3 - _X_GRID**4


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
    through_e = BR_W_TAU * BR_TAU_E / (BR_W_E + BR_W_TAU * BR_TAU_E)
    through_mu = BR_W_TAU * BR_TAU_MU / (BR_W_MU + BR_W_TAU * BR_TAU_MU)
    via_tau = rng.random((n, 2)) < np.where(is_electron, through_e, through_mu)
    p4 = leptons.copy()
    tau = p4[via_tau]
    tau[:, 3] = np.sqrt(np.sum(tau[:, :3] ** 2, axis=1) + TAU_MASS_GEV**2)
    p4[via_tau] = tau_to_lepton(tau, np.ones(tau.shape[0]), rng)
    return LeptonDraw(p4, _pdg_ids(is_electron))


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
    """e±μ∓ from (τ⁺, τ⁻) of a Z: equal hardness of the two, as opposite helicities make it."""
    n = taus.shape[0]
    plus_is_electron = rng.random(n) < 0.5
    is_electron = np.stack([plus_is_electron, ~plus_is_electron], axis=1)
    hard = rng.random(n) < 0.5 * (1.0 - Z_TAU_POLARISATION)
    hardness = np.repeat(np.where(hard, 1.0, -1.0), 2)
    p4 = tau_to_lepton(taus.reshape(-1, 4), hardness, rng).reshape(n, 2, 4)
    return LeptonDraw(p4, _pdg_ids(is_electron))


def _pdg_ids(is_electron: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Identifiers of (ℓ⁺, ℓ⁻): antiparticles first."""
    return np.where(is_electron, [-11, 11], [-13, 13]).astype(np.int32)
