"""The flow, from ntuples to Z0: each stage reads files and writes files, and is skipped while it holds."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from distributed import Client
from rich.console import Console
from threadpoolctl import threadpool_limits

from znought.analysis import Analysis
from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.base import BaseCard
from znought.facility.cards.existing import ProcessorCard
from znought.facility.cards.finding import Found, given_analysis
from znought.facility.cards.reading import named_analysis
from znought.facility.cards.table import TableCard, found_table
from znought.facility.cards.weights import measured_weights
from znought.facility.cluster.failures import in_one_line
from znought.facility.cluster.preflight import check_ahead
from znought.facility.cluster.shipping import bring_modules
from znought.facility.context import Context, RunOptions
from znought.facility.existing import EXISTING
from znought.facility.flow import Flow, Stage
from znought.facility.manifest import Manifest, fingerprint, source_digest
from znought.facility.metrics.meter import Meter
from znought.facility.metrics.record import keep_metrics
from znought.facility.ntuples.partial import marked
from znought.facility.progress import Silent, Terminal
from znought.facility.standard import EFFICIENCY, PROCESS, SIMULATE, standard_flow
from znought.facility.storage.opening import Stores, stores
from znought.facility.window import CardWindow, WorkspaceWindow
from znought.facility.workspace import Workspace
from znought.plots.labels import drawing, drawn_as

__all__ = ["flow_of", "judging", "run", "run_stages", "single", "standing", "whole"]

logger = logging.getLogger(__name__)

Plan = Callable[[Context[Any]], Sequence[Stage]]
"""Which stages a command runs, decided when the card is known."""


def flow_of(context: Context[Any]) -> Flow:
    """The flow of a card's analysis, its own or the standard one, or of an existing processor."""
    if isinstance(context.card, ProcessorCard):
        return EXISTING
    given = context.analysis.flow
    flow: Flow = standard_flow(context.card, context.analysis.stages) if given is None else given
    if not measured_weights(context.card.weights):
        return flow
    place = flow.names.index(PROCESS.name)
    return replace(flow, stages=(*flow.stages[:place], EFFICIENCY, *flow.stages[place:]))


def whole(context: Context[Any]) -> Sequence[Stage]:
    """The stages of a whole run: simulation only where neither the card nor the user names files."""
    card, stages = context.card, flow_of(context).stages
    if stages[0].name != SIMULATE.name:
        return stages
    has_files = any(dataset.files for dataset in card.datasets.values())
    simulated = card.simulation is not None and context.options.fileset is None and not has_files
    return stages if simulated else stages[1:]


def single(name: str) -> Plan:
    """Just one stage, on what stages before it made with the same card.

    Raises:
        CardError: the plan, for an analysis that has no stage of that name, or for another card's files.
        DataError: the plan, where a file that an earlier stage wrote is gone or changed.
    """

    def plan(context: Context[Any]) -> Sequence[Stage]:
        flow = flow_of(context)
        stages = {stage.name: stage for stage in (*flow.stages, *flow.aside)}
        if name not in stages:
            raise CardError(f"{context.analysis.name}: {unknown_name('stage', name, stages)}")
        _refuse_other_files(context, flow, stages[name])
        return (stages[name],)

    return plan


def judging(context: Context[Any]) -> Sequence[Stage]:
    """The referee, and the figures and the report that say what it found.

    Raises:
        CardError: an analysis without a referee, or files of another card.
        DataError: a file that an earlier stage wrote is gone or changed.
    """
    return [*single("referee")(context), *(one for one in flow_of(context).stages if one.name == "plot")]


def _refuse_other_files(context: Context[Any], flow: Flow, stage: Stage) -> None:
    """Raises unless all that a stage builds on is there, made with the sections that the card has now."""
    manifest, card = Manifest(context.workspace.manifest), _labelled(context).card
    for earlier in flow.before(stage):
        record = manifest.get(earlier.name)
        generated = earlier.name == SIMULATE.name
        if record is None or (generated and context.options.fileset is not None):
            continue  # nothing was made, or nothing of it is read
        changed = _changed_keys(record.section, card.section(*earlier.sections))
        if changed:
            raise CardError(
                f"{stage.name} builds on what {earlier.name} made with another card: {', '.join(changed)} "
                f"changed since. Run {earlier.name} again, or `znought run`, which redoes what changed."
            )
        damaged = manifest.damaged(earlier.name)
        if damaged:
            more = f", and {len(damaged) - 1} files more" if len(damaged) > 1 else ""
            raise DataError(
                f"{damaged[0]}{more}: gone or no longer what {earlier.name} wrote; run {earlier.name} again."
            )


