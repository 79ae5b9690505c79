"""An analysis of plain functions on one chunk: cutflow, columns and weights by channel and variation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analysis import Analysis
from znought.errors import DataError
from znought.processors.calling import place
from znought.processors.canonical import (
    CanonicalEvents,
    Settings,
    calibrated_events,
    canonical_events,
    lepton_makers,
    leptons_calibrated,
    measured_makers,
    varied_source,
)
from znought.processors.canonical.copied import copied_weights, refuse_lost_sides
from znought.processors.canonical.source import NotStackedError, Source
from znought.processors.canonical.varied import Maker
from znought.processors.chunk import Chunk
from znought.processors.cutflow import Cutflow
from znought.processors.dialects.working_points import check_working_points
from znought.processors.evaluated import NOMINAL, Evaluation, Request
from znought.processors.kept import Kept
from znought.processors.passes import Pass
from znought.processors.quality.decisions import ROWS
from znought.processors.variations import Variation

__all__ = ["Divided", "evaluate", "nominal_events", "refuse_empty"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_MOST_CHANGED = 0.5  # of the events: beyond, taking them out costs more than it saves
_MOST_TOGETHER = 400_000  # events: each call of awkward costs as much as some thousand of them


def evaluate(analysis: Analysis, chunk: Chunk, request: Request) -> Evaluation:
    """What the functions of an analysis make of a chunk, nominal and for every variation asked for.

    A function sees many events at once, and what it says of one must not depend on the others: under a
    variation it may be given only those events in which something moved.

    Args:
        analysis: with `objects`, `select` and functions of its variables.
        chunk: opened without asking for a complete layout.
        request: cuts, variations, scale factors and channels of the card.

    Raises:
        DataError: a function failed, or returned something else than it should.
        CardError: the request names a channel, object or input that does not exist.
    """
    whole = _pass_of(analysis, chunk, request)
    return {
        channel: {name: kept.evaluated(whole.generated) for name, kept in variations.items()}
        for channel, variations in _kept(whole, chunk).items()
    }


@dataclass(frozen=True)
class Divided:
    """A chunk of a dataset that is divided by the content of its events.

    Attributes:
        whole: the nominal evaluation of the chunk, still to be made.
        masks: part → its events, each of exactly one part, shape (n_events,).
    """

    whole: Pass
    masks: Mapping[str, NDArray[np.bool_]]

    @classmethod
    def of(
        cls, analysis: Analysis, chunk: Chunk, request: Request, parts: Mapping[str, Any], *, by: str | None
    ) -> "Divided":
        """A chunk in its parts.

        Args:
            analysis, chunk, request: as for `evaluate`.
            parts: part → its process, by the analysis's function `split`; or its (lower, upper) in `by`.
            by: generator-level variable of the analysis.

        Raises:
            DataError: an event is of no part or of several.
        """
        whole = _pass_of(analysis, chunk, request)
        return cls(whole, whole.split(parts) if by is None else whole.in_ranges(parts, by))

    def evaluated(
        self, counting: Chunk | None = None, kept: NDArray[np.bool_] | None = None
    ) -> dict[str, Evaluation]:
        """What the functions make of each part.

        Args:
            counting: the chunk with only those events that count, where not all do.
            kept: which these are, shape (n_events,).

        Raises:
            DataError: as `evaluate`.
        """
        whole, masks = self.whole, self.masks
        if counting is not None and kept is not None and not kept.all():
            whole = _pass_of(whole.analysis, counting, whole.request)
            masks = {part: mask[kept] for part, mask in masks.items()}
        found = _kept(whole, whole.events.source.chunk)
        return {
            part: {
                channel: {
                    name: one.of_events(mask).evaluated(whole.generated[mask])
                    for name, one in variations.items()
                }
                for channel, variations in found.items()
            }
            for part, mask in masks.items()
        }


def nominal_events(chunk: Chunk, request: Request) -> CanonicalEvents:
    """Events of a chunk as they are selected, jets and leptons calibrated where the card asks for it.

    Raises:
        DataError: a branch that is needed is missing, or a correction has no value.
    """
    points = request.cuts.btag_working_points
    check_working_points(points)
    events = canonical_events(chunk, Settings(points, request.refuse_substitutes))
    if chunk.dataset in request.jets:
        events = calibrated_events(events, request.jets[chunk.dataset])
    if leptons := request.leptons.get(chunk.dataset):
        events = leptons_calibrated(events, leptons)
    return events


def _pass_of(analysis: Analysis, chunk: Chunk, request: Request) -> Pass:
    """The nominal evaluation of a chunk, still to be made."""
    events, copies = nominal_events(chunk, request), () if chunk.is_data else request.copies
    refuse_lost_sides(events.source, copies)
    reweighted = copied_weights(events.source, copies)
    return Pass(analysis, request, events, chunk.weight(), reweighted=reweighted)


def _kept(whole: Pass, chunk: Chunk) -> dict[str, dict[str, Kept]]:
    """Channel → variation → what is left of a chunk."""
    nominal = whole.kept()
    found = {channel: {NOMINAL: kept} for channel, kept in nominal.items()}
    if not chunk.is_data:
        asked = whole.events.source.asked
        moved = _Moved(whole.analysis, whole.request, whole.events, whole.generated, nominal, asked)
        for name, varied in moved.kept().items():
            for channel, kept in varied.items():
                found[channel][name] = kept
    return found


@dataclass(frozen=True)
class _Moved:
    """All variations of one chunk.

    Attributes:
        analysis, request, events, generated: as for the nominal evaluation.
        nominal: channel → what it keeps.
        asked: buffers that it asked for: what it did not ask for may move as it likes.
    """

    analysis: Analysis
    request: Request
    events: CanonicalEvents
    generated: Floats
    nominal: Mapping[str, Kept]
    asked: frozenset[str]

    def kept(self) -> dict[str, dict[str, Kept]]:
        """Variation → channel → what it keeps, in the order of the card."""
        names = [
            *(variation.name for variation in self.request.variations.of_events()),
            *(name for one in self.request.copies if one.moves for name in one.variations),
        ]
        unmoved = {channel: kept.with_one_weight() for channel, kept in self.nominal.items()}
        found = dict.fromkeys(names, unmoved)
        for group in self._groups():
            for (name, _, events), kept in zip(group, self._together(group), strict=True):
                whole = len(events) == len(self.generated)
                found[name] = (
                    kept
                    if whole
                    else {channel: unmoved[channel].merged(part, events) for channel, part in kept.items()}
                )
        return found | self._copied()

    def _copied(self) -> dict[str, dict[str, Kept]]:
        """What each copy of the ntuple that moves objects keeps of the events, with weights of its own."""
        found = {}
        for one in self.request.copies:
            for name, systematic in one.variations.items() if one.moves else ():
                if systematic not in self.events.source.catalogue.copies:
                    continue
                source = self.events.source.copied(systematic)
                events, weight = CanonicalEvents.of(source), source.chunk.weight()
                kept = Pass(self.analysis, self.request, events, weight, is_varied=True).kept()
                found[name] = {channel: replace(part, generated=weight) for channel, part in kept.items()}
        return found

    def _groups(self) -> Iterator[list["_Part"]]:
        """Variations that are evaluated together: those that move most events, and those that move few."""
        parts: dict[bool, list[_Part]] = {True: [], False: []}
        n_events = len(self.generated)
        for variation in self.request.variations.of_events():
            measured = self._measured(variation)
            source = varied_source(self.events.source, variation, measured)
            touched = (key for key in source.moved & self.asked if key.startswith("data/"))
            events = source.changed(touched)
            whole = len(events) > _MOST_CHANGED * n_events
            if len(events):
                parts[whole].append((variation.name, source, np.arange(n_events) if whole else events))
        size = max(_MOST_TOGETHER // max(n_events, 1), 1)
        for group in parts.values():
            yield from (group[first : first + size] for first in range(0, len(group), size))

    def _measured(self, variation: Variation) -> dict[str, Maker] | None:
        """How the dataset's calibration moves its jets or leptons, where the card asks for that."""
        request, dataset = self.request, self.events.source.chunk.dataset
        if variation.lepton_flavours:
            measured = request.variations.leptons == "measured"
            return lepton_makers(variation, request.leptons.get(dataset, {})) if measured else None
        if request.variations.jets == "relative":
            return None
        return measured_makers(variation, request.jets.get(dataset))

    def _together(self, group: Sequence["_Part"]) -> list[dict[str, Kept]]:
        """What each variation of a group keeps of its events."""
        if len(group) > 1:
            try:
                return self._evaluated(group)
            except NotStackedError:
                pass
        return [self._evaluated([part])[0] for part in group]

    def _evaluated(self, group: Sequence["_Part"]) -> list[dict[str, Kept]]:
        """The same out of one evaluation, the variations one after the other."""
        n_events = len(self.generated)
        source = group[0][1]
        stack = CanonicalEvents.of(
            Source.stacked(tuple(part[1] for part in group)) if len(group) > 1 else source
        )
        rows = np.concatenate([events for _, _, events in group])
        if len(rows) < stack.source.n_events:
            places = np.concatenate([place * n_events + part[2] for place, part in enumerate(group)])
            stack = CanonicalEvents(stack.array[places], stack.source)
        kept = Pass(self.analysis, self.request, stack, self.generated[rows], rows, is_varied=True).kept()
        edges = np.cumsum([0, *(len(events) for _, _, events in group)])
        return [
            {channel: part.between(start, stop) for channel, part in kept.items()}
            for start, stop in pairwise(edges)
        ]


_Part = tuple[str, Source, Indices]
"""A variation's name, what makes its buffers, and the events in which something moved."""


def refuse_empty(analysis: Analysis, dataset: str, cutflow: Cutflow) -> None:
    """Refuse a selection that keeps nothing of a dataset.

    Raises:
        DataError: no event is left; the row that took the last ones is named.
    """
    if cutflow.counts and cutflow.counts[0] > 0 and cutflow.counts[-1] == 0:
        row = cutflow.names[cutflow.counts.index(0)]
        select = None if row in ROWS else analysis.select
        where = "" if select is None else f"{place(select)}, select, "
        message = f"nothing is left of {cutflow.counts[0]} events after {row!r}"
        raise DataError(f"{where}dataset {dataset!r}: {message}.")
