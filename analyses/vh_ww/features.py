"""The 17 inputs of the multiclassifier, from selected leptons, jets and missing transverse momentum."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.processors.kinematics import (
    Momentum,
    collinear_mass,
    delta_phi,
    delta_y,
    invariant_mass,
    transverse_mass,
)

__all__ = ["FEATURES", "M_TAUTAU_UNDEFINED", "FinalState", "features", "inputs", "visible"]

FEATURES: tuple[str, ...] = (
    "pt_l0",
    "pt_l1",
    "dphi_ll",
    "dy_ll",
    "m_ll",
    "pt_j0",
    "pt_j1",
    "dphi_jj",
    "dy_jj",
    "m_jj",
    "m_tautau",
    "m_t",
    "met_track",
    "ht_soft",
    "met_significance",
    "pt_total_track",
    "sum_m_lj",
)

# m_ττ where the collinear approximation has no solution: below every physical mass, and finite, so
# that networks and m_ττ < m_Z − 25 treat such events as "not a Z" without a special case.
M_TAUTAU_UNDEFINED = -1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FinalState:
    """One value per selected event of everything the inputs derive from.

    Attributes:
        leptons: leading and subleading lepton.
        jets: leading and subleading jet.
        met: px, py of the missing transverse momentum in GeV.
        met_track: px, py of the track-based one in GeV.
        ht_hard: scalar sum of lepton and jet pT in GeV.
        soft_ht: scalar sum of the soft terms in GeV.
        significance: of the missing transverse momentum; None for E_T^miss / √H_T.
        jets_sum: px, py of all selected jets together in GeV.
    """

    leptons: tuple[Momentum, Momentum]
    jets: tuple[Momentum, Momentum]
    met: tuple[Floats, Floats]
    met_track: tuple[Floats, Floats]
    ht_hard: Floats
    soft_ht: Floats
    significance: Floats | None
    jets_sum: tuple[Floats, Floats]


def features(state: FinalState) -> dict[str, NDArray[np.float32]]:
    """The 17 inputs by name, in the order of `FEATURES`, each of shape (n_events,)."""
    return inputs(visible(state.leptons, state.jets), state)


def inputs(seen: Mapping[str, Floats], state: FinalState) -> dict[str, NDArray[np.float32]]:
    """The 17 inputs from those that need no missing transverse momentum and the final state."""
    values = {**seen, **_with_missing(state, seen["m_ll"])}
    return {name: values[name].astype(np.float32) for name in FEATURES}


def visible(leptons: tuple[Momentum, Momentum], jets: tuple[Momentum, Momentum]) -> dict[str, Floats]:
    """The inputs that leptons and jets determine, by name, each of shape (n_events,)."""
    l0, l1 = leptons
    j0, j1 = jets
    return {
        "pt_l0": l0.pt,
        "pt_l1": l1.pt,
        "dphi_ll": delta_phi(l0.phi, l1.phi),
        "dy_ll": delta_y(l0, l1),
        "m_ll": invariant_mass(l0, l1),
        "pt_j0": j0.pt,
        "pt_j1": j1.pt,
        "dphi_jj": delta_phi(j0.phi, j1.phi),
        "dy_jj": delta_y(j0, j1),
        "m_jj": invariant_mass(j0, j1),
        "sum_m_lj": sum_m_lj(leptons, jets),
    }


def _with_missing(state: FinalState, m_ll: Floats) -> dict[str, Floats]:
    """The inputs that need missing transverse momentum or soft activity."""
    l0, l1 = state.leptons
    m_tautau = collinear_mass(l0, l1, state.met, m_ll=m_ll)
    ht = state.ht_hard + state.soft_ht
    significance = state.significance
    if significance is None:
        significance = np.hypot(*state.met) / np.sqrt(np.maximum(ht, 1.0))
    return {
        "m_tautau": np.where(np.isnan(m_tautau), M_TAUTAU_UNDEFINED, m_tautau),
        "m_t": transverse_mass((l0.px + l1.px, l0.py + l1.py), m_ll, state.met),
        "met_track": np.hypot(*state.met_track),
        "ht_soft": ht,
        "met_significance": significance,
        "pt_total_track": _pt_total(state),
    }


def sum_m_lj(leptons: tuple[Momentum, Momentum], jets: tuple[Momentum, Momentum]) -> Floats:
    """Σ of the four lepton–jet masses m(ℓ_i j_k) in GeV, shape (n_events,)."""
    masses = [invariant_mass(lepton, jet) for lepton in leptons for jet in jets]
    return np.asarray(np.sum(masses, axis=0))


def _pt_total(state: FinalState) -> Floats:
    """|Σ p_T(leptons, jets) + track E_T^miss| in GeV, shape (n_events,)."""
    l0, l1 = state.leptons
    px = l0.px + l1.px + state.jets_sum[0] + state.met_track[0]
    py = l0.py + l1.py + state.jets_sum[1] + state.met_track[1]
    return np.asarray(np.hypot(px, py))
