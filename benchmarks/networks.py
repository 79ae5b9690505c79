"""The talk's network, the one that a search finds, and boosted trees, side by side on a finished run.

    python benchmarks/networks.py OUTPUT_DIR --trials 40 --work DIR

Reads the columns of OUTPUT_DIR and writes nothing there. All three learn from the same folds, are scored
out of fold and quoted with cross-fitted edges, as `znought run` does it. The search looks at the stop part
of one fold's training and at nothing else; the test part has played no role in any of the three.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from distributed import Client
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.facility.card import StandardCard, load_card
from znought.facility.learning import LearningPlan, learning_plan, other_events, training_data
from znought.facility.progress import Terminal
from znought.facility.searching import drive
from znought.facility.sites import connect
from znought.facility.stages.train import boost_trees, train_networks
from znought.facility.stages.tune import Task
from znought.facility.store import EventTable, read_events
from znought.facility.workspace import Workspace
from znought.models.boosting import combine
from znought.models.evaluation import auc_estimates
from znought.models.folds import UNTRAINED
from znought.models.network import NetworkConfig
from znought.models.samples import TrainingData
from znought.models.scoring import scores_of
from znought.models.search import Search, SearchConfig
from znought.models.space import SpaceConfig
from znought.models.training import TrainedFold
from znought.processors.regions import Region, regions_from_card
from znought.stats.crossfit import cross_fitted

Scores = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of the trained classes' events, and of all others."""

SEARCH = SearchConfig(
    min_epochs=4,
    max_epochs=36,
    # The talk's layers, nodes and activations; learning rates that can learn in so few epochs; and what
    # the talk held fixed.
    space=SpaceConfig(
        learning_rate=(3e-4, 1e-2),
        dropouts=(0.0, 0.1, 0.2),
        hidden_noises=(0.0, 0.05),
        learning_rate_decays=(1.0, 0.97, 0.93),
    ),
)


def signal_region(card: StandardCard) -> Region:
    """The region that is binned."""
    return regions_from_card(card.regions)[str(card.signal_region)]


@dataclass(frozen=True)
class Sample:
    """What all competitors are measured on."""

    card: StandardCard
    plan: LearningPlan
    data: TrainingData
    learned: EventTable
    others: EventTable

    @property
    def network(self) -> NetworkConfig:
        """The network of the card."""
        assert self.card.network is not None
        return self.card.network

    @classmethod
    def read(cls, card: StandardCard, output: Path) -> "Sample":
        plan = learning_plan(card, Workspace(output))
        plan = replace(plan, others=tuple(name for name in plan.others if name in card.of_kind("simulation")))
        cuts = [cut.variable for cut in signal_region(card).cuts]
        names = ["gen_weight", *plan.features, *cuts]
        learned = read_events(Path(plan.columns), tuple(plan.class_of), names)
        return cls(card, plan, training_data(plan), learned, other_events(plan))


@dataclass(frozen=True)
class Result:
    """One line of the table; intervals are central 68 %."""

    name: str
    macro: tuple[float, float, float]
    vh: tuple[float, float, float]
    test_macro: float
    held_out: tuple[float, float, float]
    tuned: float
    seconds: float


def network_scores(sample: Sample, trained: list[TrainedFold]) -> Scores:
    """Out of fold, and the mean over the networks for test events and untrained processes."""
    data, names = sample.data, sample.plan.features
    others = sample.others.matrix(names)
    learned = np.zeros((len(data.features), len(sample.plan.classes)), np.float32)
    test = data.fold == UNTRAINED
    mean = np.zeros((len(others), learned.shape[1]))
    for network in trained:
        rows = data.fold == network.fold
        learned[rows] = scores_of(network, data.features[rows], names)
        learned[test] += scores_of(network, data.features[test], names) / np.float32(len(trained))
        mean += scores_of(network, others, names) / len(trained)
    return learned, mean.astype(np.float32)


