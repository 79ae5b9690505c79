"""Yields as quadratic polynomials in effective coefficients, from weights stored with each event.

An amplitude linear in c gives every event the weight w(c) = 1 + Σ aᵢcᵢ + Σ bᵢⱼcᵢcⱼ. Weights at a few
points fix the polynomial, sums of polynomials are templates, and Σw² is a polynomial too: quartic, kept
as the matrix of second moments of the event polynomials.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError, unknown_name

__all__ = [
    "Morphing",
    "Order",
    "check_validity",
    "event_polynomials",
    "monomials",
    "morph",
    "n_monomials",
]

Floats = NDArray[np.float64]
Order = Literal["linear", "quadratic"]

_MAX_CONDITION = 1e10


def n_monomials(n_coefficients: int) -> int:
    """Number of monomials up to second order: 3 for one coefficient, 6 for two.

    >>> n_monomials(1), n_monomials(2)
    (3, 6)
    """
    return (n_coefficients + 1) * (n_coefficients + 2) // 2


def monomials(points: ArrayLike, *, order: Order = "quadratic") -> Floats:
    """Monomials (1, cᵢ, cᵢcⱼ with i ≤ j) of every point: (..., k) to (..., n_monomials).

    `linear` leaves the same columns and sets the second-order ones to zero.

    >>> monomials([2.0, 3.0]).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
    """
    if order not in get_args(Order):
        raise CardError(unknown_name("order", order, get_args(Order)))
    c = np.asarray(points, dtype=np.float64)
    i, j = np.triu_indices(c.shape[-1])
    second = c[..., i] * c[..., j] * (order == "quadratic")
    return np.concatenate([np.ones((*c.shape[:-1], 1)), c, second], axis=-1)


def check_validity(
    points: ArrayLike, names: tuple[str, ...], validity: tuple[tuple[float, float], ...]
) -> Floats:
    """The points (..., n_coefficients) as an array, once they are known to lie inside the validity.

    Raises:
        DataError: a point of another number of coefficients, outside the range of one, or not a number.
    """
    c = np.asarray(points, dtype=np.float64)
    if c.shape[-1:] != (len(names),):
        raise DataError(f"Expected a value for each of {names}. Received shape: {c.shape}.")
    for name, values, (low, high) in zip(names, np.moveaxis(c, -1, 0), validity, strict=True):
        outside = ~((values >= low) & (values <= high))
        if outside.any():
            raise DataError(
                f"{name} = {float(values[outside].flat[0]):g} is outside the validity of the morphing, "
                f"[{low:g}, {high:g}]."
            )
    return c


def event_polynomials(weights: ArrayLike, points: ArrayLike) -> Floats:
    """Coefficients of each event's polynomial, shape (n_events, n_monomials).

    Args:
        weights: weights at the points, shape (n_events, n_points), of any normalisation.
        points: where they were evaluated, shape (n_points, n_coefficients); (n_points,) for one.

    Raises:
        DataError: fewer weights than monomials, points that do not fix the polynomial, weights that are
            not finite.

    >>> event_polynomials([[1.0, 4.0, 2.0]], [0.0, 1.0, -1.0]).round(9).tolist()
    [[1.0, 1.0, 2.0]]
    """
    w = np.asarray(weights, dtype=np.float64)
    c = np.asarray(points, dtype=np.float64)
    c = c[:, None] if c.ndim == 1 else c
    needed = n_monomials(c.shape[1])
    if w.ndim != 2 or w.shape[1] != len(c) or len(c) < needed:
        raise DataError(
            f"Expected at least {needed} weights per event for {c.shape[1]} coefficient(s), "
            f"one for each of the {len(c)} points. Received an array of shape {w.shape}."
        )
    if not np.isfinite(w).all():
        raise DataError(
            f"{int((~np.isfinite(w)).any(axis=1).sum())} events have weights that are not finite."
        )
    scale = np.abs(c).max(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    basis = monomials(c / scale)
    if np.linalg.cond(basis) > _MAX_CONDITION:
        raise DataError("The points of the stored weights do not fix a quadratic form: they are degenerate.")
    solved = w @ np.linalg.pinv(basis).T
    return np.asarray(solved / monomials(scale), dtype=np.float64)


@dataclass(frozen=True)
class Morphing:
    """Yields of n bins for any value of the coefficients within the validity range."""

    names: tuple[str, ...]
    """Coefficient names, in the order of every point."""
    sumw: Floats
    """Summed polynomials, shape (n_bins, n_monomials)."""
    sumw2: Floats
    """Second moments of the polynomials, shape (n_bins, n_monomials, n_monomials)."""
    validity: tuple[tuple[float, float], ...]
    """Lowest and highest value of each coefficient for which yields may be asked."""

    def __post_init__(self) -> None:
        m = n_monomials(len(self.names))
        if self.sumw.ndim != 2 or self.sumw.shape[1] != m:
            raise DataError(f"Expected sumw of shape (n_bins, {m}). Received: {self.sumw.shape}.")
        if self.sumw2.shape != (len(self.sumw), m, m):
            raise DataError(
                f"Expected sumw2 of shape {(len(self.sumw), m, m)}. Received: {self.sumw2.shape}."
            )
        if not (np.isfinite(self.sumw).all() and np.isfinite(self.sumw2).all()):
            raise DataError("Expected finite templates: an event weight is not finite.")
        if len(self.validity) != len(self.names) or any(not a <= 0.0 <= b for a, b in self.validity):
            raise CardError(f"Expected a validity range around zero for each of {self.names}.")

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.sumw)

    def yields(self, point: ArrayLike, *, order: Order = "quadratic") -> Floats:
        """Expected events per bin at points (..., n_coefficients): shape (..., n_bins).

        `linear` drops the squared terms; it may be negative, which the likelihood refuses, not this.

        Raises:
            DataError: a point outside the validity range.
        """
        return np.asarray(monomials(self._checked(point), order=order) @ self.sumw.T)

    def variance(self, point: ArrayLike, *, order: Order = "quadratic") -> Floats:
        """Squared MC-statistical errors (Σw²) per bin, shape (..., n_bins)."""
        m = monomials(self._checked(point), order=order)
        return np.asarray(np.einsum("...i,bij,...j->...b", m, self.sumw2, m))

    def effective_entries(self, point: ArrayLike) -> Floats:
        """(Σw)²/Σw² per bin: it falls as weights spread far from the generated point; 0 for an empty bin."""
        variance = self.variance(point)
        empty = variance <= 0.0
        return np.where(empty, 0.0, self.yields(point) ** 2 / np.where(empty, 1.0, variance))

    def scaled(self, factor: float) -> "Morphing":
        """Templates of a luminosity `factor` times as large (Σw² takes its square)."""
        return replace(self, sumw=factor * self.sumw, sumw2=factor**2 * self.sumw2)

    def _checked(self, point: ArrayLike) -> Floats:
        return check_validity(point, self.names, self.validity)


def morph(
    polynomials: ArrayLike,
    event_weights: ArrayLike,
    bins: ArrayLike,
    n_bins: int,
    *,
    names: tuple[str, ...],
    validity: tuple[tuple[float, float], ...],
    identity: ArrayLike | None = None,
) -> Morphing:
    """Templates of events: the polynomials of `event_polynomials`, weighted and summed per bin.

    Args:
        polynomials: shape (n_events, n_monomials), equal to 1 at the generated point.
        event_weights: normalised weights (luminosity times cross section …), shape (n_events,).
        bins: bin index of each event; events with an index outside [0, n_bins) are left out.
        n_bins: number of bins.
        names: coefficient names.
        validity: range of each coefficient in which yields may be asked.
        identity: integer per row, equal for the detector responses of one generated event: their weights
            add before they are squared. None takes rows as independent.

    Raises:
        DataError: no event in any bin, or shapes that do not match.
    """
    p = np.asarray(polynomials, dtype=np.float64)
    w = np.asarray(event_weights, dtype=np.float64)
    index = np.asarray(bins)
    if p.shape != (len(w), n_monomials(len(names))) or index.shape != w.shape:
        raise DataError(f"Shapes do not match: polynomials {p.shape}, weights {w.shape}, bins {index.shape}.")
    inside = (index >= 0) & (index < n_bins)
    if not inside.any():
        raise DataError("Empty channel: no event falls into any of its bins.")
    place, weighted = index[inside].astype(np.int64), p[inside] * w[inside, None]
    m = p.shape[1]
    sumw = np.stack([np.bincount(place, weighted[:, i], minlength=n_bins) for i in range(m)], axis=1).astype(
        np.float64
    )
    if identity is not None:
        place, weighted = _added(place, np.asarray(identity)[inside], weighted)
    sumw2 = np.zeros((n_bins, m, m))
    for i in range(m):
        for j in range(i, m):
            sumw2[:, i, j] = np.bincount(place, weighted[:, i] * weighted[:, j], minlength=n_bins)
            sumw2[:, j, i] = sumw2[:, i, j]
    return Morphing(names, sumw, sumw2, validity)


def _added(
    place: NDArray[np.int64], identity: NDArray[np.integer], weighted: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """One row for each generated event in each bin, in place of its responses."""
    order = np.lexsort((identity, place))
    place, identity, weighted = place[order], identity[order], weighted[order]
    first = np.ones(len(place), np.bool_)
    first[1:] = (place[1:] != place[:-1]) | (identity[1:] != identity[:-1])
    return place[first], np.add.reduceat(weighted, np.flatnonzero(first), axis=0)
