"""Sections of a card: processes, datasets, how ntuples are read, and how significance is counted."""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations, pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from znought.errors import unknown_name
from znought.facility.cards.section import Section
from znought.stats.workspace import WorkspaceConfig

__all__ = [
    "BroughtModel",
    "CrossFit",
    "CutBased",
    "Dataset",
    "Discriminant",
    "Files",
    "FoldRule",
    "Likelihood",
    "Process",
    "Processing",
    "Reading",
    "RegionCuts",
    "Role",
    "are_disjoint",
    "check_known",
    "refuse_overlaps",
]

Role = Literal["signal", "control", "validation"]
"""What a region of the likelihood is for."""
RegionCuts = dict[str, tuple[float | None, float | None]]
"""Variable → (lower, upper), None for an open side."""


class Process(Section):
    """One physics process.

    Attributes:
        kind: "data" for recorded or pseudo-data; "alternative" for simulation that stands in the place of
            some under a two-point systematic, and counts in no yield.
        network_class: class of the network (`class` in the card); None means scored, plotted and
            counted as background, but not trained on.
        label: how figures write it, in mathtext; by default as the analysis does.
        colour: how figures draw it; by default as the analysis does.
    """

    kind: Literal["simulation", "data", "alternative"] = "simulation"
    network_class: str | None = Field(default=None, alias="class")
    label: str | None = None
    colour: str | None = None


class Files(Section):
    """Files of one dataset.

    Attributes:
        files: paths or globs, local, `root://` or `https://`; a list of them is one file in several places,
            of which the first that can be read is.
        tree: name of the tree of events; None finds it by the format.
    """

    files: tuple[str | Annotated[tuple[str, ...], Field(min_length=1)], ...] = ()
    tree: str | None = None


class Dataset(Files):
    """One dataset: files that share a cross section.

    Attributes:
        process: name in `processes`.
        split: names in `processes` that the analysis's function `split` divides its events among, instead.
        part_of: the dataset in the card that this one is a part of, where that is split.
        derived_from: the dataset whose events with loose leptons `fake_leptons` makes this one of; never in a
            card.
        xsec_pb: cross section in pb; required for simulation.
        branching_ratio, k_factor: factors on the cross section.
        filter_efficiency: of the generator filter; None takes it from the files' own counters.
        generated_sumw: signed sum of weights over all generated events, for files that do not keep it.
        recipe: what `znought simulate` generates for it.
        n_events: generated events at scale 1; of data with files, the events of all files, so that one that
            does not open has a known share of the luminosity.
        n_responses: detector responses per generated event.
        lumi_ifb: luminosity of data.
        era: when the detector was as it is here, such as "2017": one of the card's `eras` where there are
            some; working points depend on it.
        primary_dataset: of recorded data, which of the era's triggers recorded it.
        period: of recorded data, which of the era's energy corrections its jets take.
        identity: of simulation, "file" where independent jobs number their events alike: an event is then
            told from others by its file and entry, not by its run, block and number.
        sample: what the dataset is a part of. Datasets of one sample without ranges are extensions of each
            other: they share the cross section, and their sums of weights are added.
        generator_range: generator-level variable → (lower, upper) that the dataset was generated in, None
            for an open side. Datasets of one sample (the process unless given) that declare ranges are
            stitched together, each with its own cross section: their ranges must not overlap.
    """

    process: str = ""
    split: tuple[str, ...] = ()
    part_of: str | None = None
    derived_from: str | None = None
    xsec_pb: Annotated[float, Field(gt=0)] | None = None
    branching_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    k_factor: Annotated[float, Field(gt=0)] = 1.0
    filter_efficiency: Annotated[float, Field(gt=0, le=1)] | None = None
    generated_sumw: Annotated[float, Field(gt=0)] | None = None
    recipe: str | None = None
    n_events: Annotated[int, Field(ge=0)] = 0
    n_responses: Annotated[int, Field(ge=1)] = 1
    lumi_ifb: Annotated[float, Field(gt=0)] | None = None
    era: str | None = None
    primary_dataset: str | None = None
    period: str | None = None
    identity: Literal["event", "file"] = "event"
    sample: str | None = None
    generator_range: RegionCuts = Field(default_factory=dict)


