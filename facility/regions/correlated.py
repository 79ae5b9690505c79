"""Correlations of variables, as comparisons and figures have them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from znought.analysis import Variable
from znought.facility.events.store import EventTable
from znought.facility.regions.axes import limits
from znought.stats.agreement import Correlations, correlations

__all__ = ["input_correlations"]

Floats = NDArray[np.float64]


def input_correlations(
    columns: EventTable, weight: Floats, variables: Mapping[str, Variable]
) -> Correlations:
    """Correlations of variables, of which the rare far tails count with the ends of their histograms.

    Args:
        columns: variables and identity.
        weight: of every event, shape (n_events,).
        variables: which, with their bins.
    """
    values = np.column_stack(
        [np.clip(columns[name].astype(np.float64), *limits(variable)) for name, variable in variables.items()]
    )
    defined = np.ones(values.shape, np.bool_)
    for i, (name, variable) in enumerate(variables.items()):
        if variable.undefined is not None:
            defined[:, i] = columns[name] != variable.undefined
    units = np.unique(columns.identity, return_inverse=True)[1].astype(np.int64)
    return correlations(values, weight, units=units, defined=defined)
