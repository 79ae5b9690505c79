"""The grammar of text cards, line by line, on cards of a few numbers."""

from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uproot

from tests.stats.formats.third_party import Floats, random_points, twice_nll
from znought.errors import DataError
from znought.stats.formats.card_reader import read_card
from znought.stats.formats.card_writer import write_card
from znought.stats.formats.likelihood import (
    Effect,
    Factor,
    Likelihood,
    McStat,
    Rate,
    Sample,
    Setting,
    Shape,
    Sideband,
)
from znought.stats.formats.pyhf_json import to_spec

HEAD = """imax 2
jmax 1
kmax *
shapes * SR shapes.root $CHANNEL/$PROCESS $CHANNEL/$PROCESS_$SYSTEMATIC
shapes sig SR shapes.root $CHANNEL/sig$MASS $CHANNEL/sig$MASS_$SYSTEMATIC
shapes * CR FAKE
bin SR CR
observation -1 30
bin SR SR CR
process sig bkg bkg
process 0 1 1
rate -1 -1 28
"""


def _histogram(values: list[float], errors: float = 0.1) -> Any:
    filled = hist.Hist(hist.axis.Regular(len(values), 0, 100), storage=hist.storage.Weight())
    filled.values()[:] = values
    filled.variances()[:] = (errors * np.asarray(values)) ** 2
    return filled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with uproot.recreate(tmp_path / "shapes.root") as file:
        file["SR/data_obs"] = _histogram([52, 14])
        file["SR/sig125"] = _histogram([2, 6])
        file["SR/sig125_jesUp"] = _histogram([2, 7])
        file["SR/sig125_jesDown"] = _histogram([2, 5])
        file["SR/bkg"] = _histogram([50, 10], 0.3)
        file["SR/bkg_tiltUp"] = _histogram([54, 6])
        file["SR/bkg_tiltDown"] = _histogram([48, 12])
    return tmp_path


