"""Folds and the parts of a sample, from the identity of an event: never from the order of rows."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError
from znought.identity import event_identity, uniform

__all__ = [
    "PARTS",
    "SEARCHED",
    "UNTRAINED",
    "assign_folds",
    "is_search",
    "is_stop",
    "is_test",
    "own_folds",
    "repeat_salt",
]

UNTRAINED = -1
"""Fold of every event that no network is trained on: test part, data, untrained processes."""
SEARCHED = -2
"""Fold of the events set apart for a search: all networks may train on them, and none scores them."""
PARTS = ("training", "test", "untrained", "search")
"""What the networks have to do with an event; scores on disk hold the index."""


def repeat_salt(salt: str, repeat: int) -> str:
    """Salt of one repeat of the folds; that of repeat 0 is the card's own.

    >>> repeat_salt("vh", 0), repeat_salt("vh", 2)
    ('vh', 'vh/repeat2')
    """
    return salt if repeat == 0 else f"{salt}/repeat{repeat}"


def own_folds(
    run: ArrayLike,
    luminosity_block: ArrayLike,
    event: ArrayLike,
    *,
    n_folds: int,
    n_repeats: int,
    salt: str,
) -> NDArray[np.int8]:
    """Fold of every event in every repeat, int8, shape (n_events, n_repeats).

    Any event has one, of whatever part, process or variation: it is scored by the networks of its own
    folds, which have not seen it.

    >>> own_folds([1, 1], [7, 7], [42, 42], n_folds=5, n_repeats=3, salt="vh").tolist()
    [[1, 4, 2], [1, 4, 2]]
    """
    folds = [
        assign_folds(run, luminosity_block, event, n_folds=n_folds, salt=repeat_salt(salt, repeat))
        for repeat in range(n_repeats)
    ]
    return np.stack(folds, axis=1)


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


def is_search(
    run: ArrayLike, luminosity_block: ArrayLike, event: ArrayLike, *, fraction: float, salt: str
) -> NDArray[np.bool_]:
    """Whether an event belongs to the part that a search for hyper-parameters is judged on.

    >>> is_search([1] * 3, [1] * 3, [1, 2, 3], fraction=0.0, salt="vh").tolist()
    [False, False, False]
    """
    return uniform(run, luminosity_block, event, salt=f"{salt}/search") < fraction


def is_stop(identity: NDArray[np.uint64], *, fold: int, fraction: float, salt: str) -> NDArray[np.bool_]:
    """Whether a training event is held back to decide when the training of `fold` stops.

    The caller restricts it to the training folds: the scored fold never decides.

    >>> is_stop(np.arange(6, dtype=np.uint64), fold=0, fraction=0.5, salt="vh").shape
    (6,)
    """
    zeros = np.zeros(identity.shape, dtype=np.uint64)
    return uniform(identity, zeros, zeros, salt=f"{salt}/stop/{fold}") < fraction
