"""What the cuts of each region leave, what each alone removes, and how variables are distributed there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from znought.analysis import ERA
from znought.facility.cards.base import Card
from znought.facility.events.store import EventTable, read_events, stored_columns
from znought.facility.ntuples.flows import FlowEntry, flow_entry
from znought.facility.ntuples.scales import scale_of
from znought.facility.regions.axes import comparison_edges
from znought.facility.results.records import Record, read_entries
from znought.facility.workspace import Workspace, write_json, write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.evaluated import WHOLE
from znought.processors.regions import Cut, Region, regions_from_card
from znought.stats.agreement import spectrum

__all__ = [
    "Distribution",
    "NMinusOne",
    "RegionBook",
    "read_region_books",
    "region_books",
    "regions_file",
    "write_region_books",
]

_N_BINS = 30
_FEW_VARIABLES = 8
Vector = tuple[float, ...]


class Distribution(Record):
    """A variable after every cut of a region; the last bin holds everything beyond.

    Attributes:
        edges: bin edges.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin.
        data: counts per bin; None without data, or where they are blinded.
    """

    edges: Vector
    processes: dict[str, tuple[Vector, Vector]]
    data: Vector | None = None


class NMinusOne(Record):
    """A variable after every cut of the region but its own; the last bin holds everything beyond.

    Attributes:
        limits: lower and upper limit of its cut.
        edges: bin edges.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin.
    """

    limits: tuple[float | None, float | None]
    edges: Vector
    processes: dict[str, tuple[Vector, Vector]]


class RegionBook(Record):
    """One region.

    Attributes:
        cuts: "preselection", then the variable of each cut.
        processes: process → what is left after each of them, errors with the responses of one event as one.
        n_minus_one: by variable.
        data: events of data that are left; None without data, or where they are blinded.
        distributions: by variable.
        lumi_ifb: that simulation stands at, where the region is of one era; None where it is the card's.
    """

    cuts: tuple[str, ...]
    processes: dict[str, FlowEntry]
    n_minus_one: dict[str, NMinusOne]
    data: float | None = None
    distributions: dict[str, Distribution] = Field(default_factory=dict)
    lumi_ifb: float | None = None


@dataclass(frozen=True)
class _Sample:
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


def region_books(
    card: Card, workspace: Workspace, *, blinded: str | None, channel: str = WHOLE
) -> tuple[dict[str, RegionBook], dict[str, str]]:
    """The books of every region of the card, and the same cutflows as CSV and LaTeX.

    Args:
        card: with regions.
        workspace: with columns.
        blinded: region whose data are left out everywhere; None shows all.
        channel: whose events.

    Returns:
        Region → book; file ending → text.
    """
    regions = regions_from_card(card.regions)
    hidden = None if blinded is None else regions[blinded]
    sample = _read(card, workspace, channel, hidden)
    books, flows = {}, {}
    for name, found in regions.items():
        flows[name] = {
            process: found.cutflow(sample.table.select(rows).columns, sample.weight[rows], sample.units[rows])
            for process, rows in sample.rows.items()
        }
        data = None if _is_hidden(found, hidden) else _inside(found, sample.data)
        books[name] = RegionBook(
            cuts=next(iter(flows[name].values())).names,
            processes={process: flow_entry(flow) for process, flow in flows[name].items()},
            n_minus_one={
                cut.variable: _n_minus_one(card, found, cut, sample)
                for cut in found.cuts
                if cut.variable != ERA
            },
            data=None if data is None else float(len(data)),
            distributions={
                variable: _distribution(card, found, variable, sample, data)
                for variable in _drawn(card)
                if variable in sample.table.columns
            },
            lumi_ifb=_lumi(card, found),
        )
    return books, {".csv": _csv(flows), ".tex": _latex(flows)}


def write_region_books(path: Path, books: Mapping[str, RegionBook], tables: Mapping[str, str]) -> list[Path]:
    """Writes the books as JSON, and the tables beside them."""
    of_selections = {"processes": {"__all__": {"before_acceptance", "datasets"}}}
    content = {name: book.model_dump(mode="json", exclude=of_selections) for name, book in books.items()}
    write_json(path, content)
    for ending, text in tables.items():
        write_text(path.with_suffix(ending), text)
    return [path, *(path.with_suffix(ending) for ending in tables)]


def regions_file(workspace: Workspace, channel: str = WHOLE) -> Path:
    """Where the books of a channel stand."""
    return workspace.regions.with_stem(f"regions_{channel}") if channel else workspace.regions


def read_region_books(path: Path) -> dict[str, RegionBook]:
    """The books of an earlier stage."""
    return read_entries(path, RegionBook)


def _drawn(card: Card) -> tuple[str, ...]:
    """Variables whose distributions in a region are drawn."""
    if card.plotting.variables:
        return card.plotting.variables
    return tuple(card.binned) if len(card.binned) <= _FEW_VARIABLES else ()


def _read(card: Card, workspace: Workspace, channel: str, blinded: Region | None) -> _Sample:
    columns, datasets = workspace.columns / channel, card.of_kind("simulation")
    regions = regions_from_card(card.regions).values()
    wanted = {cut.variable for found in regions for cut in found.cuts}
    wanted |= set(_drawn(card))
    wanted &= set(stored_columns(columns, datasets))
    table = read_events(columns, datasets, ["gen_weight", *sorted(wanted)])
    scale = table.per_dataset(scale_of(workspace))
    process = table.per_dataset({name: card.datasets[name].process for name in table.datasets})
    simulated = [name for name, entry in card.processes.items() if entry.kind == "simulation"]
    data = None
    if card.of_kind("data"):
        data = read_events(columns, card.of_kind("data"), sorted(wanted))
        data = data if blinded is None or not len(data) else data.select(~blinded.mask(data.columns))
    return _Sample(
        table,
        np.asarray(table["gen_weight"] * scale, np.float64),
        {name: process == name for name in simulated},
        np.unique(table.identity, return_inverse=True)[1].astype(np.int64),
        data,
    )


def _lumi(card: Card, found: Region) -> float | None:
    """Luminosity of the one era that a region is of; None where it is of several."""
    lumis = [era.lumi_ifb for era in card.eras.values()]
    places = {ERA: np.arange(len(lumis))}
    for cut in found.cuts:
        if cut.variable == ERA and cut.mask(places).sum() == 1:
            return lumis[int(np.argmax(cut.mask(places)))]
    return None


def _is_hidden(found: Region, hidden: Region | None) -> bool:
    """Whether a region is the one whose data are left out, or a part of it, such as one channel or era."""
    if hidden is None:
        return False
    own = {cut.variable: cut for cut in found.cuts}
    return all(cut.variable in own and _is_within(own[cut.variable], cut) for cut in hidden.cuts)


def _is_within(one: Cut, other: Cut) -> bool:
    """Whether all that one cut lets pass, another of the same variable does, too."""
    above = other.lower is None or (one.lower is not None and one.lower >= other.lower)
    return above and (other.upper is None or (one.upper is not None and one.upper <= other.upper))


def _inside(found: Region, table: EventTable | None) -> EventTable | None:
    """The events of a region; None where there is no data at all."""
    return table if table is None or not len(table) else table.select(found.mask(table.columns))


def _distribution(
    card: Card, found: Region, variable: str, sample: _Sample, data: EventTable | None
) -> Distribution:
    kept = found.mask(sample.table.columns)
    edges = _edges(card, variable, sample.table[variable][kept])
    counts = None if data is None else np.histogram(_at_most(data[variable], edges), edges)[0]
    return Distribution(
        edges=tuple(edges.tolist()),
        processes=_spectra(sample, variable, kept, edges),
        data=None if counts is None else tuple(counts.astype(np.float64).tolist()),
    )


def _at_most(values: NDArray[np.floating], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of which those beyond the last edge count in the last bin."""
    return np.asarray(np.minimum(values, np.nextafter(edges[-1], -np.inf)), np.float64)


