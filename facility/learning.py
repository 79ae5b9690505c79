"""From columns on disk to what a network trains on: which rows, weights, classes and folds.

The driver and the workers build the same arrays from the same small plan, so that what travels is a
few paths and numbers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.card_standard import StandardCard
from znought.facility.store import EventTable, read_events
from znought.facility.workspace import Workspace, read_json
from znought.models.folds import UNTRAINED, assign_folds, is_test
from znought.models.training import TrainingConfig, TrainingData

__all__ = ["LearningPlan", "folds_of", "learning_plan", "training_data"]


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
    """

    columns: str
    class_of: dict[str, int]
    others: tuple[str, ...]
    scale: dict[str, float]
    classes: tuple[str, ...]
    features: tuple[str, ...]
    training: TrainingConfig


def learning_plan(card: StandardCard, workspace: Workspace) -> LearningPlan:
    """The plan of a card whose columns have been made."""
    class_of, others = {}, []
    for name, dataset in card.datasets.items():
        network_class = card.processes[dataset.process].network_class
        if network_class is None:
            others.append(name)
        else:
            class_of[name] = card.classes.index(network_class)
    normalisation = read_json(workspace.normalisation)
    return LearningPlan(
        columns=str(workspace.columns.resolve()),
        class_of=class_of,
        others=tuple(others),
        scale={name: entry["scale"] for name, entry in normalisation.items()},
        classes=card.classes,
        features=card.features,
        training=card.training,
    )


def folds_of(plan: LearningPlan, table: EventTable) -> NDArray[np.int8]:
    """The network that may score each event: its fold, or −1 for the mean over all networks.

    Test events, data and processes outside the training get −1.
    """
    run, lumi, event = (table[name] for name in ("run", "luminosityBlock", "event"))
    rule = plan.training
    fold = assign_folds(run, lumi, event, n_folds=rule.n_folds, salt=rule.salt)
    test = is_test(run, lumi, event, fraction=rule.test_fraction, salt=rule.salt)
    trained = table.per_dataset({name: name in plan.class_of for name in table.datasets})
    return np.where(trained & ~test, fold, np.int8(UNTRAINED))


def event_weight(plan: LearningPlan, table: EventTable) -> NDArray[np.float64]:
    """Expected events per row at the card's luminosity; 1 for data."""
    scale = table.per_dataset({name: plan.scale[name] for name in table.datasets})
    return np.asarray(table["gen_weight"] * scale, dtype=np.float64)


def training_data(plan: LearningPlan) -> TrainingData:
    """All events of the trained classes, test part included (and marked).

    Raises:
        DataError: a class without events.
    """
    table = read_events(Path(plan.columns), tuple(plan.class_of), ["gen_weight", *plan.features])
    class_index = table.per_dataset(plan.class_of).astype(np.int64)
    for index, name in enumerate(plan.classes):
        if not np.any(class_index == index):
            raise DataError(
                f"Class {name!r} has no events after the preselection; expected some to train on."
            )
    return TrainingData(
        features=table.matrix(plan.features),
        class_index=class_index,
        weights=event_weight(plan, table),
        fold=folds_of(plan, table),
        identity=table.identity,
    )


def other_events(plan: LearningPlan) -> EventTable:
    """Events that are scored but not trained on: data, and processes without a class."""
    return read_events(Path(plan.columns), plan.others, ["gen_weight", *plan.features])
