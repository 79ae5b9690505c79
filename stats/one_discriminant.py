"""Whether test events have the discriminant of out-of-fold events: χ² with tail quantiles, all together.

Templates are made of events that trained some of the networks; data trained none. Both must be scored
by one and the same estimator, or the templates are wrong where the discriminant is steep. In simulation
the test part stands for the data: under one estimator its label is exchangeable among the generated
events of a process.

References:
    M. Brown, Biometrics 31 (1975) 987: Fisher's combination of dependent p-values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from znought.errors import DataError
from znought.stats.labels import Labels

__all__ = ["QUANTILES", "Comparison", "OneDiscriminant", "one_discriminant", "uniformity"]

Floats = NDArray[np.float64]
QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Of the distribution of both parts: edges of the bins that are compared."""
LEAST_EVENTS = 10.0
"""Effective generated events that a bin of the smaller part must expect; else it joins its neighbour."""
_CHUNK = 20
_UNITS = 2**20
"""Generated events of which something is dense at a time."""


@dataclass(frozen=True)
class Comparison:
    """χ² of one output among the events of one process.

    Attributes:
        process, output: names.
        chi2, n_dof, p_value: of the shares of both parts in bins.
        above: quantile → share of the test part above it less that of the others, with its error; the
            three highest bins' lower edges that were compared.
    """

    process: str
    output: str
    chi2: float
    n_dof: int
    p_value: float
    above: dict[float, tuple[float, float]]


@dataclass(frozen=True)
class OneDiscriminant:
    """All comparisons and their combination.

    Attributes:
        comparisons: by process and output.
        fisher: −2 Σ ln p.
        p_value: of it; outputs of the same events depend on each other, so its distribution is taken from
            permutations of the test label among generated events (mean and variance; scaled χ²).
    """

    comparisons: tuple[Comparison, ...]
    fisher: float
    p_value: float

    @property
    def smallest(self) -> Comparison:
        """The comparison with the smallest p-value."""
        return min(self.comparisons, key=lambda one: one.p_value)

    def p_of(self, process: str, output: str) -> float | None:
        """p-value of one comparison; None where too few events allow none."""
        found = [one.p_value for one in self.comparisons if (one.process, one.output) == (process, output)]
        return found[0] if found else None


def one_discriminant(
    outputs: Mapping[str, ArrayLike],
    weights: ArrayLike,
    process: ArrayLike | Labels,
    is_test: ArrayLike,
    identity: ArrayLike,
    *,
    n_permutations: int = 200,
    seed: int = 1,
) -> OneDiscriminant:
    """Compares the test part with all other events, in every process and output.

    Detector responses of one generated event are one statistical unit. Bins end at quantiles of both
    parts together; the covariance is that of both together, too, as the hypothesis has it.

    Args:
        outputs: name of each output → values, shape (n_rows,).
        weights, process, is_test: of each row, shape (n_rows,).
        identity: integer of the generated event behind every row, shape (n_rows,).
        n_permutations: of the test label, at least 10.
        seed: of the permutations.

    Raises:
        DataError: a generated event in both parts, or no process with enough events of both.
    """
    names = Labels.of(process)
    w, test = np.asarray(weights, np.float64), np.asarray(is_test, np.bool_)
    units, random = np.asarray(identity), np.random.default_rng(seed)
    found: list[Comparison] = []
    permuted = np.zeros(n_permutations)
    for name in sorted(names.present):
        rows = names == name
        labels = _Labels.of(units[rows], test[rows])
        tables = {output: _Table.of(np.asarray(x)[rows], w[rows], labels) for output, x in outputs.items()}
        compared = {output: table for output, table in tables.items() if table is not None}
        if not compared:
            continue
        found += [table.comparison(name, output, labels.test) for output, table in compared.items()]
        permuted += _permuted(list(compared.values()), labels.test, n_permutations, random)
    if not found:
        raise DataError("one_discriminant: no process has enough test events and others to compare.")
    fisher = -2.0 * float(sum(np.log(max(one.p_value, 1e-300)) for one in found))
    mean, variance = float(permuted.mean()), float(permuted.var(ddof=1))
    p_value = float(stats.chi2.sf(fisher * 2.0 * mean / variance, 2.0 * mean**2 / variance))
    return OneDiscriminant(tuple(found), fisher, p_value)


def uniformity(p_values: Sequence[float]) -> float:
    """Kolmogorov–Smirnov probability that p-values of several seeds are uniform.

    >>> round(uniformity([0.1, 0.3, 0.5, 0.7, 0.9]), 2) > 0.9, uniformity([1e-5] * 5) < 1e-6
    (True, True)
    """
    return float(stats.kstest(p_values, "uniform").pvalue)


@dataclass(frozen=True)
class _Labels:
    """Generated events of one process, and which are of the test part."""

    unit: NDArray[np.intp]
    test: NDArray[np.bool_]

    @classmethod
    def of(cls, identity: NDArray[np.generic], is_test: NDArray[np.bool_]) -> "_Labels":
        events, unit = np.unique(identity, return_inverse=True)
        test = np.zeros(len(events), np.bool_)
        test[unit] = is_test
        if not np.array_equal(test[unit], is_test):
            raise DataError("one_discriminant: a generated event is in the test part and outside of it.")
        return cls(unit, test)


