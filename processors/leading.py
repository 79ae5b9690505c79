"""Counts and leading objects of jagged collections as plain arrays, for the functions of an analysis.

What awkward computes through arrays of arrays costs several times as much: with these, `invariant_mass`,
`delta_phi` and the other functions of `kinematics` take pairs of objects as plain arrays.
"""

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.processors.kinematics import Momentum

__all__ = ["count", "leading", "leading_value"]

Floats = NDArray[np.float64]


def count(mask: ak.Array) -> NDArray[np.int64]:
    """Objects of each event that pass a mask, shape (n_events,).

    The same as `ak.num(objects[mask])` without the objects that are counted.

    >>> count(ak.Array([[True, False, True], [], [True]])).tolist()
    [2, 0, 1]
    """
    counts = ak.to_numpy(ak.num(mask)).astype(np.int64)
    event = np.repeat(np.arange(len(counts)), counts)[ak.to_numpy(ak.flatten(mask)).astype(np.bool_)]
    return np.bincount(event, minlength=len(counts)).astype(np.int64)


def leading(objects: ak.Array, n: int) -> tuple[Momentum, ...]:
    """The n objects of largest pT of every event, each of shape (n_events,); NaN where there are fewer.

    Args:
        objects: with pt, eta, phi and mass.
        n: how many.

    >>> jets = ak.zip({"pt": [[20.0, 50.0], [30.0]], "eta": [[0.0, 1.0], [2.0]]})
    >>> jets["phi"], jets["mass"] = jets.eta, jets.pt
    >>> first, second = leading(jets, 2)
    >>> first.pt.tolist(), first.eta.tolist(), second.pt.tolist()
    ([50.0, 30.0], [1.0, 2.0], [20.0, nan])
    """
    places = _places(objects, n)
    fields = [_at(objects[name], places) for name in ("pt", "eta", "phi", "mass")]
    return tuple(Momentum(*(field[i] for field in fields)) for i in range(n))


def leading_value(objects: ak.Array, field: str, n: int) -> tuple[Floats, ...]:
    """A field of the n objects of largest pT of every event, as `leading` orders them."""
    return tuple(_at(objects[field], _places(objects, n)))


def _places(objects: ak.Array, n: int) -> NDArray[np.int64]:
    """Places of the n objects of largest pT among all, −1 where there are fewer, shape (n, n_events)."""
    counts = ak.to_numpy(ak.num(objects)).astype(np.int64)
    pt = np.asarray(ak.to_numpy(ak.flatten(objects["pt"])), np.float64)
    event = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    order = np.arange(len(pt))
    falling = (pt[1:] <= pt[:-1]) | (event[1:] != event[:-1])
    if not falling.all():  # ntuples have them in order, most often
        order = np.lexsort((-pt, event))
    places = np.full((n, len(counts)), -1, np.int64)
    for place in range(n):
        there = counts > place
        places[place, there] = order[first[there] + place]
    return places


def _at(values: ak.Array, places: NDArray[np.int64]) -> Floats:
    """Values at these places, NaN at −1."""
    flat = np.append(np.asarray(ak.to_numpy(ak.flatten(values)), np.float64), np.nan)
    return np.asarray(flat[places])
