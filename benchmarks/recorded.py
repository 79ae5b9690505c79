"""CPU time of recorded data over that of simulation: certified, triggered and filtered events of `vh_ww`.

    python -m benchmarks.recorded --events 300000 --turns 5

writes two NanoAOD-like files of equal size with 62 trigger paths, and processes each as one chunk, in turns.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tests.processors.fixtures import events, write_nanoaod
from znought.analyses.vh_ww.analysis import ANALYSIS
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.processors.dialects.view import Entries
from znought.processors.evaluated import Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.quality.certification import read_certification
from znought.processors.quality.judged import CERTIFIED, CLEAN, TRIGGERED, Quality
from znought.processors.source import forget, kept_tree

N_PATHS = 62
FILTERS = ("Flag_a", "Flag_b", "Flag_c")


def main() -> None:
    """Prints median CPU seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        times = {kind: list[float]() for kind in ("simulation", "data")}
        chunks = {kind: _written(Path(name), kind, options.events) for kind in times}
        for _ in range(options.turns):
            for kind, (path, quality) in chunks.items():
                times[kind].append(_processed(path, kind, quality, options.events))
    found = {kind: median(values) for kind, values in times.items()}
    ratio = found["data"] / found["simulation"]
    sys.stdout.write(f"{found['simulation']:.2f} s simulation, {found['data']:.2f} s data: {ratio:.2f}\n")


def _written(folder: Path, kind: str, n_events: int) -> tuple[str, Quality]:
    """A file, and what its events must be to count: a tenth of the paths is asked for."""
    rng = np.random.default_rng(4)
    columns: dict[str, Any] = events(n_events, seed=3, is_data=kind == "data")
    columns |= {f"HLT_Path{i}_v2": rng.random(n_events) < 0.05 for i in range(N_PATHS)}
    columns |= {flag: rng.random(n_events) < 0.98 for flag in FILTERS}
    # A twentieth of the luminosity blocks is not certified.
    good = {"1": [[1, int(0.95 * columns["luminosityBlock"].max())]]}
    path = folder / f"{kind}.root"
    write_nanoaod(path, columns)
    (folder / "good.json").write_text(json.dumps(good))
    menu = {"first": ("HLT_Path1*_v*",), "second": ("HLT_Path2_v*", "HLT_Path3_v*")}
    return str(path), Quality(
        "2018",
        (CERTIFIED, TRIGGERED, CLEAN),
        read_certification(folder / "good.json") if kind == "data" else None,
        triggers=menu,
        primary_dataset="second" if kind == "data" else None,
        filters=FILTERS,
    )


def _processed(path: str, kind: str, quality: Quality, n_events: int) -> float:
    """CPU seconds of one chunk of a file that is opened anew."""
    forget(path)
    processor = AnalysisProcessor(ANALYSIS.for_workers, Request(VHWWSelection(), quality={kind: quality}))
    start = time.process_time()
    tree = kept_tree(path, "Events")
    metadata = {
        "dataset": kind,
        "filename": path,
        "fileuuid": tree.uuid,
        "is_data": kind == "data",
        "era": "2018",
    }
    processor.process(Entries(tree, 0, n_events, metadata))
    return time.process_time() - start


if __name__ == "__main__":
    main()
