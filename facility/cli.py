"""The command line: `znought --help`."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from znought import __version__
from znought.errors import ZnoughtError
from znought.facility.arguments import (
    STAGE_HELP,
    AsJson,
    At,
    CardPath,
    Fileset,
    Force,
    From,
    MaxChunks,
    MaxFiles,
    Output,
    Scale,
    SiteName,
    Skim,
    Unblind,
    UnblindTo,
)
from znought.facility.cluster.arguments import with_site_options
from znought.facility.cluster.interruption import ENDING, Interrupted, interruptible
from znought.facility.cluster.options import SiteOptions
from znought.facility.comparing.command import compare
from znought.facility.displaying.command import display
from znought.facility.filesets.command import fileset
from znought.facility.fitting.command import serving_likelihoods
from znought.facility.metrics.command import show_metrics
from znought.facility.terminal import voice, with_voice

# `znought --help` answers at once: what is slow to import is imported by the command that needs it.
if TYPE_CHECKING:
    from distributed import Client

    from znought.facility.context import Context, RunOptions
    from znought.facility.pipeline import Plan

__all__ = ["app", "main"]

app = typer.Typer(
    name="znought",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From ntuples to Z₀: columnar processing, K-fold networks and honest significances on Dask.",
)


DEFAULT_OUTPUT = Path("output")


@dataclass(frozen=True)
class _Place:
    """Which cluster, what the user says about it, and which one for single stages."""

    site: str
    options: SiteOptions
    at: Mapping[str, str] = field(default_factory=dict)


def _sites_of_stages(given: list[str]) -> dict[str, str]:
    """Stage → site, of STAGE=SITE."""
    found = {}
    for text in given:
        stage, equals, site = text.partition("=")
        if not (stage and equals and site):
            raise typer.BadParameter(f"--at: expected STAGE=SITE, such as train=local. Received: {text!r}.")
        found[stage] = site
    return found


@app.command()
@with_site_options
def run(
    card: CardPath,
    output: Output = DEFAULT_OUTPUT,
    site: SiteName = "local",
    fileset: Fileset = None,
    events_scale: Scale = 1.0,
    force: Force = False,
    start: From = None,
    unblind: Unblind = False,
    unblind_to: UnblindTo = None,
    max_files: MaxFiles = None,
    max_chunks: MaxChunks = None,
    at: At = None,
    as_json: AsJson = False,
    *,
    options: SiteOptions,
) -> None:
    """The whole flow; stages that still hold are skipped."""
    from znought.facility.context import RunOptions, opened_step
    from znought.facility.pipeline import whole

    opened = opened_step(unblind_to, whole=unblind)
    wanted = RunOptions(events_scale, fileset, opened, force, start, max_files, max_chunks)
    place = _Place(site, options, _sites_of_stages(at or []))
    context = _execute(card, output, place, wanted, whole)
    _show_results(context, as_json)


@app.command()
@with_site_options
def simulate(
    card: CardPath,
    output: Output = DEFAULT_OUTPUT,
    site: SiteName = "local",
    events_scale: Scale = 1.0,
    force: Force = False,
    *,
    options: SiteOptions,
) -> None:
    """Generate the card's datasets with Pythia 8 and a parametrised detector."""
    from znought.facility.context import RunOptions
    from znought.facility.pipeline import single

    wanted = RunOptions(events_scale=events_scale, force=force)
    _execute(card, output, _Place(site, options), wanted, single("simulate"))


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        card: CardPath,
        output: Output = DEFAULT_OUTPUT,
        site: SiteName = "local",
        fileset: Fileset = None,
        force: Force = False,
        max_files: MaxFiles = None,
        max_chunks: MaxChunks = None,
        skim: Skim = None,
        as_json: AsJson = False,
        *,
        options: SiteOptions,
    ) -> None:
        from znought.facility.context import RunOptions
        from znought.facility.pipeline import single

        again = force or skim is not None
        wanted = RunOptions(
            fileset=fileset, force=again, max_files=max_files, max_chunks=max_chunks, skim=skim
        )
        _execute(card, output, _Place(site, options), wanted, single(name))
        if as_json:
            typer.echo(json.dumps({"stage": name, "output": str(output)}))

    if name != "process":
        given = signature(command)
        of_process = ("max_files", "max_chunks", "skim")
        kept = [one for one in given.parameters.values() if one.name not in of_process]
        command.__signature__ = given.replace(parameters=kept)  # type: ignore[attr-defined]
    return with_site_options(command)


for _name, _help in STAGE_HELP.items():
    _command = _stage_command(_name)
    app.command(_name, help=_help)(serving_likelihoods(_command, voice) if _name == "fit" else _command)
app.command("metrics")(show_metrics)


