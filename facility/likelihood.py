"""From scored events to the templates of a likelihood: signal bins, control regions and variations."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.facility.account import data_lumi_ifb
from znought.facility.card_standard import StandardCard
from znought.facility.placement import Bins, placed
from znought.facility.workspace import Workspace
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates, filled_up
from znought.stats.workspace import WorkspaceConfig
from znought.stats.yields import Yields, count_yields

__all__ = ["fit_settings", "templates"]


def templates(
    card: StandardCard, workspace: Workspace, bins: Bins, *, with_data: bool
) -> list[RegionTemplates]:
    """Templates of every region of the likelihood, nominal and under every variation.

    Args:
        card: with the names of regions, control regions and variations.
        workspace: with columns and scores.
        bins: regions with their edges, from `likelihood_bins`.
        with_data: fill observed counts, and scale the templates to the luminosity of the data that were
            read; only ever for unblinded data.
    """
    nominal = _yields(card, workspace, bins, "nominal", "event_weight")
    varied = {
        f"{name}_{direction}": _varied(card, workspace, bins, f"{name}_{direction}")
        for name in card.varied
        for direction in ("up", "down")
    }
    observed = _observed(card, workspace, bins) if with_data else {}
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


def _varied(card: StandardCard, workspace: Workspace, bins: Bins, variation: str) -> Mapping[str, Yields]:
    """A variation has columns of its own, or a weight of its own beside the nominal columns."""
    if any(workspace.columns.glob(f"*/{variation}/*.parquet")):
        return _yields(card, workspace, bins, variation, "event_weight")
    return _yields(card, workspace, bins, "nominal", f"event_weight_{variation}")


def _yields(
    card: StandardCard, workspace: Workspace, bins: Bins, variation: str, weight: str
) -> dict[str, Yields]:
    datasets = card.of_kind("simulation")
    events = placed(card, workspace, datasets, bins, variation, weight)
    process = events.columns.per_dataset({name: card.datasets[name].process for name in datasets})
    processes = tuple(name for name, entry in card.processes.items() if entry.kind == "simulation")
    found = {}
    for name, edges in bins.items():
        rows = events.where == name
        found[name] = count_yields(
            events.discriminant[rows],
            events.weight[rows],
            process[rows],
            edges,
            processes=processes,
            identity=events.columns.identity[rows],
        )
    return found


def _observed(card: StandardCard, workspace: Workspace, bins: Bins) -> dict[str, NDArray[np.float64]]:
    events = placed(card, workspace, card.of_kind("data"), bins)
    return {
        name: np.histogram(events.discriminant[events.where == name], edges)[0].astype(np.float64)
        for name, edges in bins.items()
    }
