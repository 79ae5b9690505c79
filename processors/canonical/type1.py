"""Missing transverse momentum made anew from the uncorrected one and calibrated jets, as CMS' type 1."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical.momenta import direction
from znought.processors.canonical.source import Source, data
from znought.processors.canonical.varied import Maker
from znought.processors.objects import event_of
from znought.processors.variations import Variation

__all__ = ["TYPE1", "TYPE1_LOW", "columns_of", "low_eta", "rho_of", "shift", "type1_met", "unclustered"]

Floats = NDArray[np.float64]

TYPE1 = "helper/type1_jets"
"""Calibrated momenta of jets without their muons, GeV, 0 for those that do not count, shape (n_jets,)."""
TYPE1_LOW = "helper/type1_low_jets"
"""The same of the jets below the file's own threshold, of `CorrT1METJet`."""

_PT_MIN_GEV = 15.0
_EM_FRACTION_MAX = 0.9
_LOW = "CorrT1METJet"
_RHO = ("Rho_fixedGridRhoFastjetAll", "fixedGridRhoFastjetAll")
_UNCLUSTERED: Mapping[str, str] = {"RawMET": "MET", "RawPFMET": "PFMET", "RawPuppiMET": "PuppiMET"}


def columns_of(source: Source, *names: str) -> list[NDArray[Any]]:
    """Numbers of branches that jets and missing momentum are calibrated from.

    Raises:
        DataError: one is missing.
    """
    view = source.chunk.view
    for name in names:
        if name not in view.entries.tree.branches:
            raise DataError(f"{source.chunk.path}: jets are calibrated from branch {name}, which it has not.")
    return [np.asarray(view.branch(name).content, np.float64) for name in names]


def rho_of(source: Source) -> Floats:
    """Energy density of each event, GeV."""
    branches = source.chunk.view.entries.tree.branches
    (found,) = columns_of(source, next((one for one in _RHO if one in branches), _RHO[0]))
    return found


@dataclass(frozen=True)
class _Jets:
    """Jets of one collection as type 1 sees them; `raw` without muons, `full` and `offset` corrected, GeV."""

    event: NDArray[np.int64]
    phi: Floats
    full: Floats
    offset: Floats
    counts: NDArray[np.bool_]


def _good_jets(source: Source, calibration: JetCalibration, unsmeared: Floats, smearing: Floats) -> _Jets:
    """Jets of the file."""
    raw_factor, muons, area, neutral, charged = columns_of(
        source, *(f"Jet_{one}" for one in ("rawFactor", "muonSubtrFactor", "area", "neEmEF", "chEmEF"))
    )
    event = event_of(source.counts("Jet"))
    assert source.nominal is not None, "only calibrated sources are asked"
    raw = source.nominal.array(data("Jet", "pt")) * (1.0 - raw_factor)
    eta, phi = (source.array(data("Jet", name)) for name in ("eta", "phi"))
    offset = raw * calibration.offset_factor(pt=raw, eta=eta, area=area, rho=rho_of(source)[event])
    counts = (unsmeared * (1.0 - muons) > _PT_MIN_GEV) & (neutral + charged < _EM_FRACTION_MAX)
    return _Jets(event, phi, unsmeared * smearing * (1.0 - muons), offset * (1.0 - muons), counts)


def _low_jets(source: Source, calibration: JetCalibration) -> _Jets:
    """Jets below the file's own threshold; they hold few particles, and are not smeared."""
    raw, eta, phi, area, muons = columns_of(
        source, *(f"{_LOW}_{one}" for one in ("rawPt", "eta", "phi", "area", "muonSubtrFactor"))
    )
    event = _low_event(source)
    run = source.chunk.identity(np.arange(len(source.chunk.view)))["run"].astype(np.float64)[event]
    given = {"pt": raw, "eta": eta, "area": area, "rho": rho_of(source)[event]}
    full = raw * calibration.energy_factor(**given, run=run) * (1.0 - muons)
    offset = raw * calibration.offset_factor(**given) * (1.0 - muons)
    return _Jets(event, phi, full, offset, full > _PT_MIN_GEV)


