"""Binned likelihood in effective coefficients: morphed VH, backgrounds, systematics, MC statistics.

−2 ln L(c, θ) = Σ_bins min_x [2(βν − n ln βν) + (x − x₀)²] + Σ_k (θ_k − a_k)², with
ν = Σ_p N_p(c) exp(Σ_k θ_k ρ_kp), where ρ is ln(1 + σ) for the relative uncertainty of a process, and half
the logarithm of up over down in each bin for a variation of objects or weights.
β = 1 + δ(c) x is the one Barlow–Beeston factor per bin, profiled in closed form. Its parameter x is measured
in units of the simulation's error δ(c), which depends on c: a constraint on β itself, of c-dependent width
and without its normalisation, would favour the values of c whose simulation is poorest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.eft.morphing import Morphing, Order
from znought.stats.eft.profile import ProfileRows, profiled
from znought.stats.significance import Scaling
from znought.stats.systematics import SystematicConfig

__all__ = ["Channel", "LikelihoodModel", "Observation", "Systematics"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Systematics:
    """Systematic uncertainties; field names are the keys of the card."""

    relative: dict[str, float] = field(default_factory=dict)
    """Relative uncertainty of each process, log-normal; a process that is not named has none."""
    correlated: bool = True
    """One nuisance parameter of `relative` per process in all channels, or one in each."""
    variations: dict[str, SystematicConfig] = field(default_factory=dict)
    """How variations of objects and weights are treated, by name; one that is not named as by default."""
    mc_statistics: bool = True
    """Whether the finite simulated samples count (one factor per bin)."""
    scaling: Scaling = "fixed"
    """How the relative uncertainties go with luminosity: `fixed`, or `inverse_sqrt` for 1/√L."""

    def __post_init__(self) -> None:
        for name, value in self.relative.items():
            if not 0.0 <= value < np.inf:
                raise CardError(f"Expected a relative uncertainty ≥ 0 for {name}. Received: {value}.")
        for name, one in self.variations.items():
            if one.kind not in ("up_down", "one_sided"):
                raise CardError(
                    f"variations.{name}: expected kind up_down or one_sided. Received: {one.kind}."
                )


@dataclass(frozen=True)
class Channel:
    """One channel's bins: VH as a polynomial in the coefficients, and what does not depend on them."""

    name: str
    vh: Morphing
    backgrounds: Mapping[str, Floats] = field(default_factory=dict)
    """Expected events per process, each of shape (n_bins,)."""
    background_sumw2: Floats | None = None
    """Squared MC-statistical errors of all backgrounds together, shape (n_bins,); None is zero."""
    signal: str = "signal"
    """What `Systematics.relative` calls the process that the coefficients change."""
    responses: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    """Systematic → process → half the logarithm of up over down in the standard model, shape (n_bins,)."""

    def __post_init__(self) -> None:
        for process, values in self.backgrounds.items():
            if values.shape != (self.vh.n_bins,) or not np.isfinite(values).all() or (values < 0.0).any():
                raise DataError(f"Channel {self.name}: expected {self.vh.n_bins} yields ≥ 0 for {process}.")
        for name, by_process in self.responses.items():
            for process, values in by_process.items():
                if process not in self.processes:
                    raise DataError(
                        f"Channel {self.name}, {name}: {unknown_name('process', process, self.processes)}"
                    )
                if values.shape != (self.vh.n_bins,) or not np.isfinite(values).all():
                    raise DataError(f"Channel {self.name}: expected {self.vh.n_bins} responses to {name}.")
        if not self.standard_model.min() > 0.0:
            empty = np.flatnonzero(~(self.standard_model > 0.0)).tolist()
            raise DataError(f"Channel {self.name}: bins {empty} hold no expected event; merge them.")

    @property
    def processes(self) -> tuple[str, ...]:
        """The process that the coefficients change, and the backgrounds."""
        return (self.signal, *self.backgrounds)

    @property
    def standard_model(self) -> Floats:
        """Expected events per bin with all coefficients zero."""
        return self.vh.yields(np.zeros(len(self.vh.names))) + sum(
            self.backgrounds.values(), np.zeros(self.vh.n_bins)
        )

    def scaled(self, factor: float, *, responses: float = 1.0) -> "Channel":
        """The channel at a luminosity `factor` times as large; the simulated samples stay as they are.

        Args:
            factor: on the luminosity.
            responses: factor on what variations change.
        """
        return replace(
            self,
            responses={
                name: {process: responses * values for process, values in by_process.items()}
                for name, by_process in self.responses.items()
            },
            vh=self.vh.scaled(factor),
            backgrounds={process: factor * values for process, values in self.backgrounds.items()},
            background_sumw2=None if self.background_sumw2 is None else factor**2 * self.background_sumw2,
        )


