"""The flow, from ntuples to Z0: each stage reads files and writes files, and is skipped while it holds."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client

from znought.errors import CardError, unknown_name
from znought.facility.card_base import Card
from znought.facility.context import Context, RunOptions
from znought.facility.manifest import Manifest, fingerprint, source_digest
from znought.facility.progress import Silent
from znought.facility.results import Results, read_results
from znought.facility.stages import fit, optimise, plot, process, score, simulate, train, tune
from znought.facility.workspace import Workspace

__all__ = ["STAGES", "Stage", "flow", "names_from", "run", "run_stages", "single"]


@dataclass(frozen=True)
class Stage:
    """One step of the flow.

    Attributes:
        work: does it and returns the files it wrote.
        sections: of the card, that it reads.
        code: modules whose source decides what it makes.
        after: stages whose result it reads.
        inputs: anything else that decides the result (files, options).
    """

    name: str
    work: Callable[[Context[Any]], Iterable[Path]]
    sections: tuple[str, ...]
    code: tuple[str, ...]
    after: tuple[str, ...] = ()
    inputs: Callable[[Context[Any]], object] = lambda context: None


_LEARNING = ("classes", "features", "processes", "datasets", "network", "training", "boosting")
_STATISTICS = (
    "lumi_ifb",
    "signal",
    "signal_class",
    "signal_region",
    "classes",
    "processes",
    "regions",
    "cut_based",
    "binning",
    "crossfit",
)

STAGES: tuple[Stage, ...] = (
    Stage("simulate", simulate.simulate, ("datasets", "simulation"), (), inputs=simulate.scale),
    Stage(
        "process",
        process.process,
        ("analysis", "lumi_ifb", "processes", "datasets", "selection", "variations", "processing"),
        ("znought.processors.vh_ww", "znought.facility.runner", process.__name__),
        after=("simulate",),
        inputs=process.inputs,
    ),
    Stage(
        "train",
        train.train,
        _LEARNING,
        ("znought.models.training", "znought.models.boosting", train.__name__),
        after=("process",),
    ),
    Stage("score", score.score, _LEARNING, ("znought.models.scoring", score.__name__), after=("train",)),
    Stage(
        "optimise",
        optimise.optimise,
        _STATISTICS,
        ("znought.stats.crossfit", "znought.models.evaluation", optimise.__name__),
        after=("score",),
    ),
    Stage(
        "fit",
        fit.fit,
        ("label", "title", "variations", "likelihood", *_STATISTICS),
        (fit.__name__,),
        after=("optimise",),
        inputs=fit.inputs,
    ),
    Stage("plot", plot.plot, ("label", "title"), (plot.__name__,), after=("fit",), inputs=plot.inputs),
)


TUNE = Stage(
    "tune",
    tune.tune,
    (*_LEARNING, "search"),
    ("znought.models.search", "znought.models.training", tune.__name__),
    after=("process",),
)
"""Not part of a run: what it finds is put into the card by a person."""

Plan = Callable[[Context[Any]], Sequence[Stage]]


def flow(context: Context[Any]) -> Sequence[Stage]:
    """The stages of a whole run: simulation only where neither the card nor the user names files."""
    card = context.card
    has_files = any(dataset.files for dataset in card.datasets.values())
    simulated = card.simulation is not None and context.options.fileset is None and not has_files
    return STAGES if simulated else STAGES[1:]


def single(name: str) -> Plan:
    """Just one stage.

    Raises:
        CardError: no stage of that name.
    """
    stages = {stage.name: stage for stage in (*STAGES, TUNE)}
    if name not in stages:
        raise CardError(unknown_name("stage", name, stages))
    return lambda context: (stages[name],)


def names_from(first: str) -> frozenset[str]:
    """Names of the stages of the flow from one on.

    Raises:
        CardError: no stage of that name.
    """
    names = [stage.name for stage in STAGES]
    if first not in names:
        raise CardError(unknown_name("stage", first, names))
    return frozenset(names[names.index(first) :])


def run(card: Card, client: Client, *, output: Path = Path("output")) -> Results:
    """The whole flow on a client that is already there, as a notebook wants it.

    Args:
        card: from `load_card`.
        client: from `connect`, or any `distributed.Client`.
        output: directory for everything that is made.
    """
    context = Context(card, Workspace(output), RunOptions(), Silent(), lambda: client)
    run_stages(context, flow(context))
    return read_results(context.workspace.results)


def run_stages(context: Context[Any], stages: Sequence[Stage], *, redo: frozenset[str] = frozenset()) -> None:
    """Runs, in order, the stages named in `redo` and those whose manifest no longer holds."""
    manifest = Manifest(context.workspace.manifest)
    for stage in stages:
        mark = _mark(context, stage, manifest)
        if stage.name not in redo and manifest.holds(stage.name, mark):
            context.reporter.stage(stage.name, "still valid")
        else:
            _perform(context, stage, manifest, mark)


def _perform(context: Context[Any], stage: Stage, manifest: Manifest, mark: str) -> None:
    manifest.drop(stage.name)
    context.reporter.stage(stage.name, "…")
    begin = time.perf_counter()
    outputs = tuple(stage.work(context))
    seconds = time.perf_counter() - begin
    section = context.card.section(*stage.sections)
    manifest.record(stage.name, mark, outputs, seconds=seconds, section=section)
    context.reporter.stage(stage.name, f"done in {seconds:.0f} s")


def _mark(context: Context[Any], stage: Stage, manifest: Manifest) -> str:
    """Fingerprint of all that decides what a stage makes."""
    upstream = {name: manifest.get(name) for name in stage.after}
    return fingerprint(
        stage.name,
        context.card.section(*stage.sections),
        source_digest(*stage.code),
        {name: record.fingerprint if record else None for name, record in upstream.items()},
        stage.inputs(context),
    )
