"""Tables of the fit: what makes up the error of μ, and yields of the regions before and after."""

from znought.facility.results.fitted import Expectation, FitSummary
from znought.facility.results.opened import Prediction, Unblinding
from znought.facility.results.rounding import with_error
from znought.plots.report import ReportTable

__all__ = ["data_tables", "fit_tables"]


def fit_tables(found: FitSummary, label: str) -> tuple[ReportTable, ...]:
    """The parts of the error, and the yields, as far as the record holds them."""
    return (
        *([_groups(found, label)] if found.groups else []),
        *([_regions(found, label)] if found.regions else []),
    )


def data_tables(
    prediction: Prediction | None, unblinding: Unblinding | None, label: str
) -> tuple[ReportTable, ...]:
    """What control regions predict, and what the steps have shown in which data were shown."""
    return (
        *([_prediction(prediction, label)] if prediction is not None else []),
        *([_steps(unblinding, label)] if unblinding is not None and unblinding.steps else []),
    )


def _prediction(found: Prediction, label: str) -> ReportTable:
    rows = []
    for name, region in found.regions.items():
        shown = [count for count in region.observed or () if count is not None]
        n_bins = len(region.expected.total)
        counts = f"{sum(shown):,.0f}" + (f" in {len(shown)} of {n_bins} bins" if len(shown) < n_bins else "")
        rows.append((name, region.role, _total(region.expected), counts if shown else "blinded"))
    title = f"{label}, {found.lumi_ifb:.4g} fb⁻¹: events as the control regions alone predict them"
    caption = (
        f"A fit of {', '.join(found.controls)} to {found.data} data with μ = {found.mu:g}; errors with the "
        "correlations of all parameters."
    )
    return ReportTable(title, ("region", "role", "predicted", "data"), tuple(rows), caption, section="Fit")


def _steps(found: Unblinding, label: str) -> ReportTable:
    rows = tuple(
        (
            step.name,
            ", ".join(f"{name} ({len(bins)})" for name, bins in step.bins.items()),
            "–" if step.chi2 is None else f"{step.chi2:.1f}/{step.n_dof}",
            "–" if step.p_value is None else f"{step.p_value:.2g}",
            "–" if step.goodness is None else f"{step.goodness:.2g}",
        )
        for step in found.steps
    )
    caption = (
        "χ² of each step's data against the prediction from what was open before, and the goodness of the "
        f"fit to all that is open then. Line {found.entry} of unblinding.jsonl, SHA-256 {found.sha256[:16]}…"
    )
    header = ("step", "bins opened", "χ²", "p", "fit p")
    return ReportTable(f"{label}: data shown up to {found.upto}", header, rows, caption, section="Fit")


def _groups(found: FitSummary, label: str) -> ReportTable:
    rows = tuple((name, f"−{down:.3f}", f"+{up:.3f}") for name, (down, up) in found.groups.items())
    caption = (
        "In quadrature: each group's parameters held at their fitted values. Groups are correlated, and need "
        "not add up to the total."
    )
    title = f"{label}: error of μ = {found.mu:.3g}, {found.data} data, by source"
    return ReportTable(title, ("source", "down", "up"), rows, caption, section="Fit")


def _regions(found: FitSummary, label: str) -> ReportTable:
    """Total yields of every region."""
    header = ("region", "bins", "before the fit", "after the fit", "data")
    rows = []
    for name, region in found.regions.items():
        counts = "blinded" if region.observed is None else f"{sum(region.observed):,.0f}"
        row = (name, str(len(region.after.total)), _total(region.before), _total(region.after), counts)
        rows.append(row)
    caption = (
        "Errors hold the correlations of all parameters between processes and bins; before the fit, free "
        "normalisations have none."
    )
    if found.goodness is not None:
        fitted = found.goodness
        caption += (
            f" Goodness of fit (saturated model): {fitted.value:.1f} for {fitted.n_dof} degrees of freedom, "
            f"p = {fitted.p_value:.2g}."
        )
    if found.toys is not None:
        caption += "".join(f" {name}: {value}." for name, value in found.toys.rows())
    return ReportTable(
        f"{label}: events in the regions of the fit", header, tuple(rows), caption, section="Fit"
    )


def _total(found: Expectation) -> str:
    return with_error(sum(found.total), found.sum_error)
