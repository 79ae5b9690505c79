"""One network for every value of a coefficient: the value is among its inputs.

VH events stand twice for each trained value c, with weight w(c) and with w(0); each value counts equally.
By the likelihood-ratio trick the odds of the network are the density of VH at c over that of the standard
model, ρ(x|c), up to the ratio of their yields. With the share p(x) of VH among standard-model events, the
density of all events at c over that of the standard model is 1 + p(x)·(ρ(x|c) − 1): backgrounds, of which
there are few in simulation, shape p(x) and nothing else.

References:
    Baldi, Cranmer, Faucett, Sadowski, Whiteson, arXiv:1601.07913; Brehmer et al., arXiv:1805.00020.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError
from znought.models.folds import UNTRAINED
from znought.models.network import NetworkConfig
from znought.models.observables import ObservableData
from znought.models.samples import TrainingConfig, TrainingData
from znought.models.scoring import scores_of
from znought.models.training import train_fold

__all__ = [
    "CLASSES",
    "check_value",
    "excess_density",
    "parametrised_data",
    "parametrised_network_scores",
    "with_value",
]

Floats = NDArray[np.float64]
CLASSES = ("reference", "value")
"""The process with all coefficients zero, and at the value."""
_LEAST = 1e-7


def check_value(at: float, trained: tuple[float, ...]) -> None:
    """Refuse a value that the network would have to extrapolate to.

    Raises:
        CardError: `at` is outside the trained values, or these are fewer than two.
    """
    if len(set(trained)) < 2:
        raise CardError(
            f"Expected at least two values to parametrise a network in. Received: {sorted(trained)}."
        )
    if not min(trained) <= at <= max(trained):
        raise CardError(f"Expected a coefficient within the trained {sorted(trained)}. Received: {at}.")


def with_value(features: NDArray[np.floating], value: float) -> NDArray[np.float32]:
    """Inputs with the coefficient as their last column, shape (n_events, n_features + 1)."""
    column = np.full((len(features), 1), value, dtype=np.float32)
    return np.concatenate([np.asarray(features, dtype=np.float32), column], axis=1)


def parametrised_data(
    data: ObservableData, identity: NDArray[np.uint64], ratios: Mapping[float, Floats]
) -> TrainingData:
    """What the network trains on: a stratum for each value, in which both classes weigh the same.

    Args:
        data: events of one channel, of which backgrounds are left out.
        identity: of each event, shape (n_events,).
        ratios: value of c → w(c)/w(0) of each event (read for VH alone), shape (n_events,).
    """
    vh = np.flatnonzero(data.is_vh)
    row = np.concatenate([vh, vh])
    rows = np.tile(row, len(ratios))
    return TrainingData(
        features=np.concatenate([with_value(data.features[row], value) for value in ratios]),
        class_index=np.tile(np.repeat(np.array([1, 0]), len(vh)), len(ratios)),
        weights=np.concatenate(
            [data.weight[vh] * factor for ratio in ratios.values() for factor in (ratio[vh], 1.0)]
        ),
        fold=data.fold[rows].astype(np.int8),
        identity=identity[rows],
        stratum=np.repeat(np.arange(len(ratios)), len(row)),
    )


def excess_density(output: NDArray[np.floating], share: Floats, growth: float) -> Floats:
    """Density of all events at a value over that of the standard model, minus one: p(x)·(ρ(x|c) − 1).

    Args:
        output: of the network at the value, shape (n_events,).
        share: p(x), of VH among standard-model events, shape (n_events,).
        growth: yield of VH at the value over that of the standard model.

    >>> excess_density(np.array([0.5, 0.8]), np.array([1.0, 0.5]), 2.0).round(6).tolist()
    [1.0, 3.5]
    """
    bounded = np.clip(np.asarray(output, dtype=np.float64), _LEAST, 1.0 - _LEAST)
    return np.asarray(share * (growth * bounded / (1.0 - bounded) - 1.0))


def parametrised_network_scores(
    data: ObservableData,
    identity: NDArray[np.uint64],
    ratios: Mapping[float, Floats],
    network: NetworkConfig,
    training: TrainingConfig,
    *,
    at: tuple[float, ...],
) -> dict[float, Floats]:
    """Outputs of the network of each event's own fold at some values, in one repeat.

    Args:
        data, identity, ratios: as for `parametrised_data`; backgrounds are scored.
        network, training: settings; the rule of the folds is that of `data.fold`.
        at: values that all events are scored for.

    Returns:
        value → output of the network, for `excess_density`.

    Raises:
        CardError: a value outside the trained ones.
    """
    for value in at:
        check_value(value, tuple(ratios))
    table = parametrised_data(data, identity, ratios)
    names = tuple(f"x{i}" for i in range(table.features.shape[1]))
    found, own = {value: np.zeros(len(data.weight)) for value in at}, data.scored_by
    for fold in data.folds:
        trained = train_fold(table, fold, network, training, classes=CLASSES, feature_names=names)
        rows = np.flatnonzero((own == fold) | (own == UNTRAINED))
        share = np.where(own[rows] == UNTRAINED, len(data.folds), 1)
        for value, scores in found.items():
            scores[rows] += scores_of(trained, with_value(data.features[rows], value), names)[:, 1] / share
    return found
