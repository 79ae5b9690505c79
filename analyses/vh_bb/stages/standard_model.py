"""The likelihood of the standard model in the bins of the limits: signal strength of VH, exchange formats."""

from pathlib import Path

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import read_channel_scores, unfit, with_variations
from znought.analyses.vh_bb.summary import BEST, DISCRIMINANT_TITLES
from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.fitting.written import write_likelihood, write_templates
from znought.facility.results.fitted import FitSummary, fit_summary
from znought.facility.workspace import write_json
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.measurement import channel_edges
from znought.stats.eft.templates import standard_model
from znought.stats.fit_report import full_fit

__all__ = ["fit_standard_model"]


def fit_standard_model(context: Context[VHBBCard]) -> tuple[FitSummary | None, list[str], list[Path]]:
    """The expected signal strength of VH with its remarks, and the files of `fit/`.

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
        return None, [], []
    try:
        summary, notes = _fitted(context, with_variations(fit, context.workspace, region))
    except DataError as error:
        summary, notes = None, [f"No fit of the standard model: {error}"]
    return summary, notes, sorted(path for path in folder.rglob("*") if path.is_file())


def _fitted(context: Context[VHBBCard], channels: tuple[ScoredChannel, ...]) -> tuple[FitSummary, list[str]]:
    """The fit with its remarks; writes templates, likelihood and report.

    Raises:
        DataError: bins, templates or likelihood that cannot be.
    """
    card, folder = context.card, context.workspace.fit
    binned = {one.events.name: (one, channel_edges(one, BEST, card.smeft)) for one in channels}
    model = standard_model(binned, BEST, card.systematics)
    folder.mkdir(parents=True, exist_ok=True)
    write_templates(
        folder, model.templates, signal=model.settings.signal, discriminant=DISCRIMINANT_TITLES[BEST]
    )
    prepared = model.prepared()
    write_likelihood(folder, prepared.spec)
    with context.reporter.bar("fitting the standard model") as advance:
        report = full_fit(prepared.spec)
        advance(1, 1, "")
    write_json(folder / "report.json", report.to_dict())
    summary = fit_summary(report, model.templates.regions, lumi_ifb=card.lumi_ifb)
    remarks = [*report.remarks, *model.templates.remarks, *prepared.remarks]
    pruned = (one.text for one in prepared.pruned)
    return summary, [_sentence(card, summary, tuple(binned)), *remarks, *pruned]


def _sentence(card: VHBBCard, summary: FitSummary, channels: tuple[str, ...]) -> str:
    low, high = summary.mu_interval
    z0 = "not defined" if summary.z0 is None else f"{summary.z0:.2f}"
    return (
        f"Standard model, {card.training_region}, {', '.join(channels)} in bins of the "
        f"{DISCRIMINANT_TITLES[BEST]}, rates of processes, MC statistics and "
        f"{', '.join(card.varied) or 'no'} variations: {summary.data} Z = {z0} of {card.morphing.process} at "
        f"{card.lumi_ifb:.4g} fb⁻¹, mu = {summary.mu:.2f} [{low:.2f}, {high:.2f}]."
    )
