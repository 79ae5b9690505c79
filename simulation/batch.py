"""What every generator gives: batches of event records, their weights, and the cross section."""

from dataclasses import dataclass
from typing import Any, Protocol

import awkward as ak
import numpy as np
from numpy.typing import NDArray

__all__ = ["GeneratedBatch", "Generator"]


@dataclass(frozen=True)
class GeneratedBatch:
    """Some generated events.

    Attributes:
        records: event records with Pythia's fields and status codes, shape (n_events, n_entries).
        attempt: ordinal of the attempt that each came from, counted from 1.
        captured: what the recipe's weigher captured of each hard process; empty without one.
        weights: of each event, shape (n_events,).
        counted: weights of the events that sums of weights are of. Where weights differ, those that the
            generator filter dropped are among them: what passes cannot be told from numbers of events.
    """

    records: ak.Array
    attempt: NDArray[np.int64]
    captured: tuple[Any, ...]
    weights: NDArray[np.float64]
    counted: NDArray[np.float64]


class Generator(Protocol):
    """A seeded generator of one recipe's events."""

    @property
    def attempted(self) -> int:
        """Events tried so far, before the generator filter."""

    @property
    def sigma_pb(self) -> float:
        """The generator's own leading-order cross section before any branching ratio and filter, pb."""

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""

    def batch(self, n_events: int) -> GeneratedBatch:
        """The next events after the filter; fewer, where the generator gave up on one."""

    def close(self) -> None:
        """Ends what the generator runs."""
