"""What a network minimises, as the compiled loop and the stop part see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, unknown_name
from znought.models.network import LossConfig
from znought.models.samples import Part

__all__ = ["Objective", "objectives"]


@dataclass(frozen=True)
class Objective:
    """One loss in two forms.

    Attributes:
        of_batch: (class_index, logits, weights) → scalar tensor, for the compiled loop.
        of_part: (scores, part) → number, for the stop part.
    """

    of_batch: Callable[[Any, Any, Any], Any]
    of_part: Callable[[NDArray[np.float32], Part], float]


def objectives(config: LossConfig, classes: tuple[str, ...]) -> tuple[Objective, Objective]:
    """Objectives of the pretraining epochs and of all others.

    Raises:
        CardError: the signal class does not exist.
    """
    if config.kind == "cross_entropy":
        return (Objective(_batch_cross_entropy, _part_cross_entropy),) * 2
    if config.signal_class not in classes:
        raise CardError(unknown_name("network.loss.signal_class", config.signal_class, classes))
    from znought.models.losses import AsimovLoss, SignificanceLoss

    signal_index = classes.index(config.signal_class)
    pretraining = SignificanceLoss(
        signal_events=config.signal_events,
        background_events=config.background_events,
        signal_index=signal_index,
    )
    if config.kind == "significance":
        return (_yield_objective(pretraining, len(classes)),) * 2
    main = AsimovLoss(
        signal_events=config.signal_events,
        background_events=config.background_events,
        relative_uncertainty=config.relative_uncertainty,
        minimum_background=config.minimum_background,
        signal_index=signal_index,
    )
    return _yield_objective(pretraining, len(classes)), _yield_objective(main, len(classes))


def _yield_objective(loss: Any, n_classes: int) -> Objective:
    from keras import ops

    def of_batch(class_index: Any, logits: Any, weights: Any) -> Any:
        return loss(ops.one_hot(class_index, n_classes), ops.softmax(logits), weights)

    def of_part(scores: NDArray[np.float32], part: Part) -> float:
        one_hot = np.eye(n_classes, dtype=np.float32)[part.class_index]
        return float(loss(one_hot, scores, part.weights))

    return Objective(of_batch, of_part)


def _batch_cross_entropy(class_index: Any, logits: Any, weights: Any) -> Any:
    from keras import ops

    return ops.mean(weights * ops.sparse_categorical_crossentropy(class_index, logits, from_logits=True))


def _part_cross_entropy(scores: NDArray[np.float32], part: Part) -> float:
    chosen = scores[np.arange(len(scores)), part.class_index].astype(np.float64)
    return float(np.average(-np.log(np.maximum(chosen, 1e-30)), weights=part.weights))
