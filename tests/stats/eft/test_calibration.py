"""Toy-calibrated intervals: wider where χ²₁ under-covers, and they cover."""

from dataclasses import replace

import pytest

from tests.stats.eft.test_intervals import poor_tail
from tests.stats.eft.test_measurement import CHANNEL, SETTINGS, SYSTEMATICS
from znought.errors import CardError
from znought.stats.eft.calibration import calibrate, calibrations

CALIBRATION = replace(SETTINGS, truths=(0.0, 0.004), n_toys=250, calibration_toys=250, calibration_points=5)


def test_calibrated_intervals_cover_where_those_of_chi2_do_not() -> None:
    found = calibrate(poor_tail(), CALIBRATION)
    assert [one.truth for one in found.calibrated_coverage] == [0.0, 0.004]
    # Five standard deviations of 250 toys below the level is 0.88.
    assert min(one.fraction for one in found.coverage) < 0.9
    assert min(one.fraction for one in found.calibrated_coverage) > 0.91
    assert found.calibrated.half_width > found.asymptotic.half_width
    assert 0.0 in found.thresholds.values
    low, high = found.thresholds.values[[0, -1]]
    assert low < found.calibrated.segments[0][0]
    assert high > found.calibrated.segments[-1][1]


def test_every_channel_and_the_combination_are_calibrated() -> None:
    second = replace(CHANNEL, events=replace(CHANNEL.events, name="1L"))
    settings = replace(CALIBRATION, n_toys=20, calibration_toys=30, calibration_points=2)
    found = calibrations([CHANNEL, second], "pt_v", SYSTEMATICS, settings)
    assert list(found) == ["0L", "1L", "combined"]
    assert found["combined"].asymptotic.half_width < found["0L"].asymptotic.half_width
    with pytest.raises(CardError, match="10 toys cannot tell a quantile"):
        calibrations([CHANNEL], "pt_v", SYSTEMATICS, replace(settings, calibration_toys=10))
