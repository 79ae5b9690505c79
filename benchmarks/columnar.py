"""Events per CPU second of the processor, of RDataFrame, and of reading alone; and that the first two agree.

    python -m benchmarks.columnar --root-python /path/to/an/environment/with/root/bin/python

One core each: set OMP_NUM_THREADS=1. CPU time of the process, all threads, files in the page cache; the
contestants take turns, so that a noisy machine is noisy for all.
PyPI's `root` (ROOT 6.40) lives in an environment of its own. The file is synthetic and NanoAOD-like:
random leptons and jets, one event in eight passes.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from statistics import median
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import uproot
from rich.console import Console
from rich.table import Table

from tests.processors.fixtures import events, vh_ww_processor, write_tree
from znought.analyses.vh_ww.variables import FEATURES, VARIABLES
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.dialects import DIALECTS
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.reading import Tree
from znought.processors.source import open_options
from znought.processors.variations import VariationsConfig

BATCH = 100_000
FIVE = VariationsConfig(enabled=("jes", "jer", "lepton_scale", "met_soft", "btag"))


def generate(path: Path, n_events: int) -> None:
    """Write the file in batches of one basket per branch."""
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        for start in range(0, n_events, BATCH):
            columns = events(min(BATCH, n_events - start), seed=start, first_event=start)
            if start == 0:
                types = {name: ak.type(ak.Array(values[:0])).content for name, values in columns.items()}
                file.mktree("Events", types)
            file["Events"].extend(columns)
        weights = np.full(1, float(n_events))
        counts = np.array([n_events])
        write_tree(file, "Runs", {"genEventCount": counts, "genEventSumw": weights, "genEventSumw2": weights})


def branches_read(present: Collection[str]) -> list[str]:
    """The branches that the processor reads: for a b-veto by weight all but the discriminant."""
    layout = DIALECTS["simulation"].layout(present)
    return [branch for name, branch in layout.branches.items() if name not in ("jet_btag", "jet_flavour")]


def read_only(path: Path) -> float:
    """CPU seconds to read the processor's branches with uproot, chunk by chunk."""
    started = time.process_time()
    with uproot.open(path, handler=uproot.source.file.MemmapSource) as file:
        tree = file["Events"]
        branches = branches_read(tree.keys())
        for start in range(0, tree.num_entries, BATCH):
            tree.arrays(branches, entry_start=start, entry_stop=start + BATCH, how=dict)
    return time.process_time() - started


def read_plainly(path: Path) -> float:
    """CPU seconds to read the same as the processor does: what its selection and inputs come on top of."""
    started = time.process_time()
    with uproot.open(path, **open_options(str(path))) as file:
        tree = Tree(file, "Events")
        branches = branches_read(tree.branches)
        for start in range(0, tree.n_entries, BATCH):
            tree.read(branches, start, min(start + BATCH, tree.n_entries))
    return time.process_time() - started


def processed(
    path: Path, columns: Path, variations: VariationsConfig | None = None
) -> tuple[float, RunResult]:
    """CPU seconds of the whole processor, from opening the file to the closed ledger."""
    shutil.rmtree(columns, ignore_errors=True)
    processor = vh_ww_processor(columns, variations=variations)
    started = time.process_time()
    result = process_fileset(None, {"toy": {"files": [str(path)]}}, processor, chunk_size=BATCH)
    return time.process_time() - started, result


def rdataframe(python: str, directory: Path, path: Path, repeats: int) -> list[float]:
    """CPU seconds of the compiled and warm loop of RDataFrame; the selected events are written beside it."""
    bins: dict[str, Any] = {variable.name: variable.bins for variable in VARIABLES}
    job = {
        "path": str(path),
        "directory": str(directory),
        "selected": str(directory / "rdataframe.root"),
        "names": list(FEATURES),
        "bins": [bins[name][0] for name in FEATURES],
        "lower": [bins[name][1] for name in FEATURES],
        "upper": [bins[name][2] for name in FEATURES],
        "repeats": repeats,
    }
    script = Path(__file__).with_name("columnar_rdataframe.py")
    done = subprocess.run(
        [python, str(script)], input=json.dumps(job), capture_output=True, text=True, check=True
    )
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])["seconds"]
    return seconds


def largest_difference(result: RunResult, selected: Path) -> tuple[int, dict[str, float]]:
    """Events in common, and the largest relative difference of each input and of the weight."""
    files = [file.path for file in result.results["toy"].columns if file.variation == NOMINAL]
    tables = [pq.read_table(path, partitioning=None) for path in files]
    ours: dict[str, Any] = {
        name: np.concatenate([table[name].to_numpy() for table in tables])
        for name in ("event", "gen_weight", *FEATURES)
    }
    with uproot.open(selected) as file:
        theirs = file["Selected"].arrays(["event", "weight", *FEATURES], library="np")
    first, second = np.argsort(ours["event"]), np.argsort(theirs["event"])
    if not np.array_equal(ours["event"][first], theirs["event"][second]):
        message = f"{len(first)} events selected here, {len(second)} by RDataFrame: not the same ones"
        raise SystemExit(message)
    theirs["gen_weight"] = theirs["weight"]
    worst = {}
    for name in ("gen_weight", *FEATURES):
        a, b = (np.asarray(x, np.float64) for x in (ours[name][first], theirs[name][second]))
        # Relative to the larger of the value and 1e-3, so that a separation of zero may round.
        worst[name] = float(np.max(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-3)))
    return len(first), worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--root-python", help="python of an environment with PyPI's `root`")
    parser.add_argument("--directory", type=Path, help="keeps the files; a temporary one if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        report(options, directory)


def report(options: argparse.Namespace, directory: Path) -> None:
    """Measure in turns, compare, and print the table."""
    path = directory / f"toy_{options.events}.root"
    if not path.exists():
        generate(path, options.events)
    seconds: dict[str, list[float]] = {"reading alone (uproot)": [], "reading alone (processor's)": []}
    seconds |= {"processor": [], "with 5 variations": []}
    read_only(path)
    _, result = processed(path, directory / "columns")
    for _ in range(options.repeats):
        seconds["reading alone (uproot)"].append(read_only(path))
        seconds["reading alone (processor's)"].append(read_plainly(path))
        seconds["processor"].append(processed(path, directory / "columns")[0])
        if options.root_python:
            times = rdataframe(options.root_python, directory, path, 1)
            seconds.setdefault("RDataFrame (-O3, warm)", []).extend(times)
        seconds["with 5 variations"].append(processed(path, directory / "varied", FIVE)[0])
    table = Table(title=f"{options.events:,} events, median of {options.repeats} turns")
    for heading in ("", "events / CPU s", "best", "time / reading", "time / processor"):
        table.add_column(heading, justify="left" if not heading else "right")
    reading, ours = median(seconds["reading alone (uproot)"]), median(seconds["processor"])
    for name, times in seconds.items():
        middle = median(times)
        rates = f"{options.events / middle:,.0f}", f"{options.events / min(times):,.0f}"
        table.add_row(name, *rates, f"{middle / reading:.2f}", f"{middle / ours:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(f"selected: {result.results['toy'].of(WHOLE).cutflows[NOMINAL].counts[-1]:,}")
    if options.root_python:
        common, worst = largest_difference(result, directory / "rdataframe.root")
        name = max(worst, key=lambda key: worst[key])
        console.print(f"{common:,} events in common; largest relative difference {worst[name]:.1e} ({name})")


if __name__ == "__main__":
    main()
