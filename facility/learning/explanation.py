"""What the networks have learned, measured on events that they were not trained on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from znought.facility.learning.training import NetworkTask, held_data
from znought.facility.results.explained import InputImportance, Learned
from znought.identity import uniform
from znought.models import artefacts
from znought.models.explain import Importance, gradient_attribution, permutation_importance
from znought.models.samples import TrainingData, balanced_weights
from znought.models.scoring import Scorer

__all__ = ["EVENTS", "explain", "importances"]

EVENTS = 20_000
"""About how many events inputs are shuffled among: each costs 51 scorings by every repeat."""


def explain(task: NetworkTask) -> Learned:
    """On a worker: importance of every input, and how far each moves every score.

    Each event is scored by the networks that have not seen it.
    """
    repeats, scorer = held_data(task.source), Scorer.load(task.folder)
    data = repeats[0]
    rows = _some(data)
    folds = np.stack([repeat.fold[rows] for repeat in repeats], axis=1)
    weights = balanced_weights(np.abs(data.weights[rows]), data.class_index[rows], task.classes)
    importance = permutation_importance(
        lambda features: scorer.score(features, folds),
        data.features[rows],
        data.class_index[rows],
        weights,
        feature_names=task.features,
    )
    first = folds[:, 0] == 0
    scaler = scorer.manifest.scalers[0]
    attribution = gradient_attribution(
        artefacts.load_keras(task.folder, 0),
        scaler.scale(data.features[rows[first]], task.features),
        weights[first],
    )
    return Learned(
        importance=importances(importance),
        attribution={
            name: dict(zip(scaler.feature_names, attribution[index].tolist(), strict=True))
            for index, name in enumerate(task.classes)
        },
    )


def importances(found: Mapping[str, Importance]) -> dict[str, InputImportance]:
    """The importance of every input as a record."""
    return {name: InputImportance(mean=one.mean, stdev=one.stdev) for name, one in found.items()}


def _some(data: TrainingData) -> NDArray[np.intp]:
    """Rows of training events, all or a part chosen by identity."""
    zeros = np.zeros(data.identity.shape, np.uint64)
    chosen = uniform(data.identity, zeros, zeros, salt="explanation") < EVENTS / len(data.identity)
    return np.flatnonzero(chosen & (data.fold >= 0))
