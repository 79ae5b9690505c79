"""A view of the card or the output directory that shows a stage what it declares, and raises at the rest."""

from collections.abc import Callable, Collection
from inspect import getattr_static
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from znought.errors import StageError
from znought.facility.cards.base import BaseCard
from znought.facility.workspace import Workspace

__all__ = ["CardWindow", "WorkspaceWindow"]


class CardWindow:
    """A card of which only some sections may be read, its properties and methods among them."""

    def __init__(self, card: BaseCard, sections: Collection[str], stage: str) -> None:
        self._card, self._sections, self._stage = card, sections, stage

    def __reduce__(self) -> tuple[Any, ...]:
        return CardWindow, (self._card, self._sections, self._stage)

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values; pydantic finds none in a window."""
        for name in names:
            getattr(self, name)
        return self._card.section(*names)

    def __getattr__(self, name: str) -> Any:
        card = self.__dict__["_card"]
        if name in type(card).model_fields:
            if name not in self._sections:
                raise StageError(
                    f"Stage {self._stage!r} reads the card's section {name!r}, which it does not declare."
                )
            return getattr(card, name)
        found = getattr_static(type(card), name, None)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        if isinstance(found, FunctionType):
            return MethodType(found, self)
        return getattr(card, name)


class WorkspaceWindow:
    """An output directory of which only some files and folders may be named."""

    def __init__(self, workspace: Workspace, names: Collection[str], stage: str) -> None:
        self._workspace, self._names, self._stage = workspace, names, stage

    def __reduce__(self) -> tuple[Any, ...]:
        # Where it travels to, another folder may be the current one.
        resolved = Workspace(self._workspace.directory.resolve())
        return WorkspaceWindow, (resolved, self._names, self._stage)

    def moved(self, change: Callable[[str], str]) -> "WorkspaceWindow":
        """The window on another directory: where `change` puts what stands here; it is shown every name."""
        for name in sorted(self._names):
            change(str(getattr(self._workspace, name).resolve()))
        here = str(self._workspace.directory.resolve())
        there = change(here)
        return self if there == here else WorkspaceWindow(Workspace(Path(there)), self._names, self._stage)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_workspace"], name)
        if name not in self._names:
            raise StageError(f"Stage {self._stage!r} names {value}, which it does not declare ({name}).")
        return value
