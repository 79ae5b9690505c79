"""Names and colours: every variable has a label, no two classes share a colour."""

import pytest
from matplotlib.mathtext import MathTextParser

from tests.plots.drawn import BOTH
from znought.analyses.vh_bb.features import FEATURES as TALK_B
from znought.analyses.vh_ww.variables import FEATURES as TALK_A
from znought.analysis import Analysis, ProcessStyle
from znought.facility.cards.sections import Process
from znought.plots.labels import colours, drawn_as, feature_label, is_variable, process_label

CLASSES = ("VH", "ggF", "VBF", "top", "Zjets", "WW")
INPUTS = sorted({*TALK_A, *(name for names in TALK_B.values() for name in names)})


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_has_a_label(name: str) -> None:
    assert is_variable(name)
    assert feature_label(name).symbol != name


def test_momenta_and_masses_carry_their_unit() -> None:
    for name in INPUTS:
        if name.startswith(("pt", "m_", "mt", "met_track", "mis", "ht", "sum")):
            assert feature_label(name).unit == "GeV", name


def test_labels_are_valid_mathtext() -> None:
    parser = MathTextParser("path")
    for text in [*(v.axis_label for v in BOTH.variables), *(s.label for s in BOTH.processes.values())]:
        parser.parse(text)


def test_classes_differ_in_colour() -> None:
    assert len(set(colours(CLASSES).values())) == len(CLASSES)


def test_a_class_keeps_its_colour_whatever_stands_beside_it() -> None:
    assert colours(["VH", "top"])["VH"] == colours(["other", "VH"])["VH"] == BOTH.processes["VH"].colour


def test_unknown_and_merged_processes_get_colours_of_their_own() -> None:
    chosen = colours([*CLASSES, "mine", "yours", "top+WW"])
    assert len(set(chosen.values())) == len(chosen)
    assert process_label("top+WW") == "Top + $WW$"


def test_the_card_overrides_the_analysis_and_the_analysis_the_names() -> None:
    mine = Analysis("mine", columns=len, processes={"one": ProcessStyle("One", "#123456")})
    card = {"one": Process(label="Uno"), "two": Process(colour="#abcdef"), "three": Process()}
    with drawn_as(mine, card):
        assert [process_label(name) for name in card] == ["Uno", "two", "three"]
        assert (colours(card)["one"], colours(card)["two"]) == ("#123456", "#abcdef")
        assert not is_variable("m_jj")
        # A process without a colour of its own keeps the one it got, alone or beside others.
        assert colours(["three"]) == {"three": colours(card)["three"]}
    assert is_variable("m_jj")
    assert process_label("one") == "one"
