"""Stage `train` of VH(bb): the networks of every channel in all folds and repeats, and the trees."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import ChannelPlan, channel_plan, read_channel, read_recorded
from znought.analyses.vh_bb.networks import models_of, network_task
from znought.analyses.vh_bb.observables import RECORDED, ObservableTask, grow, tasks_of
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.context import Context
from znought.facility.events.store import IDENTITY, read_events, write_parquet
from znought.facility.learning.training import NetworkTask, save_networks, train_networks
from znought.facility.progress import Advance
from znought.facility.workspace import Workspace
from znought.processors.evaluated import NOMINAL

__all__ = ["train", "train_trees"]

Floats = NDArray[np.float64]
Grown = dict[str, dict[str, Floats]]
"""Variation → discriminant → scores of the channel's events."""


def train(context: Context[VHBBCard]) -> Iterable[Path]:
    """Trains every network that is not finished yet; writes networks and the trees' scores."""
    tasks = _tasks(context)
    client = context.cluster()
    check_workers(client, "train")
    with context.reporter.bar("training networks") as advance:
        trained = train_networks(client, tasks, advance)
    written = [
        file for task, networks in zip(tasks, trained, strict=True) for file in save_networks(task, networks)
    ]
    return [*written, *train_trees(context)]


def train_trees(context: Context[VHBBCard]) -> list[Path]:
    """Boosts the trees of every channel; writes their scores of every variation."""
    card, workspace = context.card, context.workspace
    plans = [channel_plan(card, workspace, channel) for channel in card.channels]
    tasks = [task for plan in plans for task in tasks_of(card, plan)]
    with context.reporter.bar("boosting trees") as advance:
        grown = _trees(context.cluster(), tasks, advance)
    written = [
        path
        for plan in plans
        for variation, outputs in grown[plan.channel].items()
        for path in _write_trees(workspace, plan, variation, outputs)
    ]
    for stale in set(workspace.boosted.rglob("*.parquet")) - set(written):
        stale.unlink()
    return written


def _tasks(context: Context[VHBBCard]) -> list[NetworkTask]:
    """Every network of every channel that has events.

    Raises:
        DataError: see `read_channel`.
    """
    card, workspace = context.card, context.workspace
    samples = [read_channel(channel_plan(card, workspace, channel)) for channel in card.channels]
    return [
        network_task(card, sample, model, model.folder(workspace))
        for sample in samples
        for model in models_of(card, sample.plan.channel)
    ]


def _trees(client: Client, tasks: list[ObservableTask], advance: Advance) -> dict[str, Grown]:
    """By channel, what needs no network, mean over the repeats; a task for each of these."""
    futures = spread(client, grow, tasks, retries=2)
    titles = {
        future.key: f"{task.plan.channel} {task.name}" for future, task in zip(futures, tasks, strict=True)
    }
    for done, future in enumerate(arrivals(client, futures), start=1):
        future.result()
        advance(done, len(tasks), titles[future.key])
    found: dict[str, Grown] = {}
    # In the order of the tasks: sums must not depend on which worker was the faster one.
    for task, future in zip(tasks, futures, strict=True):
        channel = found.setdefault(task.plan.channel, {})
        for variation, scores in future.result().items():
            outputs = channel.setdefault(variation, {})
            outputs[task.name] = outputs.get(task.name, 0.0) + scores / task.plan.training.n_repeats
    return found


def _write_trees(
    workspace: Workspace, plan: ChannelPlan, variation: str, outputs: Mapping[str, Floats]
) -> list[Path]:
    """The trees' scores of one channel by dataset, NaN outside the region that they learn from."""
    is_data = variation == RECORDED
    datasets = plan.recorded if is_data else tuple(plan.process_of)
    partition = NOMINAL if is_data else variation
    inside = read_recorded(plan).inside if is_data else read_channel(plan, variation).inside
    everything = read_events(Path(plan.columns), datasets, [], variation=partition)
    columns = {name: np.full(len(everything), np.nan) for name in outputs}
    for name, values in outputs.items():
        columns[name][inside] = values
    written = []
    for code, dataset in enumerate(everything.datasets):
        rows = everything.dataset == code
        path = workspace.boosted / plan.channel / dataset / partition / "scores.parquet"
        identity = {name: everything[name][rows] for name in IDENTITY}
        write_parquet(path, identity | {name: values[rows] for name, values in columns.items()})
        written.append(path)
    return written
