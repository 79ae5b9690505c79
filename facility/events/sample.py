"""The scored events of an analysis: columns, network outputs and boosted scores, row by row together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.base import Card
from znought.facility.cards.standard import StandardCard
from znought.facility.events.slices import Slice, one_share, slices
from znought.facility.events.store import IDENTITY, WHOLE_SHARE, EventTable, Share, read_events
from znought.facility.learning.plan import SEARCH_PART, TEST_PART, TRAINING_PART
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.processors.regions import Region, regions_from_card
from znought.stats.labels import Labels
from znought.stats.systematics import Side

__all__ = [
    "MODELS",
    "Model",
    "ScoredSample",
    "directions",
    "needed_variables",
    "quoted",
    "read_sample",
    "read_share",
    "region",
    "sample_slices",
]

Model = Literal["network", "boosting"]
MODELS: tuple[Model, ...] = ("network", "boosting")


@dataclass(frozen=True)
class ScoredSample:
    """Events of all datasets of one kind.

    Attributes:
        card: the analysis.
        columns: features and identity.
        weight: expected events per row at the card's luminosity, shape (n_events,).
        scores: network outputs `score_<class>`, `event_weight`, `fold` and `part`; None without a network.
        boosted: outputs of the boosted trees, under the same names.
    """

    card: StandardCard
    columns: EventTable
    weight: NDArray[np.float64]
    scores: EventTable | None = None
    boosted: EventTable | None = None

    def __len__(self) -> int:
        return len(self.columns)

    @cached_property
    def process(self) -> Labels:
        """Name of the process of every event, shape (n_events,)."""
        return self.columns.labels({name: self.card.datasets[name].process for name in self.columns.datasets})

    @cached_property
    def class_index(self) -> NDArray[np.int64]:
        """Index of the class of every event; −1 where its process is not trained on."""
        classes = self.card.classes
        index = {}
        for name in self.columns.datasets:
            network_class = self.card.processes[self.card.datasets[name].process].network_class
            index[name] = -1 if network_class is None else classes.index(network_class)
        return self.columns.per_dataset(index).astype(np.int64)

    @cached_property
    def is_signal(self) -> NDArray[np.bool_]:
        """Whether the event is of the signal process."""
        return self.process == str(self.card.signal)

    @property
    def models(self) -> tuple[Model, ...]:
        """What events have outputs of."""
        tables: dict[Model, EventTable | None] = {"network": self.scores, "boosting": self.boosted}
        return tuple(name for name, table in tables.items() if table is not None)

    @property
    def is_test(self) -> NDArray[np.bool_]:
        """Whether the event belongs to the test part of what networks are trained on, shape (n_events,)."""
        return np.asarray(_there(self.scores, "network")["part"] == TEST_PART)

    @property
    def is_training(self) -> NDArray[np.bool_]:
        """Whether networks of other folds than the event's own are trained on it, shape (n_events,)."""
        return np.asarray(_there(self.scores, "network")["part"] == TRAINING_PART)

    @property
    def is_estimator(self) -> NDArray[np.bool_]:
        """Events of trained classes that have the output of one estimator, shape (n_events,).

        All of them; under the published way those of the training part, since test events have the mean of
        all networks.
        """
        trained = self.class_index >= 0
        return trained & self.is_training if self.card.training.scoring == "published" else trained

    def part(self, rows: NDArray[np.bool_], factor: float) -> "ScoredSample":
        """Some of the events, their weights scaled by a factor.

        Args:
            rows: which ones, shape (n_events,).
            factor: such that they stand for all.
        """
        tables = [None if table is None else table.select(rows) for table in (self.scores, self.boosted)]
        return ScoredSample(self.card, self.columns.select(rows), self.weight[rows] * factor, *tables)

    def in_region(self, name: str | None) -> NDArray[np.bool_]:
        """Whether each event passes the cuts of a region; every event does where none is named."""
        if name is None:
            return np.ones(len(self), np.bool_)
        return region(self.card, name).mask(self.columns.columns)

    def outputs(self, model: Model = "network") -> NDArray[np.float32]:
        """All scores of one model, shape (n_events, n_classes)."""
        return self._table(model).matrix([f"score_{name}" for name in self.card.classes])

    def score(self, output: str) -> NDArray[Any]:
        """The network's score of one class."""
        return _there(self.scores, "network")[f"score_{output}"]

    def signal_by_repeat(self, model: Model = "network") -> NDArray[np.float64]:
        """The discriminant in each repeat of the folds, shape (n_repeats, n_events); (0, …) for one.

        Under the published way, events of the test part have the mean of all networks of a repeat.
        """
        table, names = self._table(model), _repeats(self.card)
        found = [np.asarray(table[name], np.float64) for name in names]
        return np.reshape(found, (len(names), len(self)))

    def signal_score(self, model: Model = "network") -> NDArray[Any]:
        """The discriminant: the score of the signal class."""
        return self._table(model)[f"score_{self.card.class_of_signal}"]

    def _table(self, model: Model) -> EventTable:
        return _there(self.scores if model == "network" else self.boosted, model)


def quoted(scores: EventTable, *others: EventTable) -> tuple[EventTable, ...]:
    """The same rows of some tables without those that a search was judged on, which count nowhere."""
    kept = scores["part"] != SEARCH_PART
    return tuple(table if kept.all() else table.select(kept) for table in (scores, *others))


def _repeats(card: StandardCard) -> list[str]:
    """Columns of the discriminant in each repeat of the folds."""
    if card.network is None or card.class_of_signal is None or card.training.n_repeats == 1:
        return []
    return [f"score_{card.class_of_signal}_repeat{repeat}" for repeat in range(card.training.n_repeats)]


