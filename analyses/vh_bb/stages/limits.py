"""Stage `limits` of VH(bb): expected intervals, calibration and contour, a task each → `results.json`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import (
    DISCRIMINANTS,
    ChannelScores,
    read_channel_scores,
    unfit,
    with_variations,
)
from znought.analyses.vh_bb.results import (
    BreakdownResult,
    CalibrationResult,
    ContourResult,
    CoverageResult,
    IntervalResult,
    PublishedResult,
    ScanResult,
    Truncation,
    checked_results,
)
from znought.analyses.vh_bb.stages.standard_model import fit_standard_model
from znought.analyses.vh_bb.summary import BEST
from znought.errors import DataError
from znought.facility.cluster.tasks import arrivals, submit
from znought.facility.context import Context
from znought.facility.ntuples.account import remarks
from znought.facility.workspace import Workspace, read_json, write_json
from znought.stats.eft.calibration import calibrate
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.counting import smeft_z
from znought.stats.eft.intervals import Coverage, delta_2lnl, interval
from znought.stats.eft.likelihood import LikelihoodModel, Systematics
from znought.stats.eft.measurement import (
    COMBINED,
    likelihood_model,
    limits,
    truncated_limits,
    two_coefficients,
)
from znought.stats.significance import Scaling

__all__ = ["set_limits"]

Scored = tuple[ScoredChannel, ...]
N_SCANNED = 121
BEYOND = 1.7
FEW_EFFECTIVE = 50


@dataclass(frozen=True)
class _Task:
    """One piece of the statistics: a kind, and where it is asked for; no channel means all combined."""

    kind: str
    region: str
    discriminant: str = BEST
    scaling: Scaling = "fixed"
    channel: str | None = None

    @property
    def title(self) -> str:
        return f"{self.kind}, {self.discriminant}, {self.channel or 'combined'}, {self.region}"


def set_limits(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `results.json`, and the likelihood of the standard model in the formats of other programs."""
    card, workspace = context.card, context.workspace
    pieces = _pieces(context)
    summary, remarks_of_fit, written = fit_standard_model(context)
    measured = read_json(workspace.significance)
    notes = [*measured.pop("notes"), *pieces.pop("notes"), *remarks_of_fit]
    results = checked_results(
        {
            "analysis": context.analysis.name,
            "title": card.title,
            "label": card.label,
            "lumi_ifb": card.lumi_ifb,
            "coefficient": card.morphing.coefficients[0],
            "channels": card.channels,
            "regions": tuple(card.regions),
            "main_region": card.training_region,
            "sigma_background": card.smeft.sigma_rel,
            "min_background": card.smeft.min_background,
            "published": _published(card),
            **measured,
            **pieces,
            "fit": summary,
            "substitutes": read_json(workspace.substitutes),
            "notes": [
                *remarks(read_json(workspace.ledger)),
                *_notes(card, measured["yields"]),
                *dict.fromkeys(notes),
            ],
        },
        workspace.significance,
    )
    write_json(workspace.results, results.model_dump(mode="json"))
    return [workspace.results, *written]


def _published(card: VHBBCard) -> PublishedResult | None:
    """What the card quotes, and what the quoted yields give without a network."""
    quoted = card.published
    if quoted is None:
        return None
    sigma_rel = card.smeft.sigma_rel
    return PublishedResult(
        source=quoted.source,
        channel=quoted.channel,
        auc={f"{value:g}": area for value, area in quoted.auc.items()},
        z_a={f"{value:g}": z for value, z in quoted.z_a.items()},
        no_network={
            f"{value:g}": float(smeft_z(*yields, sigma_rel=sigma_rel, signal_definition="paper"))
            for value, yields in quoted.yields.items()
        },
        claim=quoted.claim,
    )


