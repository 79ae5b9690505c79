"""Scale factors from correctionlib files: pile-up, lepton and b-tag weights, with variations as columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, unknown_name
from znought.processors.corrections import correction, evaluated_correction, variations

__all__ = ["Direction", "Factors", "ScaleFactor", "check_scale_factors", "directions", "evaluated"]

Floats = NDArray[np.float64]
Direction = Literal["nominal", "up", "down"]
Values = Mapping[str, NDArray[Any]]

_LEPTON = ("pt", "eta", "abs_eta", "phi")
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "electron": _LEPTON,
    "muon": _LEPTON,
    "event": ("pileup",),
    "jets": ("pt", "eta", "abs_eta", "flavour", "discriminant"),
}
"""What a correction may ask for, by what it applies to."""


@dataclass(frozen=True)
class ScaleFactor:
    """One correction out of a correctionlib file (an entry of the card section `weights`).

    On jets it is that of the b-tagging efficiency: an event without b-tagged jet gets
    Π (1 − f ε)/(1 − ε) over jets in the acceptance of b-tagging, with ε the efficiency in simulation.

    Attributes:
        file: JSON file, gzipped or not, relative to the card.
        correction: name of the correction or compound correction in it.
        applies_to: "event", or a name of objects: for plain functions any that `objects` returns, else the
            "electron" or "muon" of the selected pair, or the "jets" that the b-veto looks at.
        inputs: input of the correction → variable, where the names differ. Variables are pt, eta, abs_eta
            and phi of the lepton; pileup (true interactions) of the event; pt, eta, abs_eta, flavour (of
            the hadron: 0, 4, 5) and discriminant of jets.
        fixed: input of the correction → fixed value, such as a year or a working point.
        systematic_input: input that chooses the variation; empty if there is none.
        systematics: values of that input for nominal, up and down; without up and down there are no
            variations.
        flavours: of the jets that it applies to; empty means all.
        efficiency: for jets, correction of the same file that gives ε, from the same inputs; empty where
            the ntuple has the probability of each jet to be tagged.
    """

    file: str
    correction: str
    applies_to: str
    inputs: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str | int | float] = field(default_factory=dict)
    systematic_input: str = ""
    systematics: dict[Direction, str] = field(default_factory=dict)
    flavours: tuple[int, ...] = ()
    efficiency: str = ""

    def __post_init__(self) -> None:
        where = f"weights: correction {self.correction!r}"
        if self.systematic_input and "nominal" not in self.systematics:
            raise CardError(f"{where} needs systematics.nominal.")
        if self.systematics and not self.systematic_input:
            raise CardError(f"{where} has systematics but no systematic_input to pass them to.")
        if len({"up", "down"} & set(self.systematics)) == 1:
            raise CardError(f"{where} needs both systematics.up and down, or neither.")
        if self.applies_to in ("event", "electron", "muon") and (self.flavours or self.efficiency):
            raise CardError(f"{where} applies to the {self.applies_to}; flavours and efficiency are of jets.")

    @property
    def has_variations(self) -> bool:
        """Whether up and down are defined."""
        return "up" in self.systematics

    def variable(self, name: str) -> str:
        """The variable behind an input of the correction."""
        return self.inputs.get(name, name)


@dataclass(frozen=True)
class Factors:
    """Product of all scale factors of each selected event.

    Attributes:
        nominal: shape (n_selected,).
        varied: name such as `muon_id_up` → the product with that one factor varied.
    """

    nominal: Floats
    varied: dict[str, Floats]

    @classmethod
    def of(
        cls, values: Mapping[str, Mapping[Any, Floats]], n_events: int, asked: Iterable[str] = ()
    ) -> "Factors":
        """Products of the factors by name, each given nominal and in its varied ways.

        Args:
            values: factor → way → values.
            n_events: of events.
            asked: names of varied products; nominal where no factor of these events varies so.
        """
        ones = np.ones(n_events)
        nominal = _product([value["nominal"] for value in values.values()], ones)
        varied = {
            f"{name}_{way}": _product(
                [value[way if other == name else "nominal"] for other, value in values.items()], ones
            )
            for name in values
            for way in values[name]
            if way != "nominal"
        }
        return cls(nominal, {**dict.fromkeys(asked, nominal), **varied})


def check_scale_factors(wanted: Mapping[str, ScaleFactor], *, any_object: bool = False) -> None:
    """Refuses, before any event is read, what could not be evaluated.

    Args:
        wanted: scale factors by name.
        any_object: objects and their fields are the analysis's own, known when it runs.

    Raises:
        CardError: a file, correction, input, variable or variation that does not exist, by its place in
            the card and with what was expected.
    """
    for name, factor in wanted.items():
        try:
            known = None if any_object else _known(factor)
            _check(factor, factor.correction, known)
            if factor.efficiency:
                _check(factor, factor.efficiency, known)
        except CardError as error:
            raise CardError(f"weights.{name}: {error}") from error


def _known(factor: ScaleFactor) -> tuple[str, ...]:
    """Variables of what a factor applies to."""
    if factor.applies_to not in VARIABLES:
        raise CardError(f"applies_to: {unknown_name('object', factor.applies_to, VARIABLES)}")
    return VARIABLES[factor.applies_to]


def _check(factor: ScaleFactor, name: str, known: tuple[str, ...] | None) -> None:
    """Raises unless every input of one correction has a value in both senses; None knows any variable."""
    inputs = [item.name for item in correction(factor.file, name).inputs]
    # An efficiency need not depend on everything that its scale factor depends on.
    if name == factor.correction:
        for given in (*factor.inputs, *factor.fixed, *filter(None, [factor.systematic_input])):
            if given not in inputs:
                raise CardError(unknown_name(f"input of {name!r}", given, inputs))
    for item in inputs:
        supplied = {*factor.fixed, factor.systematic_input}
        if known is not None and item not in supplied and factor.variable(item) not in known:
            where = f"inputs.{item} or fixed.{item} is needed for {name!r}: "
            raise CardError(
                where + unknown_name(f"{factor.applies_to} variable", factor.variable(item), known)
            )
    allowed = variations(factor.file, name, factor.systematic_input) if factor.systematic_input else ()
    for way, value in factor.systematics.items():
        if allowed and value not in allowed:
            raise CardError(
                f"systematics.{way}: {unknown_name('variation', value, sorted(map(str, allowed)))}"
            )


def directions(factor: ScaleFactor) -> tuple[Direction, ...]:
    """Nominal, and up and down where they are defined."""
    return ("nominal", "up", "down") if factor.has_variations else ("nominal",)


def _product(parts: list[Floats], ones: Floats) -> Floats:
    return np.asarray(np.prod([ones, *parts], axis=0))


def evaluated(factor: ScaleFactor, name: str, values: Values, n_values: int, way: Direction) -> Floats:
    """One correction in one direction, shape (n_values,)."""
    arguments: dict[str, Any] = {}
    for item in (item.name for item in correction(factor.file, name).inputs):
        if item == factor.systematic_input:
            arguments[item] = factor.systematics[way]
        elif item in factor.fixed:
            arguments[item] = factor.fixed[item]
        elif factor.variable(item) in values:
            arguments[item] = values[factor.variable(item)]
        else:
            kind = f"{factor.applies_to} variable"
            raise CardError(unknown_name(kind, factor.variable(item), VARIABLES[factor.applies_to]))
    return evaluated_correction(factor.file, name, arguments, n_values)
