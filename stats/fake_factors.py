"""Misidentified leptons by fake factors: how often one that fails the identification would pass it.

A region that is rich in misidentified leptons gives, in bins of flavour, |η| and pT,

    F = (N_tight − P_tight) / (N_loose − P_loose),

with N of data and P of simulated prompt leptons; loose means loose and not tight. In a selection of tight
leptons, misidentified ones are then expected to be

    Σ_data w − Σ_prompt w,   w = (−1)^(n + 1) F_1 ⋯ F_n,

over its events in which n ≥ 1 of the leptons are loose: F for one, and −F₁F₂ for two, because events with two
misidentified leptons are in both sums of one.

References:
    ATLAS, "Tools for estimating fake/non-prompt lepton backgrounds with the ATLAS detector at the LHC",
    JINST 18 (2023) T11004, arXiv:2211.16178; the sign as in Athena's `CP::ApplyFakeFactor`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc

from znought.errors import CardError, DataError

__all__ = [
    "Closure",
    "FactorBins",
    "FakeFactors",
    "LeptonCounts",
    "closure",
    "counted_leptons",
    "factor_weights",
    "fake_factors",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NO_LEPTON = -1
"""Place of a bin that stands for no loose lepton."""


@dataclass(frozen=True)
class FactorBins:
    """Bins of a fake factor, one after the other: flavour, then |η|, then pT.

    Attributes:
        flavours: names.
        abs_eta_edges: rising; what lies beyond the last is refused.
        pt_edges_gev: rising; the last bin holds everything above.
    """

    flavours: tuple[str, ...]
    abs_eta_edges: tuple[float, ...]
    pt_edges_gev: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.flavours:
            raise CardError("fake factors need at least one flavour of leptons.")
        for name in ("abs_eta_edges", "pt_edges_gev"):
            edges = getattr(self, name)
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise CardError(f"{name} must rise, at least two of them. Received: {list(edges)}.")

    @property
    def n_bins(self) -> int:
        """Of all flavours together."""
        return len(self.flavours) * (len(self.abs_eta_edges) - 1) * (len(self.pt_edges_gev) - 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Flavour and places in |η| and pT of every bin, as parameters of a fit are called.

        >>> FactorBins(("muon",), (0.0, 2.5), (15.0, 25.0, 40.0)).names
        ('muon_eta0_pt0', 'muon_eta0_pt1')
        """
        places = product(self.flavours, range(len(self.abs_eta_edges) - 1), range(len(self.pt_edges_gev) - 1))
        return tuple(f"{flavour}_eta{eta}_pt{pt}" for flavour, eta, pt in places)

    def described(self, index: int) -> str:
        """One bin in words.

        >>> FactorBins(("muon",), (0.0, 2.5), (15.0, 25.0, 40.0)).described(1)
        'muon, |η| 0 to 2.5, pT from 25 GeV'
        """
        n_eta, n_pt = len(self.abs_eta_edges) - 1, len(self.pt_edges_gev) - 1
        flavour, rest = divmod(index, n_eta * n_pt)
        eta, pt = divmod(rest, n_pt)
        low, high = self.pt_edges_gev[pt : pt + 2]
        range_pt = f"pT from {low:g} GeV" if pt == n_pt - 1 else f"pT {low:g} to {high:g} GeV"
        eta_low, eta_high = self.abs_eta_edges[eta : eta + 2]
        return f"{self.flavours[flavour]}, |η| {eta_low:g} to {eta_high:g}, {range_pt}"

    def index(self, flavour: ArrayLike, abs_eta: ArrayLike, pt_gev: ArrayLike) -> Indices:
        """The bin of every lepton, shape of the input.

        Args:
            flavour: place in `flavours`.
            abs_eta, pt_gev: of the same shape.

        Raises:
            DataError: a lepton below the first edge of pT or beyond the edges of |η|.

        >>> bins = FactorBins(("electron", "muon"), (0.0, 1.5, 2.5), (15.0, 25.0))
        >>> bins.index([0, 1], [2.0, 0.1], [90.0, 20.0])
        array([1, 2])
        """
        which = np.asarray(flavour, np.int64)
        eta = _place(np.asarray(abs_eta, np.float64), self.abs_eta_edges, "|η|")
        pt = _place(np.asarray(pt_gev, np.float64), (*self.pt_edges_gev[:-1], np.inf), "pT")
        n_eta, n_pt = len(self.abs_eta_edges) - 1, len(self.pt_edges_gev) - 1
        return np.asarray((which * n_eta + eta) * n_pt + pt, np.int64)


