"""Scoring rates of one network: this package's Scorer, Keras' predict, and the bare matrix products.

    OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OPENBLAS_NUM_THREADS=1 \\
        python benchmarks/scoring.py

The Scorer's time holds scaling, checks and softmax; the others start from scaled inputs. With the
environment above every row uses one thread, without it all but the Scorer use every core.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.models import artefacts
from znought.models.folds import assign_folds
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingConfig, TrainingData
from znought.models.scoring import Scorer
from znought.models.training import train_fold

CLASSES = ("VH", "ggF", "VBF", "top", "Zjets", "WW")
FEATURES = tuple(f"feature_{index}" for index in range(17))
BATCH = 8192
OURS = "Scorer, one network"


def make_model(directory: Path) -> None:
    """Two folds of the default network after one epoch on a few events: enough to be timed."""
    random = np.random.default_rng(1)
    event = np.arange(20_000)
    class_index = random.integers(0, len(CLASSES), len(event))
    features = random.normal(size=(len(event), len(FEATURES))) + 0.3 * class_index[:, None]
    data = TrainingData(
        features=features.astype(np.float32),
        class_index=class_index,
        weights=np.ones(len(event)),
        fold=assign_folds(event * 0, event * 0, event, n_folds=2, salt="benchmark"),
        identity=event.astype(np.uint64),
    )
    network, training = (
        NetworkConfig(),
        TrainingConfig(n_folds=2, n_repeats=1, max_epochs=1, salt="benchmark"),
    )
    folds = [
        train_fold(data, fold, network, training, classes=CLASSES, feature_names=FEATURES)
        for fold in range(2)
    ]
    artefacts.save(
        directory, folds, network=network, training=training, classes=CLASSES, feature_names=FEATURES
    )


def best_times(actions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Shortest time of each action over a few rounds, all actions in every round, after a warm-up."""
    times: dict[str, list[float]] = {label: [] for label in actions}
    for action in actions.values():
        action()
    for _ in range(repeats):
        for label, action in actions.items():
            begin = time.perf_counter()
            action()
            times[label].append(time.perf_counter() - begin)
    return {label: min(values) for label, values in times.items()}


def matrix_products(scaled: NDArray[np.float32], kernels: list[NDArray[np.float32]]) -> Callable[[], None]:
    """The network's products alone, in buffers made once."""
    buffers = [np.empty((BATCH, kernel.shape[1]), np.float32) for kernel in kernels]

    def run() -> None:
        for start in range(0, len(scaled), BATCH):
            values = scaled[start : start + BATCH]
            for kernel, buffer in zip(kernels, buffers, strict=True):
                values = np.matmul(values, kernel, out=buffer[: len(values)])

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    features = np.random.default_rng(2).standard_normal((options.events, len(FEATURES)), dtype=np.float32)
    with tempfile.TemporaryDirectory() as name:
        make_model(Path(name))
        scorer, model = Scorer.load(name), artefacts.load_keras(Path(name), 0)
        scaled = scorer.manifest.scalers[0].transform(features)
    kernels = [layer.get_weights()[0] for layer in model.layers if hasattr(layer, "kernel")]
    few = scaled[: max(options.events // 50, 1)]
    times = best_times(
        {
            OURS: lambda: scorer.score_with(0, features),
            "model.predict": lambda: model.predict(few, verbose=0),
            f"model.predict, batch {BATCH}": lambda: model.predict(scaled, batch_size=BATCH, verbose=0),
            "matrix products alone": matrix_products(scaled, kernels),
        },
        options.repeats,
    )
    rates = {label: options.events / seconds for label, seconds in times.items()}
    rates["model.predict"] *= len(few) / options.events
    difference = np.abs(
        scorer.score_with(0, features) - model.predict(scaled, batch_size=BATCH, verbose=0)
    ).max()
    table = Table("", "thousand events/s", "relative to the Scorer")
    for label, rate in rates.items():
        table.add_row(label, f"{rate / 1e3:.0f}", f"{rate / rates[OURS]:.2f}")
    console = Console()
    console.print(table)
    console.print(f"largest difference of a score {difference:.1e}")


if __name__ == "__main__":
    main()
