"""Stage `simulate`: the card's recipes → NanoAOD-like ROOT files and the fileset that names them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.context import Context
from znought.facility.metrics.tally import count
from znought.facility.ntuples.fileset import write_fileset
from znought.simulation.config import SimulationConfig
from znought.simulation.jobs import (
    JobSummary,
    SampleRequest,
    SimulationJob,
    plan,
    pseudo_data_lumi_ifb,
    run_job,
)
from znought.simulation.sherpa.installed import check_installed

__all__ = ["lost_events", "scale", "simulate"]


def scale(context: Context[Card]) -> object:
    """Beyond the card, the number of events decides what is made."""
    return context.options.events_scale


def simulate(context: Context[Card]) -> Iterable[Path]:
    """Runs every job whose file is not there yet, and writes the fileset.

    Raises:
        CardError: the card has no simulation section, or a recipe needs a generator that is not installed.
    """
    config = _config(context.card)
    events_scale = context.options.events_scale
    requests = sample_requests(context)
    for request in requests:
        check_installed(request.recipe)
    jobs = plan(requests, config, events_scale=events_scale)
    summaries = _generate(context, jobs)
    for line in lost_events(summaries):
        context.reporter.remark(line)
    files: dict[str, list[Path]] = {}
    for summary in summaries:
        files.setdefault(summary.dataset, []).append(Path(summary.path))
    pseudo_data = config.pseudo_data.dataset
    of_data = {
        "lumi_ifb": pseudo_data_lumi_ifb(config, events_scale=events_scale),
        "n_events": sum(summary.n_rows for summary in summaries if summary.dataset == pseudo_data),
    }
    write_fileset(context.workspace.fileset, context.card, files, of_data={pseudo_data: of_data})
    return [context.workspace.fileset, *(path for paths in files.values() for path in paths)]


def _config(card: Card) -> SimulationConfig:
    if card.simulation is None:
        raise CardError("simulation: this card has no such section, so there is nothing to simulate.")
    return card.simulation


def sample_requests(context: Context[Card]) -> list[SampleRequest]:
    """What the card asks for: pseudo-data are made of all but the alternatives."""
    elsewhere = context.card.of_kind("alternative")
    return [
        SampleRequest(
            dataset=name,
            process=dataset.process,
            recipe=context.analysis.recipes[dataset.recipe],
            n_events=dataset.n_events,
            n_responses=dataset.n_responses,
            cross_section_pb=(dataset.xsec_pb or 0.0) * dataset.branching_ratio * dataset.k_factor,
            in_data=name not in elsewhere,
        )
        for name, dataset in context.card.sources.items()
        if dataset.recipe is not None
    ]


def _generate(context: Context[Card], jobs: tuple[SimulationJob, ...]) -> list[JobSummary]:
    """One task per file; a file that is there, whole and of the same job, costs nothing."""
    client = context.cluster()
    directory = str(context.workspace.ntuples.resolve())
    check_workers(client, "simulate")
    futures = spread(client, partial(_made, directory=directory), jobs, retries=2)
    summaries: list[JobSummary] = []
    with context.reporter.bar("generating events") as advance:
        for future in arrivals(client, futures):
            summary = future.result()
            summaries.append(summary)
            rows = sum(s.n_rows for s in summaries)
            advance(len(summaries), len(jobs), f"{summary.dataset}: {rows:,} rows in all")
    return sorted(summaries, key=lambda s: (s.dataset, s.index))


def lost_events(summaries: Iterable[JobSummary]) -> Iterator[str]:
    """A line for each dataset with events that a generator gave up on."""
    lost, kept = Counter[str](), Counter[str]()
    for summary in summaries:
        lost[summary.dataset] += summary.n_lost
        kept[summary.dataset] += summary.n_events
    for dataset, n_lost in lost.items():
        if n_lost:
            n_events = kept[dataset] + n_lost
            yield f"{dataset}: the generator gave up on {n_lost:,} of {n_events:,} events; they are left out."


def _made(job: SimulationJob, directory: str) -> JobSummary:
    """On a worker: the file of one job, whose events count unless it was there."""
    summary = run_job(job, directory)
    count(events=summary.n_events if summary.seconds else 0)
    return summary