def _notes(card: VHBBCard, yields: Iterable[Mapping[str, Any]]) -> list[str]:
    notes = [
        'Every Z_A is expected (Asimov). "paper" counts the whole yield at c̄ ≠ 0 as signal and does not '
        'vanish for c̄ → 0; "excess" counts what exceeds the standard model.',
        f"No cut leaves fewer than {card.smeft.min_background:g} background events; cuts are chosen on one "
        "half of the events and quoted on the other.",
    ]
    few = [
        f"{one['channel']} {one['region']} {one['process']} ({one['effective']:.0f})"
        for one in yields
        if one["effective"] < FEW_EFFECTIVE
    ]
    if few:
        notes.append(
            f"The simulated sample limits the numbers with backgrounds: fewer than {FEW_EFFECTIVE} effective "
            f"events of {', '.join(few)}."
        )
    return notes


def _pieces(context: Context[VHBBCard]) -> dict[str, Any]:
    """All tasks' results by the key in `results.json` that they belong to."""
    card, client = context.card, context.cluster()
    main = card.training_region
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
    workspace = context.workspace
    futures = [submit(client, _work, card, workspace, task, retries=2) for task in tasks]
    titles = {future.key: task.title for future, task in zip(futures, tasks, strict=True)}
    with context.reporter.bar("setting limits") as advance:
        for done, future in enumerate(arrivals(client, futures), start=1):
            advance(done, len(tasks), titles[future.key])
    found: dict[str, Any] = {
        "intervals": [],
        "scans": [],
        "truncations": [],
        "calibrations": [],
        "breakdown": [],
        "contour": None,
        "notes": [],
    }
    for task, future in zip(tasks, futures, strict=True):
        values, notes = future.result()
        found["notes"] += notes
        if task.kind == "contour":
            found["contour"] = values[0] if values else None
        else:
            found[task.kind] += values
    return found


def _work(card: VHBBCard, workspace: Workspace, task: _Task) -> tuple[list[dict[str, Any]], list[str]]:
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
        found = _KINDS[task.kind](card, channels, scored, task)
        return [entry.model_dump(mode="json") for entry in found], notes
    except DataError as error:
        return [], [*notes, f"{task.title}: {error}"]


def _intervals(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[IntervalResult]:
    systematics = replace(card.systematics, scaling=task.scaling)
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


def _scans(card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task) -> list[ScanResult]:
    """The rise of the combined likelihood, over three times its 95 % interval."""
    model = likelihood_model(scored, task.discriminant, card.systematics, card.smeft)
    segments = interval(model, coefficient=model.names[0]).segments
    low, high = model.validity[0]
    centre, half = 0.5 * (segments[0][0] + segments[-1][1]), 0.75 * (segments[-1][1] - segments[0][0])
    values = np.linspace(max(centre - half, low), min(centre + half, high), N_SCANNED)
    rise = delta_2lnl(model, model.asimov(), values, coefficient=model.names[0])[0]
    return [
        ScanResult(
            discriminant=task.discriminant, values=tuple(values.tolist()), delta_2lnl=tuple(rise.tolist())
        )
    ]


def _truncations(
    card: VHBBCard, channels: list[ChannelScores], scored: Scored, task: _Task
) -> list[Truncation]:
    pt_v = {one.name: one.sample.pt_v[one.in_region(task.region)] for one in channels}
    model = likelihood_model(scored, task.discriminant, card.systematics, card.smeft)
    found = {None: interval(model, coefficient=model.names[0], level=card.smeft.level)} | truncated_limits(
        scored, pt_v, card.systematics, card.smeft, discriminant=task.discriminant
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
    model = likelihood_model(scored, task.discriminant, card.systematics, card.smeft)
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
    model = likelihood_model(scored, task.discriminant, card.systematics, card.smeft)
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
    """The combined interval without systematics, with rates and MC statistics, and with variations too."""
    nominal = tuple(replace(one, variations={}) for one in scored)
    statistics = Systematics(mc_statistics=False)
    compared = {"none": (nominal, statistics), "rates": (nominal, card.systematics)}
    if card.variation_names:
        compared["all"] = (scored, card.systematics)
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
}
