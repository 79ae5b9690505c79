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
    """One step of a flow, which sees what it declares and nothing else.

    Attributes:
        work: does it and returns the files it wrote; its module and all that it imports decide what it makes.
        sections: of the card, that it reads.
        reads: names of the workspace's files and folders that earlier stages wrote.
        writes: names of those that it writes.
        inputs: anything else that decides the result (files, options).
        is_of_analysis: the source of the analysis decides what it makes, too.
        needs: whose packages its workers must have (`preflight.WORKER_PACKAGES`); looked at before any work.
    """

    name: str
    work: Callable[[Context[Any]], Iterable[Path]]
    sections: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    inputs: Callable[[Context[Any]], object] = _nothing
    is_of_analysis: bool = False
    needs: str | None = None

    @property
    def draws(self) -> bool:
        """Whether it makes figures, whose labels and colours then decide what it makes."""
        return bool({"figures", "report"} & {*self.writes})


@dataclass(frozen=True)
class Flow:
    """Everything that one analysis can do.

    Attributes:
        stages: of a whole run, in order; where there is one that makes events, it is the first.
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

    def before(self, stage: Stage) -> tuple[Stage, ...]:
        """Every stage that one builds on, directly or not, in order."""
        earlier = self.stages if stage in self.aside else self.stages[: self.stages.index(stage)]
        wanted = set(stage.reads)
        found: list[Stage] = []
        for other in reversed(earlier):
            if wanted & set(other.writes):
                found.insert(0, other)
                wanted |= set(other.reads)
        return tuple(found)
