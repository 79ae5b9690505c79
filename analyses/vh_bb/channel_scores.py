"""The scored events of one VH(bb) channel: columns, network outputs and trees, row by row together."""

from collections.abc import Mapping
from dataclasses import dataclass

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
from znought.analyses.vh_bb.observables import observable_names
from znought.errors import DataError
from znought.facility.events.store import IDENTITY, EventTable, read_events
from znought.facility.workspace import Workspace
from znought.models.folds import UNTRAINED
from znought.models.parametrised import excess_density
from znought.processors.regions import regions_from_card
from znought.stats.eft.measurement import ScoredChannel

__all__ = ["DISCRIMINANTS", "MODELS", "ChannelScores", "read_channel_scores"]

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
    """

    card: VHBBCard
    sample: ChannelSample
    outputs: Mapping[str, Floats]

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

    def _parametrised_network(self) -> Floats:
        """Density at the card's value over that of the standard model, minus one."""
        events, model = self.sample.events, parametrised_model(self.card, self.name)
        at = events.weight_at(point_of(events.morphing, model.value))
        growth = at[events.is_vh].sum() / events.weight[events.is_vh].sum()
        return excess_density(self.outputs[model.name], self.outputs["vh_probability"], float(growth))

    def scored(self, region: str, model: str = "trees") -> ScoredChannel:
        """The events of a region with the outputs of one kind of classifier, as the statistics take them.

        Raises:
            DataError: the region is empty.
        """
        rows = self.in_region(region)
        if not rows.any():
            raise DataError(f"Channel {self.name}: no event in the region {region!r}.")
        settings = self.card.discriminants
        discriminants = {
            "pt_v": self.sample.pt_v,
            "classifier": self.output("trees", settings.classifier_value),
            "parametrised_trees": self.outputs["parametrised_trees"],
            "parametrised_network": self._parametrised_network(),
            "linear_score": self.outputs["linear_score"],
        }
        return ScoredChannel(
            self.sample.events.taken(rows),
            {value: self.output(model, value)[rows] for value in self.card.smeft.values},
            {name: values[rows] for name, values in discriminants.items()},
        )


def read_channel_scores(card: VHBBCard, workspace: Workspace, channel: str) -> ChannelScores:
    """All scored events of one channel.

    Raises:
        DataError: an empty channel, or scores that are not of the events in the columns.
    """
    sample = read_channel(channel_plan(card, workspace, channel))
    networks = tuple(model.name for model in models_of(card, channel))
    outputs: dict[str, Floats] = {}
    for directory, names in ((workspace.scores, networks), (workspace.boosted, observable_names(card))):
        table = read_events(directory / channel, sample.table.datasets, names)
        outputs |= {name: table[name].astype(np.float64) for name in names}
        _check_same_events(sample, table, channel)
    sample = quoted_sample(sample)
    return ChannelScores(card, sample, {name: values[sample.inside] for name, values in outputs.items()})


def _check_same_events(sample: ChannelSample, table: EventTable, channel: str) -> None:
    same = len(table) == sample.inside.size and all(
        np.array_equal(table[name][sample.inside], sample.table[name]) for name in IDENTITY
    )
    if not same:
        raise DataError(
            f"Channel {channel}: the scores are not of the events in the columns: run `--from train`."
        )
