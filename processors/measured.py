"""Objects of an analysis's own columns, calibrated as the card says."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from znought.processors.calibration.jets import JetCalibration
from znought.processors.chunk import Chunk
from znought.processors.dialects.base import Flavour
from znought.processors.evaluated import Request
from znought.processors.objects import Jets, Leptons, Missing, check_units
from znought.processors.variations import Variation

if TYPE_CHECKING:
    from znought.processors.canonical import Source

__all__ = ["Measured", "measured", "measured_leptons"]

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """What a calibration makes of some events of a chunk, the same as of canonical ones.

    Attributes:
        source: of calibrated jets and missing transverse momentum of these events and maybe others.
        calibration: of the dataset.
        jet: place among all of the chunk of each jet of the source, in order.
        event: place of the events in the source, shape (n_events,).
        varies: move them by the calibration's own uncertainties, where it knows the variation.
    """

    source: "Source"
    calibration: JetCalibration
    jet: Indices
    event: Indices
    varies: bool

    def of(self, events: Indices) -> "Measured":
        """That of the events with these indices."""
        return replace(self, event=self.event[events])

    def calibrated(self, jets: Jets, missing: Missing) -> tuple[Jets, Missing]:
        """Calibrated jets and missing transverse momentum of the events.

        Args:
            jets: all or some of the events', as the file has them.
            missing: as the file has it.
        """
        return self._moved(jets, missing, self.source)

    def varied(self, jets: Jets, missing: Missing, variation: Variation) -> tuple[Jets, Missing] | None:
        """The same under a variation that the calibration knows the size of; None for others.

        The very same ones come back where it moves nothing, as a source of another year does.

        Args:
            jets, missing: calibrated ones.
            variation: what to move.
        """
        # Canonical events import coffea's schemas: a card of an analysis is read without them.
        from znought.processors.canonical import measured_makers, varied_source

        makers = measured_makers(variation, self.calibration) if self.varies else None
        if makers is None:
            return None
        if not makers:
            return jets, missing
        return self._moved(jets, missing, varied_source(self.source, variation, makers))

    def _moved(self, jets: Jets, missing: Missing, source: "Source") -> tuple[Jets, Missing]:
        from znought.processors.canonical.momenta import MET_VECTOR
        from znought.processors.canonical.source import data

        place = np.searchsorted(self.jet, jets.index)
        pt, mass = (source.array(data("Jet", name))[place] for name in ("pt", "mass"))
        assert source.nominal is not None, "shifted"
        shift = source.array(MET_VECTOR)[:, self.event] - source.nominal.array(MET_VECTOR)[:, self.event]
        return jets.of_momenta(pt, mass), missing.shifted(*shift)


def measured(chunk: Chunk, event: Indices, request: Request) -> Measured | None:
    """How events of a chunk are calibrated; None where the card says nothing of it.

    Args:
        chunk: the chunk.
        event: place of the events in it, rising.
        request: of the card.
    """
    from znought.processors.canonical import calibrated_source, canonical_source

    calibration = request.jets.get(chunk.dataset)
    if calibration is None:
        return None
    held = np.zeros(len(chunk.view), np.bool_)
    held[event] = True
    source = calibrated_source(canonical_source(chunk.counting(held)), calibration)
    jet = chunk.view.only(event).objects("jet_pt")
    return Measured(source, calibration, jet, np.arange(len(event)), request.variations.jets == "measured")


def measured_leptons(chunk: Chunk, flavour: Flavour, request: Request) -> Leptons:
    """Leptons of a chunk, in GeV or refused, calibrated where the card says how, and as variations move them.

    Args:
        chunk: the chunk.
        flavour: electrons or muons.
        request: of the card.
    """
    leptons = chunk.dialect.leptons(chunk.view, flavour)
    check_units(leptons.pt, what=f"{flavour}s", dialect=chunk.dialect.name, path=chunk.path)
    calibrations = request.leptons.get(chunk.dataset, {})
    asked = () if chunk.is_data else request.variations.of_events()
    varied = [one for one in asked if flavour in one.lepton_flavours]
    if flavour not in calibrations:
        factors = {one.name: np.float32(1.0 + one.shift) for one in varied}
        return replace(leptons, moved={name: leptons.pt * factor for name, factor in factors.items()})
    # As above.
    from znought.processors.canonical import (
        canonical_source,
        lepton_makers,
        lepton_source,
        varied_source,
    )
    from znought.processors.canonical.source import data

    key = data(calibrations[flavour].collection, "pt")
    source = lepton_source(canonical_source(chunk), calibrations)
    moved = {}
    for one in varied:
        makers = lepton_makers(one, calibrations) if request.variations.leptons == "measured" else None
        moved[one.name] = varied_source(source, one, makers).array(key)
    return replace(leptons, pt=source.array(key), of_met=leptons.pt, moved=moved)
