"""The likelihood of the standard model in the bins of the limits: signal strength of VH, exchange formats."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import read_channel_scores, unfit, with_data, with_variations
from znought.analyses.vh_bb.summary import BEST, DISCRIMINANT_TITLES
from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.fitting.opening import opened
from znought.facility.fitting.stepwise import logged_steps
from znought.facility.fitting.written import write_likelihood, write_templates
from znought.facility.ntuples.account import lumi_of_data
from znought.facility.results.fitted import FitSummary, fit_summary
from znought.facility.results.opened import Unblinding
from znought.facility.workspace import Workspace, write_json
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.measurement import channel_edges
from znought.stats.eft.templates import standard_model
from znought.stats.fit_report import full_fit
from znought.stats.inference import DataKind
from znought.stats.spec import Spec
from znought.stats.templates import RegionTemplates
from znought.stats.unblinding import UnblindingStep

__all__ = ["FittedStandardModel", "fit_standard_model"]


@dataclass(frozen=True)
class FittedStandardModel:
    """The fit with what stands around it; without a summary where the templates make no likelihood."""

    summary: FitSummary | None = None
    notes: tuple[str, ...] = ()
    unblinding: Unblinding | None = None
    files: tuple[Path, ...] = ()


def fit_standard_model(context: Context[VHBBCard]) -> FittedStandardModel:
    """The signal strength of VH with its remarks, and the files of `fit/`; observed where data are shown.

    A region for each channel, binned as in the limits; the systematics are those of the limits.
    """
    card, folder, region = context.card, context.workspace.fit, context.card.training_region
    # What an earlier run wrote says nothing about these events.
    for file in folder.rglob("*"):
        if file.is_file():
            file.unlink()
    scores = [read_channel_scores(card, context.workspace, channel) for channel in card.channels]
    fit = [one for one in scores if unfit(one, region) is None]
    if not fit:
        return FittedStandardModel()
    try:
        channels = with_variations(fit, context.workspace, region)
        if context.options.unblind:
            lumi = lumi_of_data(card, context.workspace)
            channels = with_data(fit, channels, context.workspace, region, lumi_ifb=lumi)
        found = _fitted(context, channels)
    except DataError as error:
        found = FittedStandardModel(notes=(f"No fit of the standard model: {error}",))
        if context.options.unblind:
            # Limits show the data all the same.
            unblinding = logged_steps(context.workspace, "signal", (), (), {"channels": []})
            found = replace(found, unblinding=unblinding)
    return replace(found, files=tuple(sorted(path for path in folder.rglob("*") if path.is_file())))


def _fitted(context: Context[VHBBCard], channels: tuple[ScoredChannel, ...]) -> FittedStandardModel:
    """The fit with its remarks; writes templates, likelihood and report.

    Raises:
        DataError: bins, templates or likelihood that cannot be.
    """
    card, folder = context.card, context.workspace.fit
    kind: DataKind = "observed" if context.options.unblind else "expected"
    binned = {one.events.name: (one, channel_edges(one, BEST, card.smeft)) for one in channels}
    model = standard_model(binned, BEST, card.systematics_of_limits)
    folder.mkdir(parents=True, exist_ok=True)
    write_templates(
        folder, model.templates, signal=model.settings.signal, discriminant=DISCRIMINANT_TITLES[BEST]
    )
    prepared = model.prepared()
    write_likelihood(folder, prepared.spec)
    with context.reporter.bar("fitting the standard model") as advance:
        report = full_fit(prepared.spec, data=kind)
        advance(1, 1, "")
    write_json(folder / "report.json", report.to_dict())
    lumi = lumi_of_data(card, context.workspace) if context.options.unblind else card.lumi_ifb
    summary = fit_summary(report, model.templates.regions, lumi_ifb=lumi)
    remarks = [*report.remarks, *model.templates.remarks, *prepared.remarks]
    pruned = (one.text for one in prepared.pruned)
    notes = (_sentence(card, summary, tuple(binned)), *remarks, *pruned)
    unblinding = None
    if context.options.unblind:
        unblinding, shown = _opened(context.workspace, model.templates.regions, prepared.spec)
        notes += shown
    return FittedStandardModel(summary, notes, unblinding)


def _opened(
    workspace: Workspace, regions: tuple[RegionTemplates, ...], spec: Spec
) -> tuple[Unblinding, tuple[str, ...]]:
    """The one step that opens all bins, judged and logged, in words."""
    kept = {one.name: np.ones(one.nominal.edges.size - 1, np.bool_) for one in regions}
    bins = {name: mask.tolist() for name, mask in kept.items()}
    steps = (UnblindingStep("signal", bins, measures_signal=True),)
    try:
        found = opened(spec, steps, kept)
        notes = tuple(step.text for step in found)
    except DataError as error:
        found, notes = (), (f"Data are shown, but not compared: {error}",)
    return logged_steps(workspace, "signal", steps, found, spec), notes


def _sentence(card: VHBBCard, summary: FitSummary, channels: tuple[str, ...]) -> str:
    low, high = summary.mu_interval
    z0 = "not defined" if summary.z0 is None else f"{summary.z0:.2f}"
    varied = ", ".join((*card.varied, *card.lumi_shifts)) or "no"
    return (
        f"Standard model, {card.training_region}, {', '.join(channels)} in bins of the "
        f"{DISCRIMINANT_TITLES[BEST]}, rates of processes, MC statistics and "
        f"{varied} variations: {summary.data} Z = {z0} of {card.morphing.process} at "
        f"{summary.lumi_ifb:.4g} fb⁻¹, mu = {summary.mu:.2f} [{low:.2f}, {high:.2f}]."
    )
