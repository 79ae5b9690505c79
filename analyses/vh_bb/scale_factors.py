"""Scale factors of selected VH(bb) events: of the event, its leptons, or the jets that can be b-tagged."""

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.objects import Objects
from znought.analyses.vh_bb.selection import VHBBSelection, taggable
from znought.processors.calibration.efficiency import tag_factors
from znought.processors.calibration.official import OfficialFactor
from znought.processors.calibration.weighing import Weighable, official_factors
from znought.processors.chunk import Chunk
from znought.processors.evaluated import Request
from znought.processors.scale_factors import (
    event_values,
    in_all_directions,
    jet_flavours,
    jet_values,
    lepton_values,
    official_jet_values,
    products,
)
from znought.processors.weights import Direction, Factors, ScaleFactor, evaluated

__all__ = ["scale_factors"]

Floats = NDArray[np.float64]
Ways = dict[Direction, Floats]


def scale_factors(
    chunk: Chunk,
    objects: Objects,
    rows: NDArray[np.int64],
    request: Request,
) -> Factors:
    """Scale factors of the selected events, `rows` of those that the objects are of; 1 for data.

    Those of leptons are multiplied over the electrons or muons of the event. Those of jets are of the
    b-tagging: f for a tagged jet, (1 − f ε)/(1 − ε) for another.

    Raises:
        CardError, DataError: as `products`.
    """

    cuts = request.cuts
    assert isinstance(cuts, VHBBSelection)

    def of_factor(factor: ScaleFactor) -> Ways:
        if factor.applies_to == "event":
            return in_all_directions(factor, event_values(chunk, objects.event[rows]), len(rows))
        of_objects = _jets if factor.applies_to == "jets" else _leptons
        event, ways = of_objects(chunk, objects, rows, factor, cuts)
        return {way: _product(each, event, len(objects.event))[rows] for way, each in ways.items()}

    def of_official(factor: OfficialFactor) -> Weighable:
        return _official_objects(chunk, objects, rows, factor, cuts)

    official = {} if chunk.is_data else request.factors.get(chunk.dataset, {})
    found = official_factors(chunk, official, objects.event[rows], of_official)
    return products(chunk, request.weights, of_factor, len(rows), found, request.varied_factors)


def _official_objects(
    chunk: Chunk, objects: Objects, rows: NDArray[np.int64], factor: OfficialFactor, cuts: VHBBSelection
) -> Weighable:
    """Electrons, muons or jets that can be b-tagged of the selected events."""
    if factor.objects == "jets":
        jets = objects.jets
        use = taggable(jets, cuts) & np.isin(jets.event, rows)
        is_tagged = jets.btag[use] >= chunk.working_point(cuts.btag_working_points)
        event = np.searchsorted(rows, jets.event[use])
        return Weighable(event, official_jet_values(chunk, jets, use, is_tagged))
    leptons, use = objects.leptons, _used_leptons(objects, rows, factor.objects)
    values = lepton_values(leptons.pt[use], leptons.eta[use], leptons.phi[use])
    return Weighable(np.searchsorted(rows, np.nonzero(use)[0]), values.__getitem__)


def _used_leptons(objects: Objects, rows: NDArray[np.int64], flavour: str) -> NDArray[np.bool_]:
    """Electrons or muons of the selected events in the table of leptons."""
    leptons = objects.leptons
    use = (leptons.pt > 0.0) & (leptons.is_muon == (flavour == "muon"))
    return np.asarray(use & np.isin(np.arange(len(use)), rows)[:, None])


def _leptons(
    chunk: Chunk, objects: Objects, rows: NDArray[np.int64], factor: ScaleFactor, cuts: VHBBSelection
) -> tuple[NDArray[np.int64], Ways]:
    """Event and factor of each electron or muon of the selected events."""
    leptons, use = objects.leptons, _used_leptons(objects, rows, factor.applies_to)
    values = lepton_values(leptons.pt[use], leptons.eta[use], leptons.phi[use])
    return np.nonzero(use)[0], in_all_directions(factor, values, int(use.sum()))


def _jets(
    chunk: Chunk, objects: Objects, rows: NDArray[np.int64], factor: ScaleFactor, cuts: VHBBSelection
) -> tuple[NDArray[np.int64], Ways]:
    """Event and factor of each jet of the selected events that can be b-tagged."""
    jets = objects.jets
    use = taggable(jets, cuts) & np.isin(jets.event, rows)
    if factor.flavours:
        use &= np.isin(jet_flavours(chunk, jets), factor.flavours)
    values, n_jets = jet_values(chunk, jets, use, factor), int(use.sum())
    is_tagged = jets.btag[use] >= chunk.working_point(cuts.btag_working_points)
    efficiency = evaluated(factor, factor.efficiency, values, n_jets, "nominal")
    ways = in_all_directions(factor, values, n_jets)
    return jets.event[use], {way: tag_factors(each, efficiency, is_tagged) for way, each in ways.items()}


def _product(each: Floats, event: NDArray[np.int64], n_events: int) -> Floats:
    """Product of the factors of each event's objects, 1 where there is none, shape (n_events,)."""
    product = np.ones(n_events)
    np.multiply.at(product, event, each)
    return product
