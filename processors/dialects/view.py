"""Branches of one chunk as plain arrays, read when they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.layout import Layout

__all__ = ["View"]


@dataclass(frozen=True)
class View:
    """One chunk of events, seen through the layout of its dialect.

    Attributes:
        events: coffea events of `FlatSchema`.
        layout: which branch supplies which field.
    """

    events: Any
    layout: Layout
    _read: dict[tuple[str, str], NDArray[Any]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.events)

    def has(self, name: str) -> bool:
        """Whether a branch supplies the field."""
        return name in self.layout.branches

    def scalar(self, name: str) -> NDArray[Any]:
        """One number per event, shape (n_events,)."""
        return self._once("scalar", name, lambda layout: layout.data)

    def counts(self, name: str) -> NDArray[np.int64]:
        """Objects per event in the field's collection, shape (n_events,)."""
        return np.diff(self._once("offsets", name, lambda layout: layout.offsets.data))

    def flat(self, name: str) -> NDArray[Any]:
        """The field of all objects, event by event, shape (n_objects,)."""
        return self._once("content", name, lambda layout: layout.content.data)

    def _once(self, part: str, name: str, buffer: Callable[[Any], Any]) -> NDArray[Any]:
        """One buffer of a field as a numpy array; variations ask for it again and again."""
        if (part, name) not in self._read:
            found = buffer(self.events[self.layout.branches[name]].layout)
            # A buffer that nobody asked for yet has still to be read.
            found = found.materialize() if hasattr(found, "materialize") else found
            self._read[part, name] = np.asarray(found)
        return self._read[part, name]
