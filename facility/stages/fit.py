"""Stage `fit`: bins and areas → `results.json`, with what a reader must know beside the numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.fitting.distributions import distributions
from znought.facility.fitting.exchanged import exchanged_fit
from znought.facility.fitting.opening import fitted_regions, kept_bins, without_masked
from znought.facility.fitting.placement import Bins, likelihood_bins
from znought.facility.fitting.required import missing
from znought.facility.fitting.stepwise import Stepped, data_in_steps, known_line, refuse_without_data
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.fitting.written import write_likelihood, write_templates
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.results.binned import (
    BinnedSelection,
    Binning,
    Companion,
    read_binning,
    read_evaluation,
)
from znought.facility.results.fitted import CrossFit, FitSummary, fit_summary
from znought.facility.results.opened import Prediction, Unblinding
from znought.facility.results.records import Estimate
from znought.facility.results.standard import SignificanceResult, Yield, write_results
from znought.facility.results.unblinding_log import read_log
from znought.facility.stages.summarise import common_results, input_remarks
from znought.facility.workspace import write_json
from znought.stats.exchange import write_workspace
from znought.stats.fit_report import full_fit
from znought.stats.inference import DataKind
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import Spec, prepared_workspace

__all__ = ["fit", "inputs"]

LIKELIHOOD_FILES = (
    "workspace.json",
    "workspace_validation.json",
    "hs3.json",
    "datacard.txt",
    "datacard_shapes.root",
    "report.json",
)


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card: in which bins data are shown."""
    return context.options.opened


