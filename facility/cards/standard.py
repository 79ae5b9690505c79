"""The card of the standard flow: classes of the network, binning, likelihood and search."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import Field, model_validator

from znought.analysis import Analysis
from znought.errors import unknown_name
from znought.facility.cards.apart import by_channel, by_era, problems_of_channels
from znought.facility.cards.base import Card
from znought.facility.cards.eras import check_lumi_names, lumi_shifts
from znought.facility.cards.fake_leptons import (
    FakeLeptons,
    check_fake_leptons,
    problems_of_fake_leptons,
)
from znought.facility.cards.presets import with_presets
from znought.facility.cards.sections import (
    BroughtModel,
    CrossFit,
    CutBased,
    Discriminant,
    Likelihood,
    Role,
    check_known,
)
from znought.models.boosting import BoostingConfig
from znought.models.network import NetworkConfig
from znought.models.search import SearchConfig
from znought.stats.binning import BinningConfig

__all__ = ["SIGNAL_REGION", "StandardCard"]

SIGNAL_REGION = "SR"
"""Name of the likelihood's region of signal bins, where the card names no regions of its own."""

IDENTITY_COLUMNS = ("run", "luminosityBlock", "event")
"""Whole numbers that every event has beside its variables."""


class StandardCard(Card):
    """Regions, one network of classes, and the significance of a signal.

    Attributes:
        signal: process whose significance is sought; without it yields are the result.
        signal_class: network output that is binned; the signal's class unless given.
        signal_region: name in `regions` of the events whose discriminant is binned.
        cut_based: the competitor without a network.
        discriminants: region → what is binned and fitted there; without it the signal region's output, with
            control regions from the other outputs, or the cut-based region's variable.
        by_era: each region is one in every era, too: its yields, its figures, and what is fitted there if
            `discriminants` name it.
        classes: classes of the network, in the order of its outputs.
        network: of the classes; without it nothing is trained.
        model: of the classes, trained elsewhere: instead of a network.
        published_z0: what others found with a selection, quoted beside ours and never used.
        fake_leptons: misidentified leptons, estimated with data.
    """

    signal: str | None = None
    signal_class: str | None = None
    signal_region: str | None = None
    cut_based: CutBased | None = None
    discriminants: dict[str, Discriminant] = Field(default_factory=dict)
    by_era: bool = False
    classes: tuple[str, ...] = ()
    network: NetworkConfig | None = None
    model: BroughtModel | None = None
    published_z0: dict[str, float] = Field(default_factory=dict)
    fake_leptons: FakeLeptons | None = None
    boosting: BoostingConfig = BoostingConfig()
    binning: BinningConfig = BinningConfig()
    crossfit: CrossFit = CrossFit()
    likelihood: Likelihood = Likelihood()
    search: SearchConfig = SearchConfig()

    @model_validator(mode="before")
    @classmethod
    def _one_luminosity(cls, content: Any) -> Any:
        settings = content.get("likelihood") if isinstance(content, Mapping) else None
        workspace = settings.get("workspace") if isinstance(settings, Mapping) else None
        if isinstance(workspace, Mapping) and "luminosity_rel" in workspace:
            eras = with_presets(content.get("eras"))
            of_eras = (
                era.get("lumi_uncertainties") for era in (eras or {}).values() if isinstance(era, Mapping)
            )
            if any(of_eras):
                raise ValueError(
                    "likelihood.workspace.luminosity_rel: has no effect beside lumi_uncertainties of eras."
                )
        return content

    @property
    def lumi_shifts(self) -> dict[str, dict[str, float]]:
        """Parameter of a luminosity → dataset → by how much one standard deviation changes its yields."""
        found = lumi_shifts(self.eras, {name: self.datasets[name] for name in self.of_kind("simulation")})
        own = dict.fromkeys(self.without_luminosity, 0.0)
        return {name: shifts | own for name, shifts in found.items()}

    @property
    def without_luminosity(self) -> tuple[str, ...]:
        """Datasets of an estimate from data, which know no uncertainty of the luminosity."""
        return self.estimated if self.of_kind("data") else ()

    @property
    def systematics_of_estimate(self) -> tuple[str, ...]:
        """Parameters of the fit that move an estimate of misidentified leptons alone."""
        if self.fake_leptons is None or self.of_kind("data"):
            return () if self.fake_leptons is None else self.fake_leptons.systematics
        has_size = self.fake_leptons.composition != "closure"
        return self.fake_leptons.systematics[-1:] if has_size else ()

    @property
    def loose_leptons(self) -> dict[str, Any]:
        """Flavour → which leptons are tight and which are loose, where misidentified ones are estimated."""
        return {} if self.fake_leptons is None else self.fake_leptons.definitions

    @model_validator(mode="after")
    def _names_agree(self) -> "StandardCard":
        for name, process in self.processes.items():
            if process.network_class is not None:
                check_known(f"processes.{name}", "class", process.network_class, self.classes)
        if self.signal_region is not None:
            check_known("signal_region", "region", self.signal_region, self.regions)
        if self.cut_based is not None:
            check_known("cut_based.region", "region", self.cut_based.region, self.regions)
        if self.signal is not None:
            check_known("signal", "process", self.signal, self.processes)
            if not (self.is_scored or self.cut_based or self.discriminants):
                raise ValueError(f"signal: {self.signal} needs a network, model, discriminants or cut_based.")
        for region, entry in self.discriminants.items():
            check_known(f"discriminants.{region}", "region", region, self.regions)
            if entry.output is not None:
                check_known(f"discriminants.{region}.output", "class", entry.output, self.classes)
        check_fake_leptons(self)
        for name in self.published_z0:
            check_known("published_z0", "selection", name, self.selections)
        return self

    @model_validator(mode="after")
    def _classes_agree(self) -> "StandardCard":
        if not self.is_scored:
            return self
        self._model_agrees()
        if len(self.classes) < 2:
            raise ValueError("classes: a network needs at least two, and processes of each.")
        if self.signal is not None and self.class_of_signal is None:
            raise ValueError(
                f"signal_class: expected one of {', '.join(self.classes)}; {self.signal} has none."
            )
        if self.signal_class is not None:
            check_known("signal_class", "class", self.signal_class, self.classes)
        if self.network is not None and self.network.loss.kind != "cross_entropy":
            check_known("network.loss.signal_class", "class", self.network.loss.signal_class, self.classes)
        learned = {process.network_class for process in self.processes.values()}
        unlearned = [name for name in self.classes if name not in learned]
        if unlearned:
            raise ValueError(f"classes: no process is of class {', '.join(unlearned)}.")
        return self

    def _model_agrees(self) -> None:
        """A model that was trained elsewhere takes the place of a network, and has the card's classes."""
        if self.model is None:
            return
        idle = [key for key in ("network", "training", "boosting", "search") if key in self.model_fields_set]
        if idle:
            raise ValueError(f"{idle[0]}: has no effect beside model, which is not trained here.")
        given = self.model.outputs or self.classes
        if set(given) != set(self.classes) or len(set(given)) != len(given):
            expected = ", ".join(self.classes)
            raise ValueError(
                f"model.outputs: expected each of the classes {expected} once, received {', '.join(given)}."
            )

    @model_validator(mode="after")
    def _likelihood_agrees(self) -> "StandardCard":
        for key in ("control_regions", "validation_regions"):
            for name in getattr(self.likelihood, key):
                check_known(f"likelihood.{key}", "class", name, self.classes)
        for name in self.likelihood.masks:
            check_known("likelihood.masks", "region of the likelihood", name, self.roles)
        settings = self.likelihood.workspace
        for name in settings.floating:
            check_known("likelihood.workspace.floating", "process", name, self.processes)
            if name == self.signal:
                raise ValueError(f"likelihood.workspace.floating: {name} is the signal, which mu scales.")
        acting = {f"norms.{title}": norm.processes for title, norm in settings.norms.items()}
        acting |= {f"bin_modelling.{title}": one.processes for title, one in settings.bin_modelling.items()}
        for title, processes in acting.items():
            for name in processes:
                check_known(f"likelihood.workspace.{title}", "process", name, self.processes)
        taken = (
            *settings.norms,
            *settings.systematics,
            *self.weights,
            *self.theory,
            *self.variations.enabled,
        )
        check_lumi_names(self.eras, taken)
        for key in ("required", "required_acceptance"):
            for name in getattr(self.likelihood, key):
                check_known(f"likelihood.{key}", "process", name, ("all", *self.processes))
        self._alternatives_agree()
        return self

    def _alternatives_agree(self) -> None:
        """Datasets of two-point systematics stand for nominal ones, and nominal yields are without them."""
        used = set()
        closing = () if self.fake_leptons is None else self.fake_leptons.simulation
        used |= {name for name in self.of_kind("alternative") if self.datasets[name].process in closing}
        for title, systematic in self.likelihood.workspace.systematics.items():
            where = f"likelihood.workspace.systematics.{title}.datasets"
            for nominal, alternative in systematic.datasets.items():
                check_known(where, "simulated dataset", nominal, self.of_kind("simulation"))
                check_known(where, "dataset of kind alternative", alternative, self.of_kind("alternative"))
                used.add(alternative)
        unused = [name for name in self.of_kind("alternative") if name not in used]
        if unused:
            raise ValueError(
                f"datasets.{unused[0]}: its process is of kind alternative, but no systematic of kind "
                "two_point names the dataset that it stands for."
            )

    @property
    def blinded_region(self) -> str | None:
        """The region in which data are not looked at before the end."""
        return self.signal_region

    @property
    def drawn_signal(self) -> str | None:
        """The process that figures of data and simulation draw as a line, too."""
        return self.signal

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """Normalisations of the fit and the luminosity → dataset → relative change."""
        settings = self.likelihood.workspace
        process_of = {name: self.datasets[name].process for name in self.of_kind("simulation")}
        found = {
            name: {
                dataset: norm.relative if process in norm.processes else 0.0
                for dataset, process in process_of.items()
            }
            for name, norm in settings.norms.items()
        }
        common = dict.fromkeys(process_of, settings.luminosity_rel) | dict.fromkeys(
            self.without_luminosity, 0.0
        )
        return found | (self.lumi_shifts or {"luminosity": common})

    @property
    def template_change(self) -> Callable[..., Any] | None:
        """The analysis's function between templates and fit; None where they stay as they are."""
        return self._analysis.templates

    @property
    def is_scored(self) -> bool:
        """Whether events have the outputs of a network, trained here or elsewhere."""
        return self.network is not None or self.model is not None

    @property
    def roles(self) -> dict[str, Role]:
        """Regions of the likelihood, in its order, and what each is for."""
        if self.discriminants:
            return {name: entry.role for name, entry in self.discriminants.items()}
        found: dict[str, Role] = {SIGNAL_REGION: "signal"}
        if self.is_scored:
            found |= {f"CR_{name}": "control" for name in self.likelihood.control_regions}
            found |= {f"VR_{name}": "validation" for name in self.likelihood.validation_regions}
        return found

    @property
    def class_of_signal(self) -> str | None:
        """The network output that is binned."""
        if self.signal_class is not None or self.signal is None:
            return self.signal_class
        return self.processes[self.signal].network_class

    @property
    def binned_selection(self) -> str:
        """Name of the cut-based selection in bins of its variable."""
        return (
            "" if self.cut_based is None else f"cut_based_{self.cut_based.variable.replace('_', '')}_binned"
        )

    @property
    def selections(self) -> dict[str, str]:
        """The selections that are compared, and what the tables call them."""
        found = {}
        if self.cut_based is not None:
            variable = self.variables.get(self.cut_based.variable)
            name = self.cut_based.variable if variable is None else plain_label(variable.label)
            found["cut_based"] = "cut-based, one bin"
            found[self.binned_selection] = f"cut-based, {name} bins"
        if self.is_scored:
            found["mva_greedy"] = "network, greedy bins"
            found["mva_optimal"] = "network, optimal bins"
        if self.network is not None:
            found["boosting_greedy"] = "trees, greedy bins"
        return found | {name: f"{name}, {entry.method} bins" for name, entry in self.tuned.items()}

    @property
    def tuned(self) -> dict[str, Discriminant]:
        """Regions whose bins are to be found."""
        return {name: entry for name, entry in self.discriminants.items() if entry.method is not None}

    @property
    def discriminant(self) -> str:
        """The selection that the likelihood is built on."""
        return "mva_greedy" if self.is_scored else self.binned_selection

    def of(self, analysis: Analysis) -> "StandardCard":
        """This card as a card of an analysis, with what it has in regions by channel, and by era if asked.

        Raises:
            CardError: as `Card.of`.
        """
        card = super().of(analysis)
        assert isinstance(card, StandardCard)
        card = card.model_copy(update=by_channel(card, analysis))
        return card.model_copy(update=by_era(card))

    def problems(self, analysis: Analysis) -> list[str]:
        """Everything in the card that the analysis does not know, one line each."""
        named = {f"discriminants.{region}": entry.variable for region, entry in self.discriminants.items()}
        if self.cut_based is not None:
            named["cut_based.variable"] = self.cut_based.variable
        names = analysis.variable_names
        unknown = {place: name for place, name in named.items() if name is not None and name not in names}
        with_bins = [variable.name for variable in analysis.variables if variable.is_binned]
        unknown_bins = [name for name in self.likelihood.distributions if name not in with_bins]
        return [
            *super().problems(analysis),
            *(
                f"likelihood.distributions: {unknown_name('variable with bins', name, with_bins)}"
                for name in unknown_bins
            ),
            *problems_of_channels(self, analysis),
            *problems_of_fake_leptons(self, analysis),
            *(["by_era: the card has no eras."] if self.by_era and not self.eras else []),
            *(f"{place}: {unknown_name('variable', name, names)}" for place, name in unknown.items()),
            *self._unknown_inputs(names),
        ]

    def _unknown_inputs(self, names: Collection[str]) -> list[str]:
        """What a model that was trained elsewhere needs and no column gives."""
        if self.model is None:
            return []
        found = [
            f"model.inputs: {unknown_name('variable', name, names)}"
            for name in self.model.inputs
            if name not in names
        ]
        rule = self.model.folds
        if rule is not None and rule.column not in {*names, *IDENTITY_COLUMNS}:
            known = [*IDENTITY_COLUMNS, *names]
            found.append(f"model.folds.column: {unknown_name('column', rule.column, known)}")
        return found


def plain_label(label: str) -> str:
    """Mathtext for a terminal.

    >>> plain_label("$m_{T}$"), plain_label(r"$m_\\mathrm{T}$")
    ('m_T', 'm_T')
    """
    return re.sub(r"\\mathrm|[${}]", "", label)
