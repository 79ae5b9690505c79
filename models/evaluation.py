"""Weighted ROC curves, agreement of samples, confusion of classes.

Weights may be negative: every sum here is signed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from znought.errors import DataError

__all__ = [
    "Agreement",
    "Ranking",
    "RocCurve",
    "agreement",
    "auc",
    "confusion_matrix",
    "curve_of_sums",
    "effective_size",
    "macro_auc",
    "roc_curve",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RocCurve:
    """Signal efficiency against background efficiency as the cut on a score loosens.

    Attributes:
        background_efficiency, signal_efficiency: shape (n_points,), from (0, 0) to (1, 1).
        auc: area under the curve.
    """

    background_efficiency: Floats
    signal_efficiency: Floats
    auc: float


@dataclass(frozen=True)
class Agreement:
    """Two weighted samples of one quantity, as unit-normalised histograms and two tests.

    Attributes:
        edges: shape (n_bins + 1,); values beyond the ends count in the outermost bins.
        first, second: sums of weights per bin over the sample's total.
        first_variance, second_variance: their variances.
        ks, ks_p_value: largest distance of the weighted distribution functions, and its asymptotic
            p-value with effective sample sizes.
        chi2, ndof, chi2_p_value: of the histograms.
    """

    edges: Floats
    first: Floats
    second: Floats
    first_variance: Floats
    second_variance: Floats
    ks: float
    ks_p_value: float
    chi2: float
    ndof: int
    chi2_p_value: float


@dataclass(frozen=True)
class Ranking:
    """Order of falling scores, and the last place of every run of equal scores."""

    order: NDArray[np.intp]
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, scores: NDArray[np.floating]) -> "Ranking":
        order = np.argsort(-scores)
        ordered = scores[order]
        return cls(order, np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1))

    def curve(self, is_signal: NDArray[np.bool_], weights: Floats) -> RocCurve:
        """ROC curve of these scores; ties move both efficiencies at once."""
        ordered = weights[self.order]
        chosen = is_signal[self.order]
        signal, background = (np.where(side, ordered, 0.0) for side in (chosen, ~chosen))
        return curve_of_sums(np.cumsum(signal)[self.ends], np.cumsum(background)[self.ends])


def curve_of_sums(signal: Floats, background: Floats) -> RocCurve:
    """ROC curve of Σw above every cut, the loosest one last.

    Raises:
        DataError: no positive sum.
    """
    axes = []
    for name, sums in (("background", background), ("signal", signal)):
        if not sums[-1] > 0.0:
            raise DataError(f"roc_curve: expected a positive sum of {name} weights. Received: {sums[-1]:g}.")
        axes.append(np.concatenate([[0.0], sums / sums[-1]]))
    return RocCurve(axes[0], axes[1], float(np.trapezoid(axes[1], axes[0])))


def roc_curve(scores: NDArray[np.floating], is_signal: NDArray[np.bool_], weights: Floats) -> RocCurve:
    """Weighted ROC curve of one score.

    Args:
        scores: higher is more signal-like, shape (n_events,).
        is_signal: shape (n_events,).
        weights: signed, shape (n_events,).

    Raises:
        DataError: signal or background without a positive sum of weights.

    >>> curve = roc_curve(np.array([0.9, 0.8, 0.2]), np.array([True, False, False]), np.ones(3))
    >>> curve.auc
    1.0
    """
    if len(scores) == 0:
        raise DataError("roc_curve: no events.")
    return Ranking.of(scores).curve(np.asarray(is_signal, np.bool_), np.asarray(weights, np.float64))


def auc(scores: NDArray[np.floating], is_signal: NDArray[np.bool_], weights: Floats) -> float:
    """Area under the weighted ROC curve.

    >>> auc(np.array([0.5, 0.5]), np.array([True, False]), np.ones(2))
    0.5
    """
    return roc_curve(scores, is_signal, weights).auc


def macro_auc(
    scores: NDArray[np.floating], class_index: NDArray[np.integer], weights: NDArray[np.floating]
) -> float:
    """Mean over classes of the one-vs-rest area; scores of shape (n_events, n_classes)."""
    doubles = np.asarray(weights, np.float64)
    areas = [auc(scores[:, index], class_index == index, doubles) for index in range(scores.shape[1])]
    return float(np.mean(areas))


def effective_size(weights: Floats, identity: NDArray[np.uint64] | None = None) -> float:
    """(Σw)²/Σw², weights of one identity summed first where identities are given.

    >>> effective_size(np.ones(4)), effective_size(np.ones(4), np.array([1, 1, 2, 2], np.uint64))
    (4.0, 2.0)
    """
    summed = weights
    if identity is not None:
        summed = _sums(np.unique(identity, return_inverse=True)[1], weights, 0)
    total = float(np.sum(summed * summed))
    return float(np.sum(summed)) ** 2 / total if total else 0.0


def agreement(
    first: NDArray[np.floating],
    first_weights: Floats,
    second: NDArray[np.floating],
    second_weights: Floats,
    *,
    edges: Floats,
    sizes: tuple[float, float] | None = None,
) -> Agreement:
    """How well two weighted samples of one quantity agree, as train and test scores should.

    Args:
        first, second: values, shapes (n_first,) and (n_second,).
        first_weights, second_weights: signed.
        edges: of the histograms, ascending.
        sizes: effective sizes for the Kolmogorov test; by default those of independent events.

    Raises:
        DataError: a sample without a positive sum of weights.

    References:
        N. Gagunashvili, NIM A 614 (2010) 287: χ² of weighted histograms.
    """
    totals = float(np.sum(first_weights)), float(np.sum(second_weights))
    if not min(totals) > 0.0:
        raise DataError(
            f"agreement: expected positive sums of weights. Received: {totals[0]:g}, {totals[1]:g}."
        )
    distance = _largest_distance(first, first_weights / totals[0], second, second_weights / totals[1])
    one, two = sizes or (effective_size(first_weights), effective_size(second_weights))
    a, var_a = _histogram(first, first_weights / totals[0], edges)
    b, var_b = _histogram(second, second_weights / totals[1], edges)
    filled = (var_a + var_b) > 0.0
    chi2 = float(np.sum((a - b)[filled] ** 2 / (var_a + var_b)[filled]))
    ndof = max(int(filled.sum()) - 1, 0)
    return Agreement(
        edges=edges,
        first=a,
        second=b,
        first_variance=var_a,
        second_variance=var_b,
        ks=distance,
        ks_p_value=float(special.kolmogorov(distance * np.sqrt(one * two / (one + two)))),
        chi2=chi2,
        ndof=ndof,
        chi2_p_value=float(stats.chi2.sf(chi2, ndof)) if ndof else 1.0,
    )


def _largest_distance(
    first: NDArray[np.floating], first_weights: Floats, second: NDArray[np.floating], second_weights: Floats
) -> float:
    values = np.concatenate([first, second])
    signed = np.concatenate([first_weights, -second_weights])
    ranking = Ranking.of(values)
    return float(np.max(np.abs(np.cumsum(signed[ranking.order])[ranking.ends])))


def _histogram(values: NDArray[np.floating], weights: Floats, edges: Floats) -> tuple[Floats, Floats]:
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], -np.inf))
    bins = np.searchsorted(edges, inside, side="right") - 1
    n_bins = len(edges) - 1
    return _sums(bins, weights, n_bins), _sums(bins, weights * weights, n_bins)


def confusion_matrix(
    scores: NDArray[np.floating], class_index: NDArray[np.integer], weights: Floats
) -> Floats:
    """Sums of weights by true class (row) and class of the highest score (column).

    >>> confusion_matrix(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), np.array([2.0, 3.0])).tolist()
    [[2.0, 0.0], [3.0, 0.0]]
    """
    n_classes = scores.shape[1]
    cell = class_index * n_classes + np.argmax(scores, axis=1)
    return _sums(cell, weights, n_classes * n_classes).reshape(n_classes, n_classes)


def _sums(groups: NDArray[np.integer], weights: Floats, n_groups: int) -> Floats:
    sums: Floats = np.bincount(groups, weights=weights, minlength=n_groups).astype(np.float64)
    return sums
