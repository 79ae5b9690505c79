"""What every card holds: datasets and their processes, selection, regions, systematics and training."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, SerializeAsAny, field_validator, model_validator

from znought.analysis import Analysis, Cuts, Variable
from znought.errors import CardError, SiteError
from znought.facility.cards.apart import telling
from znought.facility.cards.calibrations import check_measured
from znought.facility.cards.era import Era
from znought.facility.cards.eras import (
    check_eras,
    era_metadata,
    scaled_by_era,
)
from znought.facility.cards.fake_leptons import with_estimates
from znought.facility.cards.metadata import metadata_of, parts_of, sources_of
from znought.facility.cards.official import check_named, varied_parts
from znought.facility.cards.plotting import Plotting
from znought.facility.cards.presets import schema_with_preset, with_presets
from znought.facility.cards.requested import request_of
from znought.facility.cards.section import Section
from znought.facility.cards.sections import (
    Dataset,
    Files,
    Process,
    Processing,
    Reading,
    RegionCuts,
    check_known,
)
from znought.facility.cards.theory import Theory
from znought.facility.cards.unknown import unknown_to
from znought.facility.cards.weights import Weight, correction_weights, named_weights
from znought.facility.cluster.configured import check_described
from znought.facility.ntuples.samples import check_samples, divided, refuse_idle_keys
from znought.models.samples import TrainingConfig
from znought.processors.copies import Copied
from znought.processors.evaluated import WHOLE, Request
from znought.processors.regions import regions_from_card
from znought.processors.variations import Name as VariationName
from znought.processors.variations import VariationsConfig
from znought.simulation.config import SimulationConfig
from znought.stats.validation import ValidationConfig

__all__ = ["BaseCard", "Card", "Kind"]

Kind = Literal["simulation", "data", "alternative"]


class BaseCard(Section):
    """What every card has: names of datasets with their files, and how these are read.

    Attributes:
        title: of results and tables.
        label: stands on every figure and table.
        datasets: name → its files.
        fileset: JSON beside the card, as `znought fileset` writes it: files of datasets that name none.
        processing: how they are read.
        sites: site → its options, as `sites.yaml` of the user has them; they decide no result.
    """

    title: str
    label: str = "Simulation"
    datasets: Mapping[str, Files]
    fileset: str | None = None
    processing: Reading = Reading()
    sites: dict[str, dict[str, Any]] = Field(default_factory=dict)

    _folder: Path = PrivateAttr(default_factory=Path)

    @field_validator("sites")
    @classmethod
    def _sites_are_described(cls, sites: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            check_described(sites)
        except SiteError as error:
            raise ValueError(str(error)) from error
        return sites

    @property
    def origin(self) -> dict[str, Any]:
        """The key that says what the card is a card of, and what it says."""
        return {}

    @property
    def styles(self) -> Mapping[str, Process]:
        """How processes are written and drawn."""
        return {}

    @property
    def sources(self) -> Mapping[str, Files]:
        """The datasets as they are read: those that are split by content, as wholes."""
        return self.datasets

    @property
    def folder(self) -> Path:
        """Where the card stands, and an analysis beside it."""
        return self._folder

    def metadata(self, dataset: str) -> dict[str, Any]:
        """What travels with every chunk of a dataset."""
        return {}

    def era_metadata(self, dataset: str) -> dict[str, Any]:
        """What the era of a dataset says of how its chunks are read; nothing without one."""
        return {}

    def of(self, analysis: Analysis) -> Self:
        """This card as a card of an analysis.

        Raises:
            CardError: a name that the analysis lacks.
        """
        problems = self.problems(analysis)
        if problems:
            raise CardError(problems[0])
        return self

    def problems(self, analysis: Analysis) -> list[str]:
        """Everything in the card that the analysis does not know, one line each."""
        return []

    def placed(self, folder: Path) -> Self:
        """This card with the files that it names looked for in its folder."""
        card = self.model_copy()
        card._folder = folder
        return card

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, for a fingerprint."""
        return self.model_dump(mode="json", include=set(names), by_alias=True)


