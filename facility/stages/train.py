"""Stage `train`: networks and boosted trees of every fold and repeat, a task each, on the workers."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, submit
from znought.facility.context import Context
from znought.facility.events.store import IDENTITY, EventTable, write_parquet
from znought.facility.learning.plan import LearningPlan, all_events, learning_plan, scoring_folds
from znought.facility.learning.scoring import repeat_columns
from znought.facility.learning.training import (
    NetworkTask,
    held_data,
    on_all_folds,
    save_networks,
    train_networks,
)
from znought.facility.progress import Advance
from znought.facility.workspace import Workspace
from znought.models.boosting import BoostedFold, BoostingConfig, ScoredEvents, boost_fold, scores_by_repeat
from znought.models.network import NetworkConfig

__all__ = ["boost_trees", "network_task", "train"]


def train(context: Context[StandardCard]) -> Iterable[Path]:
    """Trains every network that is not finished yet, and writes networks and the trees' scores."""
    card, workspace = context.card, context.workspace
    task = network_task(card, workspace, workspace.models)
    plan = learning_plan(card, workspace)
    client = context.cluster()
    check_workers(client, "train")
    with context.reporter.bar("training networks") as advance:
        (trained,) = train_networks(client, [task], advance)
    written = save_networks(task, trained)
    with context.reporter.bar("boosting trees") as advance:
        boosted = boost_trees(client, card.boosting, plan, advance)
    return [*written, *_write_boosted(workspace, plan, boosted)]


def network_task(card: StandardCard, workspace: Workspace, folder: Path) -> NetworkTask:
    """The network of a card whose columns have been made; it is kept in `folder`."""
    plan = learning_plan(card, workspace)
    return NetworkTask(
        title="",
        source=plan,
        network=card.network or NetworkConfig(),
        training=card.training,
        classes=plan.classes,
        features=plan.features,
        folder=folder.resolve(),
    )


def boost_trees(
    client: Client, boosting: BoostingConfig, plan: LearningPlan, advance: Advance
) -> list[BoostedFold]:
    """Trees of every fold and repeat, trained on the workers: their scores of all events."""
    futures = [
        submit(client, _boost_one, plan, repeat, fold, boosting, retries=2)
        for repeat, fold in on_all_folds(plan.training)
    ]
    boosted: list[BoostedFold] = []
    for future in arrivals(client, futures):
        boosted.append(future.result())
        last = boosted[-1]
        note = f"{last.n_iterations} rounds in repeat {last.repeat}, fold {last.fold}"
        advance(len(boosted), len(futures), note)
    return boosted


def _boost_one(plan: LearningPlan, repeat: int, fold: int, boosting: BoostingConfig) -> BoostedFold:
    """On a worker: one fold's trees, which stay there; their scores travel."""
    table = all_events(plan)
    return boost_fold(
        held_data(plan)[repeat],
        fold,
        boosting,
        plan.training,
        classes=plan.classes,
        feature_names=plan.features,
        scored=ScoredEvents(table.matrix(plan.features), _folds(plan, table, repeat)),
        repeat=repeat,
    )


def _folds(plan: LearningPlan, table: EventTable, repeat: int) -> NDArray[np.int8]:
    trained = table.per_dataset({name: name in plan.class_of for name in table.datasets})
    return scoring_folds(plan.training, table, trained)[:, repeat]


def _write_boosted(workspace: Workspace, plan: LearningPlan, boosted: list[BoostedFold]) -> list[Path]:
    """The trees' scores by dataset, in the layout of the network's."""
    table = all_events(plan)
    by_repeat = scores_by_repeat(boosted, plan.training, len(table))
    scores = by_repeat.mean(axis=0).astype(np.float32)
    written = []
    for code, dataset in enumerate(table.datasets):
        rows = table.dataset == code
        path = workspace.boosted / dataset / "nominal" / "scores.parquet"
        names = {f"score_{name}": scores[rows, i] for i, name in enumerate(plan.classes)}
        if plan.signal is not None:
            kept = by_repeat[:, rows, plan.classes.index(plan.signal)]
            names |= repeat_columns(f"score_{plan.signal}", kept)
        write_parquet(path, {name: table[name][rows] for name in IDENTITY} | names)
        written.append(path)
    return written
