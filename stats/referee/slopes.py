"""Whether a background of another shape than simulated would move μ, and whether control regions would tell.

A χ² of all bins does not: a slope of 50 % in one background of many moves it by little, and μ by much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.inference import fit_workspace
from znought.stats.referee.record import Check, Verdict
from znought.stats.spec import Spec

__all__ = ["SLOPE", "ControlBins", "MeasuredSlope", "Slope", "measured_slope", "shift_of_mu", "slopes_check"]

Floats = NDArray[np.float64]
SLOPE = 0.5
"""From 1 − slope at the lower end of the discriminant to 1 + slope at its upper end."""
LIMIT = 0.3
"""Shift of μ over its error."""
_KNOWN = 2.5
"""Standard deviations from no slope at which data show one."""


@dataclass(frozen=True)
class ControlBins:
    """Data and expectation of control regions in bins of the discriminant; arrays of shape (n_bins,).

    Attributes:
        data: counts.
        process: expectation of the process whose slope is asked for.
        tilted: Σ w t of the process, t from −1 to 1 over the range of the discriminant.
        others: name → expectation of what floats beside it, or of all the rest.
        sumw2: squared MC-statistical error of the sum.
    """

    data: Floats
    process: Floats
    tilted: Floats
    others: Mapping[str, Floats]
    sumw2: Floats


@dataclass(frozen=True)
class MeasuredSlope:
    """A slope in control regions.

    Attributes:
        value, error: of the slope.
        sigma: standard deviations from none; the error itself grows or shrinks with the slope.
    """

    value: float
    error: float
    sigma: float


@dataclass(frozen=True)
class Slope:
    """What a slope of one background does, and how well data know it.

    Attributes:
        process: name.
        shift: Δμ over its error for a slope of `SLOPE`.
        measured: in control regions; None without data.
    """

    process: str
    shift: float
    measured: MeasuredSlope | None = None

    @property
    def moved(self) -> tuple[float, float]:
        """|Δμ|/σ of the measured slope, and its error; the whole of `shift` without data."""
        if self.measured is None:
            return abs(self.shift), float("inf")
        per_slope = abs(self.shift) / SLOPE
        return per_slope * abs(self.measured.value), per_slope * self.measured.error

    @property
    def verdict(self) -> Verdict:
        """Pass where no slope matters or data exclude one that does; fail where data show one."""
        if abs(self.shift) < LIMIT:
            return "pass"
        moved, error = self.moved
        if self.measured is None or not np.isfinite(error):
            return "warn"
        if moved >= LIMIT and abs(self.measured.sigma) > _KNOWN:
            return "fail"
        return "pass" if moved + error < LIMIT else "warn"


def shift_of_mu(spec: Spec, tilted: Mapping[str, Floats], *, slope: float = SLOPE) -> float:
    """(μ̂ − 1)/σ where one background has a slope that the likelihood does not know.

    Data are the Asimov ones with slope × Σ w t added, control regions included.

    Args:
        spec: workspace.
        tilted: channel → Σ w t of the background, t from −1 to 1, shape (n_bins,).
        slope: relative, at the ends.

    Raises:
        DataError: the fit did not converge, or a bin without expectation.
    """
    copy: dict[str, Any] = {**spec}
    channels: list[dict[str, Any]] = copy["channels"]
    copy["observations"] = [
        {"name": channel["name"], "data": _observed(channel, tilted, slope)} for channel in channels
    ]
    found = fit_workspace(copy, data="observed")
    error = 0.5 * (found.mu_high - found.mu_low)
    return (found.mu - 1.0) / error


def _observed(channel: Mapping[str, Any], tilted: Mapping[str, Floats], slope: float) -> list[float]:
    expected = np.sum([sample["data"] for sample in channel["samples"]], axis=0)
    moved = expected + slope * tilted.get(channel["name"], np.zeros_like(expected))
    return np.maximum(moved, 0.0).tolist()  # type: ignore[no-any-return]  # numpy says Any


def measured_slope(bins: ControlBins) -> MeasuredSlope | None:
    """Slope of one background in control regions, all normalisations free.

    Least squares of n = θ (p + a Σwt) + Σ θₖ oₖ with V = diag(m) + Σw², linearised in θ a.

    Args:
        bins: data and expectations.

    Returns:
        None where data do not determine it.

    >>> x = np.linspace(-0.9, 0.9, 10); p, o = 100 + 0 * x, 50 * x**2
    >>> data = 1.2 * (p + 0.5 * p * x) + o
    >>> found = measured_slope(ControlBins(data, p, p * x, {"rest": o}, 0 * x))
    >>> round(found.value, 6), round(found.error, 2)
    (0.5, 0.06)
    """
    columns = np.stack([bins.process, bins.tilted, *bins.others.values()], axis=1)
    expected = bins.process + sum(bins.others.values())
    used = expected > 0
    if used.sum() <= columns.shape[1] or not bins.data.sum() > 0:
        return None
    scale = float(bins.data.sum() / expected.sum())
    for _ in range(3):
        weight = np.where(used, 1.0 / np.maximum(scale * expected + bins.sumw2, 1e-12), 0.0)
        matrix = columns.T @ (columns * weight[:, None])
        if np.linalg.matrix_rank(matrix) < len(matrix):
            return None
        covariance = np.linalg.inv(matrix)
        best = covariance @ (columns.T @ (weight * bins.data))
        expected, scale = np.maximum(columns @ best, 1e-3), 1.0
    norm = float(best[0])
    if not norm > 2.0 * np.sqrt(covariance[0, 0]):
        return None
    slope = float(best[1]) / norm
    gradient = np.array([-slope, 1.0]) / norm
    error = float(np.sqrt(gradient @ covariance[:2, :2] @ gradient))
    return MeasuredSlope(slope, error, float(best[1] / np.sqrt(covariance[1, 1])))


def slopes_check(slopes: Sequence[Slope]) -> Check:
    """No background has, as far as data know, a slope in the discriminant that moves μ by 0.3 of its error.

    Args:
        slopes: of every background.

    Raises:
        DataError: there is none.
    """
    if not slopes:
        raise DataError("slopes_check needs at least one background.")
    order = {"fail": 2, "warn": 1, "pass": 0, "not applicable": 0}
    first = max(slopes, key=lambda one: (order[one.verdict], one.moved[0]))
    moved, error = first.moved
    known = "no data of control regions tell"
    if first.measured is not None:
        one = first.measured
        known = f"{one.value:+.2f} ± {one.error:.2f} measured, {abs(one.sigma):.1f} σ from none; "
        known += f"|Δμ|/σ = {moved:.2f} ± {error:.2f}"
    visible = {
        one.process: _KNOWN * one.measured.error for one in slopes if one.measured and abs(one.shift) >= LIMIT
    }
    return Check(
        name="slope of a background",
        tested=f"μ with a slope of ±{SLOPE:.0%} in each of {len(slopes)} backgrounds, and in data",
        verdict=first.verdict,
        measured=f"{first.process}: Δμ/σ = {first.shift:+.2f} for {SLOPE:+.0%}; {known}",
        value=moved,
        limit=LIMIT,
        advice="Bin the control regions in the discriminant, or give the slope a parameter of its own.",
        unseen=", ".join(f"slopes of {name} below {size:.2f}" for name, size in visible.items()),
        parts={one.process: (one.shift, SLOPE) for one in slopes}
        | {
            f"{one.process}, data": (one.measured.value, one.measured.error)
            for one in slopes
            if one.measured is not None
        },
    )
