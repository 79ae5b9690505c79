"""Sums over all generated events, which ntuples keep beside the events that survived."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.base import Dialect
from znought.processors.exact import ZERO, ExactSum, exact_sums

__all__ = ["GeneratedSums", "generated_sums"]


@dataclass(frozen=True)
class GeneratedSums:
    """Generated events of one or more files, before any skim of the ntuple.

    Attributes:
        n_events: generated events after the generator filter.
        sumw: exact signed sum of their weights.
        sumw2: exact sum of their squared weights.
        n_attempted: events tried by the generator before its filter; None where it is not recorded.
    """

    n_events: int = 0
    sumw: ExactSum = ZERO
    sumw2: ExactSum = ZERO
    n_attempted: int | None = 0

    def __add__(self, other: "GeneratedSums") -> "GeneratedSums":
        attempted = None
        if self.n_attempted is not None and other.n_attempted is not None:
            attempted = self.n_attempted + other.n_attempted
        return GeneratedSums(
            self.n_events + other.n_events, self.sumw + other.sumw, self.sumw2 + other.sumw2, attempted
        )


def generated_sums(directory: Any, dialect: Dialect) -> GeneratedSums | None:
    """The sums kept in an open ROOT file, or None where it keeps none."""
    readers: dict[str, Callable[[Any], GeneratedSums | None]] = {
        "runs": _from_runs,
        "bookkeepers": _from_bookkeepers,
    }
    return readers[dialect.sums](directory) if dialect.sums in readers else None


def _from_runs(directory: Any) -> GeneratedSums | None:
    """Sums of the tree Runs of a NanoAOD; older versions end the names in an underscore."""
    if "Runs" not in directory:
        return None
    runs = directory["Runs"]
    names = {
        wanted: name
        for wanted in ("genEventCount", "genEventSumw", "genEventSumw2", "genFilterAttempted")
        for name in (wanted, f"{wanted}_")
        if name in runs
    }
    if "genEventSumw" not in names or "genEventCount" not in names:
        return None
    columns = {wanted: runs[name].array(library="np") for wanted, name in names.items()}
    attempted = int(columns["genFilterAttempted"].sum()) if "genFilterAttempted" in columns else None
    return GeneratedSums(
        int(columns["genEventCount"].sum()),
        _total(columns["genEventSumw"]),
        _total(columns.get("genEventSumw2", np.zeros(0))),
        attempted,
    )


def _from_bookkeepers(directory: Any) -> GeneratedSums | None:
    """Sums of the CutBookkeepers of a DAOD: of the last cycle, the entry that accepted all events."""
    if "MetaData" not in directory:
        return None
    metadata = directory["MetaData"]
    wanted = ("nAcceptedEvents", "sumOfEventWeights", "sumOfEventWeightsSquared", "cycle")
    branches = {name: _bookkeeper_branch(metadata, name) for name in wanted}
    if any(branch is None for branch in branches.values()):
        return None
    rows = {name: branch.array(library="np") for name, branch in branches.items() if branch is not None}
    total = GeneratedSums(n_attempted=None)
    for accepted, sumw, sumw2, cycle in zip(*(rows[name] for name in wanted), strict=True):
        last = np.flatnonzero(cycle == np.max(cycle))
        everything = last[np.argmax(accepted[last])]
        total = total + GeneratedSums(
            int(accepted[everything]), ExactSum.of(sumw[everything]), ExactSum.of(sumw2[everything]), None
        )
    return total


def _bookkeeper_branch(metadata: Any, name: str) -> Any:
    """The branch of one field of the complete bookkeepers, in either way of writing it, or None."""
    for branch in (f"CutBookkeepersAuxDyn.{name}", f"CutBookkeepersAux./CutBookkeepersAux.{name}"):
        if branch in metadata:
            return metadata[branch]
    return None


def _total(values: NDArray[Any]) -> ExactSum:
    """Exact sum of a column."""
    return exact_sums(np.asarray(values, np.float64), np.zeros(len(values), np.int64), 1)[0]
