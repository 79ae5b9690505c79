"""Stage `measure` of VH(bb): scores → areas, Z_A by both definitions of signal, and its projections."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import MODELS, ChannelScores, read_channel_scores
from znought.analyses.vh_bb.channels import CLASSES, point_of
from znought.analyses.vh_bb.networks import parametrised_model
from znought.analyses.vh_bb.results import (
    Area,
    MeasuredResults,
    ProjectionResult,
    SignificanceEntry,
    YieldEntry,
    write_measured,
)
from znought.analyses.vh_bb.summary import MODEL_TITLES
from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.learning.one_discriminant import tested
from znought.facility.results.records import Estimate, OneDiscriminantResult
from znought.facility.results.replicated import ReplicatedNumber, ReplicatedNumbers, write_replicates
from znought.models.areas import AucReplicas, auc_replicas
from znought.models.evaluation import effective_size
from znought.stats.eft.channel import ScoredChannel, hypothesis
from znought.stats.eft.counting import SignalDefinition, channel_z
from znought.stats.eft.measurement import COMBINED, Significance, projections, significance
from znought.stats.eft.replicated import replicated_z

__all__ = ["measure"]

Floats = NDArray[np.float64]
N_BOOTSTRAP = 40
N_REPLICATES = 200
REPLICATED = {"cross_entropy": False, "trees": True}
"""Classifiers whose significance is resampled, and whether all backgrounds count, as in the figures of it."""


@dataclass(frozen=True)
class _Found:
    """A significance, where it was found, and the simulated backgrounds behind it."""

    region: str
    model: str
    found: Significance
    generated: int | None


def measure(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `significance.json`."""
    card, workspace = context.card, context.workspace
    scores = [read_channel_scores(card, workspace, channel) for channel in card.channels]
    steps = [(one, region) for region in card.regions for one in scores]
    yields: list[YieldEntry] = []
    found: list[_Found] = []
    notes: list[str] = []
    areas: list[Area] = []
    with context.reporter.bar("measuring") as advance:
        for done, (one, region) in enumerate(steps):
            advance(done, len(steps), f"{one.name} {region}")
            try:
                yields += _yields(one, region)
                found += _significances(one, region)
            except DataError as error:
                notes.append(f"{one.name} {region}: no significance. {error}")
            if region == card.training_region:
                areas += [_area(one, region, model, value) for model, value in _classifiers(card)]
        advance(len(steps), len(steps), "")
    measured = MeasuredResults(
        yields=tuple(yields),
        one_discriminant={
            one.name: result for one in scores if (result := _one_discriminant(one)) is not None
        },
        auc=tuple(areas),
        significances=tuple(_entry(one) for one in found),
        projections=tuple(_projections(card, found)),
        notes=tuple(notes),
    )
    write_measured(workspace.significance, measured)
    write_replicates(workspace.replicates, _replicated(card, scores, found))
    return [workspace.significance, workspace.replicates]


def _replicated(
    card: VHBBCard, scores: Iterable[ChannelScores], found: Iterable[_Found]
) -> ReplicatedNumbers:
    """Held-out Z_A of the excess in the training region, by channel and combined, on resampled events."""
    channels = {one.name: one for one in scores}
    groups: dict[tuple[str, float], dict[str, tuple[float, Floats]]] = {}
    for one in found:
        wanted = (card.training_region, "excess", REPLICATED.get(one.model))
        if (one.region, one.found.signal_definition, one.found.with_backgrounds) == wanted:
            scored = channels[one.found.channel].scored(one.region, one.model)
            z = replicated_z(scored, one.found, card.smeft, n_bootstrap=N_REPLICATES)
            if z.size:
                groups.setdefault((one.model, one.found.value), {})[scored.events.name] = (one.found.z, z)
    numbers = {}
    for (model, value), by_channel in groups.items():
        values, replicates = zip(*by_channel.values(), strict=True)
        together = (channel_z(values), np.sqrt(np.sum(np.square(replicates), axis=0)))
        for channel, (z0, z) in {**by_channel, COMBINED: together}.items():
            title = f"{channel}, {MODEL_TITLES[model]}, c̄ = {value:g}"
            numbers[f"{model}_{value:g}_{channel}"] = ReplicatedNumber(
                title=title, value=z0, replicates=tuple(z.tolist())
            )
    return ReplicatedNumbers(quantity="held-out Z_A", numbers=numbers)


def _classifiers(card: VHBBCard) -> list[tuple[str, float]]:
    return [(model, value) for value in card.smeft.values for model in MODELS]


