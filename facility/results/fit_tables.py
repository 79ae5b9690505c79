"""Tables of the fit: what makes up the error of μ, and yields of the regions before and after."""

from znought.facility.results.fitted import Expectation, FitSummary
from znought.plots.report import ReportTable

__all__ = ["fit_tables"]


def fit_tables(found: FitSummary, label: str) -> tuple[ReportTable, ...]:
    """The parts of the error, and the yields, as far as the record holds them."""
    return (
        *([_groups(found, label)] if found.groups else []),
        *([_regions(found, label)] if found.regions else []),
    )


def _groups(found: FitSummary, label: str) -> ReportTable:
    rows = tuple((name, f"−{down:.3g}", f"+{up:.3g}") for name, (down, up) in found.groups.items())
    caption = (
        "In quadrature: each group's parameters held at their fitted values. Groups are correlated, and need "
        "not add up to the total."
    )
    title = f"{label}: error of μ = {found.mu:.3g}, {found.data} data, by source"
    return ReportTable(title, ("source", "down", "up"), rows, caption)


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
    return ReportTable(f"{label}: events in the regions of the fit", header, tuple(rows), caption)


def _total(found: Expectation) -> str:
    return f"{sum(found.total):,.1f} ± {found.sum_error:,.1f}"
