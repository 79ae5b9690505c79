"""Stage `tune`: trials of the search on the workers; the driver owns every decision."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import yaml
from distributed import Client, KilledWorker, as_completed

from znought.facility.card_vh_ww import VHWWCard
from znought.facility.context import Context
from znought.facility.learning import LearningPlan, learning_plan, training_data
from znought.facility.preflight import check_workers
from znought.facility.progress import Advance
from znought.facility.workspace import atomic_path, write_json
from znought.models.search import Job, Search
from znought.models.training import train_fold
from znought.processors.features import FEATURES

__all__ = ["tune"]

# The search looks at the stop part of one fold's training: never at the scored fold, never at the test part.
FOLD = 0


def tune(context: Context[VHWWCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, a section to put into the card."""
    card, workspace = context.card, context.workspace
    plan = learning_plan(card, workspace, FEATURES)
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    search = Search(card.search, card.network, workspace.search / "trials.log")
    with context.reporter.bar("searching") as advance:
        _drive(client, search, plan, workspace.search, advance)
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
    context.reporter.stage("tune", f"best trial {best.number}: {best.value:.4f}, network in {section}")
    return [trials, section]


def _plain(value: object) -> object:
    """Tuples as lists, which is all that YAML knows."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _drive(client: Client, search: Search, plan: LearningPlan, folder: Path, advance: Advance) -> None:
    """Keeps every worker busy with a trial; a trial whose worker died is told as failed."""
    running = as_completed()
    jobs: dict[object, Job] = {}
    slots = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    while True:
        while len(jobs) < slots and (job := search.ask()) is not None:
            future = client.submit(_trial, plan, job, str(folder.resolve()), pure=False)
            jobs[future.key] = job
            running.add(future)
        if not jobs:
            return
        future = next(running)
        job = jobs.pop(future.key)
        search.tell(job, _value(future))
        done = [trial for trial in search.trials() if trial.state in ("complete", "pruned", "failed")]
        best = max((trial.value for trial in done if trial.value is not None), default=float("nan"))
        advance(len(done), search.config.total, f"best {best:.4f}")


def _value(future: object) -> float | None:
    try:
        return float(future.result())  # type: ignore[attr-defined]  # distributed has no type information
    except KilledWorker:
        return None


def _trial(plan: LearningPlan, job: Job, folder: str) -> float:
    """On a worker: macro AUC of the stop part after the trial's epochs."""
    trained = train_fold(
        training_data(plan),
        FOLD,
        job.network,
        replace(plan.training, max_epochs=job.max_epochs),
        classes=plan.classes,
        feature_names=plan.features,
        checkpoint=Path(folder) / f"{job.key}.npz",
    )
    return max(trained.history["stop_auc"])
