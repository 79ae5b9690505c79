"""What the cuts of each region leave, and what each cut alone removes, per process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from znought.facility.axes import comparison_edges
from znought.facility.books import FlowEntry, flow_entry
from znought.facility.card_base import Card
from znought.facility.store import EventTable, read_events
from znought.facility.workspace import Workspace, read_json, write_json, write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.regions import Cut, Region, regions_from_card
from znought.stats.agreement import spectrum

__all__ = ["NMinusOne", "RegionBook", "read_region_books", "region_books", "write_region_books"]

_N_BINS = 30
Vector = tuple[float, ...]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NMinusOne(_Record):
    """A variable after every cut of the region but its own; the last bin holds everything beyond.

    Attributes:
        limits: lower and upper limit of its cut.
        edges: bin edges.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin.
    """

    limits: tuple[float | None, float | None]
    edges: Vector
    processes: dict[str, tuple[Vector, Vector]]


class RegionBook(_Record):
    """One region.

    Attributes:
        cuts: "preselection", then the variable of each cut.
        processes: process → what is left after each of them.
        n_minus_one: by variable.
    """

    cuts: tuple[str, ...]
    processes: dict[str, FlowEntry]
    n_minus_one: dict[str, NMinusOne]


@dataclass(frozen=True)
class _Sample:
    """All simulated events after the preselection.

    Attributes:
        weight: expected events per row.
        rows: process → which rows are of it.
        units: integer of the generated event behind every row.
    """

    table: EventTable
    weight: NDArray[np.float64]
    rows: Mapping[str, NDArray[np.bool_]]
    units: NDArray[np.int64]


def region_books(card: Card, workspace: Workspace) -> tuple[dict[str, RegionBook], dict[str, str]]:
    """The books of every region of the card, and the same cutflows as CSV and LaTeX.

    Simulation alone: what the cuts leave of data in the signal region is blinded.

    Returns:
        Region → book; file ending → text.
    """
    regions = regions_from_card(card.regions)
    sample = _read(card, workspace, {cut.variable for found in regions.values() for cut in found.cuts})
    books, flows = {}, {}
    for name, found in regions.items():
        flows[name] = {
            process: found.cutflow(sample.table.select(rows).columns, sample.weight[rows])
            for process, rows in sample.rows.items()
        }
        books[name] = RegionBook(
            cuts=next(iter(flows[name].values())).names,
            processes={process: flow_entry(flow) for process, flow in flows[name].items()},
            n_minus_one={cut.variable: _n_minus_one(card, found, cut, sample) for cut in found.cuts},
        )
    return books, {".csv": _csv(flows), ".tex": _latex(flows)}


def write_region_books(path: Path, books: Mapping[str, RegionBook], tables: Mapping[str, str]) -> list[Path]:
    """Writes the books as JSON, and the tables beside them."""
    write_json(path, {name: book.model_dump(mode="json") for name, book in books.items()})
    for ending, text in tables.items():
        write_text(path.with_suffix(ending), text)
    return [path, *(path.with_suffix(ending) for ending in tables)]


def read_region_books(path: Path) -> dict[str, RegionBook]:
    """The books of an earlier stage."""
    return {name: RegionBook.model_validate(book) for name, book in read_json(path).items()}


def _read(card: Card, workspace: Workspace, variables: set[str]) -> _Sample:
    table = read_events(workspace.columns, card.of_kind("simulation"), ["gen_weight", *sorted(variables)])
    entries = read_json(workspace.normalisation)
    scale = table.per_dataset({name: entries[name]["scale"] for name in table.datasets})
    process = table.per_dataset({name: card.datasets[name].process for name in table.datasets})
    simulated = [name for name, entry in card.processes.items() if entry.kind == "simulation"]
    return _Sample(
        table,
        np.asarray(table["gen_weight"] * scale, np.float64),
        {name: process == name for name in simulated},
        np.unique(table.identity, return_inverse=True)[1].astype(np.int64),
    )


def _n_minus_one(card: Card, found: Region, cut: Cut, sample: _Sample) -> NMinusOne:
    values = sample.table[cut.variable]
    kept = found.n_minus_one(sample.table.columns, cut.variable)
    edges = _edges(card, cut.variable, values[kept])
    processes = {}
    for name, rows in sample.rows.items():
        chosen = kept & rows
        one = spectrum(values[chosen], sample.weight[chosen], edges, units=sample.units[chosen])
        processes[name] = tuple(one.sumw.tolist()), tuple(np.diag(one.covariance).tolist())
    return NMinusOne(limits=(cut.lower, cut.upper), edges=tuple(edges.tolist()), processes=processes)


def _edges(card: Card, variable: str, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Bins of an input; of another column, equal ones over what its events hold."""
    if variable in card.binned:
        return comparison_edges(card.variables[variable], values)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    width = (high - low if high > low else 1.0) / _N_BINS
    # What lies beyond is nothing here, but the last bin stands for it everywhere.
    return np.asarray(low + width * np.arange(_N_BINS + 2), np.float64)


def _csv(flows: Mapping[str, Mapping[str, Cutflow]]) -> str:
    """One table of all regions, the region in the first column."""
    lines: list[str] = []
    for name, by_process in flows.items():
        head, *body = table_csv(by_process).splitlines()
        lines += [*([] if lines else [f"region,{head}"]), *(f"{name},{line}" for line in body)]
    return "\n".join([*lines, ""])


def _latex(flows: Mapping[str, Mapping[str, Cutflow]]) -> str:
    """A tabular for each region."""
    return "\n".join(f"% region {name}\n{table_latex(by_process)}" for name, by_process in flows.items())
