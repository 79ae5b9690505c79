"""What to look at before a fit is believed."""

from collections.abc import Iterator

import numpy as np
import pyhf

from znought.stats.minimum import Minimum

__all__ = ["fit_warnings"]

_PULL = 2.0
_PULL_MC = 3.0
"""One pull of many bins' MC statistics lies beyond 2 by chance."""
_CONSTRAINED = 0.5
_LOOSENED = 1.1
_CORRELATED = 0.9
_FREE = (0.5, 2.0)


def fit_warnings(model: pyhf.Model, best: Minimum) -> tuple[str, ...]:
    """Large pulls, strong constraints, strong correlations, odd normalisations: one line each.

    None of them makes a fit wrong; each has a reason that should be known.

    Args:
        model: within `pyhf_session`.
        best: the minimum, with errors.
    """
    return (*_of_parameters(model, best), *_of_pairs(model, best))


def _of_parameters(model: pyhf.Model, best: Minimum) -> Iterator[str]:
    config = model.config
    held = config.suggested_fixed()
    for name in config.par_order:
        group, part = config.param_set(name), config.par_slice(name)
        for k, i in enumerate(range(part.start, part.stop)):
            if held[i]:
                continue
            label, value, error = config.par_names[i], float(best.values[i]), float(best.errors[i])
            if group.constrained:
                width = float(group.width()[k])
                yield from _of_constrained(label, (value - group.suggested_init[k]) / width, error / width)
            elif i != config.poi_index and not _FREE[0] <= value <= _FREE[1]:
                yield f"{label} comes out as {value:.2f} ± {error:.2f} of its prediction."


def _of_constrained(name: str, pull: float, width: float) -> Iterator[str]:
    statistics = name.startswith("mcstat_")
    if abs(pull) > (_PULL_MC if statistics else _PULL):
        yield f"{name} is pulled by {pull:+.1f} standard deviations."
    if width > _LOOSENED:
        yield f"{name} is known worse after the fit than before ({width:.2f} of its width)."
    if not statistics and 0 < width < _CONSTRAINED:
        yield f"{name} is constrained to {width:.2f} of its width: is its template free of noise?"


def _of_pairs(model: pyhf.Model, best: Minimum) -> Iterator[str]:
    names = model.config.par_names
    wanted = [i for i, name in enumerate(names) if not name.startswith("mcstat_") and best.errors[i] > 0]
    scale = best.errors[wanted]
    correlation = best.covariance[np.ix_(wanted, wanted)] / np.outer(scale, scale)
    for row, column in np.argwhere(np.tril(np.abs(correlation) > _CORRELATED, -1)):
        one, other = names[wanted[column]], names[wanted[row]]
        value = float(correlation[row, column])
        yield f"{one} and {other} are correlated by {value:+.2f}: the data cannot tell them apart."
