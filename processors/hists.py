"""Histograms of the variables after the selection, in one array that is cheap to fill, to send and to add."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

from znought.analysis import Variable
from znought.processors.evaluated import Evaluated

__all__ = ["Axis", "Tally", "axes_of"]


_INTEGERS = (-10, 50)  # first whole number that has a bin of its own, and first that has none any more


@dataclass(frozen=True)
class Axis:
    """Bins of one variable; underflow and overflow are kept.

    Attributes:
        name: of the variable.
        bins, lower, upper: number of bins and their range.
        label: axis title.
        edges: of unequal bins; empty for equal ones.
        is_integer: one bin per whole number, in the middle of it.
    """

    name: str
    bins: int
    lower: float
    upper: float
    label: str
    edges: tuple[float, ...] = ()
    is_integer: bool = False

    @classmethod
    def of(cls, variable: Variable) -> "Axis":
        """The axis of a variable that has bins.

        >>> Axis.of(Variable("n_b", bins="integer")).histogram().axes[0].index(3)
        13
        """
        name, label = variable.name, variable.axis_label
        if variable.edges:
            edges = variable.edges
            return cls(name, len(edges) - 1, edges[0], edges[-1], label, edges)
        if isinstance(variable.bins, tuple):
            bins, lower, upper = variable.bins
            return cls(name, int(bins), float(lower), float(upper), label)
        first, beyond = _INTEGERS
        return cls(name, beyond - first, first - 0.5, beyond - 0.5, label, is_integer=True)

    def histogram(self) -> hist.Hist[Any]:
        """An empty histogram on this axis."""
        axis: Any
        if self.edges:
            axis = hist.axis.Variable(self.edges, name=self.name, label=self.label)
        elif self.is_integer:
            axis = hist.axis.Integer(*_INTEGERS, name=self.name, label=self.label)
        else:
            axis = hist.axis.Regular(self.bins, self.lower, self.upper, name=self.name, label=self.label)
        return hist.Hist(axis, storage=hist.storage.Weight())


def axes_of(variables: Iterable[Variable]) -> tuple[Axis, ...]:
    """The axes of the variables that have bins."""
    return tuple(Axis.of(variable) for variable in variables if variable.is_binned)


@dataclass(frozen=True)
class Tally:
    """Σw and Σw² in every bin of every variable: cheap to fill, to send and to add, chunk by chunk.

    Attributes:
        axes: of the variables, in order.
        sums: Σw in the first row and Σw² in the second, variables side by side, each with underflow and
            overflow, shape (2, n_bins).
    """

    axes: tuple[Axis, ...]
    sums: NDArray[np.float64]

    @classmethod
    def filled(cls, variables: Iterable[Variable], found: Evaluated) -> "Tally":
        """Tally of the selected events with their nominal weights, of the variables that have a column."""
        axes = tuple(axis for axis in axes_of(variables) if axis.name in found.columns)
        weight, layout = found.weights["gen_weight"], _layout(axes)
        if not axes:
            return cls(axes, np.zeros((2, 0)))
        values = np.array([found.columns[axis.name] for axis in axes], np.float64)
        # Bins as boost-histogram has them, to the last digit of the edges; what is no number is overflow.
        place = np.floor((values - layout.lower) / layout.width * layout.bins)
        for row, axis in enumerate(axes):
            if axis.edges:
                place[row] = np.searchsorted(axis.edges, values[row], side="right") - 1.0
        bins = (np.fmax(np.fmin(place, layout.bins), -1.0) + 1.0).astype(np.int64) + layout.first[
            :-1, np.newaxis
        ]
        sums = [
            np.bincount(bins.ravel(), np.tile(w, len(axes)), minlength=layout.first[-1])
            for w in (weight, weight * weight)
        ]
        return cls(axes, np.array(sums, np.float64))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.axes, self.sums + other.sums)

    def histograms(self) -> dict[str, hist.Hist[Any]]:
        """One histogram per variable."""
        found: dict[str, hist.Hist[Any]] = {}
        for axis, first in zip(self.axes, _layout(self.axes).first[:-1], strict=True):
            found[axis.name] = axis.histogram()
            found[axis.name].view(flow=True)[...] = self.sums[:, first : first + axis.bins + 2].T
        return found


@dataclass(frozen=True)
class _Layout:
    """Bins, lower ends and widths as columns, and the place of each variable's underflow among the sums."""

    bins: NDArray[np.float64]
    lower: NDArray[np.float64]
    width: NDArray[np.float64]
    first: NDArray[np.int64]


@cache
def _layout(axes: tuple[Axis, ...]) -> _Layout:
    bins, lower, width = (
        np.array(values, np.float64)[:, np.newaxis]
        for values in (
            [axis.bins for axis in axes],
            [axis.lower for axis in axes],
            [axis.upper - axis.lower for axis in axes],
        )
    )
    return _Layout(bins, lower, width, np.cumsum([0, *(axis.bins + 2 for axis in axes)]))