def _place(values: Floats, edges: tuple[float, ...], what: str) -> Indices:
    """Bin of each value, the first edge inside and the last one, too."""
    outside = ~((values >= edges[0]) & (values <= edges[-1]))
    if outside.any():
        unit = " GeV" if what == "pT" else ""
        worst = values[outside].flat[0]
        raise DataError(
            f"fake factors: {int(outside.sum())} leptons lie outside of the bins, one with {what} = "
            f"{worst:g}{unit}; the edges are {', '.join(f'{edge:g}' for edge in edges)}."
        )
    found = np.searchsorted(np.asarray(edges), values, side="right") - 1
    return np.minimum(found, len(edges) - 2).astype(np.int64)


@dataclass(frozen=True)
class LeptonCounts:
    """Leptons in the bins of a fake factor, shape (n_bins,).

    Attributes:
        sumw: sum of weights; a count for data.
        sumw2: its variance.
    """

    sumw: Floats
    sumw2: Floats

    def scaled(self, factor: float) -> "LeptonCounts":
        """The same at another cross section."""
        return LeptonCounts(self.sumw * factor, self.sumw2 * factor**2)

    def without(self, prompt: "LeptonCounts") -> "LeptonCounts":
        """What is left after the subtraction of prompt leptons; variances add up."""
        return LeptonCounts(self.sumw - prompt.sumw, self.sumw2 + prompt.sumw2)


def counted_leptons(bins: FactorBins, index: ArrayLike, weight: ArrayLike) -> LeptonCounts:
    """Leptons in each bin.

    Args:
        bins: of the fake factor.
        index: bin of every lepton, shape (n_leptons,).
        weight: of the same shape.
    """
    place, w = np.asarray(index, np.int64), np.asarray(weight, np.float64)
    sums = (np.bincount(place, each, minlength=bins.n_bins).astype(np.float64) for each in (w, w * w))
    return LeptonCounts(*sums)


@dataclass(frozen=True)
class FakeFactors:
    """Fake factors with their statistical errors, which are independent from bin to bin; shape (n_bins,)."""

    bins: FactorBins
    values: Floats
    errors: Floats

    def moved(self, index: int, n_sigma: float) -> "FakeFactors":
        """The same with one bin moved by some of its errors, never below zero."""
        values = self.values.copy()
        values[index] = max(values[index] + n_sigma * self.errors[index], 0.0)
        return FakeFactors(self.bins, values, self.errors)


def fake_factors(
    bins: FactorBins,
    tight: LeptonCounts,
    loose: LeptonCounts,
    *,
    prompt_tight: LeptonCounts | None = None,
    prompt_loose: LeptonCounts | None = None,
) -> FakeFactors:
    """F = (N_tight − P_tight) / (N_loose − P_loose) in every bin.

    σ_F² = (σ_T² + F² σ_L²) / (N_loose − P_loose)², with σ² the variance of each difference.

    Args:
        bins: of the leptons.
        tight, loose: of data; loose ones are not tight.
        prompt_tight, prompt_loose: of simulated prompt leptons, in expected events of these data.

    Raises:
        DataError: a bin in which nothing is left of the loose leptons, or whose factor is negative or zero;
            one line that names the bin and its counts.

    >>> bins = FactorBins(("muon",), (0.0, 2.5), (15.0, 25.0))
    >>> count = lambda n: LeptonCounts(np.array([n]), np.array([n]))
    >>> f = fake_factors(bins, count(30.0), count(200.0), prompt_tight=count(10.0))
    >>> f.values.round(3).tolist(), f.errors.round(4).tolist()
    ([0.1], [0.0324])
    """
    top = tight if prompt_tight is None else tight.without(prompt_tight)
    bottom = loose if prompt_loose is None else loose.without(prompt_loose)
    _refuse_empty(bins, tight, loose, top, bottom)
    values = top.sumw / bottom.sumw
    errors = np.sqrt(top.sumw2 + values**2 * bottom.sumw2) / bottom.sumw
    return FakeFactors(bins, values, errors)


