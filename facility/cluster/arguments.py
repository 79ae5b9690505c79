"""Options of a site on the command line, made from the fields of `SiteOptions`."""

import inspect
import operator
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
            given: dict[str, Any] = {name: values.pop(name) for name in names}
            options = SiteOptions(**given | {"job_lines": tuple(given["job_lines"])})
        except SiteError as error:
            raise typer.BadParameter(str(error)) from error
        command(**values, options=options)

    plain = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [*(one for one in plain if one.name != "options"), *_parameters()]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return cast(Command, wrapped)


def _parameters() -> list[inspect.Parameter]:
    types, keyword = get_type_hints(SiteOptions), inspect.Parameter.KEYWORD_ONLY
    made = []
    for field in fields(SiteOptions):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        # Typer takes an option that may be repeated as a list.
        kind: Any = list[str] if isinstance(field.default, tuple) else types[field.name]
        name = field.name.removesuffix("s") if kind == list[str] else field.name
        option = typer.Option(f"--{name.replace('_', '-')}", help=field.metadata["help"])
        annotation: Any = operator.getitem(Annotated, (kind, option))
        made.append(inspect.Parameter(field.name, keyword, default=default, annotation=annotation))
    return made
