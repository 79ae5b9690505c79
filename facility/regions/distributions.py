"""How variables are distributed in every region, with data where these may be looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.base import Card
from znought.facility.cards.plotting import PlottedVariable
from znought.facility.events.slices import Slice, one_share
from znought.facility.events.store import EventTable
from znought.facility.regions.axes import aligned, n_undefined_bins
from znought.facility.regions.selected import (
    SelectedSample,
    blinded_window,
    conditions_of_region,
    edges_of,
    inside,
    is_integer,
    overlaps,
    read_selected,
    same_values,
)
from znought.facility.workspace import Workspace
from znought.processors.evaluated import WHOLE
from znought.processors.regions import Region, regions_from_card

__all__ = ["Distribution", "drawn_variables", "region_distributions"]

Floats = NDArray[np.float64]
Vector = tuple[float, ...]


@dataclass(frozen=True)
class Distribution:
    """A variable after every cut of a region; what lies beyond its edges is left out.

    Attributes:
        region, variable: which.
        edges: bin edges, those of the blinded window among them.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin.
        data: counts per bin, 0 in the blinded window; None without data.
        blinded: True for bins whose data are not looked at, shape (n_bins,).
        without: the blinded region, where its events are left out of data and simulation; None where all
            events are there.
        lumi_ifb: that simulation stands at, where the region is of one era; None where it is the card's.
        energy_tev: centre-of-mass energy, where the region is of one era; None where it is the card's.
        also: variables that it is under a second name.
    """

    region: str
    variable: str
    edges: Floats
    processes: dict[str, tuple[Vector, Vector]]
    data: Floats | None
    blinded: NDArray[np.bool_]
    without: str | None
    lumi_ifb: float | None
    energy_tev: float | None
    also: tuple[str, ...] = ()


def drawn_variables(card: Card) -> tuple[str, ...]:
    """Variables whose distributions in a region are drawn, in order."""
    return card.plotting.variables or tuple(card.binned)


def region_distributions(
    card: Card, workspace: Workspace, *, blinded: str | None, channel: str = WHOLE
) -> Iterator[Distribution]:
    """Every drawn variable in every region.

    Of a variable that the blinded region cuts on, all simulated events are there and the window of the cut is
    blinded; of any other, events of the blinded region are left out of data and simulation alike. Unless the
    card names the variables, one that is another under a second name is left out. A share of the simulated
    events stands for all where there are too many.

    Args:
        card: with regions.
        workspace: with columns.
        blinded: region whose data are not looked at; None shows all.
        channel: whose events.
    """
    regions = regions_from_card(card.regions)
    hidden = None if blinded is None else regions[blinded]
    cut_on = {cut.variable for found in regions.values() for cut in found.cuts}
    every = card.of_kind("simulation")
    part = Slice(every, one_share(workspace.columns / channel, every))
    wanted = {*cut_on, *drawn_variables(card)}
    sample = read_selected(card, workspace, wanted, channel=channel, hidden=hidden, part=part)
    sample = replace(sample, weight=sample.weight * part.share.of)
    drawn = [name for name in drawn_variables(card) if name in sample.table.columns]
    given = bool(card.plotting.variables)
    same = {} if given else same_values(card, [sample.table], drawn, preferred=cut_on)
    for found in regions.values():
        kept, data = found.mask(sample.table.columns), inside(found, sample.data)
        for variable in (name for name in drawn if name not in same):
            one = _distribution(card, found, variable, (sample, kept, data), hidden)
            yield replace(one, also=tuple(name for name, other in same.items() if other == variable))


def _distribution(
    card: Card,
    found: Region,
    variable: str,
    events: tuple[SelectedSample, NDArray[np.bool_], EventTable | None],
    hidden: Region | None,
) -> Distribution:
    sample, kept, data = events
    window = blinded_window(found, variable, hidden)
    without = hidden if hidden is not None and window is None and overlaps(found, hidden) else None
    edges = _edges(card, found, variable, sample.table[variable][kept])
    edges = edges if window is None else aligned(edges, window)
    if without is not None and data is not None:
        kept = kept & ~without.mask(sample.table.columns)
    values, middle = sample.table[variable], 0.5 * (edges[1:] + edges[:-1])
    kept = kept & (values >= edges[0]) & (values <= edges[-1])
    blinded = np.zeros(middle.size, np.bool_)
    if data is not None and window is not None:
        blinded = (middle >= window[0]) & (middle < window[1])
    counts = None
    if data is not None:
        counts = np.histogram(data[variable], edges)[0] * (~blinded).astype(np.float64)
    return Distribution(
        found.name,
        variable,
        edges,
        sample.spectra(variable, kept, edges),
        None if blinded.all() else counts,
        blinded,
        None if without is None or data is None else without.name,
        *conditions_of_region(card, found),
    )


def _edges(card: Card, found: Region, variable: str, values: NDArray[np.floating]) -> Floats:
    """Bins as the card draws the variable, else those it is compared in, within the region's cut on it."""
    style = card.plotting.axes.get(variable, PlottedVariable())
    if style.bins is not None:
        edges = np.linspace(style.bins[1], style.bins[2], style.bins[0] + 1)
    elif style.edges:
        edges = np.asarray(style.edges, np.float64)
    else:
        # Neither what lies beyond the last edge nor what is not defined is drawn.
        edges = edges_of(card, variable, values)[:-1]
        edges = edges[n_undefined_bins(card.variables.get(variable), edges) :]
    for cut in found.cuts:
        if cut.variable == variable and not is_integer(card, variable):
            low, high = edges[0], edges[-1]
            low = low if cut.lower is None else max(low, cut.lower)
            high = high if cut.upper is None else min(high, cut.upper)
            if low < high:
                edges = aligned(edges, (low, high))
                edges = edges[(edges >= low) & (edges <= high)]
    return edges
