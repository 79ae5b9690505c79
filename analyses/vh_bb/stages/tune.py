"""Stage `tune` of VH(bb): the evolutionary search of arXiv:1902.05803, and one of trees, judged alike."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import (
    CLASSES,
    ChannelPlan,
    ChannelSample,
    channel_plan,
    point_of,
    read_channel,
)
from znought.analyses.vh_bb.networks import NetworkModel, network_of, network_task
from znought.analyses.vh_bb.observables import observable_data, ratio_at
from znought.errors import DataError
from znought.facility.cluster.preflight import check_workers
from znought.facility.context import Context
from znought.facility.learning.searching import (
    FOLD,
    AreaJudge,
    Judge,
    NetworkTrial,
    Score,
    best_trees,
    check_search_part,
    drive,
    search_trees,
    write_search,
)
from znought.models.folds import SEARCHED, UNTRAINED
from znought.models.network import NetworkConfig
from znought.models.observables import TreesConfig, fitted_classifier
from znought.models.samples import TrainingData
from znought.models.search import Search
from znought.stats.eft.counting import cut_scan
from znought.stats.eft.measurement import SmeftConfig

__all__ = ["ChannelJudge", "ClassifierTrial", "search_rows", "search_z", "tune"]

DROPOUT = 0.2
"""Behind every hidden layer of the published search, whatever the genome."""


@dataclass(frozen=True)
class ChannelJudge:
    """Z_A of a coefficient on the VH events set apart for the search.

    Attributes:
        plan: the channel.
        value: coefficient that is searched for against the standard model.
        smeft: what Z_A is computed with.
    """

    plan: ChannelPlan
    value: float
    smeft: SmeftConfig

    def worth(self, data: TrainingData, score: Score) -> float:
        """Largest Z_A over cuts; the events are those of the channel, not the two hypotheses of `data`."""
        sample = read_channel(self.plan)
        rows = search_rows(sample)
        return search_z(sample, rows, score(sample.features[rows])[:, 1], self.value, self.smeft)


@dataclass(frozen=True)
class ClassifierTrial:
    """What all trials of the classifier's trees share.

    Attributes:
        plan: the channel.
        value: coefficient of the classifier.
        trees: settings of the card.
        smeft: what Z_A is computed with.
    """

    plan: ChannelPlan
    coefficient: float
    trees: TreesConfig
    smeft: SmeftConfig

    def value(self, settings: Mapping[str, Any]) -> float:
        """On a worker: Z_A with backgrounds of trees with these settings in place of the card's."""
        sample = read_channel(self.plan)
        data = observable_data(sample)
        data = replace(data, fold=np.where(data.fold == SEARCHED, np.int8(UNTRAINED), data.fold))
        trees = replace(self.trees, **settings)
        predict = fitted_classifier(data, ratio_at(sample, self.coefficient), trees, data.trains(FOLD))
        rows = search_rows(sample, with_backgrounds=True)
        return search_z(sample, rows, predict(sample.features[rows]), self.coefficient, self.smeft)


def tune(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, sections to put into the card."""
    card, workspace = context.card, context.workspace
    check_search_part(card.training)
    plan = channel_plan(card, workspace, card.main_channel)
    sample, value = read_channel(plan), card.discriminants.classifier_value
    model = NetworkModel(card.main_channel, "asimov", value)
    judge: Judge = AreaJudge(CLASSES)
    if card.search.objective == "z0":
        judge = ChannelJudge(plan, value, card.smeft)
    task = network_task(card, sample, model, workspace.search)
    trial = NetworkTrial(task, judge, str(workspace.search.resolve()))
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    base = replace(network_of(card, sample, model), dropout=DROPOUT)
    search = Search(card.search, base, workspace.search / "trials.log")
    with context.reporter.bar(f"searching {card.main_channel}") as advance:
        drive(client, search, trial, advance)
    trees = ClassifierTrial(plan, value, card.trees, card.smeft)
    with context.reporter.bar(f"searching {card.main_channel} trees") as advance:
        grown = search_trees(client, trees, card.search.trees, card.search.seed, advance)
    best, network = search.best()
    sections: dict[str, Mapping[str, Any]] = {"network": _section(card, network)}
    if (found := best_trees(grown)) is not None:
        sections["trees"] = asdict(card.trees) | found.settings
    sections["training"] = {"search_fraction": card.training.search_fraction}
    written = write_search(workspace, search, sections, grown)
    note = f"best trial {best.number}: {best.value:.4f}" + (f", trees {found.value:.4f}" if found else "")
    context.reporter.stage("tune", f"{note}; sections for the card in {written[-1]}")
    return written


def _section(card: VHBBCard, network: NetworkConfig) -> dict[str, Any]:
    """The network of a trial as the card's section `network`."""
    found = {
        "hidden_layers": len(network.hidden_nodes),
        "hidden_nodes": network.hidden_nodes[0],
        "activation": network.activation,
        "optimiser": network.optimiser,
        "learning_rate": network.learning_rate,
        "dropout": network.dropout,
    }
    return card.network.model_dump() | found


def search_rows(sample: ChannelSample, *, with_backgrounds: bool = False) -> NDArray[np.intp]:
    """Events set apart for the search, VH alone or with backgrounds: none that is scored or tested."""
    return np.flatnonzero((sample.fold == SEARCHED) & (sample.events.is_vh | with_backgrounds))


def search_z(
    sample: ChannelSample,
    rows: NDArray[np.intp],
    scores: NDArray[np.floating[Any]],
    value: float,
    config: SmeftConfig,
) -> float:
    """Largest Z_A over cuts, excess over the standard model, the rows scaled to all events.

    A model that leaves no cut with enough background is worth nothing.
    """
    events = sample.events
    weight, at = events.weight[rows], events.weight_at(point_of(events.morphing, value))[rows]
    vh = events.is_vh
    factor = events.weight[vh].sum() / weight[vh[rows]].sum()
    output = np.asarray(scores, dtype=np.float64)
    try:
        found = cut_scan(
            output,
            factor * at,
            factor * weight,
            cuts=np.unique(np.quantile(output, np.linspace(0.0, 1.0, config.n_cuts, endpoint=False))),
            sigma_rel=config.sigma_rel,
            min_background=config.min_background,
        )
    except DataError:
        return 0.0
    return float(found.z.max())
