"""The flow, from ntuples to Z0: each stage reads files and writes files, and is skipped while it holds."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from distributed import Client

from znought.errors import CardError, unknown_name
from znought.facility.card_base import Card
from znought.facility.context import Context, RunOptions
from znought.facility.flow import Flow, Stage
from znought.facility.manifest import Manifest, fingerprint, source_digest
from znought.facility.progress import Silent
from znought.facility.vh_bb.flow import VH_BB
from znought.facility.vh_ww.flow import VH_WW
from znought.facility.workspace import Workspace

__all__ = ["FLOWS", "flow_of", "run", "run_stages", "single", "whole"]

FLOWS: Mapping[str, Flow] = MappingProxyType({"vh_ww": VH_WW, "vh_bb_smeft": VH_BB})
"""Analysis → its stages."""

Plan = Callable[[Context[Any]], Sequence[Stage]]
"""Which stages a command runs, decided when the card is known."""


def flow_of(card: Card) -> Flow:
    """The flow of a card's analysis."""
    return FLOWS[card.analysis]


def whole(context: Context[Any]) -> Sequence[Stage]:
    """The stages of a whole run: simulation only where neither the card nor the user names files."""
    card, stages = context.card, flow_of(context.card).stages
    has_files = any(dataset.files for dataset in card.datasets.values())
    simulated = card.simulation is not None and context.options.fileset is None and not has_files
    return stages if simulated else stages[1:]


def single(name: str) -> Plan:
    """Just one stage, on what stages before it made with the same card.

    Raises:
        CardError: the plan, for an analysis that has no stage of that name, or for another card's files.
    """

    def plan(context: Context[Any]) -> Sequence[Stage]:
        flow = flow_of(context.card)
        stages = {stage.name: stage for stage in (*flow.stages, *flow.aside)}
        if name not in stages:
            raise CardError(f"{context.card.analysis}: {unknown_name('stage', name, stages)}")
        _refuse_another_card(context, stages, name)
        return (stages[name],)

    return plan


def _refuse_another_card(context: Context[Any], stages: Mapping[str, Stage], name: str) -> None:
    """Raises unless all that a stage builds on was made with the sections that the card has now."""
    flow, manifest = flow_of(context.card), Manifest(context.workspace.manifest)
    for earlier in (stages[other] for other in flow.names if other in _before(stages, name)):
        record = manifest.get(earlier.name)
        generated = earlier is flow.stages[0]
        if record is None or (generated and context.options.fileset is not None):
            continue  # nothing was made, or nothing of it is read
        now, then = context.card.section(*earlier.sections), record.section
        changed = [key for key in {**now, **then} if now.get(key) != then.get(key)]
        if changed:
            raise CardError(
                f"{name} builds on what {earlier.name} made with another card: {', '.join(changed)} changed "
                f"since. Run {earlier.name} again, or `znought run`, which redoes what a change touches."
            )


def _before(stages: Mapping[str, Stage], name: str) -> set[str]:
    """Every stage that one builds on, directly or not."""
    direct = set(stages[name].after)
    return direct.union(*(_before(stages, other) for other in direct))


def run(card: Card, client: Client, *, output: Path = Path("output")) -> Any:
    """The whole flow on a client that is already there, as a notebook wants it.

    Args:
        card: from `load_card`.
        client: from `connect`, or any `distributed.Client`.
        output: directory for everything that is made.

    Returns:
        The results record of the card's analysis, as `results.json` holds it.
    """
    context = Context(card, Workspace(output), RunOptions(), Silent(), lambda: client)
    run_stages(context, whole(context))
    return flow_of(card).read_results(context.workspace.results)


def run_stages(context: Context[Any], stages: Sequence[Stage]) -> None:
    """Runs, in order, the stages that the options redo and those whose manifest no longer holds.

    Raises:
        CardError: the options name a stage that the analysis does not have.
    """
    manifest, redone = Manifest(context.workspace.manifest), _redone(context, stages)
    for stage in stages:
        mark = _mark(context, stage, manifest)
        if stage.name not in redone and manifest.holds(stage.name, mark):
            context.reporter.stage(stage.name, "still valid")
        else:
            _perform(context, stage, manifest, mark)


def _redone(context: Context[Any], stages: Sequence[Stage]) -> frozenset[str]:
    options, names = context.options, flow_of(context.card).names
    if options.force:
        return frozenset(stage.name for stage in stages)
    if options.start is None:
        return frozenset()
    if options.start not in names:
        raise CardError(f"{context.card.analysis}: {unknown_name('stage', options.start, names)}")
    return frozenset(names[names.index(options.start) :])


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
