"""What client and scheduler cost for each chunk, with many workers that do nothing.

    python -m benchmarks.scheduler --chunks 10000 50000 100000

Client, scheduler and workers share one process, one for each number of chunks. `--measured` runs with and
without the measuring of `metrics.json`, in turns.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import dask
import numpy as np
import uproot
from distributed import Client, LocalCluster
from rich.console import Console

from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.metrics.meter import Meter
from znought.facility.ntuples.runner import process_fileset
from znought.processors.result import DatasetResult

MIB = 2**20
# Workers watch themselves a hundred times a second, which in one process hides all else; and two hundred of
# them take their time to start.
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.worker.memory.monitor-interval": "60s",
    "distributed.comm.timeouts.connect": "300s",
}


@dataclass(frozen=True)
class Nothing:
    """A processor that reads nothing and returns nothing."""

    reads_any_tree: bool = True
    refuse_substitutes: bool = False
    needs_complete_layout: bool = False

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """An empty result."""
        return {events.metadata["dataset"]: DatasetResult()}


def files(directory: Path, n_chunks: int, n_files: int) -> list[str]:
    """ROOT files of as many entries as there are to be chunks."""
    paths = []
    for number in range(n_files):
        path = directory / f"{number}.root"
        with uproot.recreate(path) as file:
            file["Events"] = {"x": np.zeros(n_chunks // n_files, np.float32)}
        paths.append(str(path))
    return paths


def timed(client: Client, paths: list[str], *, measured: bool) -> tuple[float, float]:
    """Wall and CPU seconds of a run with a chunk for each entry."""
    meter = Meter() if measured else None
    wall, cpu = time.perf_counter(), time.process_time()
    with meter or nullcontext():
        if meter is not None:
            meter.watch(client)
        process_fileset(client, {"toy": {"files": paths}}, Nothing(), chunk_size=1)
    found = None if meter is None else meter.metrics()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if found is not None:
        assert found.work is not None, "no task was measured"
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000])
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--measured", type=int, default=0, metavar="TURNS", help="with and without, so often")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(_run(options.chunks[0], options.files, options.workers, options.measured)))  # noqa: T201
        return
    console = Console(width=120)
    for n_chunks in options.chunks:
        command = [sys.executable, "-m", "benchmarks.scheduler", "--here", "--chunks", str(n_chunks)]
        command += ["--files", str(options.files), "--workers", str(options.workers)]
        command += ["--measured", str(options.measured)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        console.print(f"{n_chunks:,} chunks: {done.stdout.strip()}", highlight=False)


def _run(n_chunks: int, n_files: int, n_workers: int, turns: int) -> dict[str, float]:
    with (
        dask.config.set(_QUIET),
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            memory_limit="2GiB",
        ) as cluster,
        Client(cluster) as client,
    ):
        timed(client, files(Path(directory), 2 * n_workers, 2), measured=False)  # imports and warms up
        paths = files(Path(directory), n_chunks, n_files)
        forget_peak()
        before = peak_bytes() or 0
        wall, cpu = timed(client, paths, measured=False)
        found = {
            "wall_ms": 1e3 * wall / n_chunks,
            "cpu_ms": 1e3 * cpu / n_chunks,
            "before_mib": before / MIB,
            "peak_mib": (peak_bytes() or 0) / MIB,
        }
        pairs = [[timed(client, paths, measured=on)[1] for on in (False, True)] for _ in range(turns)]
        if pairs:
            found["measured_over_plain"] = median(on for _, on in pairs) / median(off for off, _ in pairs)
            found["spread"] = max(off for off, _ in pairs) / min(off for off, _ in pairs)
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
