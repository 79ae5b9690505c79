"""Baseline edges hold what their names say."""

import numpy as np
import pytest

from tests.stats.toys import toy
from znought.errors import CardError, DataError
from znought.stats.baselines import equal_background, equal_quantile, equal_width, transformation_d
from znought.stats.bins import evaluate


def test_equal_width_and_quantile() -> None:
    sample = toy(4000, 1)
    assert np.diff(equal_width(8)) == pytest.approx(0.1)
    edges = equal_quantile(sample.scores, sample.weights, 8)
    counts, _ = np.histogram(sample.scores, edges, weights=sample.weights)
    assert counts == pytest.approx(counts.mean(), abs=3 * sample.weights.max())


def test_equal_background_and_transformation_d() -> None:
    sample = toy(4000, 1)
    columns = (sample.scores, sample.weights, sample.is_signal)
    background = evaluate(*columns, equal_background(*columns, 8)).background
    assert background == pytest.approx(background.mean(), rel=0.02)
    result = evaluate(*columns, transformation_d(*columns, z_signal=4, z_background=6))
    share = 4 * result.signal / result.signal.sum() + 6 * result.background / result.background.sum()
    assert share == pytest.approx(np.ones(10), abs=0.02)


def test_negative_weights_and_coinciding_scores_still_give_rising_edges() -> None:
    sample = toy(500, 2, negative=0.3)
    columns = (np.round(sample.scores, 1), sample.weights, sample.is_signal)
    assert np.all(np.diff(transformation_d(*columns)) > 0)


def test_bad_input_is_one_clear_line() -> None:
    sample = toy(100, 1)
    columns = (sample.scores, sample.weights, sample.is_signal)
    with pytest.raises(CardError, match="number of bins"):
        equal_width(0)
    with pytest.raises(CardError, match="must not be negative"):
        transformation_d(*columns, z_signal=-1, z_background=3)
    with pytest.raises(DataError, match="signal in"):
        transformation_d(sample.scores, sample.weights, np.zeros(sample.scores.size, dtype=bool))
    with pytest.raises(DataError, match="no positive weight"):
        equal_quantile(sample.scores, sample.weights, 3, lower=2.0, upper=3.0)