def _refuse_empty(
    bins: FactorBins, tight: LeptonCounts, loose: LeptonCounts, top: LeptonCounts, bottom: LeptonCounts
) -> None:
    """Raises for the first bin without a factor, and says how many there are."""
    empty = ~(bottom.sumw > 0)
    bad = empty | ~(top.sumw > 0)
    if not bad.any():
        return
    i = int(np.flatnonzero(bad)[0])
    more = f" ({int(bad.sum())} of {bins.n_bins} bins)" if bad.sum() > 1 else ""
    part, whole, left = ("loose", loose, bottom) if empty[i] else ("tight", tight, top)
    what = "no loose leptons are left" if empty[i] else "the fake factor is not positive"
    prompt = whole.sumw[i] - left.sumw[i]
    raise DataError(
        f"fake factor of {bins.described(i)}{more}: {what}: {whole.sumw[i]:.4g} {part} leptons, "
        f"{prompt:.4g} of them prompt; take wider bins, or a region with more misidentified leptons."
    )


def factor_weights(factors: FakeFactors, index: ArrayLike) -> Floats:
    """(−1)^(n + 1) F_1 ⋯ F_n of events with n loose leptons, shape (n_events,).

    Args:
        factors: as measured.
        index: bins of the loose leptons of every event, −1 for none, shape (n_events, most leptons).

    Raises:
        DataError: an event without a loose lepton.

    >>> bins = FactorBins(("muon",), (0.0, 2.5), (15.0, 25.0, 40.0))
    >>> factors = FakeFactors(bins, np.array([0.1, 0.2]), np.zeros(2))
    >>> factor_weights(factors, [[0, -1], [1, 0]]).round(3).tolist()
    [0.1, -0.02]
    """
    place = np.asarray(index, np.int64)
    if np.any(np.all(place == NO_LEPTON, axis=1)):
        raise DataError("fake factors apply to events with at least one loose lepton.")
    each = np.where(place == NO_LEPTON, 1.0, -factors.values[place])
    return np.asarray(-np.prod(each, axis=1))


@dataclass(frozen=True)
class Closure:
    """The method's estimate beside what it should have found.

    Attributes:
        predicted, observed: yields, shape (n_bins,).
        covariance: of predicted less observed, shape (n_bins, n_bins).
        ratio, ratio_error: of all observed to all predicted events.
        chi2, n_dof, p_value: of all bins together.
    """

    predicted: Floats
    observed: Floats
    covariance: Floats
    ratio: float
    ratio_error: float
    chi2: float
    n_dof: int
    p_value: float

    @property
    def uncertainty(self) -> float:
        """Relative: what the ratio misses 1 by, or its error where that is larger."""
        return max(abs(self.ratio - 1.0), self.ratio_error)


def closure(
    predicted: ArrayLike,
    predicted_variance: ArrayLike,
    observed: ArrayLike,
    observed_variance: ArrayLike,
    *,
    moved: Mapping[str, ArrayLike],
) -> Closure:
    """χ² of the difference, with the errors of the factors in common to all bins.

    V = diag(σ²_predicted + σ²_observed) + Σ_k δ_k δ_kᵀ, with δ_k the change of the prediction when factor k
    moves by its error.

    Args:
        predicted, observed: yields, shape (n_bins,).
        predicted_variance, observed_variance: from the numbers of events, shape (n_bins,).
        moved: factor → prediction with that factor moved up by its error, shape (n_bins,).

    Raises:
        DataError: no events are predicted.
    """
    y, x = np.atleast_1d(np.asarray(predicted, np.float64)), np.atleast_1d(np.asarray(observed, np.float64))
    changes = [np.atleast_1d(np.asarray(one, np.float64)) - y for one in moved.values()]
    factors = sum((np.outer(one, one) for one in changes), np.zeros((y.size, y.size)))
    own = np.atleast_1d(np.asarray(predicted_variance, np.float64))
    other = np.atleast_1d(np.asarray(observed_variance, np.float64))
    covariance = np.diag(own + other) + factors
    if not y.sum() > 0:
        raise DataError(f"closure of fake factors: expected a positive prediction, received {y.sum():.4g}.")
    ratio = float(x.sum() / y.sum())
    # The whole prediction's error carries over to the ratio in proportion.
    variance = other.sum() + ratio**2 * (own.sum() + factors.sum())
    used = np.diag(covariance) > 0
    difference = (x - y)[used]
    value = float(difference @ np.linalg.pinv(covariance[np.ix_(used, used)], hermitian=True) @ difference)
    n_dof = int(used.sum())
    return Closure(
        predicted=y,
        observed=x,
        covariance=covariance,
        ratio=ratio,
        ratio_error=float(np.sqrt(variance) / y.sum()),
        chi2=value,
        n_dof=n_dof,
        p_value=float(gammaincc(n_dof / 2, value / 2)),
    )
