"""Time and memory of the client's stages against the number of selected rows.

    python -m benchmarks.rows CARD OUTPUT --rows 100000 1000000 --stages repeats optimise fit

The simulated rows of a finished run are repeated under event numbers of their own, in a folder that is
removed afterwards; data stay as they are. The weight of an event is shared among its copies, each times an
exponential number, so that they have the noise of a sample of that size. Each stage runs in a
process of its own; `repeats` is the search for events that are there twice, with which `process` ends.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from znought.facility.cards.reading import load_with_analysis
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context, RunOptions
from znought.facility.events.store import IDENTITY
from znought.facility.flow import Stage
from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.ntuples.repeats import refuse_repeats
from znought.facility.pipeline import flow_of
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace
from znought.identity import uniform

APART = 10**9
TOGETHER = 50
ROWS = ("columns", "scores", "scores_boosting")
LEFT_OUT = {"manifest.json", "figures", "ntuples"}


def repeated(output: Path, target: Path, n_rows: int, *, data: tuple[str, ...], nominal: bool) -> int:
    """Fills a folder with a run of at least so many simulated rows; nominal rows in it.

    Args:
        output: of the finished run.
        target: the folder.
        n_rows: of the nominal.
        data: datasets that are not repeated.
        nominal: leave the variations out.
    """
    shutil.copytree(
        output,
        target,
        ignore=lambda folder, names: [
            name
            for name in names
            if name.endswith(".parquet") or (Path(folder) == output and name in LEFT_OUT)
        ],
    )
    files = [path for name in ROWS for path in sorted((output / name).rglob("*.parquet"))]
    files = [path for path in files if not nominal or path.parent.name == "nominal"]
    simulated = [path for path in files if path.parent.parent.name not in data]
    central = [path for path in simulated if (path.parts[-4], path.parts[-2]) == ("columns", "nominal")]
    held: int = sum(pq.ParquetFile(path).metadata.num_rows for path in central)
    factor = -(-n_rows // held)
    for path in files:
        table = pq.read_table(path, partitioning=None)
        n_copies = factor if path in simulated else 1
        for first in range(0, n_copies, TOGETHER):
            copies = range(first, min(first + TOGETHER, n_copies))
            place = target / path.relative_to(output).with_stem(f"{path.stem}_{first}")
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.concat_tables([_copy(table, i, n_copies) for i in copies]), place)
    return factor * held


def _copy(table: pa.Table, number: int, n_copies: int) -> pa.Table:
    """The rows under other event numbers, with their share of the weight."""
    if n_copies == 1:
        return table
    table = _with(table, "event", pc.add(table["event"], pa.scalar(number * APART, pa.uint64())))
    place = uniform(*(table[name].to_numpy() for name in IDENTITY[:3]), salt="rows")
    share = pa.array(-np.log1p(-place) / n_copies)
    for name in table.column_names:
        if "_weight" in name:
            table = _with(table, name, pc.multiply(table[name], share))
    return table


def _with(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """The table with another column of this name."""
    return table.set_column(table.column_names.index(name), name, values)


def run_stage(card: Path, output: Path, name: str) -> dict[str, float]:
    """CPU seconds and most memory of one stage, in MiB, beside what its imports take."""
    read, found = load_with_analysis(card)
    assert isinstance(read, StandardCard)
    context = Context(read, Workspace(output), RunOptions(), Silent(), lambda: None, found)  # type: ignore[arg-type, return-value]  # no cluster
    work: dict[str, Callable[[], object]] = {
        stage.name: partial(_worked, stage, context) for stage in flow_of(context).stages
    }
    variables = [variable.name for variable in context.analysis.variables]
    columns, simulated = context.workspace.columns, read.of_kind("simulation")
    work["repeats"] = partial(refuse_repeats, columns, simulated, variables, is_data=False)
    forget_peak()
    before, start = peak_bytes() or 0, time.process_time()
    work[name]()
    peak = peak_bytes() or 0
    return {"cpu_s": time.process_time() - start, "imports_mib": before / 2**20, "peak_mib": peak / 2**20}


def _worked(stage: Stage, context: Context[StandardCard]) -> None:
    tuple(stage.work(context))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--stages", nargs="+", default=["optimise"])
    parser.add_argument("--directory", type=Path, help="for the rows; a temporary one if not given")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        found = run_stage(options.card, options.output, options.stages[0])
        print(json.dumps({name: round(value, 1) for name, value in found.items()}))  # noqa: T201
        return
    card, _ = load_with_analysis(options.card)
    assert isinstance(card, StandardCard)
    console = Console(width=120)
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            target = Path(directory, "output")
            nominal = not set(options.stages) & {"fit", "plot"}
            held = repeated(options.output, target, n_rows, data=card.of_kind("data"), nominal=nominal)
            for name in options.stages:
                command = [sys.executable, "-m", "benchmarks.rows", "--here", str(options.card), str(target)]
                done = subprocess.run([*command, "--stages", name], stdout=subprocess.PIPE, text=True)
                console.print(f"{held:,} rows, {name}: {done.stdout.strip()}", highlight=False)


if __name__ == "__main__":
    main()
