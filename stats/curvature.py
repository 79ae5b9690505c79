"""Covariance of fitted parameters from the second differences of −2 ln L, many points at once.

Minuit's Hesse gives none where a fit begins exactly at its minimum, as eight of a thousand did.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["covariance_at", "step_sizes"]

Floats = NDArray[np.float64]

_STEP = 0.1
"""In standard deviations of each parameter with all others known."""


def covariance_at(
    nll: Callable[[Floats], Floats], point: Floats, moving: NDArray[np.intp], step: Floats
) -> Floats:
    """2 H⁻¹ of −2 ln L at its minimum, shape (n_parameters, n_parameters); zero for parameters that are held.

    The second derivatives are symmetric differences,
    [f(+i+j) + f(−i−j) − f(+i) − f(−i) − f(+j) − f(−j) + 2 f] / (2 hᵢ hⱼ).

    Args:
        nll: −2 ln L, (n_points, n_parameters) → (n_points,).
        point: the minimum, shape (n_parameters,).
        moving: indices of parameters that are free and not at a bound.
        step: differences hᵢ of all parameters, shape (n_parameters,).

    Raises:
        DataError: the likelihood has no minimum there.
    """
    n = moving.size
    covariance = np.zeros((point.size, point.size))
    if not n:
        return covariance
    shifts = np.zeros((n, point.size))
    shifts[np.arange(n), moving] = step[moving]
    rows, columns = np.tril_indices(n, -1)
    pairs = shifts[rows] + shifts[columns]
    values = nll(np.vstack([point, point + shifts, point - shifts, point + pairs, point - pairs]))
    here, up, down = values[0], values[1 : n + 1], values[n + 1 : 2 * n + 1]
    both, neither = np.split(values[2 * n + 1 :], 2)
    single = up + down
    hessian = np.diag(single - 2 * here)
    mixed = (both + neither - single[rows] - single[columns] + 2 * here) / 2
    hessian[rows, columns], hessian[columns, rows] = mixed, mixed
    scale = step[moving]
    try:
        # Positive definite, or no minimum.
        np.linalg.cholesky(hessian)
        inverse = 2 * np.linalg.inv(hessian) * np.outer(scale, scale)
    except np.linalg.LinAlgError as failure:
        raise DataError("the likelihood is flat beside its minimum: no errors exist.") from failure
    covariance[np.ix_(moving, moving)] = inverse
    return covariance


def step_sizes(point: Floats, low: Floats, sigma: Floats) -> Floats:
    """Differences for `covariance_at`: a tenth of a standard deviation, or half-way to a bound.

    Args:
        point, low, sigma: the minimum, lower bounds and scales of the parameters.
    """
    return np.asarray(np.minimum(_STEP * sigma, np.maximum((point - low) / 2, 1e-12)), dtype=np.float64)