def fit(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `results.json` and the likelihood in the formats of other programs.

    Raises:
        CardError: data are to be shown, and the card has none.
    """
    card, workspace = context.card, context.workspace
    refuse_without_data(card, context.options.opened)
    found, evaluation = read_binning(workspace.binning), read_evaluation(workspace.evaluation)
    likelihood = _likelihood(context, likelihood_bins(card, found), found)
    lacking = missing(card, fit_settings(card, workspace))
    log = read_log(workspace.unblinding, known=known_line(workspace.results))
    results = common_results(context, evaluation.events).model_copy(
        update={
            **dict(evaluation),
            "z0": {name: _significance(entry) for name, entry in found.items()},
            "published_z0": card.published_z0,
            "z_profile": {name: entry.z_profile for name, entry in found.items()},
            "fit": likelihood.summary,
            "prediction": likelihood.prediction,
            "unblinding": likelihood.unblinding,
            "unblinding_log": log[-1].sha256 if log else None,
            "yields": {name: _yields(entry) for name, entry in found.items()},
            "edges": {name: entry.edges for name, entry in found.items()},
            "selections": card.selections,
            "missing_uncertainties": lacking,
            "notes": (*_notes(card, found), *input_remarks(context), *likelihood.notes, *lacking),
        }
    )
    write_results(workspace.results, results)
    logs = [workspace.unblinding] if log else []
    return [workspace.results, *likelihood.files, *logs]


@dataclass(frozen=True)
class _Likelihood:
    """The fit with what stands around it; without a summary where the templates make no likelihood."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]
    summary: FitSummary | None = None
    prediction: Prediction | None = None
    unblinding: Unblinding | None = None


def _likelihood(context: Context[StandardCard], bins: Bins, binning: Binning | None = None) -> _Likelihood:
    """The fit of signal bins and control regions with its remarks, and files for other programs.

    Where the templates make no likelihood, the remark says why, and the tables of yields stand alone.
    """
    card, folder = context.card, context.workspace.fit
    treated = templates(card, context.workspace, bins, with_data=context.options.unblind)
    folder.mkdir(parents=True, exist_ok=True)
    for name in LIKELIHOOD_FILES:
        # What an earlier run wrote says nothing about these templates.
        (folder / name).unlink(missing_ok=True)
    found = _Likelihood((), ())
    try:
        prepared = prepared_workspace(treated.regions, fit_settings(card, context.workspace))
    except DataError as error:
        found = _Likelihood((), (f"No likelihood: {error}",))
    else:
        found = _fitted(context, treated.regions, prepared.spec)
        found = _with_distributions(context, bins, prepared.spec, found)
        found = _cross_fitted(context, bins, binning or {}, prepared.spec, found)
        found = _with_data(found, data_in_steps(context, bins, treated.regions))
        pruned = (one.text for one in prepared.pruned)
        found = replace(found, notes=(*found.notes, *treated.remarks, *prepared.remarks, *pruned))
    write_templates(folder, treated, signal=(str(card.signal),), discriminant=_discriminant(card))
    return replace(found, files=tuple(sorted(path for path in folder.rglob("*") if path.is_file())))


def _fitted(context: Context[StandardCard], regions: tuple[RegionTemplates, ...], whole: Spec) -> _Likelihood:
    """The fit, or the reason why these templates allow none: few simulated events make poor likelihoods."""
    card, folder = context.card, context.workspace.fit
    kind: DataKind = "observed" if context.options.unblind else "expected"
    kept = kept_bins(card, regions)
    every = without_masked(whole, kept)
    spec = fitted_regions(card, every)
    write_likelihood(folder, spec)
    if spec is not every:
        write_workspace(folder / "workspace_validation.json", every)
    with context.reporter.bar("fitting") as advance:
        advance(0, 1, "signal strength, impacts, limit")
        try:
            report = full_fit(spec, data=kind, shown=every, n_toys=card.likelihood.n_toys)
        except DataError as error:
            return _Likelihood((), (f"No profile-likelihood fit with control regions: {error}",))
        advance(1, 1, "")
    write_json(folder / "report.json", report.to_dict())
    lumi = data_lumi_ifb(context.workspace) if kind == "observed" else None
    summary = fit_summary(report, regions, card.roles, kept, lumi_ifb=lumi or card.lumi_ifb)
    return _Likelihood((), (_sentence(card, summary), *report.remarks), summary)


def _cross_fitted(
    context: Context[StandardCard], bins: Bins, binning: Binning, spec: Spec, found: _Likelihood
) -> _Likelihood:
    """The same with the expected fit of exchanged edges beside it."""
    if found.summary is None or found.summary.data != "expected":
        return found
    card = context.card
    try:
        fitted = exchanged_fit(card, context.workspace, binning, bins, fitted_regions(card, spec))
    except DataError as error:
        return replace(found, notes=(*found.notes, f"The fit is not cross-fitted: {error}"))
    if fitted is None:
        return found
    record = CrossFit(
        z0=fitted.z0,
        tuned_z0=fitted.tuned_z0,
        frozen_z0=fitted.frozen.z0,
        interval_length=fitted.interval_length,
    )
    summary = found.summary.model_copy(update={"cross_fit": record})
    return replace(found, summary=summary, notes=(*found.notes, fitted.text))


def _with_distributions(
    context: Context[StandardCard], bins: Bins, spec: Spec, found: _Likelihood
) -> _Likelihood:
    """The same with the card's variables in the regions of the fit."""
    if found.summary is None:
        return found
    card = context.card
    kind: DataKind = "observed" if found.summary.data == "observed" else "expected"
    fitted = fitted_regions(card, spec)
    shown = distributions(card, context.workspace, bins, fitted, data=kind)
    return replace(found, summary=found.summary.model_copy(update={"distributions": shown}))


def _with_data(found: _Likelihood, stepped: Stepped) -> _Likelihood:
    """The same with what control regions predict, and what the steps show in which data are shown."""
    notes = (*found.notes, *stepped.notes)
    return replace(found, prediction=stepped.prediction, unblinding=stepped.unblinding, notes=notes)


def _sentence(card: StandardCard, summary: FitSummary) -> str:
    low, high = summary.mu_interval
    z0 = "not defined" if summary.z0 is None else f"{summary.z0:.2f}"
    observed = summary.mu_limit_observed
    limit = ""
    if summary.mu_limit is not None:
        shown = "" if observed is None else f"observed {observed:.1f}, "
        limit = f", 95 % CLs limit on mu {shown}expected without signal {summary.mu_limit[2]:.1f}"
    warnings = "".join(f" {warning}" for warning in summary.warnings)
    floating = ", ".join(card.likelihood.workspace.floating) or "no"
    return (
        f"Profile likelihood of {_fitted_regions(card)}, {floating} normalisation floating, MC "
        f"statistics and {', '.join(card.varied) or 'no'} variations: {summary.data} Z = "
        f"{z0} at {summary.lumi_ifb:.4g} fb⁻¹, mu = {summary.mu:.2f} [{low:.2f}, "
        f"{high:.2f}]{limit}.{_tuned_edges(card)}{warnings}"
    )


def _fitted_regions(card: StandardCard) -> str:
    """What is fitted, in words."""
    if card.discriminants:
        return ", ".join(card.discriminants)
    return "the greedy bins with control regions"


def _tuned_edges(card: StandardCard) -> str:
    """What a reader must know of edges that were not given."""
    found = not card.discriminants or card.tuned
    return " Its edges are tuned on the events that it is quoted on." if found else ""


def _significance(entry: BinnedSelection) -> SignificanceResult:
    return SignificanceResult(
        tuned=entry.tuned,
        held_out=entry.held_out,
        interval=entry.interval,
        training_error=entry.training_error,
        mc_stat=_companion(entry.mc_stat),
        correlated=_companion(entry.correlated),
        auxiliary=entry.auxiliary,
        z_per_bin=entry.whole.z_per_bin,
        quadrature=entry.whole.z_total,
        statistics_limited=not entry.trustworthy,
        min_background_events=entry.min_background_events,
    )


def _companion(entry: Companion) -> Estimate:
    return Estimate(value=entry.held_out, interval=entry.interval)


def _yields(entry: BinnedSelection) -> dict[str, Yield]:
    return {
        process: Yield(events=values.yields, mc_stat_error=values.mc_errors)
        for process, values in entry.yields.processes.items()
    }


def _discriminant(card: StandardCard) -> str:
    """What is binned, in words."""
    if card.discriminants:
        return "Discriminant of the region"
    if not card.is_scored and card.cut_based is not None:
        return card.cut_based.variable
    return f"Output of class {card.class_of_signal}"


def _notes(card: StandardCard, found: Binning) -> list[str]:
    if not found:
        return []
    constraints = card.binning.constraints
    notes = [
        f"Every bin holds at least {constraints.effective_background:.0f} effective background events: "
        "the simulated sample, not the method, limits how fine the bins may be."
    ]
    if card.discriminant in found:
        greedy = found[card.discriminant].unbounded
        notes.append(
            f"Without that bound, tuned and quoted on the same events: {greedy.z_total:.2f}, "
            f"with down to {greedy.min_background_events} generated background events in a bin."
        )
    limited = [name for name, entry in found.items() if not entry.trustworthy]
    if limited:
        notes.append(f"* limited by the simulated sample: {', '.join(limited)}.")
    return notes
