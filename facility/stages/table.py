"""Stage `process` of a table: own columns with labels and weights → columns by process, and their books."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from znought.analysis import Variable
from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.table import TableCard
from znought.facility.context import Context
from znought.facility.events.store import IDENTITY, write_parquet
from znought.facility.ntuples.flows import FlowEntry, FlowTable, flow_entry, write_cutflows
from znought.facility.ntuples.scales import DatasetScale, write_scales
from znought.facility.ntuples.skims import refuse_option
from znought.facility.results.ledger import DatasetAccount, Ledger, write_ledger
from znought.facility.workspace import write_json
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import WHOLE

__all__ = ["inputs", "take_table"]

ROWS = "in_table"
"""The one row of the cutflow."""
Columns = dict[str, NDArray[Any]]


def inputs(context: Context[TableCard]) -> object:
    """Beyond the card: the content of the table."""
    card, digest = context.card, hashlib.sha256()
    if card.frame is None:
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in _paths(card)]
    for name, values in _table(card).items():
        digest.update(name.encode() + np.asarray(values).astype(str).tobytes())
    return digest.hexdigest()


def take_table(context: Context[TableCard]) -> Iterable[Path]:
    """Writes the columns of every process; their weights are expected events already.

    Raises:
        CardError: a skim is asked for.
        DataError: a label that is no process of the card, a process without events, events that stand there
            twice, or a weight or variable that is no finite number.
    """
    card, workspace = context.card, context.workspace
    refuse_option(context)
    table = _table(card)
    labels = _labels(card, table)
    if not card.table.identity:
        context.reporter.remark("table: events are told apart by their rows (table.identity names columns).")
    written, flows = [], dict[str, FlowEntry]()
    for name in card.processes:
        columns = _process(card, context.analysis.variables, table, name, np.flatnonzero(labels == name))
        path = workspace.columns / name / "nominal" / "table.parquet"
        write_parquet(path, columns)
        written.append(path)
        weight = columns["gen_weight"]
        flow = Cutflow.filled((ROWS,), np.ones(len(weight), np.int64), weight)
        flows[name] = flow_entry(flow, datasets=[name])
    for stale in set(workspace.columns.rglob("*.parquet")) - set(written):
        stale.unlink()
    write_cutflows(workspace.cutflow, {WHOLE: FlowTable(cuts=(ROWS,), processes=flows)})
    write_ledger(workspace.ledger, _ledger(card, flows))
    write_scales(workspace.normalisation, {name: DatasetScale(scale=1.0) for name in card.processes})
    write_json(workspace.substitutes, {})
    return [*written, workspace.cutflow, workspace.ledger, workspace.normalisation, workspace.substitutes]


def _paths(card: TableCard) -> list[Path]:
    return [card.folder / name for name in card.table.files]


def _table(card: TableCard) -> Columns:
    """All columns of the table.

    Raises:
        DataError: a file that cannot be read.
    """
    if card.frame is not None:
        return {str(name): card.frame[name].to_numpy() for name in card.frame.columns}
    parts = []
    for path in _paths(card):
        try:
            parts.append(pq.read_table(path))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{path}: damaged or no parquet file ({' '.join(str(error).split())})."
            ) from error
    merged = pa.concat_tables(parts, promote_options="permissive")
    return {name: merged.column(name).to_numpy() for name in merged.column_names}


def _labels(card: TableCard, table: Columns) -> NDArray[np.str_]:
    """Process of every row.

    Raises:
        DataError: a label that is no process of the card.
    """
    labels = np.asarray(table[card.table.label]).astype(str)
    for name in np.unique(labels):
        if name not in card.processes:
            n_rows = int((labels == name).sum())
            found = unknown_name("process", str(name), card.processes)
            raise DataError(f"table.label: {n_rows:,} rows of column {card.table.label}: {found}")
    return labels


def _process(
    card: TableCard, variables: Iterable[Variable], table: Columns, name: str, rows: NDArray[np.int64]
) -> Columns:
    """Identity, weight and variables of one process."""
    if not rows.size:
        raise DataError(f"table: no row of column {card.table.label} is of the process {name!r} of the card.")
    is_data = card.processes[name].kind == "data"
    weight = (
        np.ones(rows.size) if is_data else _numbers(card.table.weight, name, table[card.table.weight][rows])
    )
    found = _identity(card, table, name, rows) | {"gen_weight": weight}
    for variable in variables:
        values = table[variable.name][rows]
        found[variable.name] = _numbers(variable.name, name, values, undefined=variable.undefined)
    return found


def _numbers(
    column: str, process: str, values: NDArray[Any], *, undefined: float | None = None
) -> NDArray[np.float64]:
    """Finite numbers of a column; None and NaN become `undefined`."""
    try:
        found = np.asarray(values, np.float64).copy()
    except (TypeError, ValueError) as error:
        raise DataError(f"table: column {column} of {process} holds no numbers.") from error
    if undefined is not None:
        found[np.isnan(found)] = undefined
    bad = int((~np.isfinite(found)).sum())
    if bad:
        where = f"{bad:,} of {found.size:,} rows of {process}"
        raise DataError(f"table: column {column} is null, NaN or infinite in {where}.")
    return found


def _identity(card: TableCard, table: Columns, name: str, rows: NDArray[np.int64]) -> Columns:
    """Run, block, number and response of every row."""
    given = card.table.identity
    zeros = np.zeros(rows.size, np.uint64)
    if not given:
        return dict.fromkeys(IDENTITY, zeros) | {"event": rows.astype(np.uint64)}
    columns = {}
    for target, column in zip(IDENTITY[3 - len(given) : 3], given, strict=True):
        values = np.asarray(table[column])[rows]
        if values.dtype.kind not in "iu" or values.min() < 0:
            raise CardError(f"table.identity: column {column} must hold whole numbers from 0 on.")
        columns[target] = values.astype(np.uint64)
    numbers = np.stack(list(columns.values()), axis=1)
    n_twice = rows.size - len(np.unique(numbers, axis=0))
    if n_twice:
        raise DataError(
            f"table: {n_twice:,} of {rows.size:,} events of {name} stand there twice by {', '.join(given)}, "
            "and would count twice."
        )
    return dict.fromkeys(IDENTITY, zeros) | columns


def _ledger(card: TableCard, flows: dict[str, FlowEntry]) -> Ledger:
    """The books as later stages read them: every row was read."""
    is_data = {name: process.kind == "data" for name, process in card.processes.items()}
    datasets = {
        name: DatasetAccount(is_data=is_data[name], files=max(len(card.table.files), 1), events=flow.raw[0])
        for name, flow in flows.items()
    }
    lumi = card.lumi_ifb if any(is_data.values()) else None
    return Ledger(rounds=1, data_lumi_ifb=lumi, datasets=datasets)
