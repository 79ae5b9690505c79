"""What a processor returns for one dataset: an identity, a pure +, and nothing that depends on order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

import hist

from znought.processors.columns import ColumnFile
from znought.processors.cutflow import Cutflow
from znought.processors.exact import ZERO, ExactSum
from znought.processors.hists import Tally
from znought.processors.output import Output
from znought.processors.quality.blocks import Blocks

__all__ = ["ChannelResult", "DatasetResult"]


@dataclass(frozen=True)
class ChannelResult:
    """Everything that the chunks of one dataset add up to in one channel.

    Attributes:
        cutflows: variation → cutflow; "nominal" is always there.
        tally: content of the histograms after the preselection, nominal; None if there are none.
        columns: parquet files written, sorted by path.
        objectwise: histograms of objects, and of two values at once.
    """

    cutflows: Mapping[str, Cutflow] = field(default_factory=dict)
    tally: Tally | None = None
    columns: tuple[ColumnFile, ...] = ()
    objectwise: Mapping[str, hist.Hist[Any]] = field(default_factory=dict)

    @property
    def hists(self) -> Mapping[str, hist.Hist[Any]]:
        """Histogram of each variable, and those of objects."""
        return {**({} if self.tally is None else self.tally.histograms()), **self.objectwise}

    @classmethod
    def total(cls, results: Sequence["ChannelResult"]) -> "ChannelResult":
        """Sum of many results, in their order; nothing at all is the identity."""
        names = dict.fromkeys(name for result in results for name in result.cutflows)
        flows = {
            name: reduce(add, [r.cutflows[name] for r in results if name in r.cutflows], Cutflow())
            for name in names
        }
        tallies = [result.tally for result in results if result.tally is not None]
        columns = {file for result in results for file in result.columns}
        ordered = tuple(sorted(columns, key=lambda file: file.path))
        drawn: dict[str, hist.Hist[Any]] = {}
        for result in results:
            for name, one in result.objectwise.items():
                drawn[name] = drawn[name] + one if name in drawn else one
        return cls(flows, reduce(add, tallies) if tallies else None, ordered, drawn)


@dataclass(frozen=True)
class DatasetResult:
    """Everything that the chunks of one dataset add up to.

    Attributes:
        channels: channel → what it holds.
        substitutes: input → what stood in for it.
        dialects: dialects that its files were read with, sorted.
        output: what an existing coffea processor returned; None where an analysis is at work.
        blocks: luminosity blocks of recorded data that must be certified.
        theory: member of a set of generator weights → its sum over all events read, and under "" their own.
    """

    channels: Mapping[str, ChannelResult] = field(default_factory=dict)
    substitutes: Mapping[str, str] = field(default_factory=dict)
    dialects: tuple[str, ...] = ()
    output: Output | None = None
    blocks: Blocks = field(default_factory=Blocks)
    theory: Mapping[str, ExactSum] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[ColumnFile, ...]:
        """The parquet files of all channels."""
        return tuple(file for result in self.channels.values() for file in result.columns)

    def of(self, channel: str) -> ChannelResult:
        """One channel; nothing where no chunk has come to it."""
        return self.channels.get(channel, ChannelResult())

    @classmethod
    def total(cls, results: Sequence["DatasetResult"]) -> "DatasetResult":
        """Sum of many results, in their order; nothing at all is the identity."""
        names = dict.fromkeys(name for result in results for name in result.channels)
        channels = {
            name: ChannelResult.total([r.channels[name] for r in results if name in r.channels])
            for name in names
        }
        substitutes = {name: note for result in results for name, note in result.substitutes.items()}
        dialects = tuple(sorted({d for result in results for d in result.dialects}))
        outputs = [result.output for result in results if result.output is not None]
        blocks = reduce(add, [result.blocks for result in results], Blocks())
        members = dict.fromkeys(name for result in results for name in result.theory)
        theory = {
            name: reduce(add, [r.theory[name] for r in results if name in r.theory], ZERO) for name in members
        }
        return cls(channels, substitutes, dialects, Output.total(outputs), blocks, theory)

    def __add__(self, other: "DatasetResult") -> "DatasetResult":
        return DatasetResult.total([self, other])
