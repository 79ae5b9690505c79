"""What training again would change, and differences of discriminants."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError
from znought.stats.crossfit import Companion, Interval, SignificanceEstimate

__all__ = ["Replicated", "held_out_difference", "with_training"]


class Replicated(Protocol):
    """A held-out Z0 with its bootstrap replicates, as `SignificanceEstimate` has them."""

    @property
    def quoted(self) -> float:
        """Before the bias of finite MC statistics is taken off."""

    @property
    def held_out(self) -> float:
        """After it."""

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Z0 of every replicate, shape (n_bootstrap,)."""

    @property
    def level(self) -> float:
        """Confidence level of intervals."""

    @property
    def left_out(self) -> Sequence[float]:
        """Z0 without each repeat of the folds in turn."""


def held_out_difference(
    first: Replicated, second: Replicated, *, paired: bool = True
) -> tuple[float, Interval]:
    """Held-out Z0 of one discriminant less that of another, with its bootstrap interval.

    Args:
        first, second: cross-fitted with equal seeds, so that replicate k draws the same generated events.
        paired: False where they are of other events: replicate k of the one is then taken with replicate
            k + 1 of the other, which draws independently of it.

    Raises:
        CardError: different numbers of replicates or levels.
    """
    if first.replicates.shape != second.replicates.shape or first.level != second.level:
        raise CardError("A paired difference needs equal numbers of replicates and levels of confidence.")
    others = second.replicates if paired else np.roll(second.replicates, 1)
    plain, replicates = first.quoted - second.quoted, first.replicates - others
    low, high = np.quantile(replicates, [(1 - first.level) / 2, (1 + first.level) / 2])
    value, interval = first.held_out - second.held_out, (2 * plain - float(high), 2 * plain - float(low))
    n_repeats = max(len(first.left_out), len(second.left_out))
    apart = [np.asarray(one.left_out or (one.quoted,) * n_repeats) for one in (first, second)]
    return value, _widened(value, Interval(*interval, first.level), _jackknife(apart[0] - apart[1]))


def with_training(
    estimate: SignificanceEstimate, left_out: Sequence[SignificanceEstimate]
) -> SignificanceEstimate:
    """The estimate of an ensemble with intervals that hold the chance of its training.

    The discriminant is the mean over R repeats of the folds. Without repeat r it gives Z₍ᵣ₎ on events that
    had no say in the edges, and

        σ² = (R − 1)/R · Σᵣ (Z₍ᵣ₎ − Z̄)²,

    the jackknife's variance of the mean, is added in quadrature to both sides of each interval. Of three
    repeats σ is known to some 50 %.

    Args:
        estimate: of the mean of all repeats.
        left_out: of the mean without each of them, same events and rules; none leaves the estimate as it is.

    References:
        B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans, SIAM (1982).
    """
    if not left_out:
        return estimate

    def wider(value: Companion, others: Sequence[Companion]) -> Companion:
        error = _jackknife([one.quoted for one in others])
        return replace(value, interval=_widened(value.held_out, value.interval, error, lowest=0.0))

    quoted = tuple(one.quoted for one in left_out)
    error = _jackknife(quoted)
    return replace(
        estimate,
        left_out=quoted,
        training_error=error,
        interval=_widened(estimate.held_out, estimate.interval, error, lowest=0.0),
        mc_stat=wider(estimate.mc_stat, [one.mc_stat for one in left_out]),
        correlated=wider(estimate.correlated, [one.correlated for one in left_out]),
    )


def _jackknife(left_out: ArrayLike) -> float:
    """Standard error of a mean from its values without each part in turn; 0 of fewer than two."""
    values = np.asarray(left_out, np.float64)
    return float(np.sqrt((values.size - 1) * values.var())) if values.size > 1 else 0.0


def _widened(value: float, interval: Interval, error: float, *, lowest: float = -np.inf) -> Interval:
    """An interval with a further error in quadrature on both sides."""
    low, high = (value - interval.low, interval.high - value)
    below, above = np.hypot(low, error), np.hypot(high, error)
    # Where the value lies outside, that end only moves away from it.
    low_end = value - below if low >= 0 else interval.low
    high_end = value + above if high >= 0 else interval.high
    return Interval(max(lowest, float(low_end)), float(high_end), interval.level)