@dataclass(frozen=True)
class _Table:
    """Sums of weights of one output by generated event and bin.

    Attributes:
        sums: shape (n_units, n_bins).
        quantiles: of the inner edges.
        factor: Cholesky factor of the covariance of the shares of all events, without the last bin.
        errors: square roots of the variances above each inner edge.
    """

    sums: csr_matrix
    quantiles: tuple[float, ...]
    factor: tuple[Floats, bool]
    errors: Floats

    @classmethod
    def of(cls, values: NDArray[np.generic], weights: Floats, labels: _Labels) -> "_Table | None":
        """The table; None where not even two bins can be filled."""
        n_units, x = len(labels.test), np.asarray(values, np.float64)
        totals = np.bincount(labels.unit, weights, n_units)
        square = float(totals @ totals)
        smaller = min(labels.test.mean(), 1.0 - labels.test.mean()) if n_units else 0.0
        expected = smaller * float(totals.sum()) ** 2 / square if square else 0.0
        edges, quantiles = _edges(x, weights, expected)
        if not quantiles:
            return None
        bins = np.searchsorted(edges, x, side="right")
        sums = csr_matrix((weights, (labels.unit, bins)), shape=(n_units, len(edges) + 1))
        sums.sum_duplicates()
        shares = np.asarray(sums.sum(axis=0)).ravel() / totals.sum()
        covariance, squares = np.zeros((len(shares), len(shares))), np.zeros(len(shares) - 1)
        for first in range(0, n_units, _UNITS):
            some = slice(first, first + _UNITS)
            influence = (sums[some].toarray() - shares * totals[some, None]) / totals.sum()
            covariance += influence.T @ influence
            tails = influence[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
            squares += np.sum(tails * tails, axis=0)
        return cls(sums, quantiles, cho_factor(covariance[:-1, :-1]), np.sqrt(squares))

    def differences(self, test: Floats) -> tuple[Floats, Floats]:
        """Share of test events less that of the others by bin, and what the covariance is multiplied by.

        Args:
            test: 1 for test events, 0 for others, one row a labelling, shape (n_labels, n_units).
        """
        total = np.asarray(self.sums.sum(axis=0)).ravel()
        chosen = np.asarray(test @ self.sums)
        rest = total - chosen
        one, two = chosen.sum(axis=1), rest.sum(axis=1)
        part, whole = test.mean(axis=1), total.sum()
        factor = part * (whole / one) ** 2 + (1.0 - part) * (whole / two) ** 2
        return chosen / one[:, None] - rest / two[:, None], factor

    def chi2(self, test: Floats) -> Floats:
        """χ² of each labelling, shape (n_labels,)."""
        difference, factor = self.differences(test)
        delta = difference[:, :-1]
        solved = cho_solve(self.factor, delta.T)
        return np.asarray(np.sum(delta.T * solved, axis=0) / factor, np.float64)

    def p_values(self, chi2: Floats) -> Floats:
        """Probability of each χ²."""
        return np.asarray(stats.chi2.sf(chi2, self.sums.shape[1] - 1), np.float64)

    def comparison(self, process: str, output: str, test: NDArray[np.bool_]) -> Comparison:
        """What the true labels give."""
        label = test.astype(np.float64)[None]
        chi2 = self.chi2(label)
        difference, factor = self.differences(label)
        above = difference[0][::-1].cumsum()[::-1][1:]
        errors = self.errors * np.sqrt(factor[0])
        tails = list(zip(self.quantiles, above.tolist(), errors.tolist(), strict=True))[-3:]
        return Comparison(
            process=process,
            output=output,
            chi2=float(chi2[0]),
            n_dof=self.sums.shape[1] - 1,
            p_value=float(self.p_values(chi2)[0]),
            above={quantile: (value, error) for quantile, value, error in tails},
        )


def _edges(values: Floats, weights: Floats, expected: float) -> tuple[Floats, tuple[float, ...]]:
    """Inner edges of bins in which the smaller part expects enough events, and their quantiles."""
    order = np.argsort(values, kind="stable")
    size = np.abs(weights[order])
    below = np.cumsum(size) / max(float(size.sum()), 1e-300)
    edges, quantiles, last = list[float](), list[float](), 0.0
    for quantile in QUANTILES:
        enough = min(quantile - last, 1.0 - quantile) * expected >= LEAST_EVENTS
        if not enough:
            continue
        edge = float(values[order][min(int(np.searchsorted(below, quantile)), len(values) - 1)])
        if edge > values[order[0]] and (not edges or edge > edges[-1]):
            edges.append(edge)
            quantiles.append(quantile)
            last = quantile
    return np.asarray(edges), tuple(quantiles)


def _permuted(
    tables: Sequence[_Table], test: NDArray[np.bool_], n_permutations: int, random: np.random.Generator
) -> Floats:
    """−2 Σ ln p over the outputs of one process, of permuted labels, shape (n_permutations,)."""
    sums = []
    for labels in _labellings(test, n_permutations, random):
        p_values = [table.p_values(table.chi2(labels)) for table in tables]
        sums.append(-2.0 * np.sum(np.log(np.maximum(p_values, 1e-300)), axis=0))
    return np.concatenate(sums)


def _labellings(
    test: NDArray[np.bool_], n_permutations: int, random: np.random.Generator
) -> Iterator[Floats]:
    together = max(min(_CHUNK, _CHUNK * _UNITS // max(test.size, 1)), 1)
    for first in range(0, n_permutations, together):
        n = min(together, n_permutations - first)
        yield random.permuted(np.tile(test.astype(np.float64), (n, 1)), axis=1)
