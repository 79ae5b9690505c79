"""The closing tables in the terminal: what was found, and how far it may be believed."""

from rich.table import Table

from znought.facility.results import Estimate, Results, SignificanceResult

__all__ = ["closing_tables"]

METHODS = {
    "cut_based": "cut-based, one bin",
    "cut_based_mt_binned": "cut-based, m_T bins",
    "mva_greedy": "network, greedy bins",
    "mva_optimal": "network, optimal bins",
    "boosting_greedy": "boosted trees, greedy bins",
}


def closing_tables(results: Results) -> tuple[Table, ...]:
    """Significances, areas under the ROC curves and the simulated events behind them."""
    return (_significances(results), _areas(results), _events(results))


def _title(results: Results) -> str:
    return f"{results.label} · √s = 13 TeV, {results.lumi_ifb:g} fb⁻¹ · {results.title}"


def _significances(results: Results) -> Table:
    sigma = f"{results.sigma_background:.0%}"
    table = Table(
        title=_title(results) + "\nExpected Z₀ (Asimov, μ = 1), "
        f"{sigma} background uncertainty per bin; the headline is held-out",
        caption="held-out: edges chosen on other events than those quoted; interval: 68 %, bootstrap over\n"
        f"generated events; profile: likelihood with the {sigma} correlated between bins.\n"
        + "\n".join(results.notes),
        caption_justify="left",
    )
    for column in ("selection", "held-out Z₀", "68 % interval", "tuned Z₀", "profile Z", "× cut-based"):
        table.add_column(column, justify="left" if column == "selection" else "right")
    reference = results.z0["cut_based"].held_out
    for name, found in results.z0.items():
        ratio = f"{found.held_out / reference:.2f}" if reference > 0 else "–"
        table.add_row(METHODS.get(name, name), *_row(found), _profile(results, name), ratio)
    return table


def _row(found: SignificanceResult) -> tuple[str, str, str]:
    low, high = found.interval
    flag = " *" if found.statistics_limited else ""
    return f"{found.held_out:.3f}{flag}", f"[{low:.3f}, {high:.3f}]", f"{found.tuned:.3f}"


def _profile(results: Results, name: str) -> str:
    return f"{results.z_profile[name]:.3f}" if name in results.z_profile else "–"


def _areas(results: Results) -> Table:
    table = Table(title="Area under the ROC curve, out-of-fold and test events (one class against the rest)")
    table.add_column("class")
    table.add_column("network", justify="right")
    table.add_column("boosted trees", justify="right")
    for name, estimate in results.auc.items():
        table.add_row(name, _area(estimate), _area(results.auc_boosting.get(name)))
    return table


def _area(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    low, high = estimate.interval
    return f"{estimate.value:.3f} [{low:.3f}, {high:.3f}]"


def _events(results: Results) -> Table:
    table = Table(title="Simulated events after preselection")
    for column in ("class", "raw", "generated", "effective", f"expected in {results.lumi_ifb:g} fb⁻¹"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for name, events in results.events.items():
        numbers = (
            f"{events.raw:,}",
            f"{events.generated:,}",
            f"{events.effective:,.0f}",
            f"{events.weighted:,.1f}",
        )
        table.add_row(name, *numbers)
    return table
