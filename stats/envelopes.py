"""Theory uncertainties from sets of weights: scales, parton distributions, α_s and parton showers.

Each weight has a sum over all generated events of its own. Divided by it, a weight changes acceptance and
shape only; the sums themselves change the rate. The two are kept apart: rates come from dedicated
calculations, acceptance from the simulated sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError, unknown_name

__all__ = [
    "Combination",
    "Envelope",
    "WeightSet",
    "WeightedYields",
    "hessian_errors",
    "hessian_pair_errors",
    "in_quadrature",
    "pair_error",
    "replica_errors",
    "scale_envelope",
    "seven_points",
    "theory_envelope",
]

Floats = NDArray[np.float64]
Combination = Literal["scale", "hessian", "hessian_pairs", "replicas", "replicas_interval", "pair"]
_TO_68 = 1.6448536269514722
"""Standard deviations of a central 90 % interval."""


@dataclass(frozen=True)
class WeightedYields:
    """Yields with one weight, and the sum of that weight over all generated events.

    Attributes:
        yields: shape (n_bins,), normalised as the nominal.
        sumw: before any selection, positive, in a unit that all members of a set share.
    """

    yields: Floats
    sumw: float

    def __post_init__(self) -> None:
        if not (np.ndim(self.yields) == 1 and np.isfinite(self.yields).all()):
            raise DataError("yields of a weight must be finite, of shape (n_bins,).")
        if not (np.isfinite(self.sumw) and self.sumw > 0):
            raise DataError(f"the sum of a weight must be positive. Received: {self.sumw:g}.")

    def at_rate_of(self, other: "WeightedYields") -> Floats:
        """The yields with the total rate of another weight, shape (n_bins,).

        >>> member = WeightedYields(np.array([11.0, 22.0]), sumw=110.0)
        >>> member.at_rate_of(WeightedYields(np.array([9.0, 21.0]), sumw=100.0)).round(9).tolist()
        [10.0, 20.0]
        """
        return np.asarray(self.yields * (other.sumw / self.sumw))


@dataclass(frozen=True)
class Envelope:
    """Yields under one standard deviation of a theory uncertainty.

    Attributes:
        down, up: shape (n_bins,); down is not above up where the combination takes extremes.
    """

    down: Floats
    up: Floats

    def factors(self, nominal: Floats) -> tuple[Floats, Floats]:
        """Down and up over nominal; 1 where the nominal is zero."""
        down, up = (
            np.divide(ends, nominal, out=np.ones_like(nominal), where=nominal != 0)
            for ends in (self.down, self.up)
        )
        return down, up


@dataclass(frozen=True)
class WeightSet:
    """A set of weights of the ntuple and how its members combine (card section `theory`).

    Attributes:
        combination: "scale": largest and smallest; "hessian": one member per eigenvector, in quadrature;
            "hessian_pairs": two per eigenvector; "replicas": standard deviation; "replicas_interval": 68 %
            interval; "pair": up and down, as α_s and parton showers have them.
        members: names of the weights, without the nominal; of a pair up, then down.
        central: name of the set's own central weight where that is not the nominal.
        confidence_level: of a Hessian set's members in per cent, 68 or 90; 90 is scaled to 68.
        spread: of a pair, standard deviations that up and down stand for.
        keep_rate: leave the change of the rate in; by default acceptance and shape only.
    """

    combination: Combination
    members: tuple[str, ...]
    central: str = ""
    confidence_level: Literal[68, 90] = 68
    spread: float = 1.0
    keep_rate: bool = False

    def __post_init__(self) -> None:
        if self.combination not in get_args(Combination):
            raise CardError(unknown_name("combination of weights", self.combination, get_args(Combination)))
        fewest = {"scale": 2, "hessian": 1, "hessian_pairs": 2, "pair": 2}.get(self.combination, 10)
        if len(self.members) < fewest or len(set(self.members)) != len(self.members):
            raise CardError(
                f"a set of weights {self.combination!r} needs at least {fewest} different members. "
                f"Received: {len(set(self.members))} of {len(self.members)}."
            )
        if self.combination == "pair" and len(self.members) != 2:
            raise CardError(f"a pair has two members. Received: {len(self.members)}.")
        if self.confidence_level not in (68, 90):
            raise CardError(f"confidence_level must be 68 or 90. Received: {self.confidence_level}.")
        if not self.spread > 0:
            raise CardError(f"spread must be positive. Received: {self.spread}.")


def theory_envelope(
    nominal: ArrayLike, central: WeightedYields, members: Sequence[WeightedYields], weights: WeightSet
) -> Envelope:
    """Down and up yields of a set of weights, carried over to the nominal as relative changes.

    Args:
        nominal: yields, shape (n_bins,).
        central: with the set's own central weight, which need not be the nominal: a set of parton
            distributions beside the one that was generated with has a central member of its own.
        members: the same events with each member's weight, in the order of `weights.members`.
        weights: how they combine.

    Raises:
        DataError: shapes that do not fit, values that are not finite, or a sum that is not positive.
    """
    if len(members) != len(weights.members):
        raise DataError(f"{len(weights.members)} members are expected. Received: {len(members)}.")
    expected = np.asarray(nominal, np.float64)
    for part in (central, *members):
        if part.yields.shape != expected.shape:
            raise DataError(
                f"every member must have {expected.size} bins, as the nominal. Received: {part.yields.size}."
            )
    varied = np.stack([part.yields if weights.keep_rate else part.at_rate_of(central) for part in members])
    found = _combined(central.yields, varied, weights)
    down, up = found.factors(central.yields)
    return Envelope(expected * down, expected * up)


def _combined(central: Floats, varied: Floats, weights: WeightSet) -> Envelope:
    if weights.combination == "scale":
        return scale_envelope(central, varied)
    if weights.combination == "pair":
        error = pair_error(varied[0], varied[1], spread=weights.spread)
        return Envelope(central - error, central + error)
    scale = 1.0 if weights.confidence_level == 68 else 1.0 / _TO_68
    if weights.combination == "hessian_pairs":
        below, above = hessian_pair_errors(central, varied)
        return Envelope(central - scale * below, central + scale * above)
    if weights.combination == "hessian":
        error = scale * hessian_errors(central, varied)
    else:
        error = replica_errors(varied, interval=weights.combination == "replicas_interval")
    return Envelope(central - error, central + error)


def seven_points(points: ArrayLike) -> NDArray[np.int64]:
    """Indices of the six variations of (μ_R, μ_F) by a factor of two that do not move them apart by four.

    Args:
        points: μ_R and μ_F of every weight in units of the nominal's, shape (n_weights, 2).

    Raises:
        DataError: one of the six is not there, or there twice.

    References:
        M. Cacciari et al., JHEP 04 (2004) 068, hep-ph/0303085 (½ ≤ μ_R/μ_F ≤ 2).

    >>> nine = [[r, f] for r in (0.5, 1, 2) for f in (0.5, 1, 2)]
    >>> seven_points(nine).tolist()
    [0, 1, 3, 5, 7, 8]
    """
    table = np.asarray(points, np.float64)
    if table.ndim != 2 or table.shape[1] != 2 or not np.all(table > 0):
        raise DataError(f"points must be positive, of shape (n_weights, 2). Received: {table.shape}.")
    wanted = [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0)]
    found = []
    for point in wanted:
        (places,) = np.nonzero(np.isclose(table, point).all(axis=1))
        if places.size != 1:
            raise DataError(f"one weight with (μ_R, μ_F) = {point} is expected. Received: {places.size}.")
        found.append(int(places[0]))
    return np.sort(np.asarray(found, np.int64))


def scale_envelope(nominal: Floats, members: Floats) -> Envelope:
    """Smallest and largest yield of nominal and members, bin by bin.

    >>> found = scale_envelope(np.array([10.0]), np.array([[9.0], [10.5]]))
    >>> found.down.tolist(), found.up.tolist()
    ([9.0], [10.5])
    """
    every = np.vstack([nominal[None], members])
    return Envelope(every.min(axis=0), every.max(axis=0))


def hessian_errors(nominal: Floats, members: Floats) -> Floats:
    """√Σ_k (n_k − n_0)² of one member per eigenvector, shape (n_bins,).

    References:
        J. Butterworth et al., J. Phys. G 43 (2016) 023001, arXiv:1510.03865, section 6.
    """
    return np.asarray(np.sqrt(np.sum((members - nominal) ** 2, axis=0)))


def hessian_pair_errors(nominal: Floats, members: Floats) -> tuple[Floats, Floats]:
    """Errors below and above from two members per eigenvector, shape (n_bins,) each.

    Above: √Σ_k max(n_k⁺ − n_0, n_k⁻ − n_0, 0)²; below: √Σ_k max(n_0 − n_k⁺, n_0 − n_k⁻, 0)².

    References:
        J. M. Campbell et al., Rept. Prog. Phys. 70 (2007) 89, hep-ph/0611148, eq. (43).
    """
    if len(members) % 2:
        raise DataError(f"pairs of eigenvectors have an even number of members. Received: {len(members)}.")
    change = (members - nominal).reshape(-1, 2, *members.shape[1:])
    above = np.maximum(change.max(axis=1), 0.0)
    below = np.maximum(-change.min(axis=1), 0.0)
    return np.asarray(np.sqrt(np.sum(below**2, axis=0))), np.asarray(np.sqrt(np.sum(above**2, axis=0)))


def replica_errors(members: Floats, *, interval: bool = False) -> Floats:
    """Standard deviation of Monte Carlo replicas, or half of their central 68 % interval, shape (n_bins,).

    The interval stands where their distribution is far from Gaussian.

    References:
        J. Butterworth et al., J. Phys. G 43 (2016) 023001, arXiv:1510.03865, section 6.
    """
    if len(members) < 2:
        raise DataError(f"replicas must be at least two. Received: {len(members)}.")
    if not interval:
        return np.asarray(np.std(members, axis=0, ddof=1))
    low, high = np.quantile(members, (0.16, 0.84), axis=0)
    return np.asarray((high - low) / 2.0)


def pair_error(up: Floats, down: Floats, *, spread: float = 1.0) -> Floats:
    """(n_up − n_down) / (2 spread), with its sign, shape (n_bins,).

    For α_s, up and down are yields with α_s ± Δ, and spread is Δ in standard deviations of α_s.

    References:
        J. Butterworth et al., J. Phys. G 43 (2016) 023001, arXiv:1510.03865, section 6.
    """
    return np.asarray((up - down) / (2.0 * spread))


def in_quadrature(*errors: Floats) -> Floats:
    """√Σ e² of independent errors, as of parton distributions and α_s, shape (n_bins,).

    >>> in_quadrature(np.array([3.0]), np.array([-4.0])).tolist()
    [5.0]
    """
    return np.asarray(np.sqrt(np.sum(np.square(errors), axis=0)))