def _n_minus_one(card: Card, found: Region, cut: Cut, sample: _Sample) -> NMinusOne:
    kept = found.n_minus_one(sample.table.columns, cut.variable)
    edges = _edges(card, cut.variable, sample.table[cut.variable][kept])
    spectra = _spectra(sample, cut.variable, kept, edges)
    return NMinusOne(limits=(cut.lower, cut.upper), edges=tuple(edges.tolist()), processes=spectra)


def _spectra(
    sample: _Sample, variable: str, kept: NDArray[np.bool_], edges: NDArray[np.float64]
) -> dict[str, tuple[Vector, Vector]]:
    """Process → Σw and Σw² of the kept events per bin."""
    values, found = sample.table[variable], {}
    for name, rows in sample.rows.items():
        chosen = kept & rows
        one = spectrum(values[chosen], sample.weight[chosen], edges, units=sample.units[chosen])
        found[name] = tuple(one.sumw.tolist()), tuple(np.diag(one.covariance).tolist())
    return found


def _edges(card: Card, variable: str, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bins of a variable; where it has none, equal ones over what its events hold."""
    if variable in card.binned:
        return comparison_edges(card.variables[variable], values)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    width = (high - low if high > low else 1.0) / _N_BINS
    # What lies beyond is nothing here, but the last bin stands for it everywhere.
    return np.asarray(low + width * np.arange(_N_BINS + 2), np.float64)


def _csv(flows: Mapping[str, Mapping[str, Cutflow]]) -> str:
    """One table of all regions, the region in the first column."""
    return "\n".join([*_csv_lines(flows), ""])


def _csv_lines(flows: Mapping[str, Mapping[str, Cutflow]]) -> Iterator[str]:
    for i, (name, by_process) in enumerate(flows.items()):
        head, *body = table_csv(by_process).splitlines()
        if i == 0:
            yield f"region,{head}"
        yield from (f"{name},{line}" for line in body)


def _latex(flows: Mapping[str, Mapping[str, Cutflow]]) -> str:
    """A tabular for each region."""
    return "\n".join(f"% region {name}\n{table_latex(by_process)}" for name, by_process in flows.items())
