"""What the networks of every channel have learned: which ones are explained, and how that is kept."""

from pathlib import Path

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.networks import NetworkModel, parametrised_model
from znought.facility.results.explained import Learned, Tail
from znought.facility.results.records import Record, read_record

__all__ = ["ChannelExplanation", "explained_models", "read_channel_explanation"]


class ChannelExplanation(Record):
    """The networks of all channels, as `explanation.json` holds them.

    Attributes:
        tails: channel → tails of every single network.
        networks: channel → network → what it has learned.
    """

    tails: dict[str, tuple[Tail, ...]]
    networks: dict[str, dict[str, Learned]]


def explained_models(card: VHBBCard, channel: str) -> tuple[NetworkModel, ...]:
    """The networks of one channel that are explained: both losses at the classifier's value, parametrised."""
    value = card.discriminants.classifier_value
    return (
        NetworkModel(channel, "asimov", value),
        NetworkModel(channel, "cross_entropy", value),
        parametrised_model(card, channel),
    )


def read_channel_explanation(path: Path) -> ChannelExplanation:
    """Reads `explanation.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, ChannelExplanation)
