"""The values of a card's corrections on a few events of each era: what went in, nominal, up and down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.analysis import Analysis
from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.official import official_of
from znought.facility.ntuples.entries import opened_entries
from znought.facility.ntuples.fileset import fileset_of_dataset
from znought.processors.calibration.leptons import LeptonCalibration
from znought.processors.calibration.official import CENTRAL, OfficialFactor, Values
from znought.processors.calibration.trigger import LEADING
from znought.processors.calibration.weighing import EVENT, Factor, Weighable, event_values, leading
from znought.processors.canonical import (
    CanonicalEvents,
    Settings,
    calibrated_events,
    canonical_events,
    lepton_makers,
    leptons_calibrated,
    measured_makers,
    varied_events,
)
from znought.processors.chunk import Chunk
from znought.processors.evaluated import Request
from znought.processors.factors import Weighed
from znought.processors.namespace import Objects
from znought.processors.passes import Pass
from znought.processors.variations import Variation, VariationsConfig

__all__ = ["Shown", "shown_corrections"]

FEW_EVENTS = 3
_PLAIN = {"electron": "Electron", "muon": "Muon", "jets": "Jet"}  # objects of analyses that name none


@dataclass(frozen=True)
class Shown:
    """One correction of one object or event.

    Attributes:
        era: its era; empty where the card has none.
        name: of the correction, with the part of its uncertainty.
        event: place of the event in the file.
        inputs: what it was evaluated at.
        values: nominal, up and down; None for a variation that it does not have.
        note: why it has no value, where it has none.
    """

    era: str
    name: str
    event: int
    inputs: Mapping[str, float]
    values: tuple[float | None, float | None, float | None] = (None, None, None)
    note: str = ""


def shown_corrections(
    card: Card, analysis: Analysis, efficiencies: Path | None = None, n_events: int = FEW_EVENTS
) -> Iterator[Shown]:
    """Every correction on the first events of the first simulated dataset of each era.

    Scale factors of b-tags are shown as the file has them, before any efficiency.

    Args:
        card, analysis: as they were read.
        efficiencies: folder of those that were measured; without it factors that take them are left out.
        n_events: of each era.

    Raises:
        CardError: a card without corrections, or without files.
        DataError: a file that cannot be read, or lacks a branch.
    """
    eras = dict[str | None, str]()
    for name, entry in card.sources.items():
        if card.processes[entry.process].kind != "data" and entry.files:
            eras.setdefault(entry.era, name)
    if not eras:
        raise CardError("datasets: no simulated one with files: corrections are shown on its events.")
    for era, dataset in eras.items():
        yield from _of_era(card, analysis, efficiencies, era or "", dataset, n_events)


def _of_era(
    card: Card, analysis: Analysis, efficiencies: Path | None, era: str, dataset: str, n_events: int
) -> Iterator[Shown]:
    request = card.request
    chunk = _first_events(card, dataset, n_events)
    settings = Settings(request.cuts.btag_working_points, request.refuse_substitutes)
    events = canonical_events(chunk, settings)
    if dataset in request.jets:
        before, events = events, calibrated_events(events, request.jets[dataset])
        yield from _jets(era, request, dataset, before, events)
    if dataset in request.leptons:
        before, events = events, leptons_calibrated(events, request.leptons[dataset])
        yield from _leptons(era, request.leptons[dataset], before, events)
    factors = official_of(card, efficiencies).of_era(era)
    if not factors:
        return
    objects = _objects(analysis, request, events, chunk)
    weighed = Weighed(objects, events.source, np.arange(len(chunk.view)))
    for name, factor in factors.items():
        yield from _factor(era, name, factor, chunk, weighed)


def _first_events(card: Card, dataset: str, n_events: int) -> Chunk:
    entry = fileset_of_dataset(card, dataset)[dataset]
    return opened_entries(dataset, entry, next(iter(entry["files"])), stop=n_events)


def _objects(analysis: Analysis, request: Request, events: CanonicalEvents, chunk: Chunk) -> Objects:
    """Those of the analysis, or the file's electrons, muons and jets."""
    if analysis.columns is None:
        return Pass(analysis, request, events, chunk.weight()).objects()
    known = {name: events.array[collection] for name, collection in _PLAIN.items()}
    return Objects(known)


