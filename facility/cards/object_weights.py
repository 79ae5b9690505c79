"""Sections of a card that name official scale factors of electrons, muons and jets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from znought.errors import CardError
from znought.facility.cards.era import Era
from znought.facility.cards.section import Section
from znought.processors.calibration import named
from znought.processors.calibration.named import SHAPE_SYSTEMATICS, Uncertainty
from znought.processors.calibration.official import OfficialFactor, Outside
from znought.processors.calibration.weighing import Factor

__all__ = [
    "BTagShapeWeight",
    "BTagWeight",
    "ByEra",
    "ElectronWeight",
    "MuonWeight",
    "NamedWeight",
    "Place",
    "in_era",
]

ByEra = str | dict[str, str]
"""One name for all eras, or one for each."""


def in_era(name: ByEra, era: str) -> str | None:
    """The name of one era; None where it has none.

    >>> in_era({"2018": "deepJet"}, "2018"), in_era("deepJet", "2022"), in_era({"2018": "deepJet"}, "2022")
    ('deepJet', 'deepJet', None)
    """
    return name if isinstance(name, str) else name.get(era)


@dataclass(frozen=True)
class Place:
    """Where a weight of a card becomes a factor.

    Attributes:
        weight: its name.
        era: whose it is.
        folder: in which files are looked for first.
        file: of the era, for weights that take one.
        in_plural: objects have the names of plain functions, electrons, muons and jets.
    """

    weight: str
    era: str
    folder: Path
    file: str = ""
    in_plural: bool = True


class NamedWeight(Section):
    """What official scale factors have in common.

    Attributes:
        eras: that have it; all of them unless given.
        processes: whose events have it; all simulated ones unless given.
    """

    needs: ClassVar[str] = ""
    """Which of an era's files of corrections it is in."""

    eras: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()

    @property
    def by_era(self) -> Iterable[ByEra]:
        """Its names that may differ from era to era."""
        return ()

    @property
    def files(self) -> tuple[str, ...]:
        """Files of its own, beside those of the eras."""
        return ()

    @property
    def parts(self) -> dict[str, bool]:
        """Name of each part of its uncertainty → whether it is another one in every era."""
        return {"": False}

    def refuse(self, where: str, eras: Mapping[str, Era]) -> None:
        """Raises for what a kind asks of the eras beyond their files; nothing here.

        Raises:
            ValueError: with the key.
        """

    def factor(self, at: Place) -> Factor:
        """The scale factor of one era.

        Raises:
            CardError: a file, or a name in it, does not exist.
        """
        raise CardError(f"weights.{at.weight}: expected a kind.")


class OfObjects(NamedWeight):
    """What scale factors of objects have in common.

    Attributes:
        objects: name of them among those of the analysis; by default that of their kind, in the plural for
            plain functions.
        outside: what becomes of objects that the file has no value for: "refuse" stops, "clamp" takes the
            nearest value, "one" leaves them as they are.
    """

    objects: str | None = None
    outside: Outside = "refuse"

    def objects_of(self, kind: str, at: Place) -> str:
        """Their name."""
        return self.objects or (f"{kind}s" if at.in_plural else kind)


