"""From columns on disk to what a network trains on: which rows, weights, classes and folds.

The driver and the workers build the same arrays from the same small plan, so that what travels is a
few paths and numbers.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import EventTable, partition_files, read_events
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.models.folds import PARTS, SEARCHED, UNTRAINED, is_search, is_test, own_folds
from znought.models.samples import TrainingConfig, TrainingData

__all__ = [
    "SEARCH_PART",
    "TEST_PART",
    "TRAINING_PART",
    "UNTRAINED_PART",
    "LearningPlan",
    "all_events",
    "learning_plan",
    "parts_of",
    "quoted_share",
    "scoring_folds",
    "training_data",
    "training_folds",
]

TRAINING_PART, TEST_PART, UNTRAINED_PART, SEARCH_PART = range(len(PARTS))


@dataclass(frozen=True)
class LearningPlan:
    """Everything that decides the training sample; small enough to send with every task.

    Attributes:
        columns: directory of the columns.
        class_of: dataset → index of its class, for the datasets that are trained on.
        others: datasets that are only scored.
        scale: dataset → expected events per unit of generator weight.
        classes, features: names, in the network's order.
        training: fold rule and training settings.
        signal: class whose output is binned; its score in each repeat of the folds is kept. None keeps none.
    """

    columns: str
    class_of: dict[str, int]
    others: tuple[str, ...]
    scale: dict[str, float]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    training: TrainingConfig
    signal: str | None = None

    def read_files(self) -> tuple[str, ...]:
        """The nominal columns: all that is read of them where a task is given this plan."""
        return tuple(
            str(file)
            for dataset in (*self.class_of, *self.others)
            for file in partition_files(Path(self.columns), dataset)
        )

    def training_data(self) -> tuple[TrainingData, ...]:
        """Events of the trained classes with the folds of each repeat; the arrays are shared.

        Raises:
            DataError: a class without events.
        """
        table = read_events(Path(self.columns), tuple(self.class_of), ["gen_weight", *self.features])
        class_index = table.per_dataset(self.class_of).astype(np.int64)
        for index, name in enumerate(self.classes):
            if not np.any(class_index == index):
                raise DataError(
                    f"Class {name!r} has no events after the preselection; expected some to train on."
                )
        folds = training_folds(self.training, table)
        data = TrainingData(
            features=table.matrix(self.features),
            class_index=class_index,
            weights=event_weight(self, table),
            fold=folds[:, 0],
            identity=table.identity,
        )
        return tuple(replace(data, fold=folds[:, repeat]) for repeat in range(folds.shape[1]))


def learning_plan(card: StandardCard, workspace: Workspace) -> LearningPlan:
    """The plan of a card whose columns have been made."""
    class_of, others = {}, []
    for name, dataset in card.datasets.items():
        network_class = card.processes[dataset.process].network_class
        if network_class is None:
            others.append(name)
        else:
            class_of[name] = card.classes.index(network_class)
    return LearningPlan(
        columns=str(workspace.columns.resolve()),
        class_of=class_of,
        others=tuple(others),
        scale=scale_of(workspace),
        classes=card.classes,
        features=card.features,
        training=card.training,
        signal=card.class_of_signal,
    )


def parts_of(
    training: TrainingConfig, table: EventTable, trained: NDArray[np.bool_] | None = None
) -> NDArray[np.int8]:
    """What the networks have to do with each event: index into `znought.models.folds.PARTS`.

    Args:
        training: the rule.
        table: with run, luminosityBlock and event.
        trained: whether the event's dataset is trained on; None for all, shape (n_events,).
    """
    run, lumi, event = (table[name] for name in ("run", "luminosityBlock", "event"))
    test = is_test(run, lumi, event, fraction=training.test_fraction, salt=training.salt)
    part = np.where(test, np.int8(TEST_PART), np.int8(TRAINING_PART))
    searched = is_search(run, lumi, event, fraction=training.search_fraction, salt=training.salt)
    part[searched] = SEARCH_PART
    if trained is not None:
        part[~trained] = UNTRAINED_PART
    return part


def training_folds(training: TrainingConfig, table: EventTable) -> NDArray[np.int8]:
    """Fold that each event of trained datasets trains in, per repeat, shape (n_events, n_repeats).

    −1 in the test part, which trains nothing; −2 in the part of a search, which trains every fold.
    """
    folds, part = _own_folds(training, table), parts_of(training, table)
    folds[part == TEST_PART] = UNTRAINED
    folds[part == SEARCH_PART] = SEARCHED
    return folds


def scoring_folds(
    training: TrainingConfig, table: EventTable, trained: NDArray[np.bool_] | None = None
) -> NDArray[np.int8]:
    """Networks that score each event: those of its own folds, shape (n_events, n_repeats).

    Under the published way −1, the mean over all networks, for events that train nothing.
    """
    folds = _own_folds(training, table)
    if training.scoring == "published":
        folds[np.isin(parts_of(training, table, trained), (TEST_PART, UNTRAINED_PART))] = UNTRAINED
    return folds


def quoted_share(training: TrainingConfig, part: NDArray[np.integer]) -> NDArray[np.float64]:
    """Factor on the weight of each event that makes up for those of the search, which count nowhere."""
    grown = 1.0 / (1.0 - training.search_fraction)
    return np.choose(part, [grown, grown, 1.0, 0.0])


def _own_folds(training: TrainingConfig, table: EventTable) -> NDArray[np.int8]:
    run, lumi, event = (table[name] for name in ("run", "luminosityBlock", "event"))
    return own_folds(
        run, lumi, event, n_folds=training.n_folds, n_repeats=training.n_repeats, salt=training.salt
    )


def event_weight(plan: LearningPlan, table: EventTable) -> NDArray[np.float64]:
    """Expected events per row at the card's luminosity; 1 for data."""
    scale = table.per_dataset({name: plan.scale[name] for name in table.datasets})
    return np.asarray(table["gen_weight"] * scale, dtype=np.float64)


def training_data(plan: LearningPlan) -> TrainingData:
    """All events of the trained classes with the folds of repeat 0, test part included (and marked).

    Raises:
        DataError: a class without events.
    """
    return plan.training_data()[0]


def all_events(plan: LearningPlan) -> EventTable:
    """Every nominal event that has scores: trained classes, data, and processes without a class."""
    return read_events(Path(plan.columns), (*plan.class_of, *plan.others), plan.features)
