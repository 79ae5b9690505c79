"""What every analysis card holds: datasets, their processes, how they are read and how they are simulated."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from znought.errors import unknown_name
from znought.processors.regions import regions_from_card
from znought.simulation.config import SimulationConfig

__all__ = ["Card", "Dataset", "Process", "Processing", "RegionCuts", "Section", "check_known"]

RegionCuts = dict[str, tuple[float | None, float | None]]
"""Variable → (lower, upper), None for an open side."""


class Section(BaseModel):
    """Part of a card: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Process(Section):
    """One physics process.

    Attributes:
        kind: "data" for recorded or pseudo-data.
    """

    kind: Literal["simulation", "data"] = "simulation"


class Dataset(Section):
    """One dataset: files that share a cross section.

    Attributes:
        process: name in `processes`.
        xsec_pb: cross section in pb; required for simulation.
        branching_ratio, k_factor: factors on the cross section.
        filter_efficiency: of the generator filter; None takes it from the files' own counters.
        generated_sumw: signed sum of weights over all generated events, for files that do not keep it.
        files: paths or globs, local, `root://` or `https://`; a list of them is one file in several places,
            of which the first that can be read is.
        tree: name of the tree of events; None finds it by the format.
        recipe: what `znought simulate` generates for it.
        n_events: generated events at scale 1; of data with files, the events of all files, so that one that
            does not open has a known share of the luminosity.
        n_responses: detector responses per generated event.
        lumi_ifb: luminosity of data.
        era: when the detector was as it is here, such as "2017": working points depend on it.
        identity: of simulation, "file" where independent jobs number their events alike: an event is then
            told from others by its file and entry, not by its run, block and number.
        sample: what the dataset is a part of, if its process is stitched together from several; the process
            itself unless given.
        generator_range: generator-level variable → (lower, upper) that the dataset was generated in, None
            for an open side. Datasets of one sample must not overlap: where one declares a range, all must.
    """

    process: str
    xsec_pb: Annotated[float, Field(gt=0)] | None = None
    branching_ratio: Annotated[float, Field(gt=0, le=1)] = 1.0
    k_factor: Annotated[float, Field(gt=0)] = 1.0
    filter_efficiency: Annotated[float, Field(gt=0, le=1)] | None = None
    generated_sumw: Annotated[float, Field(gt=0)] | None = None
    files: tuple[str | tuple[str, ...], ...] = ()
    tree: str | None = None
    recipe: str | None = None
    n_events: Annotated[int, Field(ge=0)] = 0
    n_responses: Annotated[int, Field(ge=1)] = 1
    lumi_ifb: Annotated[float, Field(gt=0)] | None = None
    era: str | None = None
    identity: Literal["event", "file"] = "event"
    sample: str | None = None
    generator_range: RegionCuts = {}


class Processing(Section):
    """How ntuples are read: chunk size in events, and what a lost chunk means."""

    chunk_size: Annotated[int, Field(ge=1000)] = 100_000
    max_rounds: Annotated[int, Field(ge=1)] = 3
    allow_skip: bool = False


class Card(Section):
    """What all analyses have in common.

    Attributes:
        analysis: which one; decides the card's further sections and the stages.
        label: stands on every figure.
        lumi_ifb: integrated luminosity that yields are given at.
        regions: name → cuts on the processor's columns.
    """

    analysis: str
    title: str
    label: str = "Simulation"
    lumi_ifb: Annotated[float, Field(gt=0)]
    processes: Mapping[str, Process]
    datasets: dict[str, Dataset]
    regions: dict[str, RegionCuts] = {}
    processing: Processing = Processing()
    simulation: SimulationConfig | None = None

    @model_validator(mode="after")
    def _datasets_agree(self) -> "Card":
        for name, dataset in self.datasets.items():
            check_known(f"datasets.{name}", "process", dataset.process, self.processes)
            if dataset.xsec_pb is None and self.processes[dataset.process].kind == "simulation":
                message = "simulation needs a cross section (xsec_pb), none was given"
                raise ValueError(f"datasets.{name}: {message}.")
        refuse_overlaps(self.datasets)
        regions_from_card(self.regions)
        return self

    def placed(self, folder: Path) -> "Card":
        """This card with the files that it names looked for in its folder."""
        return self

    def of_kind(self, kind: Literal["simulation", "data"]) -> tuple[str, ...]:
        """Datasets of one kind, in the card's order."""
        return tuple(
            name for name, entry in self.datasets.items() if self.processes[entry.process].kind == kind
        )

    def section(self, *names: str) -> dict[str, Any]:
        """Some sections as plain values, for a fingerprint."""
        return self.model_dump(mode="json", include=set(names), by_alias=True)


def refuse_overlaps(datasets: Mapping[str, Dataset]) -> None:
    """Raises if two datasets of one sample were generated in ranges that overlap.

    Raises:
        ValueError: with both names; pydantic turns it into a card error.
    """
    samples: dict[tuple[str, str], list[str]] = {}
    for name, dataset in datasets.items():
        samples.setdefault((dataset.process, dataset.sample or dataset.process), []).append(name)
    for (_, sample), names in samples.items():
        if any(datasets[name].generator_range for name in names):
            for one, two in combinations(names, 2):
                ranges = datasets[one].generator_range, datasets[two].generator_range
                if not _are_disjoint(*ranges):
                    both = f"{_shown(ranges[1])} and {_shown(ranges[0])}"
                    raise ValueError(
                        f"datasets.{two}: overlaps with datasets.{one} of the same sample {sample!r} "
                        f"({both}), so events would count twice; give both a generator_range, disjoint "
                        "in one variable, or another `sample` if they were generated apart."
                    )


def _are_disjoint(one: RegionCuts, two: RegionCuts) -> bool:
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
