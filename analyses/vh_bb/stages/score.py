"""Stage `score` of VH(bb): columns → outputs of all networks of a channel, a task per dataset."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import CLASSES, channel_plan
from znought.analyses.vh_bb.networks import models_of
from znought.facility.context import Context
from znought.facility.events.store import partition_files
from znought.facility.learning.scoring import ScoreTask, ScoringModel, score_files, tails_of
from znought.facility.workspace import write_json
from znought.processors.evaluated import NOMINAL

__all__ = ["score", "score_tasks"]


def score(context: Context[VHBBCard]) -> Iterable[Path]:
    """Scores every event of every variation with every network, by those of its own folds.

    Writes `scores/` and the tails of each single network to `explanation.json`.
    """
    client, card, workspace = context.cluster(), context.card, context.workspace
    written, tails = [], {}
    with context.reporter.bar("scoring") as advance:
        for channel in card.channels:
            files, found = score_files(client, list(score_tasks(context, channel)), advance)
            written += [workspace.scores.joinpath(*path.parts[-4:]) for path in files]
            processes = {name: dataset.process for name, dataset in card.datasets.items()}
            tails[channel] = tails_of(found, processes, card.training.n_folds)
    for stale in set(workspace.scores.glob("*/*/*/*.parquet")) - set(written):
        stale.unlink()
    write_json(workspace.explanation, {"tails": tails})
    return [*sorted(written), workspace.explanation]


def score_tasks(context: Context[VHBBCard], channel: str) -> Iterator[ScoreTask]:
    """The files of every dataset and variation in the columns of a channel."""
    card, workspace = context.card, context.workspace
    plan = channel_plan(card, workspace, channel)
    constants = {card.morphing.coefficients[0]: card.discriminants.parametrised_at}
    models = tuple(
        ScoringModel(model.name, str(model.folder(workspace).resolve()), {CLASSES[1]: model.name}, constants)
        for model in models_of(card, channel)
    )
    for dataset in plan.process_of:
        yield ScoreTask(
            dataset=dataset,
            files=tuple(
                str(path)
                for variation in (NOMINAL, *plan.moved)
                for path in partition_files(Path(plan.columns), dataset, variation)
            ),
            scores=str((workspace.scores / channel).resolve()),
            models=models,
            scale=plan.scale[dataset],
            training=card.training,
        )
