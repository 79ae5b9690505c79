"""Limits of talk B for the benchmarks: intervals, coverage, truncation, contours, and their figures."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.smeft_sample import Floats
from benchmarks.tables import header, row
from znought.plots.limits import ContourGrid, LimitEntry, contours, likelihood_scan, limit_bars
from znought.plots.style import FigureLabel
from znought.stats.eft.calibration import Calibration, calibrations
from znought.stats.eft.channel import ScoredChannel, doubling_edges
from znought.stats.eft.intervals import Interval, delta_2lnl, interval
from znought.stats.eft.likelihood import Systematics
from znought.stats.eft.measurement import (
    COMBINED,
    SmeftConfig,
    likelihood_model,
    limits,
    linear_range,
    truncated_limits,
    two_coefficients,
)

LUMI_IFB = 80.0
QUOTED = "network"
"""A network parametrised in c̄_HW, at 0.01, times the share of VH."""
LABEL = FigureLabel(lumi_ifb=LUMI_IFB)


def written(found: Interval) -> str:
    """Ends of an interval, in thousandths of the coefficient."""
    ends = " ∪ ".join(f"[{1e3 * low:+.2f}, {1e3 * high:+.2f}]" for low, high in found.segments)
    return ends + " (validity)" * found.reaches_validity


def length(found: Interval) -> float:
    """Total length of the allowed ranges."""
    return sum(high - low for low, high in found.segments)


def resampled(channel: ScoredChannel, seed: int) -> ScoredChannel:
    """Another sample of simulated events: each generated event with a Poisson factor of mean one."""
    events = channel.events
    unique, inverse = np.unique(events.identity, return_inverse=True)
    factor = np.random.default_rng(seed).poisson(1.0, len(unique))[inverse]
    return replace(channel, events=replace(events, weight=events.weight * factor))


def show_discriminants(
    channels: list[ScoredChannel], systematics: Systematics, config: SmeftConfig, *, n_samples: int = 20
) -> None:
    """Expected intervals on equal events; combined, lengths over the classifier's in resamplings."""
    names = ("counting", *channels[0].discriminants)
    header(
        f"Expected 95 % interval on c̄_HW · 10³ at {LUMI_IFB:g} fb⁻¹, all backgrounds; length over that of "
        f"the classifier (combined: mean ± standard deviation of {n_samples} resampled simulations)",
        *("channel", "discriminant", "with quadratic term", "linear only", "length / classifier"),
    )
    for channel in channels:
        reference = length(limit_of([channel], "classifier", systematics, config))
        for name in names:
            ratio_text = f"{length(limit_of([channel], name, systematics, config)) / reference:.2f}"
            show_one(channel.events.name, [channel], name, systematics, config, ratio_text)
    lengths: dict[str, list[float]] = {name: [] for name in names}
    for i in range(n_samples):
        sample = [resampled(one, 100 * i + k) for k, one in enumerate(channels)]
        for name in names:
            lengths[name].append(length(limit_of(sample, name, systematics, config)))
    for name in names:
        ratio = np.array(lengths[name]) / np.array(lengths["classifier"])
        text = f"{ratio.mean():.2f} ± {ratio.std(ddof=1):.2f}"
        show_one(COMBINED, channels, name, systematics, config, text)


def show_one(
    group: str,
    members: list[ScoredChannel],
    name: str,
    systematics: Systematics,
    config: SmeftConfig,
    compared: str,
) -> None:
    """One line of the comparison."""
    model = likelihood_model(members, name, systematics, config)
    both = (interval(one, coefficient=model.names[0]) for one in (model, linear_range(model)))
    row(group, name, *(written(one) for one in both), compared)


def limit_of(
    channels: list[ScoredChannel], discriminant: str, systematics: Systematics, config: SmeftConfig
) -> Interval:
    """Expected interval with the quadratic term."""
    model = likelihood_model(channels, discriminant, systematics, config)
    return interval(model, coefficient=model.names[0])


