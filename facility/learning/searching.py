"""A search for networks on the workers, whatever the analysis: the driver owns every decision."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml
from distributed import Client, Future, KilledWorker, as_completed, get_worker
from numpy.typing import NDArray

from znought.errors import CardError
from znought.facility.cluster.tasks import arrivals, spread, submit
from znought.facility.learning.training import NetworkTask, held_data
from znought.facility.progress import Advance
from znought.facility.workspace import Workspace, atomic_path, read_json, write_json
from znought.models.boosting_search import TreesSpace
from znought.models.evaluation import macro_auc
from znought.models.folds import SEARCHED
from znought.models.samples import TrainingConfig, TrainingData, balanced_weights
from znought.models.scoring import scores_of
from znought.models.search import Job, Search
from znought.models.training import DivergedError

__all__ = [
    "FOLD",
    "FULL",
    "AreaJudge",
    "Judge",
    "NetworkTrial",
    "Outcome",
    "Score",
    "TreesOutcome",
    "TreesTrial",
    "TrialTask",
    "best_trees",
    "check_search_part",
    "drive",
    "search_trees",
    "trial_values",
    "write_search",
]

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Unscaled inputs → scores, shape (n_events, n_classes)."""

# Trials train as the network of one fold does, and are judged on events that count nowhere else.
FOLD = 0
# XLA keeps some 75 MB of every network that a process has compiled, whatever one releases.
FULL = 0.65
"""Part of its memory limit that a worker may hold when it is given a further trial."""


class TrialTask(Protocol):
    """What all trials of a search share; small enough to send with each."""

    def value(self, job: Job) -> float | None:
        """On a worker: the objective after the job's epochs; None for a network that diverged."""


class Judge(Protocol):
    """What a trained model is worth on the events set apart for the search; small, as it travels."""

    def worth(self, data: TrainingData, score: Score) -> float:
        """The objective.

        Args:
            data: of repeat 0, where the events to judge have the fold −2.
            score: the model.
        """


@dataclass(frozen=True)
class AreaJudge:
    """Macro area under the ROC curves, every class carrying the same weight."""

    classes: tuple[str, ...]

    def worth(self, data: TrainingData, score: Score) -> float:
        """The area on the events set apart for the search."""
        rows = np.flatnonzero(data.fold == SEARCHED)
        index = data.class_index[rows]
        weights = balanced_weights(np.abs(data.weights[rows]), index, self.classes)
        return macro_auc(score(data.features[rows]), index, weights)


@dataclass(frozen=True)
class NetworkTrial:
    """What all trials of a search for networks share.

    Attributes:
        task: with the training that every trial has.
        judge: of a trained network.
        folder: of the checkpoints.
    """

    task: NetworkTask
    judge: Judge
    folder: str

    def value(self, job: Job) -> float | None:
        """On a worker: what the network is worth after the trial's epochs."""
        data = held_data(self.task.source)[0]
        training = replace(self.task.training, max_epochs=job.max_epochs)
        task = replace(self.task, network=job.network, training=training)
        try:
            trained = task.train(data.without_search(), FOLD, checkpoint=Path(self.folder) / f"{job.key}.npz")
        except DivergedError:
            return None
        return self.judge.worth(data, lambda features: scores_of(trained, features, task.features))


class TreesTrial(Protocol):
    """What all trials of a search for trees share; small enough to send with each."""

    def value(self, settings: Mapping[str, float | int]) -> float:
        """On a worker: what trees with these settings in place of the card's are worth."""


