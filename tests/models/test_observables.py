"""Observables of a coefficient: against known densities, and what they must never look at."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from znought.errors import CardError, DataError
from znought.models.observables import (
    ObservableData,
    TreesConfig,
    classifier_scores,
    linear_scores,
    parametrised_scores,
    ratio_scores,
    vh_probability,
)

Floats = npt.NDArray[np.float64]
TREES = TreesConfig(max_iter=15, learning_rate=0.3, max_leaf_nodes=6, min_samples_leaf=40)
N = 4000


def toy(seed: int = 1) -> tuple[ObservableData, Floats, Floats]:
    """VH with slope 10x and square 30x² of an input x; background that fills low x; a noise input."""
    rng = np.random.default_rng(seed)
    is_vh = np.arange(N) % 2 == 0
    x = np.where(is_vh, rng.exponential(1.0, N), rng.exponential(0.5, N))
    weight = np.where(is_vh, 0.02, 0.1)
    features = np.column_stack([x, rng.normal(size=N)])
    return ObservableData(features, weight, is_vh, rng.integers(-1, 2, N)), 10.0 * x, 30.0 * x**2


DATA, SLOPE, SQUARE = toy()
RATIO = 1.0 + 0.05 * SLOPE + 0.05**2 * SQUARE
X = DATA.features[:, 0].astype(np.float64)
INNER = X < 4.0
"""Where the toy has enough events to know the densities."""


def probability(x: Floats) -> Floats:
    vh, background = 0.02 * np.exp(-x), 0.1 * 2.0 * np.exp(-2.0 * x)
    return vh / (vh + background)


def test_the_linear_score_is_the_derivative_of_the_log_density() -> None:
    truth = probability(X) * SLOPE
    found = linear_scores(DATA, SLOPE, TREES)
    error = np.sqrt(np.mean((found - truth)[INNER] ** 2))
    assert error < 0.3 * truth[INNER].std()
    assert np.corrcoef(found[INNER], truth[INNER])[0, 1] > 0.95


def test_the_ratio_and_the_probability_are_those_of_the_densities() -> None:
    np.testing.assert_allclose(
        vh_probability(DATA, TREES)[INNER].mean(), probability(X)[INNER].mean(), rtol=0.1
    )
    truth = probability(X) * (RATIO - 1.0)
    assert np.corrcoef(ratio_scores(DATA, RATIO, TREES)[INNER], truth[INNER])[0, 1] > 0.95


@pytest.mark.parametrize("with_backgrounds", [True, False])
def test_the_classifier_orders_as_the_density_ratio_does(with_backgrounds: bool) -> None:
    score = classifier_scores(DATA, RATIO, TREES, with_backgrounds=with_backgrounds)
    truth = (probability(X) if with_backgrounds else 1.0) * (RATIO - 1.0)
    first, second = (np.argsort(np.argsort(values[INNER])) for values in (score, truth))
    assert np.corrcoef(first, second)[0, 1] > 0.85


def test_without_background_training_backgrounds_change_nothing() -> None:
    shifted = replace(DATA, features=np.where(DATA.is_vh[:, None], DATA.features, DATA.features + 1.0))
    one, other = (classifier_scores(d, RATIO, TREES, with_backgrounds=False) for d in (DATA, shifted))
    np.testing.assert_array_equal(one[DATA.is_vh], other[DATA.is_vh])
    with_them = classifier_scores(shifted, RATIO, TREES)
    assert np.abs(with_them - one)[DATA.is_vh].max() > 0.05


def test_one_classifier_serves_the_trained_values() -> None:
    ratios = {c: 1.0 + c * SLOPE + c**2 * SQUARE for c in (0.02, 0.05, 0.1)}
    at = parametrised_scores(DATA, ratios, TREES, at=0.05)
    alone = classifier_scores(DATA, RATIO, TREES)
    assert np.corrcoef(at[INNER], alone[INNER])[0, 1] > 0.9
    with pytest.raises(CardError, match=r"within the trained \[0.02, 0.05, 0.1\]. Received: 0.2"):
        parametrised_scores(DATA, ratios, TREES, at=0.2)


LEARNERS: tuple[Callable[[ObservableData, Floats], Floats], ...] = (
    lambda data, slope: linear_scores(data, slope, TREES),
    lambda data, slope: ratio_scores(data, 1.0 + 0.05 * slope, TREES),
    lambda data, slope: classifier_scores(data, 1.0 + 0.05 * slope, TREES),
    lambda data, slope: parametrised_scores(data, {0.05: 1.0 + 0.05 * slope}, TREES, at=0.05),
)


@pytest.mark.parametrize("learn", LEARNERS)
def test_no_event_and_no_test_part_shapes_its_own_score(
    learn: Callable[[ObservableData, Floats], Floats],
) -> None:
    changed = np.where(DATA.fold == 1, 100.0 - SLOPE, SLOPE)
    np.testing.assert_array_equal(learn(DATA, SLOPE)[DATA.fold == 1], learn(DATA, changed)[DATA.fold == 1])
    of_test = np.where(DATA.fold == -1, 100.0 - SLOPE, SLOPE)
    np.testing.assert_array_equal(learn(DATA, SLOPE), learn(DATA, of_test))
    assert not np.array_equal(learn(DATA, SLOPE), learn(DATA, changed))


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(DataError, match="finite target"):
        linear_scores(DATA, np.where(X > 1.0, np.nan, SLOPE), TREES)
    with pytest.raises(DataError, match="finite inputs and weights"):
        replace(DATA, features=np.full_like(DATA.features, np.nan))
    with pytest.raises(DataError, match="weights ≥ 0"):
        replace(DATA, weight=-DATA.weight)
    with pytest.raises(DataError, match=r"weight: expected shape \(4000,\)"):
        replace(DATA, weight=DATA.weight[:5])
    with pytest.raises(DataError, match="No VH event"):
        replace(DATA, is_vh=np.zeros(N, np.bool_))
    with pytest.raises(CardError, match=r"trees\.max_iter"):
        TreesConfig(max_iter=0)
    with pytest.raises(CardError, match=r"trees\.learning_rate"):
        TreesConfig(learning_rate=0.0)
