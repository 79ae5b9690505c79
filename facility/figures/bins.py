"""Which bins of a finished histogram are drawn, and which of them as one: as the card draws the variable."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from znought.plots.labels import feature_label

__all__ = ["DrawnBins", "drawn_bins"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DrawnBins:
    """Groups of neighbouring bins.

    Attributes:
        edges: of the groups, shape (n_drawn + 1,).
        starts: first bin of each group, shape (n_drawn,).
        end: one past the last bin.
    """

    edges: Floats
    starts: npt.NDArray[np.int64]
    end: int

    def summed(self, values: npt.ArrayLike) -> Floats:
        """Sums over the groups; of errors, as if each group's were common to its bins."""
        array = np.asarray(values, np.float64)[: self.end]
        return np.asarray(np.add.reduceat(array, self.starts), np.float64)

    def any(self, mask: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether something is true of a bin of each group."""
        return self.summed(np.asarray(mask, np.bool_)) > 0


def drawn_bins(
    variable: str, edges: npt.ArrayLike, *, first: int = 0, ends: Sequence[float] = ()
) -> DrawnBins:
    """Bins from `first` on that are drawn of a variable, in groups as the card's `rebin` says.

    Args:
        variable: by whose `range` and `rebin`.
        edges: of all bins that may be drawn.
        first: of these.
        ends: edges that no group reaches across.
    """
    borders, how = np.asarray(edges, np.float64), feature_label(variable)
    end = borders.size - 1
    if how.span is not None:
        low, high = how.span
        within = np.flatnonzero((borders[1:] > low) & (borders[:-1] < high))
        within = within[within >= first]
        if within.size:
            first, end = int(within[0]), int(within[-1]) + 1
    stops = first + np.flatnonzero(np.isin(borders[first:end], ends))
    parts = [np.arange(a, b, how.rebin) for a, b in pairwise([first, *stops[stops > first].tolist(), end])]
    starts = np.concatenate(parts)
    return DrawnBins(np.append(borders[starts], borders[end]), starts, end)
