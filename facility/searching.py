"""A search for networks on the workers, whatever the analysis: the driver owns every decision."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from distributed import Client, Future, KilledWorker, as_completed, get_worker

from znought.facility.progress import Advance
from znought.facility.tasks import arrivals, submit
from znought.facility.workspace import Workspace, atomic_path, read_json, write_json
from znought.models.search import Job, Search

__all__ = ["FOLD", "FULL", "Outcome", "TrialTask", "drive", "trial_values", "write_search"]

# The search looks at the stop part of one fold's training: never at the scored fold, never at the test part.
FOLD = 0
# XLA keeps some 75 MB of every network that a process has compiled, whatever one releases.
FULL = 0.65
"""Part of its memory limit that a worker may hold when it is given a further trial."""


class TrialTask(Protocol):
    """What all trials of a search share; small enough to send with each."""

    def value(self, job: Job) -> float | None:
        """On a worker: the objective after the job's epochs; None for a network that diverged."""


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
        best = max((trial.value for trial in done if trial.value is not None), default=float("nan"))
        advance(len(done), search.config.total, f"best {best:.4f}")


def write_search(workspace: Workspace, search: Search, section: Mapping[str, Any]) -> list[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, a section to put into the card.

    Args:
        workspace: the output directory, from which the checkpoints of the trials go.
        search: a finished one.
        section: the network that it found, as the card writes it.
    """
    trials, found = workspace.search / "trials.json", workspace.search / "network.yaml"
    write_json(
        trials,
        {
            "trials": [asdict(trial) for trial in search.trials()],
            "best": asdict(search.best()[0]),
            "importances": search.importances(),
        },
    )
    text = yaml.safe_dump({"network": _plain(section)}, sort_keys=False)
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
