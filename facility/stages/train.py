"""Stage `train`: K networks and K sets of boosted trees, one task per fold, on the workers."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from distributed import Client, get_worker

from znought.errors import DataError
from znought.facility.card_standard import StandardCard
from znought.facility.context import Context
from znought.facility.learning import LearningPlan, learning_plan, other_events, training_data
from znought.facility.preflight import check_workers
from znought.facility.progress import Advance
from znought.facility.store import IDENTITY, read_events, write_parquet
from znought.facility.tasks import arrivals, submit
from znought.facility.workspace import Workspace
from znought.models import artefacts
from znought.models.boosting import BoostedFold, BoostingConfig, boost_fold, combine
from znought.models.network import NetworkConfig
from znought.models.training import TrainedFold, train_fold

__all__ = ["boost_trees", "train", "train_networks", "train_one"]

EPOCHS_TOPIC = "znought-epochs"


def train(context: Context[StandardCard]) -> Iterable[Path]:
    """Trains every fold that is not finished yet, and writes networks and the trees' scores."""
    card, workspace = context.card, context.workspace
    network = card.network or NetworkConfig()
    plan = learning_plan(card, workspace)
    client = context.cluster()
    check_workers(client, "train")
    checkpoints = workspace.models / "checkpoints"
    with context.reporter.bar("training networks") as advance:
        trained = train_networks(client, network, plan, checkpoints, advance)
    artefacts.save(
        workspace.models,
        trained,
        network=network,
        training=card.training,
        classes=plan.classes,
        feature_names=plan.features,
    )
    with context.reporter.bar("boosting trees") as advance:
        boosted = boost_trees(client, card.boosting, plan, advance)
    written = _write_boosted(workspace, plan, boosted)
    for file in checkpoints.glob("*"):
        file.unlink()
    return [*(path for path in workspace.models.glob("*") if path.is_file()), *written]


def train_networks(
    client: Client, network: NetworkConfig, plan: LearningPlan, checkpoints: Path, advance: Advance
) -> list[TrainedFold]:
    checkpoints.mkdir(parents=True, exist_ok=True)
    n_folds = plan.training.n_folds
    epochs = dict.fromkeys(range(n_folds), 0)

    def heard(event: tuple[float, object]) -> None:
        note = json.loads(str(event[1]))
        epochs[note["fold"]] = note["epoch"] + 1
        advance(sum(epochs.values()), n_folds * plan.training.max_epochs, _epoch_line(note))

    client.subscribe_topic(EPOCHS_TOPIC, heard)
    futures = [
        submit(client, train_one, plan, fold, network, str(checkpoints.resolve()), retries=2)
        for fold in range(n_folds)
    ]
    trained: list[TrainedFold] = [future.result() for future in arrivals(client, futures)]
    client.unsubscribe_topic(EPOCHS_TOPIC)
    done = sum(len(fold.history["loss"]) for fold in trained)
    advance(done, done, f"{n_folds} folds")
    return sorted(trained, key=lambda fold: fold.fold)


def _epoch_line(note: Mapping[str, float]) -> str:
    return f"fold {note['fold']}, epoch {note['epoch'] + 1}: AUC {note['stop_auc']:.4f}"


def train_one(plan: LearningPlan, fold: int, network: NetworkConfig, checkpoints: str) -> TrainedFold:
    """On a worker: one fold, resumable after every epoch."""
    worker = get_worker()

    def on_epoch(fold: int, epoch: int, metrics: Mapping[str, float]) -> None:
        note = {"fold": fold, "epoch": epoch, "stop_auc": metrics["stop_auc"]}
        worker.log_event(EPOCHS_TOPIC, json.dumps(note))

    return train_fold(
        training_data(plan),
        fold,
        network,
        plan.training,
        classes=plan.classes,
        feature_names=plan.features,
        checkpoint=Path(checkpoints) / f"fold_{fold}.npz",
        on_epoch=on_epoch,
    )


def boost_trees(
    client: Client, boosting: BoostingConfig, plan: LearningPlan, advance: Advance
) -> list[BoostedFold]:
    n_folds = plan.training.n_folds
    futures = [submit(client, _boost_one, plan, fold, boosting, retries=2) for fold in range(n_folds)]
    boosted: list[BoostedFold] = []
    for future in arrivals(client, futures):
        boosted.append(future.result())
        advance(len(boosted), n_folds, f"{boosted[-1].n_iterations} rounds in fold {boosted[-1].fold}")
    return sorted(boosted, key=lambda fold: fold.fold)


def _boost_one(plan: LearningPlan, fold: int, boosting: BoostingConfig) -> BoostedFold:
    """On a worker: one fold's trees, which stay there; their scores travel."""
    return boost_fold(
        training_data(plan),
        fold,
        boosting,
        plan.training,
        classes=plan.classes,
        feature_names=plan.features,
        others=other_events(plan).matrix(plan.features),
    )


def _write_boosted(workspace: Workspace, plan: LearningPlan, boosted: list[BoostedFold]) -> list[Path]:
    """The trees' scores by dataset, in the layout of the network's."""
    learned, others = combine(training_data(plan), boosted)
    tables = (read_events(workspace.columns, tuple(plan.class_of), []), other_events(plan))
    written = []
    for table, scores in zip(tables, (learned, others), strict=True):
        if len(table) != len(scores):
            raise DataError(f"Expected boosted scores of {len(table)} events, received {len(scores)}.")
        for code, dataset in enumerate(table.datasets):
            rows = table.dataset == code
            path = workspace.boosted / dataset / "nominal" / "scores.parquet"
            names = {f"score_{name}": scores[rows, i] for i, name in enumerate(plan.classes)}
            write_parquet(path, {name: table[name][rows] for name in IDENTITY} | names)
            written.append(path)
    return written
