"""Stage `tune`: trials of the search on the workers; the driver owns every decision."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from distributed import Client, Future, KilledWorker, as_completed, get_worker

from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.preflight import check_workers
from znought.facility.progress import Advance
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.vh_ww.learning import LearningPlan, learning_plan, training_data
from znought.facility.vh_ww.merit import StopMerit, stop_merit
from znought.facility.workspace import atomic_path, write_json
from znought.models.search import Job, Search
from znought.models.training import DivergedError, train_fold
from znought.processors.features import FEATURES

__all__ = ["Task", "drive", "tune"]

# The search looks at the stop part of one fold's training: never at the scored fold, never at the test part.
FOLD = 0
# XLA keeps some 75 MB of every network that a process has compiled, whatever one releases.
FULL = 0.65
"""Part of its memory limit that a worker may hold when it is given a further trial."""


@dataclass(frozen=True)
class Task:
    """What all trials of a search share; small enough to send with each.

    Attributes:
        plan: what is trained on.
        merit: the significance that is maximised; None for the area under the ROC curves.
        folder: of the checkpoints.
    """

    plan: LearningPlan
    merit: StopMerit | None
    folder: str


@dataclass(frozen=True)
class Outcome:
    """What a job came to.

    Attributes:
        value: of the objective; None for a network that diverged or selects nothing.
        worker: address of the process that did it.
        memory: of that process, in bytes.
    """

    value: float | None
    worker: str
    memory: int


def tune(context: Context[VHWWCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, a section to put into the card."""
    card, workspace = context.card, context.workspace
    merit = stop_merit(card) if card.search.objective == "z0" else None
    task = Task(learning_plan(card, workspace, FEATURES), merit, str(workspace.search.resolve()))
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    search = Search(card.search, card.network, workspace.search / "trials.log")
    with context.reporter.bar("searching") as advance:
        drive(client, search, task, advance)
    best, network = search.best()
    trials = workspace.search / "trials.json"
    write_json(
        trials,
        {
            "trials": [asdict(trial) for trial in search.trials()],
            "best": asdict(best),
            "importances": search.importances(),
        },
    )
    section = workspace.search / "network.yaml"
    text = yaml.safe_dump({"network": _plain(asdict(network))}, sort_keys=False)
    with atomic_path(section) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for file in workspace.search.glob("*.npz"):
        file.unlink()
    context.reporter.stage("tune", f"best trial {best.number}: {best.value:.4f}, network in {section}")
    return [trials, section]


def _plain(value: object) -> object:
    """Tuples as lists, which is all that YAML knows."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def drive(client: Client, search: Search, task: Task, advance: Advance) -> None:
    """Keeps every worker busy with a trial until the search is over.

    A worker that dies takes its job to another one, where the checkpoint goes on; a job that kills
    every worker it meets is told as failed. A worker that has grown full is restarted between jobs.
    """
    running = as_completed()
    jobs: dict[object, Job] = {}
    while True:
        slots = max(1, len(_workers(client)))
        while len(jobs) < slots and (job := search.ask()) is not None:
            future = client.submit(_trial, task, job, pure=False)
            jobs[future.key] = job
            running.add(future)
        if not jobs:
            return
        finished = next(running)
        job, outcome = jobs.pop(finished.key), _outcome(finished)
        # A worker is not restarted while somebody still wants a result that it holds.
        finished.release()
        search.tell(job, outcome.value if outcome else None)
        if outcome:
            _restart_if_full(client, outcome)
        done = [trial for trial in search.trials() if trial.state in ("complete", "pruned", "failed")]
        best = max((trial.value for trial in done if trial.value is not None), default=float("nan"))
        advance(len(done), search.config.total, f"best {best:.4f}")


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


def _trial(task: Task, job: Job) -> Outcome:
    """On a worker: what the network is worth on the stop part after the trial's epochs."""
    plan, data = task.plan, training_data(task.plan)
    try:
        trained = train_fold(
            data,
            FOLD,
            job.network,
            replace(plan.training, max_epochs=job.max_epochs),
            classes=plan.classes,
            feature_names=plan.features,
            checkpoint=Path(task.folder) / f"{job.key}.npz",
        )
    except DivergedError:
        return _here(None)
    if task.merit is None:
        return _here(max(trained.history["stop_auc"]))
    try:
        return _here(task.merit.of(plan, data, trained))
    except DataError:
        # No bin holds both signal and background: the score separates nothing yet.
        return _here(0.0)


def _here(value: float | None) -> Outcome:
    worker = get_worker()
    return Outcome(value, worker.address, worker.monitor.proc.memory_info().rss)
