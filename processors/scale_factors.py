"""Scale factors of the card where an analysis makes its columns itself: what they are evaluated with."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.chunk import Chunk
from znought.processors.corrections import correction
from znought.processors.objects import Jets
from znought.processors.weights import Direction, Factors, ScaleFactor, directions, evaluated

__all__ = [
    "event_values",
    "in_all_directions",
    "jet_flavours",
    "jet_values",
    "lepton_values",
    "official_jet_values",
    "products",
]

Floats = NDArray[np.float64]
Values = Mapping[str, NDArray[Any]]


def products(
    chunk: Chunk,
    wanted: Mapping[str, ScaleFactor],
    of_factor: Callable[[ScaleFactor], dict[Direction, Floats]],
    n_events: int,
    official: Mapping[str, Mapping[str, Floats]] | None = None,
    asked: Iterable[str] = (),
) -> Factors:
    """Scale factors of selected events; 1 for data.

    Args:
        chunk: of the events.
        wanted: scale factors by name.
        of_factor: one of them in each of its directions, shape (n_events,).
        n_events: selected ones.
        official: further factors by name, in each of their ways, from `official_factors`.
        asked: names of varied products; nominal where no factor varies so.

    Raises:
        CardError: a file, a correction or an input of it does not exist.
        DataError: the ntuple lacks a variable.
    """
    values: dict[str, Mapping[Any, Floats]] = {}
    for name, factor in {} if chunk.is_data else wanted.items():
        try:
            values[name] = of_factor(factor)
        except DataError as error:
            where = "" if str(error).startswith(chunk.path) else f"{chunk.path}: "
            raise DataError(f"weights.{name}: {where}{error}") from error
    return Factors.of({**values, **(official or {})}, n_events, () if chunk.is_data else asked)


def in_all_directions(factor: ScaleFactor, values: Values, n_values: int) -> dict[Direction, Floats]:
    """The correction of a factor in each direction, shape (n_values,)."""
    return {way: evaluated(factor, factor.correction, values, n_values, way) for way in directions(factor)}


def event_values(chunk: Chunk, event: NDArray[np.int64]) -> Values:
    """True interactions of events by index."""
    if not chunk.view.has("pileup"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no number of true interactions."
        raise DataError(message)
    return {"pileup": chunk.view.scalar("pileup")[event].astype(np.float64)}


def lepton_values(pt: Floats, eta: Floats, phi: Floats) -> Values:
    """Variables of leptons; the track's η stands for that of an electron's supercluster."""
    return {"pt": pt, "eta": eta, "abs_eta": np.abs(eta), "phi": phi, "supercluster_eta": eta}


def official_jet_values(
    chunk: Chunk, jets: Jets, use: NDArray[np.bool_], is_tagged: NDArray[np.bool_]
) -> Callable[[str], NDArray[Any]]:
    """Variables of some of the jets, and whether each of them is tagged."""
    values = {**_jet_momenta(chunk, jets, use), "is_btagged": is_tagged}
    return lambda name: jet_flavours(chunk, jets)[use] if name == "flavour" else values[name]


def _jet_momenta(chunk: Chunk, jets: Jets, use: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    eta = jets.eta[use].astype(np.float64)
    return {
        "pt": jets.pt[use].astype(np.float64),
        "eta": eta,
        "abs_eta": np.abs(eta),
        "discriminant": chunk.dialect.btag(chunk.view)[jets.index[use]].astype(np.float64),
    }


def jet_values(chunk: Chunk, jets: Jets, use: NDArray[np.bool_], factor: ScaleFactor) -> Values:
    """Variables of some of the jets; their flavour where the factor asks for it."""
    values = _jet_momenta(chunk, jets, use)
    corrections = filter(None, (factor.correction, factor.efficiency))
    inputs = (item.name for name in corrections for item in correction(factor.file, name).inputs)
    if any(factor.variable(name) == "flavour" for name in inputs):
        values["flavour"] = jet_flavours(chunk, jets)[use].astype(np.int32)
    return values


def jet_flavours(chunk: Chunk, jets: Jets) -> NDArray[np.integer]:
    """Hadron flavour of jets of the chunk: 5 with a b hadron, 4 with a c hadron, else 0.

    Raises:
        DataError: the ntuple does not have it.
    """
    if not chunk.view.has("jet_flavour"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no hadron flavour of jets."
        raise DataError(message)
    return chunk.view.flat("jet_flavour")[jets.index]
