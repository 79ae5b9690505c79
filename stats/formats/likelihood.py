"""A binned likelihood as this package holds it, whichever program wrote it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name

__all__ = [
    "BinCounts",
    "BinFactors",
    "Channel",
    "Effect",
    "Factor",
    "Likelihood",
    "Luminosity",
    "McStat",
    "Rate",
    "Sample",
    "Setting",
    "Shape",
    "Sideband",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """A log-normal uncertainty of the yield: factors at −1 and +1 standard deviation."""

    name: str
    down: float
    up: float

    def __post_init__(self) -> None:
        if not (0 < self.down < np.inf and 0 < self.up < np.inf):
            raise DataError(
                f"{self.name!r} scales a yield by {self.down:g}/{self.up:g}; both must be positive numbers."
            )


@dataclass(frozen=True)
class Shape:
    """An uncertainty of the template: its contents at −1 and +1 standard deviation, shape (n_bins,)."""

    name: str
    down: Floats
    up: Floats


@dataclass(frozen=True)
class Factor:
    """A free factor on the yield: a signal strength, a normalisation, a ratio to a control region."""

    name: str


@dataclass(frozen=True)
class Luminosity:
    """A factor with a Gaussian constraint, common to all samples (pyhf's `lumi`)."""

    name: str


@dataclass(frozen=True)
class BinCounts:
    """A factor per bin, Poisson-constrained by the bin's own relative error (pyhf's `shapesys`)."""

    name: str
    errors: Floats


@dataclass(frozen=True)
class BinFactors:
    """A free factor per bin (pyhf's `shapefactor`)."""

    name: str


Effect = Rate | Shape | Factor | Luminosity | BinCounts | BinFactors


@dataclass(frozen=True)
class McStat:
    """The error of finite simulation in one channel.

    Bins with more effective events than ``threshold`` get one Gaussian factor for the sum of samples,
    the others a Poisson factor per sample.
    """

    name: str
    threshold: float = 0.0
    with_signal: bool = False
    """Whether the signal counts in the number of effective events; its error always does."""


@dataclass(frozen=True)
class Sample:
    """One process in one channel."""

    name: str
    nominal: Floats
    effects: tuple[Effect, ...] = ()
    errors: Floats | None = None
    """MC-statistical errors; None where the sample takes no part in them."""

    def __post_init__(self) -> None:
        for what, values in _arrays(self):
            if values.shape != self.nominal.shape:
                raise DataError(
                    f"{what} of sample {self.name!r} must have {self.nominal.size} bins. "
                    f"Received: {values.size}."
                )
            if not np.all(np.isfinite(values)):
                raise DataError(f"{what} of sample {self.name!r} holds a value that is not a finite number.")
        for (kind, name), times in Counter((type(e).__name__, e.name) for e in self.effects).items():
            if times > 1:
                raise DataError(
                    f"sample {self.name!r} has {times} effects named {name!r} of one kind ({kind.lower()}); "
                    "names must be unique."
                )

    def has(self, factor: str) -> bool:
        """Whether the yield scales with a factor."""
        return any(isinstance(effect, Factor) and effect.name == factor for effect in self.effects)


@dataclass(frozen=True)
class Channel:
    """One region: what was observed in its bins, and the samples that add up to the expectation."""

    name: str
    observed: Floats
    samples: tuple[Sample, ...]
    mc_stat: McStat | None = None
    edges: Floats | None = None

    def __post_init__(self) -> None:
        if not self.samples:
            raise DataError(f"channel {self.name!r} has no samples.")
        for sample in self.samples:
            if sample.nominal.shape != self.observed.shape:
                raise DataError(
                    f"sample {sample.name!r} of channel {self.name!r} must have {self.observed.size} bins, "
                    f"as observed. Received: {sample.nominal.size}."
                )
        for name, times in Counter(sample.name for sample in self.samples).items():
            if times > 1:
                raise DataError(f"channel {self.name!r} has {times} samples named {name!r}.")


@dataclass(frozen=True)
class Sideband:
    """Events counted elsewhere that a yield is proportional to: a Poisson count with one expectation.

    The yield of a sample with the `Factor` of this name is the sample's nominal times the factor; the
    sideband expects ``max(counts, 1)`` times it.
    """

    name: str
    counts: int


@dataclass(frozen=True)
class Setting:
    """Start, bounds and constraint of a parameter, where they differ from pyhf's own.

    Attributes:
        name: of the parameter.
        starts, bounds: one entry per component.
        fixed: held in every fit.
        centres, widths: of its Gaussian constraint.
    """

    name: str
    starts: tuple[float, ...] = ()
    bounds: tuple[tuple[float, float], ...] = ()
    fixed: bool | None = None
    centres: tuple[float, ...] = ()
    widths: tuple[float, ...] = ()


@dataclass(frozen=True)
class Likelihood:
    """Channels, the parameter of interest, and what their parameters start from.

    Attributes:
        channels: in order.
        poi: the factor that is measured.
        settings: of parameters, in order.
        sidebands: counts that constrain factors.
        groups: name → systematics that belong together.
        remarks: what was read in another meaning than its author's, one sentence each.
        title: name of the measurement.
    """

    channels: tuple[Channel, ...]
    poi: str = "mu"
    settings: tuple[Setting, ...] = ()
    sidebands: tuple[Sideband, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    title: str = "znought"

    def __post_init__(self) -> None:
        for name, times in Counter(channel.name for channel in self.channels).items():
            if times > 1:
                raise DataError(f"{times} channels are named {name!r}.")
        factors = list(dict.fromkeys(effect.name for effect in self.effects(Factor)))
        if self.poi not in factors:
            raise DataError(unknown_name("parameter of interest", self.poi, factors))
        for channel in self.channels:
            _check_expectation(channel)

    def effects(self, kind: type[Effect]) -> Iterator[Effect]:
        """Every effect of a kind, in order of channels and samples."""
        for channel in self.channels:
            for sample in channel.samples:
                yield from (effect for effect in sample.effects if isinstance(effect, kind))

    def setting(self, name: str) -> Setting:
        """The settings of a parameter, empty where nothing was set."""
        return next((setting for setting in self.settings if setting.name == name), Setting(name))


def _check_expectation(channel: Channel) -> None:
    """Events in a bin that no sample predicts have likelihood zero, whatever the parameters."""
    expected = sum(sample.nominal for sample in channel.samples)
    for i in np.flatnonzero((np.asarray(expected) <= 0) & (channel.observed > 0)):
        raise DataError(
            f"bin {i} of channel {channel.name!r} holds {channel.observed[i]:g} events, "
            "but no sample predicts any there."
        )


def _arrays(sample: Sample) -> Iterator[tuple[str, Floats]]:
    yield "the template", sample.nominal
    if sample.errors is not None:
        yield "the MC-statistical errors", sample.errors
    for effect in sample.effects:
        if isinstance(effect, Shape):
            yield f"{effect.name!r} down", effect.down
            yield f"{effect.name!r} up", effect.up
        elif isinstance(effect, BinCounts):
            yield f"errors of {effect.name!r}", effect.errors
