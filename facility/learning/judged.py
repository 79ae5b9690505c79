"""Areas under ROC curves of the models, and whether each has one discriminant, of slices of the events."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import MODELS, Model, ScoredSample, read_sample, sample_slices
from znought.facility.events.slices import Slice, one_share
from znought.facility.learning.one_discriminant import tested
from znought.facility.results.records import Estimate, OneDiscriminantResult
from znought.facility.workspace import Workspace
from znought.models.areas import AucReplicas, ScoredEvents, auc_replicas, streamed_replicas
from znought.stats.labels import Labels

__all__ = ["AREA_EVENTS", "judged_models"]

AREA_EVENTS = {
    "own_fold": "training (out of fold) and test events of all classes, each by the models of its own folds",
    "published": "training events of all classes, out of fold; test events have the mean of all models",
}
"""Which events areas under ROC curves are of, by way of scoring."""
AREA_EVENTS_OF_MODEL = "all events of all classes, as the model scores them that was trained elsewhere"


def judged_models(card: StandardCard, workspace: Workspace) -> dict[str, Any]:
    """Areas of networks and trees and whether they have one discriminant, as `evaluation.json` holds them.

    Every class carries the same weight as in training. All areas are of one estimator: training and test
    events alike have the mean of the models of their own folds.
    """
    models = MODELS if card.network is not None else MODELS[: card.is_scored]
    tests = {model: _one_discriminant(card, workspace, model) for model in models}
    found = {"one_discriminant": {model: one for model, one in tests.items() if one is not None}}
    areas = _areas(card, workspace, models)
    if len(areas) < len(MODELS):
        alone = {"auc": _intervals(areas[0]), "auc_events": AREA_EVENTS_OF_MODEL} if areas else {}
        return alone | found
    network, trees = areas
    return found | {
        "auc": _intervals(network),
        "auc_boosting": _intervals(trees),
        "auc_differences": _intervals(network.less(trees)),
        "auc_events": AREA_EVENTS[card.training.scoring],
    }


def _areas(card: StandardCard, workspace: Workspace, models: tuple[Model, ...]) -> list[AucReplicas]:
    parts = sample_slices(card, workspace)
    if not models:
        return []
    totals = np.zeros(len(card.classes))
    for part in parts:
        found = _estimated(card, workspace, part, ())
        totals += np.bincount(found.class_index, weights=found.weight, minlength=len(card.classes))

    def scored(part: Slice) -> ScoredEvents:
        found = _estimated(card, workspace, part, models)
        scores: dict[str, NDArray[Any]] = {model: found.outputs(model) for model in models}
        index, identity = found.class_index, found.columns.identity
        return ScoredEvents(scores, index, found.weight / totals[index], identity)

    if len(parts) == 1:
        one = scored(parts[0])
        rest = one.class_index, one.weights, one.identity
        return [auc_replicas(scores, *rest, classes=card.classes) for scores in one.scores.values()]

    def every() -> Iterator[ScoredEvents]:
        return (scored(part) for part in parts)

    return list(streamed_replicas(every, classes=card.classes).values())


def _estimated(
    card: StandardCard, workspace: Workspace, part: Slice, models: tuple[Model, ...]
) -> ScoredSample:
    """Events of one slice that have the output of one estimator."""
    return _trained_classes(card, workspace, part, models, lambda events: events.is_estimator)


def _one_discriminant(card: StandardCard, workspace: Workspace, model: Model) -> OneDiscriminantResult | None:
    """Whether test and out-of-fold events have one discriminant; None where too few events tell.

    Of more events than fit it looks at a share.
    """
    every = card.of_kind("simulation")
    part = Slice(every, one_share(workspace.columns, every))
    sample = _trained_classes(card, workspace, part, (model,), lambda events: events.class_index >= 0)
    outputs = sample.outputs(model)
    return tested(
        {name: outputs[:, i] for i, name in enumerate(card.classes)},
        sample.weight,
        Labels(card.classes, sample.class_index),
        sample.is_test,
        sample.columns.identity,
    )


def _trained_classes(
    card: StandardCard,
    workspace: Workspace,
    part: Slice,
    models: tuple[Model, ...],
    rows: Callable[[ScoredSample], NDArray[np.bool_]],
) -> ScoredSample:
    """Some events of a slice, of the classes that are trained on, with the outputs of some models."""
    return read_sample(
        card,
        workspace,
        kind="simulation",
        variables=(),
        models=models,
        repeats=False,
        rows=rows,
        part=part,
    )


def _intervals(areas: AucReplicas) -> dict[str, Estimate]:
    return {
        name: Estimate(value=area.value, interval=(area.lower, area.upper))
        for name, area in areas.estimates().items()
    }
