"""Stage `train` of VH(bb): the networks of every channel, one task per fold, and the trees."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import CLASSES, ChannelPlan, channel_plan, read_channel
from znought.analyses.vh_bb.networks import (
    NetworkModel,
    data_of,
    features_of,
    models_of,
    network_of,
    training_of,
)
from znought.analyses.vh_bb.observables import ObservableTask, grow, observable_names, tasks_of
from znought.facility.context import Context
from znought.facility.preflight import check_workers
from znought.facility.progress import Advance
from znought.facility.store import IDENTITY, read_events, write_parquet
from znought.facility.tasks import arrivals, spread, submit
from znought.facility.workspace import Workspace
from znought.models import artefacts
from znought.models.network import NetworkConfig
from znought.models.training import TrainedFold, TrainingConfig, train_fold

__all__ = ["train"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Task:
    """One network: small, as it travels.

    Attributes:
        values: coefficients that a parametrised network learns from.
        features: its inputs, in order.
        folder: where its folds are kept.
    """

    plan: ChannelPlan
    model: NetworkModel
    values: tuple[float, ...]
    features: tuple[str, ...]
    network: NetworkConfig
    training: TrainingConfig
    folder: Path


def train(context: Context[VHBBCard]) -> Iterable[Path]:
    """Trains every fold that is not finished yet; writes networks and the trees' scores."""
    card, workspace = context.card, context.workspace
    tasks = _tasks(context)
    client = context.cluster()
    check_workers(client, "train")
    with context.reporter.bar("training networks") as advance:
        trained = _folds(client, tasks, advance)
    written = [file for task, folds in zip(tasks, trained, strict=True) for file in _kept(task, folds)]
    plans = [channel_plan(card, workspace, channel) for channel in card.channels]
    with context.reporter.bar("boosting trees") as advance:
        grown = _trees(client, [task for plan in plans for task in tasks_of(card, plan)], advance)
    names = observable_names(card)
    for i, plan in enumerate(plans):
        mine = grown[i * len(names) : (i + 1) * len(names)]
        written += _write_trees(workspace, plan, dict(zip(names, mine, strict=True)))
    for task in tasks:
        shutil.rmtree(task.folder / "checkpoints")
    return written


def _kept(task: _Task, folds: list[TrainedFold]) -> list[Path]:
    """The files of one network, once all of its folds are there."""
    artefacts.save(
        task.folder,
        folds,
        network=task.network,
        training=task.training,
        classes=CLASSES,
        feature_names=task.features,
    )
    return [path for path in task.folder.glob("*") if path.is_file()]


def _tasks(context: Context[VHBBCard]) -> list[_Task]:
    """Every network of every channel that has events.

    Raises:
        DataError: see `read_channel`.
    """
    card, workspace = context.card, context.workspace
    tasks = []
    for channel in card.channels:
        plan = channel_plan(card, workspace, channel)
        sample = read_channel(plan)
        for model in models_of(card, channel):
            folder = model.folder(workspace).resolve()
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            tasks.append(
                _Task(
                    plan,
                    model,
                    values=card.discriminants.parametrised_values,
                    features=features_of(card, sample, model),
                    network=network_of(card, sample, model),
                    training=training_of(card, sample, model),
                    folder=folder,
                )
            )
    return tasks


def _folds(client: Client, tasks: list[_Task], advance: Advance) -> list[list[TrainedFold]]:
    """The folds of every task, in order."""
    futures = [
        [submit(client, _train_one, task, fold, retries=2) for fold in range(task.training.n_folds)]
        for task in tasks
    ]
    titles = {
        future.key: f"{task.model.channel} {task.model.name}"
        for task, folds in zip(tasks, futures, strict=True)
        for future in folds
    }
    for done, future in enumerate(arrivals(client, [one for folds in futures for one in folds]), start=1):
        future.result()
        advance(done, len(titles), titles[future.key])
    return [[future.result() for future in folds] for folds in futures]


def _train_one(task: _Task, fold: int) -> TrainedFold:
    """On a worker: one fold, resumable after every epoch."""
    return train_fold(
        data_of(read_channel(task.plan), task.model, task.values),
        fold,
        task.network,
        task.training,
        classes=CLASSES,
        feature_names=task.features,
        checkpoint=task.folder / "checkpoints" / f"fold_{fold}.npz",
    )


def _trees(client: Client, tasks: list[ObservableTask], advance: Advance) -> list[Floats]:
    """Scores of every discriminant that needs no network, a task each."""
    futures = spread(client, grow, tasks, retries=2)
    titles = {
        future.key: f"{task.plan.channel} {task.name}" for future, task in zip(futures, tasks, strict=True)
    }
    for done, future in enumerate(arrivals(client, futures), start=1):
        future.result()
        advance(done, len(titles), titles[future.key])
    return [future.result() for future in futures]


def _write_trees(workspace: Workspace, plan: ChannelPlan, outputs: Mapping[str, Floats]) -> list[Path]:
    """The trees' scores of one channel by dataset, NaN outside the region that they learn from."""
    sample = read_channel(plan)
    everything = read_events(Path(plan.columns), tuple(plan.process_of), [])
    columns = {name: np.full(len(everything), np.nan) for name in outputs}
    for name, values in outputs.items():
        columns[name][sample.inside] = values
    written = []
    for code, dataset in enumerate(everything.datasets):
        rows = everything.dataset == code
        path = workspace.boosted / plan.channel / dataset / "nominal" / "scores.parquet"
        identity = {name: everything[name][rows] for name in IDENTITY}
        write_parquet(path, identity | {name: values[rows] for name, values in columns.items()})
        written.append(path)
    return written
