"""Every command with its arguments and options, as `--help` says it."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from reference.documented import table
from znought.facility.cli import app

__all__ = ["commands"]

_WORDS = {Path: "path", str: "text", int: "whole number", float: "number", list[str]: "text, repeated"}


def commands() -> str:
    """A section for each command."""
    group: Any = get_command(app)
    return "\n\n".join(_command(name, one) for name, one in group.commands.items())


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join([name, *(one.metavar or one.name.upper() for one in arguments)])
    parts = [f"## `znought {name}`", command.help, f"```text\nznought {usage} [OPTIONS]\n```"]
    if options:
        parts.append(table(("option", "value", "default", "meaning"), [_row(one) for one in options]))
    return "\n\n".join(parts)


def _row(option: Any) -> tuple[str, ...]:
    names = [*option.opts, *option.secondary_opts]
    kind = "" if option.is_flag else option.metavar or _WORDS[option.type_descriptor.annotation]
    shown = option.default not in (None, False, ()) and not callable(option.default) and not option.is_flag
    default = f"`{option.default}`" if shown else ""
    return ", ".join(f"`{name}`" for name in names), kind, default, option.help or ""
