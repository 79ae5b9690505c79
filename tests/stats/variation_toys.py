"""Simulated events under a variation whose true effect is known exactly."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from znought.stats.paired import BinnedEvents

Floats = NDArray[np.float64]
Shape = Callable[[Floats], Floats]
N_BINS = 20
MOVE = 0.0167  # step of the discriminant in its normal quantile


def slope(x: Floats) -> Floats:
    return 0.1 * (2 * x - 1)


def bump(x: Floats) -> Floats:
    return np.where((x >= 0.6) & (x < 0.65), 0.3, 0.0)


def flat(x: Floats) -> Floats:
    return 0.0 * x


def truth(shape: Shape, *, total: float = 1.0) -> Floats:
    """The true difference in each bin for a nominal yield `total`."""
    fine = (np.arange(N_BINS * 1000) + 0.5) / (N_BINS * 1000)
    return np.asarray(total * shape(fine).reshape(N_BINS, 1000).mean(axis=1) / N_BINS)


def toy(shape: Shape, n_events: int, seed: int) -> tuple[BinnedEvents, BinnedEvents, BinnedEvents]:
    """Nominal, up and down: uniform in the region, of total yield 1 on average.

    A move in the normal quantile by a random step leaves the density as it is, so that the weights
    1 ± shape are the whole effect and the moves are all noise; a fifth of the events lies outside and may
    come in.
    """
    rng = np.random.default_rng(seed)
    rows = rng.poisson(n_events / 0.8)
    z, step = rng.standard_normal((2, rows))
    keep, move = np.sqrt(1 - MOVE**2), MOVE
    places = [(ndtr(q) - 0.2) / 0.8 for q in (z, keep * z + move * step, keep * z - move * step)]
    parts = []
    for x, sign in zip(places, (0, 1, -1), strict=True):
        bins = np.where(x < 0, -1, np.minimum(x * N_BINS, N_BINS - 1)).astype(np.int64)
        parts.append(BinnedEvents(np.arange(rows), bins, (1 + sign * shape(x)) / n_events))
    return parts[0], parts[1], parts[2]
