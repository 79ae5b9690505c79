import pytest

from znought.errors import DataError
from znought.plots.attribution import attribution
from znought.plots.style import FigureLabel

LABEL = FigureLabel(label="Simulation", lumi_ifb=None)


def test_shares_of_each_class_with_the_strongest_input_on_top() -> None:
    values = {"VH": {"m_ll": 1.0, "m_jj": 3.0}, "top": {"m_ll": 0.1, "m_jj": 0.1}}
    axes = attribution(values, label=LABEL).axes[0]
    shares = [text.get_text() for text in axes.texts if text.get_text().isdigit()]
    assert shares == ["75", "50", "25", "50"]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="no input moves the score of VH"):
        attribution({"VH": {"m_ll": 0.0}}, label=LABEL)
    with pytest.raises(DataError, match="the same inputs"):
        attribution({"VH": {"m_ll": 1.0}, "top": {"m_jj": 1.0}}, label=LABEL)
