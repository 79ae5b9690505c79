"""The hard scattering of a Pythia event, as the amplitudes of `matrix_element` want it."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from znought.analyses.vh_bb.matrix_element import HardProcess
from znought.errors import DataError

__all__ = ["Legs", "legs", "stack"]

_INCOMING: Final = (3, 4)  # rows of the colliding partons in Pythia's process record
_VECTORS: Final = (23, 24)

Momentum = tuple[float, float, float, float]


class Legs(NamedTuple):
    """Momenta (E, px, py, pz), GeV, and particle numbers: quark, antiquark, fermion, antifermion."""

    momenta: tuple[Momentum, Momentum, Momentum, Momentum]
    ids: tuple[int, int, int, int]


def legs(process: Any) -> Legs:
    """The four fermions of q q̄' → (V → f f̄') H in a Pythia process record (`pythia.process`).

    Raises:
        DataError: the record is of another process (as gg → ZH) or its vector did not decay into two.
    """
    vector = next((p for p in process if abs(p.id()) in _VECTORS and p.status() == -22), None)
    if vector is None or vector.daughter2() - vector.daughter1() != 1:
        raise DataError("Expected one W or Z beside the Higgs, decayed into two fermions.")
    incoming = (process[_INCOMING[0]], process[_INCOMING[1]])
    outgoing = (process[vector.daughter1()], process[vector.daughter2()])
    # A pair in the order (particle, antiparticle).
    ordered = [p for pair in (incoming, outgoing) for p in sorted(pair, key=lambda p: -int(p.id()))]
    quark, antiquark, fermion, antifermion = ordered
    return Legs(
        (_momentum(quark), _momentum(antiquark), _momentum(fermion), _momentum(antifermion)),
        (quark.id(), antiquark.id(), fermion.id(), antifermion.id()),
    )


def _momentum(particle: Any) -> Momentum:
    return particle.e(), particle.px(), particle.py(), particle.pz()


def stack(events: Sequence[Legs]) -> HardProcess:
    """One `HardProcess` of many events."""
    momenta = np.array([event.momenta for event in events], dtype=np.float64).reshape(-1, 4, 4)
    ids = np.array([event.ids for event in events], dtype=np.int64).reshape(-1, 4)
    quark, antiquark, fermion, antifermion = momenta.transpose(1, 0, 2)
    return HardProcess(quark, antiquark, fermion, antifermion, ids[:, 0], ids[:, 1], ids[:, 2])
