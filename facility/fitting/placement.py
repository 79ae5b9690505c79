"""Which region of the likelihood each event counts in, and what is binned there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.standard import SIGNAL_REGION, StandardCard
from znought.facility.events.sample import quoted, region
from znought.facility.events.store import WHOLE_SHARE, EventTable, Share, read_events
from znought.facility.ntuples.scales import read_scales
from znought.facility.results.binned import Binning
from znought.facility.workspace import Workspace
from znought.stats.labels import Labels
from znought.stats.templates import orthogonal_regions

__all__ = ["Bins", "Placed", "likelihood_bins", "placed"]

Bins = Mapping[str, NDArray[np.float64]]
"""Region of the likelihood → its bin edges."""
_ONE_BIN = (0.0, 1.0)


@dataclass(frozen=True)
class Placed:
    """Events with the region that each counts in, and its discriminant there.

    Attributes:
        weight: expected events per row; 1 for data.
        where: name of the region, "" for none, shape (n_events,).
        discriminant: shape (n_events,).
    """

    columns: EventTable
    weight: NDArray[np.float64]
    where: Labels
    discriminant: NDArray[Any]


def likelihood_bins(card: StandardCard, binning: Binning) -> dict[str, NDArray[np.float64]]:
    """The regions of a card's likelihood with their bin edges.

    Args:
        card: with discriminants; or with a network, whose outputs define control and validation regions; or
            with a cut-based region.
        binning: what was found for each selection.
    """
    if card.discriminants:
        return {
            name: np.asarray(entry.given_edges or binning[name].edges, np.float64)
            for name, entry in card.discriminants.items()
        }
    edges = np.asarray(binning[card.discriminant].edges, np.float64)
    others = [name for name in card.roles if name != SIGNAL_REGION]
    given = card.likelihood.region_edges
    found = {name: given.get(_class_of(name), _ONE_BIN) for name in others}
    return {SIGNAL_REGION: edges} | {name: np.asarray(bins, np.float64) for name, bins in found.items()}


def _class_of(name: str) -> str:
    """Class whose output defines a region, `top` of `CR_top`."""
    return name.partition("_")[2]


def placed(
    card: StandardCard,
    workspace: Workspace,
    datasets: tuple[str, ...],
    bins: Bins,
    variation: str = "nominal",
    weight: str = "event_weight",
    further: tuple[str, ...] = (),
    share: Share = WHOLE_SHARE,
) -> Placed:
    """The events of some datasets under a variation, placed.

    Args:
        card: with the regions of the likelihood.
        workspace: with columns and scores.
        datasets: names.
        bins: regions with their edges, from `likelihood_bins`.
        variation: whose columns and scores are read.
        weight: column of the weight.
        further: columns that are wanted beside those that placing needs.
        share: of the generated events.

    Raises:
        DataError: an event lies in two regions of the likelihood.
    """
    events = _events(card, workspace, datasets, variation, weight, further, share)
    if card.discriminants:
        return _by_region(card, events, bins)
    if not card.is_scored:
        return _by_variable(card, events, bins)
    return _by_score(card, events, bins)


def _events(
    card: StandardCard,
    workspace: Workspace,
    datasets: tuple[str, ...],
    variation: str,
    weight: str,
    further: tuple[str, ...],
    share: Share,
) -> Placed:
    """Events with all columns and scores that placing them needs, in no region yet."""
    stored = weight.replace("event_", "gen_")
    wanted = dict.fromkeys([stored, *_variables(card), *further])
    columns = read_events(workspace.columns, datasets, list(wanted), variation=variation, share=share)
    scale = read_scales(workspace)
    scales = columns.per_dataset({name: scale[name].scale for name in datasets})
    # A member of a set of generator weights is normalised by its own sum.
    member = weight.removeprefix("event_weight_")
    own = {name: scale[name].theory.get(member, 1.0) for name in datasets}
    values = np.asarray(columns[stored] * scales * columns.per_dataset(own), np.float64)
    if card.is_scored:
        names = [weight, "part", *(f"score_{name}" for name in card.classes)]
        scores = read_events(workspace.scores, datasets, names, variation=variation, share=share)
        scores, columns = quoted(scores, columns)
        columns = EventTable({**columns.columns, **scores.columns}, columns.dataset, columns.datasets)
        values = np.asarray(columns[weight] * columns.per_dataset(own), np.float64)
    nowhere = Labels.numbered([""], np.zeros(len(columns), np.uint8))
    return Placed(columns, values, nowhere, np.zeros(len(columns)))


def _variables(card: StandardCard) -> list[str]:
    """Variables that the regions of the likelihood cut on or bin."""
    names = [name for name in (*card.discriminants, card.signal_region) if name is not None]
    found = [entry.variable for entry in card.discriminants.values()]
    if card.cut_based is not None:
        names.append(card.cut_based.region)
        found.append(card.cut_based.variable)
    found += [cut.variable for name in names for cut in region(card, name).cuts]
    return list(dict.fromkeys(name for name in found if name is not None))


def _by_region(card: StandardCard, events: Placed, bins: Bins) -> Placed:
    """Every region of the card that has a discriminant; they may share no event."""
    names = ["", *card.discriminants]
    where, discriminant = np.zeros(len(events.columns), np.int16), events.discriminant.copy()
    for number, (name, entry) in enumerate(card.discriminants.items(), start=1):
        column = entry.variable if entry.variable is not None else f"score_{entry.output}"
        values, edges = events.columns[column].astype(np.float64), bins[name]
        if entry.output is not None:
            # A network may be so sure that its score is 1, which is in the last bin.
            values = np.where(values == edges[-1], np.nextafter(edges[-1], 0.0), values)
        inside = region(card, name).mask(events.columns.columns)
        inside &= (values >= edges[0]) & (values < edges[-1])
        shared = inside & (where != 0)
        if shared.any():
            raise DataError(
                f"discriminants: {int(shared.sum()):,} events lie in {name} and in "
                f"{names[where[shared][0]]}, and would count twice; regions of a fit must be disjoint."
            )
        where[inside], discriminant[inside] = number, values[inside]
    return Placed(events.columns, events.weight, Labels.numbered(names, where), discriminant)


def _by_variable(card: StandardCard, events: Placed, bins: Bins) -> Placed:
    """The cut-based region, binned in its variable: what is left without a network."""
    assert card.cut_based is not None
    values, edges = events.columns[card.cut_based.variable], bins[SIGNAL_REGION]
    inside = region(card, card.cut_based.region).mask(events.columns.columns)
    inside &= (values >= edges[0]) & (values < edges[-1])
    where = Labels.numbered(["", SIGNAL_REGION], inside.astype(np.uint8))
    return Placed(events.columns, events.weight, where, values)


def _by_score(card: StandardCard, events: Placed, bins: Bins) -> Placed:
    """Signal bins, and of all other events the region of their largest other output."""
    outputs = {name: events.columns[f"score_{name}"] for name in card.classes}
    name, likelihood = str(card.class_of_signal), card.likelihood
    signal = outputs[name] = outputs[name].astype(np.float64)
    if card.signal_region is not None:
        inside = region(card, card.signal_region).mask(events.columns.columns)
        # Outside the signal region's cuts no event can reach the signal bins, whatever its score.
        outputs[name] = np.where(inside, signal, -1.0)
    where = orthogonal_regions(
        outputs,
        signal=name,
        signal_above=float(bins[SIGNAL_REGION][0]),
        names=(*likelihood.control_regions, *likelihood.validation_regions),
    )
    where = where.renamed({f"CR_{other}": f"VR_{other}" for other in likelihood.validation_regions})
    discriminant = np.where(where == SIGNAL_REGION, signal, 0.5)
    for other in likelihood.region_edges:
        _bin_by_output(where, discriminant, bins, other, outputs[other].astype(np.float64))
    return Placed(events.columns, events.weight, where, discriminant)


def _bin_by_output(
    where: Labels, discriminant: NDArray[Any], bins: Bins, name: str, output: NDArray[Any]
) -> None:
    """Bins a region by the output of its class, in place; events beyond its edges are in no region."""
    for title in (f"CR_{name}", f"VR_{name}"):
        if title in bins:
            edges, rows = bins[title], where == title
            # An output of exactly 1 belongs to the last bin.
            values = np.where(output == edges[-1], np.nextafter(edges[-1], 0.0), output)
            discriminant[rows] = values[rows]
            where.codes[rows & ~((values >= edges[0]) & (values < edges[-1]))] = where.names.index("")
