"""Known signals come back, MC statistics are counted, and pseudo-experiments cover."""

from dataclasses import replace

import numpy as np
import pytest

from tests.stats.regions import config, regions
from znought.errors import DataError
from znought.stats.referee.likelihood import (
    coverage,
    goodness,
    mc_statistics,
    signal_comes_back,
    stability,
    without_mc_statistics,
)
from znought.stats.referee.record import Check, not_applicable, worst
from znought.stats.workspace import build_workspace

SPEC = build_workspace(regions(), config())


def test_injected_signals_come_back() -> None:
    found = signal_comes_back(SPEC)
    assert found.verdict == "pass"
    assert set(found.parts) == {"0", "1", "2", "5"}
    assert found.parts["2"][0] == pytest.approx(2.0, abs=1e-3)


def test_a_likelihood_without_mc_statistics_fails() -> None:
    found = mc_statistics(SPEC)
    assert found.verdict == "pass"
    assert found.parts["without"][0] > found.parts["with"][0]
    assert mc_statistics(without_mc_statistics(SPEC)).verdict == "fail"


def test_a_small_sample_that_takes_the_significance_warns() -> None:
    signal, control = regions()
    few = replace(signal.nominal, sumw2=(0.35 * signal.nominal.sumw) ** 2)
    assert mc_statistics(build_workspace([replace(signal, nominal=few), control], config())).verdict == "warn"


@pytest.mark.parametrize(("other", "verdict"), [(1.1, "pass"), (1.25, "warn"), (1.5, "fail")])
def test_another_seed(other: float, verdict: str) -> None:
    assert stability(1.0, 0.1, {"seed 1": 1.0, "seed 2": other}).verdict == verdict


def test_data_that_fit_and_data_that_do_not() -> None:
    signal, control = regions()
    expected = signal.nominal.sumw.sum(axis=0)
    fine = build_workspace(
        [replace(signal, observed=expected + np.array([5.0, -6.0, 3.0])), control], config()
    )
    assert goodness(fine).verdict == "pass"
    odd = build_workspace([replace(signal, observed=expected * np.array([1.0, 0.2, 1.0])), control], config())
    assert goodness(odd).verdict == "fail"


def test_pseudo_experiments_cover() -> None:
    first, second = coverage(SPEC, 16)
    assert {first.verdict, second.verdict} == {"pass"}
    assert first.parts["failed"][0] == 0.0


def test_a_check_must_have_a_verdict_and_a_reason() -> None:
    with pytest.raises(DataError, match="Unknown verdict 'good'"):
        Check("a", "b", "good", "c")  # type: ignore[arg-type]  # what a mistake would write
    with pytest.raises(DataError, match="must say why"):
        not_applicable("a", "b", "")
    assert worst([not_applicable("a", "b", "c")]) == "not applicable"
