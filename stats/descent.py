"""Scoring steps that bring a fit close to its minimum before Minuit takes over.

Correlated parameters cost Minuit a hundred gradients; Fisher's scoring with the exact form of a binned
likelihood needs about ten.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyhf
from numpy.typing import NDArray

__all__ = ["Measurements", "descend", "measurements"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEPS = 40
_GAIN = 1e-8
"""In −2 ln L below which no further step is taken."""
_LENGTHS = 0.5 ** np.arange(12)


@dataclass(frozen=True)
class Measurements:
    """Main and auxiliary data and the form of their densities, shape (n_data,)."""

    counts: Floats
    gaussian: Mask
    widths: Floats
    """Of the Gaussian ones; 1 elsewhere."""


def measurements(model: pyhf.Model, counts: list[float]) -> Measurements:
    """What a model's data are, in the order in which pyhf has them."""
    config = model.config
    gaussian, widths = [False] * config.nmaindata, [1.0] * config.nmaindata
    for name in config.auxdata_order:
        group = config.param_set(name)
        normal = group.pdf_type == "normal"
        gaussian += [normal] * group.n_parameters
        widths += (
            np.asarray(group.width(), dtype=np.float64).tolist() if normal else [1.0] * group.n_parameters
        )
    return Measurements(np.asarray(counts, np.float64), np.array(gaussian), np.array(widths))


def descend(
    point: Floats,
    free: Mask,
    low: Floats,
    sigma: Floats,
    *,
    data: Measurements,
    expected: Callable[[Floats], Floats],
    nll: Callable[[Floats], Floats],
) -> Floats:
    """A point near the minimum, or the best that was found, shape (n_parameters,).

    With the expectations λ of all measurements and their derivatives J, the gradient of −2 ln L is
    2 Jᵀ(λ − n)/v and its expected curvature 2 Jᵀ J/v, v = λ for Poisson and σ² for Gaussian densities.
    Parameters that would leave their bound stay there.

    Args:
        point, low, sigma: start, lower bounds and scales of the parameters.
        free: parameters that may move.
        data: what was measured.
        expected: (n_points, n_parameters) → (n_points, n_data).
        nll: −2 ln L, (n_points, n_parameters) → (n_points,).
    """
    now = float(nll(point[None])[0])
    for _ in range(_STEPS):
        step = _step(point, free, low, sigma, data=data, expected=expected)
        trials = np.maximum(point - _LENGTHS[:, None] * step, low)
        values = nll(trials)
        best = int(np.argmin(values))
        gain = now - float(values[best])
        if not gain > 0:
            break
        point, now = trials[best], float(values[best])
        if gain < _GAIN:
            break
    return point


def _step(
    point: Floats,
    free: Mask,
    low: Floats,
    sigma: Floats,
    *,
    data: Measurements,
    expected: Callable[[Floats], Floats],
) -> Floats:
    moving = np.flatnonzero(free)
    change = np.zeros((moving.size, point.size))
    change[np.arange(moving.size), moving] = 1e-2 * sigma[moving]
    here, *around = expected(np.vstack([point, point + change, point - change]))
    up, down = np.array(around[: moving.size]), np.array(around[moving.size :])
    slopes = (up - down) / (2e-2 * sigma[moving, None])
    variance = np.where(data.gaussian, data.widths**2, np.maximum(here, 1e-9))
    gradient = slopes @ ((here - data.counts) / variance)
    # In units of each parameter's own scale, so that the ridge means the same for all.
    scaled = slopes * sigma[moving, None]
    curvature = (scaled / variance) @ scaled.T + 1e-9 * np.eye(moving.size)
    stuck = (point[moving] <= low[moving]) & (gradient > 0)
    curvature[stuck], curvature[:, stuck] = 0.0, 0.0
    curvature[stuck, stuck] = 1.0
    step = np.zeros_like(point)
    step[moving] = sigma[moving] * np.linalg.solve(curvature, np.where(stuck, 0.0, gradient * sigma[moving]))
    return step
