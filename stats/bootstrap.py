"""The Poisson bootstrap over generated events: how often each is drawn, and what bins then hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from znought.identity import uniform
from znought.stats.bins import Columns
from znought.stats.ordered import bin_index, binned_sum

__all__ = ["Multiplicity", "resampled"]

Floats = NDArray[np.float64]
_POISSON = poisson.cdf(np.arange(12), 1.0)


@dataclass(frozen=True)
class Multiplicity:
    """How often each generated event is drawn: the same for every discriminant that it is binned in.

    Attributes:
        identity: of every code, sorted.
        salt: of the draws.
    """

    identity: NDArray[np.generic]
    salt: str

    def of(self, codes: NDArray[np.integer], replicate: int) -> NDArray[np.int64]:
        """Poisson(1) numbers of one replicate, shape (n_codes,)."""
        zeros = np.zeros(codes.size, dtype=np.uint64)
        drawn = uniform(self.identity[codes], zeros + np.uint64(replicate), zeros, salt=self.salt)
        return np.searchsorted(_POISSON, drawn, side="right")


def resampled(
    columns: Columns,
    edges: Floats,
    kind: NDArray[np.bool_],
    n_bootstrap: int,
    multiplicity: Multiplicity,
) -> tuple[Floats, Floats]:
    """Yields of one kind and their squared errors by replicate and bin, shapes (n_bootstrap, n_bins)."""
    n_bins = edges.size - 1
    bins = bin_index(columns.scores, edges)
    rows = kind & (bins >= 0) & (bins < n_bins)
    assert columns.codes is not None
    codes = columns.codes
    # One number per generated event and bin; sorted by event, so that the row order is forgotten.
    keys, inverse = np.unique(codes[rows] * n_bins + bins[rows], return_inverse=True)
    sums = binned_sum(inverse, columns.weights[rows].astype(np.float64), keys.size)
    units, unit = np.unique(keys // n_bins, return_inverse=True)
    where = keys % n_bins
    yields, sumw2 = np.empty((2, n_bootstrap, n_bins))
    for k in range(n_bootstrap):
        times = multiplicity.of(units, k)[unit]
        yields[k] = binned_sum(where, sums * times, n_bins)
        sumw2[k] = binned_sum(where, sums**2 * times, n_bins)
    return yields, sumw2
