"""A change of templates by a function of the analysis, between templates and fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from znought.errors import DataError
from znought.processors.calling import place
from znought.stats.templates import RegionTemplates
from znought.stats.yields import Yields

__all__ = ["changed"]


def changed(regions: Sequence[RegionTemplates], function: Callable[..., Any]) -> tuple[RegionTemplates, ...]:
    """The templates that the function makes of those of all regions, in the same order.

    Args:
        regions: of the likelihood; their observed counts are None while blinded.
        function: of {region: templates} to the same with other yields.

    Raises:
        DataError: the function fails, or returns other regions, processes, bins or observed counts, or
            yields that are no numbers.
    """
    where = f"{place(function)}, templates"
    try:
        given = function({region.name: region for region in regions})
    except Exception as error:  # a user's function may raise anything
        text = " ".join(str(error).split())
        raise DataError(f"{place(function, error)}, templates: {type(error).__name__}: {text}.") from error
    if not isinstance(given, Mapping) or {*given} != {region.name for region in regions}:
        received = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        expected = ", ".join(region.name for region in regions)
        raise DataError(f"{where}: expected templates of the regions {expected}; received {received}.")
    for region in regions:
        _check(where, region, given[region.name])
    return tuple(given[region.name] for region in regions)


def _check(where: str, before: RegionTemplates, after: object) -> None:
    """Refuse what a fit of the same card could not be made of."""
    if not isinstance(after, RegionTemplates):
        raise DataError(f"{where}: expected templates of {before.name}, received {type(after).__name__}.")
    one, other = before.nominal, after.nominal
    if one.processes != other.processes or not np.array_equal(one.edges, other.edges):
        raise DataError(f"{where}: {before.name} has other processes or bins than before.")
    if before.variations.keys() != after.variations.keys():
        raise DataError(f"{where}: {before.name} has other variations than before.")
    counts, other_counts = before.observed, after.observed
    if counts is None or other_counts is None:
        same = counts is other_counts
    else:
        same = np.array_equal(counts, other_counts)
    if not same:
        raise DataError(
            f"{where}: {before.name} has other observed counts than before; data stay as they are."
        )
    for name, yields in {"nominal": other, **after.variations}.items():
        _check_finite(f"{where}: {before.name}, {name}", yields)


def _check_finite(where: str, yields: Yields) -> None:
    for row, process in enumerate(yields.processes):
        if not (np.isfinite(yields.sumw[row]).all() and np.isfinite(yields.sumw2[row]).all()):
            raise DataError(f"{where}: yields of {process} are not finite.")
