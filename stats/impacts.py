"""Parts of the error of mu by groups of parameters."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyhf

from znought.errors import DataError, unknown_name
from znought.stats.inference import DataKind, loaded_model, profile_interval
from znought.stats.minimum import Minimum, fit_at
from znought.stats.spec import Spec

__all__ = ["GroupImpact", "default_groups", "grouped_impacts"]

STATISTICS = "data statistics"
MC_STATISTICS = "MC statistics"
NORMALISATIONS = "free normalisations"
SYSTEMATICS = "systematics"


@dataclass(frozen=True)
class GroupImpact:
    """What a group adds to the error of mu, in quadrature."""

    group: str
    down: float
    """To the lower error."""
    up: float
    """To the upper error."""


def grouped_impacts(
    spec: Spec,
    groups: Mapping[str, Collection[str]] | None = None,
    *,
    data: DataKind = "expected",
    mu: float = 1.0,
) -> tuple[GroupImpact, ...]:
    """By group, √(σ² − σ²(group held at its fitted values)) for both sides of the interval of mu.

    Groups are correlated: their parts need not add up to the total. ``total`` and ``data statistics`` (all
    parameters held) come with every answer.

    Args:
        spec: a workspace.
        groups: by name, the parameters (without index); by default `default_groups`.
        data: what is fitted.
        mu: of Asimov data.

    Raises:
        DataError: an unknown parameter, or a fit that did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        wanted = default_groups(model) if groups is None else groups
        best = fit_at(model, counts)
        total = _sides(model, counts, best, ())
        found = [GroupImpact("total", *total)]
        for name, parameters in wanted.items():
            left = _sides(model, counts, best, parameters)
            down, up = (float(np.sqrt(max(a**2 - b**2, 0.0))) for a, b in zip(total, left, strict=True))
            found.append(GroupImpact(name, down, up))
        every = [name for name in model.config.par_order if name != model.config.poi_name]
        found.append(GroupImpact(STATISTICS, *_sides(model, counts, best, every)))
        return tuple(found)


def default_groups(model: pyhf.Model) -> dict[str, tuple[str, ...]]:
    """MC statistics, free normalisations and everything else, each if there is any."""
    groups: dict[str, tuple[str, ...]] = {MC_STATISTICS: (), NORMALISATIONS: (), SYSTEMATICS: ()}
    for name in model.config.par_order:
        if name == model.config.poi_name:
            continue
        constrained = model.config.param_set(name).constrained
        group = SYSTEMATICS if constrained else NORMALISATIONS
        group = MC_STATISTICS if name.startswith("mcstat_") else group
        groups[group] = (*groups[group], name)
    return {group: names for group, names in groups.items() if names}


def _sides(
    model: pyhf.Model, counts: list[float], best: Minimum, parameters: Collection[str]
) -> tuple[float, float]:
    """Lower and upper error of mu with parameters held at their fitted values."""
    config = model.config
    held: dict[int, float] = {}
    for name in parameters:
        if name not in config.par_order or name == config.poi_name:
            raise DataError(
                unknown_name("parameter", name, [n for n in config.par_order if n != config.poi_name])
            )
        part = config.par_slice(name)
        held |= {i: float(best.values[i]) for i in range(part.start, part.stop)}
    at = fit_at(model, counts, fixed=held, start=best.values) if held else best
    low, high = profile_interval(model, counts, at, held)
    centre = float(at.values[config.poi_index])
    return centre - low, high - centre
