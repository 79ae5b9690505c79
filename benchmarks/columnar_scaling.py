"""Overhead of small chunks, cost and memory on long datasets, and what a second worker brings.

    python -m benchmarks.columnar_scaling --directory /a/disk/with/5/GB
    python -m benchmarks.columnar_scaling --directory /a/disk/with/13/GB --files 50 --only cost

Set OMP_NUM_THREADS=1 and leave the machine alone: the times are wall times. The files are those of
benchmarks/columnar.py, copied under identities of their own.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median

import uproot
from distributed import Client, LocalCluster
from rich.console import Console

from benchmarks.columnar import generate
from tests.processors.fixtures import vh_ww_processor
from znought.facility.ntuples.runner import process_fileset

CHUNK = 100_000
SMALL = 100
PER_FILE = 1_000_000

COUNTS = (1, 3, 10, 30, 50)
"""Files of which the cost is measured, as far as there are so many."""

_ALONE = """
import json, resource, sys
from benchmarks.columnar_scaling import timed
timed(None, sys.argv[2:3], sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF)
timed(None, sys.argv[2:], sys.argv[1])
after = resource.getrusage(resource.RUSAGE_SELF)
used = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
print(json.dumps([*used, after.ru_maxrss / 1024]))
"""


def copies(original: Path, n_files: int) -> list[str]:
    """The file and copies of it, each with an identity of its own: the same twice would be refused."""
    with uproot.open(original) as file:
        identity = file.file.uuid.bytes
    head = original.open("rb").read(100)
    place = head.index(identity)
    paths = [original]
    for i in range(1, n_files):
        copy = original.with_name(f"{original.stem}_{i}.root")
        shutil.copyfile(original, copy)
        with copy.open("r+b") as content:
            content.seek(place)
            content.write(uuid.uuid4().bytes)
        paths.append(copy)
    return [str(path) for path in paths]


def timed(client: Client | None, files: list[str], directory: str, chunk_size: int = CHUNK) -> float:
    """Seconds to process the files with columns, from looking at them to the closed ledger."""
    columns = Path(directory, "columns")
    shutil.rmtree(columns, ignore_errors=True)
    processor = vh_ww_processor(columns)
    started = time.perf_counter()
    process_fileset(client, {"toy": {"files": files}}, processor, chunk_size=chunk_size)
    return time.perf_counter() - started


def alone(files: list[str], directory: str) -> tuple[float, float, float]:
    """CPU seconds of a fresh, warm process and of the system for it, and its peak memory in MB."""
    command = [sys.executable, "-c", _ALONE, directory, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    user, system, peak = json.loads(done.stdout)
    return float(user), float(system), float(peak)


def overhead_ms(client: Client | None, path: str, directory: str) -> float:
    """Milliseconds that each of the small chunks costs beyond its events."""
    large = timed(client, [path], directory)
    small = timed(client, [path], directory, chunk_size=SMALL)
    return 1e3 * (small - large) / (PER_FILE // SMALL)


def speed_up(files: list[str], directory: str, repeats: int) -> tuple[float, float]:
    """Events per second of one worker and of two, in turns."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for n_workers, found in rates.items():
            with (
                LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
                Client(cluster) as client,
            ):
                timed(client, files[:n_workers], directory)  # imports and warms up
                found.append(len(files) * PER_FILE / timed(client, files, directory))
    return median(rates[1]), median(rates[2])


def print_overhead(console: Console, path: str, directory: str) -> None:
    """What a small chunk costs, here and on a cluster."""
    here = overhead_ms(None, path, directory)
    console.print(f"each of {PER_FILE // SMALL:,} chunks, in this process: {here:.2f} ms")
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        timed(client, [path], directory)
        there = overhead_ms(client, path, directory)
    console.print(f"each of {PER_FILE // SMALL:,} chunks, on a cluster of one worker: {there:.2f} ms")


def print_cost(console: Console, files: list[str], directory: str) -> None:
    """CPU time an event and memory, of more and more events."""
    for count in (count for count in COUNTS if count <= len(files)):
        user, system, peak = alone(files[:count], directory)
        each = [1e6 * seconds / (count * PER_FILE) for seconds in (user, system)]
        console.print(
            f"{count} M events: {user + system:.2f} CPU s, {each[0]:.4f} + {each[1]:.4f} µs an event for the "
            f"process and the system, {peak:.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, help="for the files; a temporary one if not given")
    parser.add_argument("--files", type=int, default=20, help="most files of a million events for the cost")
    parser.add_argument("--scaling-files", type=int, default=12, help="files for one worker against two")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["overhead", "cost", "workers"], help="one part alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        original = Path(directory, "toy.root")
        generate(original, PER_FILE)
        files = copies(original, max(options.files, options.scaling_files))
        console = Console(width=100)
        if options.only in (None, "overhead"):
            print_overhead(console, files[0], directory)
        if options.only in (None, "cost"):
            print_cost(console, files[: options.files], directory)
        if options.only in (None, "workers"):
            single, double = speed_up(files[: options.scaling_files], directory, options.repeats)
            console.print(f"one worker, {options.scaling_files} M events: {single:,.0f} events/s")
            console.print(f"two workers: {double:,.0f} events/s (× {double / single:.2f})")


if __name__ == "__main__":
    main()
