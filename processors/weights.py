"""Scale factors from correctionlib files: lepton and pile-up weights, with their variations as columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import correctionlib
import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.processors.chunk import Chunk
from znought.processors.kinematics import Momentum
from znought.processors.reconstruction import Selected
from znought.processors.selection import take
from znought.processors.variations import Objects

__all__ = ["Factors", "ScaleFactor", "scale_factors"]

Floats = NDArray[np.float64]
Direction = Literal["nominal", "up", "down"]


@dataclass(frozen=True)
class ScaleFactor:
    """One correction out of a correctionlib file (an entry of the card section `weights`).

    Attributes:
        file: JSON file, gzipped or not.
        correction: name of the correction or compound correction in it.
        applies_to: "electron" or "muon" of the selected pair, or the "event".
        inputs: input of the correction → variable, where the names differ. Variables are pt, eta, abs_eta
            and phi of the lepton, and pileup (true interactions) of the event.
        fixed: input of the correction → fixed value, such as a year or a working point.
        systematic_input: input that chooses the variation; empty if there is none.
        systematics: values of that input for nominal, up and down; without up and down there are no
            variations.
    """

    file: str
    correction: str
    applies_to: Literal["electron", "muon", "event"]
    inputs: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str | int | float] = field(default_factory=dict)
    systematic_input: str = ""
    systematics: dict[Literal["nominal", "up", "down"], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.systematic_input and "nominal" not in self.systematics:
            message = f"weights: correction {self.correction!r} needs systematics.nominal."
            raise CardError(message)
        if len({"up", "down"} & set(self.systematics)) == 1:
            message = (
                f"weights: correction {self.correction!r} needs both systematics.up and down, or neither."
            )
            raise CardError(message)

    @property
    def has_variations(self) -> bool:
        """Whether up and down are defined."""
        return bool(self.systematic_input) and "up" in self.systematics


@dataclass(frozen=True)
class Factors:
    """Product of all scale factors of each selected event.

    Attributes:
        nominal: shape (n_selected,).
        varied: name such as `muon_id_up` → the product with that one factor varied.
    """

    nominal: Floats
    varied: dict[str, Floats]


def scale_factors(
    chunk: Chunk, objects: Objects, selected: Selected, wanted: Mapping[str, ScaleFactor]
) -> Factors:
    """Scale factors of the selected events; 1 for data.

    Raises:
        CardError: a file, a correction or an input of it does not exist.
        DataError: the ntuple lacks a variable.
    """
    ones = np.ones(len(selected.event))
    if chunk.is_data or not wanted:
        return Factors(ones, {})
    values = {
        name: {way: _evaluated(chunk, objects, selected, factor, way) for way in _directions(factor)}
        for name, factor in wanted.items()
    }
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


def _evaluated(
    chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, way: Direction
) -> Floats:
    """One factor in one direction, shape (n_selected,)."""
    correction = _correction(factor.file, factor.correction)
    arguments: list[Any] = []
    for name in (item.name for item in correction.inputs):
        if name == factor.systematic_input:
            arguments.append(factor.systematics[way])
        elif name in factor.fixed:
            arguments.append(factor.fixed[name])
        else:
            arguments.append(_variable(chunk, objects, selected, factor, factor.inputs.get(name, name)))
    values = correction.evaluate(*arguments)
    return np.broadcast_to(np.asarray(values, np.float64), (len(selected.event),))


def _variable(chunk: Chunk, objects: Objects, selected: Selected, factor: ScaleFactor, name: str) -> Floats:
    """A variable of the event or of its electron or muon, shape (n_selected,)."""
    if factor.applies_to == "event":
        if name != "pileup":
            raise CardError(unknown_name("event variable", name, ["pileup"]))
        if not chunk.view.has("pileup"):
            message = f"{chunk.path} (dialect {chunk.dialect.name}) has no number of true interactions."
            raise DataError(message)
        return chunk.view.scalar("pileup")[selected.event].astype(np.float64)
    lepton = _lepton(objects, selected, factor.applies_to)
    known = {"pt": lepton.pt, "eta": lepton.eta, "abs_eta": np.abs(lepton.eta), "phi": lepton.phi}
    if name not in known:
        raise CardError(unknown_name("lepton variable", name, known))
    return known[name]


def _lepton(objects: Objects, selected: Selected, flavour: Literal["electron", "muon"]) -> Momentum:
    """The electron or muon of each selected pair: the lighter or heavier of the two."""
    first, second = (take(part, selected.row) for part in (objects.pairs.leading, objects.pairs.subleading))
    use_first = (first.mass < second.mass) == (flavour == "electron")
    return Momentum(
        *(
            np.where(use_first, getattr(first, name), getattr(second, name))
            for name in ("pt", "eta", "phi", "mass")
        )
    )


@cache
def _correction(file: str, name: str) -> Any:
    """A correction of a file, loaded once per process."""
    if not Path(file).is_file():
        message = f"weights: no such file {file}."
        raise CardError(message)
    try:
        corrections = correctionlib.CorrectionSet.from_file(file)
    except RuntimeError as error:
        message = f"weights: {file} is no correctionlib file ({str(error).splitlines()[0]})."
        raise CardError(message) from error
    for group in (corrections, corrections.compound):
        if name in list(group):
            return group[name]
    raise CardError(unknown_name("correction", name, [*corrections, *corrections.compound]))
