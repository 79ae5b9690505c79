"""A likelihood under other names."""

from collections.abc import Callable
from dataclasses import replace

from znought.errors import DataError
from znought.stats.formats.likelihood import Channel, Likelihood

__all__ = ["renamed"]


def renamed(likelihood: Likelihood, rename: Callable[[str], str]) -> Likelihood:
    """The same likelihood, the names of channels, samples and parameters changed by a function.

    Raises:
        DataError: two names become one.
    """
    for names in _names(likelihood):
        changed: dict[str, str] = {}
        for name in names:
            other = changed.setdefault(rename(name), name)
            if other != name:
                raise DataError(f"{other!r} and {name!r} would both be called {rename(name)!r}.")
    return replace(
        likelihood,
        channels=tuple(_channel(channel, rename) for channel in likelihood.channels),
        poi=rename(likelihood.poi),
        settings=tuple(replace(setting, name=rename(setting.name)) for setting in likelihood.settings),
        sidebands=tuple(replace(sideband, name=rename(sideband.name)) for sideband in likelihood.sidebands),
        groups={
            rename(name): tuple(rename(member) for member in members)
            for name, members in likelihood.groups.items()
        },
    )


def _names(likelihood: Likelihood) -> tuple[set[str], set[str], set[str]]:
    samples = [sample for channel in likelihood.channels for sample in channel.samples]
    return (
        {channel.name for channel in likelihood.channels},
        {sample.name for sample in samples},
        {effect.name for sample in samples for effect in sample.effects},
    )


def _channel(channel: Channel, rename: Callable[[str], str]) -> Channel:
    samples = tuple(
        replace(
            sample,
            name=rename(sample.name),
            effects=tuple(replace(effect, name=rename(effect.name)) for effect in sample.effects),
        )
        for sample in channel.samples
    )
    return replace(channel, name=rename(channel.name), samples=samples)
