"""The likelihood against two coefficients at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from znought.errors import DataError
from znought.stats.eft.likelihood import LikelihoodModel, Observation

__all__ = ["Contour", "contour"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contour:
    """−2 Δln L over a grid of two coefficients, all nuisance parameters profiled."""

    names: tuple[str, str]
    x: Floats
    """Values of the first coefficient, shape (n_x,)."""
    y: Floats
    t: Floats
    """−2 Δln L, shape (n_x, n_y)."""
    thresholds: dict[float, float]
    """Confidence level → χ²₂ quantile, where to draw the line."""

    def area(self, level: float) -> float:
        """Area within a contour: grid cells whose centre lies inside."""
        cell = (self.x[1] - self.x[0]) * (self.y[1] - self.y[0])
        return float(cell * (self.t <= self.thresholds[level]).sum())


def contour(
    model: LikelihoodModel,
    data: Observation | None = None,
    *,
    x: ArrayLike,
    y: ArrayLike,
    levels: tuple[float, ...] = (0.68, 0.95),
) -> Contour:
    """Scan of the first two coefficients on a regular grid.

    Raises:
        DataError: a model of one coefficient, more than one observation, points outside the validity.
    """
    if len(model.names) != 2:
        raise DataError(f"Expected a model of two coefficients. Received: {', '.join(model.names)}.")
    observed = model.asimov() if data is None else data
    if len(observed.counts) != 1:
        raise DataError(f"Expected one observation. Received: {len(observed.counts)}.")
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    grid = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1)
    t = model.profile(observed, grid.reshape(-1, 2))[0].reshape(grid.shape[:2])
    thresholds = {level: float(chi2.ppf(level, 2)) for level in levels}
    names = (model.names[0], model.names[1])
    return Contour(names, first, second, t - t.min(), thresholds)
