"""Section `fake_leptons`: misidentified leptons by fake factors, and the datasets that the estimate makes."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from znought.analysis import Analysis
from znought.facility.cards.section import Section
from znought.facility.cards.sections import RegionCuts, are_disjoint, check_known

if TYPE_CHECKING:
    from znought.facility.cards.standard import StandardCard
    from znought.processors.loose import LeptonDefinition

__all__ = ["FakeLeptons", "LooseLeptons", "check_fake_leptons", "problems_of_fake_leptons", "with_estimates"]

Flavour = Literal["electron", "muon"]


class LooseLeptons(Section):
    """Leptons of one flavour that are tight, and that are loose and not tight.

    Attributes:
        objects: name that the analysis gives them; `electrons` or `muons` unless given.
        tight: field → [lower, upper], beside the identification by format and era.
        loose: the same of loose leptons; they are identified too, unless `is_tight` is among the fields.
    """

    objects: str = ""
    tight: RegionCuts = Field(default_factory=dict)
    loose: Annotated[RegionCuts, Field(min_length=1)]

    @model_validator(mode="after")
    def _are_apart(self) -> "LooseLeptons":
        tight = {"is_tight": (1.0, None), **self.tight}
        if not are_disjoint(tight, self.loose):
            raise ValueError("tight and loose overlap: give both a field in which their ranges are disjoint")
        return self


class FakeLeptons(Section):
    """Misidentified leptons, estimated from data with loose leptons by a factor measured in a region.

    Attributes:
        process: that the estimate is; of kind simulation, without datasets of its own.
        leptons: flavour → which of them are tight and which are loose.
        region: in which factors are measured, for the softest lepton; all others are tight. Events of the
            signal region are left out.
        validation_regions: in which the estimate is compared with data, those of the signal region left out.
        pt_edges_gev, abs_eta_edges: bins of the factor; the last one of pT is open.
        prompt: processes whose prompt leptons are subtracted; all simulated ones unless given.
        prompt_relative: uncertainty of their cross sections in the subtraction.
        composition: relative uncertainty of the estimate because misidentified leptons are of other kinds in
            `region`; `closure` takes what the closure in simulation misses.
        simulation: processes of kind alternative whose leptons are misidentified, such as W + jets: for the
            closure, and in the place of the estimate where there is no data.
    """

    process: str
    leptons: Annotated[dict[Flavour, LooseLeptons], Field(min_length=1)]
    region: str
    validation_regions: tuple[str, ...] = ()
    pt_edges_gev: Annotated[tuple[float, ...], Field(min_length=2)]
    abs_eta_edges: Annotated[tuple[float, ...], Field(min_length=2)] = (0.0, 2.5)
    prompt: tuple[str, ...] = ()
    prompt_relative: Annotated[float, Field(ge=0, lt=1)] = 0.1
    composition: Annotated[float, Field(ge=0, lt=1)] | Literal["closure"] = 0.3
    simulation: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _edges_rise(self) -> "FakeLeptons":
        for name in ("pt_edges_gev", "abs_eta_edges"):
            edges = getattr(self, name)
            if any(b <= a for a, b in pairwise(edges)):
                raise ValueError(f"{name} must rise, received {list(edges)}")
        if self.composition == "closure" and not self.simulation:
            raise ValueError("composition: closure needs processes in simulation")
        if self.region in self.validation_regions:
            raise ValueError(f"validation_regions: the factors are measured in {self.region}")
        return self

    @property
    def definitions(self) -> "dict[str, LeptonDefinition]":
        """Flavour → definition, for the processor."""
        from znought.processors.loose import LeptonDefinition

        return {
            flavour: LeptonDefinition(one.objects or f"{flavour}s", one.tight, one.loose)
            for flavour, one in self.leptons.items()
        }

    @property
    def bins(self) -> tuple[str, ...]:
        """Flavour and place in |η| and pT of every bin of the factors, in order."""
        return tuple(
            f"{flavour}_eta{eta}_pt{pt}"
            for flavour in self.leptons
            for eta in range(len(self.abs_eta_edges) - 1)
            for pt in range(len(self.pt_edges_gev) - 1)
        )

    @property
    def systematics(self) -> tuple[str, ...]:
        """Parameters of the fit that the estimate has."""
        found = [*(f"factor_{name}" for name in self.bins), "prompt", "composition"]
        return tuple(f"{self.process}_{name}" for name in found)


def with_estimates(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A card's content, unchecked, with a dataset of the estimate for each one that it is made of.

    Those are data and prompt simulation; without data, the simulation of misidentified leptons.
    """
    section, processes, datasets = (
        _mapping(content.get(key)) for key in ("fake_leptons", "processes", "datasets")
    )
    process = str(section.get("process"))
    if process not in processes:
        return content
    kinds = {name: str(_mapping(one).get("kind", "simulation")) for name, one in processes.items()}
    data = [name for name, kind in kinds.items() if kind == "data"]
    whole = {name: one for name, one in datasets.items() if "derived_from" not in _mapping(one)}
    prompt = _names(section.get("prompt")) or [
        name for name, kind in kinds.items() if kind == "simulation" and name != process
    ]
    has_data = any(_mapping(one).get("process") in data for one in whole.values())
    chosen = [*data, *prompt] if has_data else _names(section.get("simulation"))
    new = {
        f"{process}_of_{name}": {
            "process": process,
            "derived_from": name,
            **{key: one[key] for key in ("era",) if key in one},
        }
        for name, one in whole.items()
        if _mapping(one).get("process") in chosen
    }
    return {
        **content,
        "datasets": {**datasets, **{name: one for name, one in new.items() if name not in datasets}},
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    """A part of a card, unchecked; nothing where it is none."""
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    """Names in a card, unchecked; none where there is no list of them."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def check_fake_leptons(card: "StandardCard") -> None:
    """Raises unless a card's section names what the card has.

    Raises:
        ValueError: with the key; pydantic turns it into a card error.
    """
    section = card.fake_leptons
    if section is None:
        return
    check_known("fake_leptons.process", "process", section.process, card.processes)
    mine = card.processes[section.process]
    if mine.kind != "simulation" or mine.network_class is not None:
        raise ValueError(
            f"fake_leptons.process: {section.process} must be of kind simulation and of no class: its events "
            "are made of data."
        )
    if section.process == card.signal:
        raise ValueError(f"fake_leptons.process: {section.process} is the signal.")
    for name, dataset in card.datasets.items():
        if dataset.process == section.process and dataset.derived_from is None:
            raise ValueError(f"datasets.{name}: {section.process} is estimated by fake_leptons; take it out.")
    _check_processes(card, section)
    _check_regions(card, section)
    if not card.estimated:
        raise ValueError("fake_leptons: neither data nor processes in simulation to make the estimate of.")


def _check_processes(card: "StandardCard", section: FakeLeptons) -> None:
    kinds: dict[str, tuple[str, ...]] = {}
    for name, one in card.processes.items():
        kinds[one.kind] = (*kinds.get(one.kind, ()), name)
    for name in section.prompt:
        check_known("fake_leptons.prompt", "simulated process", name, kinds.get("simulation", ()))
        if name == section.process:
            raise ValueError(f"fake_leptons.prompt: {name} is the estimate itself.")
    for name in section.simulation:
        known = kinds.get("alternative", ())
        check_known("fake_leptons.simulation", "process of kind alternative", name, known)
        if name not in (dataset.process for dataset in card.datasets.values()):
            raise ValueError(f"fake_leptons.simulation: no dataset is of process {name}.")


def _check_regions(card: "StandardCard", section: FakeLeptons) -> None:
    check_known("fake_leptons.region", "region", section.region, card.regions)
    for name in section.validation_regions:
        check_known("fake_leptons.validation_regions", "region", name, card.regions)
        if name == card.signal_region:
            raise ValueError(f"fake_leptons.validation_regions: {name} is the signal region.")
    if section.region == card.signal_region:
        raise ValueError(f"fake_leptons.region: {section.region} is the signal region.")
    entry = card.discriminants.get(section.region)
    if entry is not None and entry.role != "validation":
        raise ValueError(
            f"fake_leptons.region: {section.region} is fitted, and would be counted twice; give it the role "
            "validation."
        )


def problems_of_fake_leptons(card: "StandardCard", analysis: Analysis) -> Iterator[str]:
    """What an analysis cannot give to the section, one line each."""
    section = card.fake_leptons
    if section is None:
        return
    if analysis.columns is not None and not analysis.takes_loose:
        yield f"fake_leptons: analysis {analysis.name!r} makes its own columns, without loose leptons."
    if analysis.columns is not None and {*section.leptons} != {"electron", "muon"}:
        given = ", ".join(section.leptons)
        yield f"fake_leptons.leptons: expected electron and muon, received {given}."
    if analysis.columns is not None and analysis.channels:
        yield f"fake_leptons: channels of analysis {analysis.name!r} have columns of their own."
    for name in section.systematics:
        if name in (*card.varied, *card.theory, *card.likelihood.workspace.norms):
            yield f"fake_leptons: its parameter {name} has the name of another; rename that one."
