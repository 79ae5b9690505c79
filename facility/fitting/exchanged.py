"""The fit with edges exchanged: each part of the simulation in bins that the others have chosen."""

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import SIGNAL_REGION, StandardCard
from znought.facility.fitting.opening import fitted_regions
from znought.facility.fitting.placement import Bins
from znought.facility.fitting.templates import Part, fit_settings, templates
from znought.facility.results.binned import BinnedSelection, Binning
from znought.facility.workspace import Workspace
from znought.stats.crossfit_likelihood import CrossFittedFit, cross_fitted_fit
from znought.stats.spec import Spec
from znought.stats.workspace import build_workspace

__all__ = ["exchanged_fit"]


def exchanged_fit(
    card: StandardCard, workspace: Workspace, binning: Binning, bins: Bins, frozen: Spec
) -> CrossFittedFit | None:
    """The expected fit of each part with edges from the others; None where no edges were chosen.

    Beside it, with two parts, each with its own edges: the same events, so that only the tuning differs.

    Args:
        card: with the number and seed of the parts.
        workspace: with columns and scores.
        binning: content of `binning.json`.
        bins: regions of the exported likelihood with their edges.
        frozen: the exported likelihood.

    Raises:
        DataError: a part whose templates make no likelihood, or a fit that did not converge.
    """
    regions = (
        {name: name for name in card.tuned} if card.discriminants else {SIGNAL_REGION: card.discriminant}
    )
    # Masks count the bins of the frozen edges, which the parts do not have.
    if card.likelihood.masks or not all(name in binning for name in regions.values()) or not regions:
        return None
    n_parts = card.crossfit.n_parts

    def spec(index: int, edges_of: int, key: str) -> Spec:
        found = {name: _edges(binning[owner], key, edges_of) for name, owner in regions.items()}
        part = Part(index, n_parts, card.crossfit.seed)
        made = templates(card, workspace, {**bins, **found}, with_data=False, part=part).regions
        return fitted_regions(card, build_workspace(made, fit_settings(card, workspace)))

    exchanged = tuple(spec(i, i, "parts") for i in range(n_parts))
    # With two parts, the edges that one is quoted with are those that the other has chosen.
    own = tuple(spec(i, 1 - i, "tuned_edges") for i in range(2)) if n_parts == 2 else ()
    return cross_fitted_fit(exchanged, frozen, tuned=own)


def _edges(found: BinnedSelection, key: str, index: int) -> NDArray[np.float64]:
    """Edges that a part is quoted with, or has chosen."""
    return np.asarray(found.parts[index].edges if key == "parts" else found.tuned_edges[index], np.float64)
