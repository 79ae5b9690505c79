"""Networks and their scores, worked out again: folds, scalers, training data, and what has been seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import EventTable, read_events
from znought.facility.learning.plan import (
    TEST_PART,
    TRAINING_PART,
    LearningPlan,
    learning_plan,
    parts_of,
    scoring_folds,
)
from znought.facility.workspace import Workspace
from znought.models.artefacts import network_name
from znought.models.folds import PARTS, own_folds
from znought.models.samples import prepare_fold
from znought.models.scoring import Scorer
from znought.stats.one_discriminant import one_discriminant
from znought.stats.referee.identities import folds_by_identity
from znought.stats.referee.memory import ScoredClass, one_discriminant_check, remembered, seen_unseen
from znought.stats.referee.record import Check, not_applicable
from znought.stats.referee.repetition import scalers_again, scores_again, training_again

__all__ = ["NetworkScores", "score_checks"]

Floats = NDArray[np.float64]
_NAMES = (
    "folds by identity",
    "scores repeated",
    "scalers repeated",
    "training data repeated",
    "seen less unseen",
    "training against test",
    "one discriminant",
)
_MOST_ROWS = 200_000
"""Rows of each kind of events that are scored again; of more, every second, third, …"""


@dataclass(frozen=True)
class NetworkScores:
    """Nominal events of the trained classes with the scores of every single network.

    Attributes:
        card, workspace: of the finished analysis.
        plan: how its networks were trained.
        scorer: the networks.
    """

    card: StandardCard
    workspace: Workspace
    plan: LearningPlan
    scorer: Scorer

    @classmethod
    def of(cls, card: StandardCard, workspace: Workspace) -> "NetworkScores":
        """The networks of an output directory.

        Raises:
            DataError: a file of a network is missing or changed.
        """
        return cls(card, workspace, learning_plan(card, workspace), Scorer.load(workspace.models))

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Simulated datasets."""
        return self.card.of_kind("simulation")

    def tables(self, datasets: tuple[str, ...], variation: str = "nominal") -> tuple[EventTable, EventTable]:
        """Columns and stored scores of some datasets, the same rows."""
        outputs = [f"score_{name}" for name in self.card.classes]
        columns = read_events(
            self.workspace.columns, datasets, ["gen_weight", *self.plan.features], variation=variation
        )
        scores = read_events(
            self.workspace.scores, datasets, ["fold", "part", "event_weight", *outputs], variation=variation
        )
        if len(columns) != len(scores):
            raise DataError(f"{variation}: scores and columns are not of the same events; score again.")
        if len(columns) > _MOST_ROWS:
            kept = np.arange(len(columns)) % (len(columns) // _MOST_ROWS + 1) == 0
            columns, scores = columns.select(kept), scores.select(kept)
        return columns, scores

    def trained(self, columns: EventTable) -> NDArray[np.bool_]:
        """Whether networks are trained on each event's dataset."""
        return columns.per_dataset({name: name in self.plan.class_of for name in columns.datasets})

    def single(self, columns: EventTable) -> NDArray[np.float32]:
        """Scores of every network for every event, shape (n_networks, n_events, n_classes)."""
        features = self.scorer.features(columns.columns)
        n_networks = len(self.scorer.sessions)
        return np.stack([self.scorer.score_with(network, features) for network in range(n_networks)])

    def own(self, columns: EventTable) -> NDArray[np.int8]:
        """Fold of every event in every repeat, from its identity."""
        training = self.plan.training
        names = (columns[name] for name in ("run", "luminosityBlock", "event"))
        return own_folds(*names, n_folds=training.n_folds, n_repeats=training.n_repeats, salt=training.salt)

    def unseen_by_repeat(self, single: NDArray[np.float32], own: NDArray[np.int8]) -> NDArray[np.float32]:
        """Score of the network of the own fold in each repeat, shape (n_repeats, n_events, n_classes)."""
        n_folds, rows = self.plan.training.n_folds, np.arange(len(own))
        return np.stack([single[repeat * n_folds + own[:, repeat], rows] for repeat in range(own.shape[1])])


def score_checks(card: StandardCard, workspace: Workspace) -> Iterator[Check]:
    """What the networks and their scores can be asked; not applicable where no network was trained."""
    if card.network is None:
        reason = "the model was trained elsewhere" if card.is_scored else "the card has no network"
        for name in _NAMES:
            yield not_applicable(name, "networks and scores", reason)
        return
    networks = NetworkScores.of(card, workspace)
    yield from _repeated(networks)
    yield from _trained(networks)
    yield from _remembered(networks)
    yield not_applicable("trees repeated", "scores of boosted trees", "only the scores of trees are kept")


def _repeated(networks: NetworkScores) -> Iterator[Check]:
    """Folds and scores of every kind of events, as stored and as they come out now."""
    stored, expected, pairs = {}, {}, dict[str, tuple[Any, Any]]()
    training = networks.plan.training
    for kind, datasets, variation in _kinds(networks):
        columns, scores = networks.tables(datasets, variation)
        trained = networks.trained(columns)
        folds = scoring_folds(training, columns, trained)
        stored[kind], expected[kind] = scores["fold"], folds[:, 0]
        again = networks.scorer.score(networks.scorer.features(columns.columns), folds)
        written = scores.matrix([f"score_{name}" for name in networks.card.classes])
        if kind != "nominal":
            pairs[kind] = written, again
            continue
        for i, part in enumerate(PARTS):
            rows = parts_of(training, columns, trained) == i
            if rows.any():
                pairs[part] = written[rows], again[rows]
    yield folds_by_identity(stored, expected)
    yield scores_again(pairs)


def _kinds(networks: NetworkScores) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Nominal simulation, data, and every variation that has events of its own."""
    yield "nominal", networks.datasets, "nominal"
    data = networks.card.of_kind("data")
    if data and any(networks.workspace.scores.glob(f"{name}/nominal/*.parquet") for name in data):
        yield "data", data, "nominal"
    folders = {path.parent.name for path in networks.workspace.scores.glob("*/*/*.parquet")}
    for variation in sorted(folders - {"nominal"}):
        yield variation, networks.datasets, variation


def _trained(networks: NetworkScores) -> Iterator[Check]:
    """Scalers and training data, learned and read again from the columns."""
    plan, manifest = networks.plan, networks.scorer.manifest
    stored, again = {}, {}
    samples = plan.training_data()
    for repeat, data in enumerate(samples):
        for fold in range(plan.training.n_folds):
            name = network_name(repeat, fold)
            scaler = manifest.scalers[repeat * plan.training.n_folds + fold]
            fitted = prepare_fold(
                data,
                fold,
                plan.training.of_repeat(repeat),
                classes=plan.classes,
                feature_names=plan.features,
            ).scaler
            stored[name], again[name] = (np.array([one.median, one.iqr]) for one in (scaler, fitted))
    yield scalers_again(stored, again)
    digests = {f"repeat {i}": digest for i, digest in enumerate(manifest.data_sha256)}
    yield training_again(digests, {f"repeat {i}": data.fingerprint() for i, data in enumerate(samples)})


def _remembered(networks: NetworkScores) -> Iterator[Check]:
    """Whether scores profit from having been trained on."""
    columns, scores = networks.tables(tuple(networks.plan.class_of))
    part = parts_of(networks.plan.training, columns)
    kept = np.isin(part, (TRAINING_PART, TEST_PART))
    columns, scores, is_test = columns.select(kept), scores.select(kept), part[kept] == TEST_PART
    index = columns.per_dataset(networks.plan.class_of).astype(np.int64)
    classes = _classes(networks, columns, scores, index, is_test)
    yield seen_unseen(classes)
    yield remembered(classes)
    names = networks.card.classes
    tested = "χ² with tail quantiles of test against out-of-fold events"
    try:
        found = one_discriminant(
            {name: scores[f"score_{name}"] for name in names},
            scores["event_weight"],
            np.asarray(names)[index],
            is_test,
            columns.identity,
        )
    except DataError as reason:
        yield not_applicable("one discriminant", tested, str(reason))
    else:
        yield one_discriminant_check(found)


def _classes(
    networks: NetworkScores,
    columns: EventTable,
    scores: EventTable,
    index: NDArray[np.int64],
    is_test: NDArray[np.bool_],
) -> dict[str, ScoredClass]:
    """Events of each class with the score of that class by all, own and other networks."""
    single, own = networks.single(columns), networks.own(columns)
    unseen = networks.unseen_by_repeat(single, own).mean(axis=0)
    n_folds = networks.plan.training.n_folds
    seen = (single.mean(axis=0) * n_folds - unseen) / (n_folds - 1)
    found = {}
    for i, name in enumerate(networks.card.classes):
        rows = index == i
        if not (rows & ~is_test).any():
            continue
        found[name] = ScoredClass(
            stored=scores[f"score_{name}"][rows].astype(np.float64),
            unseen=unseen[rows, i].astype(np.float64),
            seen=seen[rows, i].astype(np.float64),
            weights=scores["event_weight"][rows],
            identity=columns.identity[rows],
            is_test=is_test[rows],
        )
    return found