@dataclass(frozen=True)
class TreesOutcome:
    """Settings of trees in place of the card's, and what they are worth."""

    settings: dict[str, float | int]
    value: float


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    Attributes:
        value: of the objective; None for a network that diverged.
        worker: address of the process that did it.
        memory: of that process, in bytes.
    """

    value: float | None
    worker: str
    memory: int


def drive(client: Client, search: Search, task: TrialTask, advance: Advance) -> None:
    """Keeps every worker busy with a trial until the search is over.

    A worker that dies takes its job to another one, where the checkpoint goes on; a job that kills
    every worker it meets is told as failed. A worker that has grown full is restarted between jobs.
    """
    running = as_completed()
    finishing = arrivals(client, running)
    jobs: dict[object, Job] = {}
    while True:
        slots = max(1, len(_workers(client)))
        while len(jobs) < slots and (job := search.ask()) is not None:
            future = submit(client, _trial, task, job)
            jobs[future.key] = job
            running.add(future)
        if not jobs:
            return
        finished = next(finishing)
        job, outcome = jobs.pop(finished.key), _outcome(finished)
        # A worker is not restarted while somebody still wants a result that it holds.
        finished.release()
        search.tell(job, outcome.value if outcome else None)
        if outcome:
            _restart_if_full(client, outcome)
        done = [trial for trial in search.trials() if trial.state in ("complete", "pruned", "failed")]
        complete = [trial.value for trial in done if trial.state == "complete" and trial.value is not None]
        text = f"best {max(complete):.4f}" if complete else "none complete"
        advance(len(done), search.config.total, text)


def check_search_part(training: TrainingConfig) -> None:
    """Refuse to search on events that count in templates.

    Raises:
        CardError: no part is set apart.
    """
    if not training.search_fraction > 0.0:
        raise CardError(
            "training.search_fraction: a search needs a part of its own, which then enters no template; "
            f"expected a number such as 0.1. Received: {training.search_fraction:g}."
        )


def search_trees(
    client: Client, trial: TreesTrial, space: TreesSpace, seed: int, advance: Advance
) -> list[TreesOutcome]:
    """What trees of different settings are worth, those of the card first, a task each on the workers."""
    drawn = [space.drawn(number, seed) for number in range(space.n_trials)]
    futures = spread(client, trial.value, drawn, retries=2)
    for done, future in enumerate(arrivals(client, futures), start=1):
        advance(done, len(drawn), f"{future.result():.4f}")
    values = [future.result() for future in futures]
    return [TreesOutcome(settings, value) for settings, value in zip(drawn, values, strict=True)]


def best_trees(outcomes: Sequence[TreesOutcome]) -> TreesOutcome | None:
    """The settings of the highest value; None where there was no search, or nothing finite came of it."""
    finite = [outcome for outcome in outcomes if math.isfinite(outcome.value)]
    return max(finite, key=lambda outcome: outcome.value, default=None)


def write_search(
    workspace: Workspace,
    search: Search,
    sections: Mapping[str, Mapping[str, Any]],
    trees: Sequence[TreesOutcome] = (),
) -> list[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, sections to put into the card.

    Args:
        workspace: the output directory, from which the checkpoints of the trials go.
        search: a finished one.
        sections: what it found, as the card writes it.
        trees: trials of the trees' search.
    """
    trials, found = workspace.search / "trials.json", workspace.search / "network.yaml"
    write_json(
        trials,
        {
            "trials": [asdict(trial) for trial in search.trials()],
            "best": asdict(search.best()[0]),
            "importances": search.importances(),
            "trees": [asdict(outcome) for outcome in trees],
        },
    )
    text = yaml.safe_dump(_plain(sections), sort_keys=False)
    with atomic_path(found) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for file in workspace.search.glob("*.npz"):
        file.unlink()
    return [trials, found]


def trial_values(workspace: Workspace) -> tuple[float, ...]:
    """Objective of each trial in order, NaN where it did not end; none where there was no search."""
    file = workspace.search / "trials.json"
    records = read_json(file)["trials"] if file.is_file() else []
    ended = (one["value"] if one["state"] == "complete" else None for one in records)
    return tuple(math.nan if value is None else float(value) for value in ended)


def _plain(value: object) -> object:
    """Tuples as lists, which is all that YAML knows."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _workers(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _outcome(future: Future[Any]) -> Outcome | None:
    """What a worker sent back; None from a job that was lost with its workers."""
    try:
        outcome: Outcome = future.result()
    except KilledWorker:
        return None
    return outcome


def _restart_if_full(client: Client, outcome: Outcome) -> None:
    """A fresh process in place of one that holds too much, where a nanny stands by to start it."""
    worker = _workers(client).get(outcome.worker)
    if worker is None or not worker["nanny"]:
        return
    limit = worker["memory_limit"]
    if limit and outcome.memory > FULL * limit and not client.processing([outcome.worker])[outcome.worker]:
        client.restart_workers([outcome.worker], timeout=60, raise_for_error=False)


def _trial(task: TrialTask, job: Job) -> Outcome:
    """On a worker: one job, and how full it left the process."""
    value, worker = task.value(job), get_worker()
    return Outcome(value, worker.address, worker.monitor.proc.memory_info().rss)
