"""A dialect: one experiment's way to write the same physics objects."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.layout import Field, Layout, resolve
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons, Missing

__all__ = ["Dialect", "Flavour", "SumsKind"]

Flavour = Literal["electron", "muon"]
SumsKind = Literal["runs", "bookkeepers", "total", "none"]


@dataclass(frozen=True)
class Dialect:
    """How one family of ntuples is read.

    Attributes:
        name: as cards, reports and `inspect` call it.
        description: one line for people.
        tree: name of the events' tree.
        markers: branches that only this dialect has; all must be there.
        fields: every field that its readers touch.
        leptons: electrons or muons of the events in view.
        jets: jets of the events in view, given their b-tags.
        btag: b-tag discriminant of the jets of the events in view.
        missing: missing transverse momentum of the events in view.
        gen_weight: generator weight per event.
        sums: where the sums over all generated events stand.
        btag_working_point: discriminant at the working point nearest to 85 %.
        electron_gap: |η| limits of the transition region of the electromagnetic calorimeter.
    """

    name: str
    description: str
    tree: str
    markers: tuple[str, ...]
    fields: tuple[Field, ...]
    leptons: Callable[[View, Flavour], Leptons]
    jets: Callable[[View, Floats], Jets]
    btag: Callable[[View], Floats]
    missing: Callable[[View], Missing]
    gen_weight: Callable[[View], NDArray[np.float64]]
    sums: SumsKind
    btag_working_point: float
    electron_gap: tuple[float, float]

    def layout(self, present: Collection[str]) -> Layout:
        """Which of the branches `present` supplies which field."""
        return resolve(self.name, self.fields, present)

    def branches(self) -> tuple[str, ...]:
        """Every branch that the dialect may read."""
        return tuple(sorted({source.branch for field in self.fields for source in field.sources}))
