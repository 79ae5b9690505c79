"""Limits of data: observed intervals beside the expected ones of the same likelihood."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from znought.errors import DataError
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.intervals import Interval, best_value, cls_interval, interval
from znought.stats.eft.likelihood import LikelihoodModel, Observation, Systematics
from znought.stats.eft.measurement import (
    COMBINED,
    Limit,
    SmeftConfig,
    channel_edges,
    likelihood_model,
    linear_range,
)

__all__ = ["ObservedLimit", "observation", "observed_limits"]

Method = Literal["delta_2lnl", "cls"]
_INTERVALS: Mapping[Method, Callable[..., Interval]] = {"delta_2lnl": interval, "cls": cls_interval}


@dataclass(frozen=True)
class ObservedLimit:
    """Interval on c̄_HW of data beside the expected one of the same likelihood."""

    observed: Limit
    expected: Interval
    best: float
    """The value that the data prefer within the validity."""


def observation(
    channels: Iterable[ScoredChannel], discriminant: str, model: LikelihoodModel, config: SmeftConfig
) -> Observation:
    """Counts of the data in the bins of a likelihood, auxiliary measurements at nominal.

    Args:
        channels: those of the model, with recorded events.
        discriminant: what is binned.
        model: of these channels in that discriminant.
        config: of its bins.

    Raises:
        DataError: a channel without recorded events, which is blinded.
    """
    found = []
    for channel in channels:
        counts = channel.counts(discriminant, channel_edges(channel, discriminant, config))
        if counts is None:
            raise DataError(f"Channel {channel.events.name}: its data are blinded.")
        found.append(counts)
    return replace(model.asimov(), counts=np.concatenate(found)[None, :])


def observed_limits(
    channels: Iterable[ScoredChannel],
    systematics: Systematics,
    config: SmeftConfig,
    *,
    lumi_ifb: float,
    discriminant: str,
) -> tuple[ObservedLimit, ...]:
    """Observed limits by channel, order and method, at the luminosity of the data.

    CLs is quoted for the combination with the squared term only, as in `limits`.

    Args:
        channels: with recorded events, simulation at the luminosity of the data.
        systematics, config: as for `limits`.
        lumi_ifb: of the data.
        discriminant: one of the channels' discriminants.

    Raises:
        DataError: a channel that is blinded.
    """
    scored = tuple(channels)
    groups = {one.events.name: (one,) for one in scored} | {COMBINED: scored}
    results: list[ObservedLimit] = []
    for name, group in groups.items():
        model = likelihood_model(group, discriminant, systematics, config)
        data, coefficient = observation(group, discriminant, model, config), model.names[0]
        asked: list[tuple[Method, LikelihoodModel]] = [
            ("delta_2lnl", model),
            ("delta_2lnl", linear_range(model)),
        ]
        if name == COMBINED:
            asked.append(("cls", model))
        for method, variant in asked:
            found, expected = (
                _INTERVALS[method](variant, counts, coefficient=coefficient, level=config.level)
                for counts in (data, None)
            )
            limit = Limit(name, discriminant, variant.order, lumi_ifb, method, found)
            best = best_value(variant, data, coefficient=coefficient)
            results.append(ObservedLimit(limit, expected, best))
    return tuple(results)