def _card(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "card.txt"
    path.write_text(head + "\n".join(rows) + "\n")
    return path


def _read(folder: Path, *rows: str) -> Likelihood:
    return read_card(_card(folder, *rows), mass=125)


def _sample(likelihood: Likelihood, channel: str, name: str) -> Sample:
    found = next(c for c in likelihood.channels if c.name == channel)
    return next(s for s in found.samples if s.name == name)


def _effect(sample: Sample, kind: type[Effect], name: str) -> Effect:
    return next(e for e in sample.effects if isinstance(e, kind) and e.name == name)


def _templates(sample: Sample, name: str) -> tuple[Floats, Floats]:
    shape = _effect(sample, Shape, name)
    assert isinstance(shape, Shape)
    return shape.down, shape.up


def test_counts_and_templates_stand_beside_each_other(folder: Path) -> None:
    likelihood = _read(folder)
    assert [c.observed.tolist() for c in likelihood.channels] == [[52, 14], [30]]
    assert _sample(likelihood, "SR", "sig").nominal.tolist() == [2, 6]
    assert _sample(likelihood, "CR", "bkg").nominal.tolist() == [28]
    assert [s.has("mu") for s in likelihood.channels[0].samples] == [True, False]
    assert likelihood.channels[0].edges == pytest.approx([0, 50, 100])


def test_log_normals_of_one_and_of_two_numbers(folder: Path) -> None:
    likelihood = _read(folder, "lumi lnN 1.02 - 1.02 a comment of words", "b lnN - 0.9/1.3 1.0")
    assert _sample(likelihood, "SR", "sig").effects[1:] == (Rate("lumi", 1 / 1.02, 1.02),)
    assert _sample(likelihood, "SR", "bkg").effects == (Rate("b", 0.9, 1.3),)
    assert _sample(likelihood, "CR", "bkg").effects == (Rate("lumi", 1 / 1.02, 1.02),)


def test_a_shape_is_a_norm_and_a_template_of_the_nominal_yield(folder: Path) -> None:
    likelihood = _read(folder, "jes shape 1 - -", "tilt shape - 1 -")
    signal, background = _sample(likelihood, "SR", "sig"), _sample(likelihood, "SR", "bkg")
    assert _effect(signal, Rate, "jes") == Rate("jes", 7 / 8, 9 / 8)
    assert _templates(signal, "jes")[1] == pytest.approx([2 * 8 / 9, 7 * 8 / 9])
    assert not any(isinstance(effect, Rate) for effect in background.effects)
    assert _templates(background, "tilt")[0] == pytest.approx([48, 12])


def test_a_scaled_shape_is_a_template_nearer_to_the_nominal(folder: Path) -> None:
    likelihood = _read(folder, "tilt shape - 0.5 -", "jes shape 0.5 - -")
    # Halfway: 50 + 0.25 (6 + h(0.5) 2) with h(0.5) = 0.5 (0.1875 (3·0.25·0.25…)) worked out by hand.
    step = 0.125 * 0.5 * (0.25 * (3 * 0.25 - 10) + 15)
    assert _templates(_sample(likelihood, "SR", "bkg"), "tilt")[1][0] == pytest.approx(
        50 + 0.25 * (6 + 2 * step)
    )
    rate = _effect(_sample(likelihood, "SR", "sig"), Rate, "jes")
    assert isinstance(rate, Rate)
    assert rate.up == pytest.approx(np.sqrt(9 / 8))
    assert likelihood.remarks[1].startswith("tilt counts 0.5")


def test_a_shape_with_a_question_mark_is_a_log_normal_without_templates(folder: Path) -> None:
    likelihood = _read(folder, "jes shape? 1 0.9/1.1 1.05")
    assert any(isinstance(effect, Shape) for effect in _sample(likelihood, "SR", "sig").effects)
    assert _sample(likelihood, "SR", "bkg").effects == (Rate("jes", 0.9, 1.1),)
    assert _sample(likelihood, "CR", "bkg").effects == (Rate("jes", 1 / 1.05, 1.05),)


def test_rate_parameters_match_by_pattern_and_keep_value_and_range(folder: Path) -> None:
    likelihood = _read(folder, "k rateParam * b* 1.5 [0.5,3]", "l rateParam CR bkg 1")
    assert _sample(likelihood, "SR", "bkg").effects == (Factor("k"),)
    assert _sample(likelihood, "CR", "bkg").effects == (Factor("k"), Factor("l"))
    assert likelihood.setting("k") == Setting("k", (1.5,), ((0.5, 3.0),))
    assert likelihood.setting("l") == Setting("l", (1.0,), ((0.0, 10.0),))


def test_a_flat_log_normal_is_a_factor_within_its_range(folder: Path) -> None:
    likelihood = _read(folder, "flat lnU - 2 2")
    assert likelihood.setting("flat") == Setting("flat", (1.0,), ((0.5, 2.0),))


def test_counts_in_a_sideband_carry_over(folder: Path) -> None:
    likelihood = _read(folder, "side gmN 7 - - 4.0")
    assert likelihood.sidebands == (Sideband("side", 7),)
    assert _sample(likelihood, "CR", "bkg").nominal.tolist() == [28]
    empty = read_card(_card(folder, "side gmN 0 - - 4.0", head=HEAD.replace("-1 28", "-1 0")), mass=125)
    assert _sample(empty, "CR", "bkg").nominal.tolist() == [4]
    spec = to_spec(empty)
    point = {"mu": np.array([1.0]), "side": np.array([2.0])}
    expected = [50 + 2, 10 + 6, 8.0, 2.0]
    counts = np.array([52, 14, 30, 0])
    logs = np.array([sum(np.log(np.arange(1, n + 1))) for n in counts])
    assert twice_nll(spec, [point])[0] == pytest.approx(
        -2 * (counts * np.log(expected) - expected - logs).sum()
    )


def test_mc_statistics_follow_the_threshold(folder: Path) -> None:
    likelihood = _read(folder, "* autoMCStats 0")
    assert likelihood.channels[0].mc_stat == McStat("mcstat_SR")
    assert likelihood.channels[1].mc_stat is None
    assert _sample(likelihood, "SR", "bkg").errors == pytest.approx([15, 3])
    assert _sample(likelihood, "SR", "sig").errors == pytest.approx([0.2, 0.6])
    assert _read(folder, "* autoMCStats -1").channels[0].mc_stat is None
    # (1/0.3)² = 11 effective events in either bin.
    kinds = {}
    for threshold in (10, 11):
        spec = to_spec(_read(folder, f"SR autoMCStats {threshold} 0 1"))
        channels = spec["channels"]
        assert isinstance(channels, list)
        modifiers = [m for s in channels[0]["samples"] for m in s["modifiers"]]
        kinds[threshold] = {m["type"] for m in modifiers if m["name"].startswith("mcstat")}
    assert kinds == {10: {"staterror"}, 11: {"shapesys"}}


def test_everything_at_once_is_written_and_read_again(folder: Path) -> None:
    rows = (
        "lumi lnN 1.0234567891 - 1.03",
        "jes shape? 1 0.9/1.1 1.05",
        "tilt shape - 1 -",
        "side gmN 7 - - 4.0",
        "flat lnU - 2 -",
        "k rateParam SR bkg 1.5 [0.5,3]",
        "SR autoMCStats 11",
        "theory group = lumi jes",
    )
    first = _read(folder, *rows)
    assert write_card(folder / "again.txt", first) == ()
    again = read_card(folder / "again.txt")
    assert again.groups == {"theory": ("lumi", "jes")}
    points = random_points(first)
    expected = twice_nll(to_spec(first), points)
    assert np.ptp(expected) > 1
    assert twice_nll(to_spec(again), points) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("lumi lnN 1.02 -", r"card.txt:13: 'lumi' has 2 cells for 3 columns"),
        ("lumi lnM 1.02 - -", r":13: Unknown kind of systematic 'lnM', did you mean 'lnU'"),
        ("lumi lnN 1,02 - -", r":13: cannot read 'lumi lnN 1,02 -'"),
        ("lumi lnN -0.2 - -", r":13: a cell must not be negative"),
        ("lumi lnN 0/1.2 - -", r":13: 'lumi' scales a yield by 0/1.2"),
        ("jes shape 0.9/1.1 - -", r":13: two numbers"),
        ("jes shape - 1 -", r":13: no templates of 'jes' for process 'bkg' in channel 'SR'"),
        ("jes shape - - 1", r":13: no templates of 'jes' for process 'bkg' in channel 'CR'"),
        ("side gmN 7 - - 5.0", r":13: 7 events times 5 are not the rate 28"),
        ("k rateParam CR2 bkg 1", r":13: Unknown channel 'CR2', did you mean 'CR'"),
        ("k rateParam SR bkg (@0*2) l", r":13: a rateParam of a formula"),
        ("flat lnU - 2 3", r":13: a lnU is read with one value"),
        ("SR autoMCStats 10 0 2", r":13: autoMCStats is read with hist-mode 1"),
        ("nuisance edit freeze lumi", r":13: edits of nuisances"),
        ("lumi[nofloat] lnN 1.02 - -", r":13: \[nofloat\]"),
        ("p param 1 0.1", r":13: Unknown kind of systematic 'param'"),
        ("lumi lnN 1.02 - -\nlumi lnN 1.03 - -", r"2 effects named 'lumi'"),
        ("k rateParam SR bkg 1\nk rateParam CR bkg 2", r":14: 'k' has another value"),
    ],
)
def test_a_row_that_is_not_understood_stops_with_its_line(folder: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        _read(folder, row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jmax 1", "jmax 2", "jmax says 2, but the card has 1 processes minus one"),
        ("imax 2", "imax two", ":1: cannot read 'imax two'"),
        ("kmax *", "kmax 3", "kmax says 3, but the card has 0 systematics"),
        (
            "process sig bkg bkg",
            "process sig bkg",
            "bin, process, process and rate have 3, 2, 3 and 3 columns",
        ),
        ("process 0 1 1", "process 1 2 2", "has no signal"),
        ("process 0 1 1", "process 0 1 -1", "'bkg' is signal here and background there"),
        ("rate -1 -1 28", "", "no rate line"),
        ("rate -1 -1 28", "rate -1 70 28", "has a rate of 70, but its histogram holds 60"),
        ("rate -1 -1 28", "rate -1 -1 -1", "'bkg' in channel 'CR' has neither a rate nor a histogram"),
        ("observation -1 30", "observation 80 30", "'SR' observes 80 events, its histogram 66"),
        ("observation -1 30", "observation -1 -1", "'CR' has neither an observation nor a histogram"),
        ("observation -1 30", "observation -1", "1 observations for 2 channels"),
        ("shapes * CR FAKE", "", "no shapes line for process 'data_obs' in channel 'CR'"),
        ("shapes * SR shapes.root", "shapes * SR shape.root", "no file of histograms at"),
        ("$CHANNEL/sig$MASS ", "$CHANNEL/sig$MAS ", "holds a keyword that is not known"),
        ("$CHANNEL/sig$MASS ", "w:sig ", ":5: 'w:sig' lies in a RooFit workspace"),
        (
            "$CHANNEL/sig$MASS ",
            "$CHANNEL/sgi$MASS ",
            "Unknown histogram 'SR/sgi125', did you mean 'SR/sig125'",
        ),
    ],
)
def test_a_head_that_contradicts_itself_stops(folder: Path, old: str, new: str, message: str) -> None:
    assert old in HEAD
    with pytest.raises(DataError, match=message.replace("$", r"\$")):
        read_card(_card(folder, head=HEAD.replace(old, new)), mass=125)


def test_a_mass_is_asked_for(folder: Path) -> None:
    with pytest.raises(DataError, match=r"needs a mass \(--mass\)"):
        read_card(_card(folder))
    with pytest.raises(DataError, match="cannot read the card"):
        read_card(folder / "nothing.txt")
