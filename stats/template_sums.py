"""From selected events to the sums that templates are made of, which parts of the events add up to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.stats.envelopes import WeightSet
from znought.stats.labels import Labels
from znought.stats.ordered import bin_index
from znought.stats.paired import BinnedEvents, PairedDifference, PairedEvents, paired_events
from znought.stats.systematics import SystematicConfig
from znought.stats.yields import Yields, count_yields

__all__ = [
    "LOOSER",
    "Differences",
    "PairedTables",
    "SelectedEvents",
    "TemplateSums",
    "differences_of",
    "members",
    "paired_tables",
    "template_sums",
    "varied_sums",
    "yields_by_region",
]

Floats = NDArray[np.float64]
Strings = NDArray[np.str_] | Labels
Differences = dict[tuple[str, str], PairedDifference]
PairedTables = dict[tuple[str, str], PairedEvents]
_Key = TypeVar("_Key", str, tuple[str, str])
_Sum = TypeVar("_Sum", Yields, PairedDifference)

LOOSER = ""
"""Key of all events of a process, in a region of the fit or in none."""


@dataclass(frozen=True)
class SelectedEvents:
    """Simulated events under the nominal or one variation, in a region of the fit or in none.

    Attributes:
        identity: integer of the generated event, the dataset being part of it, shape (n_rows,). A variation
            keeps the nominal event's.
        process: name, shape (n_rows,).
        region: name, "" for events that are in no region of the fit but in the looser one, shape (n_rows,).
        discriminant: what is binned in the region, shape (n_rows,).
        weights: in expected events, shape (n_rows,).
    """

    identity: NDArray[np.integer]
    process: Strings
    region: Strings
    discriminant: Floats
    weights: Floats

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if np.shape(values) != np.shape(self.weights):
                raise DataError(
                    f"{name} must hold one value per event. "
                    f"Received: {np.size(values)} for {np.size(self.weights)} events."
                )

    @classmethod
    def joined(cls, parts: Sequence["SelectedEvents"]) -> "SelectedEvents":
        """The events of some parts, one behind the other."""
        rows = [(part.identity, part.discriminant, part.weights) for part in parts]
        identity, discriminant, weights = (np.concatenate(each) for each in zip(*rows, strict=True))
        process = Labels.joined([Labels.of(part.process) for part in parts])
        region = Labels.joined([Labels.of(part.region) for part in parts])
        return cls(identity, process, region, discriminant, weights)

    def binned(self, process: str, region: str, edges: Floats) -> BinnedEvents:
        """Events of one process in the bins of one region; all of its events in one bin for `LOOSER`."""
        rows = self.process == process
        if region == LOOSER:
            bins: NDArray[np.integer] = np.zeros(int(rows.sum()), np.int8)
        else:
            rows &= self.region == region
            bins = bin_index(self.discriminant[rows], edges)
        return BinnedEvents(self.identity[rows], bins, self.weights[rows])

    def yields(self, region: str, edges: Floats, processes: tuple[str, ...]) -> Yields:
        """Yields of every process in the bins of one region."""
        rows = self.region == region
        return count_yields(
            self.discriminant[rows],
            self.weights[rows],
            self.process[rows],
            edges,
            processes=processes,
            identity=self.identity[rows],
        )


@dataclass(frozen=True)
class TemplateSums:
    """What templates are made of, of some events: sums over generated events, which parts of them add up to.

    Attributes:
        nominal: region → yields.
        varied: region → yields under each variation that is kept as it is, and with each theory weight.
        differences: systematic → paired differences of what is treated.
    """

    nominal: Mapping[str, Yields]
    varied: Mapping[str, Mapping[str, Yields]]
    differences: Mapping[str, Differences]

    def __add__(self, other: "TemplateSums") -> "TemplateSums":
        return TemplateSums(
            _added(self.nominal, other.nominal),
            {region: _added(found, other.varied[region]) for region, found in self.varied.items()},
            {name: _added(found, other.differences[name]) for name, found in self.differences.items()},
        )


def template_sums(
    nominal: SelectedEvents,
    varied: Callable[[str], SelectedEvents],
    edges: Mapping[str, Floats],
    *,
    processes: tuple[str, ...],
    systematics: Mapping[str, SystematicConfig],
) -> TemplateSums:
    """The sums over some events, every generated event with all of its rows, for `treated_sums`.

    Args:
        nominal, varied, edges, processes: as for `varied_sums`.
        systematics: name → how it is treated.

    Raises:
        DataError: an unknown process or region among the events.
    """
    as_it_is: dict[str, dict[str, Yields]] = {region: {} for region in edges}
    differences: dict[str, Differences] = {}
    for name, systematic in systematics.items():
        found, by_process = varied_sums(nominal, varied, edges, processes, name, systematic)
        as_it_is = {region: as_it_is[region] | one for region, one in found.items()}
        differences[name] = {place: one.summed() for some in by_process for place, one in some.items()}
    return TemplateSums(yields_by_region(nominal, edges, processes), as_it_is, differences)


def varied_sums(
    nominal: SelectedEvents,
    varied: Callable[[str], SelectedEvents],
    edges: Mapping[str, Floats],
    processes: tuple[str, ...],
    name: str,
    systematic: SystematicConfig,
) -> tuple[dict[str, dict[str, Yields]], Iterator[Differences]]:
    """Yields under one systematic where they are kept as they are, and differences of one process at a time.

    Args:
        nominal: events.
        varied: gives the same events under a variation by its name, `jes_up`; of a two-point systematic by
            its own; with a weight of generators by the name of that.
        edges: region → edges of its bins.
        processes: their order in the templates.
        name: of the systematic.
        systematic: how it is treated.

    Returns:
        Region → variation → yields; and paired differences of what is treated.
    """
    weights, found = systematic.weights, list[SelectedEvents]()
    as_it_is: dict[str, dict[str, Yields]] = {region: {} for region in edges}
    for way in systematic.variations(name) if weights is None else members(weights):
        events = _known(varied(way), processes, edges)
        found += [events] if weights is None else []
        if weights is not None or systematic.smoothing != "polynomial":
            for region, one in yields_by_region(events, edges, processes).items():
                as_it_is[region][way] = one
    of_processes = processes if weights is None else ()
    by_process = (
        differences_of(paired_tables(nominal, found, edges, processes=(process,))) for process in of_processes
    )
    return as_it_is, by_process


def yields_by_region(
    events: SelectedEvents, edges: Mapping[str, Floats], processes: tuple[str, ...]
) -> dict[str, Yields]:
    """Region → yields of every process in its bins.

    Raises:
        DataError: an unknown process or region among the events.
    """
    _known(events, processes, edges)
    return {region: events.yields(region, bins, processes) for region, bins in edges.items()}


def paired_tables(
    nominal: SelectedEvents,
    varied: list[SelectedEvents],
    edges: Mapping[str, Floats],
    *,
    processes: tuple[str, ...],
) -> PairedTables:
    """What each generated event adds by (region, process), of all events of a process under `LOOSER`.

    Args:
        nominal: events.
        varied: up and down, or the one alternative.
        edges: region → edges of its bins.
        processes: names.
    """
    found = {}
    for region, bins in {**edges, LOOSER: np.array([0.0, 1.0])}.items():
        for process in processes:
            parts = [events.binned(process, region, bins) for events in (nominal, *varied)]
            down = parts[2] if len(parts) > 2 else None
            found[region, process] = paired_events(parts[0], parts[1], down, bins.size - 1)
    return found


def differences_of(tables: PairedTables) -> Differences:
    """Paired difference by (region, process), each with what it shares with all events of the process."""
    return {
        (region, process): one.difference(tables[LOOSER, process])
        for (region, process), one in tables.items()
    }


def members(weights: WeightSet) -> tuple[str, ...]:
    """Weights of a set, the central one first where it has one."""
    return (*([weights.central] if weights.central else []), *weights.members)


def _added(one: Mapping[_Key, _Sum], other: Mapping[_Key, _Sum]) -> dict[_Key, _Sum]:
    return {key: value + other[key] for key, value in one.items()}


def _known(events: SelectedEvents, processes: tuple[str, ...], edges: Mapping[str, Floats]) -> SelectedEvents:
    """The events themselves, if their processes and regions are known."""
    for kind, values, known in (("process", events.process, processes), ("region", events.region, edges)):
        for value in Labels.of(values).present:
            if value not in known and not (kind == "region" and value == LOOSER):
                raise DataError(unknown_name(kind, value, known))
    return events
