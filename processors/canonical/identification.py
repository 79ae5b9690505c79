"""Identification that formats spell differently: tight leptons, good jets, b-tagged jets."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.canonical.source import Source, data
from znought.processors.dialects.jet_identification import identified_jets

__all__ = [
    "MASS_ELECTRON_GEV",
    "MASS_MUON_GEV",
    "NANOAOD_FIELDS",
    "btag",
    "constant",
    "hadron_flavour",
    "is_btagged",
]

Array = NDArray[Any]
Maker = Callable[[Source], Array]
Flavour = Literal["electron", "muon"]

# PDG 2024, https://pdg.lbl.gov/2024/tables/rpp2024-sum-leptons.pdf
MASS_ELECTRON_GEV = 0.000511
MASS_MUON_GEV = 0.105658

_ELECTRON_TIGHT = 4  # Electron_cutBased: 0 fail, 1 veto, 2 loose, 3 medium, 4 tight


def constant(collection: str, value: float) -> Maker:
    """Maker of one value for every object."""
    return lambda source: np.full(int(source.counts(collection).sum()), value)


def is_btagged(source: Source) -> Array:
    """Jets above the b-tag working point of the card, else of the format."""
    discriminant = source.array(data("Jet", "btag"))
    return discriminant > source.chunk.working_point(source.settings.btag_working_points)


def btag(source: Source) -> Array:
    """The format's b-tag discriminant of every jet."""
    return source.chunk.dialect.btag(source.chunk.view).astype(np.float64)


def hadron_flavour(source: Source) -> Array:
    """Hadron flavour 0, 4 or 5, as NanoAOD has it: ATLAS' jets from τ leptons are light ones there."""
    values = source.chunk.view.flat("jet_flavour")
    return np.where((values == 4) | (values == 5), values, 0).astype(np.int32)


def _needed(source: Source, field: str, what: str) -> Array:
    """A field of the dialect, or one line that says what is missing.

    Raises:
        DataError: no branch supplies it.
    """
    chunk = source.chunk
    if not chunk.view.has(field):
        tried = chunk.view.layout.missing.get(field, ())
        branch = f"; tried {' and '.join(tried)}" if tried else ""
        raise DataError(f"{chunk.path} (dialect {chunk.dialect.name}) has no branch for {what}{branch}.")
    return chunk.view.flat(field)


def _declare_absent(source: Source, name: str, field: str) -> None:
    """Say that a field stands for every object, unless the format writes only those that pass it."""
    note = source.chunk.view.layout.substitutes.get(field)
    if note is not None:
        source.declare(name, note)


def _btag(source: Source) -> Array:
    _needed(source, "jet_btag", "Jet.btag")
    return btag(source)


def _lepton_tight(flavour: Flavour) -> Maker:
    """Tight cut-based electrons, tight muons."""
    collection = flavour.capitalize()

    def tight(source: Source) -> Array:
        view = source.chunk.view
        if view.has(f"{flavour}_id"):
            values = view.bits(f"{flavour}_id")
            return values >= _ELECTRON_TIGHT if flavour == "electron" else values.astype(np.bool_)
        _declare_absent(source, f"{collection}.is_tight", f"{flavour}_id")
        return np.ones(int(source.counts(collection).sum()), np.bool_)

    return tight


def _isolation(flavour: Flavour) -> Maker:
    return lambda source: _needed(source, f"{flavour}_isolation", f"{flavour.capitalize()}.isolation").astype(
        np.float64
    )


def _jet_good(source: Source) -> Array:
    """Jets that pass the identification of their era."""
    for field in ("jet_id", "jet_id_mended"):
        _declare_absent(source, "Jet.is_good", field)
    return identified_jets(source.chunk.view)


NANOAOD_FIELDS: Mapping[str, Mapping[str, tuple[str, Maker]]] = {
    "Electron": {
        "mass": ("float64", constant("Electron", MASS_ELECTRON_GEV)),
        "is_tight": ("bool", _lepton_tight("electron")),
        "isolation": ("float64", _isolation("electron")),
    },
    "Muon": {
        "mass": ("float64", constant("Muon", MASS_MUON_GEV)),
        "is_tight": ("bool", _lepton_tight("muon")),
        "isolation": ("float64", _isolation("muon")),
    },
    "Photon": {
        "mass": ("float64", constant("Photon", 0.0)),
        "charge": ("float64", constant("Photon", 0.0)),
    },
    "FatJet": {"charge": ("float64", constant("FatJet", 0.0))},
    "Jet": {
        "charge": ("float64", constant("Jet", 0.0)),
        "is_good": ("bool", _jet_good),
        "btag": ("float64", _btag),
        "is_btagged": ("bool", is_btagged),
    },
}
"""Collection → field that NanoAOD does not have → its primitive and how it is made."""
