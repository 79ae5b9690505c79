"""Networks trained on workers, whatever the analysis: a task for each fold of each repeat."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from distributed import Client, Future, get_worker

from znought.facility.cluster.tasks import arrivals, note_sign_of_life, submit
from znought.facility.metrics.tally import count
from znought.facility.progress import Advance
from znought.facility.storage.mirror import keep, recall
from znought.models import artefacts
from znought.models.folds import UNTRAINED
from znought.models.network import NetworkConfig
from znought.models.training import OnEpoch, TrainedFold, TrainingConfig, TrainingData, train_fold

__all__ = [
    "EPOCHS_TOPIC",
    "NetworkTask",
    "Source",
    "held_data",
    "on_all_folds",
    "save_networks",
    "train_network",
    "train_networks",
]

EPOCHS_TOPIC = "znought-epochs"


class Source(Protocol):
    """Where training data come from; small, as it travels with each task, and a dataclass of plain values."""

    @property
    def columns(self) -> str:
        """Directory of the columns that the data are read from."""

    def training_data(self) -> tuple[TrainingData, ...]:
        """The data with the folds of each repeat."""


@dataclass(frozen=True)
class NetworkTask:
    """One network in all folds and repeats: small, as it travels.

    Attributes:
        title: what the progress bar calls it.
        source: of its training data.
        network, training: settings.
        classes, features: names, in the network's order.
        folder: where its networks and checkpoints are kept.
    """

    title: str
    source: Source
    network: NetworkConfig
    training: TrainingConfig
    classes: tuple[str, ...]
    features: tuple[str, ...]
    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    def train(
        self,
        data: TrainingData,
        fold: int,
        repeat: int = 0,
        *,
        checkpoint: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> TrainedFold:
        """The network of one fold, resumed where its checkpoint is found.

        Raises:
            DataError: see `znought.models.training.train_fold`.
        """
        file = checkpoint or self.checkpoints / f"{artefacts.network_name(repeat, fold)}.npz"
        recall(file)

        def kept(fold: int, epoch: int, metrics: Mapping[str, float]) -> None:
            keep(file)
            if on_epoch is not None:
                on_epoch(fold, epoch, metrics)

        return train_fold(
            data,
            fold,
            self.network,
            self.training,
            classes=self.classes,
            feature_names=self.features,
            repeat=repeat,
            checkpoint=file,
            on_epoch=kept,
        )


def train_networks(client: Client, tasks: Sequence[NetworkTask], advance: Advance) -> list[list[TrainedFold]]:
    """The networks of every task, by repeat and fold, trained on the workers.

    Args:
        client: of the cluster.
        tasks: in the order wanted.
        advance: told after every epoch of any network.
    """
    for task in tasks:
        task.checkpoints.mkdir(parents=True, exist_ok=True)
    total = sum(task.training.n_networks * task.training.max_epochs for task in tasks)
    with _listening(client, total, advance):
        futures = [_submitted(client, task) for task in tasks]
        # A failure is raised at once, not behind the networks that were submitted earlier.
        for future in arrivals(client, [one for each in futures for one in each]):
            future.result()
        trained = [[future.result() for future in each] for each in futures]
    done = sum(len(one.history["loss"]) for each in trained for one in each)
    advance(done, done, f"{sum(len(each) for each in trained)} networks")
    return trained


def save_networks(task: NetworkTask, trained: Sequence[TrainedFold]) -> list[Path]:
    """The files of one network in all folds and repeats; its checkpoints go."""
    artefacts.save(
        task.folder,
        trained,
        network=task.network,
        training=task.training,
        classes=task.classes,
        feature_names=task.features,
    )
    shutil.rmtree(task.checkpoints, ignore_errors=True)
    named = artefacts.load(task.folder).files
    for stale in set(task.folder.glob("*fold_*")) - {task.folder / name for name in named}:
        stale.unlink()
    return [path for path in task.folder.glob("*") if path.is_file()]


def on_all_folds(training: TrainingConfig) -> Iterator[tuple[int, int]]:
    """(repeat, fold) of every network."""
    for repeat in range(training.n_repeats):
        for fold in range(training.n_folds):
            yield repeat, fold


def _submitted(client: Client, task: NetworkTask) -> list[Future[TrainedFold]]:
    return [
        submit(client, train_network, task, repeat, fold, retries=2)
        for repeat, fold in on_all_folds(task.training)
    ]


@contextmanager
def _listening(client: Client, total: int, advance: Advance) -> Iterator[None]:
    """Progress by epoch, as workers report it."""
    epochs: dict[tuple[str, int, int], int] = {}

    def heard(event: tuple[float, object]) -> None:
        note = json.loads(str(event[1]))
        epochs[note["folder"], note["repeat"], note["fold"]] = note["epoch"] + 1
        note_sign_of_life(client)
        advance(sum(epochs.values()), total, _epoch_line(note))

    client.subscribe_topic(EPOCHS_TOPIC, heard)
    try:
        yield
    finally:
        client.unsubscribe_topic(EPOCHS_TOPIC)


def _epoch_line(note: Mapping[str, Any]) -> str:
    place = f"repeat {note['repeat']}, fold {note['fold']}, epoch {note['epoch'] + 1}"
    return f"{note['title']} {place}: AUC {note['stop_auc']:.4f}".lstrip()


def train_network(task: NetworkTask, repeat: int, fold: int) -> TrainedFold:
    """On a worker: one network, resumable after every epoch."""
    worker, data = get_worker(), held_data(task.source)[repeat]
    n_seen = int(np.count_nonzero((data.fold != fold) & (data.fold != UNTRAINED)))

    def on_epoch(fold: int, epoch: int, metrics: Mapping[str, float]) -> None:
        where = {"title": task.title, "folder": str(task.folder), "repeat": repeat, "fold": fold}
        note = where | {"epoch": epoch, "stop_auc": metrics["stop_auc"]}
        worker.log_event(EPOCHS_TOPIC, json.dumps(note))
        count(events=n_seen)

    return task.train(data, fold, repeat, on_epoch=on_epoch)


_HELD: dict[object, tuple[TrainingData, ...]] = {}


def held_data(source: Source) -> tuple[TrainingData, ...]:
    """Training data of a source by repeat, read once by a worker that trains several networks on them.

    A process holds one sample at a time. Columns that have been written again are read again.
    """
    key = (repr(source), tuple(_stamps(Path(source.columns))))
    found = _HELD.get(key)
    if found is None:
        _HELD.clear()
        found = _HELD[key] = source.training_data()
    return found


def _stamps(columns: Path) -> Iterable[tuple[str, int, int]]:
    """Name, time and size of every file of nominal columns."""
    for file in sorted(columns.glob("*/nominal/*.parquet")):
        status = file.stat()
        yield file.name, status.st_mtime_ns, status.st_size
