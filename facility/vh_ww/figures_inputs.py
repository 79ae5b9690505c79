"""Finished numbers about inputs and regions → figures: data over simulation, correlations, n − 1."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.picture import Picture
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.vh_ww.region_books import RegionBook
from znought.facility.vh_ww.validation import InputComparison, Validation
from znought.plots.data_mc import data_mc, n_minus_one
from znought.plots.inputs import correlation_matrix
from znought.plots.style import FigureLabel

__all__ = ["region_pictures", "validation_pictures"]

SECTION = "Data and simulation"
UNDEFINED_BINS = {"m_tautau": 1}
"""Bins of events without a value, at the lower end."""


def validation_pictures(
    card: VHWWCard, found: Validation, *, only: Collection[str] | None = None
) -> Iterator[Picture]:
    """Data over simulation of every input, and the correlations of both and their difference.

    Args:
        card: for labels and names.
        found: the comparison.
        only: inputs to draw, without correlations; None draws everything.
    """
    if only is None:
        yield from _correlations(card, found)
    for name, comparison in found.inputs.items():
        if only is None or name in only:
            figure = _data_mc(card, found, name, comparison)
            yield Picture(f"data_mc_{name}", name, SECTION, figure, _caption(found, name))


def _correlations(card: VHWWCard, found: Validation) -> Iterator[Picture]:
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
        yield Picture(name, f"Correlations, {kind}", SECTION, figure, caption)


def _data_mc(card: VHWWCard, found: Validation, name: str, comparison: InputComparison) -> Figure:
    drawn = _drawn(name)
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
        signal=card.signal,
        data_name="Pseudo-data" if card.simulation is not None else "Data",
        note=note,
    )


def _caption(found: Validation, name: str) -> str:
    caption = (
        f"Events {found.where}. The band holds {', '.join(found.systematics)}; the χ² knows how they and "
        "repeated detector responses correlate the bins, and counts what lies beyond the frame as one more."
    )
    if name == "m_tautau":
        caption += " Events without a collinear solution are not drawn, but are a bin of the χ² too."
    return caption


def _drawn(name: str) -> slice:
    """Bins and edges to draw: neither events without a value nor those beyond, which would dwarf others."""
    return slice(UNDEFINED_BINS.get(name, 0), -1)


def region_pictures(card: VHWWCard, books: Mapping[str, RegionBook]) -> Iterator[Picture]:
    """Each variable that a region cuts on, after all its other cuts."""
    label = FigureLabel(label=card.label, lumi_ifb=card.lumi_ifb)
    for region, book in books.items():
        for variable, found in book.n_minus_one.items():
            drawn = _drawn(variable)
            figure = n_minus_one(
                {name: (sumw[drawn], sumw2[drawn]) for name, (sumw, sumw2) in found.processes.items()},
                found.edges[drawn],
                variable=variable,
                limits=found.limits,
                label=label,
                signal=card.signal,
                note=f"Region {region}, all other cuts",
            )
            caption = "What lies beyond the frame is not drawn."
            if variable in UNDEFINED_BINS:
                caption += " Nor are events without a collinear solution, which pass."
            title = f"{region}: {variable} after all other cuts"
            yield Picture(f"n_minus_one_{region}_{variable}", title, "Selection", figure, caption)
