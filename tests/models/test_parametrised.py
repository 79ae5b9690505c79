"""One network with the coefficient among its inputs: against known densities, and what it must never see."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from tests.models.samples import tensorflow_warnings
from tests.models.test_observables import DATA, INNER, SLOPE, SQUARE, X, probability
from znought.errors import CardError
from znought.models.network import NetworkConfig
from znought.models.parametrised import (
    CLASSES,
    check_value,
    excess_density,
    parametrised_data,
    parametrised_network_scores,
)
from znought.models.samples import TrainingConfig, prepare_fold

pytestmark = tensorflow_warnings

Floats = npt.NDArray[np.float64]
IDENTITY = np.arange(len(X), dtype=np.uint64)
VALUES = (-0.02, 0.02, 0.06, 0.1)
NETWORK = NetworkConfig(
    hidden_nodes=(16, 16), batch_normalisation=False, input_noise=0.0, hidden_noise=0.0, learning_rate=0.01
)
TRAINING = TrainingConfig(n_folds=2, batch_size=512, max_epochs=15, patience=15, monitor="loss")


def _ratios(slope: Floats = SLOPE) -> dict[float, Floats]:
    return {c: 1.0 + c * slope + c**2 * SQUARE for c in VALUES}


@cache
def _scores() -> dict[float, Floats]:
    return parametrised_network_scores(DATA, IDENTITY, _ratios(), NETWORK, TRAINING, at=(0.04, 0.1))


@pytest.mark.parametrize("value", [0.04, 0.1])
def test_it_gives_the_density_ratio_between_the_trained_values_too(value: float) -> None:
    growth = 1.0 + value * SLOPE + value**2 * SQUARE
    mean = float(np.average(growth[DATA.is_vh], weights=DATA.weight[DATA.is_vh]))
    found = excess_density(_scores()[value], probability(X), mean)
    truth = probability(X) * (growth - 1.0)
    assert np.sqrt(np.mean((found - truth)[INNER] ** 2)) < 0.25 * truth[INNER].std()


def test_each_value_counts_equally_in_every_part() -> None:
    data = parametrised_data(DATA, IDENTITY, _ratios())
    assert data.stratum is not None
    names = ("x", "noise", "c")
    sample = prepare_fold(data, 0, TRAINING, classes=CLASSES, feature_names=names)
    values = sample.train.features[:, 2]
    sums = {
        (value, k): sample.train.weights[(values == value) & (sample.train.class_index == k)].sum()
        for value in np.unique(values)
        for k in (0, 1)
    }
    assert len(sums) == 2 * len(VALUES)
    np.testing.assert_allclose(list(sums.values()), len(values) / len(sums), rtol=1e-4)


@pytest.mark.parametrize("part", [1, -1])
def test_no_event_and_no_test_part_shapes_its_own_score_and_seeds_repeat(part: int) -> None:
    ratios = _ratios(np.where(DATA.fold == part, 30.0 - SLOPE, SLOPE))
    found = parametrised_network_scores(DATA, IDENTITY, ratios, NETWORK, TRAINING, at=(0.1,))[0.1]
    kept = (DATA.fold == part) if part >= 0 else np.ones(len(X), np.bool_)
    assert found[kept].tobytes() == _scores()[0.1][kept].tobytes()
    assert kept.all() or not np.array_equal(found, _scores()[0.1])


def test_values_that_cannot_be_learned_are_named() -> None:
    with pytest.raises(CardError, match=r"within the trained \[0.01, 0.03\]. Received: 0.04"):
        check_value(0.04, (0.03, 0.01))
    with pytest.raises(CardError, match=r"at least two values .* Received: \[0.01\]"):
        check_value(0.01, (0.01,))
