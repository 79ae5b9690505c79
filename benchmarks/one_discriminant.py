"""Have test events the discriminant of out-of-fold events? Ten seeds, own folds beside the published way.

    OMP_NUM_THREADS=1 python benchmarks/one_discriminant.py OUTPUT_DIR --card CARD --seeds 10

Reads the columns of a finished run (of a card of the standard flow, or of VH(bb)) and writes nothing there.
Each seed has folds, test part and random numbers of its own. The same trained models are scored in both
ways: every event by those of its own folds, and test events by the mean of all of a repeat. Networks are
trained for a few epochs only: a discriminant that is one need not be a good one.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import CLASSES, ChannelPlan, channel_plan, read_channel, training_data
from znought.analyses.vh_bb.networks import NetworkModel, network_task
from znought.analyses.vh_bb.observables import observable_data, ratio_at
from znought.errors import DataError
from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard
from znought.facility.learning.plan import learning_plan
from znought.facility.workspace import Workspace
from znought.models.boosting import ScoredEvents, boost_fold
from znought.models.folds import UNTRAINED, is_test, own_folds
from znought.models.network import NetworkConfig
from znought.models.observables import classifier_scores
from znought.models.samples import TrainingConfig, TrainingData
from znought.models.scoring import scores_of
from znought.models.training import train_fold
from znought.stats.one_discriminant import OneDiscriminant, one_discriminant, uniformity

Scores = NDArray[np.float64]
Ways = Mapping[str, Scores]
WAYS = ("own folds", "published")


@dataclass(frozen=True)
class Sample:
    """Events with the folds of one seed.

    Attributes:
        repeats: training data with the folds of each repeat.
        folds: own folds, shape (n_events, n_repeats).
        test: whether the event is of the test part.
        process: whose events are compared.
    """

    repeats: tuple[TrainingData, ...]
    folds: NDArray[np.int8]
    test: NDArray[np.bool_]
    process: NDArray[np.str_]

    @property
    def first(self) -> TrainingData:
        """Features, classes, weights and identity, whatever the fold."""
        return self.repeats[0]


def with_folds(data: TrainingData, process: NDArray[np.str_], training: TrainingConfig) -> Sample:
    """The events with folds and test part of a rule, from their identity."""
    zeros = np.zeros(len(data.identity), np.uint64)
    names = (zeros, zeros, data.identity)
    folds = own_folds(*names, n_folds=training.n_folds, n_repeats=training.n_repeats, salt=training.salt)
    test = is_test(*names, fraction=training.test_fraction, salt=training.salt)
    repeats = tuple(
        replace(data, fold=np.where(test, np.int8(UNTRAINED), folds[:, repeat]))
        for repeat in range(training.n_repeats)
    )
    return Sample(repeats, folds, test, process)


def network_scores(
    sample: Sample,
    network: NetworkConfig,
    training: TrainingConfig,
    classes: tuple[str, ...],
    names: tuple[str, ...],
) -> Ways:
    """Scores of networks in both ways, each network trained once."""
    features = sample.first.features
    found = {way: np.zeros((len(features), len(classes))) for way in WAYS}
    for repeat, data in enumerate(sample.repeats):
        for fold in range(training.n_folds):
            trained = train_fold(
                data, fold, network, training, classes=classes, feature_names=names, repeat=repeat
            )
            mine = sample.folds[:, repeat] == fold
            rows = np.flatnonzero(mine | sample.test)
            scores = scores_of(trained, features[rows], names) / training.n_repeats
            _add(found, rows, scores, mine[rows], sample.test[rows], training.n_folds)
    return found


def tree_scores(sample: Sample, card: StandardCard, training: TrainingConfig, names: tuple[str, ...]) -> Ways:
    """Scores of boosted trees in both ways, each fold boosted once."""
    features = sample.first.features
    found = {way: np.zeros((len(features), len(card.classes))) for way in WAYS}
    for repeat, data in enumerate(sample.repeats):
        for fold in range(training.n_folds):
            mine = sample.folds[:, repeat] == fold
            scored = ScoredEvents(features, np.where(mine | sample.test, fold, (fold + 1) % 127))
            boosted = boost_fold(
                data,
                fold,
                card.boosting,
                training,
                classes=card.classes,
                feature_names=names,
                scored=scored,
                repeat=repeat,
            )
            rows, scores = boosted.rows, boosted.scores / training.n_repeats
            _add(found, rows, scores, mine[rows], sample.test[rows], training.n_folds)
    return found


def _add(
    found: Ways,
    rows: NDArray[np.intp],
    scores: NDArray[np.floating],
    mine: NDArray[np.bool_],
    test: NDArray[np.bool_],
    n_folds: int,
) -> None:
    """One model's part of the means: of its own fold, and of all test events in the published way."""
    found["own folds"][rows[mine]] += scores[mine]
    training = mine & ~test
    found["published"][rows[training]] += scores[training]
    found["published"][rows[test]] += scores[test] / n_folds


