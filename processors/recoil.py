"""Jets and missing transverse momentum of selected events with one quantity moved."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.processors.measured import Measured
from znought.processors.objects import Jets, Missing
from znought.processors.resolution import worsened
from znought.processors.variations import Variation

__all__ = ["Recoil"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recoil:
    """What some events hold beside their leptons.

    Attributes:
        leptons: px and py of the selected leptons together in GeV, each of shape (n_events,).
        jets: jets without those at the leptons.
        missing: missing transverse momentum and soft activity.
        measured: how a calibration moves them; None where nothing is calibrated.
    """

    leptons: tuple[Floats, Floats]
    jets: Jets
    missing: Missing
    measured: Measured | None = None

    @cached_property
    def jet_sum(self) -> tuple[Floats, Floats]:
        """Vector sum of the jets of each event, in GeV; every variation starts from it."""
        return _sums(self.jets)

    def varied(self, variation: Variation, noise: Callable[[], Floats]) -> "Recoil":
        """Shifted jets; the missing transverse momentum follows what it was built from.

        Args:
            variation: what to shift; one of leptons has shifted them, and what follows, already.
            noise: gives what `resolution_noise` does, to whom asks for it.
        """
        moved = None if self.measured is None else self.measured.varied(self.jets, self.missing, variation)
        if moved is not None:
            return replace(self, jets=moved[0], missing=moved[1])
        if variation.lepton_flavours:
            return self
        if variation.quantity == "met_soft":
            return replace(self, missing=self._soft(variation))
        factor: Floats = np.full(len(self.jets.pt), 1.0 + variation.shift)
        if variation.quantity == "jer":
            factor = worsened(noise(), variation.relative)
        jets = self.jets.scaled(factor)
        return replace(self, jets=jets, missing=self._after_jets(jets))

    def _after_jets(self, after: Jets) -> Missing:
        """Missing transverse momentum after jets moved; the track-based one does not see them."""
        if self.missing.soft_only:
            return self.missing
        (px, py), (new_px, new_py) = self.jet_sum, _sums(after)
        return self.missing.shifted(px - new_px, py - new_py)

    def _soft(self, variation: Variation) -> Missing:
        """Missing transverse momentum and soft activity with a shifted soft term."""
        missing = self.missing
        scaled = replace(missing, soft_ht=missing.soft_ht * (1.0 + variation.shift))
        if missing.soft_only:
            factor = 1.0 + variation.shift
            return replace(scaled, px=missing.px * factor, py=missing.py * factor)
        soft_x, soft_y = (
            met + jets + leptons
            for met, jets, leptons in zip((missing.px, missing.py), self.jet_sum, self.leptons, strict=True)
        )
        return scaled.shifted(variation.shift * soft_x, variation.shift * soft_y)


def _sums(jets: Jets) -> tuple[Floats, Floats]:
    """Vector sum of all jets of each event, in GeV."""
    pt, n_events = jets.pt.astype(np.float64), len(jets.counts)
    px, py = (np.bincount(jets.event, weights=pt * along, minlength=n_events) for along in jets.direction)
    return px.astype(np.float64), py.astype(np.float64)
