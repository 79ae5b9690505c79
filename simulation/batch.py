"""What every generator gives: batches of event records, their weights, and the cross section."""

from dataclasses import dataclass
from typing import Any, Protocol

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["GeneratedBatch", "Generator", "refuse_losses"]

FEW_LOST = 10
MOST_LOST = 0.01


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

    @property
    def lost(self) -> int:
        """Events so far that passed the filter and that the generator gave up on."""

    def batch(self, n_events: int) -> GeneratedBatch:
        """The next events after the filter; fewer, where the generator gave up on one."""

    def close(self) -> None:
        """Ends what the generator runs."""


def refuse_losses(recipe: str, *, n_lost: int, n_kept: int) -> None:
    """Stops where a generator gives up on more than a few events, which are no random ones.

    Raises:
        DataError: more than one per cent of the events behind the filter, and more than ten.
    """
    n_events = n_kept + n_lost
    if n_lost > max(FEW_LOST, MOST_LOST * n_events):
        raise DataError(
            f"{recipe}: the generator gave up on {n_lost:,} of {n_events:,} events behind the filter; "
            f"{MOST_LOST:.0%} at most are left out."
        )
