"""Hadrons and their decays, by Pythia, of partons that another generator has showered."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from znought.simulation.pythia import started
from znought.simulation.recipe import COMMON

__all__ = ["Hadronisation"]

Rows = NDArray[np.float64]

_OUTGOING = 23
_TRIES = 10
_SETTINGS: Final = ("ProcessLevel:all = off",)


class Hadronisation:
    """A seeded Pythia that strings coloured partons together and lets hadrons decay.

    Colours of leading order connect partons and remnants of the beams; nothing else is asked of the shower.
    """

    def __init__(self, commands: tuple[str, ...], seed: int) -> None:
        self._pythia = started((*COMMON, *_SETTINGS, *commands), seed)

    def record(self, partons: Rows) -> Rows | None:
        """The event record, or None where no string system can be made of the partons in ten tries.

        Args:
            partons: identifier, colour, anticolour and four-momentum (px, py, pz, E) in GeV, a row each.

        Returns:
            Identifier, status, row of the mother and four-momentum of each entry; the first is the system.
        """
        for _ in range(_TRIES):
            self._fill(partons)
            if self._pythia.next():
                event = self._pythia.event
                entries = (event[i] for i in range(event.size()))
                return np.array(
                    [(p.id(), p.status(), p.mother1(), p.px(), p.py(), p.pz(), p.e()) for p in entries]
                )
        return None

    def _fill(self, partons: Rows) -> None:
        event = self._pythia.event
        event.reset()
        masses = np.sqrt(np.maximum(partons[:, 6] ** 2 - np.sum(partons[:, 3:6] ** 2, axis=1), 0.0))
        for (pdg_id, colour, anticolour, *p4), mass in zip(partons.tolist(), masses.tolist(), strict=True):
            event.append(int(pdg_id), _OUTGOING, int(colour), int(anticolour), *p4, mass)
