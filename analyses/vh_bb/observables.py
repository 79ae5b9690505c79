"""Discriminants that need no network: which ones a card asks for, and what each is learned from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import Discriminants, VHBBCard
from znought.analyses.vh_bb.channels import (
    ChannelPlan,
    ChannelSample,
    point_of,
    read_channel,
    read_recorded,
)
from znought.facility.events.store import EventTable
from znought.facility.learning.plan import scoring_folds
from znought.models.observables import (
    ObservableData,
    TreesConfig,
    classifier_scores,
    linear_scores,
    parametrised_scores,
    vh_probability,
)
from znought.processors.evaluated import NOMINAL
from znought.stats.eft.morphing import monomials

__all__ = [
    "OTHER_OBSERVABLES",
    "RECORDED",
    "ObservableTask",
    "grow",
    "observable_data",
    "observable_names",
    "ratio_at",
    "tasks_of",
]

Floats = NDArray[np.float64]


RECORDED = "data"
"""Key of the scores of recorded events among those of the variations."""


def observable_names(card: VHBBCard) -> tuple[str, ...]:
    """Columns of the trees' scores: a classifier for each value, and those of `_OTHERS`."""
    return (*(f"trees_{value:g}" for value in card.smeft.values), *_OTHERS)


@dataclass(frozen=True)
class ObservableTask:
    """One discriminant of one channel: small, as it travels.

    Attributes:
        repeat: of the folds.
        value: of the classifier; None for the other discriminants.
    """

    plan: ChannelPlan
    name: str
    repeat: int
    value: float | None
    settings: Discriminants
    trees: TreesConfig


def tasks_of(card: VHBBCard, plan: ChannelPlan) -> tuple[ObservableTask, ...]:
    """All discriminants of one channel in every repeat, in the order of `observable_names`."""
    values = (*card.smeft.values, *(None for _ in _OTHERS))
    return tuple(
        ObservableTask(plan, name, repeat, value, card.discriminants, card.trees)
        for name, value in zip(observable_names(card), values, strict=True)
        for repeat in range(card.training.n_repeats)
    )


def grow(task: ObservableTask) -> dict[str, Floats]:
    """On a worker: variation → scores of all events of the channel by the trees of their own fold.

    Recorded events stand beside the variations, as `RECORDED`. The trees stay there (scikit-learn could only
    pickle them): what travels are scores.
    """
    sample, plan = read_channel(task.plan), task.plan
    tables = {NOMINAL: sample.table} | {name: read_channel(plan, name).table for name in plan.moved}
    folds = [_own_fold(plan, table, task.repeat) for table in tables.values()]
    if plan.recorded:
        tables[RECORDED] = read_recorded(plan).table
        folds.append(_own_fold(plan, tables[RECORDED], task.repeat, is_trained=False))
    data = replace(
        observable_data(sample, task.repeat),
        own_fold=np.concatenate(folds),
        scored=np.concatenate([table.matrix(plan.features) for table in tables.values()]),
    )
    if task.value is not None:
        scores = classifier_scores(data, ratio_at(sample, task.value), task.trees)
    else:
        scores = _OTHERS[task.name](data, sample, task)
    ends = np.cumsum([len(table) for table in tables.values()])
    return dict(zip(tables, np.split(scores, ends[:-1]), strict=True))


def observable_data(sample: ChannelSample, repeat: int = 0) -> ObservableData:
    """VH and backgrounds of a channel, as observables are learned from them in one repeat."""
    return ObservableData(
        features=sample.features,
        weight=sample.events.weight,
        is_vh=sample.events.is_vh,
        fold=sample.folds[:, repeat],
        own_fold=_own_fold(sample.plan, sample.table, repeat),
    )


def _own_fold(
    plan: ChannelPlan, table: EventTable, repeat: int, *, is_trained: bool = True
) -> NDArray[np.int8]:
    """Whose trees score each event."""
    return scoring_folds(plan.training, table, np.full(len(table), is_trained))[:, repeat]


def ratio_at(sample: ChannelSample, value: float) -> Floats:
    """Weight at a value over that of the standard model, shape (n_events,)."""
    point = point_of(sample.plan.morphing, value)
    return np.asarray(sample.events.polynomial @ monomials(point), dtype=np.float64)


def _parametrised(data: ObservableData, sample: ChannelSample, task: ObservableTask) -> Floats:
    ratios = {value: ratio_at(sample, value) for value in task.settings.parametrised_values}
    return parametrised_scores(data, ratios, task.trees, at=task.settings.parametrised_at)


def _linear(data: ObservableData, sample: ChannelSample, task: ObservableTask) -> Floats:
    return linear_scores(data, sample.events.polynomial[:, 1], task.trees)


def _probability(data: ObservableData, sample: ChannelSample, task: ObservableTask) -> Floats:
    return vh_probability(data, task.trees)


_OTHERS: Mapping[str, Callable[[ObservableData, ChannelSample, ObservableTask], Floats]] = {
    "parametrised_trees": _parametrised,
    "linear_score": _linear,
    "vh_probability": _probability,
}
OTHER_OBSERVABLES = tuple(_OTHERS)
"""Discriminants that are of no single value."""
