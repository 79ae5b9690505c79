"""What measuring costs: the same files processed with and without `metrics.json`, in turns.

    python -m benchmarks.metrics --directory /a/disk/with/1/GB

CPU time of worker, client and scheduler together, median of the turns; the order changes from turn to turn.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from distributed import Client, LocalCluster
from rich.console import Console

from benchmarks.columnar import generate
from benchmarks.columnar_scaling import CHUNK, PER_FILE, copies, timed
from znought.facility.metrics.meter import Meter


def used(client: Client, files: list[str], directory: str, *, measured: bool) -> float:
    """CPU seconds to process the files."""

    def so_far() -> float:
        return time.process_time() + sum(client.run(time.process_time).values())

    with ExitStack() as stack:
        meter = stack.enter_context(Meter())
        if measured:
            meter.watch(client)
        before = so_far()
        timed(client, files, directory)
        seconds = so_far() - before
    assert not measured or meter.metrics().work, "nothing was measured"
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, help="for the files; a temporary one if not given")
    parser.add_argument("--files", type=int, default=3, help="files of a million events")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        original = Path(directory, "toy.root")
        generate(original, PER_FILE)
        files = copies(original, options.files)
        timed(client, files, directory)
        found: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(options.turns):
            for measured in (turn % 2 == 0, turn % 2 == 1):
                found[measured].append(used(client, files, directory, measured=measured))
    without, ratios = median(found[False]), [a / b for a, b in zip(found[True], found[False], strict=True)]
    console = Console(width=100)
    console.print(f"{options.files} M events in chunks of {CHUNK:,}: {without:.2f} CPU s without metrics")
    console.print(
        f"with them × {median(found[True]) / without:.4f}; median of the turns × {median(ratios):.4f}"
    )
    console.print(f"turns: {', '.join(f'{ratio:.3f}' for ratio in sorted(ratios))}", highlight=False)


if __name__ == "__main__":
    main()
