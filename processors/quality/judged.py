"""Which events of a chunk count, before an analysis sees them; and which jets do not."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.processors.chunk import Chunk
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import Evaluated, Evaluation
from znought.processors.quality.blocks import Blocks
from znought.processors.quality.decisions import CERTIFIED, CLEAN, ROWS, TRIGGERED, Decisions, Quality
from znought.processors.quality.jet_veto import VETOED, JetVeto, events_with
from znought.processors.reading import Column

__all__ = ["CERTIFIED", "CLEAN", "ROWS", "TRIGGERED", "Judged", "Quality", "judged"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """The events of one chunk that count.

    Attributes:
        chunk: the chunk as if it held no others.
        kept: which of all events count, shape (n_events,).
        rows: of the cutflow, behind its first and before the analysis's.
        passed: how many of these rows each event passed in order, shape (n_events,).
        generated: generator weight of each event, shape (n_events,).
        blocks: luminosity blocks that were read.
    """

    chunk: Chunk
    kept: Mask
    rows: tuple[str, ...]
    passed: NDArray[np.int64]
    generated: NDArray[np.float64]
    blocks: Blocks

    def whole(self, found: Evaluation, part: Mask | None = None) -> Evaluation:
        """What an analysis made of the events that count, as of the whole chunk.

        Args:
            found: events by their places among those that count.
            part: which events of the chunk it is of, shape (n_events,); None for all.
        """
        rows = slice(None) if part is None else part
        passed, generated, places = self.passed[rows], self.generated[rows], np.flatnonzero(self.kept)

        def one(held: Evaluated) -> Evaluated:
            names = (*held.cutflow.names[:1], *self.rows)
            first = Cutflow.filled(names, passed + 1, generated)
            return replace(held, cutflow=held.cutflow.behind(first), event=places[held.event])

        return {
            channel: {name: one(held) for name, held in variations.items()}
            for channel, variations in found.items()
        }


def judged(chunk: Chunk, quality: Quality) -> Judged:
    """The events of a chunk that count, and the blocks that were read.

    An event that several primary datasets have recorded counts in the first of them alone: in each, it must
    pass one of its own paths and none of those before it.

    Raises:
        DataError: a filter, or every path of a trigger that is asked for, is not in the file.
    """
    decisions = Decisions(chunk, quality)
    kept = np.ones(len(chunk.view), np.bool_)
    passed = np.zeros(len(chunk.view), np.int64)
    for row in quality.rows:
        if row in ROWS:
            kept &= decisions.of(row)
            passed += kept
    counting = chunk if kept.all() else chunk.counting(kept)
    # Jets are read of events that are certified, triggered and clean alone: others may be damaged.
    for row in quality.rows:
        if row not in ROWS:
            counting, without = _without_vetoed(counting, quality.jet_vetoes.get(row))
            kept[kept] = without
            passed += kept
    for veto in quality.jet_vetoes.values():
        if veto.drops == "jets":
            counting = counting.with_field(VETOED, _vetoed(counting, veto))
    return Judged(counting, kept, quality.rows, passed, chunk.weight(), decisions.blocks())


def _without_vetoed(chunk: Chunk, veto: JetVeto | None) -> tuple[Chunk, Mask]:
    """The events without a jet in the region of a map, and which these are; all of them without a map."""
    if veto is None or veto.drops == "jets":
        return chunk, np.ones(len(chunk.view), np.bool_)
    without = ~events_with(chunk.view, veto.jets(chunk))
    return (chunk if without.all() else chunk.counting(without)), without


def _vetoed(chunk: Chunk, veto: JetVeto) -> Column:
    """Jets in the region of a map, or of one before it."""
    counts = chunk.view.counts("jet_pt")
    # Those that an earlier map drops fail the identification, and stay dropped.
    before = chunk.view.flat(VETOED) != 0 if chunk.view.has(VETOED) else False
    dropped = np.asarray(veto.jets(chunk) | before, np.uint8)
    return Column(dropped, np.concatenate([[0], np.cumsum(counts)]))
