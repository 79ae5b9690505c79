"""A top bin on two generated events is seen, however many detector responses they have."""

import numpy as np
import pytest

from znought.stats.referee.bins import events_behind_bins
from znought.stats.yields import Yields, count_yields


def _yields(n_top: int) -> Yields:
    """A signal in every bin, and a background with few generated events of eight responses in the top bin."""
    background = np.concatenate([np.repeat([0.1, 0.5], 400), np.repeat(0.9, 8 * n_top)])
    signal = np.tile([0.1, 0.5, 0.9], 100)
    values = np.concatenate([signal, background])
    identity = np.concatenate([np.arange(300), 1000 + np.arange(background.size) // 8])
    names = np.concatenate([np.full(300, "s"), np.full(background.size, "b")])
    return count_yields(values, np.ones(values.size), names, [0, 0.3, 0.7, 1.0], identity=identity)


@pytest.mark.parametrize(("n_top", "verdict"), [(2, "fail"), (3, "fail"), (6, "warn"), (40, "pass")])
def test_generated_events_decide(n_top: int, verdict: str) -> None:
    found = events_behind_bins(_yields(n_top), ("s",), [0.1, 0.2, 0.7])
    assert found.verdict == verdict
    assert found.value == pytest.approx(n_top)


def test_bins_that_carry_nothing_need_no_events() -> None:
    found = events_behind_bins(_yields(2), ("s",), [0.3, 0.6, 0.01])
    assert found.verdict == "pass"
    assert found.parts["[0.7, 1]"][0] == pytest.approx(2.0)
