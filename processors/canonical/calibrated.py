"""Canonical events with jets calibrated anew, and variations by the calibration's own uncertainties."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.calibration.jets import JetCalibration, Way
from znought.processors.canonical.events import CanonicalEvents
from znought.processors.canonical.momenta import JET_NOISE, MET_VECTOR
from znought.processors.canonical.source import Source, data
from znought.processors.canonical.type1 import (
    TYPE1_LOW,
    columns_of,
    low_eta,
    rho_of,
    shift,
    type1_met,
    unclustered,
)
from znought.processors.canonical.varied import Maker, moved_jets, moved_met
from znought.processors.kinematics import delta_phi
from znought.processors.objects import event_of
from znought.processors.resolution import smearing_factors
from znought.processors.variations import SCALE, Variation

__all__ = ["calibrated_events", "calibrated_source", "measured_makers"]

Floats = NDArray[np.float64]

UNSMEARED = "helper/jet_unsmeared_pt"
"""Momenta of jets with the energy correction and without smearing, GeV, shape (n_jets,)."""
_SMEARED: Mapping[Way, str] = {way: f"helper/jet_smearing_{way}" for way in ("nom", "up", "down")}
_DR_MATCH = 0.2  # half of the cone
_SIGMA_MATCH = 3.0


def calibrated_events(events: CanonicalEvents, calibration: JetCalibration) -> CanonicalEvents:
    """The events with jets corrected from their uncorrected momenta, and simulated ones smeared.

    The missing transverse momentum follows the jets, or is made anew: see `type1_met`. Smearing is hybrid:
    by the difference to the particle-level jet within ΔR < 0.2 and 3 σ, else by a Gaussian number of the
    jet; see `smearing_factors`.

    Args:
        events: as the file has them.
        calibration: of their dataset.

    Raises:
        DataError: a branch that it needs is missing, or a correction has no value for a jet.
    """
    return events.with_moved(("Jet", "MET"), calibrated_source(events.source, calibration))


def calibrated_source(source: Source, calibration: JetCalibration) -> Source:
    """What makes the buffers of calibrated events, for who needs plain arrays.

    Args:
        source: of the events as the file has them.
        calibration: of their dataset.
    """
    makers: dict[str, Maker] = {UNSMEARED: partial(_unsmeared, calibration=calibration)}
    if calibration.resolution:
        makers |= {key: partial(_smearing, calibration=calibration, way=way) for way, key in _SMEARED.items()}
    makers |= moved_jets(partial(_calibration_factor, is_smeared=bool(calibration.resolution)))
    if calibration.raw_met:
        anew = type1_met(calibration, UNSMEARED, _SMEARED["nom"] if calibration.resolution else "")
        makers |= {**anew, MET_VECTOR: anew.pop("vector")}
    known = source.catalogue.makers
    kept = {key: maker for key, maker in makers.items() if not key.startswith("data/") or key in known}
    return source.shifted(kept)


def measured_makers(variation: Variation, calibration: JetCalibration | None) -> dict[str, Maker] | None:
    """How calibrated jets move by a source of the energy scale, or by the resolution's uncertainty.

    Up and down of the resolution use the Gaussian number of the nominal smearing. A source that the file does
    not know, as one of another year, moves nothing. None for what no calibration says.
    """
    if calibration is None or variation.kind not in (SCALE, "jer", "met_soft"):
        return None
    if variation.kind == "met_soft":
        return moved_met(unclustered(variation, calibration))
    if variation.kind == "jer":
        return _moved(calibration, partial(_resmeared, way=variation.direction), None)
    source = variation.quantity.partition("_")[2] or "Total"
    if not calibration.has(source):
        return {}
    sign = 1.0 if variation.direction == "up" else -1.0
    given: dict[str, Any] = {"calibration": calibration, "source_name": source, "sign": sign}
    return _moved(calibration, partial(_shifted, **given), partial(_shifted_low, **given))


def _moved(calibration: JetCalibration, factor: Maker, low_factor: Maker | None) -> dict[str, Maker]:
    """Jets moved by a factor, and the missing transverse momentum as the calibration makes it."""
    makers = moved_jets(factor)
    if not calibration.raw_met:
        return makers

    def change(source: Source) -> Floats:
        return shift(source, factor(source), None if low_factor is None else low_factor(source))

    return makers | moved_met(change)


def _shifted_low(source: Source, *, calibration: JetCalibration, source_name: str, sign: float) -> Floats:
    """Factor on the jets that the file holds for the missing transverse momentum alone."""
    pt = source.array(TYPE1_LOW)
    size = calibration.uncertainty(source_name, pt=np.where(pt > 0.0, pt, 20.0), eta=low_eta(source))
    return np.asarray(1.0 + sign * size)


def _of_jets(source: Source, values: NDArray[Any]) -> NDArray[Any]:
    """Values of events, once for each of their jets."""
    return values[event_of(source.counts("Jet"))]


def _column(source: Source, name: str) -> Floats:
    (found,) = columns_of(source, name)
    return np.asarray(found)


def _rho(source: Source) -> Floats:
    return _of_jets(source, rho_of(source))


def _file_pt(source: Source) -> Floats:
    assert source.nominal is not None, "only shifted sources are asked"
    return source.nominal.array(data("Jet", "pt"))


def _unsmeared(source: Source, *, calibration: JetCalibration) -> Floats:
    raw = _file_pt(source) * (1.0 - _column(source, "Jet_rawFactor"))
    run = source.chunk.identity(np.arange(len(source.chunk.view)))["run"].astype(np.float64)
    factor = calibration.energy_factor(
        pt=raw,
        eta=source.array(data("Jet", "eta")),
        area=_column(source, "Jet_area"),
        rho=_rho(source),
        run=_of_jets(source, run),
    )
    return np.asarray(raw * factor)


def _smearing(source: Source, *, calibration: JetCalibration, way: Way) -> Floats:
    pt, eta = source.array(UNSMEARED), source.array(data("Jet", "eta"))
    resolution = calibration.relative_resolution(pt=pt, eta=eta, rho=_rho(source))
    return smearing_factors(
        pt,
        _matched_pt(source, pt, resolution),
        resolution=resolution,
        scale_factor=calibration.resolution_factor(pt=pt, eta=eta, way=way),
        noise=source.array(JET_NOISE),
    )


def _matched_pt(source: Source, pt: Floats, resolution: Floats) -> Floats:
    """Momentum of the particle-level jet of each jet; −1 without one that is near enough."""
    index = _column(source, "Jet_genJetIdx").astype(np.int64)
    gen = {name: _column(source, f"GenJet_{name}") for name in ("pt", "eta", "phi")}
    offsets = source.chunk.view.branch("GenJet_pt").offsets
    assert offsets is not None, "a collection"
    first, counts = _of_jets(source, offsets[:-1]), _of_jets(source, np.diff(offsets))
    found = (index >= 0) & (index < counts)
    place = np.where(found, first + index, 0)
    if not len(gen["pt"]):
        return np.full(len(pt), -1.0)
    eta, phi = (source.array(data("Jet", name)) for name in ("eta", "phi"))
    dr2 = (eta - gen["eta"][place]) ** 2 + delta_phi(phi, gen["phi"][place]) ** 2
    matched = gen["pt"][place]
    near = found & (dr2 < _DR_MATCH**2) & (np.abs(pt - matched) < _SIGMA_MATCH * resolution * pt)
    return np.where(near, matched, -1.0)


def _calibration_factor(source: Source, *, is_smeared: bool) -> Floats:
    """Calibrated momentum over that of the file."""
    pt = source.array(UNSMEARED)
    if is_smeared:
        pt = pt * source.array(_SMEARED["nom"])
    before = _file_pt(source)
    return np.divide(pt, before, out=np.ones(len(pt)), where=before > 0.0)


def _resmeared(source: Source, *, way: Way) -> Floats:
    assert source.nominal is not None, "only shifted sources are asked"
    return np.asarray(source.nominal.array(_SMEARED[way]) / source.nominal.array(_SMEARED["nom"]))


def _shifted(source: Source, *, calibration: JetCalibration, source_name: str, sign: float) -> Floats:
    assert source.nominal is not None, "only shifted sources are asked"
    pt, eta = (source.nominal.array(data("Jet", name)) for name in ("pt", "eta"))
    return np.asarray(1.0 + sign * calibration.uncertainty(source_name, pt=pt, eta=eta))
