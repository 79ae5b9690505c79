"""What one evaluation of an analysis's functions keeps of some events in one channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import Evaluated

__all__ = ["ALL", "WEIGHTS", "Kept"]

ALL = "all"
"""First row of every cutflow: all events that were read."""
WEIGHTS = "weights"
"""Last row of a cutflow where there are weights beyond the generator's: the same events with all of them."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Kept:
    """What one evaluation keeps in one channel.

    Attributes:
        rows: of the cutflow.
        passed: how many of them each event passed in order, shape (n_events,).
        event: indices of the selected events, in order, shape (n_selected,).
        weights: weight column → values, shape (n_selected,).
        columns: variable → values, shape (n_selected,).
        is_weighed: whether there are weights beyond the generator's.
        drawn: histogram → values of its axes, one or a list for each selected event.
        generated: generator weights of the events, shape (n_events,), where they are not the nominal ones.
    """

    rows: tuple[str, ...]
    passed: Indices
    event: Indices
    weights: Mapping[str, Floats]
    columns: Mapping[str, NDArray[Any]]
    is_weighed: bool
    drawn: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    generated: Floats | None = None

    def evaluated(self, generated: Floats) -> Evaluated:
        """The same with its cutflow."""
        mine = generated if self.generated is None else self.generated
        flow = Cutflow.filled(self.rows, self.passed, mine)
        if self.is_weighed:
            flow = flow.then(WEIGHTS, self.weights["gen_weight"])
        return Evaluated(flow, self.event, self.weights, self.columns, self.drawn)

    def of_events(self, mask: NDArray[np.bool_]) -> "Kept":
        """The same of some events of the chunk, which keep their places in it, shape (n_events,)."""
        rows = mask[self.event]
        return replace(
            self,
            passed=self.passed[mask],
            event=self.event[rows],
            weights={name: values[rows] for name, values in self.weights.items()},
            columns={name: values[rows] for name, values in self.columns.items()},
            drawn={name: tuple(one[rows] for one in values) for name, values in self.drawn.items()},
            generated=None if self.generated is None else self.generated[mask],
        )

    def with_one_weight(self) -> "Kept":
        """The same without the columns of varied weights, and without histograms."""
        return replace(self, weights={"gen_weight": self.weights["gen_weight"]}, drawn={})

    def merged(self, part: "Kept", changed: Indices) -> "Kept":
        """The same with some events, by their indices, as another evaluation of these alone has them."""
        passed = self.passed.copy()
        passed[changed] = part.passed
        stays = np.isin(self.event, changed, invert=True)
        event = np.concatenate([self.event[stays], changed[part.event]])
        order = np.argsort(event)

        def both(
            mine: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]
        ) -> dict[str, NDArray[Any]]:
            return {name: np.concatenate([mine[name][stays], other[name]])[order] for name in mine}

        weights, columns = both(self.weights, part.weights), both(self.columns, part.columns)
        return Kept(self.rows, passed, event[order], weights, columns, self.is_weighed)

    def between(self, start: int, stop: int) -> "Kept":
        """That of the events from start to stop, numbered anew."""
        first, last = np.searchsorted(self.event, [start, stop])
        return Kept(
            self.rows,
            self.passed[start:stop],
            self.event[first:last] - start,
            {name: values[first:last] for name, values in self.weights.items()},
            {name: values[first:last] for name, values in self.columns.items()},
            self.is_weighed,
        )
