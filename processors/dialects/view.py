"""Branches of one chunk as plain arrays, read when they are asked for."""

from dataclasses import dataclass
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

    def __len__(self) -> int:
        return len(self.events)

    def has(self, name: str) -> bool:
        """Whether a branch supplies the field."""
        return name in self.layout.branches

    def scalar(self, name: str) -> NDArray[Any]:
        """One number per event, shape (n_events,)."""
        data = self.events[self.layout.branches[name]].layout.data
        return _plain(data)

    def counts(self, name: str) -> NDArray[np.int64]:
        """Objects per event in the field's collection, shape (n_events,)."""
        return np.diff(_plain(self._jagged(name).offsets.data))

    def flat(self, name: str) -> NDArray[Any]:
        """The field of all objects, event by event, shape (n_objects,)."""
        return _plain(self._jagged(name).content.data)

    def _jagged(self, name: str) -> Any:
        return self.events[self.layout.branches[name]].layout


def _plain(buffer: Any) -> NDArray[Any]:
    """A numpy array of a buffer that may not have been read yet."""
    return np.asarray(buffer.materialize() if hasattr(buffer, "materialize") else buffer)
