"""Stage `fit`: bins and areas → `results.json`, with what a reader must know beside the numbers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.fitting.placement import Bins, likelihood_bins
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.results.fitted import FitSummary, fit_summary
from znought.facility.results.standard import Results, write_results
from znought.facility.stages.summarise import common_results, input_remarks
from znought.facility.workspace import read_json, write_json
from znought.stats.exchange import replace_file, write_root, write_uhi, write_workspace
from znought.stats.fit_report import full_fit
from znought.stats.formats.card_writer import write_datacard
from znought.stats.hs3 import write_hs3
from znought.stats.inference import DataKind
from znought.stats.tables import latex_yields, write_hepdata
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import Spec, prepared_workspace

__all__ = ["fit", "inputs"]

LIKELIHOOD_FILES = ("workspace.json", "hs3.json", "datacard.txt", "datacard_shapes.root", "report.json")


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card: whether data enter the signal bins."""
    return context.options.unblind


def fit(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `results.json` and the likelihood in the formats of other programs."""
    card, workspace = context.card, context.workspace
    found = read_json(workspace.binning)
    summary, fit_remarks, written = _likelihood(context, likelihood_bins(card, found))
    results = Results.model_validate(
        common_results(context)
        | read_json(workspace.evaluation)
        | {
            "z0": {name: _significance(entry) for name, entry in found.items()},
            "published_z0": card.published_z0,
            "z_profile": {name: entry["z_profile"] for name, entry in found.items()},
            "fit": summary,
            "yields": {name: _yields(entry) for name, entry in found.items()},
            "edges": {name: entry["edges"] for name, entry in found.items()},
            "selections": card.selections,
            "notes": [*_notes(card, found), *input_remarks(context), *fit_remarks],
        }
    )
    write_results(workspace.results, results)
    return [workspace.results, *written]


def _likelihood(
    context: Context[StandardCard], bins: Bins
) -> tuple[FitSummary | None, list[str], list[Path]]:
    """The fit of signal bins and control regions with its remarks, and files for other programs.

    Where the templates make no likelihood, the remark says why, and the tables of yields stand alone.
    """
    card = context.card
    treated = templates(card, context.workspace, bins, with_data=context.options.unblind)
    regions = treated.regions
    folder = context.workspace.fit
    folder.mkdir(parents=True, exist_ok=True)
    summary: FitSummary | None = None
    try:
        prepared = prepared_workspace(regions, fit_settings(card, context.workspace))
    except DataError as error:
        notes = [f"No likelihood: {error}"]
        for name in LIKELIHOOD_FILES:
            # What an earlier run wrote says nothing about these templates.
            (folder / name).unlink(missing_ok=True)
    else:
        (folder / "report.json").unlink(missing_ok=True)
        _write_likelihood(folder, prepared.spec)
        summary, notes = _fitted(context, prepared.spec, regions)
        notes += [*treated.remarks, *prepared.remarks, *(pruned.text for pruned in prepared.pruned)]
    _write_tables(folder, card, regions)
    write_json(folder / "systematics.json", [record.to_dict() for record in treated.records])
    return summary, notes, sorted(path for path in folder.rglob("*") if path.is_file())


def _write_likelihood(folder: Path, spec: Spec) -> None:
    write_workspace(folder / "workspace.json", spec)
    write_hs3(folder / "hs3.json", spec)
    write_datacard(folder / "datacard.txt", spec)


def _write_tables(folder: Path, card: StandardCard, regions: Sequence[RegionTemplates]) -> None:
    write_root(folder / "templates.root", regions)
    write_uhi(folder / "templates.json", regions)
    table = latex_yields(regions[0].nominal, signal=(str(card.signal),))
    replace_file(folder / "yields.tex", lambda path: path.write_text(table, encoding="utf-8"))
    tables = {region.name: (f"Expected events, {region.name}", region.nominal) for region in regions}
    write_hepdata(folder / "hepdata", tables, discriminant=_discriminant(card))


def _fitted(
    context: Context[StandardCard], spec: Spec, regions: tuple[RegionTemplates, ...]
) -> tuple[FitSummary | None, list[str]]:
    """The fit, or the reason why these templates allow none: few simulated events make poor likelihoods."""
    kind: DataKind = "observed" if context.options.unblind else "expected"
    with context.reporter.bar("fitting") as advance:
        advance(0, 1, "signal strength, impacts, limit")
        try:
            report = full_fit(spec, data=kind)
        except DataError as error:
            return None, [f"No profile-likelihood fit with control regions: {error}"]
        advance(1, 1, "")
    write_json(context.workspace.fit / "report.json", report.to_dict())
    summary = fit_summary(report, regions)
    lumi = data_lumi_ifb(context.workspace) if kind == "observed" else context.card.lumi_ifb
    return summary, [_sentence(context.card, summary, lumi_ifb=lumi), *report.remarks]


def _sentence(card: StandardCard, summary: FitSummary, *, lumi_ifb: float | None) -> str:
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
        f"{z0} at {lumi_ifb or card.lumi_ifb:.4g} fb⁻¹, mu = {summary.mu:.2f} [{low:.2f}, "
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


def _significance(entry: Mapping[str, Any]) -> dict[str, object]:
    return {
        "tuned": entry["tuned"],
        "held_out": entry["held_out"],
        "interval": entry["interval"],
        "auxiliary": entry["auxiliary"],
        "z_per_bin": entry["whole"]["z_per_bin"],
        "quadrature": entry["whole"]["z_total"],
        "statistics_limited": not entry["trustworthy"],
        "min_background_events": entry["min_background_events"],
    }


def _yields(entry: Mapping[str, Any]) -> dict[str, object]:
    return {
        process: {"events": values["yields"], "mc_stat_error": values["mc_errors"]}
        for process, values in entry["yields"]["processes"].items()
    }


def _discriminant(card: StandardCard) -> str:
    """What is binned, in words."""
    if card.discriminants:
        return "Discriminant of the region"
    if card.network is None and card.cut_based is not None:
        return card.cut_based.variable
    return f"Output of class {card.class_of_signal}"


def _notes(card: StandardCard, found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    constraints = card.binning.constraints
    notes = [
        f"Every bin holds at least {constraints.effective_background:.0f} effective background events: "
        "the simulated sample, not the method, limits how fine the bins may be."
    ]
    if card.discriminant in found:
        greedy = found[card.discriminant]["unbounded"]
        notes.append(
            f"Without that bound, tuned and quoted on the same events: {greedy['z_total']:.2f}, "
            f"with down to {greedy['min_background_events']} generated background events in a bin."
        )
    limited = [name for name, entry in found.items() if not entry["trustworthy"]]
    if limited:
        notes.append(f"* limited by the simulated sample: {', '.join(limited)}.")
    return notes
