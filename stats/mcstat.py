"""Statistics of the simulated sample in a likelihood: Gaussian or Poisson, by effective events."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from znought.stats.yields import Yields

__all__ = ["McModifier", "effective_events", "mc_modifiers"]

Floats = NDArray[np.float64]
McModifier = dict[str, object]


def effective_events(sumw: Floats, sumw2: Floats) -> Floats:
    """(Σw)²/Σw², the unweighted events of the same relative error; infinite without an error.

    >>> effective_events(np.array([10.0, 6.0, 1.0]), np.array([4.0, 9.0, 0.0])).tolist()
    [25.0, 4.0, inf]
    """
    without = np.where(sumw != 0, np.inf, 0.0)
    return np.asarray(np.divide(sumw**2, sumw2, out=without, where=sumw2 > 0), dtype=np.float64)


def mc_modifiers(
    nominal: Yields, region: str, signal: Collection[str], threshold: float
) -> dict[str, list[McModifier]]:
    """Modifiers by process: one Gaussian factor per bin, or one Poisson factor per process and bin.

    Where the background of a bin stands on more than ``threshold`` effective events (to the nearest integer,
    as in Combine), one factor with a Gaussian constraint moves all processes together (Barlow and Beeston's
    method, simplified by Conway). Below, a Gaussian is no description of few events: each process has a
    factor γ of its own, and Poisson(n | γn) with its n effective events as constraint. The signal does not
    decide, as mu scales it.

    Args:
        nominal: templates that are not negative, shape (n_processes, n_bins).
        region: the parameters are ``mcstat_<region>`` and ``mcstat_<region>_<process>``.
        signal: names of signal processes.
        threshold: effective background events; 0 makes every bin Gaussian.

    References:
        Barlow, Beeston, Comput. Phys. Commun. 77 (1993) 219; Conway, arXiv:1103.0354; the threshold is
        that of Combine's autoMCStats.
    """
    background = [process for process in nominal.processes if process not in signal]
    enough = np.rint(effective_events(*nominal.total(background))) > threshold
    common = enough | (threshold <= 0)
    found: dict[str, list[McModifier]] = {}
    for i, process in enumerate(nominal.processes):
        errors = nominal.errors[i]
        own = np.where(~common & (nominal.sumw[i] > 0), errors, 0.0)
        modifiers: list[McModifier] = []
        if common.any():
            data = np.where(common, errors, 0.0).tolist()
            modifiers.append({"name": f"mcstat_{region}", "type": "staterror", "data": data})
        if own.any():
            modifiers.append({"name": f"mcstat_{region}_{process}", "type": "shapesys", "data": own.tolist()})
        found[process] = modifiers
    return found
