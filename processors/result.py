"""What a processor returns for one dataset: an identity, a pure +, and nothing that depends on order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import hist

from znought.processors.columns import ColumnFile
from znought.processors.cutflow import Cutflow

__all__ = ["DatasetResult"]


@dataclass(frozen=True)
class DatasetResult:
    """Everything that the chunks of one dataset add up to.

    Attributes:
        cutflows: variation → cutflow; "nominal" is always there.
        hists: feature → histogram after the preselection, nominal.
        columns: parquet files written, sorted by path.
        substitutes: input → what stood in for it.
        dialects: dialects that its files were read with, sorted.
    """

    cutflows: Mapping[str, Cutflow] = field(default_factory=dict)
    hists: Mapping[str, hist.Hist[Any]] = field(default_factory=dict)
    columns: tuple[ColumnFile, ...] = ()
    substitutes: Mapping[str, str] = field(default_factory=dict)
    dialects: tuple[str, ...] = ()

    def __add__(self, other: "DatasetResult") -> "DatasetResult":
        names = list(dict.fromkeys([*self.cutflows, *other.cutflows]))
        features = list(dict.fromkeys([*self.hists, *other.hists]))
        return DatasetResult(
            {n: self.cutflows.get(n, Cutflow()) + other.cutflows.get(n, Cutflow()) for n in names},
            {n: _summed(self.hists.get(n), other.hists.get(n)) for n in features},
            tuple(sorted({*self.columns, *other.columns}, key=lambda file: file.path)),
            {**self.substitutes, **other.substitutes},
            tuple(sorted({*self.dialects, *other.dialects})),
        )


def _summed(a: hist.Hist[Any] | None, b: hist.Hist[Any] | None) -> Any:
    """Sum of two histograms, either of which may be absent."""
    if a is None or b is None:
        return b if a is None else a
    return a + b
