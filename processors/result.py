"""What a processor returns for one dataset: an identity, a pure +, and nothing that depends on order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import hist

from znought.processors.columns import ColumnFile
from znought.processors.cutflow import Cutflow
from znought.processors.hists import Tally

__all__ = ["DatasetResult"]


@dataclass(frozen=True)
class DatasetResult:
    """Everything that the chunks of one dataset add up to.

    Attributes:
        cutflows: variation → cutflow; "nominal" is always there.
        tally: content of the histograms after the preselection, nominal; None if there are none.
        columns: parquet files written, sorted by path.
        substitutes: input → what stood in for it.
        dialects: dialects that its files were read with, sorted.
    """

    cutflows: Mapping[str, Cutflow] = field(default_factory=dict)
    tally: Tally | None = None
    columns: tuple[ColumnFile, ...] = ()
    substitutes: Mapping[str, str] = field(default_factory=dict)
    dialects: tuple[str, ...] = ()

    @property
    def hists(self) -> Mapping[str, hist.Hist[Any]]:
        """Histogram of each feature."""
        return {} if self.tally is None else self.tally.histograms()

    @classmethod
    def total(cls, results: Sequence["DatasetResult"]) -> "DatasetResult":
        """Sum of many results, in their order; nothing at all is the identity."""
        names = dict.fromkeys(name for result in results for name in result.cutflows)
        flows = {
            name: reduce(add, [r.cutflows[name] for r in results if name in r.cutflows], Cutflow())
            for name in names
        }
        tallies = [result.tally for result in results if result.tally is not None]
        columns = {file for result in results for file in result.columns}
        substitutes = {name: note for result in results for name, note in result.substitutes.items()}
        return cls(
            flows,
            reduce(add, tallies) if tallies else None,
            tuple(sorted(columns, key=lambda file: file.path)),
            substitutes,
            tuple(sorted({name for result in results for name in result.dialects})),
        )

    def __add__(self, other: "DatasetResult") -> "DatasetResult":
        return DatasetResult.total([self, other])
