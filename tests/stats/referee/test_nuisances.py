"""Noise that constrains, a missing nuisance parameter, and up and down exchanged."""

from dataclasses import replace
from typing import Any

import pytest

from tests.stats.regions import config, regions
from tests.stats.test_replicas import measured_constraints
from tests.stats.variation_toys import flat
from znought.stats.referee.nuisances import (
    Direction,
    constraints_earned,
    directions_agree,
    present_uncertainties,
    required_present,
)
from znought.stats.replicas import constraint_verdicts
from znought.stats.systematics import SystematicConfig
from znought.stats.workspace import build_workspace


@pytest.mark.parametrize(("smoothing", "verdict"), [("none", "fail"), ("polynomial", "pass")])
def test_unsmoothed_templates_fail(smoothing: Any, verdict: str) -> None:
    measured, replicas = measured_constraints(flat, 600, SystematicConfig(smoothing=smoothing))
    noise = {"jes": replicas.get("jes", (1.0,) * 12)}
    found = constraints_earned(constraint_verdicts({"jes": measured.get("jes", 1.0)}, noise))
    assert found.verdict == verdict
    assert "12 replicas" in found.measured


def test_without_variations_nothing_is_judged() -> None:
    assert constraints_earned(()).verdict == "not applicable"


REQUIRED = {"VH": ["jes", "shower"], "top": ["jes", "shower"], "WW": ["jes", "ww_theory"]}


def _present(leave_out: str = "") -> dict[str, list[str]]:
    settings = config()
    settings = replace(settings, norms={n: one for n, one in settings.norms.items() if n != leave_out})
    names = present_uncertainties(build_workspace(regions(), settings))
    return {process: sorted(found) for process, found in names.items()}


def test_a_missing_nuisance_is_named() -> None:
    small = {"VH": ["shower"], "WW": ["shower"]}
    assert required_present(REQUIRED, _present(), small).verdict == "pass"
    found = required_present(REQUIRED, _present("ww_theory"), small)
    assert (found.verdict, found.value) == ("fail", 1.0)
    assert "ww_theory of WW" in found.measured


def test_one_that_was_too_small_is_not_missing() -> None:
    assert required_present({"VH": ["tiny"]}, {"VH": []}, {"VH": ["tiny"]}).verdict == "pass"
    assert required_present({"VH": ["tiny"]}, {"VH": []}, {}).verdict == "fail"
    assert required_present({}, {"VH": []}, {}).verdict == "not applicable"


JES = Direction("jes", "top", "SR", 0.03, (0.03, 0.004), (0.02, 0.001), (0.02, 0.004))
BLURRED = replace(JES, fitted=0.02, own=(-0.01, 0.02))


def test_signs_that_events_confirm_pass() -> None:
    found = directions_agree([JES, BLURRED])
    assert found.verdict == "pass"
    assert found.unseen.startswith("1 of 2")


def test_up_and_down_swapped_in_the_likelihood_fail() -> None:
    found = directions_agree([JES, replace(JES, process="WW", fitted=-0.03)])
    assert found.verdict == "fail"
    assert "jes on WW in SR" in found.measured


def test_where_the_region_cannot_tell_the_looser_one_does() -> None:
    swapped = replace(JES, fitted=-0.02, own=(-0.004, 0.006))
    assert directions_agree([swapped]).verdict == "fail"
    # An error of the region's own as large as the effect: nothing is known, and that is said.
    assert directions_agree([replace(swapped, own=(-0.01, 0.02))]).verdict == "pass"


def test_a_region_that_knows_may_move_against_its_process() -> None:
    # Jets that gain energy leave a window of mass: seen for ZZ among 85,000 rows, no mistake.
    moved = Direction("jes", "ZZ", "SR", -0.0186, (-0.0191, 0.0086), (0.0241, 0.0016), (0.02, 0.004))
    assert directions_agree([JES, moved]).verdict == "pass"
    assert directions_agree([JES, replace(moved, fitted=0.0186)]).verdict == "pass"
    few = replace(moved, fitted=-0.0114, own=(-0.0080, 0.0087), looser=(0.0266, 0.0018))
    assert directions_agree([JES, few]).verdict == "pass"
    assert directions_agree([JES, replace(few, own=(0.0080, 0.0087))]).verdict == "fail"
    assert directions_agree([JES, replace(moved, own=(-0.0191, 0.004), fitted=0.0186)]).verdict == "fail"


def test_a_process_whose_files_were_swapped_moves_against_the_others() -> None:
    odd = Direction("jes", "WZ", "SR", -0.03, (-0.03, 0.004), (-0.02, 0.001), (0.02, 0.004))
    found = directions_agree([JES, odd])
    assert found.verdict == "warn"
    assert "moves WZ" in found.measured
