"""The scored events of an analysis: columns, network outputs and boosted scores, row by row together."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.store import IDENTITY, EventTable, read_events
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.workspace import Workspace
from znought.processors.regions import Region, regions_from_card

__all__ = ["ScoredSample", "read_sample"]


@dataclass(frozen=True)
class ScoredSample:
    """Events of all datasets of one kind.

    Attributes:
        card: the analysis.
        columns: features and identity.
        scores: network outputs `score_<class>`, `event_weight` and `fold`.
        boosted: outputs of the boosted trees, under the same names.
    """

    card: VHWWCard
    columns: EventTable
    scores: EventTable
    boosted: EventTable

    def __post_init__(self) -> None:
        for other, what in ((self.scores, "scores"), (self.boosted, "boosted scores")):
            same = len(other) == len(self.columns) and all(
                np.array_equal(other[name], self.columns[name]) for name in IDENTITY
            )
            if not same:
                raise DataError(
                    f"The {what} are not of the events in the columns: run `znought run --from train`."
                )

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def weight(self) -> NDArray[np.float64]:
        """Expected events per row at the card's luminosity, shape (n_events,)."""
        return np.asarray(self.scores["event_weight"], dtype=np.float64)

    @cached_property
    def process(self) -> NDArray[np.str_]:
        """Name of the process of every event, shape (n_events,)."""
        names = {name: self.card.datasets[name].process for name in self.columns.datasets}
        return self.columns.per_dataset(names)

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
        return np.asarray(self.process == self.card.signal)

    def in_region(self, name: str) -> NDArray[np.bool_]:
        """Whether each event passes the cuts of a region of the card."""
        return region(self.card, name).mask(self.columns.columns)

    def outputs(self, model: Literal["network", "boosting"] = "network") -> NDArray[np.float32]:
        """All scores of one model, shape (n_events, n_classes)."""
        table = self.scores if model == "network" else self.boosted
        return table.matrix([f"score_{name}" for name in self.card.classes])

    def signal_score(self, model: Literal["network", "boosting"] = "network") -> NDArray[Any]:
        """The discriminant: the score of the signal class."""
        table = self.scores if model == "network" else self.boosted
        return table[f"score_{self.card.signal_class}"]


def region(card: VHWWCard, name: str) -> Region:
    """A region of the card."""
    return regions_from_card(card.regions)[name]


def read_sample(
    card: VHWWCard, workspace: Workspace, *, kind: Literal["simulation", "data"], features: tuple[str, ...]
) -> ScoredSample:
    """All scored events of one kind.

    Raises:
        DataError: scores and columns are not of the same events, or a column is missing.
    """
    datasets = card.of_kind(kind)
    cuts = [cut.variable for name in card.regions for cut in region(card, name).cuts]
    outputs = [f"score_{name}" for name in card.classes]
    return ScoredSample(
        card,
        read_events(workspace.columns, datasets, [*features, *cuts, card.cut_based.variable]),
        read_events(workspace.scores, datasets, ["event_weight", "fold", *outputs]),
        read_events(workspace.boosted, datasets, outputs),
    )
