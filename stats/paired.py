"""How a variation differs from the nominal, with an error that knows that both hold the same events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.stats import chi2 as chi2_distribution

from znought.errors import DataError

__all__ = [
    "BinnedEvents",
    "PairedDifference",
    "PairedEvents",
    "chi_square",
    "paired_difference",
    "paired_events",
]

Floats = NDArray[np.float64]
_ENDS: tuple[Literal["left"], Literal["right"]] = ("left", "right")
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
    """Half of up − down, or alternative − nominal: sums over generated events, which parts of them add up to.

    Of a generated event n is the nominal yield in each bin, d its part of the difference, and b that of
    (up + down)/2 − nominal, what up and down have in common.

    Attributes:
        nominal: nominal yields ν = Σ n, shape (n_bins,).
        change: the difference δ = Σ d, shape (n_bins,): up is ν + δ, down is ν − δ.
        squares: Σ n nᵀ, Σ d nᵀ and Σ d dᵀ, shape (3, n_bins, n_bins).
        sizes: Σ |d of neighbouring bins| by the first and the last of them, shape (n_bins, n_bins).
        common: Σ b and Σ b bᵀ, shape (n_bins + 1, n_bins); None where there is one alternative only.
        shared: Σ x yᵀ of x = (d, n) here and y = (d, n) in a looser region, each summed over all bins, shape
            (2, 2); None without a looser region.
        events: that the sums are over, which round less; None where these were given up.
    """

    nominal: Floats
    change: Floats
    squares: Floats
    sizes: Floats
    common: Floats | None = None
    shared: Floats | None = None
    events: "PairedEvents | None" = None

    def __add__(self, other: "PairedDifference") -> "PairedDifference":
        return PairedDifference(
            self.nominal + other.nominal,
            self.change + other.change,
            self.squares + other.squares,
            self.sizes + other.sizes,
            None if self.common is None or other.common is None else self.common + other.common,
            None if self.shared is None or other.shared is None else self.shared + other.shared,
        )

    def summed(self) -> "PairedDifference":
        """The sums alone."""
        return replace(self, events=None)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.change.size)

    @property
    def covariance(self) -> Floats:
        """Paired covariance of δ: Σ over generated events of d dᵀ, shape (n_bins, n_bins)."""
        return np.asarray(self.squares[2])

    @property
    def errors(self) -> Floats:
        """Paired errors of δ, shape (n_bins,)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance)))

    @property
    def movers(self) -> Floats:
        """Effective generated events behind δ in each bin, (Σ|d|)²/Σd², shape (n_bins,)."""
        size, square = np.diagonal(self.sizes), np.diagonal(self.covariance)
        return np.asarray(np.divide(size**2, square, out=np.zeros(self.n_bins), where=square > 0))

    @property
    def norm(self) -> float:
        """Relative change of the yield, Σδ/Σν; 0 without nominal yield."""
        total = self.nominal.sum()
        return float(self.change.sum() / total) if total > 0 else 0.0

    @property
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
        if self.events is not None:
            rest = self.events.change - self.events.nominal.multiply(ratio[None, :]).tocsr()
            return _gram(rest, rest)
        nominal, mixed, change = self.squares
        both = mixed * ratio[None, :]
        return np.asarray(change - both - both.T + nominal * np.outer(ratio, ratio))

    def p_value(self) -> float:
        """Probability of a δ this large, in any bin, if the variation changed nothing."""
        value, n_dof = chi_square(self.change, self.covariance)
        return float(chi2_distribution.sf(value, n_dof)) if n_dof else 1.0

    @property
    def bend(self) -> Floats:
        """(up + down)/2 − nominal, shape (n_bins,); zeros where there is one alternative only."""
        return np.zeros(self.n_bins) if self.common is None else self.common[0]

    def bend_p_value(self) -> float | None:
        """Probability that up and down leave the nominal in opposite directions, by as much; None for one.

        Both at once on one side is what a mistaken direction, or a resolution smeared twice, looks like.
        """
        if self.common is None:
            return None
        value, n_dof = chi_square(self.common[0], self.common[1:])
        return float(chi2_distribution.sf(value, n_dof)) if n_dof else 1.0

    def merged(self, groups: Sequence[int] | NDArray[np.integer]) -> "PairedDifference":
        """The difference in fewer bins: `groups` holds the new bin of each, rising, shape (n_bins,)."""
        table = np.asarray(groups)
        if self.events is not None:
            return replace(self.events.merged(table).difference(), shared=self.shared)
        into = np.eye(int(table.max(initial=-1)) + 1)[table]
        first, last = (np.searchsorted(table, np.arange(into.shape[1]), side=side) for side in _ENDS)
        common = self.common
        return PairedDifference(
            self.nominal @ into,
            self.change @ into,
            np.stack([into.T @ square @ into for square in self.squares]),
            self.sizes[np.ix_(first, last - 1)],
            None if common is None else np.vstack([common[:1] @ into, into.T @ common[1:] @ into]),
            self.shared,
        )


