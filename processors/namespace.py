"""The objects of an analysis by name, as its functions see them."""

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import unknown_name
from znought.processors.kinematics import Momentum

__all__ = ["GIVEN", "Objects", "n_entries"]

GIVEN = ("cuts", "events", "is_data", "dataset", "era")
"""Names that are always there."""


def n_entries(value: object) -> int | None:
    """Entries of a value that has one per event; None where it is the same for all of them."""
    if isinstance(value, Momentum):
        return len(value.pt)
    if isinstance(value, ak.Array) or (isinstance(value, np.ndarray) and value.ndim > 0):
        return len(value)
    return None


class Objects:
    """What the function `objects` returned, and what is always there, as attributes.

    Seen for some events only, each array is sliced when it is asked for.
    """

    def __init__(self, values: Mapping[str, Any], events: NDArray[np.int64] | None = None) -> None:
        """Values by name, of all events or of those with the indices `events`."""
        self._values = values
        self._index = events
        self._sliced: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._values:
            raise AttributeError(unknown_name("object", name, sorted(self._values)))
        value = self._values[name]
        if self._index is None or n_entries(value) is None:
            return value
        if name not in self._sliced:
            some = value.at(self._index) if isinstance(value, Momentum) else value[self._index]
            self._sliced[name] = some
        return self._sliced[name]

    def __dir__(self) -> list[str]:
        return sorted(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def only(self, events: NDArray[np.int64]) -> "Objects":
        """The same of the events with these indices."""
        return Objects(self._values, events if self._index is None else self._index[events])
