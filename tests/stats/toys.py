"""Toy samples with known shapes, shared by the tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from znought.stats.significance import asimov_z0, quadrature_sum

SIGNAL_YIELD = 100.0
BACKGROUND_YIELD = 4000.0


@dataclass(frozen=True)
class Toy:
    scores: NDArray[np.float64]
    weights: NDArray[np.float64]
    is_signal: NDArray[np.bool_]
    identity: NDArray[np.int64]


def toy(n: int, seed: int, *, spread: float = 0.0, negative: float = 0.0, responses: int = 1) -> Toy:
    """Beta(4, 2) signal over beta(2, 3) background in [0, 1], n rows, half of each kind.

    Args:
        spread: relative spread of the weights.
        negative: share of negative weights.
        responses: rows of one identity; they share their discriminant but for a small smearing.
    """
    rng = np.random.default_rng(seed)
    half = n // 2 // responses
    true = np.concatenate([rng.beta(4, 2, half), rng.beta(2, 3, half)]).repeat(responses)
    scores = true if responses == 1 else np.clip(true + rng.normal(0, 0.02, true.size), 0, 1)
    is_signal = np.arange(true.size) < true.size // 2
    sign = np.where(rng.random(true.size) < negative, -1.0, 1.0)
    share = (1 - 2 * negative) * true.size / 2
    weights = np.where(is_signal, SIGNAL_YIELD, BACKGROUND_YIELD) / share * sign
    weights *= rng.normal(1.0, spread, true.size) if spread else 1.0
    return Toy(scores, weights, is_signal, np.arange(true.size) // responses)


def true_z(edges: NDArray[np.float64], *, sigma_rel: float = 0.10) -> float:
    """Z0 of given bins in the limit of infinite simulation."""
    signal = SIGNAL_YIELD * np.diff(beta.cdf(edges, 4, 2))
    background = BACKGROUND_YIELD * np.diff(beta.cdf(edges, 2, 3))
    return quadrature_sum(asimov_z0(signal, background, sigma_rel * background))
