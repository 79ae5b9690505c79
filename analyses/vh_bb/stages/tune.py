"""Stage `tune` of VH(bb): the evolutionary search of arXiv:1902.05803, judged on the stop part of a fold."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    training_data,
)
from znought.analyses.vh_bb.networks import NetworkModel, network_of, training_of
from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.preflight import check_workers
from znought.facility.searching import FOLD, drive, write_search
from znought.models.folds import UNTRAINED, is_stop
from znought.models.network import NetworkConfig
from znought.models.scoring import scores_of
from znought.models.search import Job, Search
from znought.models.training import DivergedError, TrainingConfig, train_fold
from znought.stats.eft.counting import cut_scan
from znought.stats.eft.measurement import SmeftConfig

__all__ = ["Task", "stop_z", "tune"]

DROPOUT = 0.2
"""Behind every hidden layer of the talk's search, whatever the genome."""


@dataclass(frozen=True)
class Task:
    """What all trials of a search share; small enough to send with each.

    Attributes:
        plan: the channel.
        coefficient: what is searched for against the standard model, VH alone.
        training: of every trial.
        smeft: what Z_A is computed with; None for the area under the ROC curve.
        folder: of the checkpoints.
    """

    plan: ChannelPlan
    coefficient: float
    training: TrainingConfig
    smeft: SmeftConfig | None
    folder: str

    def value(self, job: Job) -> float | None:
        """On a worker: what the network is worth on the stop part of one fold's training."""
        sample = read_channel(self.plan)
        try:
            trained = train_fold(
                training_data(sample, self.coefficient),
                FOLD,
                job.network,
                replace(self.training, max_epochs=job.max_epochs),
                classes=CLASSES,
                feature_names=self.plan.features,
                checkpoint=Path(self.folder) / f"{job.key}.npz",
            )
        except DivergedError:
            return None
        if self.smeft is None:
            return trained.history["stop_auc"][trained.best_epoch]
        rows = stop_rows(sample)
        scores = scores_of(trained, sample.features[rows], self.plan.features)[:, 1]
        return stop_z(sample, rows, scores, self.coefficient, self.smeft)


def tune(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, a section to put into the card."""
    card, workspace = context.card, context.workspace
    plan = channel_plan(card, workspace, card.main_channel)
    sample, value = read_channel(plan), card.discriminants.classifier_value
    model = NetworkModel(card.main_channel, "asimov", value)
    training = training_of(card, sample, model)
    smeft = card.smeft if card.search.objective == "z0" else None
    task = Task(plan, value, training, smeft, str(workspace.search.resolve()))
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    base = replace(network_of(card, sample, model), dropout=DROPOUT)
    search = Search(card.search, base, workspace.search / "trials.log")
    with context.reporter.bar(f"searching {card.main_channel}") as advance:
        drive(client, search, task, advance)
    best, network = search.best()
    written = write_search(workspace, search, _section(card, network))
    context.reporter.stage("tune", f"best trial {best.number}: {best.value:.4f}, network in {written[-1]}")
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


def stop_rows(sample: ChannelSample) -> NDArray[np.intp]:
    """VH events of the part that stops the training of the search's fold: none that is scored or tested."""
    rule = sample.plan.training
    stops = is_stop(sample.events.identity, fold=FOLD, fraction=rule.stop_fraction, salt=rule.salt)
    seen = (sample.fold != FOLD) & (sample.fold != UNTRAINED)
    return np.flatnonzero(stops & seen & sample.events.is_vh)


def stop_z(
    sample: ChannelSample,
    rows: NDArray[np.intp],
    scores: NDArray[np.floating[Any]],
    value: float,
    config: SmeftConfig,
) -> float:
    """Largest Z_A over cuts, excess over the standard model, the rows scaled to all events.

    A network that leaves no cut with enough background is worth nothing.
    """
    events = sample.events
    weight, at = events.weight[rows], events.weight_at(point_of(events.morphing, value))[rows]
    factor = events.weight[events.is_vh].sum() / weight.sum()
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
