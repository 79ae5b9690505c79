"""Areas under ROC curves with bootstrap intervals, of events in memory or read part by part.

Responses of one generated event are not independent; intervals resample whole events by their identity.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from znought.errors import DataError
from znought.identity import uniform
from znought.models.evaluation import Ranking, auc, curve_of_sums

__all__ = [
    "AucReplicas",
    "Estimate",
    "ScoredEvents",
    "auc_estimates",
    "auc_replicas",
    "poisson_multiplicity",
    "streamed_replicas",
]

Floats = NDArray[np.float64]
Scores = NDArray[np.floating]
_MOST_RANKED = 2**21
_N_STEPS = 2**13
_N_CELLS = 2**18
"""Areas are those of cells, their replicas those of steps."""
_LOOKED_AT = 2**17
"""Rows of a part that say where cells end."""


@dataclass(frozen=True)
class Estimate:
    """A value with its central 68 % bootstrap interval."""

    value: float
    lower: float
    upper: float


def auc_estimates(
    scores: NDArray[np.floating],
    class_index: NDArray[np.integer],
    weights: Floats,
    identity: NDArray[np.uint64],
    *,
    classes: tuple[str, ...],
    n_bootstrap: int = 100,
    salt: str = "auc",
) -> dict[str, Estimate]:
    """One-vs-rest area per class, and their mean under the name `macro`, with intervals.

    The bootstrap gives every event identity a Poisson(1) multiplicity, so that repeated detector
    responses of one event come and go together.

    Args:
        scores: shape (n_events, n_classes).
        class_index, weights, identity: shape (n_events,).
        classes: names, in the order of the score columns.
        n_bootstrap: number of resamplings.
        salt: names the resampling.

    Raises:
        DataError: a class without a positive sum of weights.
    """
    replicas = auc_replicas(
        scores, class_index, weights, identity, classes=classes, n_bootstrap=n_bootstrap, salt=salt
    )
    return replicas.estimates()


@dataclass(frozen=True)
class AucReplicas:
    """Areas of each class and their mean, `macro`, with bootstrap replicas.

    Attributes:
        names: of the classes, and `macro`.
        values: shape (n_names,).
        replicas: shape (n_bootstrap, n_names); replica k draws the same events whatever the scores.
    """

    names: tuple[str, ...]
    values: Floats
    replicas: Floats

    def estimates(self) -> dict[str, Estimate]:
        """Each area with its interval."""
        lower, upper = np.quantile(self.replicas, special.ndtr([-1.0, 1.0]), axis=0)
        return {
            name: Estimate(float(self.values[index]), float(lower[index]), float(upper[index]))
            for index, name in enumerate(self.names)
        }

    def less(self, other: "AucReplicas") -> "AucReplicas":
        """Paired differences to the areas of other scores of the same events.

        Raises:
            DataError: other classes or another number of replicas.
        """
        if self.names != other.names or self.replicas.shape != other.replicas.shape:
            raise DataError("A paired difference of areas needs equal classes and numbers of replicas.")
        return AucReplicas(self.names, self.values - other.values, self.replicas - other.replicas)


@dataclass(frozen=True)
class ScoredEvents:
    """Some events, every generated one with all of its rows.

    Attributes:
        scores: model → scores, shape (n_events, n_classes).
        class_index, weights, identity: shape (n_events,).
    """

    scores: Mapping[str, Scores]
    class_index: NDArray[np.integer]
    weights: Floats
    identity: NDArray[np.uint64]


def auc_replicas(
    scores: NDArray[np.floating],
    class_index: NDArray[np.integer],
    weights: Floats,
    identity: NDArray[np.uint64],
    *,
    classes: tuple[str, ...],
    n_bootstrap: int = 100,
    salt: str = "auc",
) -> AucReplicas:
    """Areas with bootstrap replicas; arguments and errors as for `auc_estimates`.

    Of more than two million events replicas are those of `streamed_replicas`.
    """
    doubles = np.asarray(weights, np.float64)
    if len(doubles) > _MOST_RANKED:
        values = [auc(scores[:, index], class_index == index, doubles) for index in range(len(classes))]
        events = ScoredEvents({"": scores}, class_index, doubles, identity)
        found = streamed_replicas(lambda: [events], classes=classes, n_bootstrap=n_bootstrap, salt=salt)[""]
        return replace(found, values=np.array([*values, np.mean(values)]))
    ordered = [Ranking.of(scores[:, index]) for index in range(len(classes))]

    def areas(event_weights: Floats) -> Floats:
        each = [one.curve(class_index == index, event_weights).auc for index, one in enumerate(ordered)]
        return np.array([*each, np.mean(each)])

    multiplicity = (poisson_multiplicity(identity, replica, salt=salt) for replica in range(n_bootstrap))
    replicas = np.array([areas(doubles * times) for times in multiplicity])
    return AucReplicas((*classes, "macro"), areas(doubles), replicas)


def streamed_replicas(
    parts: Callable[[], Iterable[ScoredEvents]],
    *,
    classes: tuple[str, ...],
    n_bootstrap: int = 100,
    salt: str = "auc",
) -> dict[str, AucReplicas]:
    """Model → areas with replicas, of events of which one part is in memory at a time.

    Areas are those of scores in 262,144 cells of about equal numbers of events, within which all are equal,
    their replicas those of 8,192 steps. That changes an area by less than the share of a cell or step, far
    below the replicas' spread.

    Args:
        parts: gives all parts of the events from the first on, as often as it is called.
        classes, n_bootstrap, salt: as for `auc_estimates`.
    """
    cells = _cells(parts, len(classes))
    sums = {
        (model, i): _Sums.empty(len(edges) + 1, n_bootstrap)
        for model, of_classes in cells.items()
        for i, edges in enumerate(of_classes)
    }
    for part in parts():
        _add(sums, cells, part, salt)
    return {model: _areas([sums[model, i] for i in range(len(classes))], classes) for model in cells}


@dataclass(frozen=True)
class _Sums:
    """Σw of background and signal by the cell of one score, and by step in each replica.

    Attributes:
        cells: shape (n_cells, 2).
        steps: shape (n_bootstrap, 2 n_steps), background and signal of a step side by side.
    """

    cells: Floats
    steps: Floats

    @classmethod
    def empty(cls, n_cells: int, n_bootstrap: int) -> "_Sums":
        return cls(np.zeros((n_cells, 2)), np.zeros((n_bootstrap, 2 * _N_STEPS)))

    def areas(self) -> Floats:
        """The area, and behind it those of the replicas, shape (1 + n_bootstrap,)."""
        tables = [self.cells, *(row.reshape(-1, 2) for row in self.steps)]
        falling = (np.cumsum(table[::-1], axis=0).T for table in tables)
        return np.array([curve_of_sums(signal, background).auc for background, signal in falling])


def _cells(parts: Callable[[], Iterable[ScoredEvents]], n_classes: int) -> dict[str, list[Scores]]:
    """Model → for each class the scores at which cells end."""
    some: dict[str, list[Scores]] = {}
    for part in parts():
        for model, scores in part.scores.items():
            every = max(len(scores) // _LOOKED_AT, 1)
            some.setdefault(model, []).append(scores[::every])
    found = {}
    for model in list(some):
        joined = np.concatenate(some.pop(model))
        every = max(-(-len(joined) // _N_CELLS), 1)
        found[model] = [np.unique(joined[:, i])[::every] for i in range(n_classes)]
    return found


def _add(
    sums: Mapping[tuple[str, int], _Sums], cells: Mapping[str, list[Scores]], part: ScoredEvents, salt: str
) -> None:
    """Adds the events of one part, in place."""
    places = {}
    for model, i in sums:
        cell = np.searchsorted(cells[model][i], part.scores[model][:, i], side="right")
        is_signal = part.class_index == i
        table = sums[model, i].cells
        table += np.bincount(2 * cell + is_signal, part.weights, table.size).reshape(table.shape)
        places[model, i] = (2 * (cell * _N_STEPS // len(table)) + is_signal).astype(np.uint16)
    n_bootstrap = len(next(iter(sums.values())).steps) if sums else 0
    for replica in range(n_bootstrap):
        weights = part.weights * poisson_multiplicity(part.identity, replica, salt=salt)
        for key, place in places.items():
            row = sums[key].steps[replica]
            row += np.bincount(place, weights, row.size)


def _areas(sums: list[_Sums], classes: tuple[str, ...]) -> AucReplicas:
    """What the sums of all classes give."""
    each = np.array([one.areas() for one in sums])
    every = np.vstack([each, each.mean(axis=0)]).T
    return AucReplicas((*classes, "macro"), every[0], every[1:])


def poisson_multiplicity(identity: NDArray[np.uint64], replica: int, *, salt: str) -> Floats:
    """Poisson(1) numbers by event identity: the same in every room, order and chunking."""
    drawn = uniform(
        identity,
        np.full(identity.shape, replica),
        np.zeros(identity.shape, np.uint64),
        salt=f"{salt}/bootstrap",
    )
    steps = stats.poisson.cdf(np.arange(12), 1.0)
    return np.searchsorted(steps, drawn, side="right").astype(np.float64)
