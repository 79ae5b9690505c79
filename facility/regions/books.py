"""What the cuts of each region leave, and what each alone removes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.analysis import ERA
from znought.facility.cards.base import Card
from znought.facility.events.slices import slices
from znought.facility.events.store import EventTable
from znought.facility.ntuples.flows import FlowEntry, flow_entry
from znought.facility.regions.axes import aligned
from znought.facility.regions.selected import (
    SelectedSample,
    conditions_of_region,
    edges_of,
    has_bins,
    inside,
    is_hidden,
    is_integer,
    read_selected,
)
from znought.facility.results.records import Record, read_entries
from znought.facility.workspace import Workspace, write_json, write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.evaluated import WHOLE
from znought.processors.regions import Region, regions_from_card

__all__ = [
    "NMinusOne",
    "RegionBook",
    "read_region_books",
    "region_books",
    "regions_file",
    "still_blinded",
    "write_region_books",
]

Vector = tuple[float, ...]


class NMinusOne(Record):
    """A variable after every cut of the region but its own; the last bin holds everything beyond.

    Attributes:
        limits: lower and upper limit of its cut.
        edges: bin edges, the limits among them.
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
        lumi_ifb: that simulation stands at, where the region is of one era; None where it is the card's.
        energy_tev: centre-of-mass energy, where the region is of one era; None where it is the card's.
    """

    cuts: tuple[str, ...]
    processes: dict[str, FlowEntry]
    n_minus_one: dict[str, NMinusOne]
    data: float | None = None
    lumi_ifb: float | None = None
    energy_tev: float | None = None


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
    wanted = {cut.variable for found in regions.values() for cut in found.cuts}

    def samples() -> Iterator[SelectedSample]:
        for part in slices(workspace.columns / channel, card.of_kind("simulation")):
            yield read_selected(card, workspace, wanted, channel=channel, hidden=hidden, part=part)

    edges, sums = _edges(card, regions, samples), dict[str, _Sums]()
    for sample in samples():
        for name, found in regions.items():
            mine = _Sums.of(found, sample, edges[name])
            sums[name] = sums[name] + mine if name in sums else mine
    data = {
        name: None if is_hidden(one, hidden) else inside(one, sample.data) for name, one in regions.items()
    }
    books = {name: _book(card, found, sums[name], edges[name], data[name]) for name, found in regions.items()}
    flows = {name: one.flows for name, one in sums.items()}
    return books, {".csv": _csv(flows), ".tex": _latex(flows)}


@dataclass(frozen=True)
class _Sums:
    """What the simulated events of one region, or some of them, add to its book.

    Attributes:
        flows: process → cutflow.
        spectra: variable → process → Σw and Σw² by bin, shape (2, n_bins).
    """

    flows: dict[str, Cutflow]
    spectra: dict[str, dict[str, NDArray[np.float64]]]

    @classmethod
    def of(cls, found: Region, sample: SelectedSample, edges: Mapping[str, NDArray[np.float64]]) -> "_Sums":
        flows, spectra = {}, {}
        for process, rows in sample.rows.items():
            columns = sample.table.select(rows).columns
            flows[process] = found.cutflow(columns, sample.weight[rows], sample.units[rows])
        for variable, bins in edges.items():
            kept = found.n_minus_one(sample.table.columns, variable)
            sums = sample.spectra(variable, kept, bins)
            spectra[variable] = {process: np.asarray(one) for process, one in sums.items()}
        return cls(flows, spectra)

    def __add__(self, other: "_Sums") -> "_Sums":
        flows = {process: flow + other.flows[process] for process, flow in self.flows.items()}
        spectra = {
            variable: {process: sums + other.spectra[variable][process] for process, sums in one.items()}
            for variable, one in self.spectra.items()
        }
        return _Sums(flows, spectra)


def _edges(
    card: Card, regions: Mapping[str, Region], samples: Callable[[], Iterator[SelectedSample]]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Region → variable that it cuts on → bins, with the cut's limits among their edges.

    Bins of a variable without given ones by what its events hold; whole numbers have a bin each.
    """
    cut_on = {
        name: list(dict.fromkeys(cut.variable for cut in found.cuts if cut.variable != ERA))
        for name, found in regions.items()
    }
    ends: dict[tuple[str, str], list[np.floating]] = {
        (name, one): [] for name, variables in cut_on.items() for one in variables
    }
    free = [place for place in ends if not has_bins(card, place[1])]
    for sample in samples() if free else ():
        for name, variable in free:
            values = sample.table[variable][regions[name].n_minus_one(sample.table.columns, variable)]
            ends[name, variable] += [values.min(), values.max()] if values.size else []
    bins = {place: edges_of(card, place[1], np.asarray(values)) for place, values in ends.items()}
    return {
        name: {one: _with_limits(card, found, one, bins[name, one]) for one in cut_on[name]}
        for name, found in regions.items()
    }


def _with_limits(card: Card, found: Region, variable: str, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges so that no bin holds events on both sides of a cut on the variable."""
    if is_integer(card, variable):
        return edges
    for cut in found.cuts:
        if cut.variable == variable:
            low, high = cut.lower, cut.upper
            edges = aligned(edges, (-np.inf if low is None else low, np.inf if high is None else high))
    return edges


def _book(
    card: Card,
    found: Region,
    sums: _Sums,
    edges: Mapping[str, NDArray[np.float64]],
    data: EventTable | None,
) -> RegionBook:
    lumi, energy = conditions_of_region(card, found)
    limits = {cut.variable: (cut.lower, cut.upper) for cut in found.cuts}
    return RegionBook(
        cuts=next(iter(sums.flows.values())).names,
        processes={process: flow_entry(flow) for process, flow in sums.flows.items()},
        n_minus_one={
            variable: NMinusOne(
                limits=limits[variable],
                edges=tuple(bins.tolist()),
                processes={
                    process: (tuple(one[0].tolist()), tuple(one[1].tolist()))
                    for process, one in sums.spectra[variable].items()
                },
            )
            for variable, bins in edges.items()
        },
        data=None if data is None else float(len(data)),
        lumi_ifb=lumi,
        energy_tev=energy,
    )


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


def still_blinded(card: Card, books: Mapping[str, RegionBook]) -> str | None:
    """The blinded region of a card, as long as the books of an earlier stage do not show its data."""
    name = card.blinded_region
    return None if name is None or (name in books and books[name].data is not None) else name


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
