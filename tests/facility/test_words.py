"""Notes and tables of the report write names as figures do, and no other word."""

from pathlib import Path

import pytest

from tests.facility.small import small_card
from znought.analyses.vh_ww.analysis import ANALYSIS
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_card
from znought.facility.results.words import in_words, known_names, tables_in_words
from znought.plots.labels import drawn_as
from znought.plots.report import ReportTable


@pytest.fixture
def card(tmp_path: Path) -> Card:
    found = load_card(small_card(tmp_path, variations={"enabled": ["jes"]}))
    assert isinstance(found, Card)
    return found


def test_names_are_written_as_on_figures(card: Card) -> None:
    names = known_names(card)
    with drawn_as(ANALYSIS, card.styles, card.plotting):
        assert in_words("low_m_ll: jes of top (pt_j0, m_jj)", names) == (
            "low m ll: Jet energy scale of top (p_T^j_0, m_jj)"
        )
        assert in_words("signal and data at large", names) == "signal and data at large"
        assert in_words("jest, jes_up", names) == "jest, jes_up"
        table = ReportTable("t", ("region", "data"), (("low_m_ll", "2"),), "Of jes. jes again.")
        (written,) = tables_in_words([table], names)
    assert written.rows == (("low m ll", "2"),)
    assert written.header == ("region", "data")
    assert written.caption == "Of jet energy scale. Jet energy scale again."