class ElectronWeight(OfObjects):
    """Reconstruction or identification of electrons.

    Attributes:
        name: working point in the file, such as "wp80iso"; "Reco" for the reconstruction in all ranges of pT.
    """

    needs: ClassVar[str] = "electron"

    kind: Literal["electron"] = "electron"
    name: ByEra

    @property
    def by_era(self) -> Iterable[ByEra]:
        """As `NamedWeight`."""
        return (self.name,)

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`."""
        return named.electron(
            at.weight,
            at.era,
            at.file,
            objects=self.objects_of("electron", at),
            name=in_era(self.name, at.era) or "",
            outside=self.outside,
        )


class MuonWeight(OfObjects):
    """Identification, isolation, reconstruction or trigger of muons.

    Attributes:
        name: of the correction in the file, such as "NUM_TightID_DEN_TrackerMuons".
        uncertainty: "split" has the parts syst and stat, the second another one in every era; "total" one.
    """

    needs: ClassVar[str] = "muon"

    kind: Literal["muon"] = "muon"
    name: ByEra
    uncertainty: Uncertainty = "split"

    @property
    def by_era(self) -> Iterable[ByEra]:
        """As `NamedWeight`."""
        return (self.name,)

    @property
    def parts(self) -> dict[str, bool]:
        """As `NamedWeight`."""
        return {"syst": False, "stat": True} if self.uncertainty == "split" else {"": False}

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`."""
        return named.muon(
            at.weight,
            at.era,
            at.file,
            objects=self.objects_of("muon", at),
            name=in_era(self.name, at.era) or "",
            uncertainty=self.uncertainty,
            outside=self.outside,
        )


class BTagWeight(OfObjects):
    """Cut on the b-tag, which the jets of the analysis are then tagged by.

    Attributes:
        tagger: as the file calls it, such as "deepJet".
        working_point: as the file calls it, such as "M"; that of the era unless given.
        heavy: measurement that b and c jets take.
        uncertainty: "split" has parts that are the same and others in every era; "total" one of each flavour.
        efficiency: file with a correction `btag_efficiency` (sample, flavor, abseta, pt), the sample being
            such as "ttbar_2018": of `groups` or the process, and era; measured in the card's simulation
            unless given.
        groups: name → processes whose efficiencies are measured together.
        edges_pt_gev, edges_abs_eta: of the bins that they are measured in.
    """

    needs: ClassVar[str] = "btag"

    kind: Literal["btag"] = "btag"
    tagger: ByEra
    working_point: ByEra = ""
    heavy: Literal["comb", "mujets"] = "comb"
    uncertainty: Uncertainty = "split"
    efficiency: str | None = None
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    edges_pt_gev: tuple[float, ...] = (20.0, 30.0, 50.0, 70.0, 100.0, 140.0, 200.0, 300.0, 600.0)
    edges_abs_eta: tuple[float, ...] = (0.0, 0.8, 1.6, 2.5)

    @property
    def by_era(self) -> Iterable[ByEra]:
        """As `NamedWeight`."""
        return (self.tagger, self.working_point)

    @property
    def parts(self) -> dict[str, bool]:
        """As `NamedWeight`."""
        if self.uncertainty == "total":
            return {"heavy": False, "light": False}
        return {
            f"{flavour}_{part}": part == "uncorrelated"
            for flavour in ("heavy", "light")
            for part in ("correlated", "uncorrelated")
        }

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        for name in ("edges_pt_gev", "edges_abs_eta"):
            edges = getattr(self, name)
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise ValueError(f"{name} must rise, received {list(edges)}")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """As `NamedWeight`."""
        return () if self.efficiency is None else (self.efficiency,)

    def sample(self, process: str, era: str | None) -> str:
        """What its efficiencies are measured in: a group of processes, of one era."""
        group = next((name for name, members in self.groups.items() if process in members), process)
        return "_".join(filter(None, (group, era)))

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`; still without its efficiency."""
        return named.btag_points(
            at.weight,
            at.era,
            at.file,
            objects=self.objects or "jets",
            tagger=in_era(self.tagger, at.era) or "",
            working_point=in_era(self.working_point, at.era) or "",
            heavy=self.heavy,
            uncertainty=self.uncertainty,
            outside=self.outside,
        )


class BTagShapeWeight(OfObjects):
    """Distribution of the b-tag.

    Attributes:
        tagger: as the file calls it.
        systematics: of the file, without `up_` and `down_`.
    """

    needs: ClassVar[str] = "btag"

    kind: Literal["btag_shape"] = "btag_shape"
    tagger: ByEra
    systematics: tuple[str, ...] = SHAPE_SYSTEMATICS

    @property
    def by_era(self) -> Iterable[ByEra]:
        """As `NamedWeight`."""
        return (self.tagger,)

    @property
    def parts(self) -> dict[str, bool]:
        """As `NamedWeight`; what the file calls statistical is another one in every era."""
        return {name: "stats" in name for name in self.systematics}

    def factor(self, at: Place) -> OfficialFactor:
        """As `NamedWeight`."""
        return named.btag_shape(
            at.weight,
            at.era,
            at.file,
            objects=self.objects or "jets",
            tagger=in_era(self.tagger, at.era) or "",
            systematics=self.systematics,
            outside=self.outside,
        )
