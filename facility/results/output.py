"""What an existing processor returned, on disk: numbers in JSON, histograms in ROOT and UHI, columns."""

import json
from collections.abc import Mapping, MutableSet
from pathlib import Path
from typing import Any

import awkward as ak
import boost_histogram as bh
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uhi.io.json
import uproot
from hist import Hist

from znought.errors import DataError
from znought.facility.ntuples.account import remarks
from znought.facility.results.ledger import Ledger
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace, atomic_path, read_json, write_json, write_text
from znought.plots.report import ReportTable
from znought.processors.output import Output

__all__ = ["OutputResults", "output_tables", "read_output", "write_output"]

_MOST_AXES_IN_ROOT = 3


class OutputResults(Record):
    """The content of `results.json` after an existing processor.

    Attributes:
        origin: the card's keys that name processor and schema.
        title: of the card.
        events: dataset → events that were read.
        numbers: name → number, list of numbers or sorted set; None for one that is not finite.
        hists: name → sum of its bins without flow; they stand in `hists/output.root` and `output.uhi.json`.
        columns: name → number of rows of `columns/<name>.parquet`.
        notes: what a reader must know beside the numbers.
    """

    origin: dict[str, str]
    title: str
    events: dict[str, int]
    numbers: dict[str, Any]
    hists: dict[str, float]
    columns: dict[str, int]
    notes: tuple[str, ...] = ()


def write_output(
    output: Output, workspace: Workspace, *, origin: Mapping[str, str], title: str, ledger: Ledger
) -> tuple[list[Path], list[str]]:
    """Files of everything that a processor returned, and what a reader must know of them.

    Raises:
        DataError: a column that parquet cannot hold.
    """
    notes = remarks(ledger)
    hists = {name: Hist(found) for name, found in output.of_kind("hist").items()}
    numbers = {name: _number(name, found, notes) for name, found in output.of_kind("number").items()}
    tables = {name: _table(name, found) for name, found in output.of_kind("column").items()}
    written = [*_write_hists(workspace.hists, hists, notes), *_write_columns(workspace.columns, tables)]
    results = OutputResults(
        origin=dict(origin),
        title=title,
        events={name: entry.events for name, entry in ledger.datasets.items()},
        numbers=numbers,
        hists={name: float(np.sum(found.values())) for name, found in hists.items()},
        columns={name: table.num_rows for name, table in tables.items()},
        notes=tuple(notes),
    )
    write_json(workspace.results, results.model_dump(mode="json"))
    return [*written, workspace.results], notes


def read_output(path: Path) -> OutputResults:
    """Reads `results.json` of an existing processor.

    Raises:
        DataError: it does not exist or is damaged.
    """
    return OutputResults.model_validate(read_json(path))


def output_tables(results: OutputResults) -> tuple[ReportTable, ...]:
    """What the processor returned, as the closing table."""
    rows = [(name, "number", _shown(found)) for name, found in results.numbers.items()]
    rows += [(name, "histogram", f"Σ = {total:,.6g}") for name, total in results.hists.items()]
    rows += [(name, "column", f"{n_rows:,} rows") for name, n_rows in results.columns.items()]
    events = ", ".join(f"{name} {n_events:,}" for name, n_events in results.events.items())
    title = results.title or results.origin["processor"]
    caption = f"Events read: {events}. {' '.join(results.notes)}".rstrip()
    return (ReportTable(f"{title}: output", ("name", "kind", "content"), tuple(rows), caption),)


def _shown(found: Any) -> str:
    if isinstance(found, list):
        return f"{len(found)} entries"
    return "not finite" if found is None else f"{found:,.6g}"


def _number(name: str, found: Any, notes: list[str]) -> Any:
    """A number, an array of them, or a set, as JSON holds it."""
    if isinstance(found, MutableSet):
        return sorted((item.item() if isinstance(item, np.generic) else item for item in found), key=str)
    values = np.array(found)
    finite = np.isfinite(values)
    if finite.all():
        return values.tolist()
    notes.append(f"{name} is not finite, which JSON cannot hold: null stands for it.")
    values = values.astype(object)
    values[~finite] = None
    return values.tolist()


def _table(name: str, found: Any) -> pa.Table:
    """A column as a table of one column, which has the last part of its name."""
    values = found if isinstance(found, list) else found.value
    try:
        if isinstance(values, ak.Array):
            array = ak.to_arrow(values, extensionarray=False)
        else:
            array = pa.array(values if isinstance(values, list) or values.ndim == 1 else list(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"output {name!r} is a column that parquet cannot hold: {reason}.") from error
    return pa.table({name.rpartition("/")[2]: array})


def _write_columns(folder: Path, tables: Mapping[str, pa.Table]) -> list[Path]:
    """One parquet file for each column; those that an earlier run left are removed."""
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for stale in set(folder.rglob("*.parquet")) - set(paths.values()):
        stale.unlink()
    for name, table in tables.items():
        with atomic_path(paths[name]) as temporary:
            pq.write_table(table, temporary)
    return list(paths.values())


def _write_hists(folder: Path, hists: Mapping[str, Hist[Any]], notes: list[str]) -> list[Path]:
    """All histograms in one ROOT file, and as the universal histogram format has them in JSON."""
    if not hists:
        return []
    root, text = folder / "output.root", folder / "output.uhi.json"
    with atomic_path(root) as temporary, uproot.recreate(temporary) as file:
        for name, found in hists.items():
            if found.ndim > _MOST_AXES_IN_ROOT:
                notes.append(f"{name} has {found.ndim} axes, ROOT at most 3: it stands in {text.name} alone.")
            else:
                file[name] = _in_floats(found)
    write_text(text, json.dumps(dict(hists), default=uhi.io.json.default) + "\n")
    return [root, text]


def _in_floats(found: Hist[Any]) -> Hist[Any]:
    """A histogram of whole numbers in floating-point ones, which ROOT files hold."""
    if not isinstance(found.view(flow=True), np.ndarray) or found.view(flow=True).dtype.kind == "f":
        return found
    if found.view(flow=True).dtype.names is not None:
        return found
    copy: Hist[Any] = Hist(*found.axes, storage=bh.storage.Double())
    copy.view(flow=True)[...] = found.values(flow=True)
    return copy
