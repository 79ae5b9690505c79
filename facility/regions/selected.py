"""Selected events as regions count them: weights, processes, and data that may be looked at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.analysis import ERA
from znought.facility.cards.base import Card
from znought.facility.events.slices import Slice
from znought.facility.events.store import EventTable, read_events, stored_columns
from znought.facility.ntuples.scales import scale_of
from znought.facility.regions.axes import comparison_edges
from znought.facility.workspace import Workspace
from znought.processors.evaluated import WHOLE
from znought.processors.regions import Cut, Region
from znought.stats.agreement import spectrum

__all__ = [
    "SelectedSample",
    "blinded_window",
    "conditions_of_region",
    "edges_of",
    "has_bins",
    "inside",
    "is_hidden",
    "is_integer",
    "overlaps",
    "read_selected",
    "same_values",
]

Vector = tuple[float, ...]
_N_BINS = 30
_FIRST = 1000
"""Values that are compared before all of them are."""


@dataclass(frozen=True)
class SelectedSample:
    """All selected simulated events of one channel, and those data events that may be looked at.

    Attributes:
        weight: expected events per row.
        rows: process → which rows are of it.
        units: integer of the generated event behind every row.
        data: recorded events outside the blinded region; None without data.
    """

    table: EventTable
    weight: NDArray[np.float64]
    rows: Mapping[str, NDArray[np.bool_]]
    units: NDArray[np.int64]
    data: EventTable | None

    def spectra(
        self, variable: str, kept: NDArray[np.bool_], edges: NDArray[np.float64]
    ) -> dict[str, tuple[Vector, Vector]]:
        """Process → Σw and Σw² of the kept events per bin, the responses of one event as one."""
        values, found = self.table[variable], {}
        for name, rows in self.rows.items():
            chosen = kept & rows
            one = spectrum(values[chosen], self.weight[chosen], edges, units=self.units[chosen])
            found[name] = tuple(one.sumw.tolist()), tuple(np.diag(one.covariance).tolist())
        return found


def read_selected(
    card: Card,
    workspace: Workspace,
    wanted: Collection[str],
    *,
    channel: str = WHOLE,
    hidden: Region | None,
    part: Slice | None = None,
) -> SelectedSample:
    """The events of a channel with some of their variables, as far as these are stored.

    Args:
        card: with datasets and processes.
        workspace: with columns.
        wanted: variables.
        channel: whose events.
        hidden: region whose data are left out; None shows all.
        part: slice of the simulated events; all of them unless given.
    """
    columns, every = workspace.columns / channel, card.of_kind("simulation")
    part = part or Slice(every)
    names = sorted({*wanted} & {*stored_columns(columns, every)})
    table = read_events(columns, part.datasets, ["gen_weight", *names], share=part.share)
    scale = table.per_dataset(scale_of(workspace))
    process = table.labels({name: card.datasets[name].process for name in table.datasets})
    simulated = [name for name, entry in card.processes.items() if entry.kind == "simulation"]
    data = None
    if card.of_kind("data"):
        data = read_events(columns, card.of_kind("data"), names)
        data = data if hidden is None or not len(data) else data.select(~hidden.mask(data.columns))
    return SelectedSample(
        table,
        np.asarray(table["gen_weight"] * scale, np.float64),
        {name: process == name for name in simulated},
        np.unique(table.identity, return_inverse=True)[1].astype(np.int64),
        data,
    )


def conditions_of_region(card: Card, found: Region) -> tuple[float | None, float | None]:
    """Luminosity and energy of the one era that a region is of; None and None where it is of several."""
    eras = list(card.eras.values())
    places = {ERA: np.arange(len(eras))}
    for cut in found.cuts:
        if cut.variable == ERA and cut.mask(places).sum() == 1:
            era = eras[int(np.argmax(cut.mask(places)))]
            return era.lumi_ifb, era.energy_tev or card.energy_tev
    return None, None


def is_hidden(found: Region, hidden: Region | None) -> bool:
    """Whether a region is the one whose data are left out, or a part of it, such as one channel or era."""
    if hidden is None:
        return False
    own = {cut.variable: cut for cut in found.cuts}
    return all(cut.variable in own and _is_within(own[cut.variable], cut) for cut in hidden.cuts)


def overlaps(found: Region, hidden: Region) -> bool:
    """Whether an event may be in both: no variable on which their cuts leave nothing in common."""
    own = {cut.variable: cut for cut in found.cuts}
    return not any(
        cut.variable in own and (_is_below(own[cut.variable], cut) or _is_below(cut, own[cut.variable]))
        for cut in hidden.cuts
    )


def blinded_window(found: Region, variable: str, hidden: Region | None) -> tuple[float, float] | None:
    """Where data of a variable are not looked at in a region; None where no window of it holds all of these.

    >>> signal = Region("signal", (Cut("m_jj", 70.0, 100.0), Cut("dy_jj", None, 1.2)))
    >>> blinded_window(Region("all"), "dy_jj", signal), blinded_window(Region("all"), "m_t", signal)
    ((-inf, 1.2), None)
    """
    if hidden is None or not overlaps(found, hidden):
        return None
    if is_hidden(found, hidden):
        return -np.inf, np.inf
    for cut in hidden.cuts:
        if cut.variable == variable:
            low, high = cut.lower, cut.upper
            return -np.inf if low is None else low, np.inf if high is None else high
    return None


def _is_below(one: Cut, other: Cut) -> bool:
    """Whether everything that one cut lets pass lies below what the other does."""
    return one.upper is not None and other.lower is not None and one.upper <= other.lower


def _is_within(one: Cut, other: Cut) -> bool:
    """Whether all that one cut lets pass, another of the same variable does, too."""
    above = other.lower is None or (one.lower is not None and one.lower >= other.lower)
    return above and (other.upper is None or (one.upper is not None and one.upper <= other.upper))


def inside(found: Region, table: EventTable | None) -> EventTable | None:
    """The events of a region; None where there is no data at all."""
    return table if table is None or not len(table) else table.select(found.mask(table.columns))


def has_bins(card: Card, variable: str) -> bool:
    """Whether the bins of a variable are those that its declaration gives, whatever its events hold."""
    return variable in card.binned and not is_integer(card, variable)


def is_integer(card: Card, variable: str) -> bool:
    """Whether a variable has a bin for each whole number that is there."""
    return variable in card.variables and card.variables[variable].bins == "integer"


def edges_of(card: Card, variable: str, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bins of a variable; where it has none, equal ones over what its events hold."""
    if variable in card.binned:
        return comparison_edges(card.variables[variable], values)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    width = (high - low if high > low else 1.0) / _N_BINS
    # What lies beyond is nothing here, but the last bin stands for it everywhere.
    return np.asarray(low + width * np.arange(_N_BINS + 2), np.float64)


def same_values(
    card: Card, tables: Sequence[EventTable], names: Collection[str], *, preferred: Collection[str] = ()
) -> dict[str, str]:
    """Variable → the one that it is under a second name: the same values in every event, not all alike.

    Args:
        card: with variables; whole numbers are not compared.
        tables: events.
        names: variables to compare.
        preferred: which stand for others, before the order of the names decides.
    """
    kept, found = list[str](), dict[str, str]()
    compared = [name for name in names if not is_integer(card, name)]
    for name in sorted(compared, key=lambda one: one not in preferred):
        first = next((other for other in kept if _are_same(tables, name, other)), None)
        if first is None:
            kept.append(name)
        else:
            found[name] = first
    return found


def _are_same(tables: Sequence[EventTable], one: str, other: str) -> bool:
    pairs = [(table[one], table[other]) for table in tables if len(table)]
    return (
        all(np.array_equal(a[:_FIRST], b[:_FIRST]) for a, b in pairs)
        and all(np.array_equal(a, b) for a, b in pairs)
        and any(bool((a != a[0]).any()) for a, _ in pairs)
    )
