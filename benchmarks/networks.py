"""The talk's network, the one that a search finds, and boosted trees, side by side on a finished run.

    python benchmarks/networks.py OUTPUT_DIR --trials 40 --work DIR

Reads the columns of OUTPUT_DIR and writes nothing there. All three learn from the same folds, score every
event by the models of its own folds and are quoted with cross-fitted edges, as `znought run` does it. The
search is judged on a part of its own, which counts in none of the numbers.
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

from znought.facility.cards.reading import StandardCard, load_card
from znought.facility.cluster.sites import connect
from znought.facility.events.store import EventTable, read_events
from znought.facility.learning.plan import SEARCH_PART, LearningPlan, learning_plan, parts_of, scoring_folds
from znought.facility.learning.searching import AreaJudge, NetworkTrial, drive
from znought.facility.learning.training import NetworkTask, train_networks
from znought.facility.progress import Terminal
from znought.facility.stages.train import boost_trees
from znought.facility.workspace import Workspace
from znought.models.areas import auc_estimates
from znought.models.boosting import combine
from znought.models.network import NetworkConfig
from znought.models.scoring import scores_of
from znought.models.search import Search, SearchConfig
from znought.models.space import SpaceConfig
from znought.models.training import TrainedFold
from znought.processors.regions import Region, regions_from_card
from znought.stats.crossfit import cross_fitted

Scores = NDArray[np.float32]
"""Of every event, shape (n_events, n_classes)."""

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
    events: EventTable
    quoted: NDArray[np.bool_]

    @property
    def network(self) -> NetworkConfig:
        """The network of the card."""
        assert self.card.network is not None
        return self.card.network

    @classmethod
    def read(cls, card: StandardCard, output: Path) -> "Sample":
        card = card.model_copy(update={"training": replace(card.training, search_fraction=0.1)})
        plan = learning_plan(card, Workspace(output))
        plan = replace(plan, others=tuple(name for name in plan.others if name in card.of_kind("simulation")))
        cuts = [cut.variable for cut in signal_region(card).cuts]
        names = ["gen_weight", *plan.features, *cuts]
        events = read_events(Path(plan.columns), (*plan.class_of, *plan.others), names)
        trained = events.per_dataset({name: name in plan.class_of for name in events.datasets})
        part = parts_of(plan.training, events, trained)
        return cls(card, plan, events, part != SEARCH_PART)


@dataclass(frozen=True)
class Result:
    """One line of the table; intervals are central 68 %."""

    name: str
    macro: tuple[float, float, float]
    vh: tuple[float, float, float]
    held_out: tuple[float, float, float]
    tuned: float
    seconds: float


def network_scores(sample: Sample, trained: list[TrainedFold]) -> Scores:
    """Mean of the networks of each event's own folds."""
    plan = sample.plan
    features, folds = sample.events.matrix(plan.features), scoring_folds(plan.training, sample.events)
    scores = np.zeros((len(features), len(plan.classes)))
    for network in trained:
        rows = np.flatnonzero(folds[:, network.repeat] == network.fold)
        scores[rows] += scores_of(network, features[rows], plan.features) / plan.training.n_repeats
    return scores.astype(np.float32)


def measure(sample: Sample, name: str, scores: Scores, seconds: float) -> Result:
    """Areas with balanced classes, and the significance of the signal region, as the flow quotes them."""
    plan, card, events = sample.plan, sample.card, sample.events
    scale = events.per_dataset({name: plan.scale[name] for name in events.datasets})
    grown = {
        name: 1.0 / (1.0 - plan.training.search_fraction) if name in plan.class_of else 1.0
        for name in events.datasets
    }
    weights = events["gen_weight"] * scale * events.per_dataset(grown)
    index = events.per_dataset({name: plan.class_of.get(name, -1) for name in events.datasets})
    learned = sample.quoted & (index >= 0)
    balanced = weights[learned] / np.bincount(index[learned], weights=weights[learned])[index[learned]]
    areas = auc_estimates(
        scores[learned], index[learned], balanced, events.identity[learned], classes=plan.classes
    )
    rows = sample.quoted & signal_region(card).mask(events.columns)
    process = events.per_dataset({name: card.datasets[name].process for name in events.datasets})
    estimate = cross_fitted(
        scores[rows, plan.classes.index(str(card.class_of_signal))],
        weights[rows],
        (process == card.signal)[rows],
        events.identity[rows],
        config=card.binning,
        n_parts=card.crossfit.n_parts,
        n_bootstrap=card.crossfit.n_bootstrap,
        seed=card.crossfit.seed,
    )
    macro, signal = areas["macro"], areas[str(card.class_of_signal)]
    return Result(
        name,
        (macro.value, macro.lower, macro.upper),
        (signal.value, signal.lower, signal.upper),
        (estimate.held_out, estimate.interval.low, estimate.interval.high),
        estimate.tuned,
        seconds,
    )


def task_of(sample: Sample, network: NetworkConfig, folder: Path) -> NetworkTask:
    """One network in all folds and repeats."""
    plan = sample.plan
    return NetworkTask("", plan, network, plan.training, plan.classes, plan.features, folder)


def search(client: Client, sample: Sample, work: Path, trials: int, report: Terminal) -> NetworkConfig:
    """The best network of a search, judged on the events set apart for it."""
    base = replace(sample.card.network or NetworkConfig(), normalisation_momentum=0.9)
    study = Search(replace(SEARCH, n_trials=trials), base, work / "trials.log")
    trial = NetworkTrial(task_of(sample, base, work / "trials"), AreaJudge(sample.plan.classes), str(work))
    with report.bar("searching") as advance:
        drive(client, study, trial, advance)
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
            (trained,) = train_networks(client, [task_of(sample, config, work / folder)], advance)
        return network_scores(sample, trained)

    def trees() -> Scores:
        with report.bar("boosting trees") as advance:
            boosted = boost_trees(client, sample.card.boosting, sample.plan, advance)
        return combine(boosted, sample.plan.training, len(sample.events))

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
    table = Table("", "macro AUC", "signal AUC", "held-out Z0", "tuned Z0", "seconds")
    for result in results:
        table.add_row(
            result.name,
            *("{:.4f} [{:.4f}, {:.4f}]".format(*area) for area in (result.macro, result.vh)),
            "{:.3f} [{:.2f}, {:.2f}]".format(*result.held_out),
            f"{result.tuned:.3f}",
            f"{result.seconds:.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
