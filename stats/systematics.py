"""From varied templates to effects a fit can use: symmetrised, smoothed, pruned."""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.envelopes import WeightSet

__all__ = ["Effect", "Pruning", "SystematicConfig", "effect", "smoothed_ratio", "symmetrised"]

Floats = NDArray[np.float64]
Kind = Literal["up_down", "one_sided", "two_point", "weights"]
Smoothing = Literal["polynomial", "neighbours", "none"]
Axis = Literal["process", "region", "era"]
Part = Literal["both", "norm", "shape"]
Side = Literal["up", "down"]


_NOTHING = 1e-9


@dataclass(frozen=True)
class Pruning:
    """Effects below these relative sizes are dropped."""

    norm: float = 0.005
    """Change of a process's yield in a region."""
    shape: float = 0.01
    """Largest change of a bin, at the nominal yield."""


@dataclass(frozen=True)
class SystematicConfig:
    """How one systematic is treated."""

    kind: Kind = "up_down"
    """``up_down``: variations <name>_up and <name>_down; ``one_sided``: that of ``side``, mirrored;
    ``two_point``: one alternative, <name>, whose full difference from the nominal is one standard
    deviation, mirrored; ``weights``: an envelope of the set of ``weights``."""
    side: Side = "up"
    """Of a one-sided systematic: the direction that there is."""
    symmetrise: bool = False
    """Replace both directions by half their difference; a two-point systematic always is symmetric."""
    smoothing: Smoothing = "polynomial"
    """``polynomial``: (up − down)/2 by its paired errors, where there are events (`znought.stats.treatment`);
    ``neighbours``: each direction's ratio over 1 : 2 : 1 neighbours; ``none``: as the events have it."""
    processes: tuple[str, ...] = ()
    """Those that it acts on; empty for all."""
    regions: tuple[str, ...] = ()
    """Those that it acts in; empty for all."""
    decorrelate: tuple[Axis, ...] = ()
    """One parameter for each process, region or era instead of a common one."""
    separate: bool = False
    """Change of the yield and change of the shape have parameters of their own."""
    part: Part = "both"
    """``norm`` or ``shape`` keeps that part of the effect alone."""
    extrapolate_from: str = ""
    """Control region that measures the rate: elsewhere the yield changes by its ratio to this region only."""
    weight: str = ""
    """Two-point: weight column of the alternative, beside the nominal one."""
    datasets: dict[str, str] = field(default_factory=dict)
    """Two-point: nominal dataset → the dataset that stands in its place in the alternative."""
    pruned: bool = True
    """Left out where it is below the limits of pruning; kept however small where not, as of luminosities."""
    weights: WeightSet | None = None
    """Kind ``weights``: scales, parton distributions, α_s or showers, and how they combine."""

    def __post_init__(self) -> None:
        for what, value, known in (
            ("kind of systematic", self.kind, get_args(Kind)),
            ("smoothing", self.smoothing, get_args(Smoothing)),
            ("part", self.part, get_args(Part)),
            ("side", self.side, get_args(Side)),
            *(("axis of decorrelation", axis, get_args(Axis)) for axis in self.decorrelate),
        ):
            if value not in known:
                raise CardError(unknown_name(what, value, known))
        if self.kind != "two_point" and (self.weight or self.datasets):
            raise CardError("weight and datasets of a systematic need kind: two_point.")
        if (self.kind == "weights") != (self.weights is not None):
            raise CardError("kind: weights and the section weights of a systematic need each other.")
        if self.weight and self.datasets:
            raise CardError(
                "a two-point systematic is a weight or other datasets. "
                f"Received both: weight {self.weight!r} and {len(self.datasets)} datasets."
            )

    def variations(self, name: str) -> tuple[str, ...]:
        """Names of its variations: `jes_up` and `jes_down`, `jer_up` if one-sided, `ps` if two-point."""
        if self.kind == "two_point":
            return (name,)
        return (f"{name}_{self.side}",) if self.kind == "one_sided" else (f"{name}_up", f"{name}_down")

    def acts_on(self, process: str, region: str) -> bool:
        """Whether a process in a region has this systematic."""
        return (not self.processes or process in self.processes) and (
            not self.regions or region in self.regions
        )


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
    if config.smoothing == "neighbours":
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
    limits = pruning if config.pruned else Pruning(_NOTHING, pruning.shape)
    norm = factors if max(abs(factor - 1) for factor in factors) >= limits.norm else None
    return Effect(norm, shapes if max(changes) >= limits.shape else None)
