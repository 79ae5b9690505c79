"""Stage `score` of VH(bb): columns → outputs of all networks of a channel, a task per dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import ChannelPlan, channel_plan, folds_of
from znought.analyses.vh_bb.networks import NetworkModel, models_of
from znought.facility.context import Context
from znought.facility.store import IDENTITY, EventTable, partition_files, write_parquet
from znought.facility.tasks import arrivals, spread
from znought.facility.workspace import Workspace
from znought.models.scoring import Scorer

__all__ = ["score"]

SIGNAL_CLASS = 1


@dataclass(frozen=True)
class _Task:
    """The files of one dataset in one channel, and the networks that score them.

    Attributes:
        constants: input → value for every event: the coefficient of a parametrised network.
    """

    plan: ChannelPlan
    dataset: str
    scores: str
    folders: dict[str, str]
    constants: dict[str, float]


def score(context: Context[VHBBCard]) -> Iterable[Path]:
    """Scores every event with every network; a training event meets only the fold that never saw it."""
    client, workspace = context.cluster(), context.workspace
    tasks = [task for channel in context.card.channels for task in _tasks(context, channel)]
    futures = spread(client, _score_dataset, tasks, retries=2)
    written: set[Path] = set()
    with context.reporter.bar("scoring") as advance:
        for done, future in enumerate(arrivals(client, futures), start=1):
            written.update(workspace.scores.joinpath(*Path(name).parts[-4:]) for name in future.result())
            advance(done, len(tasks), "datasets")
    for stale in set(workspace.scores.glob("*/*/*/*.parquet")) - written:
        stale.unlink()
    return sorted(written)


def _tasks(context: Context[VHBBCard], channel: str) -> list[_Task]:
    workspace = context.workspace
    plan = channel_plan(context.card, workspace, channel)
    scores = str((workspace.scores / channel).resolve())
    folders = {m.name: _folder(workspace, m) for m in models_of(context.card, channel)}
    constants = {context.card.morphing.coefficients[0]: context.card.discriminants.parametrised_at}
    return [_Task(plan, dataset, scores, folders, constants) for dataset in plan.process_of]


def _folder(workspace: Workspace, model: NetworkModel) -> str:
    return str(model.folder(workspace).resolve())


def _score_dataset(task: _Task) -> list[str]:
    """On a worker: scores of a dataset's files, under the names of the column files."""
    written = []
    for source in partition_files(Path(task.plan.columns), task.dataset):
        names = [*IDENTITY, "gen_weight", *task.plan.features]
        read = pq.read_table(source, columns=names)
        columns = {name: read.column(name).to_numpy() for name in names}
        table = EventTable(columns, np.zeros(read.num_rows, dtype=np.int16), (task.dataset,))
        fold = folds_of(task.plan.training, table)
        outputs, inputs = {}, columns | {name: np.full(len(fold), v) for name, v in task.constants.items()}
        for name, folder in task.folders.items():
            scorer = Scorer.load(folder)
            outputs[name] = scorer.score(scorer.features(inputs), fold)[:, SIGNAL_CLASS]
        weight = columns["gen_weight"] * task.plan.scale[task.dataset]
        kept = {name: columns[name] for name in IDENTITY} | {"event_weight": weight, "fold": fold}
        target = Path(task.scores).joinpath(*source.parts[-3:])
        write_parquet(target, kept | outputs)
        written.append(str(target))
    return written
