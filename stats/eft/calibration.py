"""Intervals whose thresholds toys have calibrated, beside those of χ²₁, with the coverage of both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.intervals import Coverage, Interval, Thresholds, interval, toy_thresholds
from znought.stats.eft.likelihood import LikelihoodModel, Systematics
from znought.stats.eft.measurement import (
    COMBINED,
    SmeftConfig,
    likelihood_model,
    study_coverage,
)

__all__ = ["Calibration", "calibrate", "calibrations"]

_BEYOND: Final = 1.6
"""Toys are thrown this much beyond the ends of the χ²₁ interval: calibrated ones lie further out."""
_TOYS_APART: Final = 1_000_003
"""Added to the seed of the coverage, so that thresholds and coverage come from different toys."""


@dataclass(frozen=True)
class Calibration:
    """Expected interval on the first coefficient by χ²₁ and by Neyman's construction."""

    asymptotic: Interval
    """−2 Δln L below the χ²₁ quantile."""
    calibrated: Interval
    """−2 Δln L below the quantile of toys thrown at each value."""
    thresholds: Thresholds
    coverage: tuple[Coverage, ...]
    """Of the asymptotic intervals, at the configured truths."""
    calibrated_coverage: tuple[Coverage, ...]
    """Of the calibrated ones, in the same toys, which are others than the thresholds'."""


def calibrate(model: LikelihoodModel, config: SmeftConfig) -> Calibration:
    """Thresholds by toys over the expected interval and beyond, the interval they give, and both coverages.

    Raises:
        CardError: fewer toys than the level needs.
    """
    name, (low_valid, high_valid) = model.names[0], model.validity[0]
    plain = interval(model, coefficient=name, level=config.level)
    low = max(_BEYOND * plain.segments[0][0], low_valid)
    high = min(_BEYOND * plain.segments[-1][1], high_valid)
    thresholds = toy_thresholds(
        model,
        coefficient=name,
        values=np.append(np.linspace(low, high, config.calibration_points), 0.0),
        level=config.level,
        n_toys=config.calibration_toys,
        seed=config.seed + _TOYS_APART,
    )
    return Calibration(
        asymptotic=plain,
        calibrated=interval(model, coefficient=name, level=config.level, thresholds=thresholds),
        thresholds=thresholds,
        coverage=study_coverage(model, config),
        calibrated_coverage=study_coverage(model, config, thresholds=thresholds),
    )


def calibrations(
    channels: Iterable[ScoredChannel], discriminant: str, systematics: Systematics, config: SmeftConfig
) -> Mapping[str, Calibration]:
    """`calibrate` for each channel and for all combined, at the luminosity of the yields."""
    scored = tuple(channels)
    groups = {one.events.name: (one,) for one in scored} | {COMBINED: scored}
    return {
        name: calibrate(likelihood_model(group, discriminant, systematics, config), config)
        for name, group in groups.items()
    }
