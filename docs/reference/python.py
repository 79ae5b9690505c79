"""The public names of Python, each with its signature and docstring."""

import inspect

import znought
from reference.documented import first_line, table

__all__ = ["python"]


def python() -> str:
    """An overview, then a section for each name."""
    names = [name for name in znought.__all__ if not name.startswith("_")]
    rows = [(f"[`{name}`](#python-{name.lower()})", first_line(getattr(znought, name))) for name in names]
    return "\n\n".join([table(("name", "what comes back, or what it is"), rows), *map(_section, names)])


def _section(name: str) -> str:
    directive = "autoclass" if inspect.isclass(getattr(znought, name)) else "autofunction"
    members = "\n   :members:" if directive == "autoclass" else ""
    documented = f"```{{eval-rst}}\n.. {directive}:: znought.{name}{members}\n```"
    return f"(python-{name.lower()})=\n## `{name}`\n\n{documented}"