@app.command()
def referee(
    card: CardPath,
    output: Output = DEFAULT_OUTPUT,
    fileset: Fileset = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Draw pseudo-experiments, too.")] = False,
    report: Annotated[bool, typer.Option(help="Draw figures and report anew, with the verdicts.")] = True,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Is this result to be believed? Exit status 1 if a check fails."""
    from znought.facility.context import RunOptions
    from znought.facility.pipeline import judging, single
    from znought.facility.referee.verdicts import read_verdicts, verdict_line, verdict_table

    wanted = RunOptions(fileset=fileset, force=force, thorough=thorough)
    context = _execute(
        card, output, _Place("local", SiteOptions()), wanted, judging if report else single("referee")
    )
    found = read_verdicts(context.workspace)
    voice.show([verdict_table(found)])
    voice.say(verdict_line(found))
    if as_json:
        typer.echo(context.workspace.referee.read_text(encoding="utf-8"))
    raise typer.Exit(1 if found.verdict == "fail" else 0)


@app.command()
def check(
    card: CardPath,
    output: Output = DEFAULT_OUTPUT,
    chunk: Annotated[bool, typer.Option("--chunk", help="Try a whole chunk of each dataset.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the card.")] = False,
) -> None:
    """Every mistake of a card at once; its functions tried on a few events of each dataset."""
    from znought.facility.cards.printed import printed_check, printed_schema

    lines = printed_schema(card) if schema else printed_check(card, output, whole_chunk=chunk)
    for line in lines.text:
        typer.echo(line)
    raise typer.Exit(lines.status)


@app.command()
@with_site_options
def sites(
    check: Annotated[str | None, typer.Option("--check", metavar="SITE", help="Open it and look.")] = None,
    *,
    options: SiteOptions,
) -> None:
    """Which sites are configured, and a pre-flight of one."""
    from znought.facility.cluster.configured import BASE, described_sites, sites_file
    from znought.facility.cluster.failures import in_one_line
    from znought.facility.cluster.preflight import report_workers
    from znought.facility.cluster.sites import SITES, connect

    if check is None:
        table = Table("site", "what it is", box=None)
        for name, site in SITES.items():
            table.add_row(name, site.description)
        for name, described in described_sites().items():
            if BASE in described:
                table.add_row(name, f"{described[BASE]}, as {sites_file()} describes it")
        Console().print(table)
        return
    with _interruptible(), in_one_line(), connect(check, **options.given) as client:
        for line in report_workers(client):
            typer.echo(line)


@app.command()
def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Of the analysis, and of its new folder.")],
    files: Annotated[
        list[str] | None,
        typer.Option("--files", metavar="PATTERN", help="Your ROOT files (quoted glob, or repeat it)."),
    ] = None,
) -> None:
    """A first analysis in a new folder: file, card and events that run as they are."""
    from znought.facility.starting.from_files import start_from_files
    from znought.facility.starting.own_events import start

    for path in start_from_files(name, files) if files else start(name):
        typer.echo(path)
    typer.echo(f"Next: cd {name}, then `znought check` and `znought run`.")


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A ROOT or parquet file; with --corrections, a card.")],
    corrections: Annotated[
        bool, typer.Option("--corrections", help="Values of a card's corrections on a few events.")
    ] = False,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """What a ROOT or parquet file holds, and which adapter reads it; or what a card's corrections give."""
    if corrections:
        from znought.facility.ntuples.printed import printed_corrections

        lines = printed_corrections(path, output)
    else:
        from znought.facility.ntuples.inspection import describe

        lines = describe(path)
    for line in lines:
        typer.echo(line)


app.command()(fileset)
app.command()(compare)
app.command()(display)
with_voice(app)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(f"znought {__version__}")
        raise typer.Exit


def _execute(card: Path, output: Path, place: _Place, options: "RunOptions", plan: "Plan") -> "Context[Any]":
    """Runs stages with a reporter and a cluster that opens at its first use."""
    from znought.facility.cards.reading import load_with_analysis
    from znought.facility.cluster.failures import in_one_line
    from znought.facility.cluster.sites import connect
    from znought.facility.cluster.tasks import dashboard
    from znought.facility.context import Context
    from znought.facility.pipeline import run_stages
    from znought.facility.workspace import Workspace

    with _interruptible(), in_one_line(), ExitStack() as stack:
        read, found = load_with_analysis(card)

        @cache
        def cluster(site: str = place.site) -> "Client":
            # What stands on the command line is said of the one site that it names.
            given = place.options.given if site == place.site else {}
            client = stack.enter_context(connect(site, of_card=read.sites, **given))
            if page := dashboard(client):
                voice.say(f"  dashboard of {site}: {page}")
            return client

        elsewhere = {stage: partial(cluster, site) for stage, site in place.at.items()}
        context = Context(read, Workspace(output), options, voice.reporter, cluster, found, elsewhere)
        run_stages(context, plan(context))
        return context


@contextmanager
def _interruptible() -> Iterator[None]:
    """Leaves with the status of the signal, once all clusters are closed."""
    try:
        with interruptible():
            yield
    except Interrupted as signalled:
        # A late signal must not break into the interpreter's own farewell.
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        voice.say("\nInterrupted: the same command again resumes.")
        raise typer.Exit(signalled.status) from None


def _show_results(context: "Context[Any]", as_json: bool) -> None:
    from znought.facility.pipeline import flow_of
    from znought.facility.referee.verdicts import standing_verdicts, verdict_line

    workspace, flow = context.workspace, flow_of(context)
    voice.show(flow.tables(flow.read_results(workspace.results)))
    voice.say(verdict_line(standing_verdicts(workspace)))
    if workspace.report.exists():
        voice.say(f"Figures in {workspace.figures}, report in {workspace.report}")
    if as_json:
        typer.echo(workspace.results.read_text(encoding="utf-8"))


def main() -> None:
    """Entry point: one clear line and exit 1 for what a user can mend."""
    try:
        app()
    except ZnoughtError as error:
        voice.complain(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
