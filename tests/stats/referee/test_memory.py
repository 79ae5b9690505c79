"""A network that saw the scored events gives itself away; sizes are those of version 0.1."""

import numpy as np
import pytest

from znought.stats.one_discriminant import one_discriminant
from znought.stats.referee.memory import ScoredClass, one_discriminant_check, remembered, seen_unseen

N = 5000
GAIN = 0.009
"""What VH events of the training part gained in networks that had seen them."""


def _class(seed: int, *, saw: bool, gain: float = GAIN, n: int = N) -> ScoredClass:
    """Events whose networks differ by noise, and have gained where they have been trained on."""
    random = np.random.default_rng(seed)
    truth = random.beta(4, 2, n)
    is_test = random.random(n) < 0.2
    unseen = truth + random.normal(0, 0.03, n)
    seen = truth + random.normal(0, 0.03, n) + np.where(is_test, 0.0, gain)
    return ScoredClass(seen if saw else unseen, unseen, seen, np.ones(n), np.arange(n) // 2, is_test)


@pytest.mark.parametrize("seed", range(5))
def test_unseeing_networks_pass(seed: int) -> None:
    classes = {"VH": _class(seed, saw=False), "top": _class(seed + 50, saw=False)}
    assert seen_unseen(classes).verdict == "pass"
    assert remembered(classes).verdict == "pass"


def test_a_network_that_saw_the_scored_events_fails_at_nine_thousandths() -> None:
    found = seen_unseen({"VH": _class(1, saw=True), "top": _class(2, saw=False)})
    assert found.verdict == "fail"
    value, error = found.parts["VH, as stored"]
    assert value == pytest.approx(GAIN, abs=3 * error)
    assert error < 0.0015
    assert abs(found.parts["VH, test events"][0]) < 4 * found.parts["VH, test events"][1]


def test_the_smallest_gain_that_is_seen_is_three_errors() -> None:
    assert seen_unseen({"VH": _class(1, saw=True, gain=0.004)}).verdict == "fail"
    assert seen_unseen({"VH": _class(1, saw=True, gain=0.0)}).verdict == "pass"


def test_without_trust_in_folds_a_larger_gain_is_needed() -> None:
    large, small = (
        remembered({name: _class(i, saw=True, gain=gain) for i, name in enumerate("abcdef")})
        for gain in (0.05, 0.002)
    )
    assert large.verdict == "fail"
    assert small.verdict == "pass"
    assert "mean gains below 0.01" in small.unseen


def test_two_discriminants_fail() -> None:
    random = np.random.default_rng(3)
    x, is_test = random.beta(4, 2, 20000), random.random(20000) < 0.2
    columns = (np.ones(x.size), np.full(x.size, "VH"), is_test, np.arange(x.size))
    assert one_discriminant_check(one_discriminant({"VH": x}, *columns)).verdict == "pass"
    # The mean of five networks has a third of the events above 0.93 that one network has.
    averaged = np.where(is_test, 0.5 + 0.85 * (x - 0.5), x)
    assert one_discriminant_check(one_discriminant({"VH": averaged}, *columns)).verdict == "fail"
