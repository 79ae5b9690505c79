"""Luminosity blocks of recorded data, and how many events they hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks"]

Numbers = NDArray[np.uint32]


@dataclass(frozen=True)
class Blocks:
    """Luminosity blocks of recorded data that were read.

    Attributes:
        read: run · 2³² + block of each.
        certified: those of them that are certified.
        events, certified_events: how many events they hold.
    """

    read: frozenset[int] = frozenset()
    certified: frozenset[int] = frozenset()
    events: int = 0
    certified_events: int = 0

    @classmethod
    def of(cls, run: Numbers, block: Numbers, certified: NDArray[np.bool_]) -> "Blocks":
        """Blocks of some events, by their run, block and whether that is certified, shape (n_events,)."""
        keys = (run.astype(np.uint64) << np.uint64(32)) | block.astype(np.uint64)
        return cls(
            frozenset(np.unique(keys).tolist()),
            frozenset(np.unique(keys[certified]).tolist()),
            len(keys),
            int(np.count_nonzero(certified)),
        )

    def __add__(self, other: "Blocks") -> "Blocks":
        return Blocks(
            self.read | other.read,
            self.certified | other.certified,
            self.events + other.events,
            self.certified_events + other.certified_events,
        )
