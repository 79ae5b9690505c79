"""The inputs of VH(bb) in the SMEFT, with the names of the public notebooks of arXiv:1902.05803."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from znought.processors.kinematics import Momentum, delta_phi, delta_r, invariant_mass, pair_azimuth, pair_pt

__all__ = ["FEATURES", "VHState", "features", "neutrino_eta"]

Floats = NDArray[np.float64]

MASS_W_GEV: Final = 80.379

FEATURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "0L": (
            "ptb1",
            "ptb2",
            "misset",
            "pth",
            "ptz",
            "etah",
            "phih",
            "mtvh",
            "ptvh",
            "dphib1met",
        ),
        "1L": (
            "ptb1",
            "ptb2",
            "ptl",
            "missinget",
            "pth",
            "ptw",
            "etah",
            "phih",
            "mtvh",
            "ptvh",
            "mtW",
            "deltarwl",
            "delphibl",
            "delphilmet",
        ),
        "2L": (
            "ptb1",
            "ptb2",
            "ptl1",
            "ptl2",
            "pth",
            "ptz",
            "etah",
            "phih",
            "deltarll",
            "deltarbl",
            "mtvh",
            "ptvh",
            "dphil1b1",
            "dphil1b2",
        ),
    }
)
"""Inputs of each channel, in the order of the notebooks."""


@dataclass(frozen=True)
class VHState:
    """One value per event of everything the inputs derive from.

    Attributes:
        b1, b2: the two b-jets, by decreasing pT.
        leptons: none, one or two, by decreasing pT.
        met: px, py of the missing transverse momentum in GeV.
        jets_sum: px, py of all counted jets together in GeV.
    """

    b1: Momentum
    b2: Momentum
    leptons: tuple[Momentum, ...]
    met: tuple[Floats, Floats]
    jets_sum: tuple[Floats, Floats]

    @property
    def channel(self) -> str:
        """Name of the channel, by the number of leptons."""
        return f"{len(self.leptons)}L"

    @property
    def vector(self) -> tuple[Floats, Floats]:
        """px, py of the vector boson in GeV: missing momentum, ℓ + missing momentum, or ℓℓ."""
        visible_x = sum((lepton.px for lepton in self.leptons), np.zeros_like(self.met[0]))
        visible_y = sum((lepton.py for lepton in self.leptons), np.zeros_like(self.met[0]))
        if len(self.leptons) == 2:
            return visible_x, visible_y
        return visible_x + self.met[0], visible_y + self.met[1]

    @property
    def pt_v(self) -> Floats:
        """Transverse momentum of the vector boson in GeV."""
        return np.asarray(np.hypot(*self.vector))

    @property
    def m_bb(self) -> Floats:
        """Mass of the Higgs candidate in GeV."""
        return invariant_mass(self.b1, self.b2)


def features(state: VHState) -> dict[str, NDArray[np.float32]]:
    """The channel's inputs by name, in the order of `FEATURES`, each of shape (n_events,).

    Transverse mass of V H: m_T² = (E_T^H + E_T^V)² − |p_T^H + p_T^V|², E_T² = p_T² + m²; the mass of V is 0
    in 0L (nothing of it is seen), m_T(W) in 1L and m_ll in 2L. `ptz` of 0L is what balances all jets: the
    recoil without soft term, since the missing momentum already is `misset`. ΔR(W, ℓ) of 1L takes the
    longitudinal neutrino momentum of smaller size that gives m_W.
    """
    pt_h, phi_h = pair_pt(state.b1, state.b2), pair_azimuth(state.b1, state.b2)
    pz_h = state.b1.pt * np.sinh(state.b1.eta) + state.b2.pt * np.sinh(state.b2.eta)
    met, met_phi = np.hypot(*state.met), np.arctan2(state.met[1], state.met[0])
    v_x, v_y = state.vector
    total_x = v_x + state.b1.px + state.b2.px
    total_y = v_y + state.b1.py + state.b2.py
    values: dict[str, Floats] = {
        "ptb1": state.b1.pt,
        "ptb2": state.b2.pt,
        "pth": pt_h,
        "etah": np.arcsinh(pz_h / np.maximum(pt_h, 1e-9)),
        "phih": phi_h,
        "ptvh": np.hypot(total_x, total_y),
    }
    if not state.leptons:
        values |= {
            "misset": met,
            "ptz": np.hypot(*state.jets_sum),
            "dphib1met": delta_phi(state.b1.phi, met_phi),
        }
        mass_v = np.zeros_like(met)
    elif len(state.leptons) == 1:
        one, mass_v = _one_lepton(state, met, met_phi)
        values |= one
    else:
        two, mass_v = _two_leptons(state)
        values |= two
    energy = np.hypot(pt_h, state.m_bb) + np.hypot(state.pt_v, mass_v)
    values["mtvh"] = np.sqrt(np.maximum(energy**2 - values["ptvh"] ** 2, 0.0))
    return {name: values[name].astype(np.float32) for name in FEATURES[state.channel]}


def _one_lepton(state: VHState, met: Floats, met_phi: Floats) -> tuple[dict[str, Floats], Floats]:
    """Inputs of 1L beside the common ones, and the transverse mass of the W."""
    lepton = state.leptons[0]
    m_t = np.sqrt(4.0 * lepton.pt * met * np.sin(0.5 * (lepton.phi - met_phi)) ** 2)
    v_x, v_y = state.vector
    pz_w = lepton.pt * np.sinh(lepton.eta) + met * np.sinh(neutrino_eta(lepton, met, met_phi))
    eta_w = np.arcsinh(pz_w / np.maximum(np.hypot(v_x, v_y), 1e-9))
    values = {
        "ptl": lepton.pt,
        "missinget": met,
        "ptw": state.pt_v,
        "mtW": m_t,
        "deltarwl": delta_r(eta_w, np.arctan2(v_y, v_x), lepton.eta, lepton.phi),
        "delphibl": delta_phi(state.b1.phi, lepton.phi),
        "delphilmet": delta_phi(lepton.phi, met_phi),
    }
    return values, m_t


def _two_leptons(state: VHState) -> tuple[dict[str, Floats], Floats]:
    """Inputs of 2L beside the common ones, and the dilepton mass."""
    l1, l2 = state.leptons
    values = {
        "ptl1": l1.pt,
        "ptl2": l2.pt,
        "ptz": state.pt_v,
        "deltarll": delta_r(l1.eta, l1.phi, l2.eta, l2.phi),
        "deltarbl": delta_r(state.b1.eta, state.b1.phi, l1.eta, l1.phi),
        "dphil1b1": delta_phi(l1.phi, state.b1.phi),
        "dphil1b2": delta_phi(l1.phi, state.b2.phi),
    }
    return values, invariant_mass(l1, l2)


def neutrino_eta(lepton: Momentum, met: Floats, met_phi: Floats) -> Floats:
    """Pseudorapidity of the neutrino from m(ℓν) = m_W; of two solutions the smaller |pz|.

    With a = m_W²/2 + p_T,ℓ·E_T^miss: p_z = [a p_z,ℓ ± E_ℓ √(a² − p_T,ℓ² E_T^miss²)] / p_T,ℓ²; where the
    root is imaginary (m_T > m_W) its real part stands.

    >>> lepton = Momentum.of([40.0], [0.0], [0.0])
    >>> abs(float(neutrino_eta(lepton, np.array([42.0]), np.array([3.141592653589793]))[0]))
    0.0
    """
    a = 0.5 * MASS_W_GEV**2 + lepton.pt * met * np.cos(lepton.phi - met_phi)
    pz, energy = lepton.pt * np.sinh(lepton.eta), lepton.pt * np.cosh(lepton.eta)
    root = energy * np.sqrt(np.maximum(a**2 - (lepton.pt * met) ** 2, 0.0))
    plus, minus = a * pz + root, a * pz - root
    smaller = np.where(np.abs(plus) < np.abs(minus), plus, minus) / np.maximum(lepton.pt, 1e-9) ** 2
    return np.asarray(np.arcsinh(smaller / np.maximum(met, 1e-9)))
