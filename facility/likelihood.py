"""From scored events to the templates of a likelihood: signal bins, control regions and variations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.account import data_lumi_ifb
from znought.facility.card_standard import StandardCard
from znought.facility.sample import region
from znought.facility.store import EventTable, read_events
from znought.facility.workspace import Workspace, read_json
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates, filled_up, orthogonal_regions
from znought.stats.workspace import WorkspaceConfig
from znought.stats.yields import Yields, count_yields

__all__ = ["fit_settings", "templates"]

SIGNAL_REGION = "SR"


def templates(
    card: StandardCard, workspace: Workspace, edges: NDArray[np.float64], *, with_data: bool
) -> list[RegionTemplates]:
    """Templates of the signal bins and the control regions, nominal and under every variation.

    Events of the signal region with a discriminant in the binned range are signal bins; of all others,
    each belongs to the control region of its largest other output, so no event counts twice.

    Args:
        card: with the names of regions, control regions and variations.
        workspace: with columns and scores.
        edges: of the signal bins.
        with_data: fill observed counts, and scale the templates to the luminosity of the data that were
            read; only ever for unblinded data.
    """
    nominal = _yields(card, workspace, edges, "nominal", "event_weight")
    varied = {
        f"{name}_{direction}": _varied(card, workspace, edges, f"{name}_{direction}")
        for name in card.varied
        for direction in ("up", "down")
    }
    observed = _observed(card, workspace, edges) if with_data else {}
    lumi = data_lumi_ifb(workspace) if with_data else None
    scale = 1.0 if lumi is None else lumi / card.lumi_ifb
    found = []
    for name, yields in nominal.items():
        variations = {variation: by_region[name].scaled(scale) for variation, by_region in varied.items()}
        filled, _ = filled_up(RegionTemplates(name, yields.scaled(scale), variations, observed.get(name)))
        found.append(filled)
    return found


def fit_settings(card: StandardCard) -> WorkspaceConfig:
    """The card's likelihood, with every variation of objects and weights among its systematics."""
    named = {name: SystematicConfig() for name in card.varied}
    likelihood = card.likelihood.workspace
    return replace(likelihood, signal=(str(card.signal),), systematics=named | dict(likelihood.systematics))


def _varied(
    card: StandardCard, workspace: Workspace, edges: NDArray[np.float64], variation: str
) -> Mapping[str, Yields]:
    """A variation has columns of its own, or a weight of its own beside the nominal columns."""
    if any(workspace.columns.glob(f"*/{variation}/*.parquet")):
        return _yields(card, workspace, edges, variation, "event_weight")
    return _yields(card, workspace, edges, "nominal", f"event_weight_{variation}")


def _yields(
    card: StandardCard, workspace: Workspace, edges: NDArray[np.float64], variation: str, weight: str
) -> dict[str, Yields]:
    datasets = card.of_kind("simulation")
    events = _placed(card, workspace, datasets, edges, variation, weight)
    process = events.columns.per_dataset({name: card.datasets[name].process for name in datasets})
    processes = tuple(name for name, entry in card.processes.items() if entry.kind == "simulation")
    found = {}
    for name, bins in _bins(card, edges).items():
        rows = events.where == name
        found[name] = count_yields(
            events.discriminant[rows],
            events.weight[rows],
            process[rows],
            bins,
            processes=processes,
            identity=events.columns.identity[rows],
        )
    return found


def _bins(card: StandardCard, edges: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Bins of the signal region and of each control region, which is one."""
    controls = (f"CR_{name}" for name in card.likelihood.control_regions)
    return {SIGNAL_REGION: edges, **{name: np.array([0.0, 1.0]) for name in controls}}


def _observed(
    card: StandardCard, workspace: Workspace, edges: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    events = _placed(card, workspace, card.of_kind("data"), edges, "nominal", "event_weight")
    return {
        name: np.histogram(events.discriminant[events.where == name], bins)[0].astype(np.float64)
        for name, bins in _bins(card, edges).items()
    }


@dataclass(frozen=True)
class _Placed:
    """Events with the region that each counts in, and its discriminant there."""

    columns: EventTable
    weight: NDArray[np.float64]
    where: NDArray[np.str_]
    discriminant: NDArray[Any]


def _placed(
    card: StandardCard,
    workspace: Workspace,
    datasets: tuple[str, ...],
    edges: NDArray[np.float64],
    variation: str,
    weight: str,
) -> _Placed:
    if card.network is None:
        return _by_variable(card, workspace, datasets, edges, variation, weight)
    cuts = [] if card.signal_region is None else [c.variable for c in region(card, card.signal_region).cuts]
    columns = read_events(workspace.columns, datasets, cuts, variation=variation)
    scored = [weight, *(f"score_{name}" for name in card.classes)]
    scores = read_events(workspace.scores, datasets, scored, variation=variation)
    where, discriminant = _by_score(card, columns, scores, edges)
    return _Placed(columns, scores[weight], where, discriminant)


def _by_variable(
    card: StandardCard,
    workspace: Workspace,
    datasets: tuple[str, ...],
    edges: NDArray[np.float64],
    variation: str,
    weight: str,
) -> _Placed:
    """The cut-based region, binned in its variable: what is left without a network."""
    assert card.cut_based is not None
    place = region(card, card.cut_based.region)
    stored = weight.replace("event_", "gen_")
    names = [stored, card.cut_based.variable, *(cut.variable for cut in place.cuts)]
    columns = read_events(workspace.columns, datasets, names, variation=variation)
    scale = read_json(workspace.normalisation)
    scales = columns.per_dataset({name: scale[name]["scale"] for name in datasets})
    values = columns[card.cut_based.variable]
    inside = place.mask(columns.columns) & (values >= edges[0]) & (values < edges[-1])
    return _Placed(columns, columns[stored] * scales, np.where(inside, SIGNAL_REGION, ""), values)


def _by_score(
    card: StandardCard, columns: EventTable, scores: EventTable, edges: NDArray[np.float64]
) -> tuple[NDArray[np.str_], NDArray[Any]]:
    """Region of every event and its discriminant there."""
    outputs = {name: scores[f"score_{name}"].astype(np.float64) for name in card.classes}
    name = str(card.class_of_signal)
    signal = outputs[name]
    if card.signal_region is not None:
        inside = region(card, card.signal_region).mask(columns.columns)
        # Outside the signal region's cuts no event can reach the signal bins, whatever its score.
        outputs[name] = np.where(inside, signal, -1.0)
    where = orthogonal_regions(
        outputs,
        signal=name,
        signal_above=float(edges[0]),
        names=card.likelihood.control_regions,
    )
    return where, np.where(where == SIGNAL_REGION, signal, 0.5)
