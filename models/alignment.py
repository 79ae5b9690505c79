"""Outputs of several networks on one scale: quantiles of each class in the parts that stop the trainings.

Networks of the same settings differ in how far their outputs reach. Where that is not wanted, each
output c of a network is mapped, rising, so that the quantiles of the events of class c come to lie at
their mean over all networks. The part that stops a training has no scored event in it.
"""

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["PROBABILITIES", "aligned", "class_quantiles", "common_quantiles"]

Floats = NDArray[np.float64]
PROBABILITIES = np.linspace(0.0, 1.0, 51)
"""Where the distributions of two networks are made equal."""


def class_quantiles(
    scores: NDArray[np.floating], class_index: NDArray[np.integer], weights: NDArray[np.floating]
) -> Floats:
    """Weighted quantiles of each output among the events of its own class, shape (n_classes, 51).

    Args:
        scores: shape (n_events, n_classes).
        class_index, weights: shape (n_events,).

    Raises:
        DataError: a class without positive weight.

    >>> found = class_quantiles(np.array([[0.2], [0.4]]), np.array([0, 0]), np.ones(2))
    >>> found[0, [0, 25, 50]].round(3).tolist()
    [0.2, 0.3, 0.4]
    """
    found = np.empty((scores.shape[1], len(PROBABILITIES)))
    for index in range(scores.shape[1]):
        rows = class_index == index
        order = np.argsort(scores[rows, index], kind="stable")
        values, size = scores[rows, index][order].astype(np.float64), np.abs(weights[rows])[order]
        total = float(size.sum(dtype=np.float64))
        if not total > 0.0:
            raise DataError(f"Class {index}: expected positive weight in the part that stops the training.")
        middle = (np.cumsum(size, dtype=np.float64) - 0.5 * size) / total
        found[index] = np.interp(PROBABILITIES, middle, values)
    return found


def common_quantiles(quantiles: Floats) -> Floats:
    """Mean quantiles over networks, (n_classes, 51) from (n_networks, n_classes, 51)."""
    return np.asarray(np.mean(quantiles, axis=0), np.float64)


def aligned(scores: NDArray[np.float32], own: Floats, target: Floats) -> NDArray[np.float32]:
    """Scores of one network on the common scale, shape (n_events, n_classes); they need not sum to one.

    Args:
        scores: shape (n_events, n_classes).
        own, target: quantiles of the network and the common ones, shape (n_classes, 51).

    >>> own, target = np.linspace(0.1, 0.5, 51)[None], np.linspace(0.2, 0.6, 51)[None]
    >>> aligned(np.array([[0.3]], np.float32), own, target).round(3).tolist()
    [[0.4000000059604645]]
    """
    found = np.empty_like(scores)
    for index in range(scores.shape[1]):
        # 0 and 1 stay where they are, and nothing below the lowest quantile changes its order.
        before = np.maximum.accumulate(np.concatenate([[0.0], own[index], [1.0]]))
        after = np.maximum.accumulate(np.concatenate([[0.0], target[index], [1.0]]))
        found[:, index] = np.interp(scores[:, index], before, after)
    return found