def show_luminosities(channels: list[ScoredChannel], systematics: Systematics, config: SmeftConfig) -> None:
    """Expected intervals by luminosity, order, method and scaling of the systematics."""
    header(
        f"Expected 95 % interval on c̄_HW · 10³, {QUOTED}",
        *("channel", "order", "method", "systematics"),
        *(f"{lumi:g} fb⁻¹" for lumi in config.limit_luminosities_ifb),
    )
    for scaling in ("fixed", "inverse_sqrt"):
        scaled = replace(systematics, scaling=scaling)
        found = limits(channels, scaled, config, lumi_ifb=LUMI_IFB, discriminants=(QUOTED,))
        for key in dict.fromkeys((one.channel, one.order, one.method) for one in found):
            mine = [one for one in found if (one.channel, one.order, one.method) == key]
            row(*key, scaling, *(written(one.interval) for one in mine))


def groups_of(channels: list[ScoredChannel]) -> dict[str, list[ScoredChannel]]:
    """Each channel alone, and all."""
    return {one.events.name: [one] for one in channels} | {COMBINED: channels}


def show_simulation(channels: list[ScoredChannel], systematics: Systematics, config: SmeftConfig) -> None:
    """How much of the intervals the finite simulated samples are: all counted, VH alone, none."""
    header(
        f"Expected 95 % interval on c̄_HW · 10³, {QUOTED}, by the simulation whose statistics count",
        *("channel", "counted"),
        *(f"{lumi:g} fb⁻¹" for lumi in config.limit_luminosities_ifb),
    )
    for name, members in groups_of(channels).items():
        model = likelihood_model(members, QUOTED, systematics, config)
        exact = tuple(replace(one, background_sumw2=None) for one in model.channels)
        without = replace(model, systematics=replace(systematics, mc_statistics=False))
        for what, counted in (("all", model), ("VH", replace(model, channels=exact)), ("none", without)):
            scaled = [counted.scaled(lumi / LUMI_IFB) for lumi in config.limit_luminosities_ifb]
            row(name, what, *(written(interval(one, coefficient=one.names[0])) for one in scaled))


def show_second_coefficient(
    channels: list[ScoredChannel], systematics: Systematics, config: SmeftConfig
) -> None:
    """Expected intervals on c̄_HB with c̄_HW = 0."""
    names = tuple(channels[0].discriminants)
    header(f"Expected 95 % interval on c̄_HB · 10³ at {LUMI_IFB:g} fb⁻¹, c̄_HW = 0", "channel", *names)
    for group, members in groups_of(channels).items():
        models = [likelihood_model(members, name, systematics, config) for name in names]
        row(group, *(written(interval(one, coefficient=one.names[1])) for one in models))


def show_bins(channels: list[ScoredChannel], config: SmeftConfig, *, n_bins: int = 4) -> None:
    """What stands in the highest bins of each channel, and how many simulated events are behind it."""
    processes = np.unique(channels[0].events.process)
    header(
        f"Highest bins of {QUOTED}: events at {LUMI_IFB:g} fb⁻¹ (generated, effective)",
        *("channel", "bin from the top", *processes, "VH at c̄ = 0.01"),
    )
    for channel in channels:
        events, x = channel.events, channel.discriminants[QUOTED]
        options = {name: getattr(config, name) for name in ("first_yield", "growth", "min_effective")}
        edges = doubling_edges(events, x, **options)
        lifted = events.weight_at((0.01, 0.0)) * events.is_vh
        for i in range(1, min(n_bins, len(edges) - 1) + 1):
            inside = (x >= edges[-i - 1]) & (x < edges[-i])
            cells = [entries(channel, inside & (events.process == process)) for process in processes]
            row(events.name, i, *cells, lifted[inside].sum())


def entries(channel: ScoredChannel, rows: NDArray[np.bool_]) -> str:
    """Expected events of some rows, generated events behind them and how many they are worth."""
    weight = channel.events.weight[rows]
    if not len(weight):
        return "0"
    unique, inverse = np.unique(channel.events.identity[rows], return_inverse=True)
    summed = np.bincount(inverse, weight)
    return f"{weight.sum():.3g} ({len(unique)}, {summed.sum() ** 2 / (summed**2).sum():.0f})"


