"""Scale factors of selected e±μ∓ events: of the event, its electron, its muon, or the jets of the b-veto."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.reconstruction import Selected
from znought.analyses.vh_ww.selection import VHWWSelection, taggable
from znought.analyses.vh_ww.variations import Objects
from znought.errors import DataError
from znought.processors.chunk import Chunk
from znought.processors.kinematics import Momentum
from znought.processors.objects import Jets, event_of
from znought.processors.weights import Direction, Factors, ScaleFactor, directions, evaluated

__all__ = ["jet_flavours", "scale_factors"]

Floats = NDArray[np.float64]
Values = Mapping[str, NDArray[Any]]


def scale_factors(
    chunk: Chunk,
    objects: Objects,
    selected: Selected,
    wanted: Mapping[str, ScaleFactor],
    selection: VHWWSelection,
) -> Factors:
    """Scale factors of the selected events; 1 for data.

    Raises:
        CardError: a file, a correction or an input of it does not exist.
        DataError: the ntuple lacks a variable.
    """
    if chunk.is_data or not wanted:
        return Factors.of({}, len(selected.event))
    values = {}
    for name, factor in wanted.items():
        of_factor = _per_event if factor.applies_to != "jets" else _per_jet
        try:
            values[name] = of_factor(chunk, objects, selected, factor, selection)
        except DataError as error:
            reason = str(error).removeprefix(f"{chunk.path}: ")
            raise DataError(f"weights.{name}: {chunk.path}: {reason}") from error
    return Factors.of(values, len(selected.event))


def _per_event(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, selection: VHWWSelection
) -> dict[Direction, Floats]:
    """Factor of the event or of its electron or muon in each direction, shape (n_selected,)."""
    if factor.applies_to == "event":
        values: Values = {"pileup": _pileup(chunk, selected)}
    else:
        flavour: Literal["electron", "muon"] = "muon" if factor.applies_to == "muon" else "electron"
        lepton = _lepton(objects, selected, flavour)
        values = {"pt": lepton.pt, "eta": lepton.eta, "abs_eta": np.abs(lepton.eta), "phi": lepton.phi}
    n_events = len(selected.event)
    return {way: evaluated(factor, factor.correction, values, n_events, way) for way in directions(factor)}


def _per_jet(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, selection: VHWWSelection
) -> dict[Direction, Floats]:
    """Π (1 − f ε)/(1 − ε) over the jets of each selected event in each direction, shape (n_selected,)."""
    jets = objects.jets
    flavour = jet_flavours(chunk, jets)
    use = taggable(jets, selection) & np.isin(event_of(jets.counts), selected.row)
    if factor.flavours:
        use &= np.isin(flavour, factor.flavours)
    eta = jets.eta[use].astype(np.float64)
    values: Values = {
        "pt": jets.pt[use].astype(np.float64),
        "eta": eta,
        "abs_eta": np.abs(eta),
        "flavour": flavour[use].astype(np.int32),
        "discriminant": chunk.dialect.btag(chunk.view)[jets.index[use]].astype(np.float64),
    }
    if factor.efficiency:
        efficiency = evaluated(factor, factor.efficiency, values, len(eta), "nominal")
    elif chunk.view.has("jet_btag_probability"):
        efficiency = chunk.view.flat("jet_btag_probability")[jets.index[use]].astype(np.float64)
    else:
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no tagging probability of jets"
        raise DataError(f"{message}: weights on jets need an `efficiency`.")
    found: dict[Direction, Floats] = {}
    for way in directions(factor):
        scaled = np.clip(efficiency * evaluated(factor, factor.correction, values, len(eta), way), 0.0, 1.0)
        # A jet that is always tagged has left no event to correct.
        ratio = np.divide(1.0 - scaled, 1.0 - efficiency, out=np.ones(len(eta)), where=efficiency < 1.0)
        product = np.ones(len(jets.counts))
        np.multiply.at(product, event_of(jets.counts)[use], ratio)
        found[way] = product[selected.row]
    return found


def _pileup(chunk: Chunk, selected: Selected) -> Floats:
    """True interactions of each selected event."""
    if not chunk.view.has("pileup"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no number of true interactions."
        raise DataError(message)
    return chunk.view.scalar("pileup")[selected.event].astype(np.float64)


def jet_flavours(chunk: Chunk, jets: Jets) -> NDArray[np.integer]:
    """Hadron flavour of jets of the chunk: 5 with a b hadron, 4 with a c hadron, else 0.

    Raises:
        DataError: the ntuple does not have it.
    """
    if not chunk.view.has("jet_flavour"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no hadron flavour of jets."
        raise DataError(message)
    return chunk.view.flat("jet_flavour")[jets.index]


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
