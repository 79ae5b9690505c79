"""Figures of the fit, from its record alone: regions before and after, parameters, impacts and the scan."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from znought.facility.figures.picture import Picture
from znought.facility.results.fitted import Expectation, FitSummary, FittedRegion
from znought.facility.results.opened import Prediction
from znought.plots import data_mc, fit, postfit
from znought.plots.labels import feature_label, printed_name, readable
from znought.plots.style import FigureLabel

__all__ = ["fit_pictures", "prediction_picture", "region_summaries"]

SECTION = "Fit"


def fit_pictures(
    found: FitSummary, *, label: FigureLabel, signal: str | None, data_name: str = "Data"
) -> Iterator[Picture]:
    """Every figure of a fit.

    Args:
        found: the record.
        label: what stands above the frames; its luminosity is that of the record.
        signal: process on top of the stacks.
        data_name: what the points are called.
    """
    label = replace(label, lumi_ifb=found.lumi_ifb or label.lumi_ifb)
    yield from region_summaries(found, label=label, signal=signal, data_name=data_name)
    yield from _distributions(found, label, signal, data_name)
    if found.impacts:
        figure = fit.ranking(_ranked(found), label=label)
        caption = (
            "Pulls with widths after the fit, over one and two widths before it; shift of μ for each "
            "parameter fixed one width, after and before the fit, off its fitted value."
        )
        yield Picture("ranking", "Nuisance parameters by impact", SECTION, figure, caption)
    if found.scan is not None:
        scans = {f"{found.data} data": (found.scan.values, found.scan.rise)}
        figure = postfit.likelihood_scans(scans, label=label)
        caption = "Every other parameter is fitted at each point."
        yield Picture("likelihood_scan", "Likelihood against μ", SECTION, figure, caption)
    factors = _free_factors(found)
    if len(factors) > 1:
        figure = fit.normalisations(factors, label=label, note=f"{found.data} data")
        caption = (
            f"Fitted to {found.data} data, with 68 % intervals: of μ by profile, of the others symmetric."
        )
        yield Picture("normalisations", "Free normalisations", SECTION, figure, caption)


def prediction_picture(
    found: Prediction, *, label: FigureLabel, signal: str | None, data_name: str = "Data"
) -> Picture:
    """All regions as control regions alone predict them, with data in bins that are open.

    Args:
        found: the record.
        label: what stands above the frame; its luminosity is that of the record.
        signal: process on top of the stack.
        data_name: what the points are called.
    """
    bins = []
    for name, region in found.regions.items():
        shown = region.observed
        data = None if shown is None else np.array([np.nan if n is None else n for n in shown])
        bins.append(
            postfit.RegionBins(printed_name(name), region.expected.events, region.expected.total_error, data)
        )
    figure = postfit.region_summary(
        bins,
        label=replace(label, lumi_ifb=found.lumi_ifb),
        signal=signal,
        stage="Predicted by control regions",
        data_name=data_name,
        note=f"{found.data} data in them, no signal",
    )
    controls = ", ".join(readable(printed_name(name)) for name in found.controls)
    caption = (
        f"A fit of {controls} alone, with μ = {found.mu:g}; errors with all correlations. "
        "Bins without points are blinded."
    )
    return Picture("regions_predicted", "Prediction of the control regions", SECTION, figure, caption)


def region_summaries(
    found: FitSummary, *, label: FigureLabel, signal: str | None, data_name: str = "Data"
) -> Iterator[Picture]:
    """All bins of all regions before and after the fit.

    Args:
        found: the record.
        label: what stands above the frames; its luminosity is that of the record.
        signal: process on top of the stacks.
        data_name: what the points are called.
    """
    if not found.regions:
        return
    label = replace(label, lumi_ifb=found.lumi_ifb or label.lumi_ifb)
    closed = ", ".join(readable(printed_name(name)) for name in found.asimov)
    blinded = f" Without data, because their bins are blinded: {closed}." if found.asimov else ""
    stages = (
        ("prefit", "Before the fit", "free normalisations at their predictions"),
        ("postfit", "After the fit", "errors with all correlations"),
    )
    for name, stage, note in stages:
        bins = [
            _bins(title, region, region.before if name == "prefit" else region.after)
            for title, region in found.regions.items()
        ]
        remark = note if name == "prefit" else _goodness(found, note)
        figure = postfit.region_summary(
            bins, label=label, signal=signal, stage=stage, note=remark, data_name=data_name
        )
        caption = f"All bins of all regions of the fit to {found.data} data.{blinded}"
        yield Picture(f"regions_{name}", f"Regions {stage.lower()}", SECTION, figure, caption)


def _distributions(
    found: FitSummary, label: FigureLabel, signal: str | None, data_name: str
) -> Iterator[Picture]:
    """Variables in the regions of the fit, before and after it."""
    stages = (("prefit", "Before the fit", "before"), ("postfit", "After the fit", "after"))
    for variable, regions in found.distributions.items():
        for name, region in regions.items():
            for key, stage, attribute in stages:
                drawn: Expectation = getattr(region, attribute)
                zeros = np.zeros(len(drawn.total))
                is_blinded = found.data == "observed" and region.observed is None
                figure = data_mc.data_mc(
                    region.observed,
                    {process: (np.asarray(events), zeros) for process, events in drawn.events.items()},
                    np.asarray(region.edges),
                    variable=variable,
                    label=label,
                    systematic=drawn.total_error,
                    signal=signal if signal in drawn.events else None,
                    blinded=np.full(len(drawn.total), is_blinded),
                    data_name=data_name,
                    note=f"{printed_name(name)}\n{stage}",
                )
                shown = readable(printed_name(name))
                caption = (
                    f"Events in the bins of {shown} that were fitted to {found.data} data; the band holds "
                    "all parameters with their correlations and MC statistics of these bins."
                )
                if is_blinded:
                    caption += " Data are blinded."
                title = f"{readable(feature_label(variable).symbol)} in {shown}, {stage.lower()}"
                yield Picture(f"{variable}_{name}_{key}", title, SECTION, figure, caption)


def _bins(name: str, region: FittedRegion, stage: Expectation) -> postfit.RegionBins:
    observed = None if region.observed is None else np.asarray(region.observed)
    return postfit.RegionBins(printed_name(name), stage.events, stage.total_error, observed)


def _goodness(found: FitSummary, note: str) -> str:
    if found.goodness is None:
        return note
    fitted = found.goodness
    return f"saturated model: {fitted.value:.1f}/{fitted.n_dof}, $p$ = {fitted.p_value:.2g}"


def _ranked(found: FitSummary) -> list[fit.NuisanceImpact]:
    entries = []
    for name, impact in found.impacts.items():
        _, error, pull = found.pulls[name]
        prior = found.prior_impacts.get(name)
        shown = printed_name(name)
        entries.append(
            fit.NuisanceImpact(shown[:1].upper() + shown[1:], pull or 0.0, (error, error), impact, prior)
        )
    return entries


def _free_factors(found: FitSummary) -> dict[str, tuple[float, float, float]]:
    """μ with its interval, and the factors of free processes with their errors, by process."""
    factors = {r"$\mu$": (found.mu, *found.mu_interval)}
    for name, (value, error, pull) in found.pulls.items():
        if pull is None and name.startswith("norm_"):
            factors[name.removeprefix("norm_")] = (value, value - error, value + error)
    return factors
