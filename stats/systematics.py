"""From varied templates to effects a fit can use: symmetrised, smoothed, pruned."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name

__all__ = ["Effect", "Pruning", "SystematicConfig", "effect", "smoothed_ratio", "symmetrised"]

Floats = NDArray[np.float64]
Kind = Literal["up_down", "two_point"]


@dataclass(frozen=True)
class Pruning:
    """Effects below these relative sizes are dropped."""

    norm: float = 0.005
    shape: float = 0.01


@dataclass(frozen=True)
class SystematicConfig:
    """How one systematic is treated."""

    kind: Kind = "up_down"
    """``up_down``: variations <name>_up and <name>_down; ``two_point``: one alternative, <name>, whose
    full difference from the nominal is one standard deviation, mirrored."""
    symmetrise: bool = False
    """Replace both directions by half their difference; a two-point systematic always is symmetric."""
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise CardError(unknown_name("kind of systematic", self.kind, get_args(Kind)))


@dataclass(frozen=True)
class Effect:
    """One systematic on one process in one region."""

    norm: tuple[float, float] | None
    """Factors on the yield for down and up; None where it was pruned."""
    shape: tuple[Floats, Floats] | None
    """Templates for down and up with the nominal yield; None where pruned."""


def symmetrised(nominal: Floats, up: Floats, down: Floats | None) -> tuple[Floats, Floats]:
    """Down and up, at equal distance from the nominal: half the difference, or the mirrored one.

    >>> [x.tolist() for x in symmetrised(np.array([10.0]), np.array([12.0]), np.array([11.0]))]
    [[9.5], [10.5]]
    >>> [x.tolist() for x in symmetrised(np.array([10.0]), np.array([12.0]), None)]
    [[8.0], [12.0]]
    """
    half = up - nominal if down is None else (up - down) / 2
    return nominal - half, nominal + half


def smoothed_ratio(nominal: Floats, varied: Floats, sumw2: Floats) -> Floats:
    """The varied template with its ratio to the nominal smoothed; the varied yield is kept.

    Each bin's ratio becomes the average over itself and its neighbours, weighted 1 : 2 : 1 and by
    the nominal's MC precision. Bins without nominal yield stay as they are.

    Args:
        nominal, varied: templates, shape (n_bins,).
        sumw2: squared MC-statistical error of the nominal, shape (n_bins,).
    """
    filled = (nominal > 0) & (sumw2 > 0)
    ratio = np.divide(varied, nominal, out=np.ones_like(nominal), where=filled)
    precision = np.divide(nominal**2, sumw2, out=np.zeros_like(nominal), where=filled)
    kernel = np.array([1.0, 2.0, 1.0])
    pad = np.pad(precision, 1), np.pad(precision * ratio, 1)
    weight, weighted = (np.convolve(values, kernel, mode="valid") for values in pad)
    smooth = np.where(
        filled, nominal * np.divide(weighted, weight, out=np.ones_like(ratio), where=weight > 0), varied
    )
    total = smooth.sum()
    return smooth * (varied.sum() / total) if total > 0 else varied


def effect(
    nominal: Floats,
    sumw2: Floats,
    up: Floats,
    down: Floats | None,
    *,
    config: SystematicConfig,
    pruning: Pruning,
) -> Effect:
    """The treated effect, split into norm and shape.

    Args:
        nominal, sumw2: nominal template, shape (n_bins,).
        up, down: varied templates; down is None for a two-point systematic.

    Raises:
        DataError: a nominal yield that is not positive, or a variation that removes the process.
    """
    total = nominal.sum()
    if not total > 0:
        raise DataError(f"a systematic needs a positive nominal yield. Received: {total:g}.")
    if config.smooth:
        up = smoothed_ratio(nominal, up, sumw2)
        down = None if down is None else smoothed_ratio(nominal, down, sumw2)
    if config.symmetrise or down is None:
        down, up = symmetrised(nominal, up, down)
    factors = (float(down.sum() / total), float(up.sum() / total))
    if min(factors) <= 0:
        raise DataError(f"a variation changes the yield by factors {factors}; it must stay positive.")
    shapes = (np.maximum(down / factors[0], 0.0), np.maximum(up / factors[1], 0.0))
    changes = [
        np.abs(np.divide(s, nominal, out=np.ones_like(s), where=nominal > 0) - 1).max() for s in shapes
    ]
    norm = factors if max(abs(factor - 1) for factor in factors) >= pruning.norm else None
    return Effect(norm, shapes if max(changes) >= pruning.shape else None)
