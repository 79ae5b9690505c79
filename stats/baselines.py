"""Edges that others use: equal widths, equal contents and ATLAS' transformation D."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError
from znought.stats.bins import Columns

__all__ = ["equal_background", "equal_quantile", "equal_width", "transformation_d"]

Floats = NDArray[np.float64]


def equal_width(n_bins: int, *, lower: float = 0.2, upper: float = 1.0) -> Floats:
    """Edges of bins of one width.

    >>> equal_width(4, lower=0.0).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    _checked(n_bins)
    return np.linspace(lower, upper, n_bins + 1)


def equal_quantile(
    scores: ArrayLike, weights: ArrayLike, n_bins: int, *, lower: float = 0.2, upper: float = 1.0
) -> Floats:
    """Edges of bins that hold equal weights, of whatever events are given.

    Raises:
        DataError: no positive weight in the range.
        CardError: fewer than one bin.
    """
    _checked(n_bins)
    x, w = np.asarray(scores, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    return _contents_from_above(x, w, n_bins, lower, upper)


def equal_background(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    n_bins: int,
    *,
    lower: float = 0.2,
    upper: float = 1.0,
) -> Floats:
    """Edges of bins with equal expected background.

    Raises:
        DataError: no positive background in the range.
        CardError: fewer than one bin.
    """
    return transformation_d(
        scores, weights, is_signal, z_signal=0, z_background=n_bins, lower=lower, upper=upper
    )


def transformation_d(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    *,
    z_signal: int = 5,
    z_background: int = 5,
    lower: float = 0.2,
    upper: float = 1.0,
) -> Floats:
    """Edges of ATLAS' transformation D, of z_signal + z_background bins.

    From the top, a bin ends where z_s n_s/N_s + z_b n_b/N_b reaches 1, n the contents of the bin and
    N those of the whole range. Here it is evaluated event by event instead of on a fine histogram.

    Raises:
        DataError: no positive signal or background in the range.
        CardError: fewer than one bin.

    References:
        ATLAS VH(bb), arXiv:1409.6212 and 1708.03299.
    """
    n_bins = z_signal + z_background
    _checked(n_bins)
    if min(z_signal, z_background) < 0:
        raise CardError(f"z_signal, z_background must not be negative. Received: {z_signal}, {z_background}.")
    columns = Columns.checked(scores, weights, is_signal, None)
    x, w = columns.scores.astype(np.float64), columns.weights.astype(np.float64)
    inside = (x >= lower) & (x <= upper)
    share = np.zeros(x.size)
    for name, kind, z in (
        ("signal", columns.is_signal, z_signal),
        ("background", ~columns.is_signal, z_background),
    ):
        total = w[kind & inside].sum()
        if z and not total > 0:
            raise DataError(
                f"{name} in [{lower:g}, {upper:g}] sums to {total:g}; a positive yield is needed."
            )
        share[kind] = z * w[kind] / total if z else 0.0
    return _contents_from_above(x, share, n_bins, lower, upper)


def _contents_from_above(x: Floats, mass: Floats, n_bins: int, lower: float, upper: float) -> Floats:
    """Edges between which, from the top, equal shares of the mass lie; fewer bins where scores coincide."""
    inside = (x >= lower) & (x <= upper)
    order = np.argsort(x[inside])[::-1]
    ordered = x[inside][order]
    # Negative weights let the sum fall again; the first crossing counts.
    running = np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(mass[inside][order])]))[1:]
    if not running.size or not running[-1] > 0:
        raise DataError(f"[{lower:g}, {upper:g}] holds no positive weight.")
    levels = running[-1] * np.arange(1, n_bins) / n_bins
    inner = ordered[np.searchsorted(running, levels * (1 - 1e-12))]
    inner = inner[(inner > lower) & (inner < upper)]
    return np.unique(np.concatenate([[lower], inner, [upper]]))


def _checked(n_bins: int) -> None:
    if n_bins < 1:
        raise CardError(f"The number of bins must be at least 1. Received: {n_bins}.")
