"""Regions: intervals, n − 1 and cutflow."""

import numpy as np
import pytest

from znought.errors import CardError, DataError
from znought.processors.regions import Cut, Region, regions_from_card

_COLUMNS = {
    "m_jj": np.array([70.0, 85.0, 100.0, 85.0]),
    "m_ll": np.array([20.0, 20.0, 20.0, 90.0]),
}


def test_lower_is_inside_and_upper_is_not() -> None:
    region = regions_from_card({"SR": {"m_jj": [70.0, 100.0], "m_ll": [None, 50.0]}})["SR"]
    assert region.mask(_COLUMNS).tolist() == [True, True, False, False]
    assert region.n_minus_one(_COLUMNS, "m_ll").tolist() == [True, True, False, True]


def test_cutflow_follows_the_cuts() -> None:
    region = regions_from_card({"SR": {"m_jj": [70.0, 100.0], "m_ll": [None, 50.0]}})["SR"]
    flow = region.cutflow(_COLUMNS, np.array([1.0, 2.0, 4.0, 8.0]))
    assert flow.names == ("preselection", "m_jj", "m_ll")
    assert [float(total) for total in flow.sumw] == [15.0, 11.0, 3.0]


def test_mistakes_are_named() -> None:
    with pytest.raises(CardError, match="'m_jj'"):
        Cut("m_jj")
    with pytest.raises(CardError, match="empty"):
        Cut("m_jj", 3.0, 3.0)
    with pytest.raises(CardError, match="Region 'SR'"):
        regions_from_card({"SR": {"m_jj": [1.0]}})
    with pytest.raises(DataError, match="did you mean 'm_jj'"):
        Region("SR", (Cut("mjj", 1.0),)).mask(_COLUMNS)
    with pytest.raises(CardError, match="Unknown cut variable"):
        Region("SR", (Cut("m_jj", 1.0),)).n_minus_one(_COLUMNS, "m_ll")
