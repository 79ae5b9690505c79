"""Decisions on recorded and simulated events: certified, triggered, clean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.processors.chunk import Chunk
from znought.processors.quality.blocks import Blocks
from znought.processors.quality.certification import Certification
from znought.processors.quality.jet_veto import JetVeto

__all__ = ["CERTIFIED", "CLEAN", "ROWS", "TRIGGERED", "Decisions", "Quality"]

_MATCHES = ("AnalysisTrigMatch_", "AuxDyn.TrigMatchedObjects")
"""Around the path in the branch of PHYSLITE that lists the objects that it was matched to, where it fired."""

Mask = NDArray[np.bool_]
Numbers = NDArray[np.uint32]

CERTIFIED, TRIGGERED, CLEAN = ROWS = ("certified", "triggered", "clean")
"""Rows of the cutflow, in order, before those of the analysis."""


@dataclass(frozen=True)
class Quality:
    """What an event of one dataset must be to count.

    Attributes:
        era: name of the era, for messages.
        rows: of `ROWS`, those that some era of the card asks for, and names of vetoes of regions that drop
            events: all cutflows have the same.
        certification: of recorded data; None certifies all.
        runs: first and last run of recorded data that count.
        triggers: primary dataset → names of trigger paths, with wildcards, in order of precedence; none takes
            all.
        primary_dataset: the one that recorded data are of.
        filters: branches that must be true.
        filters_data: further ones, of recorded data alone.
        jet_vetoes: name → a map of regions in which jets are not to be trusted.
        bad_runs: runs of recorded data that do not count.
    """

    era: str
    rows: tuple[str, ...] = ROWS
    certification: Certification | None = None
    runs: tuple[int, int] | None = None
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    primary_dataset: str | None = None
    filters: tuple[str, ...] = ()
    filters_data: tuple[str, ...] = ()
    jet_vetoes: Mapping[str, JetVeto] = field(default_factory=dict)
    bad_runs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decisions:
    """Which events of a chunk pass the rows of a dataset's quality; masks have shape (n_events,)."""

    chunk: Chunk
    quality: Quality

    def of(self, row: str) -> Mask:
        """Whether each event of the chunk passes a row."""
        if row == CERTIFIED:
            return self._passes(*self._numbers()) if self._asked else self._all
        return self._triggered() if row == TRIGGERED else self._clean()

    def blocks(self) -> Blocks:
        """Of recorded data that must be certified; nothing of others."""
        if not self._asked:
            return Blocks()
        run, block = self._numbers()
        return Blocks.of(run, block, self._passes(run, block))

    @property
    def _asked(self) -> bool:
        """Whether events must be certified."""
        quality = self.quality
        asked = quality.certification is not None or quality.runs is not None or bool(quality.bad_runs)
        return self.chunk.is_data and asked

    @property
    def _all(self) -> Mask:
        return np.ones(len(self.chunk.view), np.bool_)

    def _passes(self, run: Numbers, block: Numbers) -> Mask:
        passed = np.ones(len(run), np.bool_)
        if self.quality.certification is not None:
            passed = self.quality.certification.passes(run, block)
        if self.quality.runs is not None:
            first, last = self.quality.runs
            passed &= (run >= first) & (run <= last)
        return passed & ~np.isin(run, self.quality.bad_runs)

    def _numbers(self) -> tuple[Numbers, Numbers]:
        if self.chunk.by_entry:
            raise DataError(
                f"{self.chunk.path}: era {self.quality.era!r} is certified by run and block, which the file "
                "does not hold."
            )
        identity = self.chunk.identity(np.arange(len(self.chunk.view)))
        return identity["run"], identity["luminosityBlock"]

    def _triggered(self) -> Mask:
        triggers, mine = self.quality.triggers, self.quality.primary_dataset
        if not triggers:
            return self._all
        if not self.chunk.is_data:
            return self._fired(tuple(path for paths in triggers.values() for path in paths))
        assert mine is not None, "checked when the card was read"
        passed = self._fired(triggers[mine])
        for name, paths in triggers.items():
            if name == mine:
                return passed
            passed &= ~self._fired(paths, needed=False)
        raise DataError(unknown_name("primary dataset", mine, triggers))

    def _fired(self, paths: Sequence[str], *, needed: bool = True) -> Mask:
        """Whether any path fired; those that the file does not have did not."""
        fired, branches = ~self._all, self._paths
        known = {
            path: [name for name in branches if name == path or fnmatchcase(name, path)] for path in paths
        }
        if needed and not any(known.values()):
            bits = " Its own decisions are bits, which need the menu." if self._has_bits else ""
            raise DataError(
                f"{self.chunk.path}: era {self.quality.era!r} asks for the trigger {', '.join(paths)}, of "
                f"which the file has no path.{bits}"
            )
        flags = {branches[name] for names in known.values() for name in names if branches[name] == name}
        self.chunk.view.read_branches(flags)
        for path, names in known.items():
            if not names:
                self.chunk.declared[f"trigger {path}"] = "a path that the file does not have: it did not fire"
            for name in names:
                fired |= self._flag(name) if name in flags else self._matched(name, branches[name])
        return fired

    @property
    def _paths(self) -> dict[str, str]:
        """Trigger path → branch: a decision of this name, or the objects that it was matched to."""
        branches, (head, tail) = self.chunk.view.entries.tree.branches, _MATCHES
        matched = (name for name in branches if name.startswith(head) and name.endswith(tail))
        return {name.removeprefix(head).removesuffix(tail): name for name in matched} | {
            name: name for name in branches
        }

    @property
    def _has_bits(self) -> bool:
        """Whether decisions stand in the file as bits of an xAOD::TrigDecision."""
        return "xTrigDecision" in self.chunk.view.entries.tree.branches

    def _matched(self, path: str, branch: str) -> Mask:
        """Whether a path fired and is matched to objects of the event."""
        self.chunk.declared[f"trigger {path}"] = "fired with objects of the file matched to it"
        found: Mask = ak.to_numpy(ak.num(self.chunk.view.entries.whole(branch), axis=1) > 0)
        return found

    def _clean(self) -> Mask:
        passed = self._all
        branches = self.chunk.view.entries.tree.branches
        of_data = self.quality.filters_data if self.chunk.is_data else ()
        for name in (*self.quality.filters, *of_data):
            if name not in branches:
                alike = [branch for branch in branches if branch.startswith(name.split("_")[0])]
                raise DataError(
                    f"{self.chunk.path}, era {self.quality.era!r}: "
                    f"{unknown_name('event filter', name, sorted(alike))}"
                )
            passed &= self._flag(name)
        return passed

    def _flag(self, name: str) -> Mask:
        column = self.chunk.view.branch(name)
        if column.offsets is not None or column.content.dtype.kind not in "bui":
            raise DataError(f"{self.chunk.path}: branch {name} is no decision per event.")
        flags: Mask = column.content != 0
        return flags
