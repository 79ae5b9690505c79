"""Section of a card that asks for scale factors of triggers, measured by an orthogonal one."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file
from znought.facility.cards.object_weights import NamedWeight, Place
from znought.processors.calibration.official import OfficialFactor, Outside
from znought.processors.calibration.trigger import trigger

__all__ = ["TriggerWeight"]

_MOST_AXES = 2


class TriggerWeight(NamedWeight):
    """Triggers of an era, measured in data and simulation that an orthogonal trigger took.

    Attributes:
        axes: variable of the leading objects of a name, such as `electrons.pt` or `muons.abs_eta` → edges;
            one or two. What lies beyond counts as the nearest bin.
        orthogonal: paths of the orthogonal trigger, with wildcards, by era.
        data: files of recorded data of the orthogonal trigger, by era; they serve this measurement only.
        after: row of the selection behind which events are counted; all rows unless given.
        file: what was measured before, in place of a measurement.
        outside: what becomes of events without one of the objects: "refuse" stops, "one" leaves them.
    """

    kind: Literal["trigger"] = "trigger"
    axes: dict[str, tuple[float, ...]]
    orthogonal: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    data: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    after: str = ""
    file: str = ""
    outside: Literal["refuse", "one"] = "refuse"

    @property
    def files(self) -> tuple[str, ...]:
        """As `NamedWeight`."""
        return (self.file,) if self.file else ()

    @property
    def parts(self) -> dict[str, bool]:
        """As `NamedWeight`: errors of the counts are others in every era."""
        return {"stat": True, "syst": False}

    @model_validator(mode="after")
    def _can_be_measured(self) -> Self:
        if not 1 <= len(self.axes) <= _MOST_AXES:
            raise ValueError(f"axes: expected one or two, received {len(self.axes)}")
        for axis, edges in self.axes.items():
            if not all(axis.partition(".")[::2]):
                raise ValueError(f"axes: expected objects.variable, such as electrons.pt, received {axis!r}")
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise ValueError(f"axes.{axis} must rise, received {list(edges)}")
        if bool(self.file) == bool(self.orthogonal or self.data):
            raise ValueError("expected a file, or orthogonal paths with data to measure with")
        return self

    def refuse(self, where: str, eras: Mapping[str, Era]) -> None:
        """Raises unless every era has triggers, and paths and data to measure them with.

        Raises:
            ValueError: with the key.
        """
        if not eras:
            raise ValueError(f"{where}: kind trigger measures the triggers of eras; the card has no eras.")
        for era in self.eras or eras:
            if not eras[era].triggers:
                raise ValueError(f"{where}: eras.{era}.triggers names no path that could be measured.")
            for key, given in (("orthogonal", self.orthogonal), ("data", self.data)):
                if not self.file and era not in given:
                    raise ValueError(f"{where}.{key}: nothing for era {era!r}.")
            own = {path for paths in eras[era].triggers.values() for path in paths}
            if both := sorted(own & set(self.orthogonal.get(era, ()))):
                raise ValueError(f"{where}.orthogonal: {both[0]} is a trigger of era {era!r} itself.")

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`, out of the file that was measured."""
        file = str(correction_file(self.file, at.folder)) if self.file else at.file
        outside: Outside = self.outside
        return trigger(at.weight, at.era, file, axes=tuple(self.axes), outside=outside)
