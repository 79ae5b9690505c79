"""Paths of the output directory inside whatever travels to a worker and back."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from znought.facility.window import WorkspaceWindow

__all__ = ["Change", "ReadsFiles", "moved", "visited"]

Change = Callable[[str], str]
"""A text → itself, or what stands for it elsewhere."""


@runtime_checkable
class ReadsFiles(Protocol):
    """An argument of a task that knows better than its paths what the task reads."""

    def read_files(self) -> tuple[str, ...]:
        """Absolute paths of the files."""


def visited(value: Any, see: Callable[[str], None]) -> None:
    """Shows every text and path inside a value, and of those that know what is read from them, that."""

    def change(text: str) -> str:
        see(text)
        return text

    moved(value, change, narrow=True)


def moved(value: Any, change: Change, *, narrow: bool = False) -> Any:
    """A value with every text and path in it changed; the very same object where nothing is.

    Looks into containers, dataclasses, models, partial functions and bound methods.

    Args:
        value: anything.
        change: of one text.
        narrow: of a value that knows what it reads, look at that alone.
    """

    def inner(part: Any) -> Any:
        return moved(part, change, narrow=narrow)

    if isinstance(value, str):
        return change(value)
    if isinstance(value, Path):
        text = str(value)
        return value if (new := change(text)) == text else Path(new)
    if narrow and isinstance(value, ReadsFiles):
        for text in value.read_files():
            change(text)
        return value
    if isinstance(value, WorkspaceWindow):
        return value.moved(change)
    if isinstance(value, partial):
        parts = inner((value.func, value.args, value.keywords))
        return value if _same(parts, (value.func, value.args, value.keywords)) else _partial(*parts)
    if isinstance(value, MethodType):
        owner = inner(value.__self__)
        return value if owner is value.__self__ else MethodType(value.__func__, owner)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _container(value, inner)
    return _record(value, inner)


def _container(value: Any, inner: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        pairs = {inner(key): inner(part) for key, part in value.items()}
        if _same(pairs, value) and _same(pairs.values(), value.values()):
            return value
        return type(value)(pairs) if isinstance(value, dict) else pairs
    parts = [inner(part) for part in value]
    if _same(parts, value):
        return value
    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def _record(value: Any, inner: Callable[[Any], Any]) -> Any:
    if isinstance(value, BaseModel):
        parts = {name: getattr(value, name) for name in type(value).model_fields}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    else:
        return value
    changed = {name: new for name, part in parts.items() if (new := inner(part)) is not part}
    if not changed:
        return value
    return value.model_copy(update=changed) if isinstance(value, BaseModel) else replace(value, **changed)


def _same(new: Any, old: Any) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))


def _partial(function: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    return partial(function, *arguments, **keywords)
