"""Finished numbers about inputs and regions → figures: data over simulation, correlations, n − 1."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.cards.base import Card
from znought.facility.figures.picture import Picture
from znought.facility.regions.axes import n_undefined_bins
from znought.facility.regions.books import RegionBook
from znought.facility.regions.validation import InputComparison, Validation
from znought.plots.data_mc import data_mc, n_minus_one
from znought.plots.inputs import correlation_matrix
from znought.plots.style import FigureLabel
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
            yield Picture(f"data_mc_{name}{ending}", f"{where}{name}", SECTION, figure, caption)


def _place(channel: str) -> tuple[str, str]:
    """What titles begin and names of files end with."""
    return (f"{channel}, ", f"_{channel}") if channel else ("", "")


def _correlations(card: Card, found: Validation, channel: str) -> Iterator[Picture]:
    where, ending = _place(channel)
    label = FigureLabel(label=card.label)
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
    drawn = _drawn(card, name, comparison.edges)
    shape = "shape " if found.comparison == "shape" else ""
    ratio, error = found.ratio
    note = (
        rf"{shape}$\chi^2/n$ = {comparison.chi2:.1f}/{comparison.n_dof}, $p$ = {comparison.p_value:.2g}"
        f"\nKS $p$ = {comparison.ks_p_value:.2g}\ndata/MC = {ratio:.3f} ± {error:.3f}"
        f"\n{found.where}"
    )
    return data_mc(
        comparison.data[drawn],
        {process: (sumw[drawn], sumw2[drawn]) for process, (sumw, sumw2) in comparison.processes.items()},
        comparison.edges[drawn],
        variable=name,
        label=FigureLabel(label=card.label, lumi_ifb=found.lumi_ifb),
        systematic=comparison.systematic[drawn],
        signal=card.drawn_signal,
        data_name=card.data_name,
        note=note,
    )


def _caption(card: Card, found: Validation, name: str) -> str:
    caption = (
        f"Events {found.where}. The band holds {', '.join(found.systematics)}; the χ² knows how they and "
        "repeated detector responses correlate the bins, and counts what lies beyond the frame as one more."
    )
    if card.variables[name].undefined is not None:
        caption += " Events for which it is not defined are not drawn, but are a bin of the χ² too."
    return caption


def _drawn(card: Card, name: str, edges: tuple[float, ...]) -> slice:
    """Bins and edges to draw: neither events without a value nor those beyond, which would dwarf others."""
    return slice(n_undefined_bins(card.variables.get(name), edges), -1)


def distribution_pictures(
    card: Card,
    books: Mapping[str, RegionBook],
    *,
    signal: str | None,
    lumi_ifb: float | None,
    channel: str = WHOLE,
) -> Iterator[Picture]:
    """Each variable in each region, with data where there are some that may be looked at.

    Args:
        card: for labels and names.
        books: of the regions.
        signal: process that is drawn as a line too.
        lumi_ifb: of the data that were read; expected events are scaled to it where data are drawn.
        channel: whose events.
    """
    where, ending = _place(channel)
    for region, book in books.items():
        for variable, found in book.distributions.items():
            drawn = _drawn(card, variable, found.edges)
            data = None if found.data is None or lumi_ifb is None else found.data[drawn]
            scale = 1.0 if data is None or lumi_ifb is None else lumi_ifb / card.lumi_ifb
            lumi = (book.lumi_ifb or card.lumi_ifb) * scale
            figure = data_mc(
                data,
                {
                    name: (np.multiply(sumw[drawn], scale), np.multiply(sumw2[drawn], scale**2))
                    for name, (sumw, sumw2) in found.processes.items()
                },
                found.edges[drawn.start : len(found.edges) - 1],
                variable=variable,
                label=FigureLabel(label=card.label, lumi_ifb=lumi),
                signal=signal,
                data_name=card.data_name,
                note=f"{where}Region {region}",
            )
            caption = "After all cuts of the region. What lies beyond the frame is not drawn."
            title = f"{where}{region}: {variable}"
            yield Picture(f"region_{region}_{variable}{ending}", title, "Regions", figure, caption)


def region_pictures(
    card: Card, books: Mapping[str, RegionBook], *, signal: str | None = None, channel: str = WHOLE
) -> Iterator[Picture]:
    """Each variable that a region cuts on, after all its other cuts."""
    where, ending = _place(channel)
    label = FigureLabel(label=card.label, lumi_ifb=card.lumi_ifb)
    for region, book in books.items():
        for variable, found in book.n_minus_one.items():
            drawn = _drawn(card, variable, found.edges)
            figure = n_minus_one(
                {name: (sumw[drawn], sumw2[drawn]) for name, (sumw, sumw2) in found.processes.items()},
                found.edges[drawn],
                variable=variable,
                limits=found.limits,
                label=label,
                signal=signal,
                note=f"{where}Region {region}, all other cuts",
            )
            caption = "What lies beyond the frame is not drawn."
            if variable in card.variables and card.variables[variable].undefined is not None:
                caption += " Nor are events for which it is not defined."
            title = f"{where}{region}: {variable} after all other cuts"
            yield Picture(f"n_minus_one_{region}_{variable}{ending}", title, "Selection", figure, caption)
