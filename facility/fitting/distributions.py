"""Variables of the events in the regions of a fit, before and after it, with the errors of its parameters."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import sample_slices
from znought.facility.fitting.placement import Bins
from znought.facility.fitting.templates import InBinsOf, fit_settings, selected_events, templates
from znought.facility.regions.axes import comparison_edges
from znought.facility.results.fitted import FittedRegion, expectation
from znought.facility.workspace import Workspace
from znought.stats.inference import DataKind
from znought.stats.prediction import FittedParameters, fitted_parameters, predicted, prior_parameters
from znought.stats.spec import Spec
from znought.stats.workspace import prepared_workspace

__all__ = ["distributions"]

Floats = NDArray[np.float64]


def distributions(
    card: StandardCard, workspace: Workspace, bins: Bins, spec: Spec, *, data: DataKind
) -> dict[str, dict[str, FittedRegion]]:
    """Variable → region → expected events in bins of the variable, before and after the fit.

    Events are those of the region's bins of the fit. Every systematic moves the variable as it moves the
    discriminant; its parameter has the value, error and correlations of the fit. MC statistics of these bins
    are their own.

    Args:
        card: `likelihood.distributions` names the variables.
        workspace: with columns and scores.
        bins: regions with the edges of the discriminant.
        spec: what was fitted.
        data: what it was fitted to; counts are shown for "observed" alone.

    Raises:
        DataError: a column is missing, or a fit that did not converge.
    """
    if not card.likelihood.distributions:
        return {}
    fitted = fitted_parameters(spec, data=data)
    found = {}
    for name in card.likelihood.distributions:
        shown = InBinsOf(name, _edges(card, workspace, bins, name))
        found[name] = _of_variable(card, workspace, bins, shown, fitted, data)
    return found


def _edges(card: StandardCard, workspace: Workspace, bins: Bins, name: str) -> dict[str, Floats]:
    """Bins of the variable in each region that holds events; those without any join their lower neighbour."""
    variable = card.binned[name]
    whole = InBinsOf(name, dict.fromkeys(bins, np.array([-np.inf, np.inf])))

    def parts() -> Iterator[tuple[str, Floats, Floats]]:
        for of in sample_slices(card, workspace):
            events = selected_events(card, workspace, bins, "nominal", shown=whole, of=of)
            for region in bins:
                rows = events.region == region
                yield region, events.discriminant[rows], events.weights[rows]

    ends: dict[str, list[float]] = {region: [] for region in bins}
    for region, values, _ in parts() if variable.bins == "integer" else ():
        ends[region] += [float(values.min()), float(values.max())] if values.size else []
    edges = {region: comparison_edges(variable, ends[region]) for region in bins}
    content = {region: np.zeros(one.size - 1) for region, one in edges.items()}
    for region, values, weights in parts():
        first, last = edges[region][[0, -1]]
        within = np.clip(values, first, np.nextafter(last, first))
        content[region] += np.histogram(within, edges[region], weights=weights)[0]
    filled = {region: one > 0 for region, one in content.items()}
    return {region: _joined(edges[region], one) for region, one in filled.items() if one.any()}


def _joined(edges: Floats, filled: NDArray[np.bool_]) -> Floats:
    """The edges from the first to the last bin that is filled, without the lower edges of empty ones.

    >>> _joined(np.arange(7.0), np.array([False, True, False, True, True, False])).tolist()
    [1.0, 3.0, 4.0, 5.0]
    """
    first, last = np.flatnonzero(filled)[[0, -1]]
    kept = np.flatnonzero(filled[first : last + 1]) + first
    return np.append(edges[kept], edges[last + 1])


def _of_variable(
    card: StandardCard,
    workspace: Workspace,
    bins: Bins,
    shown: InBinsOf,
    fitted: FittedParameters,
    data: DataKind,
) -> dict[str, FittedRegion]:
    regions = templates(card, workspace, bins, with_data=data == "observed", shown=shown).regions
    spec = prepared_workspace(regions, fit_settings(card, workspace)).spec
    before = {one.region: one for one in predicted(spec, prior_parameters(spec))}
    after = {one.region: one for one in predicted(spec, fitted, same_bins=False)}
    return {
        one.name: FittedRegion(
            role=card.roles[one.name],
            edges=tuple(one.nominal.edges.tolist()),
            before=expectation(before[one.name]),
            after=expectation(after[one.name]),
            observed=None if one.observed is None else tuple(one.observed.tolist()),
        )
        for one in regions
    }
