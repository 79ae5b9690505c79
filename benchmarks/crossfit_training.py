"""Does the held-out significance tell the truth where networks are trained on the same simulated events?

    OMP_NUM_THREADS=1 python benchmarks/crossfit_training.py --toys 40

Every toy draws simulated events of known densities, trains R × K networks on them, scores each event by the
networks of its own folds, tunes edges and quotes Z0. The truth is the Z0 of the quoted bins of these very
networks in a large sample that no training has seen; each event of it has folds of its own, as data have.
Training once more, with other folds, on the same events tells how far a discriminant is chance.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.models.folds import own_folds
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingConfig, TrainingData
from znought.models.scoring import scores_of
from znought.models.training import train_fold
from znought.stats.binning import BinningConfig
from znought.stats.crossfit import SignificanceEstimate, cross_fitted
from znought.stats.significance import asimov_z0, quadrature_sum

SIGNAL, BACKGROUND, SIGMA_REL = 100.0, 4000.0, 0.10
NAMES = tuple("abcde")
CLASSES = ("background", "signal")
NETWORK = NetworkConfig(hidden_nodes=(16, 16), normalisation_momentum=0.9)
BINNING = BinningConfig(lower=0.0, sigma_rel=SIGMA_REL, n_candidates=300)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Events:
    """Simulated events; arrays of shape (n_events,) but `features`, (n_events, 5)."""

    features: NDArray[np.float32]
    is_signal: NDArray[np.bool_]
    weights: Floats
    identity: NDArray[np.uint64]

    def folds(self, training: TrainingConfig) -> NDArray[np.int8]:
        """Of every event in every repeat, shape (n_events, n_repeats)."""
        zeros = np.zeros(len(self.identity), np.uint64)
        return own_folds(
            zeros,
            zeros,
            self.identity,
            n_folds=training.n_folds,
            n_repeats=training.n_repeats,
            salt=training.salt,
        )


def drawn(n_signal: int, n_background: int, rng: np.random.Generator, first: int) -> Events:
    """Signal shifted in five correlated inputs, with a tail that background has too."""
    n_events = n_signal + n_background
    is_signal = np.arange(n_events) < n_signal
    common = rng.normal(size=(n_events, 1))
    features = 0.5 * common + rng.normal(size=(n_events, 5))
    features[is_signal] += np.array([1.2, -0.8, 0.6, 0.4, 0.0])
    features[:, 4] *= np.where(is_signal, 0.7, 1.0)
    weights = np.where(is_signal, SIGNAL / max(n_signal, 1), BACKGROUND / max(n_background, 1))
    identity = np.arange(first, first + n_events, dtype=np.uint64)
    return Events(features.astype(np.float32), is_signal, weights, identity)


def scored(
    sample: Events, others: Sequence[Events], training: TrainingConfig
) -> tuple[Floats, tuple[Floats, ...]]:
    """Signal scores in each repeat by networks trained on the sample: its own events', and those of others.

    Returns:
        Shape (n_repeats, n_events) of the sample, and of each other one.
    """
    sets = (sample, *others)
    folds = [events.folds(training) for events in sets]
    found = [np.zeros((training.n_repeats, len(events.identity))) for events in sets]
    for repeat in range(training.n_repeats):
        data = TrainingData(
            sample.features,
            sample.is_signal.astype(np.int64),
            sample.weights,
            folds[0][:, repeat],
            sample.identity,
        )
        for fold in range(training.n_folds):
            trained = train_fold(
                data, fold, NETWORK, training, classes=CLASSES, feature_names=NAMES, repeat=repeat
            )
            for events, own, scores in zip(sets, folds, found, strict=True):
                rows = np.flatnonzero(own[:, repeat] == fold)
                scores[repeat, rows] = scores_of(trained, events.features[rows], NAMES)[:, 1]
    return found[0], tuple(found[1:])


def quoted(sample: Events, scores: Floats, seed: int) -> SignificanceEstimate:
    return cross_fitted(
        scores, sample.weights, sample.is_signal, sample.identity, config=BINNING, n_bootstrap=200, seed=seed
    )


def true_z(estimate: SignificanceEstimate, large: Events, scores: Floats) -> float:
    """Z0 of the quoted bins, mean over parts, with the yields of the large sample."""
    found = []
    for part in estimate.parts:
        signal, background = (
            np.histogram(scores[kind], part.edges, weights=large.weights[kind])[0]
            for kind in (large.is_signal, ~large.is_signal)
        )
        found.append(quadrature_sum(asimov_z0(signal, background, SIGMA_REL * background)))
    return float(np.mean(found))


@dataclass(frozen=True)
class Toy:
    """One experiment."""

    estimate: SignificanceEstimate
    truth: float
    again: float
    """Truth of other networks, trained once more on the same events with other folds."""
    jackknife: float
    """Standard error of the held-out Z0 from leaving out each repeat of the folds in turn."""


def toy(seed: int, n_events: int, large: Events, training: TrainingConfig) -> Toy:
    rng = np.random.default_rng(seed)
    n_signal, n_background = rng.poisson(n_events // 2, 2)
    sample = drawn(int(n_signal), int(n_background), rng, 0)
    mine = replace(training, salt=f"toy {seed}", seed=seed)
    scores, (of_large,) = scored(sample, (large,), mine)
    estimate = quoted(sample, scores.mean(axis=0), seed)
    left_out = [
        quoted(sample, np.delete(scores, repeat, axis=0).mean(axis=0), seed).held_out
        for repeat in range(len(scores))
    ]
    other = replace(mine, salt=f"again {seed}", seed=seed + 100_000)
    scores_again, (large_again,) = scored(sample, (large,), other)
    again = quoted(sample, scores_again.mean(axis=0), seed)
    n = len(left_out)
    return Toy(
        estimate,
        true_z(estimate, large, of_large.mean(axis=0)),
        true_z(again, large, large_again.mean(axis=0)),
        float(np.sqrt((n - 1) * np.var(left_out))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--toys", type=int, default=40)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    console = Console(width=130)
    training = TrainingConfig(test_fraction=0.0, max_epochs=options.epochs, batch_size=256)
    large = drawn(options.large // 2, options.large // 2, np.random.default_rng(987), 1_000_000)
    toys = []
    for seed in range(options.toys):
        toys.append(toy(seed, options.events, large, training))
        one = toys[-1]
        console.print(
            f"toy {seed}: held-out {one.estimate.held_out:.3f} [{one.estimate.interval.low:.3f}, "
            f"{one.estimate.interval.high:.3f}], truth {one.truth:.3f}, trained again {one.again:.3f}, "
            f"jackknife {one.jackknife:.3f}",
            highlight=False,
        )
    report(toys, options.events, console)


def report(toys: Sequence[Toy], n_events: int, console: Console) -> None:
    held_out, truth, again = (
        np.array(values)
        for values in zip(*((t.estimate.held_out, t.truth, t.again) for t in toys), strict=True)
    )
    tuned = np.mean([t.estimate.tuned for t in toys])
    half = np.array([(t.estimate.interval.high - t.estimate.interval.low) / 2 for t in toys])
    wide = np.hypot(half, [t.jackknife for t in toys])
    difference = held_out - truth
    table = Table("", "value", title=f"{len(toys)} toys of {n_events:,} simulated events")
    error = difference.std(ddof=1) / np.sqrt(len(toys))
    rows = {
        "tuned": f"{tuned:.3f}",
        "held-out": f"{held_out.mean():.3f}",
        "truth": f"{truth.mean():.3f}",
        "bias": f"{difference.mean():+.3f} ± {error:.3f}",
        "spread per toy": f"{difference.std(ddof=1):.3f}",
        "half width of the interval": f"{half.mean():.3f}",
        "… with repeats left out in turn": f"{wide.mean():.3f}",
        "spread of truth over trainings": f"{np.std(truth - again) / np.sqrt(2):.3f}",
    }
    for what, target in (("these networks", truth), ("networks trained again", again)):
        for name, width in (("interval", half), ("wider interval", wide)):
            covered = np.mean(np.abs(held_out - target) <= width)
            rows[f"{name} holds truth of {what}"] = f"{100 * covered:.0f} %"
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    main()