@dataclass(frozen=True)
class Observation:
    """Counts and the auxiliary measurements that constrain the nuisance parameters; toys lead."""

    counts: Floats
    """Events per bin, shape (n_toys, n_bins)."""
    theta: Floats
    """Measured nuisance parameters, shape (n_toys, n_nuisances)."""
    mc_pulls: Floats
    """Measured pulls x₀ of the MC statistics, in units of each bin's error, shape (n_toys, n_bins)."""


@dataclass(frozen=True)
class LikelihoodModel:
    """Channels under one set of systematics."""

    channels: tuple[Channel, ...]
    systematics: Systematics = field(default_factory=Systematics)
    order: Order = "quadratic"

    def __post_init__(self) -> None:
        if not self.channels:
            raise DataError("Expected at least one channel.")
        if len({channel.vh.names for channel in self.channels}) > 1:
            raise DataError("Expected the same coefficients in every channel.")
        if len({channel.name for channel in self.channels}) < len(self.channels):
            raise DataError("Expected channels of different names.")

    @property
    def names(self) -> tuple[str, ...]:
        """Coefficient names."""
        return self.channels[0].vh.names

    @property
    def validity(self) -> tuple[tuple[float, float], ...]:
        """Range of each coefficient in which every channel is valid."""
        ranges = np.array([channel.vh.validity for channel in self.channels])
        lows, highs = ranges[:, :, 0].max(axis=0), ranges[:, :, 1].min(axis=0)
        return tuple((float(low), float(high)) for low, high in zip(lows, highs, strict=True))

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the nuisance parameters: `process` or `process/channel`, then those of variations."""
        rates = (self._nuisance(c, p) for c in self.channels for p in self._processes(c))
        return tuple(dict.fromkeys([*rates, *(name for c in self.channels for name in c.responses)]))

    @property
    def processes(self) -> tuple[str, ...]:
        """Processes of all channels."""
        return tuple(dict.fromkeys(process for channel in self.channels for process in channel.processes))

    def scaled(self, factor: float) -> "LikelihoodModel":
        """The model at a luminosity `factor` times as large, systematics as their `scaling` says.

        Raises:
            DataError: a factor that is not positive.
        """
        if not factor > 0.0:
            raise DataError(f"Expected a positive luminosity factor. Received: {factor}.")
        shrink = factor**-0.5 if self.systematics.scaling == "inverse_sqrt" else 1.0
        relative = {name: shrink * value for name, value in self.systematics.relative.items()}
        return replace(
            self,
            channels=tuple(channel.scaled(factor, responses=shrink) for channel in self.channels),
            systematics=replace(self.systematics, relative=relative),
        )

    def asimov(self, point: ArrayLike | None = None) -> Observation:
        """Expected counts at a point (default: the standard model), auxiliary measurements at nominal."""
        c = np.zeros(len(self.names)) if point is None else np.asarray(point, dtype=np.float64)
        counts = self._components(c[None, :])[0].sum(axis=0)[None, :]
        return Observation(counts, np.zeros((1, len(self.nuisances))), np.zeros_like(counts))

    def toys(self, n_toys: int, *, point: ArrayLike, seed: int | tuple[int, ...]) -> Observation:
        """Pseudo-experiments at a point: counts and auxiliary measurements fluctuate."""
        rng = np.random.default_rng(seed)
        c = np.asarray(point, dtype=np.float64)[None, :]
        nominal = self._components(c)[0].sum(axis=0)
        mc_pulls = rng.normal(size=(n_toys, len(nominal)))
        theta = rng.normal(size=(n_toys, len(self.nuisances)))
        counts = rng.poisson(nominal, size=mc_pulls.shape).astype(np.float64)
        return Observation(counts, theta, mc_pulls)

    def profile(self, data: Observation, points: ArrayLike) -> Floats:
        """−2 ln L minimised over all nuisance parameters, up to a constant of the data.

        Args:
            data: one or many observations.
            points: shape (n_points, n_coefficients), the same for every toy, or one set for each toy,
                (n_toys, n_points, n_coefficients).

        Returns:
            Shape (n_toys, n_points).

        Raises:
            DataError: a point outside the validity, or one with a negative expected yield.
        """
        c = np.asarray(points, dtype=np.float64)
        c = c[None] if c.ndim == 2 else c
        n_toys, n_points = len(data.counts), c.shape[1]
        flat = (n_toys * n_points,)

        def rows(array: Floats) -> Floats:
            return np.broadcast_to(array, (n_toys, n_points, *array.shape[2:])).reshape(
                flat + array.shape[2:]
            )

        variance = rows(self._relative_variance(c))
        pairs = ProfileRows(
            components=rows(self._components(c)),
            variance=variance,
            counts=rows(data.counts[:, None]),
            gamma=1.0 + np.sqrt(variance) * rows(data.mc_pulls[:, None]),
            aux=rows(data.theta[:, None]),
        )
        return profiled(pairs, self._response()).reshape(n_toys, n_points)

    def _response(self) -> Floats:
        """ρ of every nuisance parameter, shape (n_nuisances, n_processes, n_bins)."""
        nuisance = {name: i for i, name in enumerate(self.nuisances)}
        place = {name: i for i, name in enumerate(self.processes)}
        blocks = []
        for channel in self.channels:
            block = np.zeros((len(nuisance), len(place), channel.vh.n_bins))
            for process in self._processes(channel):
                rate = np.log1p(self.systematics.relative[process])
                block[nuisance[self._nuisance(channel, process)], place[process]] = rate
            for name, by_process in channel.responses.items():
                for process, values in by_process.items():
                    block[nuisance[name], place[process]] += values
            blocks.append(block)
        return np.concatenate(blocks, axis=-1)

    def _components(self, points: Floats) -> Floats:
        """N_p per bin: shape (..., n_processes, n_bins)."""
        place = {name: i for i, name in enumerate(self.processes)}
        shape = (*points.shape[:-1], len(place))
        blocks = []
        for channel in self.channels:
            block = np.zeros((*shape, channel.vh.n_bins))
            for process in channel.processes:
                events = (
                    channel.vh.yields(points, order=self.order)
                    if process == channel.signal
                    else channel.backgrounds[process]
                )
                block[..., place[process], :] = events
            if (block.sum(axis=-2) <= 0.0).any():
                raise DataError(
                    f"Channel {channel.name}: an expected yield is not positive for {self.order} morphing "
                    "at some of these coefficients; narrow their validity."
                )
            blocks.append(block)
        return np.concatenate(blocks, axis=-1)

    def _relative_variance(self, points: Floats) -> Floats:
        """δ² per bin, zero without MC statistics: shape (..., n_bins)."""
        blocks = []
        for channel in self.channels:
            expected = channel.vh.yields(points, order=self.order) + sum(
                channel.backgrounds.values(), np.zeros(1)
            )
            variance = channel.vh.variance(points, order=self.order)
            extra = 0.0 if channel.background_sumw2 is None else channel.background_sumw2
            blocks.append((variance + extra) / expected**2 * self.systematics.mc_statistics)
        return np.concatenate(blocks, axis=-1)

    def _processes(self, channel: Channel) -> tuple[str, ...]:
        """Processes of a channel that have an uncertainty."""
        relative = self.systematics.relative
        return tuple(process for process in channel.processes if relative.get(process, 0.0) > 0.0)

    def _nuisance(self, channel: Channel, process: str) -> str:
        return process if self.systematics.correlated else f"{process}/{channel.name}"