def run(
    card: BaseCard,
    client: Client,
    *,
    output: Path = Path("output"),
    analysis: Analysis | None = None,
    options: RunOptions | None = None,
    quiet: bool = False,
) -> Any:
    """The whole flow on a client that is already there, as a notebook wants it.

    Args:
        card: from `load_card`.
        client: from `connect`, or any `distributed.Client`.
        output: directory for everything that is made.
        analysis: instead of the one that the card names.
        options: what the command line may add to a card.
        quiet: show no progress.

    Returns:
        The results record of the card's analysis, as `results.json` holds it.
    """
    found = _found(card) if analysis is None else given_analysis(analysis)
    wanted = options or RunOptions()
    reporter = Silent() if quiet else Terminal(Console())
    context = Context(card.of(found.analysis), Workspace(output), wanted, reporter, lambda: client, found)
    run_stages(context, whole(context))
    return flow_of(context).read_results(context.workspace.results)


def _found(card: BaseCard) -> Found:
    """The analysis that a card names, or the table that it holds."""
    if isinstance(card, TableCard) and card.frame is not None:
        return found_table(card.origin, card.folder, card.frame)
    return named_analysis(card.origin, card.folder)


def run_stages(context: Context[Any], stages: Sequence[Stage]) -> None:
    """Runs, in order, the stages that the options redo and those whose manifest no longer holds.

    Raises:
        CardError: the options name a stage that the analysis does not have.
        SiteError: disk, memory, workers or scheduler fail; or no worker has what a later stage needs.
    """
    manifest, redone = Manifest(context.workspace.manifest), _redone(context, stages)
    _refuse_unknown_places(context)
    with in_one_line(), stores(context.workspace.directory, context.reporter.remark) as served:
        for number, stage in enumerate(stages):
            seen = _labelled(context)
            mark = _mark(seen, stage, manifest)
            if stage.name not in redone and manifest.holds(stage.name, mark):
                context.reporter.stage(stage.name, "still valid")
            else:
                logger.info("%s runs: %s", stage.name, _reason(seen, stage, manifest, mark, redone))
                _perform(_looking_ahead(seen, stages[number:]), stage, manifest, mark, served)


def _looking_ahead(context: Context[Any], stages: Sequence[Stage]) -> Context[Any]:
    """The context whose cluster, where it opens, is asked for what all stages to come need of it."""
    needs = [stage.needs for stage in stages if stage.needs and stage.name not in context.elsewhere]

    def cluster() -> Client:
        client = context.cluster()
        check_ahead(client, needs)
        return client

    return replace(context, cluster=cluster)


def _reason(
    context: Context[Any], stage: Stage, manifest: Manifest, mark: str, redone: Collection[str]
) -> str:
    """Why a stage runs although it may have run before."""
    record = manifest.get(stage.name)
    if record is None:
        return "it has not finished here before"
    if stage.name in redone:
        return "it was asked for"
    if record.fingerprint == mark:
        return f"{manifest.damaged(stage.name)[0]} is gone or changed"
    changed = _changed_keys(record.section, context.card.section(*stage.sections))
    return f"the card changed: {', '.join(changed)}" if changed else "what it reads, or its code, changed"


