"""Official scale factors of events: products over their objects, whoever knows these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.calibration.generated import ParticleFactor, PrefiringFactor
from znought.processors.calibration.official import CENTRAL, OfficialFactor, Values
from znought.processors.calibration.trigger import LEADING

if TYPE_CHECKING:
    from znought.processors.chunk import Chunk

__all__ = ["EVENT", "Factor", "Weighable", "event_values", "leading", "official_factors"]

Floats = NDArray[np.float64]
Factor = OfficialFactor | ParticleFactor | PrefiringFactor
"""What a card may name by its kind."""

EVENT = "event"
"""What scale factors of the event as a whole are of."""


@dataclass(frozen=True)
class Weighable:
    """Objects of selected events.

    Attributes:
        event: row of each object's event among the selected ones, shape (n_objects,).
        values: variable → values, shape (n_objects,).
    """

    event: NDArray[np.int64]
    values: Values


def official_factors(
    chunk: "Chunk",
    wanted: Mapping[str, Factor],
    events: NDArray[np.int64],
    objects: Callable[[OfficialFactor], Weighable],
    *,
    nominal_only: bool = False,
) -> dict[str, dict[str, Floats]]:
    """Each factor in its ways, multiplied over the objects of every event, shape (n_events,).

    Args:
        chunk: of the events.
        wanted: factors by name.
        events: indices of the selected ones in the chunk.
        objects: those that a factor is of.
        nominal_only: leave out its variations.

    Raises:
        DataError: a branch is missing, or an object lies where a correction has no value.
    """
    found: dict[str, dict[str, Floats]] = {}
    for name, factor in wanted.items():
        ways = (CENTRAL,) if nominal_only else factor.ways
        try:
            if not isinstance(factor, OfficialFactor):
                found[name] = factor.of_events(chunk, events, ways)
            elif factor.objects == LEADING:
                found[name] = _product(factor, leading(factor, objects, len(events)), len(events), ways)
            elif factor.objects == EVENT:
                found[name] = factor.of_objects(event_values(chunk, events), len(events), ways)
            else:
                found[name] = _product(factor, objects(factor), len(events), ways)
        except DataError as error:
            where = "" if str(error).startswith(chunk.path) else f"{chunk.path}: "
            raise DataError(f"{where}{error}") from error
    return found


def leading(
    factor: OfficialFactor, objects: Callable[[OfficialFactor], Weighable], n_events: int
) -> Weighable:
    """Variables of the leading object of each name, such as `electrons.pt`, of events that have all of them.

    Args:
        factor: whose inputs are such variables.
        objects: those that a factor is of.
        n_events: selected ones.

    Raises:
        DataError: an event lacks one of the objects, and is to be refused.
    """
    axes = dict.fromkeys(axis for lookup in factor.lookups for axis in lookup.inputs.values())
    names = dict.fromkeys(axis.rpartition(".")[0] for axis in axes)
    given = {name: objects(replace(factor, objects=name)) for name in names}
    first = {name: _first_of_each(one, n_events) for name, one in given.items()}
    there = np.logical_and.reduce([rows >= 0 for rows in first.values()])
    if factor.outside == "refuse" and not there.all():
        where = f"era {factor.era!r}: weights.{factor.weight}"
        missing = f"{int((~there).sum())} of {n_events} selected events lack one of {', '.join(names)}"
        raise DataError(f"{where}: {missing}. Cut them away, or give outside: one.")

    def value(axis: str) -> NDArray[Any]:
        name, _, variable = axis.rpartition(".")
        return given[name].values(variable)[first[name][there]]

    return Weighable(np.flatnonzero(there), value)


def _first_of_each(given: Weighable, n_events: int) -> NDArray[np.int64]:
    """Row of the object of largest pT of each event, −1 where it has none; shape (n_events,)."""
    found = np.full(n_events, -1, np.int64)
    order = np.lexsort((-np.asarray(given.values("pt"), np.float64), given.event))
    events, places = np.unique(given.event[order], return_index=True)
    found[events] = order[places]
    return found


def _product(
    factor: OfficialFactor, objects: Weighable, n_events: int, ways: tuple[str, ...]
) -> dict[str, Floats]:
    """Product over the objects of each event, 1 where there is none."""
    found = {}
    for way, each in factor.of_objects(objects.values, len(objects.event), ways).items():
        product = np.ones(n_events)
        np.multiply.at(product, objects.event, each)
        found[way] = product
    return found


def event_values(chunk: "Chunk", events: NDArray[np.int64]) -> Values:
    """Variables of events as wholes: `pileup`, the number of true interactions.

    Raises:
        DataError: when one is asked for that the file lacks.
    """

    def value(variable: str) -> NDArray[np.float64]:
        if not chunk.view.has(variable):
            raise DataError(
                f"{chunk.path} (dialect {chunk.dialect.name}) has no number of true interactions."
            )
        return np.asarray(chunk.view.scalar(variable)[events], np.float64)

    return value
