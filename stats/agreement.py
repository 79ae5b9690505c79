"""Data against simulation: binned χ² with correlated uncertainties, Kolmogorov–Smirnov, correlations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix
from scipy.special import chdtrc, kolmogorov

from znought.errors import DataError
from znought.stats.bins import checked_edges
from znought.stats.ordered import bin_index

__all__ = ["Chi2", "Correlations", "Spectrum", "chi2", "correlations", "kolmogorov_smirnov", "spectrum"]

Floats = NDArray[np.float64]
Units = NDArray[np.int64]


@dataclass(frozen=True)
class Spectrum:
    """One variable in bins.

    Attributes:
        edges: shape (n_bins + 1,).
        sumw: shape (n_bins,).
        covariance: of the sums, from finite statistics, shape (n_bins, n_bins); rows of one generated event
            in neighbouring bins correlate them.
    """

    edges: Floats
    sumw: Floats
    covariance: Floats


@dataclass(frozen=True)
class Chi2:
    """χ² of data against an expectation.

    Attributes:
        value, n_dof, p_value: 0, 0 and 1 if no bin is left to compare.
        normalisation: factor on the expectation that the data prefer, 1 where it was not free.
    """

    value: float
    n_dof: int
    p_value: float
    normalisation: float

    @property
    def per_dof(self) -> float:
        """χ² per degree of freedom; 0 without any."""
        return self.value / self.n_dof if self.n_dof else 0.0


@dataclass(frozen=True)
class Correlations:
    """Linear correlation coefficients, with their statistical errors, each of shape (n, n)."""

    matrix: Floats
    error: Floats


def spectrum(
    values: ArrayLike, weights: ArrayLike, edges: ArrayLike, *, units: Units | None = None
) -> Spectrum:
    """Sums of weights per bin and their full statistical covariance, Σ over events of wᵢ wⱼ.

    Values outside count in the first and the last bin.

    Args:
        values, weights: shape (n_rows,).
        edges: rising, shape (n_bins + 1,).
        units: integer of the generated event behind every row; None takes rows as independent.

    Raises:
        DataError: edges that do not rise, or values that are not finite.

    >>> s = spectrum([0.2, 0.7, 0.8], [1.0, 1.0, 2.0], [0, 0.5, 1], units=np.array([0, 0, 1]))
    >>> s.sumw.tolist(), s.covariance.tolist()
    ([1.0, 3.0], [[1.0, 1.0], [1.0, 5.0]])
    """
    bounds = checked_edges(edges)
    x, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    if not (np.isfinite(x).all() and np.isfinite(w).all()):
        raise DataError("A spectrum needs finite values and weights.")
    n_bins = bounds.size - 1
    bins = bin_index(np.clip(x, bounds[0], bounds[-1]), bounds)
    sumw = np.bincount(bins, w, n_bins).astype(np.float64)
    if units is None:
        return Spectrum(bounds, sumw, np.diag(np.bincount(bins, w * w, n_bins).astype(np.float64)))
    codes = _dense(units)
    table = csr_matrix((w, (codes, bins)), shape=(int(codes.max(initial=-1)) + 1, n_bins))
    return Spectrum(bounds, sumw, np.asarray((table.T @ table).toarray(), np.float64))


def chi2(
    data: ArrayLike,
    expected: ArrayLike,
    covariance: ArrayLike,
    *,
    free_normalisation: bool = False,
    min_expected: float = 0.0,
) -> Chi2:
    """χ² = (n − θm)ᵀ V⁻¹ (n − θm), V = diag(m) + covariance, with θ = 1 or at its minimum.

    With a free normalisation V belongs to the expectation scaled to the data, and one degree of freedom goes.
    Neighbouring bins are merged until each expects `min_expected` events.

    Args:
        data: counts, shape (n_bins,).
        expected: shape (n_bins,).
        covariance: of the expectation, statistical and systematic, shape (n_bins, n_bins).
        free_normalisation: compare shapes only.
        min_expected: smallest expectation of a bin.

    Raises:
        DataError: shapes that do not fit.

    >>> found = chi2([12.0, 8.0], [10.0, 10.0], np.zeros((2, 2)))
    >>> round(found.value, 9), found.n_dof, round(found.p_value, 6)
    (0.8, 2, 0.67032)
    >>> chi2([40.0, 20.0], [20.0, 10.0], np.zeros((2, 2)), free_normalisation=True).normalisation
    2.0
    """
    n, m = np.asarray(data, np.float64), np.asarray(expected, np.float64)
    if n.shape != m.shape or np.shape(covariance) != (m.size, m.size):
        raise DataError(f"χ² needs one count per expectation and a square covariance. Received: {n.shape}.")
    merge = _merging(m, max(min_expected, np.finfo(np.float64).tiny))
    n, m, v = merge @ n, merge @ m, merge @ np.asarray(covariance, np.float64) @ merge.T
    n_dof = n.size - int(free_normalisation)
    if n_dof < 1 or n.sum() <= 0:
        return Chi2(0.0, 0, 1.0, 1.0)
    theta = float(n.sum() / m.sum()) if free_normalisation else 1.0
    inverse = cho_factor(np.diag(theta * m) + theta**2 * v)
    if free_normalisation:
        weighted = cho_solve(inverse, m)
        theta = float(weighted @ n / (weighted @ m))
    residual = n - theta * m
    value = float(residual @ cho_solve(inverse, residual))
    return Chi2(value, n_dof, float(chdtrc(n_dof, value)), theta)


def kolmogorov_smirnov(
    data: ArrayLike, simulation: ArrayLike, weights: ArrayLike, *, units: Units | None = None
) -> tuple[float, float]:
    """Largest distance of the two normalised cumulative distributions, and its asymptotic p-value.

    Statistical errors alone: the simulation counts with its effective size (Σw)²/Σ(Σ over an event of w)².

    Args:
        data: values, shape (n_data,).
        simulation, weights: shape (n_rows,).
        units: integer of the generated event behind every row of the simulation.

    Raises:
        DataError: no data, or weights that do not sum to a positive number.
    """
    x, y = np.sort(np.asarray(data, np.float64)), np.asarray(simulation, np.float64)
    w = np.asarray(weights, np.float64)
    total = float(w.sum())
    if x.size == 0 or not total > 0.0:
        raise DataError("A Kolmogorov–Smirnov test needs data, and simulation of positive weight.")
    order = np.argsort(y, kind="stable")
    points = np.unique(np.concatenate([x, y]))
    heights = np.concatenate([[0.0], np.cumsum(w[order])]) / total
    simulated = heights[np.searchsorted(y[order], points, side="right")]
    observed = np.searchsorted(x, points, side="right") / x.size
    distance = float(np.abs(observed - simulated).max())
    per_event = w if units is None else np.bincount(_dense(units), w)
    size = total**2 / float(per_event @ per_event)
    return distance, float(kolmogorov(distance * np.sqrt(x.size * size / (x.size + size))))


def correlations(
    values: ArrayLike,
    weights: ArrayLike,
    *,
    units: Units | None = None,
    defined: NDArray[np.bool_] | None = None,
) -> Correlations:
    """Weighted linear correlations and their errors; weights count with their sign.

    The error follows from the influence of each event on the coefficient, u v − ρ (u² + v²)/2 with u, v in
    standard deviations, and needs no Gaussian distribution.

    Args:
        values: shape (n_rows, n).
        weights: shape (n_rows,).
        units: integer of the generated event behind every row; None takes rows as independent.
        defined: where a variable has a value, shape (n_rows, n); a pair is compared where both have.

    Returns:
        Coefficient 0 with error 1 where nothing is known: no rows, or a variable without positive variance.

    Raises:
        DataError: weights that do not sum to a positive number.

    References:
        F. Hampel, J. Am. Stat. Assoc. 69 (1974) 383; S. Devlin et al., Biometrika 62 (1975) 531.
    """
    table, w = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    if units is not None:
        # Rows of one event side by side, so that they can be summed in one sweep.
        order = np.argsort(units, kind="stable")
        table, w, units = table[order], w[order], units[order]
        defined = None if defined is None else defined[order]
    n = table.shape[1]
    matrix, error = np.eye(n), np.zeros((n, n))
    everywhere = [defined is None or bool(defined[:, i].all()) for i in range(n)]
    whole = _Rows.of(w, units)
    scaled = [whole.standard(table[:, i]) if everywhere[i] else None for i in range(n)]
    for i in range(n):
        for j in range(i):
            rows, u, v = whole, scaled[i], scaled[j]
            if defined is not None and (u is None or v is None):
                both = defined[:, i] & defined[:, j]
                rows = _Rows.of(w[both], None if units is None else units[both])
                u, v = rows.standard(table[both, i]), rows.standard(table[both, j])
            found = (0.0, 1.0) if u is None or v is None else rows.correlation(u, v)
            matrix[i, j], error[i, j] = found
            matrix[j, i], error[j, i] = found
    return Correlations(matrix, error)


@dataclass(frozen=True)
class _Rows:
    """Weights of some rows as shares, and where each event's rows begin."""

    share: Floats
    first: Units | None

    @classmethod
    def of(cls, weights: Floats, units: Units | None) -> "_Rows":
        """Rows in the order of their units; None takes each as an event of its own."""
        total = float(weights.sum())
        if weights.size and not total > 0.0:
            raise DataError(f"A correlation needs weights with a positive sum. Received: {total:g}.")
        first = None
        if units is not None and units.size:
            first = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]]))
        return cls(weights / total if weights.size else weights, first)

    def standard(self, x: Floats) -> Floats | None:
        """Values from their weighted mean in standard deviations; None without a positive variance."""
        if x.size == 0 or np.ptp(x) == 0.0:
            return None
        centred = x - self.share @ x
        variance = float(self.share @ (centred * centred))
        # Negative weights may outweigh the others in small samples.
        if not variance > 0.0:
            return None
        return np.asarray(centred / np.sqrt(variance))

    def correlation(self, u: Floats, v: Floats) -> tuple[float, float]:
        """Coefficient of two standardised variables and its error."""
        rho = float(self.share @ (u * v))
        influence = self.share * (u * v - 0.5 * rho * (u * u + v * v))
        per_event = influence if self.first is None else np.add.reduceat(influence, self.first)
        return rho, float(np.sqrt(per_event @ per_event))


def _dense(units: Units) -> Units:
    """The same events as small numbers."""
    if units.size and units.min() >= 0 and units.max() < 16 * units.size:
        return units
    return np.unique(units, return_inverse=True)[1].astype(np.int64)


def _merging(expected: Floats, smallest: float) -> Floats:
    """Matrix that adds neighbouring bins, from the left, until each expects enough."""
    group, content, groups = 0, 0.0, []
    for value in expected:
        groups.append(group)
        content += value
        if content >= smallest:
            group, content = group + 1, 0.0
    # What is left over at the right end joins the last bin that is full.
    last = max(group - 1, 0)
    matrix = np.zeros((last + 1, expected.size))
    matrix[np.minimum(groups, last), np.arange(expected.size)] = 1.0
    return matrix