def _sum(source: Source, event: NDArray[np.int64], phi: Floats, weight: Floats) -> Floats:
    """Σ weight over jets along their directions, shape (2, n_events)."""
    n_events = len(source.chunk.view)
    found = [np.bincount(event, weight * along, minlength=n_events) for along in direction(phi)]
    return np.asarray(found, np.float64)


def type1_met(calibration: JetCalibration, unsmeared: str, smearing: str) -> dict[str, Maker]:
    """Makers of the missing transverse momentum, and of the jets that it is corrected by.

    E_T^miss = raw − Σ (pT^corrected − pT^offset) over jets without their muons, with pT^corrected > 15 GeV
    and an electromagnetic share below 0.9, those below the file's threshold included. Smeared momenta count;
    which jets count, the unsmeared ones say, and in all variations alike.

    Args:
        calibration: with the name of the uncorrected missing momentum.
        unsmeared, smearing: buffers of the jets' momenta, and of the factor on them; "" where it is 1.

    References:
        CMS, JINST 14 (2019) P07004, arXiv:1903.06078.
    """

    def of_jets(source: Source) -> _Jets:
        pt = source.array(unsmeared)
        return _good_jets(source, calibration, pt, source.array(smearing) if smearing else np.ones(len(pt)))

    def vector(source: Source) -> Floats:
        pt, phi = columns_of(source, f"{calibration.raw_met}_pt", f"{calibration.raw_met}_phi")
        found = pt * direction(phi)
        for jets in (of_jets(source), _low_jets(source, calibration)):
            change = np.where(jets.counts, jets.full - jets.offset, 0.0)
            found = found - _sum(source, jets.event, jets.phi, change)
        return np.asarray(found)

    def counted(source: Source, jets: _Jets) -> Floats:
        return np.where(jets.counts, jets.full, 0.0)

    return {
        "vector": vector,
        TYPE1: lambda source: counted(source, of_jets(source)),
        TYPE1_LOW: lambda source: counted(source, _low_jets(source, calibration)),
    }


def low_eta(source: Source) -> Floats:
    """Pseudorapidity of the jets below the file's threshold."""
    (eta,) = columns_of(source, f"{_LOW}_eta")
    return np.asarray(eta)


def shift(source: Source, factor: Floats, low_factor: Floats | None) -> Floats:
    """Change of the missing transverse momentum where its jets move by factors, GeV, shape (2, n_events).

    Args:
        source: with the jets that count.
        factor: of the jets of the file, shape (n_jets,).
        low_factor: of those below its threshold; None leaves them.
    """
    phi, event = source.array(data("Jet", "phi")), event_of(source.counts("Jet"))
    moved = -_sum(source, event, phi, source.array(TYPE1) * (factor - 1.0))
    if low_factor is None:
        return moved
    (low_phi,) = columns_of(source, f"{_LOW}_phi")
    change = source.array(TYPE1_LOW) * (low_factor - 1.0)
    return np.asarray(moved - _sum(source, _low_event(source), low_phi, change))


def _low_event(source: Source) -> NDArray[np.int64]:
    """Event of each jet below the file's threshold."""
    offsets = source.chunk.view.branch(f"{_LOW}_phi").offsets
    assert offsets is not None, "a collection"
    return event_of(np.diff(offsets).astype(np.int64))


def unclustered(variation: Variation, calibration: JetCalibration) -> Maker:
    """Change of the missing transverse momentum by the energy outside of jets and leptons, of the file's own.

    Raises:
        DataError: the maker, where the file has no such branches.
    """
    return partial(_unclustered, name=_UNCLUSTERED.get(calibration.raw_met, "MET"), way=variation.direction)


def _unclustered(source: Source, *, name: str, way: str) -> Floats:
    delta = [f"{name}_MetUnclustEnUpDelta{axis}" for axis in "XY"]
    if all(one in source.chunk.view.entries.tree.branches for one in delta):
        return np.asarray((1.0 if way == "up" else -1.0) * np.stack(columns_of(source, *delta)))
    ending = f"Unclustered{way.capitalize()}"
    pt, phi, moved_pt, moved_phi = columns_of(
        source, f"{name}_pt", f"{name}_phi", f"{name}_pt{ending}", f"{name}_phi{ending}"
    )
    return np.asarray(moved_pt * direction(moved_phi) - pt * direction(phi))