def tested(sample: Sample, outputs: Mapping[str, Scores]) -> OneDiscriminant:
    """The test in every process and output."""
    data = sample.first
    return one_discriminant(outputs, data.weights, sample.process, sample.test, data.identity)


def standard(
    card: StandardCard, output: Path, training: TrainingConfig, chosen: Sequence[str]
) -> Iterator[tuple[str, str, OneDiscriminant]]:
    """Model, way and test of one seed of a standard card."""
    plan = replace(learning_plan(card, Workspace(output)), training=training)
    data = plan.training_data()[0]
    sample = with_folds(data, np.asarray(card.classes)[data.class_index], training)
    models: dict[str, Callable[[], Ways]] = {
        "trees": lambda: tree_scores(sample, card, training, plan.features),
        "networks": lambda: network_scores(
            sample, card.network or NetworkConfig(), training, card.classes, plan.features
        ),
    }
    for name in chosen:
        for way, scores in models[name]().items():
            by_class = {one: scores[:, i] for i, one in enumerate(card.classes)}
            yield name, way, tested(sample, by_class)


def smeft(
    card: VHBBCard, output: Path, training: TrainingConfig
) -> Iterator[tuple[str, str, OneDiscriminant]]:
    """Model, way and test of one seed of VH(bb): VH events, network and trees of the binned classifier."""
    value, workspace = card.discriminants.classifier_value, Workspace(output)
    changed = card.model_copy(update={"training": training})
    for channel in card.channels:
        plan = channel_plan(changed, workspace, channel)
        try:
            yield from _channel(changed, workspace, plan, value)
        except DataError:
            # Too few events to tell: no line of the table.
            continue


def _channel(
    card: VHBBCard, workspace: Workspace, plan: ChannelPlan, value: float
) -> Iterator[tuple[str, str, OneDiscriminant]]:
    channel = read_channel(plan)
    model = NetworkModel(plan.channel, "cross_entropy", value)
    task = network_task(card, channel, model, model.folder(workspace))
    both = training_data(channel, value)
    sample = with_folds(both, np.asarray(CLASSES)[both.class_index], task.training)
    found = network_scores(sample, task.network, task.training, CLASSES, plan.features)
    for way, scores in found.items():
        yield f"{plan.channel} network", way, tested(sample, {"bsm": scores[:, 1]})
    events, ratio = channel.events, ratio_at(channel, value)
    test = channel.fold == UNTRAINED
    for way in WAYS:
        means = []
        for repeat in range(card.training.n_repeats):
            data = observable_data(channel, repeat)
            assert data.own_fold is not None
            own = np.where(test, UNTRAINED, data.own_fold) if way == "published" else data.own_fold
            means.append(classifier_scores(replace(data, own_fold=own), ratio, card.trees))
        outputs = {"bsm": np.mean(means, axis=0)}
        compared = one_discriminant(outputs, events.weight, events.process, test, events.identity)
        yield f"{plan.channel} trees", way, compared


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="directory of a finished run")
    parser.add_argument("--card", type=Path, default=Path("analyses/vh_ww.yaml"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--models", default="trees,networks", help="of a standard card")
    options = parser.parse_args()
    card, console = load_card(options.card), Console()
    found: dict[tuple[str, str], list[OneDiscriminant]] = {}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        training = replace(
            card.training, salt=f"seed {seed}", seed=seed, max_epochs=options.epochs, scoring="own_fold"
        )
        if isinstance(card, VHBBCard):
            tests = smeft(card, options.output, training)
        else:
            tests = standard(card, options.output, training, options.models.split(","))
        for name, way, result in tests:
            found.setdefault((name, way), []).append(result)
            worst = result.smallest
            console.print(
                f"seed {seed}, {name}, {way}: p = {result.p_value:.3g}; least of {len(result.comparisons)}: "
                f"{worst.p_value:.2g} ({worst.output} output of {worst.process})",
                highlight=False,
            )
    table = Table("model", "way", "seeds", "smallest p", "median p", "p uniform over seeds", "p > 0.001")
    for (name, way), results in found.items():
        p_values = [result.p_value for result in results]
        table.add_row(
            name,
            way,
            str(len(p_values)),
            f"{min(p_values):.2g}",
            f"{np.median(p_values):.2g}",
            f"{uniformity(p_values):.2g}",
            f"{sum(p > 0.001 for p in p_values)}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
