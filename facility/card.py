"""The analysis card: everything a user decides about an analysis, in one YAML file.

Sections are the configuration dataclasses of the rooms, so that a default stands in one place; this
module reads, checks and names mistakes, and knows no physics.
"""

import dataclasses
import types
import typing
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from znought.errors import CardError, unknown_name
from znought.models.boosting import BoostingConfig
from znought.models.network import NetworkConfig
from znought.models.search import SearchConfig
from znought.models.training import TrainingConfig
from znought.processors.regions import regions_from_card
from znought.processors.selection import VHWWSelection
from znought.processors.variations import VariationsConfig
from znought.simulation.config import SimulationConfig
from znought.stats.binning import BinningConfig
from znought.stats.workspace import WorkspaceConfig

__all__ = ["Card", "Dataset", "Process", "load_card"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Process(_Section):
    """One physics process: which class the network learns it as, and how it is drawn.

    Attributes:
        network_class: class of the network (`class` in the card); None means scored, plotted and
            counted as background, but not trained on.
        kind: "data" for recorded or pseudo-data.
    """

    network_class: str | None = Field(default=None, alias="class")
    kind: Literal["simulation", "data"] = "simulation"


class Dataset(_Section):
    """One dataset: files that share a cross section.

    Attributes:
        process: name in `processes`.
        xsec_pb: cross section in pb; required for simulation.
        branching_ratio, k_factor: factors on the cross section.
        filter_efficiency: of the generator filter; None takes it from the files' own counters.
        generated_sumw: signed sum of weights over all generated events, for files that do not keep it.
        files: paths or globs, local, `root://` or `https://`.
        tree: name of the tree of events; None finds it by the format.
        recipe: what `znought simulate` generates for it.
        n_events: generated events at scale 1.
        n_responses: detector responses per generated event.
        lumi_ifb: luminosity of data.
    """

    process: str
    xsec_pb: Annotated[float, Field(gt=0)] | None = None
    branching_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    k_factor: Annotated[float, Field(gt=0)] = 1.0
    filter_efficiency: Annotated[float, Field(gt=0, le=1)] | None = None
    generated_sumw: Annotated[float, Field(gt=0)] | None = None
    files: tuple[str, ...] = ()
    tree: str | None = None
    recipe: str | None = None
    n_events: Annotated[int, Field(ge=0)] = 0
    n_responses: Annotated[int, Field(ge=1)] = 1
    lumi_ifb: Annotated[float, Field(gt=0)] | None = None


class Processing(_Section):
    """How ntuples are read: chunk size in events, and what a lost chunk means."""

    chunk_size: Annotated[int, Field(ge=1000)] = 100_000
    max_rounds: Annotated[int, Field(ge=1)] = 3
    allow_skip: bool = False


class CutBased(_Section):
    """The competitor without a network: a region, and the variable it is binned in.

    Attributes:
        region: name in `regions`.
        variable, lower, upper: what the region's events are binned in, and over which range.
    """

    region: str
    variable: str
    lower: float
    upper: float


class Likelihood(_Section):
    """The profile-likelihood fit.

    Attributes:
        control_regions: classes whose output defines a control region, orthogonal to the signal bins.
        workspace: floating normalisations and systematics; the enabled variations join it.
    """

    control_regions: tuple[str, ...] = ()
    workspace: WorkspaceConfig = WorkspaceConfig()


class CrossFit(_Section):
    """How edges are kept from the events that they are quoted on.

    Attributes:
        n_parts: parts of the events; each is quoted with edges from the others.
        n_bootstrap: replicates of the interval.
        seed: of parts and replicates.
    """

    n_parts: Annotated[int, Field(ge=2)] = 2
    n_bootstrap: Annotated[int, Field(ge=2)] = 200
    seed: int = 1


class Card(_Section):
    """A whole analysis.

    Attributes:
        analysis: which one; decides the processor.
        label: stands on every figure.
        signal: process whose significance is sought.
        signal_class: network output that is binned.
        classes: classes of the network, in the order of its outputs.
        signal_region: name in `regions` of the events whose discriminant is binned.
        features: inputs of the network, in order; empty means all that the processor makes.
    """

    analysis: Literal["vh_ww"]
    title: str
    label: str = "Simulation"
    lumi_ifb: Annotated[float, Field(gt=0)]
    signal: str
    signal_class: str
    signal_region: str
    cut_based: CutBased
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    processes: dict[str, Process]
    datasets: dict[str, Dataset]
    selection: VHWWSelection = VHWWSelection()
    variations: VariationsConfig = VariationsConfig()
    regions: dict[str, dict[str, tuple[float | None, float | None]]] = {}
    processing: Processing = Processing()
    simulation: SimulationConfig | None = None
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    boosting: BoostingConfig = BoostingConfig()
    binning: BinningConfig = BinningConfig()
    crossfit: CrossFit = CrossFit()
    likelihood: Likelihood = Likelihood()
    search: SearchConfig = SearchConfig()

    @model_validator(mode="after")
    def _names_agree(self) -> "Card":
        for name, dataset in self.datasets.items():
            _known(f"datasets.{name}", "process", dataset.process, self.processes)
            if dataset.xsec_pb is None and self.processes[dataset.process].kind == "simulation":
                message = "simulation needs a cross section (xsec_pb), none was given"
                raise ValueError(f"datasets.{name}: {message}.")
        for name, process in self.processes.items():
            if process.network_class is not None:
                _known(f"processes.{name}", "class", process.network_class, self.classes)
        _known("signal", "process", self.signal, self.processes)
        _known("signal_class", "class", self.signal_class, self.classes)
        _known("signal_region", "region", self.signal_region, self.regions)
        _known("cut_based.region", "region", self.cut_based.region, self.regions)
        for name in self.likelihood.control_regions:
            _known("likelihood.control_regions", "class", name, self.classes)
        settings = self.likelihood.workspace
        for name in settings.floating:
            _known("likelihood.workspace.floating", "process", name, self.processes)
        for norm, entry in settings.norms.items():
            for name in entry.processes:
                _known(f"likelihood.workspace.norms.{norm}", "process", name, self.processes)
        regions_from_card(self.regions)
        learned = {process.network_class for process in self.processes.values()}
        unlearned = [name for name in self.classes if name not in learned]
        if unlearned:
            raise ValueError(f"classes: no process is of class {', '.join(unlearned)}.")
        return self

    def of_kind(self, kind: Literal["simulation", "data"]) -> tuple[str, ...]:
        """Datasets of one kind, in the card's order."""
        return tuple(
            name for name, entry in self.datasets.items() if self.processes[entry.process].kind == kind
        )

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, for a fingerprint."""
        return self.model_dump(mode="json", include=set(names), by_alias=True)


def _known(where: str, kind: str, name: str, expected: Iterable[str]) -> None:
    if name not in expected:
        raise ValueError(f"{where}: {unknown_name(kind, name, expected)}")


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which plain YAML silently resolves to the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise CardError(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice.")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_card(path: Path) -> Card:
    """Reads and checks a card.

    Raises:
        CardError: missing file, bad YAML, an unknown key (with the nearest valid one) or a bad value.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError as error:
        raise CardError(f"No such card: {path}.") from error
    except yaml.YAMLError as error:
        raise CardError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except CardError as error:
        raise CardError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise CardError(f"{path}: expected a mapping of keys, received {type(content).__name__}.")
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        raise CardError(f"{path}: {_explain(error)}") from error
    except CardError as error:
        raise CardError(f"{path}: {error}") from error


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown_name("key", ".".join(where), _siblings(where))
    message = first["msg"].removeprefix("Value error, ")
    place = ".".join(where)
    received = "" if isinstance(first["input"], Mapping | Card) else f" Received: {first['input']!r}."
    return f"{place}: {message.rstrip('.')}.{received}" if place else message


def _siblings(where: list[str]) -> list[str]:
    """Valid keys at the place of an unknown one, spelled with their section."""
    kind: Any = Card
    for part in where[:-1]:
        kind = _child(kind, part)
    prefix = ".".join([*where[:-1], ""])
    return [prefix + name for name in _keys(kind)]


def _child(kind: Any, key: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[key].annotation)
    if dataclasses.is_dataclass(kind):
        return _bare(typing.get_type_hints(kind)[key])
    return _bare(typing.get_args(kind)[-1])


def _bare(annotation: Any) -> Any:
    """The type behind `X | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(annotation) if arg is not type(None))
    return annotation


def _keys(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return []
