"""How a variation differs from the nominal, with an error that knows that both hold the same events."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.stats import chi2 as chi2_distribution

from znought.errors import DataError

__all__ = ["BinnedEvents", "PairedDifference", "chi_square", "paired_difference"]

Floats = NDArray[np.float64]
_RANK = 1e-10  # eigenvalues below this share of the largest are rounding


@dataclass(frozen=True)
class BinnedEvents:
    """Events of one process in one region.

    Attributes:
        identity: integer of the generated event behind every row, the dataset being part of it; rows of
            one generated event are one statistical unit, shape (n_rows,).
        bins: bin of every row, −1 or n_bins and above for outside, shape (n_rows,).
        weights: shape (n_rows,).
    """

    identity: NDArray[np.integer]
    bins: NDArray[np.integer]
    weights: Floats

    def __post_init__(self) -> None:
        shapes = {np.shape(values) for values in (self.identity, self.bins, self.weights)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise DataError(
                f"identity, bins and weights must be of one shape (n_rows,). Received: {sorted(shapes)}."
            )
        if not np.isfinite(self.weights).all():
            raise DataError("weights hold values that are not finite.")

    @classmethod
    def of(cls, identity: ArrayLike, bins: ArrayLike, weights: ArrayLike) -> "BinnedEvents":
        """Rows from anything array-like."""
        return cls(np.asarray(identity), np.asarray(bins), np.asarray(weights, np.float64))

    def inside(self, n_bins: int) -> "BinnedEvents":
        """The rows in one of the bins."""
        keep = (self.bins >= 0) & (self.bins < n_bins)
        if keep.all():
            return self
        return BinnedEvents(self.identity[keep], self.bins[keep], self.weights[keep])


@dataclass(frozen=True)
class PairedDifference:
    """Half of up − down, or alternative − nominal, generated event by generated event.

    Attributes:
        identity: the generated events that either template holds, sorted, shape (n_generated,).
        nominal_of_event: Σ nominal weights of each generated event in each bin, (n_generated, n_bins).
        change_of_event: its part of the difference, (n_generated, n_bins).
        bend_of_event: its part of (up + down)/2 − nominal, what up and down have in common; None where
            there is one alternative only.
    """

    identity: NDArray[np.integer]
    nominal_of_event: csr_matrix
    change_of_event: csr_matrix
    bend_of_event: csr_matrix | None = None

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.change_of_event.shape[1])

    @cached_property
    def nominal(self) -> Floats:
        """Nominal yields ν, shape (n_bins,)."""
        return _sum(self.nominal_of_event)

    @cached_property
    def change(self) -> Floats:
        """The difference δ, shape (n_bins,): up is ν + δ, down is ν − δ."""
        return _sum(self.change_of_event)

    @cached_property
    def covariance(self) -> Floats:
        """Paired covariance of δ: Σ over generated events of d dᵀ, shape (n_bins, n_bins)."""
        return _gram(self.change_of_event)

    @property
    def errors(self) -> Floats:
        """Paired errors of δ, shape (n_bins,)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))

    @cached_property
    def movers(self) -> Floats:
        """Effective generated events behind δ in each bin, (Σ|d|)²/Σd², shape (n_bins,)."""
        size = _sum(abs(self.change_of_event))
        square = np.diagonal(self.covariance)
        return np.asarray(np.divide(size**2, square, out=np.zeros(self.n_bins), where=square > 0))

    @cached_property
    def norm(self) -> float:
        """Relative change of the yield, Σδ/Σν; 0 without nominal yield."""
        total = self.nominal.sum()
        return float(self.change.sum() / total) if total > 0 else 0.0

    @cached_property
    def norm_error(self) -> float:
        """Paired error of `norm`: of Σδ − norm·Σν, by generated event, over Σν; inf without nominal yield."""
        total = self.nominal.sum()
        if not total > 0:
            return float("inf")
        return float(np.sqrt(self.ratio_covariance(np.full(self.n_bins, self.norm)).sum().clip(0)) / total)

    def ratio_covariance(self, ratio: Floats) -> Floats:
        """Covariance of δ − r ν for a relative change r, shape (n_bins, n_bins).

        A fluctuation of the nominal moves δ and r ν together; what is left is the error of the ratio. A
        weight that is the same for all events has none.
        """
        rest = self.change_of_event - self.nominal_of_event.multiply(ratio[None, :]).tocsr()
        return _gram(rest)

    def p_value(self) -> float:
        """Probability of a δ this large, in any bin, if the variation changed nothing."""
        value, n_dof = chi_square(self.change, self.covariance)
        return float(chi2_distribution.sf(value, n_dof)) if n_dof else 1.0

    @cached_property
    def bend(self) -> Floats:
        """(up + down)/2 − nominal, shape (n_bins,); zeros where there is one alternative only."""
        return np.zeros(self.n_bins) if self.bend_of_event is None else _sum(self.bend_of_event)

    def bend_p_value(self) -> float | None:
        """Probability that up and down leave the nominal in opposite directions, by as much; None for one.

        Both at once on one side is what a mistaken direction, or a resolution smeared twice, looks like.
        """
        if self.bend_of_event is None:
            return None
        value, n_dof = chi_square(self.bend, _gram(self.bend_of_event))
        return float(chi2_distribution.sf(value, n_dof)) if n_dof else 1.0

    def merged(self, groups: Sequence[int] | NDArray[np.integer]) -> "PairedDifference":
        """The difference in fewer bins: `groups` holds the new bin of each, shape (n_bins,)."""
        table = np.asarray(groups)
        shape = (self.n_bins, int(table.max(initial=-1)) + 1)
        into = csr_matrix((np.ones(self.n_bins), (np.arange(self.n_bins), table)), shape=shape)
        bend = None if self.bend_of_event is None else self.bend_of_event @ into
        return PairedDifference(
            self.identity, self.nominal_of_event @ into, self.change_of_event @ into, bend
        )

    def flipped(self, signs: NDArray[np.integer]) -> "PairedDifference":
        """The difference with the sign of each generated event's part flipped where `signs` is −1."""
        change = self.change_of_event.multiply(signs[:, None]).tocsr()
        return PairedDifference(self.identity, self.nominal_of_event, change)


