"""K-fold training on two one-thread workers against plain `keras.Model.fit` calls, side by side.

    python benchmarks/training.py --events 1000000 --epochs 3
    python benchmarks/training.py --events 5200000 --epochs 1 --skip-plain     # peak memory

Both sides train on the same events, weights, scaler and number of epochs, starting from nothing: the
times include imports, starting workers, compilation and export. The plain side may use every core.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from znought.models.evaluation import macro_auc
from znought.models.folds import assign_folds
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingConfig, TrainingData, prepare_fold

CLASSES = ("VH", "ggF", "VBF", "top", "Zjets", "WW")
FEATURES = tuple(f"feature_{index}" for index in range(17))
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class FoldResult:
    """What one fold cost and gave; `auc` is macro, on the scored fold."""

    fold: int
    auc: float
    seconds: float
    peak_gib: float


def make_data(n_events: int, n_folds: int) -> TrainingData:
    """Six overlapping classes in 17 inputs, with weights of both signs."""
    random = np.random.default_rng(1)
    class_index = random.integers(0, len(CLASSES), n_events)
    centres = random.normal(size=(len(CLASSES), len(FEATURES))).astype(np.float32) * np.float32(0.3)
    features = random.standard_normal((n_events, len(FEATURES)), dtype=np.float32)
    features *= np.float32(1.0) + np.float32(0.1) * class_index[:, None].astype(np.float32)
    features += centres[class_index]
    event = np.arange(n_events)
    return TrainingData(
        features=features,
        class_index=class_index,
        weights=np.where(random.random(n_events) < 0.05, -1.0, 1.0),
        fold=assign_folds(event * 0, event * 0, event, n_folds=n_folds, salt="benchmark"),
        identity=event.astype(np.uint64),
    )


def write(data: TrainingData, directory: Path) -> None:
    """One `.npy` per column, for other processes."""
    for name, values in vars(data).items():
        if values is not None:
            np.save(directory / f"{name}.npy", values)


def read(directory: Path) -> TrainingData:
    """Inverse of `write`."""
    return TrainingData(**{file.stem: np.load(file) for file in directory.glob("*.npy")})


def training_config(epochs: int, n_folds: int) -> TrainingConfig:
    """The default training, of a given length and without early stopping."""
    return TrainingConfig(
        n_folds=n_folds, test_fraction=0.0, max_epochs=epochs, patience=epochs, salt="benchmark"
    )


def train_on_worker(directory: Path, fold: int, epochs: int, n_folds: int) -> FoldResult:
    """Task of one worker: this package's training of one fold."""
    import onnxruntime

    from znought.models.training import train_fold

    begin = time.perf_counter()
    data, training = read(directory), training_config(epochs, n_folds)
    trained = train_fold(data, fold, NetworkConfig(), training, classes=CLASSES, feature_names=FEATURES)
    seconds = time.perf_counter() - begin
    rows = np.flatnonzero(data.fold == fold)[:200_000]
    session = onnxruntime.InferenceSession(trained.onnx_model, providers=["CPUExecutionProvider"])
    scaled = trained.scaler.transform(data.features[rows])
    scores = session.run(None, {session.get_inputs()[0].name: scaled})[0]
    auc = macro_auc(scores, data.class_index[rows], np.abs(data.weights[rows]))
    return FoldResult(fold, auc, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def train_plainly(directory: Path, epochs: int, n_folds: int) -> list[FoldResult]:
    """Five `fit` calls one after another, as the Keras documentation shows them."""
    import keras
    from keras import layers

    data, training, config = read(directory), training_config(epochs, n_folds), NetworkConfig()
    results = []
    for fold in range(n_folds):
        begin = time.perf_counter()
        sample = prepare_fold(data, fold, training, classes=CLASSES, feature_names=FEATURES)
        stack = [layers.Input((len(FEATURES),)), layers.GaussianNoise(config.input_noise)]
        for nodes in config.hidden_nodes:
            stack += [
                layers.Dense(nodes, activation="elu"),
                layers.BatchNormalization(),
                layers.GaussianNoise(config.hidden_noise),
            ]
        model = keras.Sequential([*stack, layers.Dense(len(CLASSES), activation="softmax")])
        model.compile(optimizer=keras.optimizers.Adam(config.learning_rate), loss="categorical_crossentropy")
        one_hot = np.eye(len(CLASSES), dtype=np.float32)
        model.fit(
            sample.train.features,
            one_hot[sample.train.class_index],
            sample_weight=sample.train.weights,
            batch_size=training.batch_size,
            epochs=epochs,
            validation_data=(sample.stop.features, one_hot[sample.stop.class_index], sample.stop.weights),
            verbose=0,
        )
        seconds = time.perf_counter() - begin
        rows = np.flatnonzero(data.fold == fold)[:200_000]
        scores = model.predict(sample.scaler.transform(data.features[rows]), batch_size=8192, verbose=0)
        auc = macro_auc(scores, data.class_index[rows], np.abs(data.weights[rows]))
        results.append(
            FoldResult(fold, auc, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
        )
    return results


def run_workers(directory: Path, epochs: int, n_folds: int, n_workers: int) -> list[FoldResult]:
    """All folds on a local Dask cluster of one-thread processes."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(
            {"distributed.nanny.pre-spawn-environ": ONE_THREAD, "distributed.worker.memory.terminate": False}
        ),
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=None, memory_limit="4GiB"
        ) as cluster,
        Client(cluster) as client,
    ):
        tasks = [
            client.submit(train_on_worker, directory, fold, epochs, n_folds, pure=False)
            for fold in range(n_folds)
        ]
        results: list[FoldResult] = client.gather(tasks)
        return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--plain-in", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain_in:
        import json

        results = train_plainly(options.plain_in, options.epochs, options.folds)
        (options.plain_in / "plain.json").write_text(json.dumps([asdict(result) for result in results]))
        return
    compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run both sides, one after the other, and print the table."""
    import json

    table = Table("", "wall time / s", "macro AUC", "peak RSS / GiB", "thousand events/s")
    passes = options.events * (options.folds - 1) * 0.9 * options.epochs / 1e3
    walls, areas = [], []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(make_data(options.events, options.folds), directory)
        sides = ["workers"] if options.skip_plain else ["workers", "plain"]
        for side in sides:
            begin = time.perf_counter()
            if side == "workers":
                results = run_workers(directory, options.epochs, options.folds, options.workers)
            else:
                command = [sys.executable, __file__, "--plain-in", name]
                command += ["--epochs", str(options.epochs), "--folds", str(options.folds)]
                environment = {key: value for key, value in os.environ.items() if key not in ONE_THREAD}
                subprocess.run(command, check=True, env=environment)
                content = json.loads((directory / "plain.json").read_text())
                results = [FoldResult(**fold) for fold in content]
            walls.append(time.perf_counter() - begin)
            areas.append(float(np.mean([result.auc for result in results])))
            peak = max(result.peak_gib for result in results)
            label = (
                f"znought, {options.workers} one-thread workers"
                if side == "workers"
                else "keras.Model.fit, all cores"
            )
            table.add_row(
                label, f"{walls[-1]:.1f}", f"{areas[-1]:.4f}", f"{peak:.2f}", f"{passes / walls[-1]:.0f}"
            )
    console = Console()
    console.print(
        f"{options.events} events × {len(FEATURES)}, K = {options.folds}, {options.epochs} epochs, batch 1024"
    )
    console.print(table)
    if not options.skip_plain:
        console.print(f"speed-up {walls[1] / walls[0]:.2f}, difference in AUC {areas[0] - areas[1]:+.4f}")


if __name__ == "__main__":
    main()
