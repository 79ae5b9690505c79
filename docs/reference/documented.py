"""What the source says about each field of a record: its line under `Attributes`, or the string behind it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable
from typing import Any

__all__ = ["first_line", "meanings", "table"]

_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*)$")


def first_line(documented: Any) -> str:
    """First paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


def meanings(record: type) -> dict[str, str]:
    """Field → what it means, of a class and those that it builds on."""
    found: dict[str, str] = {}
    for one in reversed(record.__mro__):
        if one.__module__.startswith("znought."):
            found |= _listed(inspect.getdoc(one) or "") | _behind(one)
    return found


def _listed(docstring: str) -> dict[str, str]:
    """Entries of the section `Attributes`; one that names several fields counts for each."""
    _, _, section = docstring.partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if entry := _ENTRY.match(line):
            names = [name.strip() for name in entry[1].split(",")]
            found |= dict.fromkeys(names, entry[2])
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def _behind(record: type) -> dict[str, str]:
    """Strings that stand behind the fields of a class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                assert isinstance(field.target, ast.Name)
                found[field.target.id] = " ".join(value.value.split())
    return found


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
