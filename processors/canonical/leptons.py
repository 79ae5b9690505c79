"""Canonical events with leptons calibrated, and variations by the calibration's own uncertainties."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.calibration.leptons import LeptonCalibration, LeptonWay
from znought.processors.canonical.events import CanonicalEvents
from znought.processors.canonical.momenta import CLEAN_JET, HELPERS, LEPTON_SUM, LEPTON_SUMS
from znought.processors.canonical.source import Source, data
from znought.processors.canonical.varied import LEPTON_COLLECTIONS, Maker, moved_leptons
from znought.processors.objects import event_of
from znought.processors.variations import Variation, object_numbers

__all__ = ["lepton_makers", "lepton_source", "leptons_calibrated"]

Floats = NDArray[np.float64]
Calibrations = Mapping[str, LeptonCalibration]
"""Flavour → its calibration."""

_IN_FILE = "helper/lepton_pt_of_file"
_BRANCHES: Mapping[str, str] = {
    "r9": "Electron_r9",
    "gain": "Electron_seedGain",
    "charge": "Muon_charge",
    "n_layers": "Muon_nTrackerLayers",
}
_WAYS: Mapping[tuple[str, str], LeptonWay] = {
    ("scale", "up"): "scale_up",
    ("scale", "down"): "scale_down",
    ("resolution", "up"): "resolution_up",
    ("resolution", "down"): "resolution_down",
}
_SUPERCLUSTER = ("Electron_superclusterEta", "Electron_deltaEtaSC")  # from NanoAOD 15 on, and before


def leptons_calibrated(events: CanonicalEvents, calibrations: Calibrations) -> CanonicalEvents:
    """The events with calibrated leptons; missing transverse momentum follows tight ones.

    Args:
        events: as the file has them, or with calibrated jets.
        calibrations: of their dataset, by flavour.

    Raises:
        DataError: a branch that one needs is missing, or a correction has no value for a lepton.
    """
    return events.with_moved(LEPTON_COLLECTIONS, lepton_source(events.source, calibrations))


def lepton_source(source: Source, calibrations: Calibrations) -> Source:
    """What makes the buffers of events with calibrated leptons, for who needs plain arrays.

    Args:
        source, calibrations: as for `leptons_calibrated`.
    """
    names = {one.collection: one for one in calibrations.values()}
    makers = moved_leptons(
        {name: partial(_momenta, calibration=one, way="nominal") for name, one in names.items()}
    )
    for name in names:
        makers[f"{_IN_FILE}/{name}"] = partial(_before, key=data(name, "pt"))
    # What is made of leptons is made anew: a shifted source would ask for those of the file.
    makers |= {key: HELPERS[key] for key in (LEPTON_SUM, *LEPTON_SUMS.values(), CLEAN_JET)}
    known = source.catalogue.makers
    return source.shifted(
        {key: maker for key, maker in makers.items() if not key.startswith("data/") or key in known}
    )


def lepton_makers(variation: Variation, calibrations: Calibrations) -> dict[str, Maker] | None:
    """How calibrated leptons move by the uncertainty of their scale or resolution; None for other variations.

    Up and down of the resolution use the number of the nominal smearing. A flavour whose file knows no such
    uncertainty does not move.
    """
    if not variation.lepton_flavours:
        return None
    kind = variation.quantity.rpartition("_")[2]
    way = _WAYS[kind, variation.direction]
    found = {
        one.collection: partial(_momenta, calibration=one, way=way)
        for flavour in variation.lepton_flavours
        if (one := calibrations.get(flavour)) is not None and one.varies(kind)
    }
    return moved_leptons(found) if found else {}


def _before(source: Source, *, key: str) -> NDArray[Any]:
    assert source.nominal is not None, "only shifted sources are asked"
    return source.nominal.array(key)


def _momenta(source: Source, *, calibration: LeptonCalibration, way: LeptonWay) -> Floats:
    """Momenta of all leptons of a flavour; their number is one of the event and of their place in it."""
    return calibration.momenta(_given(source, calibration, is_nominal=way == "nominal"), way)


def _given(source: Source, calibration: LeptonCalibration, *, is_nominal: bool) -> Callable[[str], Floats]:
    """Variable → values of leptons as the file has them."""
    name = calibration.collection
    counts = source.counts(name)

    def value(variable: str) -> Floats:
        if variable == "pt":
            key = data(name, "pt") if is_nominal else f"{_IN_FILE}/{name}"
            return np.asarray(_before(source, key=key))
        if variable in ("eta", "phi"):
            return source.array(data(name, variable)).astype(np.float64)
        if variable in ("run", "number"):
            identity = source.chunk.identity(np.arange(len(counts)))
            if variable == "number":
                return object_numbers(counts, identity, salt=f"{calibration.flavour}_resolution")
            return identity["run"].astype(np.float64)[event_of(counts)]
        if variable == "supercluster_eta":
            return _supercluster_eta(source)
        return _branch(source, _BRANCHES[variable])

    return value


def _supercluster_eta(source: Source) -> Floats:
    whole, change = _SUPERCLUSTER
    if whole in source.chunk.view.entries.tree.branches:
        return _branch(source, whole)
    return _branch(source, change) + source.array(data("Electron", "eta"))


def _branch(source: Source, name: str) -> Floats:
    """Numbers of a branch that leptons are calibrated by.

    Raises:
        DataError: the file lacks it.
    """
    view = source.chunk.view
    if name not in view.entries.tree.branches:
        raise DataError(f"{source.chunk.path}: leptons are calibrated by branch {name}, which it has not.")
    return np.asarray(view.branch(name).content, np.float64)
