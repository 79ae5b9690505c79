"""`znought fit` on a text card, a pyhf workspace or described templates, besides an analysis card."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from znought.errors import CardError
from znought.facility.arguments import given_card
from znought.facility.terminal import Voice

if TYPE_CHECKING:
    from znought.facility.fitting.brought import FileFit

__all__ = ["serving_likelihoods"]

Command = TypeVar("Command", bound=Callable[..., None])
FILE_HELP = (
    "Analysis card (YAML), or a likelihood: text card of Combine, pyhf JSON, description of templates."
)


def serving_likelihoods(command: Command, voice: Voice) -> Command:
    """The command `fit` with further options, which takes files of likelihoods, too."""

    @wraps(command)
    def wrapped(unblind: bool, mass: float | None, impacts: bool, toys: int, **values: Any) -> None:
        from znought.facility.fitting.brought import FileFit
        from znought.stats.formats.reading import holds_likelihood

        path: Path = values["card"]
        if holds_likelihood(path):
            options = FileFit(unblind, mass, impacts, toys)
            _fit(path, values["output"], voice, options, as_json=values["as_json"])
        elif unblind or toys or mass is not None:
            raise CardError(
                "--unblind, --mass and --toys of fit are for likelihoods; cards have "
                "`znought run --unblind` and likelihood.n_toys."
            )
        else:
            command(**values)

    given = list(inspect.signature(command, eval_str=True).parameters.values())
    file = typer.Argument(
        metavar="FILE", help=FILE_HELP, default_factory=Path, callback=given_card, show_default=False
    )
    given[0] = given[0].replace(annotation=Annotated[Path, file])
    parameters = [*given, *_options()]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return cast(Command, wrapped)


def _options() -> list[inspect.Parameter]:
    unblind = typer.Option("--unblind", help="Fit the observations of a likelihood, not the expectation.")
    mass = typer.Option("--mass", help="What $MASS stands for in a text card.")
    impacts = typer.Option("--impacts/--no-impacts", help="Two more fits per systematic of a likelihood.")
    toys = typer.Option("--toys", min=0, help="Pseudo-experiments for the significance of a likelihood.")
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter("unblind", keyword, default=False, annotation=Annotated[bool, unblind]),
        inspect.Parameter("mass", keyword, default=None, annotation=Annotated[float | None, mass]),
        inspect.Parameter("impacts", keyword, default=True, annotation=Annotated[bool, impacts]),
        inspect.Parameter("toys", keyword, default=0, annotation=Annotated[int, toys]),
    ]


def _fit(path: Path, output: Path, voice: Voice, options: "FileFit", *, as_json: bool) -> None:
    from znought.facility.fitting.brought import fit_file, likelihood_tables
    from znought.facility.workspace import Workspace

    workspace = Workspace(output)
    results = fit_file(path, workspace, voice.reporter, options)
    voice.show(likelihood_tables(results))
    voice.say(f"Likelihood in other formats in {workspace.fit}")
    if as_json:
        typer.echo(workspace.results.read_text(encoding="utf-8"))