def _changed_keys(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [key for key in {**now, **then} if now.get(key) != then.get(key)]


def _refuse_unknown_places(context: Context[Any]) -> None:
    """Raises where a site is named for a stage that the analysis does not have."""
    flow = flow_of(context)
    names = [stage.name for stage in (*flow.stages, *flow.aside)]
    for name in context.elsewhere:
        if name not in names:
            raise CardError(f"--at: {unknown_name('stage', name, names)}")


def _labelled(context: Context[Any]) -> Context[Any]:
    """The context whose card says on every figure where a part of the input was processed."""
    return replace(context, card=marked(context.card, context.workspace.ledger))


def standing(context: Context[Any], stages: Sequence[Stage]) -> dict[str, bool]:
    """Stage → whether a run would find it still valid; what follows one that is not, is not either."""
    manifest, found = Manifest(context.workspace.manifest), dict[str, bool]()
    context, redone = _labelled(context), set[str]()
    for stage in stages:
        builds_on = any(earlier.name in redone for earlier in flow_of(context).before(stage))
        # The files that it reads may come out as they were: this much is known only once they are made.
        found[stage.name] = not builds_on and manifest.holds(stage.name, _mark(context, stage, manifest))
        if not found[stage.name]:
            redone.add(stage.name)
    return found


def _redone(context: Context[Any], stages: Sequence[Stage]) -> frozenset[str]:
    options, names = context.options, flow_of(context).names
    if options.force:
        return frozenset(stage.name for stage in stages)
    if options.start is None:
        return frozenset()
    if options.start not in names:
        raise CardError(f"{context.analysis.name}: {unknown_name('stage', options.start, names)}")
    return frozenset(names[names.index(options.start) :])


def _perform(context: Context[Any], stage: Stage, manifest: Manifest, mark: str, served: Stores) -> None:
    added_to = [context.workspace.columns] if stage.name == PROCESS.name else []
    manifest.drop(stage.name, added_to)
    context.reporter.stage(stage.name, "…")
    meter, card = Meter(), context.card
    plotting = getattr(card, "plotting", None)
    styles = drawn_as(context.analysis, card.styles, plotting) if stage.draws else nullcontext()
    # Last digits of the fit and the binning must not depend on how many cores this machine has.
    with styles, threadpool_limits(limits=1), meter:
        outputs = tuple(stage.work(_seen_by(context, stage, served, meter)))
    if stage.draws:
        # A figure that the card no longer asks for is of other events than those beside it.
        for path in manifest.outdated(stage.name, outputs):
            path.unlink(missing_ok=True)
    section = context.card.section(*stage.sections)
    manifest.record(stage.name, mark, outputs, seconds=meter.seconds, section=section)
    keep_metrics(context.workspace.metrics, stage.name, meter.metrics())
    logger.info("%s wrote %d files", stage.name, len(outputs))
    context.reporter.stage(stage.name, f"done in {meter.seconds:.0f} s")


def _seen_by(context: Context[Any], stage: Stage, served: Stores, meter: Meter) -> Context[Any]:
    """The context with nothing in it but what the stage declares."""
    names = {*stage.reads, *stage.writes}

    def cluster() -> Client:
        client = context.elsewhere.get(stage.name, context.cluster)()
        bring_modules(client, context.found.modules)
        served.serve(client, [getattr(context.workspace, name) for name in stage.writes])
        meter.watch(client)
        return client

    return replace(
        context,
        card=CardWindow(context.card, stage.sections, stage.name),
        workspace=cast(Workspace, WorkspaceWindow(context.workspace, names, stage.name)),
        cluster=cluster,
    )


def _mark(context: Context[Any], stage: Stage, manifest: Manifest) -> str:
    """Fingerprint of all that decides what a stage makes."""
    earlier = [other.name for other in flow_of(context).before(stage)]
    places = [getattr(context.workspace, name) for name in stage.reads]
    return fingerprint(
        stage.name,
        context.card.section(*stage.sections),
        source_digest(stage.work.__module__),
        _analysis_digest(context.found) if stage.is_of_analysis else None,
        manifest.contents(earlier, places),
        stage.inputs(context),
        drawing(context.analysis, context.card.processes) if stage.draws else None,
    )


def _analysis_digest(found: Found) -> object:
    """The source of an analysis: of its modules, its files or its functions."""
    files = {name: fingerprint(path.read_text(encoding="utf-8")) for name, path in found.modules.items()}
    return [source_digest(*found.roots), files, found.digest]
