"""Whether test events have the discriminant of out-of-fold events, as a record of `results.json`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from znought.errors import DataError
from znought.facility.results.records import DiscriminantTest, OneDiscriminantResult
from znought.stats.labels import Labels
from znought.stats.one_discriminant import one_discriminant

__all__ = ["tested"]


def tested(
    outputs: Mapping[str, ArrayLike],
    weights: ArrayLike,
    process: ArrayLike | Labels,
    is_test: ArrayLike,
    identity: ArrayLike,
) -> OneDiscriminantResult | None:
    """The test of `znought.stats.one_discriminant`; None where too few events tell.

    Args:
        outputs, weights, process, is_test, identity: as there.
    """
    try:
        found = one_discriminant(outputs, weights, process, np.asarray(is_test), identity)
    except DataError:
        return None
    tests = tuple(
        DiscriminantTest(
            process=one.process,
            output=one.output,
            chi2=one.chi2,
            n_dof=one.n_dof,
            p_value=one.p_value,
            above={f"{quantile:g}": value for quantile, value in one.above.items()},
        )
        for one in found.comparisons
    )
    return OneDiscriminantResult(fisher=found.fisher, p_value=found.p_value, tests=tests)
