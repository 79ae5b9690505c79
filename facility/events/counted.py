"""How many simulated events there are after preselection, raw, generated, effective and expected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import ScoredSample, read_sample, sample_slices
from znought.facility.results.records import ClassEvents
from znought.facility.workspace import Workspace
from znought.identity import uniform

__all__ = ["CountedEvents", "counted_events", "place_of_event"]

PARTS = "sample-size"


@dataclass(frozen=True)
class CountedEvents:
    """Counts of all simulated events.

    Attributes:
        by_process: process → its events.
        generated: how many.
        in_shares: how many of them are in each share that was asked for.
    """

    by_process: dict[str, ClassEvents]
    generated: int
    in_shares: tuple[int, ...]


@dataclass(frozen=True)
class _Sums:
    """Sums over the events of one process; `per_event` and `squares` over generated events."""

    raw: int = 0
    negative: int = 0
    weighted: float = 0.0
    generated: int = 0
    per_event: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @classmethod
    def of(cls, sample: ScoredSample, process: str) -> "_Sums":
        rows = sample.process == process
        weight = sample.weight[rows]
        units, unit = np.unique(sample.columns.identity[rows], return_inverse=True)
        summed = np.bincount(unit, weights=weight, minlength=0).astype(np.float64)
        return cls(
            raw=len(weight),
            negative=int(np.sum(weight < 0)),
            weighted=float(weight.sum()),
            generated=units.size,
            per_event=float(np.sum(summed)),
            squares=float(np.sum(summed * summed)),
        )

    def record(self) -> ClassEvents:
        """The same as files hold it."""
        return ClassEvents(
            raw=self.raw,
            generated=self.generated,
            effective=self.per_event**2 / self.squares if self.squares else 0.0,
            weighted=self.weighted,
            negative_fraction=self.negative / self.raw if self.raw else 0.0,
        )


def counted_events(card: StandardCard, workspace: Workspace, shares: Sequence[float] = ()) -> CountedEvents:
    """Counts of all simulated events, read slice by slice.

    Args:
        card: with datasets and processes.
        workspace: with columns, and scores where there is a network.
        shares: of the generated events, as `place_of_event` draws them.
    """
    names = [name for name, process in card.processes.items() if process.kind == "simulation"]
    sums, generated, within = dict.fromkeys(names, _Sums()), 0, np.zeros(len(shares), np.int64)
    for part in sample_slices(card, workspace):
        sample = read_sample(card, workspace, kind="simulation", variables=(), models=(), part=part)
        sums = {name: found + _Sums.of(sample, name) for name, found in sums.items()}
        identity = np.unique(sample.columns.identity)
        place = place_of_event(identity)
        generated += identity.size
        within += np.array([np.sum(place < share) for share in shares], np.int64)
    records = {name: found.record() for name, found in sums.items()}
    return CountedEvents(records, generated, tuple(within.tolist()))


def place_of_event(identity: NDArray[np.uint64]) -> NDArray[np.float64]:
    """A number in [0, 1) of each generated event: a share of them is below the share."""
    return uniform(identity, *np.zeros((2, len(identity)), np.uint64), salt=PARTS)
