"""What the variables of V(qq)H(WW) derive from: leptons, jets and missing transverse momentum."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.leptons import ThirdLepton
from znought.processors.kinematics import (
    Momentum,
    collinear_mass,
    delta_phi,
    delta_y,
    invariant_mass,
    transverse_mass,
)

__all__ = ["FinalState", "Visible"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Visible:
    """Leptons and jets of the selected events; variations that leave them alone share what is derived here.

    Attributes:
        leptons: leading and subleading lepton.
        jets: leading and subleading jet.
        n_jets: number of selected jets.
        n_b: number of b-tagged jets that the preselection leaves.
        same_sign: whether the leptons' charges are alike.
        ht: scalar sum of lepton and jet pT in GeV.
        jets_sum: px, py of all selected jets together in GeV.
        third: the lepton beside the pair; None where the selection keeps no event with one.
    """

    leptons: tuple[Momentum, Momentum]
    jets: tuple[Momentum, Momentum]
    n_jets: NDArray[np.int64]
    n_b: NDArray[np.int64]
    same_sign: NDArray[np.bool_]
    ht: Floats
    jets_sum: tuple[Floats, Floats]
    third: ThirdLepton | None = None

    @property
    def n_leptons(self) -> NDArray[np.int64]:
        """Number of leptons, shape (n_events,)."""
        third = np.zeros(len(self.ht), np.bool_) if self.third is None else self.third.is_there
        return np.asarray(2 + third.astype(np.int64))

    @property
    def m_sf(self) -> Floats:
        """Mass of the two leptons of one flavour out of three in GeV, NaN without, shape (n_events,)."""
        return np.full(len(self.ht), np.nan) if self.third is None else self.third.m_sf

    @cached_property
    def dphi_ll(self) -> Floats:
        """|Δφ| of the leptons in rad, shape (n_events,)."""
        return delta_phi(self.leptons[0].phi, self.leptons[1].phi)

    @cached_property
    def dy_ll(self) -> Floats:
        """|Δy| of the leptons, shape (n_events,)."""
        return delta_y(*self.leptons)

    @cached_property
    def m_ll(self) -> Floats:
        """Mass of the leptons in GeV, shape (n_events,)."""
        return invariant_mass(*self.leptons)

    @cached_property
    def dphi_jj(self) -> Floats:
        """|Δφ| of the jets in rad, shape (n_events,)."""
        return delta_phi(self.jets[0].phi, self.jets[1].phi)

    @cached_property
    def dy_jj(self) -> Floats:
        """|Δy| of the jets, shape (n_events,)."""
        return delta_y(*self.jets)

    @cached_property
    def m_jj(self) -> Floats:
        """Mass of the jets in GeV, shape (n_events,)."""
        return invariant_mass(*self.jets)

    @cached_property
    def sum_m_lj(self) -> Floats:
        """Σ of the four lepton–jet masses m(ℓ_i j_k) in GeV, shape (n_events,)."""
        masses = [invariant_mass(lepton, jet) for lepton in self.leptons for jet in self.jets]
        return np.asarray(np.sum(masses, axis=0))


@dataclass(frozen=True)
class FinalState:
    """One value per selected event of everything the variables derive from.

    Attributes:
        visible: leptons and jets.
        missing: px, py of the missing transverse momentum in GeV.
        track: px, py of the track-based one in GeV.
        soft_ht: scalar sum of the soft terms in GeV.
        significance: of the missing transverse momentum; None for E_T^miss / √H_T.
    """

    visible: Visible
    missing: tuple[Floats, Floats]
    track: tuple[Floats, Floats]
    soft_ht: Floats
    significance: Floats | None

    @cached_property
    def ht_soft(self) -> Floats:
        """Scalar sum of leptons, jets and soft terms in GeV, shape (n_events,)."""
        return self.visible.ht + self.soft_ht

    @property
    def m_tautau(self) -> Floats:
        """Collinear mass of the τ pair in GeV, NaN without a solution, shape (n_events,)."""
        return collinear_mass(*self.visible.leptons, self.missing, m_ll=self.visible.m_ll)

    @property
    def m_t(self) -> Floats:
        """Transverse mass of leptons and missing transverse momentum in GeV, shape (n_events,)."""
        l0, l1 = self.visible.leptons
        return transverse_mass((l0.px + l1.px, l0.py + l1.py), self.visible.m_ll, self.missing)

    @property
    def met_significance(self) -> Floats:
        """As the format gives it, or E_T^miss / √max(H_T, 1 GeV), shape (n_events,)."""
        if self.significance is not None:
            return self.significance
        return np.asarray(np.hypot(*self.missing) / np.sqrt(np.maximum(self.ht_soft, 1.0)))

    @property
    def pt_total_track(self) -> Floats:
        """|Σ p_T(leptons, jets) + track E_T^miss| in GeV, shape (n_events,)."""
        l0, l1 = self.visible.leptons
        px = l0.px + l1.px + self.visible.jets_sum[0] + self.track[0]
        py = l0.py + l1.py + self.visible.jets_sum[1] + self.track[1]
        return np.asarray(np.hypot(px, py))
