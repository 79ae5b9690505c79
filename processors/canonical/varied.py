"""Canonical events with one quantity moved: lazily, sharing with the nominal ones all that stays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.processors.canonical.events import CanonicalEvents
from znought.processors.canonical.identification import is_btagged
from znought.processors.canonical.momenta import (
    JET_NOISE,
    JET_NUMBER,
    LEPTON_SUM,
    MET_VECTOR,
    direction,
    jet_sum,
    lepton_sum,
)
from znought.processors.canonical.source import Source, data
from znought.processors.dialects.nanoaod import SIMULATION
from znought.processors.resolution import worsened
from znought.processors.variations import NO_TAG, Variation

__all__ = [
    "LEPTON_COLLECTIONS",
    "Maker",
    "moved_jets",
    "moved_leptons",
    "moved_met",
    "varied_events",
    "varied_source",
]

Floats = NDArray[np.float64]
Maker = Callable[[Source], NDArray[Any]]

_FACTOR = "helper/jet_factor"
_TRACK_MET = ("TkMET", "TrkMET")
LEPTON_COLLECTIONS = ("Electron", "Muon", "MET", *_TRACK_MET)
"""What moves with leptons."""


def varied_events(
    nominal: CanonicalEvents, variation: Variation, measured: Mapping[str, Maker] | None = None
) -> CanonicalEvents:
    """The events with a quantity moved; missing transverse momentum follows what it was built from.

    Jets within ΔR = 0.4 of a tight lepton are not counted again in the missing transverse momentum. Cross
    references lead to moved objects.

    Args:
        nominal: events of a simulated dataset.
        variation: what to move.
        measured: how a calibration moves it, in place of the card's relative size.
    """
    collections = _KINDS[variation.kind].collections
    return nominal.with_moved(collections, varied_source(nominal.source, variation, measured))


def varied_source(
    nominal: Source, variation: Variation, measured: Mapping[str, Maker] | None = None
) -> Source:
    """What makes the buffers of varied events, for who needs plain arrays.

    Args:
        nominal: of events of a simulated dataset.
        variation, measured: as for `varied_events`.
    """
    moving = _KINDS[variation.kind].makers(variation) if measured is None else measured
    makers = {
        key: maker
        for key, maker in moving.items()
        if not key.startswith("data/") or key in nominal.catalogue.makers
    }
    return nominal.shifted(makers)


def _before(source: Source, key: str) -> NDArray[Any]:
    """A nominal buffer."""
    assert source.nominal is not None, "only shifted sources are asked"
    return source.nominal.array(key)


def _scaled(source: Source, *, key: str, factor: float) -> NDArray[Any]:
    return _before(source, key) * factor


def _jet_scale(variation: Variation) -> dict[str, Maker]:
    """Momenta and masses of all jets times a factor."""
    factor = 1.0 + variation.shift
    return moved_jets(lambda source: np.full(int(source.counts("Jet").sum()), factor))


def _jet_resolution(variation: Variation) -> dict[str, Maker]:
    """Jets smeared by their nominal Gaussian numbers; only ever to a worse resolution."""
    return moved_jets(lambda source: worsened(_before(source, JET_NOISE), variation.relative))


def moved_jets(factor: Maker) -> dict[str, Maker]:
    """Momenta and masses of jets times a factor of shape (n_jets,), and what follows from them."""
    return {
        _FACTOR: factor,
        data("Jet", "pt"): partial(_smeared, key=data("Jet", "pt")),
        data("Jet", "mass"): partial(_smeared, key=data("Jet", "mass")),
        **moved_met(_after_jets),
    }


def _smeared(source: Source, *, key: str) -> Floats:
    return np.asarray(_before(source, key) * source.array(_FACTOR))


def _lepton_scale(variation: Variation, names: tuple[str, ...]) -> dict[str, Maker]:
    """Momenta of leptons times a factor."""
    factor = 1.0 + variation.shift
    return moved_leptons({name: partial(_scaled, key=data(name, "pt"), factor=factor) for name in names})


def moved_leptons(momenta: Mapping[str, Maker]) -> dict[str, Maker]:
    """Other momenta of leptons; both missing transverse momenta follow tight ones.

    Args:
        momenta: collection → maker of its momenta, GeV.
    """
    makers: dict[str, Maker] = {data(name, "pt"): maker for name, maker in momenta.items()}

    def gained(source: Source) -> Floats:
        """What tight leptons gain, GeV, shape (2, n_events)."""
        nominal, total = _nominal(source), np.zeros((2, len(source.chunk.view)))
        for name in momenta:
            if source.has(name, "pt"):
                key = data(name, "pt")
                total += lepton_sum(nominal, name, source.array(key) - nominal.array(key))
        return total

    makers |= moved_met(lambda source: -gained(source))
    for name in _TRACK_MET:
        makers[data(name, "pt")] = partial(_track_met, name=name, moved=gained, place=0)
        makers[data(name, "phi")] = partial(_track_met, name=name, moved=gained, place=1)
    return makers


def _soft_term(variation: Variation) -> dict[str, Maker]:
    """What is left of the missing transverse momentum without leptons and jets, times a factor."""
    return moved_met(lambda source: variation.shift * _soft(source))


def _soft(source: Source) -> Floats:
    ones = np.ones(len(_before(source, data("Jet", "pt")))) if source.has("Jet", "pt") else None
    jets = jet_sum(_nominal(source), ones) if ones is not None else 0.0
    return np.asarray(_before(source, MET_VECTOR) + jets + _before(source, LEPTON_SUM))


def _tagging(variation: Variation) -> dict[str, Maker]:
    """A share of the jets of the varied flavours without discriminant: each loses its tag, if it had one.

    Efficiencies fall by that share at every working point, whatever the discriminant is.

    Raises:
        CardError: the direction is `up`: which jets would gain a tag, only their efficiency could say.
    """
    if variation.direction == "up":
        raise CardError(f"{variation.name}: tags of events are varied down only, and the fit mirrors it.")
    return {
        data("Jet", "btag"): lambda source: np.where(
            _lost(source, variation), NO_TAG, _before(source, data("Jet", "btag"))
        ),
        data("Jet", "is_btagged"): is_btagged,
    }


def _lost(source: Source, variation: Variation) -> NDArray[np.bool_]:
    """Jets without their discriminant, the same ones for any chunking."""
    lost = np.asarray(_before(source, JET_NUMBER) < variation.relative)
    if not variation.flavours:
        return lost
    chunk = source.chunk
    if not chunk.view.has("jet_flavour"):
        raise DataError(
            f"{chunk.path} (dialect {chunk.dialect.name}) has no hadron flavour of jets, which "
            f"{variation.quantity} needs; vary btag instead."
        )
    return lost & np.isin(chunk.view.flat("jet_flavour"), variation.flavours)


def _nominal(source: Source) -> Source:
    assert source.nominal is not None, "only shifted sources are asked"
    return source.nominal


def _after_jets(source: Source) -> Floats:
    """Shift of the missing transverse momentum when jets moved."""
    return -jet_sum(_nominal(source), source.array(_FACTOR) - 1.0)


def moved_met(shift: Maker) -> dict[str, Maker]:
    """Missing transverse momentum moved by a vector, GeV, shape (2, n_events); its significance follows."""
    return {
        MET_VECTOR: lambda source: _before(source, MET_VECTOR) + shift(source),
        data("MET", "pt"): lambda source: np.hypot(*source.array(MET_VECTOR)),
        data("MET", "phi"): lambda source: np.arctan2(*source.array(MET_VECTOR)[::-1]),
        data("MET", "significance"): _significance,
    }


def _significance(source: Source) -> Floats:
    """Significance in proportion to the missing transverse momentum; CMS writes its square."""
    before, after = (np.hypot(*vector) for vector in (_before(source, MET_VECTOR), source.array(MET_VECTOR)))
    ratio = np.divide(after, before, out=np.ones(len(before)), where=before > 0.0)
    power = 1 if source.chunk.dialect.name == SIMULATION.name else 2
    return np.asarray(_before(source, data("MET", "significance")) * ratio**power)


def _track_met(source: Source, *, name: str, moved: Callable[[Source], Floats], place: int) -> Floats:
    pt, phi = (_before(source, data(name, field)) for field in ("pt", "phi"))
    px, py = pt * direction(phi) - moved(source)
    return np.asarray(np.hypot(px, py) if place == 0 else np.arctan2(py, px))


@dataclass(frozen=True)
class _Kind:
    """One kind of object variation.

    Attributes:
        collections: that it moves.
        makers: of their buffers.
    """

    collections: tuple[str, ...]
    makers: Callable[[Variation], dict[str, Maker]]


def _of_leptons(*names: str) -> _Kind:
    """The momentum scale of some leptons."""
    return _Kind((*names, "MET", *_TRACK_MET), partial(_lepton_scale, names=names))


_KINDS: Mapping[str, _Kind] = {
    "jes": _Kind(("Jet", "MET"), _jet_scale),
    "jer": _Kind(("Jet", "MET"), _jet_resolution),
    "lepton_scale": _of_leptons("Electron", "Muon"),
    "electron_scale": _of_leptons("Electron"),
    "muon_scale": _of_leptons("Muon"),
    "electron_resolution": _of_leptons("Electron"),
    "muon_resolution": _of_leptons("Muon"),
    "met_soft": _Kind(("MET",), _soft_term),
    "btag": _Kind(("Jet",), _tagging),
    "btag_heavy": _Kind(("Jet",), _tagging),
    "btag_light": _Kind(("Jet",), _tagging),
}
