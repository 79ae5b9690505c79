"""Event weights that no scale factor of objects is: prefiring of the first trigger, and those of partons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.processors.calibration.official import CENTRAL
from znought.processors.corrections import correction, evaluated_correction

if TYPE_CHECKING:
    from znought.processors.chunk import Chunk

__all__ = ["Combined", "ParticleFactor", "PrefiringFactor", "checked_formula", "histogram"]

Floats = NDArray[np.float64]
Combined = Literal["product", "geometric_mean"]

_PREFIRING: Mapping[str, str] = {CENTRAL: "Nom", "up": "Up", "down": "Dn"}
_LAST_COPY = 1 << 13  # bit isLastCopy of GenPart_statusFlags, as NanoAOD documents it


@dataclass(frozen=True)
class PrefiringFactor:
    """Probability that the first trigger did not fire on the crossing before.

    Attributes:
        weight, era: as in the card.
        branch: of NanoAOD, without `_Nom`, `_Up` and `_Dn`.
    """

    weight: str
    era: str
    branch: str = "L1PreFiringWeight"

    @property
    def ways(self) -> tuple[str, ...]:
        """Nominal, up and down."""
        return tuple(_PREFIRING)

    def of_events(
        self, chunk: "Chunk", events: NDArray[np.int64], ways: tuple[str, ...]
    ) -> dict[str, Floats]:
        """The weight of events of a chunk by index, shape (n_events,).

        Raises:
            DataError: a branch is missing.
        """
        return {way: _column(self, chunk, f"{self.branch}_{_PREFIRING[way]}")[0][events] for way in ways}


@dataclass(frozen=True)
class ParticleFactor:
    """A weight by the momentum of generated particles, in their last copy before they decay.

    Attributes:
        weight, era: as in the card.
        particle: PDG number, of particle and antiparticle.
        formula: of pT in GeV, x; or
        file, name: a correction of pT; or
        root: "file.root:histogram" of pT, whose first and last bin reach to all that lies beyond.
        combined: of several particles in an event, the product of their weights, or its n-th root.
        doubled: up is the weight applied twice, down is 1; without it there is no variation.
    """

    weight: str
    era: str
    particle: int
    formula: str = ""
    file: str = ""
    name: str = ""
    root: str = ""
    combined: Combined = "product"
    doubled: bool = False

    @property
    def ways(self) -> tuple[str, ...]:
        """Nominal, and up and down where there are some."""
        return (CENTRAL, "up", "down") if self.doubled else (CENTRAL,)

    def of_events(
        self, chunk: "Chunk", events: NDArray[np.int64], ways: tuple[str, ...]
    ) -> dict[str, Floats]:
        """The weight of events of a chunk by index, 1 without such a particle, shape (n_events,).

        Raises:
            DataError: a branch of generated particles is missing, or a weight is not positive.
        """
        number, offsets = _column(self, chunk, "GenPart_pdgId")
        flags, pt = (_column(self, chunk, f"GenPart_{one}")[0] for one in ("statusFlags", "pt"))
        assert offsets is not None, "a collection"
        is_wanted = (np.abs(number) == self.particle) & ((flags.astype(np.int64) & _LAST_COPY) != 0)
        event = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[is_wanted]
        each = self._of_pt(pt[is_wanted].astype(np.float64))
        if len(each) and each.min() <= 0.0:
            raise DataError(f"{chunk.path}: weights.{self.weight} is {each.min():g} for a particle.")
        n_events = len(offsets) - 1
        exponent = np.bincount(event, np.log(each), minlength=n_events).astype(np.float64)
        if self.combined == "geometric_mean":
            exponent = exponent / np.maximum(np.bincount(event, minlength=n_events), 1)
        nominal = np.exp(exponent)[events]
        powers = {CENTRAL: nominal, "up": nominal**2, "down": np.ones(len(events))}
        return {way: powers[way] for way in ways}

    def _of_pt(self, pt: Floats) -> Floats:
        if self.file:
            wanted = correction(self.file, self.name).inputs[0].name
            return evaluated_correction(self.file, self.name, {wanted: pt}, len(pt))
        source = checked_formula(self.formula) if self.formula else histogram(self.root)
        return np.asarray(source(pt), np.float64)


def _column(
    factor: PrefiringFactor | ParticleFactor, chunk: "Chunk", name: str
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Numbers of a branch, and where the lists of events begin."""
    if name not in chunk.view.entries.tree.branches:
        where = f"era {factor.era!r}: weights.{factor.weight}"
        raise DataError(f"{where}: {chunk.path} has no branch {name}, which it is made of.")
    column = chunk.view.branch(name)
    return np.asarray(column.content), column.offsets


@cache
def checked_formula(text: str) -> Callable[[Floats], Floats]:
    """A function of x from a formula in the language of correctionlib, ROOT's TFormula.

    Raises:
        CardError: it is none.

    >>> checked_formula("1 + 0.5*x")(np.array([2.0])).tolist()
    [2.0]
    """
    data = schema.Formula(nodetype="formula", expression=text, parser="TFormula", variables=["x"])
    made = schema.Correction(
        name="formula",
        version=1,
        inputs=[schema.Variable(name="x", type="real")],
        output=schema.Variable(name="weight", type="real"),
        data=data,
    )
    try:
        found = made.to_evaluator()
    except RuntimeError as error:
        raise CardError(f"formula {text!r}: {' '.join(str(error).split())[:160]}.") from error
    return lambda x: np.asarray(found.evaluate(x), np.float64)


@cache
def histogram(place: str) -> Callable[[Floats], Floats]:
    """A function of x from a histogram of one dimension, "file.root:name"; ends reach to all beyond.

    Raises:
        CardError: no such file or histogram.
    """
    import uproot

    path, _, name = place.rpartition(":")
    try:
        with uproot.open(path) as file:
            values, edges = file[name].to_numpy()
    except (OSError, KeyError, AttributeError, ValueError) as error:
        raise CardError(f"{place}: no histogram of one dimension ({type(error).__name__}).") from error
    return lambda x: values[np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(values) - 1)]
