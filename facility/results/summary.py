"""The closing tables in the terminal: what was found, and how far it may be believed."""

from znought.facility.results.fit_tables import data_tables, fit_tables
from znought.facility.results.fitted import FitSummary
from znought.facility.results.records import Estimate
from znought.facility.results.rounding import with_error, written
from znought.facility.results.standard import Results
from znought.plots.report import ReportTable
from znought.plots.style import FigureLabel

__all__ = ["report_tables"]


def report_tables(results: Results) -> tuple[ReportTable, ...]:
    """Significances and areas under the ROC curves, or yields by region, and the events behind them."""
    found = [_significances(results)] if results.z0 else [_regions(results)]
    if results.fit is not None and not results.z0:
        found.insert(0, _measurement(results, results.fit))
    fitted = fit_tables(results.fit, results.label) if results.fit is not None else ()
    fitted += data_tables(results.prediction, results.unblinding, results.label)
    return (*found, *fitted, *([_areas(results)] if results.auc else []), _events(results))


def _head(results: Results, lumi_ifb: float | None = None) -> str:
    """Label, energies and luminosity; that of the card unless given."""
    label = FigureLabel(results.label, lumi_ifb or results.lumi_ifb, results.energies_tev)
    return f"{label.label}, {label.conditions}"


def _measurement(results: Results, found: FitSummary) -> ReportTable:
    """Signal strength with its interval: what is measured where no significance is looked for."""
    low, high = found.mu_interval
    z0 = "–" if found.z0 is None else f"{found.z0:.2f}"
    row = (str(results.signal), f"{found.mu:.4f}", f"[{low:.4f}, {high:.4f}]", z0)
    title = f"{_head(results, found.lumi_ifb)}: {found.data} fit of {results.title}"
    caption = "Signal strength μ, 1 for the cross section of the card, with its 68 % interval by profile."
    return ReportTable(title, ("process", "μ", "68 % interval", "Z₀"), (row,), caption)


def _regions(results: Results) -> ReportTable:
    rows = []
    for process in results.events:
        cells = [region[process] for region in results.regions.values()]
        rows.append((process, *(with_error(cell.events[0], cell.mc_stat_error[0]) for cell in cells)))
    title = f"{_head(results)}: expected events of {results.title}"
    caption = "Errors of the simulated sample alone. " + " ".join(results.notes)
    return ReportTable(title, ("process", *results.regions), tuple(rows), caption, section="Yields")


def _significances(results: Results) -> ReportTable:
    sigma = f"{results.sigma_background:.0%}"
    caption = (
        f"Asimov, μ = 1, {sigma} background uncertainty in each bin. Held-out: edges chosen on other events "
        "than those quoted, less the bias of finite simulation by bootstrap; interval: bootstrap over "
        "generated events, and the spread over repeated trainings in quadrature; with MC stat.: the same "
        "with the error of the events quoted in every bin; tuned: "
        "quoted on the events that chose the edges; quadrature: all events tuned and quoted, bins "
        f"uncorrelated, as is often published; correlated: held-out, corrected alike, with the {sigma} "
        "common to all bins, which bins of little signal then measure; published: others' own number, on "
        "another sample; difference: held-out Z₀ of the selection of the fit less that of this one, "
        "over the same generated events. " + " ".join(results.notes)
    )
    title = f"{_head(results)}: expected Z₀ of {results.title}"
    header = (
        "selection",
        "held-out",
        "68 % interval",
        "with MC stat.",
        "tuned",
        "quadrature",
        "correlated",
        "published",
        "difference",
    )
    return ReportTable(title, header, tuple(_significance(results, name) for name in results.z0), caption)


def _significance(results: Results, name: str) -> tuple[str, ...]:
    found = results.z0[name]
    low, high = found.interval
    correlated, published = results.z_profile.get(name), results.published_z0.get(name)
    return (
        results.selections.get(name, name),
        f"{found.held_out:.3f}{' *' if found.statistics_limited else ''}",
        f"[{low:.3f}, {high:.3f}]",
        "–" if found.mc_stat is None else f"{found.mc_stat.value:.3f}",
        f"{found.tuned:.3f}",
        f"{found.quadrature:.3f}",
        "–" if correlated is None else f"{correlated:.3f}",
        "–" if published is None else f"{published:g}",
        _difference(results.z0_differences.get(name)),
    )


def _areas(results: Results) -> ReportTable:
    rows = tuple(
        (
            name,
            _area(estimate),
            _area(results.auc_boosting.get(name)),
            _difference(results.auc_differences.get(name)),
        )
        for name, estimate in results.auc.items()
    )
    caption = (
        f"One class against the rest, every class carrying the same weight; {results.auc_events}. "
        "Difference: bootstrap over the same generated events."
    )
    header = ("class", "network", "boosted trees", "network − trees")
    return ReportTable(f"{results.label}: area under the ROC curve", header, rows, caption, section="Network")


def _difference(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.interval
    return f"{estimate.value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _area(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.interval
    return f"{estimate.value:.3f} [{low:.3f}, {high:.3f}]"


def _events(results: Results) -> ReportTable:
    rows = tuple(
        (
            name,
            f"{events.raw:,}",
            f"{events.generated:,}",
            f"{events.effective:,.0f}",
            written(events.weighted),
        )
        for name, events in results.events.items()
    )
    header = ("process", "raw", "generated", "effective", f"in {results.lumi_ifb:g} fb⁻¹")
    caption = "Raw rows count every detector response; generated events and effective sizes do not."
    return ReportTable(f"{results.label}: events after preselection", header, rows, caption, section="Yields")