def show_coverage(found: Mapping[str, Calibration], title: str) -> None:
    """Coverage of both kinds of interval, at each truth."""
    truths = [one.truth for one in found[COMBINED].coverage]
    header(title, "channel", "thresholds", "interval · 10³", "heights", *(f"c̄ = {c:g}" for c in truths))
    for channel, one in found.items():
        heights = f"{one.thresholds.heights.min():.2f} … {one.thresholds.heights.max():.2f}"
        for name, limit, coverages, height in (
            ("χ²₁", one.asymptotic, one.coverage, "3.84"),
            ("toys", one.calibrated, one.calibrated_coverage, heights),
        ):
            cells = [f"{c.fraction:.3f} [{c.interval68[0]:.3f}, {c.interval68[1]:.3f}]" for c in coverages]
            row(channel, name, written(limit), height, *cells)


def show_truncation(
    channels: list[ScoredChannel],
    pt_v: Mapping[str, Floats],
    systematics: Systematics,
    config: SmeftConfig,
) -> None:
    """Expected intervals without trust in high energies."""
    header(
        f"Expected 95 % interval on c̄_HW · 10³ at {LUMI_IFB:g} fb⁻¹, c̄ switched off above a pT(V), {QUOTED}",
        *("pT(V) below", "interval"),
    )
    found = truncated_limits(channels, pt_v, systematics, config, discriminant=QUOTED)
    for limit_gev, one in found.items():
        row(f"{limit_gev:g} GeV", written(one))
    row("no limit", written(limit_of(channels, QUOTED, systematics, config)))


def draw(
    channels: list[ScoredChannel],
    systematics: Systematics,
    config: SmeftConfig,
    found: Mapping[str, Calibration],
    work: Path,
) -> None:
    """Contours, likelihood scans and intervals; contour areas are printed."""
    work.mkdir(parents=True, exist_ok=True)
    header("Contours of (c̄_HW, c̄_HB)", "channel", "area at 68 %", "area at 95 %")
    grids, curves = {}, {}
    for name, members in groups_of(channels).items():
        model = likelihood_model(members, QUOTED, systematics, config)
        plane = two_coefficients(model, config)
        grids[name] = ContourGrid(plane.x, plane.y, plane.t, plane.thresholds)
        row(name, f"{plane.area(0.68):.2e}", f"{plane.area(0.95):.2e}")
        values = np.linspace(-0.02, 0.02, 201)
        curves[name] = (values, delta_2lnl(model, model.asimov(), values, coefficient=model.names[0])[0])
    axes_titles = (r"$\bar{c}_{HW}$", r"$\bar{c}_{HB}$")
    entries = [
        LimitEntry(f"{name}, {kind}", name, limit.segments, at_validity=limit.reaches_validity)
        for name, one in found.items()
        for kind, limit in (("χ²", one.asymptotic), ("toys", one.calibrated))
    ]
    drawn = {
        "contours": contours(grids, axes_titles=axes_titles, label=LABEL),
        "likelihood": likelihood_scan(curves, label=LABEL),
        "intervals": limit_bars(entries, label=LABEL, claim=0.001),
    }
    for name, figure in drawn.items():
        figure.savefig(work / f"{name}.png")


def show(
    channels: list[ScoredChannel],
    pt_v: Mapping[str, Floats],
    systematics: Systematics,
    config: SmeftConfig,
) -> None:
    """All tables of limits but coverage."""
    show_bins(channels, config)
    show_luminosities(channels, systematics, config)
    show_simulation(channels, systematics, config)
    show_truncation(channels, pt_v, systematics, config)
    show_second_coefficient(channels, systematics, config)
    show_discriminants(channels, systematics, config)


def show_toys(
    channels: list[ScoredChannel], systematics: Systematics, config: SmeftConfig, *, work: Path
) -> None:
    """Coverage, and the figures."""
    found = calibrations(channels, QUOTED, systematics, config)
    show_coverage(found, f"Coverage of 95 % intervals at {LUMI_IFB:g} fb⁻¹, {QUOTED}, 68 % Clopper–Pearson")
    draw(channels, systematics, config, found, work)
