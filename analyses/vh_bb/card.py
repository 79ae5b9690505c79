"""The card of VH(bb) in the SMEFT: channels, coefficients, the published network, and what sets limits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from znought.analyses.vh_bb.features import FEATURES
from znought.analyses.vh_bb.selection import CHANNELS, Channel, VHBBSelection
from znought.errors import CardError, unknown_name
from znought.facility.cards.base import Card
from znought.facility.cards.eras import check_lumi_names, lumi_shifts
from znought.facility.cards.section import Section
from znought.facility.cards.sections import check_known
from znought.facility.cards.weights import correction_weights
from znought.models.network import Activation, Optimiser
from znought.models.observables import TreesConfig
from znought.models.parametrised import check_value
from znought.models.samples import TrainingConfig
from znought.models.search import SearchConfig
from znought.models.space import SpaceConfig
from znought.stats.eft.channel import MorphingConfig
from znought.stats.eft.likelihood import Systematics
from znought.stats.eft.measurement import SmeftConfig
from znought.stats.systematics import SystematicConfig

__all__ = ["Discriminants", "Export", "Published", "TalkNetwork", "VHBBCard"]

SIGNAL = "vh"
"""The process that the coefficients change."""
RELATIVE = {SIGNAL: 0.1, "v_heavy_flavour": 0.5, "ttbar": 0.1}
"""Relative uncertainty of each process, unless the card gives others."""
EVENT_COLUMNS = ("pt_v", "m_bb", "met", "n_jets")
"""What a region may cut on in every channel, beside inputs that all channels share."""


TALK_SEARCH = SearchConfig(
    sampler="evolution",
    objective="z0",
    min_epochs=30,
    max_epochs=30,
    space=SpaceConfig(
        nodes=(1, 32, 64, 128, 256, 512, 1024, 2048),
        n_layers=(1, 5),
        shared_width=True,
        activations=("relu", "elu", "tanh", "sigmoid"),
        optimisers=("rmsprop", "adam", "sgd", "adagrad", "adadelta", "adamax", "nadam"),
        learning_rate=None,
    ),
)
"""The search of arXiv:1902.05803: 20 networks in each of 10 generations."""


class TalkNetwork(Section):
    """The network of arXiv:1902.05803.

    Attributes:
        hidden_layers, activation, optimiser: as published by default.
        hidden_nodes: of every hidden layer; as many as the channel has inputs if not given, as published.
        learning_rate: by the loss on the parts that stop the training.
        dropout: rate behind every hidden layer.
        asimov_l1: penalty on the weights under the Asimov loss; under cross-entropy, whose gain at small
            coefficients is less than any penalty, there is none.
        pretraining_epochs: epochs with −s²/(s+b) before 1/Z_A².
        minimum_background: events; the loss believes in no smaller background.
    """

    hidden_layers: Annotated[int, Field(ge=1)] = 1
    hidden_nodes: Annotated[int, Field(ge=1)] | None = None
    activation: Activation = "relu"
    optimiser: Optimiser = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    asimov_l1: Annotated[float, Field(ge=0)] = 0.003
    pretraining_epochs: Annotated[int, Field(ge=0)] = 5
    minimum_background: Annotated[float, Field(gt=0)] = 1.0


class Discriminants(Section):
    """What limits are set with, beside counting and pT(V).

    Attributes:
        classifier_value: coefficient of the classifier that is binned.
        parametrised_values: coefficients that the parametrised network and trees learn from.
        parametrised_at: coefficient at which they are evaluated; the network gives the density ratio there.
        parametrised_nodes, parametrised_learning_rate: of the network; nodes of each hidden layer.
    """

    classifier_value: float = 0.03
    parametrised_values: tuple[float, ...] = (-0.03, -0.01, -0.003, 0.003, 0.01, 0.03)
    parametrised_at: float = 0.01
    parametrised_nodes: tuple[Annotated[int, Field(ge=1)], ...] = (32, 32)
    parametrised_learning_rate: Annotated[float, Field(gt=0)] = 0.003


class Export(Section):
    """The files of the public notebooks, made from the training region's events.

    Attributes:
        values: coefficients; none writes nothing.
        n_events: drawn for each hypothesis.
        seed: of the drawing.
    """

    values: tuple[float, ...] = ()
    n_events: Annotated[int, Field(ge=10)] = 20_000
    seed: int = 1


class Published(Section):
    """What others quote for one channel, shown as theirs beside our numbers.

    Attributes:
        source: who.
        channel: of which channel.
        auc, z_a: coefficient → area under the ROC curve, and Z_A by counting the whole yield as signal.
        yields: coefficient → their events at the coefficient and in the standard model, of which Z_A is
            shown without any network.
        claim: reach in the coefficient that they claim.
    """

    source: str
    channel: Channel = "0L"
    auc: dict[float, float] = Field(default_factory=dict)
    z_a: dict[float, float] = Field(default_factory=dict)
    yields: dict[float, tuple[float, float]] = Field(default_factory=dict)
    claim: float | None = None


class VHBBCard(Card):
    """VH(bb) with c̄_HW (and c̄_HB) in up to three channels.

    Attributes:
        channels: which of 0L, 1L and 2L, in the order of the tables.
        training_region: name in `regions` of the events that networks learn from; all regions are reported.
        search: of `tune`, for the main channel's network; `z0` is Z_A on the part that stops the training.
        smeft: significances, projections and limits.
        systematics: of the likelihood; every variation of objects and weights joins them.
        published: numbers of others, quoted.
    """

    channels: Annotated[tuple[str, ...], Field(min_length=1)] = CHANNELS
    training_region: str = "inclusive"
    selection: VHBBSelection = VHBBSelection()
    network: TalkNetwork = TalkNetwork()
    training: TrainingConfig = TrainingConfig(batch_size=4096, max_epochs=100, patience=15, monitor="loss")
    search: SearchConfig = TALK_SEARCH
    trees: TreesConfig = TreesConfig()
    discriminants: Discriminants = Discriminants()
    morphing: MorphingConfig = MorphingConfig(process=SIGNAL)
    smeft: SmeftConfig = SmeftConfig()
    systematics: Systematics = Systematics(relative=RELATIVE)
    export: Export = Export()
    published: Published | None = None

    @property
    def main_channel(self) -> str:
        """The channel that stands for all: that of the published numbers, or the first."""
        quoted = self.published.channel if self.published else None
        return quoted if quoted in self.channels else self.channels[0]

    @property
    def variation_names(self) -> tuple[str, ...]:
        """Every variation of objects, then of weights, with its direction: `jes_up` …"""
        weights = (name for name in self.varied if name not in self.variations.enabled)
        objects = (variation.name for variation in self.variations.of_events())
        return (*objects, *(f"{name}_{way}" for name in weights for way in ("up", "down")))

    @property
    def blinded_region(self) -> str:
        """The region in which data are not looked at before the end: that of the limits."""
        return self.training_region

    @property
    def drawn_signal(self) -> str:
        """The process that the coefficients change."""
        return self.morphing.process

    @property
    def lumi_shifts(self) -> dict[str, dict[str, float]]:
        """Parameter of a luminosity → dataset → by how much one standard deviation changes its yields."""
        return lumi_shifts(self.eras, {name: self.datasets[name] for name in self.of_kind("simulation")})

    @property
    def systematics_of_limits(self) -> Systematics:
        """The card's, and luminosities of eras: rates of all processes, however small."""
        one = SystematicConfig(smoothing="none", part="norm", pruned=False)
        variations = self.systematics.variations | dict.fromkeys(self.lumi_shifts, one)
        return replace(self.systematics, variations=variations)

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """Relative uncertainties of processes and of luminosities, by dataset."""
        return self.rates_of_processes | self.lumi_shifts

    @property
    def rates_of_processes(self) -> dict[str, dict[str, float]]:
        """Relative uncertainties of processes, by dataset."""
        process_of = {name: self.datasets[name].process for name in self.of_kind("simulation")}
        return {
            f"rate_{name}": {dataset: value * (process == name) for dataset, process in process_of.items()}
            for name, value in self.systematics.relative.items()
            if value
        }

    @field_validator("morphing", mode="before")
    @classmethod
    def _morphing_of_the_signal(cls, given: Any) -> Any:
        return {"process": SIGNAL, **given} if isinstance(given, Mapping) else given

    @field_validator("systematics", mode="before")
    @classmethod
    def _uncertainties_by_default(cls, given: Any) -> Any:
        return {"relative": RELATIVE, **given} if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _names_agree(self) -> "VHBBCard":
        check_known("morphing.process", "process", self.morphing.process, self.processes)
        check_known("training_region", "region", self.training_region, self.regions)
        for name in self.systematics.relative:
            check_known("systematics.relative", "process", name, self.processes)
        for name, process in self.processes.items():
            if process.network_class is not None:
                raise ValueError(f"processes.{name}.class: the networks of this analysis have no classes.")
        if self.simulation is not None and self.simulation.pseudo_data.enabled:
            raise ValueError(
                "simulation.pseudo_data: this analysis makes none; switch it off, and give recorded data as "
                "files of a process of kind data."
            )
        check_lumi_names(self.eras, (*self.varied, *self.rates_of_processes))
        if self.of_kind("alternative"):
            raise ValueError("processes: simulation of kind alternative enters no limit of this analysis.")
        if self.theory:
            raise ValueError("theory: generator weights enter no limit of this analysis; leave them out.")
        for name, factor in correction_weights(self.weights).items():
            if factor.applies_to == "jets" and not factor.efficiency:
                raise ValueError(f"weights.{name}: a scale factor of b-tagged jets needs an efficiency.")
        for name in self.systematics.variations:
            check_known("systematics.variations", "variation", name, self.varied)
        for name in self.channels:
            check_known("channels", "channel", name, CHANNELS)
        columns = [*EVENT_COLUMNS, *set.intersection(*(set(FEATURES[name]) for name in self.channels))]
        for region, cuts in self.regions.items():
            for variable in cuts:
                if variable not in columns:
                    raise ValueError(f"regions.{region}: {unknown_name('column', variable, columns)}")
        return self

    @model_validator(mode="after")
    def _values_are_valid(self) -> "VHBBCard":
        """Every coefficient that is asked for lies where the stored weights may be trusted."""
        (low, high), *_ = self.morphing.validity
        asked = {
            "smeft.values": self.smeft.values,
            "smeft.truths": self.smeft.truths,
            "discriminants.parametrised_values": self.discriminants.parametrised_values,
            "discriminants.parametrised_at": (self.discriminants.parametrised_at,),
            "export.values": self.export.values,
        }
        for place, values in asked.items():
            for value in values:
                if not low <= value <= high:
                    raise ValueError(
                        f"{place}: {self.morphing.coefficients[0]} = {value:g} is outside the validity of "
                        f"the morphing, [{low:g}, {high:g}]."
                    )
        try:
            check_value(self.discriminants.parametrised_at, self.discriminants.parametrised_values)
        except CardError as error:
            raise ValueError(f"discriminants.parametrised_at: {error}") from error
        if self.discriminants.classifier_value not in self.smeft.values:
            known = ", ".join(f"{value:g}" for value in self.smeft.values)
            raise ValueError(
                f"discriminants.classifier_value: expected one of smeft.values, {known}. "
                f"Received: {self.discriminants.classifier_value:g}."
            )
        return self
