"""What plain functions cost: against a plain coffea processor, varied, and against the shipped columns.

    python -m benchmarks.plugin --events 400000

CPU time of the process, files in the page cache, the contestants in turns. The file is synthetic and
NanoAOD-like; `agc` is the shipped `agc_ttbar`, `vh_ww` the shipped analysis, `port` its selection and 17
inputs as plain functions with the helpers of `processors.leading`.
"""

import argparse
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory
from rich.console import Console
from rich.table import Table

from benchmarks.plugin_port import PORT
from tests.processors.fixtures import events, vh_ww_processor, write_tree
from znought.analyses.agc_ttbar.analysis import ANALYSIS as AGC
from znought.analyses.agc_ttbar.analysis import Selection, objects, select
from znought.analysis import Cuts
from znought.facility.ntuples.runner import process_fileset
from znought.processors.columns import write_columns
from znought.processors.evaluated import Request
from znought.processors.hists import axes_of
from znought.processors.processor import AnalysisProcessor
from znought.processors.variations import VariationsConfig

BATCH = 100_000
FIVE = VariationsConfig(enabled=("jes", "jer", "lepton_scale", "met_soft", "btag"))


def generate(path: Path, n_events: int) -> None:
    """Write the file in batches of one basket per branch, leptons with the mass that coffea asks for."""
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        for start in range(0, n_events, BATCH):
            columns = events(min(BATCH, n_events - start), seed=start, first_event=start)
            for name in ("Electron", "Muon"):
                mass = ak.values_astype(ak.full_like(columns[name].pt, 0.1), np.float32)
                columns[name] = ak.with_field(columns[name], mass, "mass")
            if start == 0:
                types = {name: ak.type(ak.Array(values[:0])).content for name, values in columns.items()}
                file.mktree("Events", types)
            file["Events"].extend(columns)
        total = np.full(1, float(n_events))
        write_tree(
            file,
            "Runs",
            {"genEventCount": np.array([n_events]), "genEventSumw": total, "genEventSumw2": total},
        )


def seconds(processor: AnalysisProcessor, path: Path) -> float:
    """CPU seconds of a processor from opening the file to the closed ledger."""
    shutil.rmtree(processor.columns_directory or "", ignore_errors=True)
    started = time.process_time()
    process_fileset(None, {"toy": {"files": [str(path)]}}, processor, chunk_size=BATCH)
    return time.process_time() - started


def plainly(path: Path, columns: Path) -> float:
    """CPU seconds of the same functions on coffea's NanoEvents: cutflow, columns, and three histograms."""
    started = time.process_time()
    with uproot.open(path) as file:
        n_events = file["Events"].num_entries
    histograms = {axis.name: axis.histogram() for axis in axes_of(AGC.variables)}
    for start in range(0, n_events, BATCH):
        with uproot.open(path) as file:
            given = NanoEventsFactory.from_root(
                file,
                treepath="Events",
                entry_start=start,
                entry_stop=min(start + BATCH, n_events),
                schemaclass=NanoAODSchema,
                metadata={},
            ).events()
            _process(given, columns / f"{start}.parquet", histograms)
    return time.process_time() - started


def _process(given: Any, path: Path, histograms: dict[str, Any]) -> None:
    """One chunk as a plain processor does it."""
    for name in ("Electron", "Muon"):
        given[name, "isolation"] = given[name].pfRelIso03_all
        given[name, "is_tight"] = ak.ones_like(given[name].charge) > 0
    given["Jet", "is_good"] = ak.ones_like(given.Jet.btagDiscriminant) > 0
    given["Jet", "is_btagged"] = given.Jet.btagDiscriminant > 0.15
    found, cuts = objects(given, Selection()), Selection()
    alive, weight = np.ones(len(given), np.bool_), ak.to_numpy(given.genWeight)
    for mask in select(SimpleNamespace(**found), cuts).values():
        alive &= ak.to_numpy(mask)
        weight[alive].sum(), (weight[alive] ** 2).sum()
    some = SimpleNamespace(**{name: values[alive] for name, values in found.items()})
    columns = {
        v.name: ak.to_numpy(ak.fill_none(v.function(some), -1.0))
        for v in AGC.variables
        if v.function is not None
    }
    for name, values in columns.items():
        histograms[name].fill(values.astype(int) if name == "n_b" else values, weight=weight[alive])
    identity = {name: ak.to_numpy(given[name][alive]) for name in ("run", "luminosityBlock", "event")}
    write_columns({**identity, "gen_weight": weight[alive], **columns}, path, variation="nominal")


def _compare(path: Path, directory: Path) -> None:
    """Stop unless the port selects the events of the shipped analysis and agrees in every input."""
    tables = []
    for name, processor in (
        ("shipped", vh_ww_processor(directory / "shipped")),
        ("port", AnalysisProcessor(PORT, Request(Cuts()), str(directory / "port"))),
    ):
        seconds(processor, path)
        tables.append(pq.read_table(directory / name / "toy" / "nominal").to_pandas().sort_values("event"))
    shipped, port = tables
    if not np.array_equal(shipped["event"], port["event"]):
        raise SystemExit(f"{len(shipped)} events are selected by vh_ww, {len(port)} by its port")
    for variable in PORT.variable_names:
        np.testing.assert_allclose(shipped[variable], port[variable], rtol=2e-3, atol=2e-3, err_msg=variable)


def report(path: Path, directory: Path, repeats: int) -> None:
    """Measure in turns and print the table."""
    ours = str(directory / "columns")
    runs: dict[str, Callable[[], float]] = {
        "agc, plain coffea": lambda: plainly(path, directory / "plain"),
        "agc": lambda: seconds(AnalysisProcessor(AGC, Request(Selection()), ours), path),
        "agc, five variations": lambda: seconds(
            AnalysisProcessor(AGC, Request(Selection(), FIVE), ours), path
        ),
        "vh_ww": lambda: seconds(vh_ww_processor(ours), path),
        "port of vh_ww": lambda: seconds(AnalysisProcessor(PORT, Request(Cuts()), ours), path),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            spent = run()
            if turn:  # the first one imports and compiles
                times[name].append(spent)
    _compare(path, directory)
    middle = {name: median(spent) for name, spent in times.items()}
    table = Table(title=f"median of {repeats} turns")
    for heading in ("", "CPU s", "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    against = {"agc": "agc, plain coffea", "agc, five variations": "agc", "port of vh_ww": "vh_ww"}
    for name, spent in middle.items():
        ratio = f"{spent / middle[against[name]]:.2f} × {against[name]}" if name in against else ""
        table.add_row(name, f"{spent:.2f}", ratio)
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="keeps the files; a temporary one if not given")
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # cross-references that the file lacks
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.directory or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"plugin_{options.events}.root"
        if not path.exists():
            generate(path, options.events)
        report(path, directory, options.repeats)


if __name__ == "__main__":
    main()