def _there(table: EventTable | None, model: str) -> EventTable:
    if table is None:
        raise DataError(f"The card has no network, so there are no scores ({model}).")
    return table


def directions(columns: Path, systematic: str) -> tuple[Side, ...]:
    """Directions in which a systematic is varied: one alone where its mirror image is the other.

    Args:
        columns: folder of the columns, of a channel where each has its own.
        systematic: name.
    """
    sides: tuple[Side, ...] = ("up", "down")
    found = tuple(side for side in sides if any(columns.glob(f"*/{systematic}_{side}/*.parquet")))
    # Without columns of their own they are weights beside the nominal ones.
    return found or sides


def region(card: Card, name: str) -> Region:
    """A region of the card."""
    return regions_from_card(card.regions)[name]


def read_sample(
    card: StandardCard,
    workspace: Workspace,
    *,
    kind: Literal["simulation", "data"],
    variables: Sequence[str] | None = None,
    models: Collection[Model] = MODELS,
    repeats: bool = True,
    rows: Callable[["ScoredSample"], NDArray[np.bool_]] | None = None,
    part: Slice | None = None,
) -> ScoredSample:
    """Events of one kind, with their scores where there is a network.

    One dataset or share of it is read after the other, and of each what is not wanted is given up.

    Args:
        card: the analysis.
        workspace: with columns and scores.
        kind: of the datasets.
        variables: that are wanted; all that the card bins unless given.
        models: whose outputs are wanted.
        repeats: the discriminant of each repeat of the folds is wanted, too.
        rows: which events of a dataset are wanted; all unless given.
        part: slice of the events of this kind; all of them unless given.

    Raises:
        DataError: scores and columns are not of the same events, or a column is missing.
    """
    wanted = [*card.binned, *needed_variables(card)] if variables is None else variables
    scale = {} if card.is_scored else scale_of(workspace)
    every = (part,) if part is not None else slices(workspace.columns, card.of_kind(kind))

    def chosen(datasets: list[str], share: Share) -> ScoredSample:
        found = _of_datasets(card, workspace, datasets, wanted, models, repeats, scale, share)
        return found if rows is None else found.part(rows(found), 1.0)

    found = [chosen([name], one.share) for one in every for name in one.datasets]
    return _joined(card, found or [chosen([], WHOLE_SHARE)])


def sample_slices(card: StandardCard, workspace: Workspace) -> tuple[Slice, ...]:
    """Slices of all simulated events."""
    return slices(workspace.columns, card.of_kind("simulation"))


def read_share(card: StandardCard, workspace: Workspace) -> ScoredSample:
    """The simulated events; a share of the generated ones that stands for all where there are too many."""
    every = card.of_kind("simulation")
    share = one_share(workspace.columns, every)
    found = read_sample(card, workspace, kind="simulation", part=Slice(every, share))
    return found if share.of == 1 else replace(found, weight=found.weight * share.of)


def needed_variables(card: StandardCard) -> list[str]:
    """Variables that regions cut on and candidates bin."""
    cuts = [cut.variable for name in card.regions for cut in region(card, name).cuts]
    extra = [] if card.cut_based is None else [card.cut_based.variable]
    return [*cuts, *extra, *(one.variable for one in card.discriminants.values() if one.variable is not None)]


def _of_datasets(
    card: StandardCard,
    workspace: Workspace,
    datasets: list[str],
    variables: Sequence[str],
    models: Collection[Model],
    repeats: bool,
    scale: Mapping[str, float],
    share: Share = WHOLE_SHARE,
) -> ScoredSample:
    """Events of some datasets."""
    if not card.is_scored:
        columns = read_events(workspace.columns, datasets, ["gen_weight", *variables], share=share)
        weight = np.asarray(columns["gen_weight"] * columns.per_dataset(scale), np.float64)
        return ScoredSample(card, columns, weight)
    columns = read_events(workspace.columns, datasets, variables, share=share)
    outputs = [*(f"score_{name}" for name in card.classes), *(_repeats(card) if repeats else ())]
    own = outputs if "network" in models else []
    scores = read_events(workspace.scores, datasets, ["event_weight", "fold", "part", *own], share=share)
    trees = []
    if card.network is not None and "boosting" in models:
        trees = [read_events(workspace.boosted, datasets, outputs, share=share)]
    scores, *trees = (_of_the_same(table, columns) for table in (scores, *trees))
    scores, columns, *trees = quoted(scores, columns, *trees)
    weight = np.asarray(scores["event_weight"], np.float64)
    return ScoredSample(card, columns, weight, scores, trees[0] if trees else None)


def _of_the_same(table: EventTable, columns: EventTable) -> EventTable:
    """Scores without the identity of their events, if that is the one in the columns."""
    same = len(table) == len(columns) and all(np.array_equal(table[name], columns[name]) for name in IDENTITY)
    if not same:
        raise DataError("The scores are not of the events in the columns: run `znought run --from train`.")
    kept = {name: values for name, values in table.columns.items() if name not in IDENTITY}
    return EventTable(kept, table.dataset, table.datasets)


def _joined(card: StandardCard, parts: list[ScoredSample]) -> ScoredSample:
    """Samples of several datasets as one; the list is used up."""
    columns, weights = list[EventTable](), list[NDArray[np.float64]]()
    scores, boosted = list[EventTable](), list[EventTable]()
    while parts:
        part = parts.pop(0)
        columns.append(part.columns)
        weights.append(part.weight)
        scores += [] if part.scores is None else [part.scores]
        boosted += [] if part.boosted is None else [part.boosted]
    tables = (EventTable.joined(each) if each else None for each in (scores, boosted))
    return ScoredSample(card, EventTable.joined(columns), np.concatenate(weights), *tables)
