"""The scored events of one VH(bb) channel: columns, network outputs and trees, row by row together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import (
    ChannelSample,
    channel_plan,
    point_of,
    quoted_sample,
    read_channel,
)
from znought.analyses.vh_bb.networks import models_of, parametrised_model
from znought.analyses.vh_bb.observables import OTHER_OBSERVABLES, observable_names
from znought.errors import DataError
from znought.facility.events.store import IDENTITY, EventTable, read_events
from znought.facility.workspace import Workspace
from znought.models.folds import UNTRAINED
from znought.models.parametrised import excess_density
from znought.processors.evaluated import NOMINAL
from znought.processors.regions import regions_from_card
from znought.stats.eft.channel import ScoredChannel

__all__ = [
    "DISCRIMINANTS",
    "MODELS",
    "ChannelScores",
    "read_channel_scores",
    "unfit",
    "with_variations",
]

Floats = NDArray[np.float64]
MODELS = ("asimov", "cross_entropy", "trees")
"""Classifiers of each value: the published network with two losses; trees that also learn backgrounds."""
DISCRIMINANTS = (
    "counting",
    "pt_v",
    "classifier",
    "parametrised_trees",
    "linear_score",
    "parametrised_network",
)
"""What limits are set with, in the order of what each knows."""


@dataclass(frozen=True)
class ChannelScores:
    """Events of one channel inside the training region with all that was learned about them.

    Attributes:
        card: the analysis.
        sample: the events.
        outputs: column of scores → values, shape (n_events,).
        growth: nominal VH yield at the value that the parametrised network is evaluated at, over that of the
            standard model.
    """

    card: VHBBCard
    sample: ChannelSample
    outputs: Mapping[str, Floats]
    growth: float

    @property
    def name(self) -> str:
        """The channel."""
        return self.sample.plan.channel

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """Whether each event is of the test part, which trains nothing."""
        return np.asarray(self.sample.fold == UNTRAINED)

    def output(self, model: str, value: float) -> Floats:
        """Output of the classifier of one value."""
        return self.outputs[f"{model}_{value:g}"]

    def in_region(self, region: str) -> NDArray[np.bool_]:
        """Which events lie in a region of the card."""
        return regions_from_card(self.card.regions)[region].mask(self.sample.table.columns)

    def _discriminants(self) -> dict[str, Floats]:
        """What limits are set with, beside counting; the parametrised network gives ρ(x|c) − 1."""
        output = self.outputs[parametrised_model(self.card, self.name).name]
        return {
            "pt_v": self.sample.pt_v,
            "classifier": self.output("trees", self.card.discriminants.classifier_value),
            "parametrised_trees": self.outputs["parametrised_trees"],
            "parametrised_network": excess_density(output, self.outputs["vh_probability"], self.growth),
            "linear_score": self.outputs["linear_score"],
        }

    def scored(self, region: str, model: str = "trees") -> ScoredChannel:
        """The events of a region with the outputs of one kind of classifier, as the statistics take them.

        Raises:
            DataError: the region is empty.
        """
        rows = self.in_region(region)
        if not rows.any():
            raise DataError(f"Channel {self.name}: no event in the region {region!r}.")
        return ScoredChannel(
            self.sample.events.taken(rows),
            {value: self.output(model, value)[rows] for value in self.card.smeft.values},
            {name: values[rows] for name, values in self._discriminants().items()},
        )


def unfit(one: ChannelScores, region: str) -> str | None:
    """Why a channel cannot take part in the limits of a region."""
    rows, least = one.in_region(region), one.card.smeft.first_yield
    expected = float(one.sample.events.weight[rows].sum())
    if not one.sample.events.is_vh[rows].any() or expected < least:
        return f"{one.name} {region}: no limits, {expected:.3g} expected events are fewer than {least:g}."
    return None


def with_variations(
    channels: Iterable[ChannelScores], workspace: Workspace, region: str
) -> tuple[ScoredChannel, ...]:
    """The events of a region in some channels, with those under every variation of objects and weights.

    Raises:
        DataError: as `read_channel_scores`.
    """
    return tuple(
        replace(one.scored(region), variations=dict(_variations(one, workspace, region))) for one in channels
    )


def _variations(one: ChannelScores, workspace: Workspace, region: str) -> Iterator[tuple[str, ScoredChannel]]:
    """The same events under each variation, with what limits are set with and nothing else."""
    card, network = one.card, parametrised_model(one.card, one.name).name
    trees = (f"trees_{card.discriminants.classifier_value:g}", *OTHER_OBSERVABLES)
    for name in card.variation_names:
        sample, outputs = _read(card, workspace, one.name, (network,), trees, name)
        varied = replace(one, sample=sample, outputs=outputs)
        rows = varied.in_region(region)
        found = {key: values[rows] for key, values in varied._discriminants().items()}
        yield name, ScoredChannel(sample.events.taken(rows), {}, found)


def read_channel_scores(card: VHBBCard, workspace: Workspace, channel: str) -> ChannelScores:
    """All scored events of one channel.

    Raises:
        DataError: an empty channel, or scores that are not of the events in the columns.
    """
    networks = tuple(model.name for model in models_of(card, channel))
    sample, outputs = _read(card, workspace, channel, networks, observable_names(card))
    events = sample.events
    at = events.weight_at(point_of(events.morphing, card.discriminants.parametrised_at))
    growth = at[events.is_vh].sum() / events.weight[events.is_vh].sum()
    return ChannelScores(card, sample, outputs, float(growth))


def _read(
    card: VHBBCard,
    workspace: Workspace,
    channel: str,
    networks: tuple[str, ...],
    trees: tuple[str, ...],
    variation: str = NOMINAL,
) -> tuple[ChannelSample, dict[str, Floats]]:
    """The events that numbers are quoted on, and outputs of them."""
    plan = channel_plan(card, workspace, channel)
    sample = read_channel(plan, variation)
    partition = variation if variation in plan.moved else NOMINAL
    outputs: dict[str, Floats] = {}
    for directory, names in ((workspace.scores, networks), (workspace.boosted, trees)):
        table = read_events(directory / channel, sample.table.datasets, names, variation=partition)
        outputs |= {name: table[name].astype(np.float64) for name in names}
        _check_same_events(sample, table, channel)
    sample = quoted_sample(sample)
    return sample, {name: values[sample.inside] for name, values in outputs.items()}


def _check_same_events(sample: ChannelSample, table: EventTable, channel: str) -> None:
    same = len(table) == sample.inside.size and all(
        np.array_equal(table[name][sample.inside], sample.table[name]) for name in IDENTITY
    )
    if not same:
        raise DataError(
            f"Channel {channel}: the scores are not of the events in the columns: run `--from train`."
        )
