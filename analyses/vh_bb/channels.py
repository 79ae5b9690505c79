"""The events of one VH(bb) channel as arrays: from columns on disk to what networks and statistics take.

The driver and the workers build the same arrays from the same small plan, so that what travels is a few
paths and numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import EVENT_COLUMNS, VHBBCard
from znought.analyses.vh_bb.columns import smeft_columns
from znought.analyses.vh_bb.features import FEATURES
from znought.errors import DataError
from znought.facility.events.store import EventTable, read_events
from znought.facility.learning.plan import SEARCH_PART, parts_of, quoted_share, training_folds
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.models.samples import TrainingConfig, TrainingData
from znought.processors.evaluated import NOMINAL
from znought.processors.regions import Region, regions_from_card
from znought.stats.eft.channel import ChannelEvents, MorphingConfig, hypothesis

__all__ = [
    "CLASSES",
    "ChannelPlan",
    "ChannelSample",
    "RecordedSample",
    "channel_plan",
    "point_of",
    "quoted_sample",
    "read_channel",
    "read_recorded",
    "training_data",
]

Floats = NDArray[np.float64]
CLASSES = ("sm", "bsm")
"""Classes of every network: the standard model and a value of the coefficient."""


@dataclass(frozen=True)
class ChannelPlan:
    """Everything that decides the events of one channel; small enough to send with every task.

    Attributes:
        channel: 0L, 1L or 2L.
        columns: directory of its columns.
        process_of: simulated dataset → its process.
        scale: dataset → expected events per unit of generator weight; 1 for data.
        region: what the networks learn from; all other regions are taken inside it.
        morphing: how stored weights become yields.
        training: fold rule.
        moved: variations that have columns of their own; any other is a weight beside the nominal columns.
        recorded: datasets of data.
    """

    channel: str
    columns: str
    process_of: Mapping[str, str]
    scale: Mapping[str, float]
    region: Region
    morphing: MorphingConfig
    training: TrainingConfig
    moved: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Inputs of the channel, in order."""
        return FEATURES[self.channel]


def channel_plan(card: VHBBCard, workspace: Workspace, channel: str) -> ChannelPlan:
    """The plan of a channel whose columns have been made.

    Raises:
        DataError: the columns lack a dataset of the card.
    """
    scale = scale_of(workspace)
    missing = [name for name in card.datasets if name not in scale]
    if missing:
        raise DataError(f"The columns lack {', '.join(missing)}, which the card has: run `--from process`.")
    return ChannelPlan(
        channel=channel,
        columns=str((workspace.columns / channel).resolve()),
        process_of={name: card.datasets[name].process for name in card.of_kind("simulation")},
        scale=scale,
        region=regions_from_card(card.regions)[card.training_region],
        morphing=card.morphing,
        training=card.training,
        moved=tuple(variation.name for variation in card.variations.of_events()),
        recorded=card.of_kind("data"),
    )


@dataclass(frozen=True)
class ChannelSample:
    """One channel's events inside the training region.

    Attributes:
        plan: where they come from.
        table: their columns.
        inside: which rows of the columns on disk they are, shape (n_rows,).
        events: process, weight, identity and polynomial of each.
        folds: that each trains in by repeat, −1 in the test part and −2 in that of a search, shape
            (n_events, n_repeats).
    """

    plan: ChannelPlan
    table: EventTable
    inside: NDArray[np.bool_]
    events: ChannelEvents
    folds: NDArray[np.int8]

    @property
    def fold(self) -> NDArray[np.int8]:
        """Fold that each event trains in, repeat 0."""
        return self.folds[:, 0]

    @property
    def features(self) -> NDArray[np.float32]:
        """Inputs of the channel, shape (n_events, n_features)."""
        return self.table.matrix(self.plan.features)

    @property
    def pt_v(self) -> Floats:
        """Transverse momentum of the vector boson in GeV, shape (n_events,)."""
        return self.table["pt_v"].astype(np.float64)


def read_channel(plan: ChannelPlan, variation: str = NOMINAL) -> ChannelSample:
    """The events of a plan, nominal or under a variation of objects or weights.

    Raises:
        DataError: an empty channel, or VH events without stored SMEFT weights.
    """
    partition = variation if variation in plan.moved else NOMINAL
    weight = "gen_weight" if variation in (NOMINAL, *plan.moved) else f"gen_weight_{variation}"
    names = [weight, *plan.features, *smeft_columns(), *EVENT_COLUMNS]
    everything = read_events(Path(plan.columns), tuple(plan.process_of), names, variation=partition)
    inside = plan.region.mask(everything.columns)
    table = everything.select(inside)
    if not len(table):
        raise DataError(
            f"Channel {plan.channel}: no event in the region {plan.region.name!r}, {len(everything)} after "
            "the preselection; simulate more, or leave the channel out of the card."
        )
    events = ChannelEvents.of(
        plan.channel,
        table.per_dataset(plan.process_of),
        table[weight] * table.per_dataset(plan.scale),
        table.identity,
        np.column_stack([table[name] for name in smeft_columns()]),
        pt_v=table["pt_v"],
        config=plan.morphing,
    )
    return ChannelSample(plan, table, inside, events, training_folds(plan.training, table))


@dataclass(frozen=True)
class RecordedSample:
    """The recorded events of one channel inside the training region.

    Attributes:
        plan: where they come from.
        table: their columns.
        inside: which rows of the columns on disk they are, shape (n_rows,).
    """

    plan: ChannelPlan
    table: EventTable
    inside: NDArray[np.bool_]


def read_recorded(plan: ChannelPlan) -> RecordedSample:
    """The recorded events of a plan; none where no data event is selected."""
    names = [*plan.features, *EVENT_COLUMNS]
    everything = read_events(Path(plan.columns), plan.recorded, names)
    inside = plan.region.mask(everything.columns)
    return RecordedSample(plan, everything.select(inside), inside)


def quoted_sample(sample: ChannelSample) -> ChannelSample:
    """The events that numbers are quoted on: without those of a search, for which the others make up."""
    training, table = sample.plan.training, sample.table
    if not training.search_fraction:
        return sample
    part = parts_of(training, table)
    kept, inside = part != SEARCH_PART, sample.inside.copy()
    inside[sample.inside] = kept
    grown = replace(sample.events, weight=sample.events.weight * quoted_share(training, part))
    return ChannelSample(sample.plan, table.select(kept), inside, grown.taken(kept), sample.folds[kept])


def point_of(morphing: MorphingConfig, value: float) -> Floats:
    """The first coefficient at `value`, any other zero."""
    point = np.zeros(len(morphing.coefficients))
    point[0] = value
    return point


def training_data(sample: ChannelSample, value: float, repeat: int = 0) -> TrainingData:
    """VH at a value of the coefficient against VH of the standard model, without backgrounds.

    Every VH event stands in both classes, with its weight in each; both copies share its fold.
    """
    point: NDArray[Any] = point_of(sample.plan.morphing, value)
    rows = hypothesis(sample.events, point, with_backgrounds=False)
    return TrainingData(
        features=sample.features[rows.row],
        class_index=rows.is_signal.astype(np.int64),
        weights=rows.weight,
        fold=sample.folds[rows.row, repeat],
        identity=sample.events.identity[rows.row],
    )
