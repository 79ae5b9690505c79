"""What a flow is made of: stages that read files and write files, and what is read when all are done."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from znought.facility.context import Context
from znought.plots.report import ReportTable

__all__ = ["Flow", "Stage"]


def _nothing(context: Context[Any]) -> object:
    return None


@dataclass(frozen=True)
class Stage:
    """One step of a flow.

    Attributes:
        work: does it and returns the files it wrote.
        sections: of the card, that it reads.
        code: modules whose source decides what it makes.
        after: stages whose result it reads.
        inputs: anything else that decides the result (files, options).
    """

    name: str
    work: Callable[[Context[Any]], Iterable[Path]]
    sections: tuple[str, ...]
    code: tuple[str, ...]
    after: tuple[str, ...] = ()
    inputs: Callable[[Context[Any]], object] = _nothing


@dataclass(frozen=True)
class Flow:
    """Everything that one analysis can do.

    Attributes:
        stages: of a whole run, in order; the first one simulates.
        aside: stages that only run when asked for.
        read_results: results.json as the record of this analysis.
        tables: that record as the closing tables.
    """

    stages: tuple[Stage, ...]
    aside: tuple[Stage, ...]
    read_results: Callable[[Path], BaseModel]
    tables: Callable[[Any], tuple[ReportTable, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages of a whole run."""
        return tuple(stage.name for stage in self.stages)
