"""Regions: named sets of interval cuts on columns, evaluated on columns of any origin."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.processors.cutflow import Cutflow
from znought.processors.exact import ExactSum

__all__ = ["Cut", "Region", "regions_from_card"]

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Cut:
    """One interval: lower ≤ variable < upper; None is open.

    Attributes:
        variable: name of a column.
        lower: smallest value inside, or None.
        upper: smallest value outside, or None.
    """

    variable: str
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        if self.lower is None and self.upper is None:
            message = f"The cut on {self.variable!r} needs a lower or an upper limit; received neither."
            raise CardError(message)
        if any(limit is not None and not math.isfinite(limit) for limit in (self.lower, self.upper)):
            message = f"The cut on {self.variable!r} needs finite limits, null for an open side."
            raise CardError(message)
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            message = f"The cut on {self.variable!r} is empty: lower {self.lower} is not below {self.upper}."
            raise CardError(message)

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        """True where the event is inside, shape (n_events,).

        Raises:
            DataError: the columns lack the variable.
        """
        if self.variable not in columns:
            raise DataError(unknown_name("column", self.variable, columns))
        values = np.asarray(columns[self.variable])
        inside = np.ones(values.shape, np.bool_)
        if self.lower is not None:
            inside &= values >= self.lower
        if self.upper is not None:
            inside &= values < self.upper
        return inside


@dataclass(frozen=True)
class Region:
    """Events inside every one of its cuts.

    Attributes:
        name: the region's name.
        cuts: the cuts, in the order of its cutflow.
    """

    name: str
    cuts: tuple[Cut, ...] = ()

    def mask(self, columns: Columns) -> NDArray[np.bool_]:
        """True where the event passes every cut, shape (n_events,).

        >>> region = Region("soft", (Cut("m_ll", None, 50.0), Cut("met_track", 20.0)))
        >>> region.mask({"m_ll": np.array([30.0, 30, 50]), "met_track": np.array([20.0, 5, 90])}).tolist()
        [True, False, False]
        """
        return self._all(columns, self.cuts)

    def n_minus_one(self, columns: Columns, variable: str) -> NDArray[np.bool_]:
        """True where the event passes every cut except those on one variable, shape (n_events,)."""
        names = {cut.variable for cut in self.cuts}
        if variable not in names:
            raise CardError(unknown_name("cut variable", variable, sorted(names)))
        return self._all(columns, tuple(cut for cut in self.cuts if cut.variable != variable))

    def cutflow(
        self, columns: Columns, weight: NDArray[np.float64], units: NDArray[np.integer] | None = None
    ) -> Cutflow:
        """Cutflow through the region's cuts, from the preselected events on.

        Args:
            columns: variables of the events.
            weight: of every event, shape (n_events,).
            units: number from 0 of the generated event behind every row, whose responses are one statistical
                unit; None takes rows as independent.
        """
        weight = np.asarray(weight, np.float64)
        passed = np.ones(len(weight), np.int64)
        for i, cut in enumerate(self.cuts):
            passed += (passed == i + 1) & cut.mask(columns)
        flow = Cutflow.filled(["preselection", *(cut.variable for cut in self.cuts)], passed, weight)
        if units is None:
            return flow
        squares = []
        for i in range(len(flow.names)):
            per_unit = np.bincount(units[passed > i], weight[passed > i])
            squares.append(ExactSum.of(float(per_unit @ per_unit)))
        return replace(flow, sumw2=tuple(squares))

    @staticmethod
    def _all(columns: Columns, cuts: tuple[Cut, ...]) -> NDArray[np.bool_]:
        inside = np.ones(len(next(iter(columns.values()))), np.bool_)
        for cut in cuts:
            inside &= cut.mask(columns)
        return inside


def regions_from_card(
    section: Mapping[str, Mapping[str, Sequence[float | None]]],
) -> dict[str, Region]:
    """Regions from the card's section `regions`: name → {variable: [lower, upper]}, null for open.

    >>> regions_from_card({"SR": {"m_jj": (70.0, 100.0), "dy_jj": (None, 1.2)}})["SR"].cuts[1]
    Cut(variable='dy_jj', lower=None, upper=1.2)
    """
    return {
        name: Region(
            name, tuple(Cut(variable, *_limits(name, variable, limits)) for variable, limits in cuts.items())
        )
        for name, cuts in section.items()
    }


def _limits(region: str, variable: str, limits: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The two limits of one cut, or an error that names region and variable."""
    if len(limits) != 2:
        message = (
            f"Region {region!r} needs [lower, upper] for {variable!r}, null for open; received {limits!r}."
        )
        raise CardError(message)
    return limits[0], limits[1]