@dataclass(frozen=True)
class PairedEvents:
    """What every generated event adds to a difference.

    Attributes:
        identity: the generated events that either template holds, sorted, shape (n_generated,).
        nominal: Σ nominal weights of each generated event in each bin, (n_generated, n_bins).
        change: its part of half of up − down, or of alternative − nominal, (n_generated, n_bins).
        bend: its part of (up + down)/2 − nominal; None where there is one alternative only.
    """

    identity: NDArray[np.integer]
    nominal: csr_matrix
    change: csr_matrix
    bend: csr_matrix | None = None

    def difference(self, looser: "PairedEvents | None" = None) -> PairedDifference:
        """The sums over all of them.

        Args:
            looser: the events of the same process in a region that contains this one.
        """
        pairs = ((self.nominal, self.nominal), (self.change, self.nominal), (self.change, self.change))
        squares = np.stack([_gram(one, other) for one, other in pairs])
        common, bend = None, self.bend
        if bend is not None:
            common = np.vstack([_sum(bend), _gram(bend, bend)])
        shared = None if looser is None else _shared(self, looser)
        sizes = _sizes(self.change)
        return PairedDifference(
            _sum(self.nominal), _sum(self.change), squares, sizes, common, shared, events=self
        )

    def merged(self, groups: NDArray[np.integer]) -> "PairedEvents":
        """The same in fewer bins: `groups` holds the new bin of each, shape (n_bins,)."""
        n_bins = groups.size
        shape = (n_bins, int(groups.max(initial=-1)) + 1)
        into = csr_matrix((np.ones(n_bins), (np.arange(n_bins), groups)), shape=shape)
        bend = None if self.bend is None else self.bend @ into
        return PairedEvents(self.identity, self.nominal @ into, self.change @ into, bend)

    def flipped(self, signs: NDArray[np.integer]) -> "PairedEvents":
        """The same with the sign of each generated event's difference flipped where `signs` is −1."""
        change = self.change.multiply(signs[:, None]).tocsr()
        return PairedEvents(self.identity, self.nominal, change)


def paired_difference(
    nominal: BinnedEvents, up: BinnedEvents, down: BinnedEvents | None, n_bins: int
) -> PairedDifference:
    """(up − down)/2, or up − nominal where there is no down, with its paired errors.

    Args:
        nominal, up, down, n_bins: as for `paired_events`.

    >>> nominal = BinnedEvents.of([7, 8, 9], [0, 0, 1], [1.0, 1.0, 1.0])
    >>> up = BinnedEvents.of([7, 8, 9], [0, 1, 1], [1.0, 1.0, 1.0])
    >>> found = paired_difference(nominal, up, None, 2)
    >>> found.change.tolist(), found.covariance.tolist()
    ([-1.0, 1.0], [[1.0, -1.0], [-1.0, 1.0]])
    """
    return paired_events(nominal, up, down, n_bins).difference()


def paired_events(
    nominal: BinnedEvents, up: BinnedEvents, down: BinnedEvents | None, n_bins: int
) -> PairedEvents:
    """(up − down)/2, or up − nominal where there is no down, generated event by generated event.

    A second dataset as the alternative shares no event with the nominal one, and the error is that of two
    independent samples; identities must then differ, so the dataset has to be part of them.

    Args:
        nominal, up, down: events of one process.
        n_bins: number of bins.
    """
    if n_bins < 1:
        raise DataError(f"n_bins must be at least 1. Received: {n_bins}.")
    parts = [rows.inside(n_bins) for rows in (nominal, up, down) if rows is not None]
    identity = np.unique(np.concatenate([rows.identity for rows in parts]))
    tables = [_table(rows, identity, n_bins) for rows in parts]
    if down is None:
        return PairedEvents(identity, tables[0], tables[1] - tables[0])
    bend = 0.5 * (tables[1] + tables[2]) - tables[0]
    return PairedEvents(identity, tables[0], 0.5 * (tables[1] - tables[2]), bend)


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


def _gram(one: csr_matrix, other: csr_matrix) -> Floats:
    return np.asarray((one.T @ other).toarray(), np.float64)


def _sizes(change: csr_matrix) -> Floats:
    """Σ over generated events of |Σ of neighbouring bins|, by the first and the last of these."""
    n_bins = change.shape[1]
    several = np.diff(change.indptr) > 1
    alone = np.concatenate([[0.0], np.cumsum(_sum(abs(change[~several])))])
    running = np.zeros((int(several.sum()), n_bins + 1))
    np.cumsum(change[several].toarray(), axis=1, out=running[:, 1:])
    sizes = np.zeros((n_bins, n_bins))
    for first in range(n_bins):
        together = np.abs(running[:, first + 1 :] - running[:, first, None]).sum(axis=0)
        sizes[first, first:] = alone[first + 1 :] - alone[first] + together
    return sizes


def _shared(own: PairedEvents, looser: PairedEvents) -> Floats:
    """Σ x yᵀ over the events of both, x and y the change and the nominal of each in all bins."""
    both = np.isin(own.identity, looser.identity, assume_unique=True)
    place = np.searchsorted(looser.identity, own.identity[both])
    x, y = (
        np.stack([np.asarray(table.sum(axis=1)).ravel() for table in (one.change, one.nominal)])
        for one in (own, looser)
    )
    return np.asarray(x[:, both] @ y[:, place].T, np.float64)
