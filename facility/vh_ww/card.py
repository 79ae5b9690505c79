"""The card of V(qq)H(WW): classes of the network, regions, binning, likelihood and search."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from znought.facility.card_base import Card, Process, Section, check_known
from znought.models.boosting import BoostingConfig
from znought.models.network import NetworkConfig
from znought.models.search import SearchConfig
from znought.models.training import TrainingConfig
from znought.processors.selection import VHWWSelection
from znought.processors.variations import VariationsConfig
from znought.processors.weights import ScaleFactor
from znought.stats.binning import BinningConfig
from znought.stats.validation import ValidationConfig
from znought.stats.workspace import WorkspaceConfig

__all__ = ["SELECTIONS", "ClassedProcess", "CrossFit", "CutBased", "Likelihood", "VHWWCard"]

SELECTIONS = {
    "cut_based": "cut-based, one bin",
    "cut_based_mt_binned": "cut-based, m_T bins",
    "mva_greedy": "network, greedy bins",
    "mva_optimal": "network, optimal bins",
    "boosting_greedy": "trees, greedy bins",
}
"""The selections that are compared, and what the tables call them."""


class ClassedProcess(Process):
    """One physics process, and which class the network learns it as.

    Attributes:
        network_class: class of the network (`class` in the card); None means scored, plotted and
            counted as background, but not trained on.
    """

    network_class: str | None = Field(default=None, alias="class")


class CutBased(Section):
    """The competitor without a network: a region, and the variable it is binned in.

    Attributes:
        region: name in `regions`.
        variable, lower, upper: what the region's events are binned in, and over which range.
    """

    region: str
    variable: str
    lower: float
    upper: float


class Likelihood(Section):
    """The profile-likelihood fit.

    Attributes:
        control_regions: classes whose output defines a control region, orthogonal to the signal bins.
        workspace: floating normalisations and systematics; the enabled variations join it.
    """

    control_regions: tuple[str, ...] = ()
    workspace: WorkspaceConfig = WorkspaceConfig()


class CrossFit(Section):
    """How edges are kept from the events that they are quoted on.

    Attributes:
        n_parts: parts of the events; each is quoted with edges from the others.
        n_bootstrap: replicates of the interval.
        seed: of parts and replicates.
    """

    n_parts: Annotated[int, Field(ge=2)] = 2
    n_bootstrap: Annotated[int, Field(ge=2)] = 200
    seed: int = 1


class VHWWCard(Card):
    """The six-class analysis of V(qq)H(WW).

    Attributes:
        signal: process whose significance is sought.
        signal_class: network output that is binned.
        classes: classes of the network, in the order of its outputs.
        signal_region: name in `regions` of the events whose discriminant is binned.
        features: inputs of the network, in order; empty means all that the processor makes.
        weights: scale factors by name, out of correctionlib files.
        published_z0: what others found with a selection, quoted beside ours and never used.
    """

    analysis: Literal["vh_ww"]
    signal: str
    signal_class: str
    signal_region: str
    cut_based: CutBased
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    published_z0: dict[str, float] = Field(default_factory=dict)
    processes: Mapping[str, ClassedProcess]
    selection: VHWWSelection = VHWWSelection()
    variations: VariationsConfig = VariationsConfig()
    weights: dict[str, ScaleFactor] = Field(default_factory=dict)
    validation: ValidationConfig = ValidationConfig()
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    boosting: BoostingConfig = BoostingConfig()
    binning: BinningConfig = BinningConfig()
    crossfit: CrossFit = CrossFit()
    likelihood: Likelihood = Likelihood()
    search: SearchConfig = SearchConfig()

    @model_validator(mode="after")
    def _names_agree(self) -> "VHWWCard":
        for name, process in self.processes.items():
            if process.network_class is not None:
                check_known(f"processes.{name}", "class", process.network_class, self.classes)
        check_known("signal", "process", self.signal, self.processes)
        check_known("signal_class", "class", self.signal_class, self.classes)
        check_known("signal_region", "region", self.signal_region, self.regions)
        check_known("cut_based.region", "region", self.cut_based.region, self.regions)
        for name in self.published_z0:
            check_known("published_z0", "selection", name, SELECTIONS)
        learned = {process.network_class for process in self.processes.values()}
        unlearned = [name for name in self.classes if name not in learned]
        if unlearned:
            raise ValueError(f"classes: no process is of class {', '.join(unlearned)}.")
        return self

    def placed(self, folder: Path) -> "VHWWCard":
        """This card with the files of its scale factors looked for in its folder."""
        weights = {
            name: replace(factor, file=str((folder / factor.file).resolve()))
            for name, factor in self.weights.items()
        }
        return self.model_copy(update={"weights": weights})

    @property
    def systematics(self) -> tuple[str, ...]:
        """What is varied up and down through the whole chain: objects, then weights."""
        varied = (name for name, factor in self.weights.items() if factor.has_variations)
        return (*self.variations.enabled, *varied)

    @model_validator(mode="after")
    def _weights_and_validation_agree(self) -> "VHWWCard":
        if self.validation.region is not None:
            check_known("validation.region", "region", self.validation.region, self.regions)
        if self.validation.action == "refuse" and not self.of_kind("data"):
            raise ValueError("validation.action: refuse needs data to compare with; the card has none.")
        both = set(self.weights) & {"jes", "jer", "lepton_scale", "met_soft", "btag"}
        if both:
            raise ValueError(f"weights.{min(both)}: this name is that of a variation; choose another.")
        return self

    @model_validator(mode="after")
    def _likelihood_agrees(self) -> "VHWWCard":
        for name in self.likelihood.control_regions:
            check_known("likelihood.control_regions", "class", name, self.classes)
        settings = self.likelihood.workspace
        for name in settings.floating:
            check_known("likelihood.workspace.floating", "process", name, self.processes)
        for norm, entry in settings.norms.items():
            for name in entry.processes:
                check_known(f"likelihood.workspace.norms.{norm}", "process", name, self.processes)
        return self
