"""Kinematics of pairs: pure functions of arrays, in GeV and radians, stable where differences vanish.

Momenta are given as (pT, η, φ, m). Every formula is written with sin², sinh² and ratios instead of
differences of large numbers, so that collinear, back-to-back and massless pairs keep their precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Momentum",
    "collinear_fractions",
    "collinear_mass",
    "delta_phi",
    "delta_r",
    "delta_y",
    "invariant_mass",
    "pair_azimuth",
    "pair_pt",
    "rapidity",
    "transverse_mass",
]

Floats = NDArray[np.float64]
Transverse = tuple[ArrayLike, ArrayLike]
"""px and py of transverse momenta in GeV."""


@dataclass(frozen=True)
class Momentum:
    """Momenta of one object per event.

    Attributes:
        pt: transverse momentum in GeV, shape (n_events,).
        eta: pseudorapidity, shape (n_events,).
        phi: azimuth in radians, shape (n_events,).
        mass: mass in GeV, shape (n_events,).
    """

    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats

    @classmethod
    def of(cls, pt: ArrayLike, eta: ArrayLike, phi: ArrayLike, mass: ArrayLike = 0.0) -> "Momentum":
        """Momenta in float64 from anything array-like; the mass may be one number for all."""
        parts = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (pt, eta, phi, mass)))
        return cls(*parts)

    def at(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Momentum":
        """The momenta with the given indices or mask, with all that was worked out for them."""
        part = Momentum(self.pt[which], self.eta[which], self.phi[which], self.mass[which])
        return part.knowing({name: values[which] for name, values in vars(self).items()})

    def knowing(self, known: Mapping[str, Floats]) -> "Momentum":
        """This momentum, which need not work out its properties in `known`."""
        vars(self).update({name: known[name] for name in known.keys() - {"pt", "eta", "phi", "mass"}})
        return self

    @cached_property
    def cos(self) -> Floats:
        """cos φ."""
        return np.asarray(np.cos(self.phi))

    @cached_property
    def sin(self) -> Floats:
        """sin φ."""
        return np.asarray(np.sin(self.phi))

    @cached_property
    def px(self) -> Floats:
        """pT cos φ in GeV."""
        return self.pt * self.cos

    @cached_property
    def py(self) -> Floats:
        """pT sin φ in GeV."""
        return self.pt * self.sin

    @cached_property
    def mt(self) -> Floats:
        """√(pT² + m²) in GeV."""
        return np.asarray(np.hypot(self.pt, self.mass))

    @cached_property
    def y(self) -> Floats:
        """Rapidity."""
        return rapidity(self.pt, self.eta, self.mass)

    @cached_property
    def rise(self) -> Floats:
        """exp(y/2)."""
        return np.asarray(np.exp(0.5 * self.y))

    @cached_property
    def fall(self) -> Floats:
        """exp(−y/2)."""
        return np.asarray(1.0 / self.rise)


def delta_phi(phi_a: ArrayLike, phi_b: ArrayLike) -> Floats:
    """Absolute azimuthal separation |Δφ| in [0, π], shape (n_events,).

    >>> float(delta_phi(3.0, -3.0).round(6))
    0.283185
    """
    turned = np.abs(np.subtract(phi_a, phi_b, dtype=np.float64))
    if np.max(turned, initial=0.0) > 2.0 * np.pi:  # azimuths in [−π, π] need no division
        turned = np.remainder(turned, 2.0 * np.pi)
    return np.asarray(np.pi - np.abs(np.pi - turned))


def rapidity(pt: ArrayLike, eta: ArrayLike, mass: ArrayLike) -> Floats:
    """Rapidity y = arsinh(pT sinh η / √(pT² + m²)); y = η for massless momenta and at pT = m = 0.

    >>> float(rapidity(50.0, 2.0, 0.0)), float(rapidity(50.0, 2.0, 10.0).round(6))
    (2.0, 1.981108)
    """
    pt, eta, mass = (np.asarray(part, np.float64) for part in (pt, eta, mass))
    mt = np.hypot(pt, mass)
    ratio = np.divide(pt, mt, out=np.ones(np.broadcast(pt, mt).shape), where=mt > 0.0)
    return np.asarray(np.where(mass == 0.0, eta, np.arcsinh(ratio * np.sinh(eta))))


def delta_y(a: Momentum, b: Momentum) -> Floats:
    """Absolute rapidity difference |y_a − y_b|, shape (n_events,).

    >>> float(delta_y(Momentum.of(40, 1.0, 0), Momentum.of(30, -0.5, 0)))
    1.5
    """
    return np.abs(a.y - b.y)


def delta_r(eta_a: ArrayLike, phi_a: ArrayLike, eta_b: ArrayLike, phi_b: ArrayLike) -> Floats:
    """Angular distance ΔR = √(Δη² + Δφ²), shape (n_events,).

    >>> float(delta_r(0.3, 0.0, 0.0, 0.4).round(9))
    0.5
    """
    return np.asarray(np.hypot(np.subtract(eta_a, eta_b, dtype=np.float64), delta_phi(phi_a, phi_b)))


def invariant_mass(a: Momentum, b: Momentum) -> Floats:
    """Mass of a pair in GeV, shape (n_events,).

    m² = m_a² + m_b² + 2 (m_T,a m_T,b cosh Δy − p_T,a p_T,b cos Δφ), evaluated as
    m_a² + m_b² + 2 [(m_a² p_b² + m_b² p_a² + m_a² m_b²) / (m_T,a m_T,b + p_a p_b)
    + 2 m_T,a m_T,b sinh²(Δy/2) + 2 p_a p_b sin²(Δφ/2)], which keeps its digits for collinear pairs. With
    2 sinh(Δy/2) = e^(y_a/2) e^(−y_b/2) − e^(−y_a/2) e^(y_b/2) and 4 sin²(Δφ/2) the square of the chord
    between the directions, each momentum needs its exponential, sine and cosine once for all its pairs.

    >>> float(invariant_mass(Momentum.of(50, 0, 0), Momentum.of(50, 0, 3.141592653589793)).round(9))
    100.0
    >>> float(invariant_mass(Momentum.of(50, 1.0, 0.2), Momentum.of(30, 1.0, 0.2)))
    0.0
    """
    mt_product = a.mt * b.mt
    pt_product = a.pt * b.pt
    total = mt_product + pt_product
    masses = (a.mass * b.pt) ** 2 + (b.mass * a.pt) ** 2 + (a.mass * b.mass) ** 2
    offset = np.divide(masses, total, out=np.zeros(total.shape), where=total > 0.0)
    boost = a.rise * b.fall - a.fall * b.rise
    across, along = a.cos - b.cos, a.sin - b.sin
    angular = mt_product * (boost * boost) + pt_product * (across * across + along * along)
    return np.asarray(np.sqrt(a.mass**2 + b.mass**2 + 2.0 * offset + angular))


def pair_pt(a: Momentum, b: Momentum) -> Floats:
    """|p_T,a + p_T,b| in GeV, shape (n_events,).

    >>> float(pair_pt(Momentum.of(30, 0, 0), Momentum.of(40, 2, 1.5707963267948966)))
    50.0
    """
    return np.asarray(np.hypot(a.px + b.px, a.py + b.py))


def pair_azimuth(a: Momentum, b: Momentum) -> Floats:
    """Azimuth of p_T,a + p_T,b in (−π, π], shape (n_events,)."""
    return np.asarray(np.arctan2(a.py + b.py, a.px + b.px))


def transverse_mass(p_ll: Transverse, m_ll: ArrayLike, met: Transverse) -> Floats:
    """Transverse mass M_T of the dilepton system and the missing transverse momentum, in GeV.

    M_T² = (E_T^ll + E_T^miss)² − |p_T^ll + E_T^miss|² with E_T^ll = √(|p_T^ll|² + m_ll²), evaluated as
    m_ll² + 2 E_T^miss m_ll² / (E_T^ll + p_T^ll) + 2 (p_T^ll E_T^miss − d) with the scalar product d of the
    two vectors; where d > 0 the last difference is (vector product)² / (p_T^ll E_T^miss + d).

    Args:
        p_ll: px, py of the dilepton system in GeV, each of shape (n_events,).
        m_ll: its mass in GeV, shape (n_events,).
        met: px, py of the missing transverse momentum in GeV, each of shape (n_events,).

    References:
        ATLAS, arXiv:1506.06641, section 4.

    >>> float(transverse_mass((40.0, 0.0), 30.0, (-50.0, 0.0)).round(6))
    99.498744
    >>> float(transverse_mass((40.0, 0.0), 0.0, (40.0, 0.0)))
    0.0
    """
    (x, y), (met_x, met_y) = (tuple(np.asarray(part, np.float64) for part in v) for v in (p_ll, met))
    pt_ll, magnitude, mass = np.hypot(x, y), np.hypot(met_x, met_y), np.asarray(m_ll, np.float64)
    total = np.hypot(pt_ll, mass) + pt_ll
    excess = np.divide(mass**2, total, out=np.zeros(np.broadcast(mass, total).shape), where=total > 0.0)
    product, along, across = pt_ll * magnitude, x * met_x + y * met_y, x * met_y - y * met_x
    apart = np.asarray(product - along)
    np.divide(across * across, product + along, out=apart, where=along > 0.0)
    return np.asarray(np.sqrt(mass**2 + 2.0 * (magnitude * excess + apart)))


def collinear_fractions(a: Momentum, b: Momentum, met: Transverse) -> tuple[Floats, Floats]:
    """Visible momentum fractions x₁, x₂ of the two τ leptons; NaN where the equations have no solution.

    With neutrinos collinear to the visible leptons, E_T^miss = r₁ p_T,1 + r₂ p_T,2 and x = 1/(1 + r).
    No solution exists where the leptons are parallel or antiparallel in the transverse plane.

    Args:
        a, b: visible leptons.
        met: px, py of the missing transverse momentum in GeV.

    References:
        Plehn, Rainwater, Zeppenfeld, hep-ph/9911385, equation (4).

    >>> a, b = Momentum.of(30, 0, 0), Momentum.of(40, 0, 1.5707963267948966)
    >>> x1, x2 = collinear_fractions(a, b, (30.0, 0.0))
    >>> float(x1.round(9)), float(x2.round(9))
    (0.5, 1.0)
    """
    ratio_a, ratio_b = _neutrino_ratios(a, b, met)
    with np.errstate(divide="ignore"):
        return 1.0 / (1.0 + ratio_a), 1.0 / (1.0 + ratio_b)


def collinear_mass(a: Momentum, b: Momentum, met: Transverse, *, m_ll: Floats | None = None) -> Floats:
    """Mass of the ττ system in the collinear approximation, in GeV, shape (n_events,).

    m_ττ = m_ll / √(x₁ x₂); NaN where x₁ or x₂ lies outside (0, 1] or the leptons are (anti)parallel in
    the transverse plane.

    Args:
        a, b: visible leptons.
        met: px, py of the missing transverse momentum in GeV.
        m_ll: dilepton mass if it is known already.

    References:
        Plehn, Rainwater, Zeppenfeld, hep-ph/9911385, equation (5).

    >>> a, b = Momentum.of(30, 0, 0), Momentum.of(40, 0, 1.5707963267948966)
    >>> float(collinear_mass(a, b, (30.0, 0.0)).round(4)), float(collinear_mass(a, b, (-30.0, 0.0)))
    (69.282, nan)
    """
    ratio_a, ratio_b = _neutrino_ratios(a, b, met)
    visible = invariant_mass(a, b) if m_ll is None else m_ll
    # r ≥ 0 is the same as x ∈ (0, 1]; rounding at E_T^miss along one lepton must not lose the event.
    inside = (ratio_a >= -1e-12) & (ratio_b >= -1e-12)
    stretch = np.maximum(ratio_a, 0.0) * np.maximum(ratio_b, 0.0) + np.maximum(ratio_a, 0.0)
    stretch = 1.0 + stretch + np.maximum(ratio_b, 0.0)
    return np.asarray(np.where(inside, visible * np.sqrt(stretch), np.nan))


def _neutrino_ratios(a: Momentum, b: Momentum, met: Transverse) -> tuple[Floats, Floats]:
    """Neutrino over visible momentum of each lepton, by Cramer's rule."""
    met_x, met_y = (np.asarray(part, np.float64) for part in met)
    opening = a.cos * b.sin - a.sin * b.cos
    # Below 1e-6 the sine of the difference of two float32 azimuths is rounding: no solution.
    solvable = (np.abs(opening) > 1e-6) & (a.pt > 0.0) & (b.pt > 0.0)
    shape = np.broadcast(opening, met_x).shape
    over_a, over_b = (np.full(shape, np.nan) for _ in range(2))
    np.divide(met_x * b.sin - met_y * b.cos, a.pt * opening, out=over_a, where=solvable)
    np.divide(met_y * a.cos - met_x * a.sin, b.pt * opening, out=over_b, where=solvable)
    return over_a, over_b
