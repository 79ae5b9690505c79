"""Names and colours: every input has a label, no two classes share a colour."""

import pytest
from matplotlib.mathtext import MathTextParser

from znought.plots.labels import CLASS_COLOURS, CLASS_LABELS, FEATURE_LABELS, colours, process_label

TALK_A = [
    "pt_l0",
    "pt_l1",
    "dphi_ll",
    "dy_ll",
    "m_ll",
    "pt_j0",
    "pt_j1",
    "dphi_jj",
    "dy_jj",
    "m_jj",
    "m_tautau",
    "m_t",
    "met_track",
    "ht_soft",
    "met_significance",
    "pt_total_track",
    "sum_m_lj",
]
TALK_B = [
    "ptb1",
    "ptb2",
    "misset",
    "pth",
    "ptz",
    "etah",
    "phih",
    "mtvh",
    "ptvh",
    "dphib1met",
    "ptl",
    "missinget",
    "ptw",
    "mtW",
    "deltarwl",
    "delphibl",
    "delphilmet",
    "ptl1",
    "ptl2",
    "deltarll",
    "deltarbl",
    "dphil1b1",
    "dphil1b2",
]
CLASSES = ("VH", "ggF", "VBF", "top", "Zjets", "WW")


@pytest.mark.parametrize("name", TALK_A + TALK_B)
def test_every_input_has_a_label(name: str) -> None:
    assert name in FEATURE_LABELS


def test_momenta_and_masses_carry_their_unit() -> None:
    for name, label in FEATURE_LABELS.items():
        if name.startswith(("pt", "m_", "mt", "met_track", "mis", "ht", "sum")):
            assert label.unit == "GeV", name


def test_labels_are_valid_mathtext() -> None:
    parser = MathTextParser("path")
    for text in [label.axis for label in FEATURE_LABELS.values()] + list(CLASS_LABELS.values()):
        parser.parse(text)


def test_classes_differ_in_colour() -> None:
    assert len({CLASS_COLOURS[name] for name in CLASSES}) == len(CLASSES)


def test_a_class_keeps_its_colour_whatever_stands_beside_it() -> None:
    assert colours(["VH", "top"])["VH"] == colours(["other", "VH"])["VH"] == CLASS_COLOURS["VH"]


def test_unknown_and_merged_processes_get_colours_of_their_own() -> None:
    chosen = colours([*CLASSES, "mine", "yours", "top+WW"])
    assert len(set(chosen.values())) == len(chosen)
    assert process_label("top+WW") == "Top + $WW$"
