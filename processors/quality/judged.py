"""What certification, triggers and filters leave of an evaluated chunk, as further rows of its cutflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.processors.chunk import Chunk
from znought.processors.evaluated import Evaluated, Evaluation
from znought.processors.quality.blocks import Blocks
from znought.processors.quality.certification import Certification

__all__ = ["ROWS", "Quality", "judged"]

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Numbers = NDArray[np.uint32]

CERTIFIED, TRIGGERED, CLEAN = ROWS = ("certified", "triggered", "clean")
"""Rows of the cutflow, in order, behind those of the analysis."""


@dataclass(frozen=True)
class Quality:
    """What an event of one dataset must be to count.

    Attributes:
        era: name of the era, for messages.
        rows: of `ROWS`, those that some era of the card asks for: all cutflows have the same.
        certification: of recorded data; None certifies all.
        runs: first and last run of recorded data that count.
        triggers: primary dataset → names of trigger paths, with wildcards, in order of precedence; none takes
            all.
        primary_dataset: the one that recorded data are of.
        filters: branches that must be true.
        filters_data: further ones, of recorded data alone.
    """

    era: str
    rows: tuple[str, ...] = ROWS
    certification: Certification | None = None
    runs: tuple[int, int] | None = None
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    primary_dataset: str | None = None
    filters: tuple[str, ...] = ()
    filters_data: tuple[str, ...] = ()


def judged(chunk: Chunk, evaluation: Evaluation, quality: Quality) -> tuple[Evaluation, Blocks]:
    """The events of each channel and variation that count, and the blocks that were read.

    Branches are read of the chunk once; an event that several primary datasets have recorded counts in the
    first of them alone: in each, it must pass one of its own paths and none of those before it.

    Raises:
        DataError: a filter, or every path of a trigger that is asked for, is not in the file.
    """
    masks = _Masks(chunk, quality)
    found = {
        channel: {name: _kept(one, masks) for name, one in variations.items()}
        for channel, variations in evaluation.items()
    }
    return found, masks.blocks()


def _kept(found: Evaluated, masks: "_Masks") -> Evaluated:
    for row in masks.quality.rows:
        passed = masks.of(row, found.event)
        found = Evaluated(
            found.cutflow.then(row, found.weights["gen_weight"][passed]),
            found.event[passed],
            {name: weight[passed] for name, weight in found.weights.items()},
            {name: column[passed] for name, column in found.columns.items()},
            {name: tuple(one[passed] for one in values) for name, values in found.drawn.items()},
        )
    return found


@dataclass(frozen=True)
class _Masks:
    """Decisions on events of one chunk."""

    chunk: Chunk
    quality: Quality

    def of(self, row: str, event: Indices) -> Mask:
        """Whether events, by their place in the chunk, pass a row."""
        if row == CERTIFIED:
            return self._certified(event)
        return self._triggered(event) if row == TRIGGERED else self._clean(event)

    def blocks(self) -> Blocks:
        """Of recorded data that must be certified; nothing of others."""
        if not self._asked:
            return Blocks()
        run, block = self._numbers(np.arange(len(self.chunk.view)))
        return Blocks.of(run, block, self._passes(run, block))

    @property
    def _asked(self) -> bool:
        """Whether events must be certified."""
        quality = self.quality
        return self.chunk.is_data and (quality.certification is not None or quality.runs is not None)

    def _certified(self, event: Indices) -> Mask:
        return self._passes(*self._numbers(event)) if self._asked else np.ones(len(event), np.bool_)

    def _passes(self, run: Numbers, block: Numbers) -> Mask:
        passed = np.ones(len(run), np.bool_)
        if self.quality.certification is not None:
            passed = self.quality.certification.passes(run, block)
        if self.quality.runs is not None:
            first, last = self.quality.runs
            passed &= (run >= first) & (run <= last)
        return passed

    def _numbers(self, event: Indices) -> tuple[Numbers, Numbers]:
        if self.chunk.by_entry:
            raise DataError(
                f"{self.chunk.path}: era {self.quality.era!r} is certified by run and block, which the file "
                "does not hold."
            )
        identity = self.chunk.identity(event)
        return identity["run"], identity["luminosityBlock"]

    def _triggered(self, event: Indices) -> Mask:
        triggers, mine = self.quality.triggers, self.quality.primary_dataset
        if not triggers:
            return np.ones(len(event), np.bool_)
        if not self.chunk.is_data:
            return self._fired(tuple(path for paths in triggers.values() for path in paths), event)
        assert mine is not None, "checked when the card was read"
        passed = self._fired(triggers[mine], event)
        for name, paths in triggers.items():
            if name == mine:
                return passed
            passed &= ~self._fired(paths, event, needed=False)
        raise DataError(unknown_name("primary dataset", mine, triggers))

    def _fired(self, paths: Sequence[str], event: Indices, *, needed: bool = True) -> Mask:
        """Whether any path fired; those that the file does not have did not."""
        branches = self.chunk.view.entries.tree.branches
        fired = np.zeros(len(event), np.bool_)
        known = {
            path: [name for name in branches if name == path or fnmatchcase(name, path)] for path in paths
        }
        if needed and not any(known.values()):
            raise DataError(
                f"{self.chunk.path}: era {self.quality.era!r} asks for the trigger {', '.join(paths)}, of "
                "which the file has no path."
            )
        for path, names in known.items():
            if not names:
                self.chunk.declared[f"trigger {path}"] = "a path that the file does not have: it did not fire"
            for name in names:
                fired |= self._flag(name, event)
        return fired

    def _clean(self, event: Indices) -> Mask:
        passed = np.ones(len(event), np.bool_)
        branches = self.chunk.view.entries.tree.branches
        of_data = self.quality.filters_data if self.chunk.is_data else ()
        for name in (*self.quality.filters, *of_data):
            if name not in branches:
                alike = [branch for branch in branches if branch.startswith(name.split("_")[0])]
                raise DataError(
                    f"{self.chunk.path}, era {self.quality.era!r}: "
                    f"{unknown_name('event filter', name, sorted(alike))}"
                )
            passed &= self._flag(name, event)
        return passed

    def _flag(self, name: str, event: Indices) -> Mask:
        column = self.chunk.view.branch(name)
        if column.offsets is not None or column.content.dtype.kind not in "bui":
            raise DataError(f"{self.chunk.path}: branch {name} is no decision per event.")
        flags: Mask = column.content[event] != 0
        return flags
