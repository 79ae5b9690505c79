"""Stage `score` of VH(bb): columns → outputs of all networks of a channel, a task per dataset."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from distributed import Future

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import CLASSES, channel_plan, read_channel
from znought.analyses.vh_bb.explained import ChannelExplanation, explained_models
from znought.analyses.vh_bb.networks import NetworkModel, models_of, network_task
from znought.facility.cluster.tasks import arrivals, submit
from znought.facility.context import Context
from znought.facility.events.store import partition_files
from znought.facility.learning.explanation import explain
from znought.facility.learning.scoring import ScoreTask, ScoringModel, score_files, tails_of
from znought.facility.results.explained import Learned, write_explanation
from znought.processors.evaluated import NOMINAL

__all__ = ["score", "score_tasks"]


def score(context: Context[VHBBCard]) -> Iterable[Path]:
    """Scores every event of every variation with every network, by those of its own folds.

    Writes `scores/`, and to `explanation.json` the tails of each single network and what some have learned.
    """
    client, card, workspace = context.cluster(), context.card, context.workspace
    explained = _explained(context)
    written, tails = [], {}
    with context.reporter.bar("scoring") as advance:
        for channel in card.channels:
            files, found = score_files(client, list(score_tasks(context, channel)), advance)
            written += [workspace.scores.joinpath(*path.parts[-4:]) for path in files]
            processes = {name: card.datasets[name].process for name in card.of_kind("simulation")}
            tails[channel] = tails_of(found, processes, card.training.n_folds)
    for stale in set(workspace.scores.glob("*/*/*/*.parquet")) - set(written):
        stale.unlink()
    for future in arrivals(client, list(explained.values())):
        future.result()
    networks: dict[str, dict[str, Learned]] = {channel: {} for channel in card.channels}
    for model, future in explained.items():
        networks[model.channel][model.name] = future.result()
    write_explanation(workspace.explanation, ChannelExplanation(tails=tails, networks=networks))
    return [*sorted(written), workspace.explanation]


def _explained(context: Context[VHBBCard]) -> dict[NetworkModel, Future[Learned]]:
    """Importance of the inputs of some networks of every channel, on the workers."""
    card, workspace, client = context.card, context.workspace, context.cluster()
    found = {}
    for channel in card.channels:
        sample = read_channel(channel_plan(card, workspace, channel))
        for model in explained_models(card, channel):
            task = network_task(card, sample, model, model.folder(workspace))
            found[model] = submit(client, explain, task, retries=2)
    return found


def score_tasks(context: Context[VHBBCard], channel: str) -> Iterator[ScoreTask]:
    """The files of every dataset and variation in the columns of a channel."""
    card, workspace = context.card, context.workspace
    plan = channel_plan(card, workspace, channel)
    constants = {card.morphing.coefficients[0]: card.discriminants.parametrised_at}
    models = tuple(
        ScoringModel(model.name, str(model.folder(workspace).resolve()), {CLASSES[1]: model.name}, constants)
        for model in models_of(card, channel)
    )
    for dataset in (*plan.process_of, *plan.recorded):
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
            is_trained=dataset in plan.process_of,
        )
