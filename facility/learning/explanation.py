"""What the networks have learned, measured on events that they were not trained on."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.facility.learning.plan import LearningPlan
from znought.facility.learning.training import held_data
from znought.identity import uniform
from znought.models import artefacts
from znought.models.explain import gradient_attribution, permutation_importance
from znought.models.samples import TrainingData, balanced_weights
from znought.models.scoring import Scorer

__all__ = ["explain"]

EVENTS = 20_000
"""About how many events inputs are shuffled among: each costs 51 scorings by every repeat."""


def explain(plan: LearningPlan, models: str) -> dict[str, object]:
    """On a worker: importance of every input, and how far each moves every score.

    Args:
        plan: of the training data.
        models: folder of the networks.

    Returns:
        `importance`: input → mean and stdev of the loss of macro AUC when it is shuffled, each event
        scored by the networks that have not seen it; `attribution`: class → input → mean |∂score/∂input|
        of network 0 on its own fold, inputs scaled.
    """
    repeats, scorer = held_data(plan), Scorer.load(models)
    data = repeats[0]
    rows = _some(data)
    folds = np.stack([repeat.fold[rows] for repeat in repeats], axis=1)
    weights = balanced_weights(np.abs(data.weights[rows]), data.class_index[rows], plan.classes)
    importance = permutation_importance(
        lambda features: scorer.score(features, folds),
        data.features[rows],
        data.class_index[rows],
        weights,
        feature_names=plan.features,
    )
    first = folds[:, 0] == 0
    scaler = scorer.manifest.scalers[0]
    attribution = gradient_attribution(
        artefacts.load_keras(Path(models), 0),
        scaler.scale(data.features[rows[first]], plan.features),
        weights[first],
    )
    return {
        "importance": {name: asdict(found) for name, found in importance.items()},
        "attribution": {
            name: dict(zip(scaler.feature_names, attribution[index].tolist(), strict=True))
            for index, name in enumerate(plan.classes)
        },
    }


def _some(data: TrainingData) -> NDArray[np.intp]:
    """Rows of training events, all or a part chosen by identity."""
    zeros = np.zeros(data.identity.shape, np.uint64)
    chosen = uniform(data.identity, zeros, zeros, salt="explanation") < EVENTS / len(data.identity)
    return np.flatnonzero(chosen & (data.fold >= 0))
