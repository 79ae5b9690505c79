"""Channels and eras in a card of the standard flow: each region stands for one in every channel or era.

A channel, or an era, is a cut on the column that tells them apart. Yields, figures, templates and the
likelihood then know them as any region: `signal` of the channels `low` and `high` is `signal_low` and
`signal_high`, of the eras `2017` and `2018` it is `signal_2017` and `signal_2018`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from znought.analysis import CHANNEL, ERA, Analysis, Variable
from znought.facility.cards.sections import RegionCuts

if TYPE_CHECKING:
    from znought.facility.cards.standard import StandardCard

__all__ = ["by_channel", "by_era", "problems_of_channels", "telling"]

Split = dict[str, tuple[str, ...]]


def telling(analysis: Analysis, eras: tuple[str, ...]) -> tuple[Variable, ...]:
    """The columns that tell channels and eras apart, of those that there are."""
    numbers = ", ".join(f"{place}: {name}" for place, name in enumerate(eras))
    era = Variable(ERA, label=f"Era ({numbers})") if eras else None
    return tuple(one for one in (analysis.channel_variable, era) if one is not None)


def by_channel(card: "StandardCard", analysis: Analysis) -> dict[str, Any]:
    """Sections of a card with regions, discriminants, masks and systematics by channel.

    Args:
        card: of the analysis, with its channels; one that has been here before stays as it is.
        analysis: with its channels.
    """
    if analysis.channel_variable is None:
        return {}
    return _apart(card, CHANNEL, tuple(analysis.channels), card.channels)


def by_era(card: "StandardCard") -> dict[str, Any]:
    """Sections of a card with regions, discriminants, masks and systematics by era, where it says so."""
    return _apart(card, ERA, tuple(card.eras), tuple(card.eras)) if card.by_era else {}


def _apart(card: "StandardCard", column: str, known: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """Sections of a card with what it has in regions for each value of a column.

    Regions stay, for all together, beside one of each; each as a whole is a region, too. Discriminants are
    of single ones, each with edges of its own where they are to be found.

    Args:
        card: of the analysis.
        column: holds the place of each event's channel or era.
        known: names of the places, in order.
        wanted: those that the card wants.
    """
    places = {name: float(place) for place, name in enumerate(known)}
    cuts: dict[str, RegionCuts] = {
        name: {column: (places[name] - 0.5, places[name] + 0.5)} for name in wanted
    }
    plain = [name for name, region in card.regions.items() if column not in region]
    split = {name: tuple(f"{name}_{one}" for one in wanted) for name in plain}
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
    """Region → entry, the same for all parts of a region."""
    return {part: entry for name, entry in given.items() for part in split.get(name, (name,))}


def _workspace(card: "StandardCard", split: Split) -> Any:
    """Norms and systematics that act in some regions act in all parts of these."""
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