def paired_difference(
    nominal: BinnedEvents, up: BinnedEvents, down: BinnedEvents | None, n_bins: int
) -> PairedDifference:
    """(up − down)/2, or up − nominal where there is no down, with what every generated event adds to it.

    A second dataset as the alternative shares no event with the nominal one, and the error is that of two
    independent samples; identities must then differ, so the dataset has to be part of them.

    Args:
        nominal, up, down: events of one process.
        n_bins: number of bins.

    >>> nominal = BinnedEvents.of([7, 8, 9], [0, 0, 1], [1.0, 1.0, 1.0])
    >>> up = BinnedEvents.of([7, 8, 9], [0, 1, 1], [1.0, 1.0, 1.0])
    >>> found = paired_difference(nominal, up, None, 2)
    >>> found.change.tolist(), found.covariance.tolist()
    ([-1.0, 1.0], [[1.0, -1.0], [-1.0, 1.0]])
    """
    if n_bins < 1:
        raise DataError(f"n_bins must be at least 1. Received: {n_bins}.")
    parts = [rows.inside(n_bins) for rows in (nominal, up, down) if rows is not None]
    identity = np.unique(np.concatenate([rows.identity for rows in parts]))
    tables = [_table(rows, identity, n_bins) for rows in parts]
    if down is None:
        return PairedDifference(identity, tables[0], tables[1] - tables[0])
    bend = 0.5 * (tables[1] + tables[2]) - tables[0]
    return PairedDifference(identity, tables[0], 0.5 * (tables[1] - tables[2]), bend)


def chi_square(values: Floats, covariance: Floats) -> tuple[float, int]:
    """χ² of values against zero and its degrees of freedom, the rank of the covariance.

    >>> chi_square(np.array([2.0, 0.0]), np.diag([4.0, 0.0]))
    (1.0, 1)
    """
    scale, vectors = np.linalg.eigh(covariance)
    keep = scale > _RANK * scale.max(initial=0.0)
    if not keep.any():
        return 0.0, 0
    along = vectors[:, keep].T @ values
    return float(np.sum(along**2 / scale[keep])), int(keep.sum())


def _table(rows: BinnedEvents, identity: NDArray[np.integer], n_bins: int) -> csr_matrix:
    """Σ weights by generated event and bin."""
    place = np.searchsorted(identity, rows.identity)
    return csr_matrix((rows.weights, (place, rows.bins)), shape=(identity.size, n_bins))


def _sum(table: csr_matrix) -> Floats:
    return np.asarray(table.sum(axis=0), np.float64).ravel()


def _gram(table: csr_matrix) -> Floats:
    return np.asarray((table.T @ table).toarray(), np.float64)
