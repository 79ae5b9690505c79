"""From scored events to the templates of a likelihood: signal bins, control regions and variations."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.account import data_lumi_ifb
from znought.facility.store import EventTable, read_events
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.vh_ww.sample import region
from znought.facility.workspace import Workspace
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates, filled_up, orthogonal_regions
from znought.stats.workspace import WorkspaceConfig
from znought.stats.yields import Yields, count_yields

__all__ = ["fit_settings", "templates"]

SIGNAL_REGION = "SR"


def templates(
    card: VHWWCard, workspace: Workspace, edges: NDArray[np.float64], *, with_data: bool
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
        for name in card.systematics
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


def fit_settings(card: VHWWCard) -> WorkspaceConfig:
    """The card's likelihood, with every variation of objects and weights among its systematics."""
    named = {name: SystematicConfig() for name in card.systematics}
    likelihood = card.likelihood.workspace
    return replace(likelihood, signal=(card.signal,), systematics=named | dict(likelihood.systematics))


def _varied(
    card: VHWWCard, workspace: Workspace, edges: NDArray[np.float64], variation: str
) -> Mapping[str, Yields]:
    """A variation has columns of its own, or a weight of its own beside the nominal columns."""
    if any(workspace.scores.glob(f"*/{variation}/*.parquet")):
        return _yields(card, workspace, edges, variation, "event_weight")
    return _yields(card, workspace, edges, "nominal", f"event_weight_{variation}")


def _yields(
    card: VHWWCard, workspace: Workspace, edges: NDArray[np.float64], variation: str, weight: str
) -> dict[str, Yields]:
    datasets = card.of_kind("simulation")
    columns, scores = _tables(card, workspace, datasets, variation, weight)
    where, discriminant = _placed(card, columns, scores, edges)
    process = columns.per_dataset({name: card.datasets[name].process for name in datasets})
    processes = tuple(name for name, entry in card.processes.items() if entry.kind == "simulation")
    found = {}
    for name in (SIGNAL_REGION, *(f"CR_{c}" for c in card.likelihood.control_regions)):
        rows = where == name
        bins = edges if name == SIGNAL_REGION else np.array([0.0, 1.0])
        found[name] = count_yields(
            discriminant[rows],
            scores[weight][rows],
            process[rows],
            bins,
            processes=processes,
            identity=columns.identity[rows],
        )
    return found


def _observed(
    card: VHWWCard, workspace: Workspace, edges: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    columns, scores = _tables(card, workspace, card.of_kind("data"), "nominal", "event_weight")
    where, discriminant = _placed(card, columns, scores, edges)
    controls = (f"CR_{name}" for name in card.likelihood.control_regions)
    bins = {SIGNAL_REGION: edges, **{name: np.array([0.0, 1.0]) for name in controls}}
    return {
        name: np.histogram(discriminant[where == name], bins[name])[0].astype(np.float64) for name in bins
    }


def _tables(
    card: VHWWCard, workspace: Workspace, datasets: tuple[str, ...], variation: str, weight: str
) -> tuple[EventTable, EventTable]:
    cuts = [cut.variable for cut in region(card, card.signal_region).cuts]
    outputs = [f"score_{name}" for name in card.classes]
    return (
        read_events(workspace.columns, datasets, cuts, variation=variation),
        read_events(workspace.scores, datasets, [weight, *outputs], variation=variation),
    )


def _placed(
    card: VHWWCard, columns: EventTable, scores: EventTable, edges: NDArray[np.float64]
) -> tuple[NDArray[np.str_], NDArray[Any]]:
    """Region of every event and its discriminant there."""
    outputs = {name: scores[f"score_{name}"].astype(np.float64) for name in card.classes}
    signal = outputs[card.signal_class]
    inside = region(card, card.signal_region).mask(columns.columns)
    # Outside the signal region's cuts no event can reach the signal bins, whatever its score.
    outputs[card.signal_class] = np.where(inside, signal, -1.0)
    where = orthogonal_regions(
        outputs,
        signal=card.signal_class,
        signal_above=float(edges[0]),
        names=card.likelihood.control_regions,
    )
    return where, np.where(where == SIGNAL_REGION, signal, 0.5)
