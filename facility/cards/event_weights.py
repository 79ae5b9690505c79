"""Sections of a card that name official scale factors of events: pile-up, prefiring, generated particles."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from znought.facility.cards.eras import correction_file
from znought.facility.cards.object_weights import ByEra, NamedWeight, Place, in_era
from znought.processors.calibration import named
from znought.processors.calibration.generated import (
    Combined,
    ParticleFactor,
    PrefiringFactor,
    checked_formula,
    histogram,
)
from znought.processors.calibration.official import OfficialFactor, Outside
from znought.processors.corrections import correction

__all__ = ["ParticleWeight", "PileUpWeight", "PrefiringWeight"]


class PileUpWeight(NamedWeight):
    """Number of true interactions.

    Attributes:
        name: of the correction, where the file has several.
        outside: as for objects.
    """

    needs: ClassVar[str] = "pileup"

    kind: Literal["pileup"] = "pileup"
    name: ByEra = ""
    outside: Outside = "refuse"

    @property
    def by_era(self) -> Iterable[ByEra]:
        """As `NamedWeight`."""
        return (self.name,)

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`."""
        name = in_era(self.name, at.era) or ""
        return named.pileup(at.weight, at.era, at.file, name=name, outside=self.outside)


class PrefiringWeight(NamedWeight):
    """Prefiring of the first trigger, from the weights of NanoAOD.

    Attributes:
        branch: without `_Nom`, `_Up` and `_Dn`.
    """

    kind: Literal["prefiring"] = "prefiring"
    branch: str = "L1PreFiringWeight"

    def factor(self, at: Place) -> PrefiringFactor:
        """As `NamedWeight`."""
        return PrefiringFactor(at.weight, at.era, self.branch)


class ParticleWeight(NamedWeight):
    """A weight by the pT of generated particles: of top quarks, or a k-factor of bosons.

    Attributes:
        particle: PDG number of particle and antiparticle.
        formula: of x, pT in GeV; or
        file, name: a correction of pT; or
        histogram: "file.root:name".
        combined: of several such particles.
        uncertainty: "whole": down without the weight, up with it twice.
    """

    kind: Literal["particle"] = "particle"
    particle: Annotated[int, Field(gt=0)]
    formula: str = ""
    file: str = ""
    name: str = ""
    histogram: str = ""
    combined: Combined = "product"
    uncertainty: Literal["none", "whole"] = "none"

    @property
    def files(self) -> tuple[str, ...]:
        """As `NamedWeight`."""
        return tuple(filter(None, (self.file, self.histogram.rpartition(":")[0])))

    @property
    def parts(self) -> dict[str, bool]:
        """As `NamedWeight`."""
        return {"": False} if self.uncertainty == "whole" else {}

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [key for key in ("formula", "file", "histogram") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError("expected one of formula, file with name, and histogram")
        if bool(self.file) != bool(self.name):
            raise ValueError("file and name belong together")
        return self

    def factor(self, at: Place) -> ParticleFactor:
        """As `NamedWeight`."""
        file, root = self.file, self.histogram
        if file:
            file = str(correction_file(file, at.folder))
            correction(file, self.name)
        elif root:
            path, _, inside = root.rpartition(":")
            root = f"{correction_file(path, at.folder)}:{inside}"
            histogram(root)
        else:
            checked_formula(self.formula)
        return ParticleFactor(
            at.weight,
            at.era,
            self.particle,
            self.formula,
            file,
            self.name,
            root,
            self.combined,
            self.uncertainty == "whole",
        )
