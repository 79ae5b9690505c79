"""Scale factors of selected e±μ∓ events: of the event, its electron, its muon, or the jets of the b-veto."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.reconstruction import Selected, left_tagged
from znought.analyses.vh_ww.selection import VHWWSelection, taggable
from znought.analyses.vh_ww.variations import Objects
from znought.errors import DataError
from znought.processors.calibration.efficiency import tag_factors
from znought.processors.calibration.official import OfficialFactor
from znought.processors.calibration.weighing import Weighable, official_factors
from znought.processors.chunk import Chunk
from znought.processors.evaluated import Request
from znought.processors.kinematics import Momentum
from znought.processors.objects import event_of
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


def scale_factors(
    chunk: Chunk,
    objects: Objects,
    selected: Selected,
    request: Request,
) -> Factors:
    """Scale factors of the selected events; 1 for data.

    Raises:
        CardError, DataError: as `products`.
    """

    selection = request.cuts
    assert isinstance(selection, VHWWSelection)

    def of_factor(factor: ScaleFactor) -> dict[Direction, Floats]:
        if factor.applies_to == "jets":
            return _per_jet(chunk, objects, selected, factor, selection)
        return _per_event(chunk, objects, selected, factor)

    def of_official(factor: OfficialFactor) -> Weighable:
        if factor.objects == "jets":
            return _jets(chunk, objects, selected, selection)
        flavour: Literal["electron", "muon"] = "muon" if factor.objects == "muon" else "electron"
        lepton = _lepton(objects, selected, flavour)
        values = lepton_values(lepton.pt, lepton.eta, lepton.phi)
        return Weighable(np.arange(len(selected.event)), values.__getitem__)

    official = {} if chunk.is_data else request.factors.get(chunk.dataset, {})
    found = official_factors(chunk, official, selected.event, of_official)
    return products(chunk, request.weights, of_factor, len(selected.event), found, request.varied_factors)


def _jets(chunk: Chunk, objects: Objects, selected: Selected, selection: VHWWSelection) -> Weighable:
    """Jets of the b-veto, which leaves no tagged one, or weighs it; or tagged and others without a veto."""
    jets = objects.jets
    use = taggable(jets, selection) & np.isin(jets.event, selected.row)
    row = np.searchsorted(selected.row, jets.event[use])
    tags = left_tagged(chunk, jets, selection)[use]
    return Weighable(row, official_jet_values(chunk, jets, use, tags))


def _per_event(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor
) -> dict[Direction, Floats]:
    """Factor of the event or of its electron or muon in each direction, shape (n_selected,)."""
    if factor.applies_to == "event":
        values = event_values(chunk, selected.event)
    else:
        lepton = _lepton(objects, selected, "muon" if factor.applies_to == "muon" else "electron")
        values = lepton_values(lepton.pt, lepton.eta, lepton.phi)
    return in_all_directions(factor, values, len(selected.event))


def _per_jet(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, selection: VHWWSelection
) -> dict[Direction, Floats]:
    """Π (1 − f ε)/(1 − ε) over the jets of each selected event in each direction, shape (n_selected,).

    Without a veto of b-jets, tagged ones have f.
    """
    jets = objects.jets
    use = taggable(jets, selection) & np.isin(event_of(jets.counts), selected.row)
    if factor.flavours:
        use &= np.isin(jet_flavours(chunk, jets), factor.flavours)
    values = jet_values(chunk, jets, use, factor)
    n_jets, tags = int(use.sum()), left_tagged(chunk, jets, selection)[use]
    if factor.efficiency:
        efficiency = evaluated(factor, factor.efficiency, values, n_jets, "nominal")
    elif chunk.view.has("jet_btag_probability"):
        efficiency = chunk.view.flat("jet_btag_probability")[jets.index[use]].astype(np.float64)
    else:
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no tagging probability of jets"
        raise DataError(f"{message}: weights on jets need an `efficiency`.")
    found: dict[Direction, Floats] = {}
    for way, scale in in_all_directions(factor, values, n_jets).items():
        product = np.ones(len(jets.counts))
        ratio = tag_factors(scale, efficiency, tags)
        np.multiply.at(product, event_of(jets.counts)[use], ratio)
        found[way] = product[selected.row]
    return found


def _lepton(objects: Objects, selected: Selected, flavour: Literal["electron", "muon"]) -> Momentum:
    """The electron or muon of each selected pair: the lighter or heavier of the two."""
    first, second = (part.at(selected.row) for part in (objects.pairs.leading, objects.pairs.subleading))
    use_first = (first.mass < second.mass) == (flavour == "electron")
    return Momentum(
        *(
            np.where(use_first, getattr(first, name), getattr(second, name))
            for name in ("pt", "eta", "phi", "mass")
        )
    )
