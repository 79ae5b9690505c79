"""Histograms of objects, and of two values at once, of the selected events of one chunk."""

from collections.abc import Iterable
from typing import Any

import awkward as ak
import hist
import numpy as np
from numpy.typing import NDArray

from znought.analysis import Histogram
from znought.processors.calling import Caller
from znought.processors.evaluated import Evaluated
from znought.processors.hists import Axis
from znought.processors.namespace import Objects

__all__ = ["filled", "values_of"]

Values = tuple[ak.Array, ...]


def values_of(
    histograms: Iterable[Histogram], caller: Caller, objects: Objects, n_events: int
) -> dict[str, Values]:
    """Name → values of each axis for every event, one number or a list of them.

    Raises:
        DataError: a function failed, or returned something else than finite numbers, as many in each axis.
    """
    return {one.name: _values(one, caller, objects, n_events) for one in histograms}


def _values(one: Histogram, caller: Caller, objects: Objects, n_events: int) -> Values:
    what = f"histogram {one.name!r}"
    given = caller.call(what, one.function, objects)
    found = given if isinstance(given, tuple) else (given,)
    if len(found) != len(one.axes):
        message = f"expected values of {len(one.axes)} axes, received {len(found)}."
        raise caller.wrong(what, one.function, message)
    arrays = tuple(ak.Array(values) if isinstance(values, np.ndarray) else values for values in found)
    for axis, array in zip(one.axes, arrays, strict=True):
        if mistake := _mistake(array, n_events):
            raise caller.wrong(what, one.function, f"axis {axis.name!r}: {mistake}")
    counts = [_counts(array) for array in arrays]
    if any(not np.array_equal(counts[0], other) for other in counts[1:]):
        raise caller.wrong(what, one.function, "its axes have other numbers of objects.")
    return arrays


def _mistake(array: Any, n_events: int) -> str:
    """What is wrong with the values of one axis; nothing where all is well."""
    expected = f"expected one number or one list of numbers for each of {n_events} events"
    if not isinstance(array, ak.Array) or array.ndim not in (1, 2) or ak.fields(array):
        return f"{expected}, received {type(array).__name__}."
    if len(array) != n_events:
        return f"{expected}, received {len(array)}."
    if any(ak.any(ak.is_none(array, axis=axis), axis=None) for axis in range(array.ndim)):
        return "some values are None; drop or fill them."
    if not np.isfinite(_flat(array)).all():
        return "some values are NaN or infinite."
    return ""


def _counts(array: ak.Array) -> NDArray[np.int64]:
    """Values per event."""
    return np.asarray(ak.num(array, axis=1) if array.ndim == 2 else np.ones(len(array)), np.int64)


def _flat(array: ak.Array) -> NDArray[np.float64]:
    return np.asarray(ak.flatten(array, axis=None), np.float64)


def filled(histograms: Iterable[Histogram], found: Evaluated) -> dict[str, hist.Hist[Any]]:
    """Histogram of each name, every object with the weight of its event; Σw² takes objects as independent."""
    made: dict[str, hist.Hist[Any]] = {}
    for one in histograms:
        arrays = found.drawn[one.name]
        axes = [Axis.of(axis).histogram().axes[0] for axis in one.axes]
        weight = np.repeat(found.weights["gen_weight"], _counts(arrays[0]))
        made[one.name] = hist.Hist(*axes, storage=hist.storage.Weight())
        made[one.name].fill(*map(_flat, arrays), weight=weight)
    return made
