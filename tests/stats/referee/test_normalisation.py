"""Wrong luminosities and sums of weights: from provenance at any size, from data where they are enough."""

import pytest

from znought.stats.referee.normalisation import scales_again, sums_again, yield_of_data

SCALES = {"a": 0.5, "b": 2.0}


def test_the_luminosity_of_the_card_passes_and_another_fails() -> None:
    assert scales_again(SCALES, SCALES).verdict == "pass"
    found = scales_again({name: 140.1 / 139 * scale for name, scale in SCALES.items()}, SCALES)
    assert found.verdict == "fail"
    assert found.value == pytest.approx(140.1 / 139 - 1)


def test_a_sum_of_a_skim_fails_where_files_can_be_read() -> None:
    assert sums_again(SCALES, SCALES).verdict == "pass"
    found = sums_again({"a": 0.4, "b": 2.0}, SCALES)
    assert (found.verdict, list(found.parts)) == ("fail", ["a"])


def test_files_that_cannot_be_read_never_pass_silently() -> None:
    nothing = sums_again(SCALES, {"a": None, "b": None}, "no fileset")
    assert (nothing.verdict, nothing.measured) == ("not applicable", "no fileset")
    assert sums_again(SCALES, {"a": 0.5, "b": None}).verdict == "warn"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "pass"), (1.10, "pass"), (1.2, "warn"), (0.7, "fail"), (1.5, "fail")]
)
def test_212_events_see_what_they_can(factor: float, verdict: str) -> None:
    """As in the demo: statistics of 7 %, systematics of 10 %."""
    found = yield_of_data(212, 212 * factor, 4.0 * factor, 21.0 * factor, where="outside the signal region")
    assert found.verdict == verdict


def test_what_data_cannot_see_is_said() -> None:
    found = yield_of_data(212, 212.0, 4.0, 21.0, where="outside the signal region")
    assert found.unseen == "ratios closer to 1 than 14% (warns) and 24% (fails)."
