"""Time of the binning from unsorted arrays to edges, and gato-hep beside it on its own 1-D data.

    python benchmarks/binning.py
    python benchmarks/binning.py --gato /path/to/an/environment/with/gato-hep/bin/python

One core: set OMP_NUM_THREADS=1 and TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1. gato-hep needs
an older TensorFlow than znought, so it lives in an environment of its own.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.stats.binning import PLAIN, BinningResult, Constraints, evaluate, greedy, optimal

Sample = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]


def sample(n_events: int) -> Sample:
    """Weighted signal and background in [0, 1], in random order; some weights are negative."""
    rng = np.random.default_rng(1)
    is_signal = rng.random(n_events) < 0.5
    scores = np.where(is_signal, rng.beta(4, 2, n_events), rng.beta(2, 3, n_events)).astype(np.float32)
    weights = np.where(is_signal, 400.0, 80_000.0) / n_events * rng.normal(1.0, 0.5, n_events)
    return scores, weights, is_signal


def timed(call: Callable[[], BinningResult], repeat: int) -> tuple[float, BinningResult]:
    """Best of a few calls: the machine may be busy."""
    best = np.inf
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result


def scaling(sizes: list[int], repeat: int) -> Table:
    table = Table(
        "events", "search", "constraints", "seconds", "ns / event", "bins", "Z0", title="Whole call"
    )
    for n_events in sizes:
        columns = sample(n_events)
        for name, rules in (("the talk's", PLAIN), ("with MC-statistics bounds", Constraints())):
            for search in (greedy, optimal):
                seconds, result = timed(lambda s=search, r=rules, c=columns: s(*c, constraints=r), repeat)
                table.add_row(
                    f"{n_events:,}",
                    search.__name__,
                    name,
                    f"{seconds:.2f}",
                    f"{1e9 * seconds / n_events:.0f}",
                    str(result.edges.size - 1),
                    f"{result.z_total:.4f}",
                )
    return table


def beside_gato(python: str, n_events: int, epochs: int, bins: list[int], repeat: int) -> Table:
    table = Table(
        "bins", "", "seconds", "Z tuned", "Z held out", title=f"gato-hep's 1-D data, {n_events:,} events"
    )
    with tempfile.TemporaryDirectory() as directory:
        script = Path(__file__).with_name("binning_gato.py")
        numbers = ["--events", str(n_events), "--epochs", str(epochs), "--bins", *map(str, bins)]
        subprocess.run([python, str(script), directory, *numbers], check=True)
        tuned_on, held_out = (load(Path(directory) / f"{name}.npz") for name in ("tuned_on", "held_out"))
        for entry in json.loads((Path(directory) / "gato.json").read_text()):
            rules = Constraints(**{**vars(PLAIN), "max_bins": entry["n_bins"]})
            seconds, ours = timed(
                lambda r=rules: optimal(*tuned_on, lower=0.0, min_yield=0.0, sigma_rel=0.0, constraints=r),
                repeat,
            )
            for name, took, edges in (
                (f"gato-hep, {epochs} epochs", entry["seconds"], entry["edges"]),
                ("optimal", seconds, ours.edges),
            ):
                z = [evaluate(*part, edges, sigma_rel=0.0).z_total for part in (tuned_on, held_out)]
                table.add_row(str(entry["n_bins"]), name, f"{took:.2f}", f"{z[0]:.4f}", f"{z[1]:.4f}")
    return table


def load(path: Path) -> Sample:
    with np.load(path) as arrays:
        return arrays["scores"], arrays["weights"], arrays["is_signal"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--gato", metavar="PYTHON", help="interpreter of an environment with gato-hep")
    parser.add_argument("--gato-events", type=int, default=400_000)
    parser.add_argument("--gato-epochs", type=int, default=250)
    parser.add_argument("--gato-bins", type=int, nargs="+", default=[5, 10])
    arguments = parser.parse_args()
    console = Console()
    console.print(scaling(arguments.events, arguments.repeat))
    if arguments.gato:
        numbers = (arguments.gato_events, arguments.gato_epochs, arguments.gato_bins)
        console.print(beside_gato(arguments.gato, *numbers, arguments.repeat))


if __name__ == "__main__":
    main()