def _yields(one: ChannelScores, region: str) -> list[YieldEntry]:
    rows = one.in_region(region)
    events = one.sample.events.taken(rows)
    entries = []
    for process in np.unique(events.process):
        mine = events.process == process
        at = {
            f"{value:g}": float(events.weight_at(point_of(events.morphing, value))[mine].sum())
            for value in one.card.smeft.values
        }
        entries.append(
            YieldEntry(
                channel=one.name,
                region=region,
                process=str(process),
                events=float(events.weight[mine].sum()),
                events_at=at,
                generated=int(np.unique(events.identity[mine]).size),
                effective=effective_size(events.weight[mine], events.identity[mine]),
            )
        )
    return entries


def _significances(one: ChannelScores, region: str) -> Iterator[_Found]:
    """Every classifier and value, by both definitions, with backgrounds and without."""
    config = one.card.smeft
    for model in MODELS:
        scored = one.scored(region, model)
        for value in config.values:
            for definition in get_args(SignalDefinition):
                for with_backgrounds in (False, True):
                    found = significance(
                        scored,
                        value,
                        config,
                        signal_definition=definition,
                        with_backgrounds=with_backgrounds,
                    )
                    yield _Found(region, model, found, _generated(scored, found))


def _generated(scored: ScoredChannel, found: Significance) -> int | None:
    """Simulated events that are not VH above the best cut."""
    if not found.with_backgrounds:
        return None
    events, cut = scored.events, found.scan.cuts[found.scan.best]
    return int(np.unique(events.identity[~events.is_vh & (scored.scores[found.value] >= cut)]).size)


def _entry(one: _Found) -> SignificanceEntry:
    names = set(SignificanceEntry.model_fields) - {"region", "model", "generated_backgrounds"}
    values: dict[str, Any] = {name: getattr(one.found, name) for name in names}
    return SignificanceEntry(
        region=one.region, model=one.model, generated_backgrounds=one.generated, **values
    )


def _area(one: ChannelScores, region: str, model: str, value: float) -> Area:
    """Both hypotheses with equal weight; networks without backgrounds, as they were trained."""
    rows = one.in_region(region)
    is_published = one.card.training.scoring == "published"
    if is_published:
        rows &= ~one.is_test
    with_backgrounds = model == "trees"
    areas = _replicas(one, rows, model, value, with_backgrounds=with_backgrounds)
    less_trees = None
    if model != "trees":
        trees = _replicas(one, rows, "trees", value, with_backgrounds=with_backgrounds)
        less_trees = _estimate(areas.less(trees))
    return Area(
        channel=one.name,
        region=region,
        model=model,
        value=value,
        with_backgrounds=with_backgrounds,
        area=_estimate(areas),
        less_trees=less_trees,
        events="training events, out of fold" if is_published else "training (out of fold) and test events",
    )


def _replicas(
    one: ChannelScores, rows: NDArray[np.bool_], model: str, value: float, *, with_backgrounds: bool
) -> AucReplicas:
    """Area of a classifier among some events, with its bootstrap replicas."""
    events = one.sample.events.taken(rows)
    both = hypothesis(events, point_of(events.morphing, value), with_backgrounds=with_backgrounds)
    index = both.is_signal.astype(np.int64)
    output = one.output(model, value)[rows][both.row]
    return auc_replicas(
        np.column_stack([1.0 - output, output]),
        index,
        both.weight / np.bincount(index, weights=both.weight)[index],
        events.identity[both.row],
        classes=CLASSES,
        n_bootstrap=N_BOOTSTRAP,
    )


def _estimate(areas: AucReplicas) -> Estimate:
    found = areas.estimates()[CLASSES[1]]
    return Estimate(value=found.value, interval=(found.lower, found.upper))


def _one_discriminant(one: ChannelScores) -> OneDiscriminantResult | None:
    """Whether test and out-of-fold events of a channel have the outputs of one network and of one tree."""
    events, value = one.sample.events, one.card.discriminants.classifier_value
    outputs = {model: one.output(model, value) for model in MODELS}
    outputs["parametrised network"] = one.outputs[parametrised_model(one.card, one.name).name]
    outputs["parametrised trees"] = one.outputs["parametrised_trees"]
    return tested(outputs, events.weight, events.process, one.is_test, events.identity)


def _projections(card: VHBBCard, found: list[_Found]) -> Iterator[ProjectionResult]:
    groups: dict[tuple[str, str, bool], list[Significance]] = {}
    for one in found:
        key = (one.region, one.model, one.found.with_backgrounds)
        groups.setdefault(key, []).append(one.found)
    for (region, model, with_backgrounds), entries in groups.items():
        for line in projections(entries, card.smeft, lumi_ifb=card.lumi_ifb):
            yield ProjectionResult(
                channel=line.channel,
                region=region,
                model=model,
                value=line.value,
                signal_definition=line.signal_definition,
                with_backgrounds=with_backgrounds,
                scaling=line.scaling,
                luminosities_ifb=line.luminosities_ifb,
                z=tuple(line.z.tolist()),
            )
