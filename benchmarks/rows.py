"""Time and memory of the client's stages against the number of selected rows.

    python -m benchmarks.rows CARD OUTPUT --rows 100000 1000000

The rows of a finished run are repeated under event numbers of their own, weights shared among them, in a
folder that is removed afterwards; each stage runs in a process of its own. `fit` fails on repeated
rows, whose noise is none (a singular matrix), and `validate` refuses repeated data.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.pipeline import flow_of
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace

APART = 10**9
TOGETHER = 50
ROWS = ("columns", "scores", "scores_boosting")
LEFT_OUT = shutil.ignore_patterns("manifest.json", "figures", "ntuples", "*.parquet")


def repeated(output: Path, target: Path, n_rows: int) -> int:
    """Fills a folder with a run of at least so many rows, all variations included; nominal rows in it."""
    shutil.copytree(output, target, ignore=LEFT_OUT)
    nominal = [pq.ParquetFile(path).metadata.num_rows for path in output.glob("columns/*/nominal/*.parquet")]
    factor = -(-n_rows // sum(nominal))
    for path in (path for name in ROWS for path in sorted((output / name).rglob("*.parquet"))):
        table = pq.read_table(path)
        for first in range(0, factor, TOGETHER):
            copies = range(first, min(first + TOGETHER, factor))
            place = target / path.relative_to(output).with_stem(f"{path.stem}_{first}")
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.concat_tables([_copy(table, i, factor) for i in copies]), place)
    return factor * sum(nominal)


def _copy(table: pa.Table, number: int, factor: int) -> pa.Table:
    """The rows under other event numbers, with their share of the weight."""
    for i, name in enumerate(table.column_names):
        column = table.column(name)
        if name == "event":
            shifted = pc.add(column, pa.scalar(number * APART, column.type))
            table = table.set_column(i, name, shifted)
        elif "_weight" in name:
            table = table.set_column(i, name, pc.divide(column, pa.scalar(factor, column.type)))
    return table


def run_stage(card: Path, output: Path, name: str) -> dict[str, float]:
    """Seconds and most memory of one stage, in MiB, beyond what its imports take."""
    read, found = load_with_analysis(card)
    context = Context(read, Workspace(output), RunOptions(), Silent(), lambda: None, found)  # type: ignore[arg-type, return-value]  # no cluster
    stage = next(stage for stage in flow_of(context).stages if stage.name == name)
    forget_peak()
    before, start = peak_bytes() or 0, time.process_time()
    tuple(stage.work(context))
    peak = peak_bytes() or 0
    return {"cpu_s": time.process_time() - start, "imports_mib": before / 2**20, "peak_mib": peak / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000])
    parser.add_argument("--stages", nargs="+", default=["optimise"])
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        found = run_stage(options.card, options.output, options.stages[0])
        print(json.dumps({name: round(value, 1) for name, value in found.items()}))  # noqa: T201
        return
    console = Console(width=120)
    for n_rows in options.rows:
        with tempfile.TemporaryDirectory() as directory:
            target = Path(directory, "output")
            held = repeated(options.output, target, n_rows)
            for name in options.stages:
                command = [sys.executable, "-m", "benchmarks.rows", "--here", str(options.card), str(target)]
                done = subprocess.run([*command, "--stages", name], stdout=subprocess.PIPE, text=True)
                console.print(f"{held:,} rows, {name}: {done.stdout.strip()}", highlight=False)


if __name__ == "__main__":
    main()