def measure(sample: Sample, name: str, scores: Scores, seconds: float) -> Result:
    """Areas with balanced classes, and the significance of the signal region, as the flow quotes them."""
    data, plan, card = sample.data, sample.plan, sample.card
    totals = np.bincount(data.class_index, weights=data.weights)
    weights = data.weights / totals[data.class_index]
    columns = (scores[0], data.class_index, weights, data.identity)
    areas = auc_estimates(*columns, classes=plan.classes)
    test = data.fold == UNTRAINED
    held_back = auc_estimates(*(column[test] for column in columns), classes=plan.classes, n_bootstrap=2)
    estimate = cross_fitted(
        *_binned(sample, scores),
        config=card.binning,
        n_parts=card.crossfit.n_parts,
        n_bootstrap=card.crossfit.n_bootstrap,
        seed=card.crossfit.seed,
    )
    macro, vh = areas["macro"], areas[str(card.class_of_signal)]
    return Result(
        name,
        (macro.value, macro.lower, macro.upper),
        (vh.value, vh.lower, vh.upper),
        held_back["macro"].value,
        (estimate.held_out, estimate.interval.low, estimate.interval.high),
        estimate.tuned,
        seconds,
    )


def _binned(sample: Sample, scores: Scores) -> tuple[NDArray[np.generic], ...]:
    """Discriminant, weights, signal and identity of the signal region's events."""
    card, plan = sample.card, sample.plan
    region = signal_region(card)
    column = plan.classes.index(str(card.class_of_signal))
    parts = []
    for table, outputs in zip((sample.learned, sample.others), scores, strict=True):
        rows = region.mask(table.columns)
        scale = table.per_dataset({name: plan.scale[name] for name in table.datasets})
        processes = table.per_dataset({name: card.datasets[name].process for name in table.datasets})
        weights, signal = table["gen_weight"] * scale, processes == card.signal
        parts.append([values[rows] for values in (outputs[:, column], weights, signal, table.identity)])
    return tuple(np.concatenate(pair) for pair in zip(*parts, strict=True))


def search(client: Client, sample: Sample, work: Path, trials: int, report: Terminal) -> NetworkConfig:
    """The best network of a search on the stop part of fold 0."""
    base = replace(sample.network, normalisation_momentum=0.9)
    study = Search(replace(SEARCH, n_trials=trials), base, work / "trials.log")
    with report.bar("searching") as advance:
        drive(client, study, Task(sample.plan, None, str(work)), advance)
    return study.best()[1]


def compete(client: Client, sample: Sample, work: Path, trials: int, report: Terminal) -> list[Result]:
    """Every competitor, one after the other, each with both workers."""
    results = []

    def timed(name: str, learn: Callable[[], Scores]) -> None:
        begin = time.perf_counter()
        scores = learn()
        results.append(measure(sample, name, scores, time.perf_counter() - begin))
        report.stage(name, f"{results[-1].macro[0]:.4f}, Z {results[-1].held_out[0]:.3f}")

    def network(config: NetworkConfig, folder: str) -> Scores:
        with report.bar("training networks") as advance:
            trained = train_networks(client, config, sample.plan, work / folder, advance)
        return network_scores(sample, trained)

    def trees() -> Scores:
        with report.bar("boosting trees") as advance:
            return combine(sample.data, boost_trees(client, sample.card.boosting, sample.plan, advance))

    timed("boosted trees", trees)
    timed("network of the talk", lambda: network(sample.network, "talk"))
    begin = time.perf_counter()
    found = search(client, sample, work, trials, report)
    report.stage("search", f"{trials} trials in {time.perf_counter() - begin:.0f} s")
    text = yaml.safe_dump({"network": asdict(found) | {"hidden_nodes": list(found.hidden_nodes)}})
    (work / "network.yaml").write_text(text, encoding="utf-8")
    report.console.print(text)
    timed("network of the search", lambda: network(found, "found"))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="directory of a finished run")
    parser.add_argument("--card", type=Path, default=Path("analyses/vh_ww.yaml"))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--work", type=Path, help="keeps trials and checkpoints, and continues them")
    options = parser.parse_args()
    card = load_card(options.card)
    if not isinstance(card, StandardCard) or None in (card.network, card.class_of_signal, card.signal_region):
        parser.error("expected a card with a network, a signal and its region.")
    console = Console()
    with tempfile.TemporaryDirectory() as name, connect("local", workers=2) as client:
        work = (options.work or Path(name)).resolve()
        sample = Sample.read(card, options.output)
        results = compete(client, sample, work, options.trials, Terminal(console))
    table = Table("", "macro AUC", "VH AUC", "macro AUC, test part", "held-out Z0", "tuned Z0", "seconds")
    for result in results:
        table.add_row(
            result.name,
            *("{:.4f} [{:.4f}, {:.4f}]".format(*area) for area in (result.macro, result.vh)),
            f"{result.test_macro:.4f}",
            "{:.3f} [{:.2f}, {:.2f}]".format(*result.held_out),
            f"{result.tuned:.3f}",
            f"{result.seconds:.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
