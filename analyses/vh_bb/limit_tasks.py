"""Intervals, scans, calibration and contour of VH(bb): a task each, on the workers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import (
    DISCRIMINANTS,
    ChannelScores,
    read_channel_scores,
    unfit,
    with_data,
    with_variations,
)
from znought.analyses.vh_bb.results import (
    BreakdownResult,
    CalibrationResult,
    ContourResult,
    CoverageResult,
    IntervalResult,
    LimitResults,
    ObservedResult,
    ScanResult,
    Truncation,
)
from znought.analyses.vh_bb.summary import BEST
from znought.errors import DataError
from znought.facility.cluster.tasks import arrivals, submit
from znought.facility.context import Context
from znought.facility.ntuples.account import lumi_of_data
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace
from znought.stats.eft.calibration import calibrate
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.intervals import Coverage, delta_2lnl, interval
from znought.stats.eft.likelihood import LikelihoodModel, Observation, Systematics
from znought.stats.eft.measurement import (
    COMBINED,
    likelihood_model,
    limits,
    truncated_limits,
    two_coefficients,
)
from znought.stats.eft.observed import observation, observed_limits
from znought.stats.significance import Scaling

__all__ = ["found_limits"]

Scored = tuple[ScoredChannel, ...]
N_SCANNED = 121
BEYOND = 1.7


@dataclass(frozen=True)
class _Task:
    """One piece of the statistics: a kind, and where it is asked for.

    Attributes:
        channel: None means all combined.
        lumi_ifb: of the data, where it is about them.
    """

    kind: str
    region: str
    discriminant: str = BEST
    scaling: Scaling = "fixed"
    channel: str | None = None
    lumi_ifb: float | None = None

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.discriminant}, {self.channel or 'combined'}, {self.region}"


def found_limits(context: Context[VHBBCard]) -> LimitResults:
    """All intervals and what stands around them; those of data where these are unblinded."""
    tasks, client = _tasks(context), context.cluster()
    futures = [submit(client, _work, context.card, context.workspace, task, retries=2) for task in tasks]
    titles = {future.key: task.title for future, task in zip(futures, tasks, strict=True)}
    with context.reporter.bar("setting limits") as advance:
        for done, future in enumerate(arrivals(client, futures), start=1):
            advance(done, len(tasks), titles[future.key])
    found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    notes: list[str] = []
    for task, future in zip(tasks, futures, strict=True):
        values, remarks = future.result()
        found[task.kind] += values
        notes += remarks
    contour = next(iter(found.pop("contour")), None)
    return LimitResults(
        contour=contour, notes=tuple(notes), **{kind: tuple(values) for kind, values in found.items()}
    )


def _tasks(context: Context[VHBBCard]) -> list[_Task]:
    """Every piece of the statistics that a card asks for."""
    card, main = context.card, context.card.training_region
    tasks = [
        _Task("intervals", region, discriminant, scaling)
        for region in card.regions
        for discriminant in DISCRIMINANTS
        for scaling in get_args(Scaling)
    ]
    tasks += [_Task("scans", main, discriminant) for discriminant in DISCRIMINANTS]
    tasks += [_Task("calibrations", main, channel=channel) for channel in (None, *card.channels)]
    tasks += [_Task("truncations", main), _Task("breakdown", main)]
    if len(card.morphing.coefficients) > 1:
        tasks.append(_Task("contour", main))
    if context.options.unblind:
        lumi = lumi_of_data(card, context.workspace)
        observed = [_Task("observed", region, name) for region in card.regions for name in DISCRIMINANTS]
        observed += [_Task("observed_scans", main, name) for name in DISCRIMINANTS]
        tasks += [replace(task, lumi_ifb=lumi) for task in observed]
    return tasks


def _work(card: VHBBCard, workspace: Workspace, task: _Task) -> tuple[list[Record], list[str]]:
    """On a worker: one task, and what could not be done."""
    channels, notes = [], []
    for name in card.channels if task.channel is None else (task.channel,):
        one = read_channel_scores(card, workspace, name)
        reason = unfit(one, task.region)
        if reason is None:
            channels.append(one)
        else:
            notes.append(reason)
    if not channels:
        return [], [*notes, f"{task.region}: no channel is left to set limits with."]
    try:
        scored = with_variations(channels, workspace, task.region)
        if task.lumi_ifb is not None:
            scored = with_data(channels, scored, workspace, task.region, lumi_ifb=task.lumi_ifb)
        return list(_KINDS[task.kind](card, channels, scored, task)), notes
    except DataError as error:
        return [], [*notes, f"{task.title}: {error}"]


def _intervals(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[IntervalResult]:
    systematics = replace(card.systematics_of_limits, scaling=task.scaling)
    found = limits(
        scored,
        systematics,
        card.smeft,
        lumi_ifb=card.lumi_ifb,
        discriminants=[task.discriminant],
    )
    return [
        IntervalResult(
            channel=one.channel,
            region=task.region,
            discriminant=one.discriminant,
            order=one.order,
            method=one.method,
            scaling=task.scaling,
            lumi_ifb=one.lumi_ifb,
            level=one.interval.level,
            segments=one.interval.segments,
            reaches_validity=one.interval.reaches_validity,
        )
        for one in found
    ]


def _observed(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[ObservedResult]:
    found = observed_limits(
        scored,
        card.systematics_of_limits,
        card.smeft,
        lumi_ifb=task.lumi_ifb or card.lumi_ifb,
        discriminant=task.discriminant,
    )
    return [
        ObservedResult(
            channel=one.observed.channel,
            region=task.region,
            discriminant=task.discriminant,
            order=one.observed.order,
            method=one.observed.method,
            lumi_ifb=one.observed.lumi_ifb,
            level=one.expected.level,
            best=one.best,
            segments=one.observed.interval.segments,
            expected=one.expected.segments,
            reaches_validity=one.observed.interval.reaches_validity,
        )
        for one in found
    ]


def _scans(card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task) -> list[ScanResult]:
    """The rise of the combined likelihood of the expectation."""
    model = likelihood_model(scored, task.discriminant, card.systematics_of_limits, card.smeft)
    return _scanned(model, model.asimov(), task)


def _observed_scans(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[ScanResult]:
    """The rise of the combined likelihood of the data."""
    model = likelihood_model(scored, task.discriminant, card.systematics_of_limits, card.smeft)
    return _scanned(model, observation(scored, task.discriminant, model, card.smeft), task)


def _scanned(model: LikelihoodModel, data: Observation, task: _Task) -> list[ScanResult]:
    """−2 Δln L over one and a half times the 95 % interval."""
    segments = interval(model, data, coefficient=model.names[0]).segments
    low, high = model.validity[0]
    centre, half = 0.5 * (segments[0][0] + segments[-1][1]), 0.75 * (segments[-1][1] - segments[0][0])
    values = np.linspace(max(centre - half, low), min(centre + half, high), N_SCANNED)
    rise = delta_2lnl(model, data, values, coefficient=model.names[0])[0]
    return [
        ScanResult(
            discriminant=task.discriminant, values=tuple(values.tolist()), delta_2lnl=tuple(rise.tolist())
        )
    ]


def _truncations(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[Truncation]:
    pt_v = {one.name: one.sample.pt_v[one.in_region(task.region)] for one in channels}
    model = likelihood_model(scored, task.discriminant, card.systematics_of_limits, card.smeft)
    found = {None: interval(model, coefficient=model.names[0], level=card.smeft.level)} | truncated_limits(
        scored, pt_v, card.systematics_of_limits, card.smeft, discriminant=task.discriminant
    )
    return [
        Truncation(
            pt_v_max_gev=limit,
            discriminant=task.discriminant,
            segments=one.segments,
            reaches_validity=one.reaches_validity,
        )
        for limit, one in found.items()
    ]


def _calibrations(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[CalibrationResult]:
    """The interval with thresholds from toys beside that of χ², and how often each holds the truth."""
    model = likelihood_model(scored, task.discriminant, card.systematics_of_limits, card.smeft)
    found = calibrate(model, card.smeft)
    return [
        CalibrationResult(
            channel=task.channel or COMBINED,
            discriminant=task.discriminant,
            asymptotic=found.asymptotic.segments,
            calibrated=found.calibrated.segments,
            coverage=tuple(_covered(one) for one in found.coverage),
            calibrated_coverage=tuple(_covered(one) for one in found.calibrated_coverage),
        )
    ]


def _covered(one: Coverage) -> CoverageResult:
    return CoverageResult(
        truth=one.truth,
        level=one.level,
        n_toys=one.n_toys,
        fraction=one.fraction,
        interval68=one.interval68,
    )


def _contour(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[ContourResult]:
    model = likelihood_model(scored, task.discriminant, card.systematics_of_limits, card.smeft)
    found = two_coefficients(model, replace(card.smeft, contour_half_width=_reach(model)))
    return [
        ContourResult(
            discriminant=task.discriminant,
            names=found.names,
            x=tuple(found.x.tolist()),
            y=tuple(found.y.tolist()),
            t=tuple(tuple(row) for row in found.t.tolist()),
            thresholds={f"{level:g}": height for level, height in found.thresholds.items()},
        )
    ]


def _reach(model: LikelihoodModel) -> tuple[float, float]:
    """Half ranges that hold the contour: well beyond the intervals of each coefficient alone."""
    reach = []
    for name in model.names:
        segments = interval(model, coefficient=name).segments
        reach.append(BEYOND * max(abs(segments[0][0]), abs(segments[-1][1])))
    return reach[0], reach[1]


def _breakdown(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[BreakdownResult]:
    """The combined interval without systematics, with rates and MC statistics, and with all that varies."""
    nominal = tuple(replace(one, variations={}) for one in scored)
    statistics = Systematics(mc_statistics=False)
    compared = {"none": (nominal, statistics), "rates": (nominal, card.systematics_of_limits)}
    if scored[0].variations:
        compared["all"] = (scored, card.systematics_of_limits)
    found = []
    for name, (some, systematics) in compared.items():
        model = likelihood_model(some, task.discriminant, systematics, card.smeft)
        one = interval(model, coefficient=model.names[0], level=card.smeft.level)
        found.append(
            BreakdownResult(
                systematics=name,
                discriminant=task.discriminant,
                segments=one.segments,
                reaches_validity=one.reaches_validity,
            )
        )
    return found


_KINDS: Mapping[str, Callable[[VHBBCard, list[ChannelScores], Scored, _Task], list[Any]]] = {
    "intervals": _intervals,
    "scans": _scans,
    "truncations": _truncations,
    "calibrations": _calibrations,
    "contour": _contour,
    "breakdown": _breakdown,
    "observed": _observed,
    "observed_scans": _observed_scans,
}
