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
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.stats.binning import PLAIN, BinningResult, Constraints, evaluate, greedy, optimal

MC_ERROR = 0.2
"""Largest relative MC error of the background in a bin, for both searches."""
Sample = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]


def sample(n_events: int) -> Sample:
    """Weighted signal and background in [0, 1], in random order; some weights are negative."""
    rng = np.random.default_rng(1)
    is_signal = rng.random(n_events) < 0.5
    scores = np.where(is_signal, rng.beta(4, 2, n_events), rng.beta(2, 3, n_events)).astype(np.float32)
    weights = np.where(is_signal, 400.0, 80_000.0) / n_events * rng.normal(1.0, 0.5, n_events)
    return scores, weights, is_signal


def timed(call: Callable[[], BinningResult], repeat: int) -> tuple[float, float, BinningResult]:
    """Best wall and CPU seconds of a few calls: the machine may be busy."""
    wall, cpu = [], []
    for _ in range(repeat):
        start, start_cpu = time.perf_counter(), time.process_time()
        result = call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - start_cpu)
    return min(wall), min(cpu), result


def scaling(sizes: list[int], repeat: int) -> Table:
    table = Table(
        "events", "search", "constraints", "seconds", "CPU s", "ns / event", "bins", "Z0", title="Whole call"
    )
    for n_events in sizes:
        columns = sample(n_events)
        for name, rules in (("the talk's", PLAIN), ("MC stat.", Constraints())):
            for search in (greedy, optimal):
                seconds, cpu, result = timed(partial(search, *columns, constraints=rules), repeat)
                numbers = [f"{seconds:.2f}", f"{cpu:.2f}", f"{1e9 * seconds / n_events:.0f}"]
                bins = str(result.edges.size - 1)
                table.add_row(f"{n_events:,}", search.__name__, name, *numbers, bins, f"{result.z_total:.4f}")
    return table


def beside_gato(python: str, n_events: int, epochs: int, bins: list[int], repeat: int) -> Table:
    title = f"gato-hep's 1-D data, {n_events:,} events"
    table = Table("bins", "", "seconds", "MC error", "Z tuned", "Z held out", title=title)
    with tempfile.TemporaryDirectory() as directory:
        script = Path(__file__).with_name("binning_gato.py")
        options = {"--events": n_events, "--epochs": epochs, "--mc-error": MC_ERROR}
        words = [str(word) for option in options.items() for word in option]
        subprocess.run([python, str(script), directory, *words, "--bins", *map(str, bins)], check=True)
        tuned_on, held_out = (load(Path(directory) / f"{name}.npz") for name in ("tuned_on", "held_out"))
        for entry in json.loads((Path(directory) / "gato.json").read_text()):
            rules = replace(PLAIN, max_bins=entry["n_bins"], max_relative_mc_error_background=MC_ERROR)
            call = partial(optimal, *tuned_on, lower=0.0, min_yield=0.0, sigma_rel=0.0, constraints=rules)
            seconds, _, ours = timed(call, repeat)
            for name, took, edges in (
                (f"gato-hep, {epochs} epochs", entry["seconds"], entry["edges"]),
                ("optimal", seconds, ours.edges),
            ):
                tuned, quoted = (evaluate(*part, edges, sigma_rel=0.0) for part in (tuned_on, held_out))
                worst = f"{tuned.relative_mc_error_background.max():.2f}"
                z = (f"{tuned.z_total:.4f}", f"{quoted.z_total:.4f}")
                table.add_row(str(entry["n_bins"]), name, f"{took:.2f}", worst, *z)
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