class Card(BaseCard):
    """What all analyses have in common.

    Attributes:
        analysis: which one: a name, a file beside the card, or `package.module:NAME`.
        lumi_ifb: integrated luminosity that yields are given at.
        energy_tev: centre-of-mass energy; eras may have others.
        selection: numbers of the selection, by the analysis's own class.
        stitched: sample (the process unless given) → generator-level variable of the analysis: datasets of
            it may overlap in their `generator_range` of that variable, and are weighted together there.
        channels: which of the analysis's channels, in the order of the tables; all of them unless given.
        regions: name → cuts on variables.
        features: inputs of the network, in order; every binned variable unless given.
        plotting: which figures are drawn, and how.
        variations: object systematics, carried through the whole chain.
        weights: scale factors by name: official ones by kind, or any correction of a correctionlib file.
        theory: sets of generator weights by name, each an uncertainty of acceptance and shape.
        eras: periods of data taking, of which every dataset then names one. The key `preset` takes those of a
            file that ships with the package; what the card says beside it replaces single keys.
    """

    analysis: str
    lumi_ifb: Annotated[float, Field(gt=0)]
    energy_tev: Annotated[float, Field(gt=0, le=100)] = 13.0
    eras: dict[str, Era] = Field(default_factory=dict, json_schema_extra=schema_with_preset)
    processes: Mapping[str, Process]
    datasets: dict[str, Dataset]
    selection: SerializeAsAny[Cuts] = Cuts()
    stitched: dict[str, str] = Field(default_factory=dict)
    channels: tuple[str, ...] = ()
    regions: dict[str, RegionCuts] = Field(default_factory=dict)
    features: tuple[str, ...] = ()
    processing: Processing = Processing()
    simulation: SimulationConfig | None = None
    variations: VariationsConfig = VariationsConfig()
    weights: dict[str, Weight] = Field(default_factory=dict)
    theory: dict[str, Theory] = Field(default_factory=dict)
    validation: ValidationConfig = ValidationConfig()
    training: TrainingConfig = TrainingConfig()
    plotting: Plotting = Plotting()

    _analysis: Analysis = PrivateAttr(default_factory=lambda: Analysis("none", columns=len))
    _telling: tuple[Variable, ...] = PrivateAttr(default=())
    _copies: tuple[Copied, ...] = PrivateAttr(default=())

    @field_validator("channels")
    @classmethod
    def _channels_differ(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(channels)) < len(channels):
            raise ValueError(f"expected each channel once, received {', '.join(channels)}")
        return channels

    @model_validator(mode="before")
    @classmethod
    def _whole_eras_and_parts(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "eras" in content:
            content = {**content, "eras": with_presets(content["eras"])}
        if isinstance(content, Mapping) and isinstance(content.get("datasets"), Mapping):
            stitched = content.get("stitched")
            given = stitched.items() if isinstance(stitched, Mapping) else ()
            ranges = {str(sample): name for sample, name in given if isinstance(name, str)}
            content = {**content, "datasets": divided(content["datasets"], ranges)}
        return with_estimates(content) if isinstance(content, Mapping) else content

    @model_validator(mode="after")
    def _datasets_agree(self) -> "Card":
        for name, dataset in self.datasets.items():
            if not dataset.process:
                raise ValueError(f"datasets.{name}: expected a process, or split with several.")
            check_known(f"datasets.{name}", "process", dataset.process, self.processes)
            is_data = self.processes[dataset.process].kind == "data"
            if self.needs_cross_sections and not (dataset.xsec_pb or dataset.derived_from or is_data):
                message = "simulation needs a cross section (xsec_pb), none was given"
                raise ValueError(f"datasets.{name}: {message}.")
            refuse_idle_keys(name, dataset, is_data=is_data)
        by_era = scaled_by_era(self.eras)
        check_samples(self.datasets, self.processes, self.generated, self.stitched, by_era=by_era)
        check_eras(self.eras, self.datasets, self.of_kind("data"), self.lumi_ifb, self.energy_tev)
        check_measured(self.variations, self.eras)
        regions_from_card(self.regions)
        return self

    @model_validator(mode="after")
    def _weights_and_validation_agree(self) -> "Card":
        if self.validation.region is not None:
            check_known("validation.region", "region", self.validation.region, self.regions)
        if self.validation.action == "refuse" and not self.of_kind("data"):
            raise ValueError("validation.action: refuse needs data to compare with; the card has none.")
        for name, one in self.theory.items():
            for process in one.processes:
                check_known(f"theory.{name}.processes", "process", process, self.processes)
            if name in self.weights or name in get_args(VariationName):
                raise ValueError(f"theory.{name}: a weight or variation has this name; choose another.")
        check_named(named_weights(self.weights), self.eras, self.processes)
        varied = {*correction_weights(self.weights), *varied_parts(named_weights(self.weights))}
        for name in sorted(varied & set(get_args(VariationName))):
            raise ValueError(f"weights.{name}: this name is that of a variation; choose another.")
        return self

    @property
    def variables(self) -> dict[str, Variable]:
        """The analysis's variables by name, and what tells its channels and the card's eras apart."""
        return {variable.name: variable for variable in (*self._analysis.variables, *self._telling)}

    @property
    def needs_cross_sections(self) -> bool:
        """Whether simulated datasets are normalised by their cross sections."""
        return True

    @property
    def has_plain_functions(self) -> bool:
        """Whether the analysis names its objects itself, and makes columns of them by plain functions."""
        return self._analysis.columns is None

    @property
    def blinded_region(self) -> str | None:
        """The region in which data are not looked at before the end; none here."""
        return None

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """Uncertainty of a rate → simulated dataset → relative change by one σ; none here."""
        return {}

    @property
    def drawn_signal(self) -> str | None:
        """The process that figures of data and simulation draw as a line, too; none here."""
        return None

    @property
    def data_name(self) -> str:
        """What figures call the data."""
        made = self.simulation is not None and self.simulation.pseudo_data.enabled
        return "Pseudo-data" if made else "Data"

    @property
    def binned(self) -> dict[str, Variable]:
        """The variables that have bins: what is compared with data and drawn."""
        return {name: variable for name, variable in self.variables.items() if variable.is_binned}

    @property
    def partitions(self) -> tuple[str, ...]:
        """Channels that have columns of their own, in a folder each; one without a name for all together."""
        return (self.channels or (WHOLE,)) if self._analysis.channel_variable is None else (WHOLE,)

    @property
    def request(self) -> Request:
        """What it asks of every chunk, without scale factors that take measured efficiencies."""
        return self.request_with(None)

    def request_with(self, efficiencies: Path | None) -> Request:
        """What it asks of every chunk, with measured efficiencies of b-tags out of a folder.

        Raises:
            CardError: a file that is not there, or a source of the jet energy scale that no era knows.
        """
        return request_of(self, efficiencies)

    @property
    def loose_leptons(self) -> dict[str, Any]:
        """Flavour → which leptons are tight and which are loose; none here."""
        return {}

    @property
    def estimated(self) -> tuple[str, ...]:
        """Datasets that an estimate makes of others."""
        return tuple(name for name, entry in self.datasets.items() if entry.derived_from is not None)

    @property
    def generated(self) -> tuple[str, ...]:
        """Simulated datasets that are read from files, without those that an estimate makes."""
        return tuple(name for name in self.of_kind("simulation") if name not in self.estimated)

    @property
    def origin(self) -> dict[str, Any]:
        """The key that names the analysis."""
        return {"analysis": self.analysis}

    @property
    def styles(self) -> Mapping[str, Process]:
        """How processes are written and drawn."""
        return self.processes

    @property
    def sources(self) -> dict[str, Dataset]:
        """The datasets as they are read: those that are split by content, as wholes."""
        return sources_of(self.datasets)

    def parts(self, source: str) -> dict[str, Any]:
        """Part → its process, or its range of the variable in `stitched`; none of an undivided source."""
        return parts_of(self, source)

    def metadata(self, dataset: str) -> dict[str, Any]:
        """What travels with every chunk of a dataset."""
        return metadata_of(self, dataset)

    def era_metadata(self, dataset: str) -> dict[str, Any]:
        """What the era of a dataset says of how its chunks are read; nothing without one."""
        name = self.sources[dataset].era
        return {} if name is None else era_metadata(name, self.eras.get(name, Era()), self._folder)

    @property
    def varied(self) -> tuple[str, ...]:
        """What is varied through the whole chain: objects, copies of the ntuples, then weights."""
        weights = (name for name, factor in correction_weights(self.weights).items() if factor.has_variations)
        copies = (one.name for one in self.copies)
        return (*self.variations.enabled, *copies, *weights, *varied_parts(named_weights(self.weights)))

    def of(self, analysis: Analysis) -> Self:
        """This card as a card of an analysis, with its channels and inputs filled in.

        Raises:
            CardError: a channel, a variable of a region, an input or a recipe that the analysis lacks.
        """
        checked = super().of(analysis)
        binned = tuple(v.name for v in analysis.variables if v.is_binned)
        undefined = {v.name: v.undefined for v in analysis.variables if v.undefined is not None}
        card = checked.model_copy(
            update={
                "channels": self.channels or tuple(analysis.channels),
                "features": self.features or binned,
                "training": replace(self.training, undefined=undefined | self.training.undefined),
            }
        )
        card._analysis = analysis
        card._telling = telling(analysis, tuple(card.eras))
        return card

    @property
    def copies(self) -> tuple[Copied, ...]:
        """Systematics that its ntuples have copies of columns for."""
        return self._copies

    def with_copies(self, copies: tuple[Copied, ...]) -> Self:
        """This card with the systematics that its ntuples have copies of columns for."""
        card = self.model_copy()
        card._copies = copies
        return card

    def problems(self, analysis: Analysis) -> list[str]:
        """Everything in the card that the analysis does not know, one line each."""
        return unknown_to(analysis, self)

    def placed(self, folder: Path) -> Self:
        """This card with the files of its scale factors looked for in its folder."""
        given = correction_weights(self.weights).items()
        weights = {name: replace(one, file=str((folder / one.file).resolve())) for name, one in given}
        return super().placed(folder).model_copy(update={"weights": self.weights | weights})

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """Datasets of one kind, in the card's order."""
        return tuple(n for n, one in self.datasets.items() if self.processes[one.process].kind == kind)

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, for a fingerprint: without labels and colours of processes."""
        drawn = {"processes": {name: {"label", "colour"} for name in self.processes}}
        return self.model_dump(mode="json", include=set(names), exclude=drawn, by_alias=True)
