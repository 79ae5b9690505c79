"""Finished numbers about inputs and regions → figures: data over simulation, correlations, n − 1."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.cards.base import Card
from znought.facility.figures.bins import drawn_bins
from znought.facility.figures.labels import card_label
from znought.facility.figures.picture import Picture
from znought.facility.regions.axes import n_undefined_bins
from znought.facility.regions.books import RegionBook
from znought.facility.regions.distributions import Distribution
from znought.facility.regions.validation import InputComparison, Validation
from znought.plots.data_mc import data_mc, n_minus_one
from znought.plots.inputs import correlation_matrix
from znought.plots.labels import feature_label, printed_name, readable
from znought.processors.evaluated import WHOLE

__all__ = ["distribution_pictures", "region_pictures", "validation_pictures"]

SECTION = "Data and simulation"


def validation_pictures(
    card: Card,
    found: Validation,
    *,
    channel: str = WHOLE,
    only: Collection[str] | None = None,
) -> Iterator[Picture]:
    """Data over simulation of every input, and the correlations of both and their difference.

    Args:
        card: for labels and names.
        found: the comparison.
        channel: whose events were compared.
        only: inputs to draw, without correlations; None draws everything.
    """
    where, ending = _place(channel)
    if only is None:
        yield from _correlations(card, found, channel)
    for name, comparison in found.inputs.items():
        if only is None or name in only:
            figure = _data_mc(card, found, name, comparison)
            caption = _caption(card, found, name)
            title = f"{where}{readable(feature_label(name).symbol)}"
            yield Picture(f"data_mc_{name}{ending}", title, SECTION, figure, caption)


def _place(channel: str) -> tuple[str, str]:
    """What titles begin and names of files end with."""
    return (f"{channel}, ", f"_{channel}") if channel else ("", "")


def _correlations(card: Card, found: Validation, channel: str) -> Iterator[Picture]:
    where, ending = _place(channel)
    label = card_label(card)
    simulation, data = (np.array(m) for m in (found.correlations.simulation, found.correlations.data))
    kinds: tuple[tuple[Literal["MC", "data", "difference"], str, NDArray[np.float64]], ...] = (
        ("MC", "correlation_mc", simulation),
        ("data", "correlation_data", data),
        ("difference", "correlation_difference", simulation - data),
    )
    caption = f"Events {found.where}. Values beyond the histograms' ends count as the ends."
    for kind, name, matrix in kinds:
        figure = correlation_matrix(
            matrix,
            features=found.correlations.inputs,
            kind=kind,
            label=label,
            error=found.correlations.error if kind == "difference" else None,
        )
        yield Picture(f"{name}{ending}", f"{where}Correlations, {kind}", SECTION, figure, caption)


def _data_mc(card: Card, found: Validation, name: str, comparison: InputComparison) -> Figure:
    edges = comparison.edges[:-1]
    drawn = drawn_bins(name, edges, first=n_undefined_bins(card.variables.get(name), edges))
    blinded = drawn.any(comparison.blinded[:-1] or np.zeros(len(edges) - 1))
    shape = "shape " if found.comparison == "shape" else ""
    ratio, error = found.ratio
    note = (
        rf"{shape}$\chi^2/n$ = {comparison.chi2:.1f}/{comparison.n_dof}, $p$ = {comparison.p_value:.2g}"
        f"\nKS $p$ = {comparison.ks_p_value:.2g}\ndata/MC = {ratio:.3f} ± {error:.3f}"
        f"\n{found.where}"
    )
    return data_mc(
        drawn.summed(comparison.data),
        {
            # A part of the window's events is missing: no yield is better than one that is too small.
            process: (drawn.summed(sumw) * ~blinded, drawn.summed(sumw2) * ~blinded)
            for process, (sumw, sumw2) in comparison.processes.items()
        },
        drawn.edges,
        variable=name,
        label=card_label(card, found.lumi_ifb),
        systematic=drawn.summed(comparison.systematic) * ~blinded,
        signal=card.drawn_signal,
        blinded=blinded,
        data_name=card.data_name,
        note=note,
    )


def _caption(card: Card, found: Validation, name: str) -> str:
    caption = (
        f"{readable(feature_label(name).symbol)} of events {found.where}. The band holds "
        f"{', '.join(readable(printed_name(one)) for one in found.systematics)}; the χ² knows how they and "
        "repeated detector responses correlate the bins, and counts what lies beyond the frame as one more."
    )
    if any(found.inputs[name].blinded):
        caption += f" {WINDOW} of the signal region's cut on it; the other bins hold all their events."
    if card.variables[name].undefined is not None:
        caption += " Events for which it is not defined are not drawn, but are a bin of the χ² too."
    return caption + _also(name, found.inputs[name].also)


def _also(name: str, others: Iterable[str]) -> str:
    """That a variable is others under another name, where these have another symbol."""
    _, *symbols = dict.fromkeys(readable(feature_label(one).symbol) for one in (name, *others))
    return f" In these events it is {' and '.join(symbols)}, too." if symbols else ""


WINDOW = "Hatched: the blinded window"


def distribution_pictures(
    card: Card,
    distributions: Iterable[Distribution],
    *,
    signal: str | None,
    lumi_ifb: float | None,
    channel: str = WHOLE,
) -> Iterator[Picture]:
    """Each variable in each region, with data where there are some that may be looked at.

    Args:
        card: for labels and names.
        distributions: to be drawn.
        signal: process that is drawn as a line too.
        lumi_ifb: of the data that were read; expected events are scaled to it where data are drawn.
        channel: whose events.
    """
    where, ending = _place(channel)
    for found in distributions:
        drawn = drawn_bins(found.variable, found.edges)
        data = None if found.data is None or lumi_ifb is None else drawn.summed(found.data)
        scale = 1.0 if data is None or lumi_ifb is None else lumi_ifb / card.lumi_ifb
        lumi = (found.lumi_ifb or card.lumi_ifb) * scale
        region = printed_name(found.region)
        without = "" if found.without is None else f"\noutside {printed_name(found.without)} region"
        figure = data_mc(
            data,
            {
                name: (drawn.summed(sumw) * scale, drawn.summed(sumw2) * scale**2)
                for name, (sumw, sumw2) in found.processes.items()
            },
            drawn.edges,
            variable=found.variable,
            label=card_label(card, lumi, energy_tev=found.energy_tev),
            signal=signal,
            blinded=drawn.any(found.blinded),
            data_name=card.data_name,
            note=f"{where}{region} region{without}",
        )
        title = f"{where}{readable(region)}: {readable(feature_label(found.variable).symbol)}"
        name = f"region_{found.region}_{found.variable}{ending}"
        yield Picture(name, title, "Regions", figure, _region_caption(found))


def _region_caption(found: Distribution) -> str:
    """What is drawn, on which events."""
    caption = (
        f"{readable(feature_label(found.variable).symbol)} after all cuts of the region "
        f"{readable(printed_name(found.region))}; the band is that of finite simulation. What lies beyond "
        "the frame is not drawn."
    )
    if found.without is not None:
        region = readable(printed_name(found.without))
        caption += f" Events of the blinded region {region} are left out of data and simulation alike."
    if found.blinded.all():
        caption += " Data are blinded."
    elif found.blinded.any():
        caption += f" {WINDOW} of the blinded region's cut on it; simulation holds all events."
    return caption + _also(found.variable, found.also)


def region_pictures(
    card: Card, books: Mapping[str, RegionBook], *, signal: str | None = None, channel: str = WHOLE
) -> Iterator[Picture]:
    """Each variable that a region cuts on, after all its other cuts."""
    where, ending = _place(channel)
    for region, book in books.items():
        label = card_label(card, book.lumi_ifb or card.lumi_ifb, energy_tev=book.energy_tev)
        for variable, found in book.n_minus_one.items():
            edges = found.edges[:-1]
            first = n_undefined_bins(card.variables.get(variable), edges)
            cut = [limit for limit in found.limits if limit is not None]
            drawn = drawn_bins(variable, edges, first=first, ends=cut)
            name, symbol = printed_name(region), feature_label(variable).symbol
            figure = n_minus_one(
                {one: (drawn.summed(sumw), drawn.summed(w2)) for one, (sumw, w2) in found.processes.items()},
                drawn.edges,
                variable=variable,
                limits=found.limits,
                label=label,
                signal=signal,
                note=f"{where}{name} region, all other cuts",
            )
            caption = f"Simulated events after all cuts of {readable(name)} but this one, marked by lines; "
            caption += "what it removes is pale. What lies beyond the frame is not drawn."
            if variable in card.variables and card.variables[variable].undefined is not None:
                caption += " Nor are events for which it is not defined."
            title = f"{where}{readable(name)}: {readable(symbol)} after all other cuts"
            yield Picture(f"n_minus_one_{region}_{variable}{ending}", title, "Selection", figure, caption)
