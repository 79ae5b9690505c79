"""Stage `score`: columns → network outputs, file by file on the workers."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from znought.facility.cards.standard import StandardCard
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, submit
from znought.facility.context import Context
from znought.facility.learning.explanation import explain
from znought.facility.learning.plan import LearningPlan, learning_plan
from znought.facility.learning.scoring import ScoreTask, ScoringModel, score_files, tails_of
from znought.facility.results.explained import Explanation, write_explanation
from znought.facility.stages.train import network_task
from znought.facility.workspace import Workspace
from znought.processors.loose import LOOSE

__all__ = ["score", "score_tasks"]

# Small files are scored together: a task must cost more than its overhead.
FILES_PER_TASK = 50


def score(context: Context[StandardCard]) -> Iterable[Path]:
    """Scores every file of every variation, each event by the networks of its own folds.

    Writes `scores/` and, of what the networks have learned, `explanation.json`.
    """
    workspace = context.workspace
    plan, task = (
        learning_plan(context.card, workspace),
        network_task(context.card, workspace, workspace.models),
    )
    client = context.cluster()
    check_workers(client, "score")
    explained = submit(client, explain, task, retries=2)
    with context.reporter.bar("scoring") as advance:
        files, tails = score_files(client, list(score_tasks(plan, workspace)), advance)
    written = [workspace.scores.joinpath(*path.parts[-3:]) for path in files]
    for stale in set(workspace.scores.glob("*/*/*.parquet")) - set(written):
        stale.unlink()
    classes = {dataset: plan.classes[index] for dataset, index in plan.class_of.items()}
    learned = next(arrivals(client, [explained])).result()
    found = Explanation(
        importance=learned.importance,
        attribution=learned.attribution,
        tails=tails_of(tails, classes, plan.training.n_folds),
    )
    write_explanation(workspace.explanation, found)
    return [*written, workspace.explanation]


def score_tasks(plan: LearningPlan, workspace: Workspace) -> Iterator[ScoreTask]:
    """The files of every dataset in the columns, in groups."""
    columns = {name: f"score_{name}" for name in plan.classes}
    model = ScoringModel("network", str(workspace.models.resolve()), columns, by_repeat=plan.signal)
    for dataset in (*plan.class_of, *plan.others):
        found = workspace.columns.glob(f"{dataset}/*/*.parquet")
        # Events with loose leptons count through the estimate that is made of them.
        files = sorted(str(path.resolve()) for path in found if path.parent.name != LOOSE)
        for first in range(0, len(files), FILES_PER_TASK):
            yield ScoreTask(
                dataset=dataset,
                files=tuple(files[first : first + FILES_PER_TASK]),
                scores=str(workspace.scores.resolve()),
                models=(model,),
                scale=plan.scale[dataset],
                training=plan.training,
                is_trained=dataset in plan.class_of,
            )
