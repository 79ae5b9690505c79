"""Stage `tune`: trials of the search on the workers, for area or held-out Z₀."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from znought.errors import DataError
from znought.facility.card_standard import StandardCard
from znought.facility.context import Context
from znought.facility.learning import LearningPlan, learning_plan, training_data
from znought.facility.merit import StopMerit, stop_merit
from znought.facility.preflight import check_workers
from znought.facility.searching import FOLD, drive, write_search
from znought.models.network import NetworkConfig
from znought.models.search import Job, Search
from znought.models.training import DivergedError, train_fold

__all__ = ["Task", "tune"]


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

    def value(self, job: Job) -> float | None:
        """On a worker: what the network is worth on the stop part after the trial's epochs."""
        plan, data = self.plan, training_data(self.plan)
        try:
            trained = train_fold(
                data,
                FOLD,
                job.network,
                replace(plan.training, max_epochs=job.max_epochs),
                classes=plan.classes,
                feature_names=plan.features,
                checkpoint=Path(self.folder) / f"{job.key}.npz",
            )
        except DivergedError:
            return None
        if self.merit is None:
            return max(trained.history["stop_auc"])
        try:
            return self.merit.of(plan, data, trained)
        except DataError:
            # No bin holds both signal and background: the score separates nothing yet.
            return 0.0


def tune(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `search/trials.json` and `search/network.yaml`, a section to put into the card."""
    card, workspace = context.card, context.workspace
    merit = stop_merit(card) if card.search.objective == "z0" else None
    task = Task(learning_plan(card, workspace), merit, str(workspace.search.resolve()))
    client = context.cluster()
    check_workers(client, "train")
    workspace.search.mkdir(parents=True, exist_ok=True)
    search = Search(card.search, card.network or NetworkConfig(), workspace.search / "trials.log")
    with context.reporter.bar("searching") as advance:
        drive(client, search, task, advance)
    best, network = search.best()
    written = write_search(workspace, search, asdict(network))
    context.reporter.stage("tune", f"best trial {best.number}: {best.value:.4f}, network in {written[-1]}")
    return written
