"""Options of a site on the command line, made from the fields of `SiteOptions`."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import typer

from znought.errors import SiteError
from znought.facility.cluster.options import SiteOptions

__all__ = ["with_site_options"]

Command = TypeVar("Command", bound=Callable[..., None])


def with_site_options(command: Command) -> Command:
    """A command whose parameter `options` has become an option for each field of `SiteOptions`."""
    names = [field.name for field in fields(SiteOptions)]

    @wraps(command)
    def wrapped(**values: Any) -> None:
        try:
            options = SiteOptions(**{name: values.pop(name) for name in names})
        except SiteError as error:
            raise typer.BadParameter(str(error)) from error
        command(**values, options=options)

    given = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [*(one for one in given if one.name != "options"), *_parameters()]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return cast(Command, wrapped)


def _parameters() -> list[inspect.Parameter]:
    types, keyword = get_type_hints(SiteOptions), inspect.Parameter.KEYWORD_ONLY
    made = []
    for field in fields(SiteOptions):
        option = typer.Option(f"--{field.name.replace('_', '-')}", help=field.metadata["help"])
        annotation: Any = Annotated.__class_getitem__((types[field.name], option))  # type: ignore[attr-defined]
        made.append(inspect.Parameter(field.name, keyword, default=field.default, annotation=annotation))
    return made