class Reading(Section):
    """How files are read.

    Attributes:
        chunk_size: most events in a chunk.
        max_rounds: how often a failing chunk or file is tried.
        allow_skip: leave out files that keep failing, and say so, instead of stopping.
    """

    chunk_size: Annotated[int, Field(ge=1000)] = 100_000
    max_rounds: Annotated[int, Field(ge=1)] = 3
    allow_skip: bool = False


class Processing(Reading):
    """How ntuples are read.

    Attributes:
        substitutes: "declare" uses and reports stand-ins for missing inputs; "refuse" stops instead.
        weights: columns of the ntuples, one number per event, that multiply the generator's weight of
            simulation, such as scale factors.
    """

    substitutes: Literal["declare", "refuse"] = "declare"
    weights: tuple[str, ...] = ()


class FoldRule(Section):
    """Which network of a K-folded model scores an event: one that has not been trained on it.

    Attributes:
        column: of whole numbers.
        modulo: network k scores events with column % modulo = k; None where the column is k itself.
    """

    column: str
    modulo: Annotated[int, Field(ge=2)] | None = None


class BroughtModel(Section):
    """A classifier that was trained elsewhere.

    Attributes:
        files: `.keras` or `.onnx` beside the card; network k of a K-folded model is that of fold k.
        inputs: columns, in the order of the model's inputs and as it expects them, unscaled.
        outputs: class of each output, in order; those of the card unless given. Of two classes the first
            one's score may be the only output.
        output: name of the ONNX output that holds the scores, where there are several.
        folds: of a K-folded model.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    outputs: tuple[str, ...] = ()
    output: str | None = None
    folds: FoldRule | None = None

    @model_validator(mode="after")
    def _has_a_network_for_each_fold(self) -> "BroughtModel":
        if self.folds is None and len(self.files) > 1:
            raise ValueError(f"{len(self.files)} files need the rule (folds) that says which scores an event")
        if self.folds is not None and self.folds.modulo not in (None, len(self.files)):
            raise ValueError(f"{self.folds.modulo} folds need as many files, received {len(self.files)}")
        return self


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


class Discriminant(Section):
    """What is binned in a region.

    Attributes:
        variable: of the analysis, or
        output: class of the network whose score it is.
        bins: (number, lower, upper) of equal bins; or
        edges: of unequal ones; or
        method: by which edges are found within the range of `bins`, or of the section `binning`.
        role: what the region is for: "signal" and "control" are fitted, "validation" is only predicted.
    """

    variable: str | None = None
    output: str | None = None
    role: Role = "signal"
    bins: tuple[int, float, float] | None = None
    edges: tuple[float, ...] = ()
    method: Literal["greedy", "optimal"] | None = None

    @model_validator(mode="after")
    def _says_what_and_how(self) -> "Discriminant":
        if (self.variable is None) == (self.output is None):
            raise ValueError("expected either a variable or an output of the network")
        if self.method is None and (self.bins is None) == (not self.edges):
            raise ValueError("expected either bins, edges or a method that finds them")
        if self.edges and any(b <= a for a, b in pairwise(self.edges)):
            raise ValueError(f"edges must rise, received {list(self.edges)}")
        return self

    @property
    def given_edges(self) -> tuple[float, ...]:
        """Edges that the card gives; none where they are to be found."""
        if self.method is not None:
            return ()
        return self.edges or tuple(np.linspace(self.bins[1], self.bins[2], self.bins[0] + 1).tolist())  # type: ignore[index]  # bins or edges


class Likelihood(Section):
    """The profile-likelihood fit.

    Attributes:
        control_regions: classes whose output defines a control region, orthogonal to the signal bins.
        validation_regions: the same for regions that are predicted and not fitted.
        region_edges: class of a control or validation region → edges that its output is binned by there; one
            bin unless given.
        masks: region → its bins that are left out, counted from 0, or true for the whole region.
        distributions: variables that are shown in the regions of the fit too, before and after it.
        n_toys: pseudo-experiments for the significance and, of data, the goodness of fit; 0 for none.
        tail_below: signal bins that expect less signal per background than this are opened before the others.
        workspace: floating normalisations and systematics; the enabled variations join it.
        required: process, or `all` → uncertainties that it must have, norms or systematics; a missing one is
            named.
        required_acceptance: the same for systematics alone: a norm changes the rate, and no acceptance.
    """

    control_regions: tuple[str, ...] = ()
    validation_regions: tuple[str, ...] = ()
    region_edges: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    masks: dict[str, bool | tuple[Annotated[int, Field(ge=0)], ...]] = Field(default_factory=dict)
    distributions: tuple[str, ...] = ()
    n_toys: Annotated[int, Field(ge=0)] = 0
    tail_below: Annotated[float, Field(ge=0)] = 0.05
    workspace: WorkspaceConfig = WorkspaceConfig()
    required: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    required_acceptance: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _regions_agree(self) -> "Likelihood":
        both = [name for name in self.control_regions if name in self.validation_regions]
        if both:
            raise ValueError(f"validation_regions: {both[0]} is a control region already")
        for name, edges in self.region_edges.items():
            check_known("region_edges", "region", name, (*self.control_regions, *self.validation_regions))
            if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
                raise ValueError(f"region_edges.{name} must rise, received {list(edges)}")
        return self


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


def refuse_overlaps(
    datasets: Mapping[str, Dataset], stitched: Collection[str] = (), *, by_era: bool = False
) -> None:
    """Raises if two datasets of one sample were generated in ranges that overlap.

    Args:
        datasets: of the card.
        stitched: samples whose datasets may overlap.
        by_era: simulation is scaled to the luminosity of its era: those of other eras are other samples.

    Raises:
        ValueError: with both names; pydantic turns it into a card error.
    """
    samples: dict[tuple[str, str, str | None], list[str]] = {}
    for name, dataset in datasets.items():
        key = dataset.process, dataset.sample or dataset.process, dataset.era if by_era else None
        samples.setdefault(key, []).append(name)
    for (_, sample, _), names in samples.items():
        if sample not in stitched and any(datasets[name].generator_range for name in names):
            for one, two in combinations(names, 2):
                ranges = datasets[one].generator_range, datasets[two].generator_range
                if not are_disjoint(*ranges):
                    both = f"{_shown(ranges[1])} and {_shown(ranges[0])}"
                    raise ValueError(
                        f"datasets.{two}: overlaps with datasets.{one} of the same sample {sample!r} "
                        f"({both}), so events would count twice; give both a generator_range, disjoint "
                        "in one variable, or another `sample` if they were generated apart; or let "
                        "`stitched` weight them together."
                    )


def are_disjoint(one: RegionCuts, two: RegionCuts) -> bool:
    """Whether a variable that both name separates them; lower ends are inside, upper ones are not."""
    for name in set(one) & set(two):
        (low, high), (other_low, other_high) = one[name], two[name]
        for end, begin in ((high, other_low), (other_high, low)):
            if end is not None and begin is not None and end <= begin:
                return True
    return False


def _shown(ranges: RegionCuts) -> str:
    """Ranges for a message."""
    texts = (f"{name} {low} to {high}".replace("None", "∞") for name, (low, high) in ranges.items())
    return ", ".join(texts) or "no range"


def check_known(where: str, kind: str, name: str, expected: Iterable[str]) -> None:
    """Raises unless a name that stands somewhere in the card is one that the card defines.

    Raises:
        ValueError: with the nearest valid name; pydantic turns it into a card error.
    """
    if name not in expected:
        raise ValueError(f"{where}: {unknown_name(kind, name, expected)}")
