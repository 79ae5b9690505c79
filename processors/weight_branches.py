"""Where an ntuple keeps the weights of theory uncertainties: a branch, and the places of a set's members."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.generator_weights import scale_points, shower_points

__all__ = ["CENTRAL", "Vary", "WeightBranch"]

Floats = NDArray[np.float64]
Vary = Literal["scales", "isr", "fsr"]

CENTRAL = "central"
_SCALES = ((0.5, 0.5), (0.5, 1.0), (1.0, 0.5), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0))
_SHOWERS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "isr": ((2.0, 1.0), (0.5, 1.0)),
    "fsr": ((1.0, 2.0), (1.0, 0.5)),
}


@dataclass(frozen=True)
class WeightBranch:
    """One set of weights.

    Attributes:
        branch: of the ntuple, a list of numbers per event.
        members: their places in it, from 0 on; or
        vary: "scales" for the six of μ_R and μ_F, "isr" or "fsr" for a shower's up and down, whose places the
            branch's title says, file by file.
        central: place of the set's own central weight; None where that is the event's own.
        datasets: those that have the set; in all others every member is the event's own weight.
        copies: in place of a branch, systematics that the ntuple has copies of the generator's weight for.
    """

    branch: str
    members: tuple[int, ...] = ()
    vary: Vary | None = None
    central: int | None = None
    datasets: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What its members are called in columns, after the name of the set."""
        if self.copies:
            return self.copies
        n_members = len(self.members) or len(_points(self.vary))
        return (*map(str, range(n_members)), *([] if self.central is None else [CENTRAL]))

    def places(self, title: str) -> tuple[int, ...]:
        """The members' places in the branch of one file, in the order of `names`.

        Raises:
            DataError: the title does not say which member is which.
        """
        found = self.members
        if self.vary is not None:
            table = scale_points(title) if self.vary == "scales" else shower_points(title)
            found = tuple(_place(table, point, title) for point in _points(self.vary))
        return found if self.central is None else (*found, self.central)


def _points(vary: Vary | None) -> tuple[tuple[float, float], ...]:
    return () if vary is None else _SCALES if vary == "scales" else _SHOWERS[vary]


def _place(table: Floats, point: tuple[float, float], title: str) -> int:
    places = np.flatnonzero(np.isclose(table, point).all(axis=1))
    if places.size != 1:
        raise DataError(f"{places.size} weights with {point}, one is expected. Title: {title!r}.")
    return int(places[0])
