"""Scale factors out of the experiments' own files: of objects or events, with each part of their errors."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.processors.calibration.efficiency import Efficiency, tag_factors
from znought.processors.corrections import Range, correction, evaluated_correction, ranges, variations

__all__ = ["CENTRAL", "Lookup", "OfficialFactor", "Outside", "Terms", "Values"]

Floats = NDArray[np.float64]
Values = Callable[[str], NDArray[Any]]
Outside = Literal["refuse", "clamp", "one"]
Terms = tuple[tuple[str, float], ...]
"""Values of the systematic input, and what each is multiplied by in the sum: ("nominal", 1), ("stat", −1)."""

CENTRAL = "nominal"


@dataclass(frozen=True)
class Lookup:
    """One correction of a file, for all objects or some of them.

    Attributes:
        name: of the correction.
        systematic: its input that chooses the variation.
        ways: nominal, and each varied way that the correction knows → what it is the sum of.
        inputs: input → variable of the objects.
        fixed: input → value.
        flavours: of the jets that it is for; all unless given.
        within: smallest pT of the objects that it is for, and the end beyond the largest.
        limits: variable → values beyond which it has none.
    """

    name: str
    systematic: str
    ways: Mapping[str, Terms]
    inputs: Mapping[str, str]
    fixed: Mapping[str, str | int | float] = field(default_factory=dict)
    flavours: tuple[int, ...] = ()
    within: tuple[float, float] | None = None
    limits: Mapping[str, Range] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        file: str,
        name: str,
        ways: Mapping[str, Terms],
        *,
        systematic: str,
        inputs: Mapping[str, str],
        fixed: Mapping[str, str | int | float] | None = None,
        flavours: tuple[int, ...] = (),
    ) -> "Lookup":
        """A lookup whose names, values and ranges are those of the file.

        Raises:
            CardError: the file, or a name in it, does not exist; or a variation lacks its up or down.
        """
        fixed = fixed or {}
        taken = [one.name for one in correction(file, name).inputs]
        for item in taken:
            if item not in (*inputs, *fixed, systematic):
                raise CardError(f"correction {name!r} asks for {item!r}, which has no value here.")
        for item, value in {**fixed, systematic: ""}.items():
            known = variations(file, name, item) if item in taken else frozenset()
            asked = [value] if item != systematic else [term for terms in ways.values() for term, _ in terms]
            for one in asked:
                if known and one not in known:
                    what = unknown_name(f"{item} of {name!r}", str(one), sorted(map(str, known)))
                    raise CardError(what)
        limits = {inputs[item]: one for item, one in ranges(file, name, fixed).items() if item in inputs}
        return cls(
            name,
            systematic,
            ways,
            {item: inputs[item] for item in taken if item in inputs},
            {item: fixed[item] for item in taken if item in fixed},
            flavours,
            None,
            limits,
        )

    def values(self, file: str, way: str, given: Values, n_values: int) -> Floats:
        """In one way, shape (n_values,)."""
        total = np.zeros(n_values)
        for value, coefficient in self.ways.get(way, self.ways[CENTRAL]):
            arguments: dict[str, Any] = {}
            for item in correction(file, self.name).inputs:
                if item.name == self.systematic:
                    arguments[item.name] = value
                elif item.name in self.fixed:
                    arguments[item.name] = self.fixed[item.name]
                else:
                    kind = np.int64 if item.type == "int" else np.float64
                    arguments[item.name] = given(self.inputs[item.name]).astype(kind)
            total += coefficient * evaluated_correction(file, self.name, arguments, n_values)
        return total


@dataclass(frozen=True)
class OfficialFactor:
    """A scale factor of one era.

    Attributes:
        weight: its name in the card.
        era: whose file it is.
        file: of correctionlib.
        objects: what it is of: "event", or a name of objects.
        lookups: corrections, each for other objects.
        outside: what becomes of objects that no correction has a value for: refused, moved to the nearest
            value of their variables, or left with a factor of 1.
        efficiency: of the cut on the b-tag in simulation, for jets with and without a tag.
    """

    weight: str
    era: str
    file: str
    objects: str
    lookups: tuple[Lookup, ...]
    outside: Outside = "refuse"
    efficiency: Efficiency | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """Nominal, and every varied way."""
        return tuple(dict.fromkeys(way for lookup in self.lookups for way in (CENTRAL, *lookup.ways)))

    def of_objects(self, given: Values, n_objects: int, ways: Collection[str]) -> dict[str, Floats]:
        """The factor of each object in each way asked for, shape (n_objects,).

        With an efficiency ε a tagged jet has f, and another one (1 − f ε)/(1 − ε).

        Args:
            given: variable → its values.
            n_objects: of objects.
            ways: "nominal", "up", "stat_down", …; one that the factor does not know is nominal.

        Raises:
            DataError: an object lies where the file has no value, and is to be refused.
        """
        moved, inside = self._placed(given, n_objects)
        found = {way: np.ones(n_objects) for way in ways}
        for lookup in self.lookups:
            rows = np.flatnonzero(inside & self._is_for(lookup, moved, n_objects))
            if not len(rows):
                continue

            def some(variable: str, rows: NDArray[np.int64] = rows) -> NDArray[Any]:
                return moved(variable)[rows]

            for way in ways:
                try:
                    found[way][rows] = lookup.values(self.file, way, some, len(rows))
                except DataError as error:
                    raise DataError(f"era {self.era!r}: weights.{self.weight}: {error}") from error
        if self.efficiency is None:
            return found
        is_tagged = given("is_btagged")
        efficiency = self.efficiency.of_jets(moved, n_objects)
        return {way: tag_factors(scale, efficiency, is_tagged) for way, scale in found.items()}

    def _is_for(self, lookup: Lookup, given: Values, n_objects: int) -> NDArray[np.bool_]:
        mine = np.ones(n_objects, np.bool_)
        if lookup.flavours:
            mine &= np.isin(given("flavour"), lookup.flavours)
        if lookup.within is not None:
            mine &= (given("pt") >= lookup.within[0]) & (given("pt") < lookup.within[1])
        return mine

    def _placed(self, given: Values, n_objects: int) -> tuple[Values, NDArray[np.bool_]]:
        """Variables with objects beyond the files' ends moved to them, and those that count as inside."""
        inside = np.ones(n_objects, np.bool_)
        moved: dict[str, NDArray[Any]] = {}
        for variable, limit in self._limits.items():
            values = np.asarray(given(variable), np.float64)
            size = np.abs(values) if limit.is_of_size else values
            out = ~((size >= limit.low) & (size < limit.high))
            if not out.any():
                continue
            if self.outside == "refuse":
                raise DataError(self._refusal(variable, limit, values, out))
            inside &= ~out | (self.outside == "clamp")
            clipped = np.clip(size, limit.low, np.nextafter(limit.high, -np.inf))
            moved[variable] = np.copysign(clipped, values) if limit.is_of_size else clipped

        def placed(variable: str) -> NDArray[Any]:
            return moved[variable] if variable in moved else given(variable)

        return placed, inside

    @property
    def _limits(self) -> dict[str, Range]:
        """The ends of all corrections together."""
        found: dict[str, Range] = {}
        for lookup in self.lookups:
            for variable, one in lookup.limits.items():
                before = found.get(variable, one)
                low, high = min(before.low, one.low), max(before.high, one.high)
                found[variable] = Range(low, high, one.is_of_size)
        return found

    def _refusal(self, variable: str, limit: Range, values: Floats, out: NDArray[np.bool_]) -> str:
        where, shown = f"weights.{self.weight}", f"|{variable}|" if limit.is_of_size else variable
        names = " and ".join(dict.fromkeys(lookup.name for lookup in self.lookups))
        return (
            f"era {self.era!r}: {where}: correction {names} of {Path(self.file).name} has values for {shown} "
            f"from {limit.low:g} to {limit.high:g}; {int(out.sum())} of {len(values)} objects lie outside, "
            f"the first at {values[out][0]:.4g}. Cut them away, or give {where}.outside: clamp or one."
        )
