"""The scored events of one VH(bb) channel: columns, network outputs and trees, row by row together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import (
    ChannelSample,
    RecordedSample,
    channel_plan,
    point_of,
    quoted_sample,
    read_channel,
    read_recorded,
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
from znought.stats.eft.channel import COUNTING, ScoredChannel

__all__ = [
    "DISCRIMINANTS",
    "MODELS",
    "ChannelScores",
    "read_channel_scores",
    "unfit",
    "with_data",
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

    def discriminants_of(self, table: EventTable, outputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """What limits are set with, beside counting; the parametrised network gives ρ(x|c) − 1."""
        network = outputs[parametrised_model(self.card, self.name).name]
        return {
            "pt_v": table["pt_v"].astype(np.float64),
            "classifier": outputs[f"trees_{self.card.discriminants.classifier_value:g}"],
            "parametrised_trees": outputs["parametrised_trees"],
            "parametrised_network": excess_density(network, outputs["vh_probability"], self.growth),
            "linear_score": outputs["linear_score"],
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
            self._discriminants(rows),
        )

    def _discriminants(self, rows: NDArray[np.bool_]) -> dict[str, Floats]:
        found = self.discriminants_of(self.sample.table, self.outputs)
        return {name: values[rows] for name, values in found.items()}


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
    """The events of a region in some channels, with those under every variation and luminosity of an era.

    Raises:
        DataError: as `read_channel_scores`.
    """
    return tuple(
        replace(
            one.scored(region),
            variations=dict(_variations(one, workspace, region)) | dict(_of_luminosities(one, region)),
        )
        for one in channels
    )


def with_data(
    channels: Iterable[ChannelScores],
    scored: Iterable[ScoredChannel],
    workspace: Workspace,
    region: str,
    *,
    lumi_ifb: float,
) -> tuple[ScoredChannel, ...]:
    """The same channels at the luminosity of the data, with the recorded events of the region.

    Only ever for unblinded data.

    Args:
        channels: what was learned.
        scored: their simulated events, in the same order.
        workspace: with columns and scores.
        region: of the card.
        lumi_ifb: of the data.
    """
    return tuple(
        replace(two.scaled(lumi_ifb / one.card.lumi_ifb), observed=_recorded(one, workspace, region))
        for one, two in zip(channels, scored, strict=True)
    )


def _recorded(one: ChannelScores, workspace: Workspace, region: str) -> dict[str, Floats]:
    """What limits are set with, of the recorded events of a region; `counting` is 0 for all of them."""
    card = one.card
    sample = read_recorded(channel_plan(card, workspace, one.name))
    outputs = _outputs(workspace, sample, _names_of_limits(one))
    rows = regions_from_card(card.regions)[region].mask(sample.table.columns)
    found = one.discriminants_of(sample.table, outputs) | {COUNTING: np.zeros(len(sample.table))}
    return {name: values[rows] for name, values in found.items()}


def _names_of_limits(one: ChannelScores) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Outputs of networks and of trees that limits are set with."""
    trees = (f"trees_{one.card.discriminants.classifier_value:g}", *OTHER_OBSERVABLES)
    return (parametrised_model(one.card, one.name).name,), trees


def _variations(one: ChannelScores, workspace: Workspace, region: str) -> Iterator[tuple[str, ScoredChannel]]:
    """The same events under each variation, with what limits are set with and nothing else."""
    for name in one.card.variation_names:
        sample, outputs = _read(one.card, workspace, one.name, _names_of_limits(one), name)
        varied = replace(one, sample=sample, outputs=outputs)
        rows = varied.in_region(region)
        yield name, ScoredChannel(sample.events.taken(rows), {}, varied._discriminants(rows))


def _of_luminosities(one: ChannelScores, region: str) -> Iterator[tuple[str, ScoredChannel]]:
    """The nominal events with the luminosity of each era one standard deviation up and down."""
    nominal, table = one.scored(region), one.sample.table.select(one.in_region(region))
    for name, shifts in one.card.lumi_shifts.items():
        for way, sign in (("up", 1.0), ("down", -1.0)):
            factor = 1.0 + sign * table.per_dataset(shifts)
            events = replace(nominal.events, weight=nominal.events.weight * factor)
            yield f"{name}_{way}", replace(nominal, events=events)


def read_channel_scores(card: VHBBCard, workspace: Workspace, channel: str) -> ChannelScores:
    """All scored events of one channel.

    Raises:
        DataError: an empty channel, or scores that are not of the events in the columns.
    """
    networks = tuple(model.name for model in models_of(card, channel))
    sample, outputs = _read(card, workspace, channel, (networks, observable_names(card)))
    events = sample.events
    at = events.weight_at(point_of(events.morphing, card.discriminants.parametrised_at))
    growth = at[events.is_vh].sum() / events.weight[events.is_vh].sum()
    return ChannelScores(card, sample, outputs, float(growth))


def _read(
    card: VHBBCard,
    workspace: Workspace,
    channel: str,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    variation: str = NOMINAL,
) -> tuple[ChannelSample, dict[str, Floats]]:
    """The events that numbers are quoted on, and outputs of networks and of trees of them."""
    sample = read_channel(channel_plan(card, workspace, channel), variation)
    outputs = _outputs(workspace, sample, names, variation)
    kept = quoted_sample(sample)
    rows = kept.inside[sample.inside]
    return kept, {name: values[rows] for name, values in outputs.items()}


def _outputs(
    workspace: Workspace,
    sample: ChannelSample | RecordedSample,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    variation: str = NOMINAL,
) -> dict[str, Floats]:
    """Outputs of networks and of trees, each of shape (n_events,).

    Raises:
        DataError: they are not of these events.
    """
    partition = variation if variation in sample.plan.moved else NOMINAL
    outputs: dict[str, Floats] = {}
    for directory, wanted in zip((workspace.scores, workspace.boosted), names, strict=True):
        folder = directory / sample.plan.channel
        table = read_events(folder, sample.table.datasets, wanted, variation=partition)
        same = len(table) == sample.inside.size and all(
            np.array_equal(table[name][sample.inside], sample.table[name]) for name in IDENTITY
        )
        if not same:
            raise DataError(
                f"Channel {sample.plan.channel}: the scores are not of the events in the columns: run "
                "`--from train`."
            )
        outputs |= {name: table[name][sample.inside].astype(np.float64) for name in wanted}
    return outputs
