"""A dialect: one experiment's way to write the same physics objects."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.processors.dialects.layout import Field, Layout, resolve
from znought.processors.dialects.view import View
from znought.processors.objects import Floats, Jets, Leptons, Missing

__all__ = ["IDENTITY_OF_FILE", "Dialect", "Flavour", "SumsKind"]

IDENTITY_OF_FILE = "identity"
"""The substitute that is declared where a tree numbers no events."""

_BY_ENTRY = "file and entry: the tree holds none of {}"

Flavour = Literal["electron", "muon"]
SumsKind = Literal["runs", "bookkeepers", "histograms", "total", "none"]


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
        identity: fields that tell one event from another; file and entry do where none of them is there.
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
    identity: tuple[str, ...]
    electron_gap: tuple[float, float]

    def layout(self, present: Collection[str]) -> Layout:
        """Which of the branches `present` supplies which field."""
        found = resolve(self.name, self.fields, present)
        if not set(self.identity) <= found.missing.keys():
            return found
        branches = ", ".join(branch for name in self.identity for branch in found.missing[name])
        missing = {name: tried for name, tried in found.missing.items() if name not in self.identity}
        declared = {**found.substitutes, IDENTITY_OF_FILE: _BY_ENTRY.format(branches)}
        return replace(found, substitutes=declared, missing=missing)

    def branches(self) -> tuple[str, ...]:
        """Every branch that the dialect may read."""
        return tuple(sorted({source.branch for field in self.fields for source in field.sources}))
