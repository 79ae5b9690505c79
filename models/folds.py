"""Folds and the test part, from the identity of an event: never from the order of rows."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError
from znought.identity import event_identity, uniform

__all__ = ["UNTRAINED", "assign_folds", "is_stop", "is_test"]

UNTRAINED = -1
"""Fold of every event that no network was trained on: test part, data, untrained processes."""


def assign_folds(
    run: ArrayLike, luminosity_block: ArrayLike, event: ArrayLike, *, n_folds: int, salt: str
) -> NDArray[np.int8]:
    """Fold of every event, 0 … n_folds − 1, equal for all detector responses of one event.

    Args:
        run, luminosity_block, event: integers, shape (n_events,).
        n_folds: number of folds K, 2 … 127.
        salt: names the assignment; another salt gives independent folds.

    Returns:
        int8, shape (n_events,).

    Raises:
        CardError: n_folds outside 2 … 127.

    >>> assign_folds([1, 1, 1], [7, 7, 7], [42, 43, 42], n_folds=5, salt="vh").tolist()
    [1, 1, 1]
    """
    if not 2 <= n_folds <= 127:
        raise CardError(f"n_folds: expected 2 … 127. Received: {n_folds}.")
    mixed = event_identity(run, luminosity_block, event, salt=f"{salt}/fold")
    return (mixed % np.uint64(n_folds)).astype(np.int8)


def is_test(
    run: ArrayLike, luminosity_block: ArrayLike, event: ArrayLike, *, fraction: float, salt: str
) -> NDArray[np.bool_]:
    """Whether an event belongs to the test part, which no training, search or scaler ever sees.

    Args:
        run, luminosity_block, event: integers, shape (n_events,).
        fraction: expected part of the events, 0 ≤ fraction < 1.
        salt: the same as for the folds; the two decisions are independent all the same.

    Raises:
        CardError: fraction outside [0, 1).

    >>> is_test([1] * 4, [1] * 4, [1, 2, 3, 2], fraction=0.5, salt="vh").tolist()
    [True, True, False, True]
    """
    if not 0.0 <= fraction < 1.0:
        raise CardError(f"test_fraction: expected 0 ≤ fraction < 1. Received: {fraction}.")
    return uniform(run, luminosity_block, event, salt=f"{salt}/test") < fraction


def is_stop(identity: NDArray[np.uint64], *, fold: int, fraction: float, salt: str) -> NDArray[np.bool_]:
    """Whether a training event is held back to decide when the training of `fold` stops.

    The caller restricts it to the training folds: the scored fold never decides.

    >>> is_stop(np.arange(6, dtype=np.uint64), fold=0, fraction=0.5, salt="vh").shape
    (6,)
    """
    zeros = np.zeros(identity.shape, dtype=np.uint64)
    return uniform(identity, zeros, zeros, salt=f"{salt}/stop/{fold}") < fraction
