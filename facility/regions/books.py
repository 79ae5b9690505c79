"""What the cuts of each region leave, and what each alone removes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from znought.analysis import ERA
from znought.facility.cards.base import Card
from znought.facility.ntuples.flows import FlowEntry, flow_entry
from znought.facility.regions.selected import (
    SelectedSample,
    conditions_of_region,
    edges_of,
    inside,
    is_hidden,
    read_selected,
)
from znought.facility.results.records import Record, read_entries
from znought.facility.workspace import Workspace, write_json, write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.evaluated import WHOLE
from znought.processors.regions import Cut, Region, regions_from_card

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
    sample = read_selected(card, workspace, wanted, channel=channel, hidden=hidden)
    books, flows = {}, {}
    for name, found in regions.items():
        flows[name] = {
            process: found.cutflow(sample.table.select(rows).columns, sample.weight[rows], sample.units[rows])
            for process, rows in sample.rows.items()
        }
        lumi, energy = conditions_of_region(card, found)
        data = None if is_hidden(found, hidden) else inside(found, sample.data)
        books[name] = RegionBook(
            cuts=next(iter(flows[name].values())).names,
            processes={process: flow_entry(flow) for process, flow in flows[name].items()},
            n_minus_one={
                cut.variable: _n_minus_one(card, found, cut, sample)
                for cut in found.cuts
                if cut.variable != ERA
            },
            data=None if data is None else float(len(data)),
            lumi_ifb=lumi,
            energy_tev=energy,
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


def still_blinded(card: Card, books: Mapping[str, RegionBook]) -> str | None:
    """The blinded region of a card, as long as the books of an earlier stage do not show its data."""
    name = card.blinded_region
    return None if name is None or (name in books and books[name].data is not None) else name


def _n_minus_one(card: Card, found: Region, cut: Cut, sample: SelectedSample) -> NMinusOne:
    kept = found.n_minus_one(sample.table.columns, cut.variable)
    edges = edges_of(card, cut.variable, sample.table[cut.variable][kept])
    spectra = sample.spectra(cut.variable, kept, edges)
    return NMinusOne(limits=(cut.lower, cut.upper), edges=tuple(edges.tolist()), processes=spectra)


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
