"""The statistics of the VH SMEFT analysis: significances by both definitions, limits, coverage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError
from znought.stats.eft.channel import (
    COUNTING,
    ScoredChannel,
    doubling_edges,
    likelihood_channel,
)
from znought.stats.eft.contours import Contour, contour
from znought.stats.eft.counting import (
    CutScan,
    SignalDefinition,
    channel_z,
    cut_scan,
    luminosity_projection,
    smeft_z,
)
from znought.stats.eft.intervals import (
    Coverage,
    Interval,
    Thresholds,
    cls_interval,
    coverage,
    interval,
)
from znought.stats.eft.likelihood import LikelihoodModel, Systematics
from znought.stats.eft.morphing import Order
from znought.stats.eft.templates import responses
from znought.stats.significance import Scaling

__all__ = [
    "Limit",
    "Projection",
    "Significance",
    "SmeftConfig",
    "channel_edges",
    "likelihood_model",
    "limits",
    "linear_range",
    "projections",
    "significance",
    "study_coverage",
    "tried_cuts",
    "truncated_limits",
    "two_coefficients",
]

Floats = NDArray[np.float64]
COMBINED = "combined"


@dataclass(frozen=True)
class SmeftConfig:
    """What is asked of the statistics; field names are the keys of the card's section `smeft`.

    Attributes:
        values: c̄_HW of the significances.
        sigma_rel: relative uncertainty of the background in Z_A.
        min_background: least expected background above a cut.
        n_cuts: cuts that are tried, at quantiles of the score.
        luminosities_ifb: of the projection of Z_A.
        limit_luminosities_ifb: of the limits.
        first_yield, growth, min_effective: bins of the limits, see `doubling_edges`.
        truncations_gev: pT(V) above which c̄ is switched off, for limits that do not trust high energies.
        level: confidence level of limits.
        truths: values of c̄_HW at which coverage is measured.
        n_toys, seed: of the coverage.
        calibration_toys, calibration_points: of the thresholds that toys give, per value of c̄_HW, and
            how many values, spread over the expected interval and beyond.
        contour_half_width: half the range of the contour in each coefficient.
        n_contour: points of the contour in each coefficient.
    """

    values: tuple[float, ...] = (0.001, 0.01, 0.03)
    sigma_rel: float = 0.5
    min_background: float = 3.0
    n_cuts: int = 200
    luminosities_ifb: tuple[float, ...] = (20.0, 80.0, 139.0, 300.0, 1000.0, 3000.0)
    limit_luminosities_ifb: tuple[float, ...] = (80.0, 139.0, 300.0, 3000.0)
    first_yield: float = 3.0
    growth: float = 2.0
    min_effective: float = 10.0
    truncations_gev: tuple[float, ...] = (400.0, 600.0, 1000.0)
    level: float = 0.95
    truths: tuple[float, ...] = (0.0, 0.005)
    n_toys: int = 300
    seed: int = 1
    calibration_toys: int = 400
    calibration_points: int = 9
    contour_half_width: tuple[float, float] = (0.02, 0.08)
    n_contour: int = 61

    def __post_init__(self) -> None:
        if not self.values or not self.luminosities_ifb or not self.limit_luminosities_ifb:
            raise CardError("smeft: expected at least one value and one luminosity of each kind.")
        if self.n_cuts < 2 or self.n_toys < 1 or self.n_contour < 2 or self.calibration_points < 2:
            raise CardError("smeft: expected n_cuts, n_contour and calibration_points ≥ 2, n_toys ≥ 1.")


@dataclass(frozen=True)
class Significance:
    """Z_A of one channel and c̄_HW, by one definition, without a network and with a cut on its output."""

    channel: str
    value: float
    signal_definition: SignalDefinition
    with_backgrounds: bool
    inclusive_z: float
    inclusive_background: float
    tuned_z: float
    """At the best cut, on the events that chose it."""
    z: float
    """At cuts chosen on the other half of the events: mean of the two halves."""
    background: float
    """Expected events above those cuts."""
    background_effective_entries: float
    held_cuts: tuple[float, float]
    """Chosen on the events of even identity and quoted on the odd ones, and the other way round."""
    scan: CutScan
    """On all events: Z_A against the cut."""


def significance(
    channel: ScoredChannel,
    value: float,
    config: SmeftConfig,
    *,
    signal_definition: SignalDefinition,
    with_backgrounds: bool = True,
) -> Significance:
    """Z_A before and after a cut on the output; the cut is chosen on one half and quoted on the other.

    Raises:
        CardError: no classifier of that value was scored.
        DataError: a value outside the validity of the morphing; too little background for any cut.
    """
    events = channel.events
    if value not in channel.scores:
        known = ", ".join(f"{one:g}" for one in channel.scores)
        raise CardError(f"Channel {events.name}: no scores for c = {value:g}. Expected one of: {known}.")
    vh, vh_sm, other = events.sides(value, with_backgrounds=with_backgrounds)
    score = channel.scores[value]
    cuts = tried_cuts(score, config)

    def scan(rows: NDArray[np.bool_], factor: float) -> CutScan:
        try:
            return cut_scan(
                score[rows],
                factor * vh[rows],
                factor * vh_sm[rows],
                factor * other[rows],
                cuts=cuts,
                sigma_rel=config.sigma_rel,
                min_background=config.min_background,
                signal_definition=signal_definition,
            )
        except DataError as error:
            raise DataError(f"Channel {events.name}, c = {value:g}: {error}") from error

    half = events.identity % np.uint64(2) == 0
    halves = (scan(half, 2.0), scan(~half, 2.0))
    quoted, held_cuts = [], tuple(float(one.cuts[one.best]) for one in halves)
    for cut, held in zip(held_cuts, halves[::-1], strict=True):
        i = held.at(cut)
        quoted.append((held.z[i], held.background[i], held.background_effective_entries[i]))
    z, background, entries = np.mean(quoted, axis=0)
    everything = scan(np.ones(len(events), np.bool_), 1.0)
    sums = (vh.sum(), vh_sm.sum(), other.sum())
    return Significance(
        channel=events.name,
        value=value,
        signal_definition=signal_definition,
        with_backgrounds=with_backgrounds,
        inclusive_z=float(smeft_z(*sums, sigma_rel=config.sigma_rel, signal_definition=signal_definition)),
        inclusive_background=float(sums[1] + sums[2]),
        tuned_z=float(everything.z[everything.best]),
        z=float(z),
        background=float(background),
        background_effective_entries=float(entries),
        held_cuts=(held_cuts[0], held_cuts[1]),
        scan=everything,
    )


def tried_cuts(score: Floats, config: SmeftConfig) -> Floats:
    """Cuts on an output, at quantiles of all its events."""
    return np.unique(np.quantile(score, np.linspace(0.0, 1.0, config.n_cuts, endpoint=False)))


@dataclass(frozen=True)
class Projection:
    """Z_A at the best cut against luminosity, of one channel or all combined."""

    channel: str
    value: float
    signal_definition: SignalDefinition
    scaling: Scaling
    luminosities_ifb: tuple[float, ...]
    z: Floats


def projections(
    found: Iterable[Significance], config: SmeftConfig, *, lumi_ifb: float
) -> tuple[Projection, ...]:
    """Z_A against luminosity, systematics fixed and ∝ 1/√L, by channel and combined in quadrature.

    The cut stays that of `lumi_ifb`: no re-optimisation at each luminosity.
    """
    results: list[Projection] = []
    for scaling in get_args(Scaling):
        by_value: dict[tuple[float, SignalDefinition], list[Floats]] = {}
        for one in found:
            i = one.scan.best
            z = luminosity_projection(
                one.scan.signal[i],
                one.scan.background[i],
                lumi_ifb=lumi_ifb,
                luminosities_ifb=config.luminosities_ifb,
                sigma_rel=config.sigma_rel,
                scaling=scaling,
            )
            key = (one.value, one.signal_definition)
            by_value.setdefault(key, []).append(z)
            results.append(Projection(one.channel, *key, scaling, config.luminosities_ifb, z))
        for key, parts in by_value.items():
            together = np.array([channel_z(z) for z in np.transpose(parts)])
            results.append(Projection(COMBINED, *key, scaling, config.luminosities_ifb, together))
    return tuple(results)


@dataclass(frozen=True)
class Limit:
    """Interval on c̄_HW of one channel or all combined."""

    channel: str
    discriminant: str
    order: Order
    lumi_ifb: float
    method: Literal["delta_2lnl", "cls"]
    interval: Interval


def channel_edges(channel: ScoredChannel, discriminant: str, config: SmeftConfig) -> Floats:
    """Edges of the bins that limits are set in; `counting` takes one bin."""
    if discriminant == COUNTING:
        return np.array([-np.inf, np.inf])
    return doubling_edges(
        channel.events,
        channel.values(discriminant),
        first_yield=config.first_yield,
        growth=config.growth,
        min_effective=config.min_effective,
    )


def likelihood_model(
    channels: Iterable[ScoredChannel], discriminant: str, systematics: Systematics, config: SmeftConfig
) -> LikelihoodModel:
    """The likelihood of some channels in one discriminant, with what their variations change."""
    built = []
    for channel in channels:
        edges = channel_edges(channel, discriminant, config)
        one = likelihood_channel(channel.events, channel.values(discriminant), edges)
        found = responses(channel, discriminant, edges, systematics)
        built.append(replace(one, responses=found))
    return LikelihoodModel(tuple(built), systematics)


def linear_range(model: LikelihoodModel, *, margin: float = 0.1) -> LikelihoodModel:
    """The model without squared terms, its first coefficient restricted to where yields stay positive.

    Every bin keeps at least the share `margin` of its standard-model yield.
    """
    channels = []
    for channel in model.channels:
        slope = channel.vh.sumw[:, 1]
        reach = (1.0 - margin) * channel.standard_model / np.maximum(np.abs(slope), 1e-300)
        (low, high), *rest = channel.vh.validity
        low = max(low, -float(np.min(reach, where=slope > 0.0, initial=np.inf)))
        high = min(high, float(np.min(reach, where=slope < 0.0, initial=np.inf)))
        channels.append(replace(channel, vh=replace(channel.vh, validity=((low, high), *rest))))
    return replace(model, channels=tuple(channels), order="linear")


def limits(
    channels: Iterable[ScoredChannel],
    systematics: Systematics,
    config: SmeftConfig,
    *,
    lumi_ifb: float,
    discriminants: Iterable[str],
) -> tuple[Limit, ...]:
    """Expected limits by discriminant, channel, order, luminosity and method, yields given at `lumi_ifb`.

    CLs is quoted for the combination with the squared term only: its median is the −2 Δln L interval.
    """
    scored = tuple(channels)
    results: list[Limit] = []
    for discriminant in discriminants:
        everything = likelihood_model(scored, discriminant, systematics, config)
        built = {channel.name: channel for channel in everything.channels}
        groups = {one.events.name: (one,) for one in scored}
        for name, group in {**groups, COMBINED: scored}.items():
            base = replace(everything, channels=tuple(built[one.events.name] for one in group))
            for lumi in config.limit_luminosities_ifb:
                model = base.scaled(lumi / lumi_ifb)
                coefficient = model.names[0]
                for variant in (model, linear_range(model)):
                    found = interval(variant, coefficient=coefficient, level=config.level)
                    results.append(Limit(name, discriminant, variant.order, lumi, "delta_2lnl", found))
                if name == COMBINED:
                    by_cls = cls_interval(model, coefficient=coefficient, level=config.level)
                    results.append(Limit(name, discriminant, model.order, lumi, "cls", by_cls))
    return tuple(results)


def truncated_limits(
    channels: Iterable[ScoredChannel],
    pt_v: Mapping[str, Floats],
    systematics: Systematics,
    config: SmeftConfig,
    *,
    discriminant: str,
) -> dict[float, Interval]:
    """Expected combined interval for each of `config.truncations_gev`, at the luminosity of the yields.

    Args:
        channels: all channels.
        pt_v: transverse momentum of the vector of each event, GeV, by channel name.
        systematics, config: as for `limits`.
        discriminant: one of the channels' discriminants.
    """
    scored = tuple(channels)
    results = {}
    for limit_gev in config.truncations_gev:
        cut = [replace(one, events=one.events.truncated(pt_v[one.events.name], limit_gev)) for one in scored]
        model = likelihood_model(cut, discriminant, systematics, config)
        results[limit_gev] = interval(model, coefficient=model.names[0], level=config.level)
    return results


def study_coverage(
    model: LikelihoodModel, config: SmeftConfig, *, thresholds: Thresholds | None = None
) -> tuple[Coverage, ...]:
    """Coverage of the first coefficient's intervals at each of the configured truths.

    With `thresholds`, of the intervals of Neyman's construction.
    """
    options: dict[str, Any] = {
        "level": config.level,
        "n_toys": config.n_toys,
        "seed": config.seed,
        "thresholds": thresholds,
    }
    return tuple(
        coverage(model, coefficient=model.names[0], truth=truth, **options) for truth in config.truths
    )


def two_coefficients(model: LikelihoodModel, config: SmeftConfig) -> Contour:
    """Expected contour of the two coefficients, over the configured range or the validity if that is less."""
    axes: list[ArrayLike] = []
    for half, (low, high) in zip(config.contour_half_width, model.validity, strict=True):
        axes.append(np.linspace(max(-half, low), min(half, high), config.n_contour))
    return contour(model, x=axes[0], y=axes[1])
