"""Scale factors from correctionlib files: pile-up, lepton and b-tag weights, with variations as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.processors.chunk import Chunk
from znought.processors.corrections import correction, variations
from znought.processors.kinematics import Momentum
from znought.processors.objects import event_of
from znought.processors.reconstruction import Selected
from znought.processors.selection import VHWWSelection, taggable
from znought.processors.variations import Objects

__all__ = ["Factors", "ScaleFactor", "check_scale_factors", "scale_factors"]

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
        applies_to: "electron" or "muon" of the selected pair, the "event", or the "jets" that the b-veto
            looks at.
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
    applies_to: Literal["electron", "muon", "event", "jets"]
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
        if self.applies_to != "jets" and (self.flavours or self.efficiency):
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
    def of(cls, values: Mapping[str, Mapping[Direction, Floats]], n_events: int) -> "Factors":
        """Products of the factors by name, each given in its directions."""
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
        return cls(nominal, varied)


def check_scale_factors(wanted: Mapping[str, ScaleFactor]) -> None:
    """Refuses, before any event is read, what could not be evaluated.

    Raises:
        CardError: a file, correction, input, variable or variation that does not exist, by its place in
            the card and with what was expected.
    """
    for name, factor in wanted.items():
        try:
            _check(factor, factor.correction)
            if factor.efficiency:
                _check(factor, factor.efficiency)
        except CardError as error:
            raise CardError(f"weights.{name}: {error}") from error


def _check(factor: ScaleFactor, name: str) -> None:
    """Raises unless every input of one correction has a value in both senses."""
    inputs = [item.name for item in correction(factor.file, name).inputs]
    # An efficiency need not depend on everything that its scale factor depends on.
    if name == factor.correction:
        for given in (*factor.inputs, *factor.fixed, *filter(None, [factor.systematic_input])):
            if given not in inputs:
                raise CardError(unknown_name(f"input of {name!r}", given, inputs))
    known = VARIABLES[factor.applies_to]
    for item in inputs:
        supplied = {*factor.fixed, factor.systematic_input}
        if item not in supplied and factor.variable(item) not in known:
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


def scale_factors(
    chunk: Chunk,
    objects: Objects,
    selected: Selected,
    wanted: Mapping[str, ScaleFactor],
    selection: VHWWSelection,
) -> Factors:
    """Scale factors of the selected events; 1 for data.

    Raises:
        CardError: a file, a correction or an input of it does not exist.
        DataError: the ntuple lacks a variable.
    """
    ones = np.ones(len(selected.event))
    if chunk.is_data or not wanted:
        return Factors(ones, {})
    values = {}
    for name, factor in wanted.items():
        of_factor = _per_event if factor.applies_to != "jets" else _per_jet
        values[name] = of_factor(chunk, objects, selected, factor, selection)
    nominal = _product([value["nominal"] for value in values.values()], ones)
    varied = {
        f"{name}_{way}": _product(
            [value[way if other == name else "nominal"] for other, value in values.items()], ones
        )
        for name in values
        for way in values[name]
        if way != "nominal"
    }
    return Factors(nominal, varied)


def _directions(factor: ScaleFactor) -> tuple[Direction, ...]:
    return ("nominal", "up", "down") if factor.has_variations else ("nominal",)


def _product(parts: list[Floats], ones: Floats) -> Floats:
    return np.asarray(np.prod([ones, *parts], axis=0))


def _evaluated(factor: ScaleFactor, name: str, values: Values, n_values: int, way: Direction) -> Floats:
    """One correction in one direction, shape (n_values,)."""
    evaluator = correction(factor.file, name)
    arguments: list[Any] = []
    for item in (item.name for item in evaluator.inputs):
        if item == factor.systematic_input:
            arguments.append(factor.systematics[way])
        elif item in factor.fixed:
            arguments.append(factor.fixed[item])
        elif factor.variable(item) in values:
            arguments.append(values[factor.variable(item)])
        else:
            kind = f"{factor.applies_to} variable"
            raise CardError(unknown_name(kind, factor.variable(item), VARIABLES[factor.applies_to]))
    return np.broadcast_to(np.asarray(evaluator.evaluate(*arguments), np.float64), (n_values,))


def _per_event(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, selection: VHWWSelection
) -> dict[Direction, Floats]:
    """Factor of the event or of its electron or muon in each direction, shape (n_selected,)."""
    if factor.applies_to == "event":
        values: Values = {"pileup": _pileup(chunk, selected)}
    else:
        flavour: Literal["electron", "muon"] = "muon" if factor.applies_to == "muon" else "electron"
        lepton = _lepton(objects, selected, flavour)
        values = {"pt": lepton.pt, "eta": lepton.eta, "abs_eta": np.abs(lepton.eta), "phi": lepton.phi}
    n_events = len(selected.event)
    return {way: _evaluated(factor, factor.correction, values, n_events, way) for way in _directions(factor)}


def _per_jet(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, selection: VHWWSelection
) -> dict[Direction, Floats]:
    """Π (1 − f ε)/(1 − ε) over the jets of each selected event in each direction, shape (n_selected,)."""
    jets = objects.jets
    flavour = _flavours(chunk)[jets.index]
    use = taggable(jets, selection) & np.isin(event_of(jets.counts), selected.row)
    if factor.flavours:
        use &= np.isin(flavour, factor.flavours)
    eta = jets.eta[use].astype(np.float64)
    values: Values = {
        "pt": jets.pt[use].astype(np.float64),
        "eta": eta,
        "abs_eta": np.abs(eta),
        "flavour": flavour[use].astype(np.int32),
        "discriminant": chunk.dialect.btag(chunk.view)[jets.index[use]].astype(np.float64),
    }
    if factor.efficiency:
        efficiency = _evaluated(factor, factor.efficiency, values, len(eta), "nominal")
    elif chunk.view.has("jet_btag_probability"):
        efficiency = chunk.view.flat("jet_btag_probability")[jets.index[use]].astype(np.float64)
    else:
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no tagging probability of jets"
        raise DataError(f"{message}: weights on jets need an `efficiency`.")
    found: dict[Direction, Floats] = {}
    for way in _directions(factor):
        scaled = np.clip(efficiency * _evaluated(factor, factor.correction, values, len(eta), way), 0.0, 1.0)
        # A jet that is always tagged has left no event to correct.
        ratio = np.divide(1.0 - scaled, 1.0 - efficiency, out=np.ones(len(eta)), where=efficiency < 1.0)
        product = np.ones(len(jets.counts))
        np.multiply.at(product, event_of(jets.counts)[use], ratio)
        found[way] = product[selected.row]
    return found


def _pileup(chunk: Chunk, selected: Selected) -> Floats:
    """True interactions of each selected event."""
    if not chunk.view.has("pileup"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no number of true interactions."
        raise DataError(message)
    return chunk.view.scalar("pileup")[selected.event].astype(np.float64)


def _flavours(chunk: Chunk) -> NDArray[np.integer]:
    """Hadron flavour of all jets of the chunk."""
    if not chunk.view.has("jet_flavour"):
        message = f"{chunk.path} (dialect {chunk.dialect.name}) has no hadron flavour of jets."
        raise DataError(message)
    return chunk.view.flat("jet_flavour")


def _lepton(objects: Objects, selected: Selected, flavour: Literal["electron", "muon"]) -> Momentum:
    """The electron or muon of each selected pair: the lighter or heavier of the two."""
    first, second = (part.at(selected.row) for part in (objects.pairs.leading, objects.pairs.subleading))
    use_first = (first.mass < second.mass) == (flavour == "electron")
    return Momentum(
        *(
            np.where(use_first, getattr(first, name), getattr(second, name))
            for name in ("pt", "eta", "phi", "mass")
        )
    )
