import json

import numpy as np
import pytest

from znought.errors import DataError
from znought.models.scaling import (
    LIMIT,
    UNDEFINED_SCALED,
    RobustScaler,
    check_finite,
    weighted_quantile,
)


def test_unit_weights_give_the_quantiles_of_numpy_and_weights_count_as_copies() -> None:
    values = np.random.default_rng(0).normal(size=501)
    found = weighted_quantile(values, np.ones(501), (0.25, 0.5, 0.75))
    np.testing.assert_allclose(found, np.quantile(values, (0.25, 0.5, 0.75), method="hazen"))
    copies = np.arange(501) % 4 + 1
    expected = np.quantile(np.repeat(values, copies), 0.5)
    assert weighted_quantile(values, copies.astype(float), (0.5,))[0] == pytest.approx(expected, abs=0.02)


def test_a_sentinel_takes_no_part_and_lands_on_one_value() -> None:
    values = np.array([[10.0], [20.0], [30.0], [-1.0], [-1.0], [1e9]], np.float32)
    scaler = RobustScaler.fit(values[:5], np.ones(5), ("m_tautau",), {"m_tautau": -1.0, "other": 0.0})
    assert scaler.median == (20.0,)
    scaled = scaler.transform(values)[:, 0]
    assert scaled[3] == scaled[4] == UNDEFINED_SCALED
    assert scaled[1] == 0.0
    assert scaled[5] == LIMIT


def test_json_gives_the_same_scaler_back() -> None:
    features = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    scaler = RobustScaler.fit(features, np.ones(50), ("a", "b"), {"b": -1.0})
    assert RobustScaler.from_json(json.loads(json.dumps(scaler.to_json()))) == scaler


def test_mostly_equal_values_fall_back_to_the_standard_deviation() -> None:
    values = np.array([[0.0]] * 9 + [[10.0]], np.float32)
    assert RobustScaler.fit(values, np.ones(10), ("n",), {}).iqr == (3.0,)


def test_a_constant_or_never_defined_feature_is_named() -> None:
    with pytest.raises(DataError, match=r"Feature 'm_ll': constant \(7\) in every training event\."):
        RobustScaler.fit(np.full((4, 1), 7.0, np.float32), np.ones(4), ("m_ll",), {})
    with pytest.raises(DataError, match="Feature 'm_ll': undefined in every training event"):
        RobustScaler.fit(np.full((4, 1), 7.0, np.float32), np.ones(4), ("m_ll",), {"m_ll": 7.0})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(bad: float) -> None:
    features = np.zeros((3, 2), np.float32)
    features[1, 1] = bad
    with pytest.raises(DataError, match=r"Feature 'm_jj': .* in 1 of 3 events"):
        check_finite(features, ("m_ll", "m_jj"))
    with pytest.raises(DataError, match=r"expected shape \(n_events, 1\)"):
        check_finite(features, ("m_ll",))