def _factor(era: str, name: str, factor: Factor, chunk: Chunk, weighed: Weighed) -> Iterator[Shown]:
    """One scale factor of each of its objects."""
    if not isinstance(factor, OfficialFactor):
        found = factor.of_events(chunk, weighed.events, factor.ways)
        for row, event in enumerate(weighed.events.tolist()):
            yield from _rows(era, name, event, {}, {way: values[row] for way, values in found.items()})
        return
    if factor.objects == LEADING:
        few = replace(factor, outside="one")  # the first events of a file need not have all of the objects
        given = leading(few, weighed.weighable, len(weighed.events))
        if not len(given.event):
            yield Shown(era, name, 0, {}, note="none of these events has all of the objects")
    elif factor.objects == EVENT:
        given = Weighable(weighed.events, event_values(chunk, weighed.events))
    else:
        given = weighed.weighable(factor)
    wanted = dict.fromkeys(one for lookup in factor.lookups for one in lookup.inputs.values())
    for row, event in enumerate(given.event.tolist()):
        values = _of_row(given.values, row)
        inputs = {one: float(values(one)[0]) for one in wanted}
        try:
            single = factor.of_objects(values, 1, factor.ways)
        except DataError as error:
            yield Shown(era, name, event, inputs, note=str(error))
            continue
        yield from _rows(era, name, event, inputs, {way: value[0] for way, value in single.items()})


def _of_row(values: Values, row: int) -> Values:
    def value(variable: str) -> NDArray[Any]:
        return values(variable)[row : row + 1]

    return value


def _rows(
    era: str, name: str, event: int, inputs: Mapping[str, float], values: Mapping[str, float]
) -> Iterator[Shown]:
    """A row for each part of the uncertainty."""
    parts = dict.fromkeys(way.removesuffix("up").rstrip("_") for way in values if way.endswith("up"))
    for part in parts or {"": None}:
        whole = "_".join(filter(None, (name, part)))
        up, down = (values.get("_".join(filter(None, (part, way)))) for way in ("up", "down"))
        yield Shown(era, whole, event, inputs, (values[CENTRAL], up, down))


def _jets(
    era: str, request: Request, dataset: str, before: CanonicalEvents, after: CanonicalEvents
) -> Iterator[Shown]:
    """Momenta of the jets, and missing transverse momentum, as calibrated, with each uncertainty."""
    calibration = request.jets[dataset]
    measured = request.variations.jets == "measured"
    names = request.variations.enabled if measured else ("jes", "jer")
    ways = VariationsConfig(tuple(name for name in names if name.startswith("je")), jets="measured").all()
    moved = {
        one.name: varied_events(after, one, measured_makers(one, calibration)).array
        for one in ways
        if one.kind != "jer" or calibration.resolution
    }
    for kind in dict.fromkeys(name.rpartition("_")[0] for name in moved):
        for what in ("Jet", "MET"):
            four = (before.array, after.array, moved[f"{kind}_up"], moved[f"{kind}_down"])
            yield from _momenta(era, what, kind, *four)


def _leptons(
    era: str, calibrations: Mapping[str, LeptonCalibration], before: CanonicalEvents, after: CanonicalEvents
) -> Iterator[Shown]:
    """Momenta of electrons and muons, as calibrated, with each uncertainty."""
    for (flavour, calibration), kind in product(calibrations.items(), ("scale", "resolution")):
        if not calibration.varies(kind):
            continue
        up, down = (Variation(f"{flavour}_{kind}", way, 0.0) for way in ("up", "down"))
        moved = [varied_events(after, one, lepton_makers(one, calibrations)).array for one in (up, down)]
        four = (before.array, after.array, *moved)
        yield from _momenta(era, calibration.collection, f"{flavour}_{kind}", *four)


def _momenta(
    era: str, what: str, kind: str, before: ak.Array, after: ak.Array, up: ak.Array, down: ak.Array
) -> Iterator[Shown]:
    """A row for each object: its momentum in the file, and calibrated with one uncertainty."""
    plain, nominal, high, low = (_flat_momenta(events, what) for events in (before, after, up, down))
    for event, pt, *values in zip(plain[0], plain[1], nominal[1], high[1], low[1], strict=True):
        yield Shown(era, f"{what}.pt {kind}", event, {"pt_of_file": pt}, tuple(values))  # type: ignore[arg-type]  # three


def _flat_momenta(events: ak.Array, what: str) -> tuple[list[int], list[float]]:
    """Event and momentum of each object."""
    pt = events[what].pt
    if pt.ndim == 1:
        return [*range(len(pt))], pt.to_list()
    return ak.flatten(ak.broadcast_arrays(np.arange(len(pt)), pt)[0]).to_list(), ak.flatten(pt).to_list()
