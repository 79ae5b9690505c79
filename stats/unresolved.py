"""An effect that few events cannot show is not zero: its size is then taken from a looser region."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm as normal

from znought.errors import CardError, DataError
from znought.stats.paired import PairedDifference

__all__ = ["NormConfig", "NormEstimate", "estimated_norm"]

Source = Literal["region", "looser region"]
Verdict = Literal["holds", "weak"]


@dataclass(frozen=True)
class NormConfig:
    """When a change of yield counts as seen, and when not knowing it matters.

    Attributes:
        resolved_p_value: a change less probable than this without an effect is seen.
        movers_min: fewer effective generated events that differ have no error worth the name.
        weak_above: an error on the yield above this share of the statistical error is a weakness.
    """

    resolved_p_value: float = 0.05
    movers_min: float = 5.0
    weak_above: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.resolved_p_value < 1.0:
            raise CardError(f"resolved_p_value must lie between 0 and 1. Received: {self.resolved_p_value}.")
        if not (self.weak_above > 0.0 and self.movers_min >= 1.0):
            raise CardError(
                "weak_above must be positive and movers_min at least 1. "
                f"Received: {self.weak_above} and {self.movers_min}."
            )


@dataclass(frozen=True)
class NormEstimate:
    """Relative change of a process's yield in a region under one standard deviation.

    Attributes:
        norm: up is ν (1 + norm).
        error: paired error of it.
        source: where it was seen.
        resolved: whether the region's own events show a change.
        verdict: "weak" where the error matters beside the statistical one.
    """

    norm: float
    error: float
    source: Source
    resolved: bool
    verdict: Verdict


def estimated_norm(
    own: PairedDifference,
    looser: PairedDifference | None,
    *,
    statistical_error: float,
    config: NormConfig | None = None,
) -> NormEstimate:
    """The region's own relative change where its events show one, else that of a looser region.

    The looser region is not asked where it knows no better, or where the region's own change contradicts
    it: the difference of the two ratios, paired by generated event, is then less probable than
    `resolved_p_value`.

    Args:
        own: of one process in the region, made with the looser region.
        looser: of the same process in a region that contains it.
        statistical_error: of the data expected in the region, √(expected events), positive.
        config: limits.

    Raises:
        DataError: a statistical error that is not positive, or a region made without the looser one.
    """
    config = config or NormConfig()
    if not statistical_error > 0:
        raise DataError(f"statistical_error must be positive. Received: {statistical_error:g}.")
    resolved = _is_resolved(own, config)
    source: Source = "region"
    chosen = own
    if not resolved and looser is not None and _helps(own, looser, config):
        source, chosen = "looser region", looser
    size = chosen.norm_error * own.nominal.sum()
    verdict: Verdict = "weak" if size > config.weak_above * statistical_error else "holds"
    return NormEstimate(chosen.norm, chosen.norm_error, source, resolved, verdict)


def _is_resolved(found: PairedDifference, config: NormConfig) -> bool:
    if _movers(found) < config.movers_min:
        return False
    return _p_value(found.norm, found.norm_error) < config.resolved_p_value


def _helps(own: PairedDifference, looser: PairedDifference, config: NormConfig) -> bool:
    """Whether the looser region knows the change better, and the region does not contradict it."""
    if _movers(own) < config.movers_min:
        return True
    if not looser.norm_error < own.norm_error:
        return False
    return _p_value(own.norm - looser.norm, _error_of_difference(own, looser)) >= config.resolved_p_value


def _movers(found: PairedDifference) -> float:
    """Effective generated events whose part of the yield differs."""
    return float(found.merged(np.zeros(found.n_bins, np.int64)).movers[0])


def _p_value(value: float, error: float) -> float:
    if error > 0:
        return float(2.0 * normal.sf(abs(value) / error))
    return 1.0 if value == 0.0 else 0.0


def _error_of_difference(own: PairedDifference, looser: PairedDifference) -> float:
    """Error of own.norm − looser.norm: events that are in both count once."""
    if own.shared is None:
        raise DataError("The difference of a region was not made with the looser one beside it.")
    x, y = (np.array([1.0, -found.norm]) / found.nominal.sum() for found in (own, looser))
    together = float(x @ own.shared @ y)
    return float(np.sqrt(max(own.norm_error**2 + looser.norm_error**2 - 2.0 * together, 0.0)))
