"""Channels of plain functions in a card of the standard flow: each region stands for one in every channel.

A channel is a cut on the column that tells channels apart. Yields, figures, templates and the likelihood then
know them as any region: `signal` of the channels `low` and `high` is `signal_low` and `signal_high`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from znought.analysis import CHANNEL, Analysis
from znought.facility.cards.sections import RegionCuts

if TYPE_CHECKING:
    from znought.facility.cards.standard import StandardCard

__all__ = ["by_channel", "problems_of_channels"]

Split = dict[str, tuple[str, ...]]


def by_channel(card: "StandardCard", analysis: Analysis) -> dict[str, Any]:
    """Sections of a card with regions, discriminants, masks and systematics by channel.

    Regions stay, for all channels together, beside one of each channel; every channel as a whole is a region,
    too. Discriminants are of single channels, each with edges of its own where they are to be found.

    Args:
        card: of the analysis, with its channels; one that has been here before stays as it is.
        analysis: with its channels.
    """
    if analysis.channel_variable is None:
        return {}
    places = {name: float(place) for place, name in enumerate(analysis.channels)}
    cuts: dict[str, RegionCuts] = {
        name: {CHANNEL: (places[name] - 0.5, places[name] + 0.5)} for name in card.channels
    }
    plain = [name for name, region in card.regions.items() if CHANNEL not in region]
    split = {name: tuple(f"{name}_{channel}" for channel in card.channels) for name in plain}
    regions = dict(card.regions)
    for name, own in cuts.items():
        regions.setdefault(name, own)
    for name, parts in split.items():
        for part, own in zip(parts, cuts.values(), strict=True):
            regions.setdefault(part, {**card.regions[name], **own})
    return {
        "regions": regions,
        "discriminants": _each(card.discriminants, split),
        "likelihood": card.likelihood.model_copy(
            update={
                "masks": _each(card.likelihood.masks, split),
                "workspace": _workspace(card, split),
            }
        ),
    }


def _each(given: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Region → entry, the same for all channels of a region."""
    return {part: entry for name, entry in given.items() for part in split.get(name, (name,))}


def _workspace(card: "StandardCard", split: Split) -> Any:
    """Norms and systematics that act in some regions act in these of every channel."""
    settings = card.likelihood.workspace

    def acting(one: Any) -> Any:
        return replace(one, regions=tuple(p for name in one.regions for p in split.get(name, (name,))))

    return replace(
        settings,
        norms={name: acting(one) for name, one in settings.norms.items()},
        systematics={name: acting(one) for name, one in settings.systematics.items()},
    )


def problems_of_channels(card: "StandardCard", analysis: Analysis) -> list[str]:
    """What channels of an analysis ask of a card, one line each."""
    if not analysis.channels:
        return []
    if analysis.columns is not None:
        return ["channels: an analysis that makes its columns at once needs a flow of its own for them."]
    found = [
        f"regions.{name}: this is the name of a channel."
        for name, region in card.regions.items()
        if name in analysis.channels and CHANNEL not in region
    ]
    if card.signal is not None and not card.discriminants:
        found.append("channels: a fit needs discriminants, which say what is binned in each region.")
    return found
