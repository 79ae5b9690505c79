"""Signal definitions, cuts on the output, luminosity projections and channel combination."""

import numpy as np
import numpy.typing as npt
import pytest

from znought.errors import CardError, DataError
from znought.stats.eft.counting import (
    SignalDefinition,
    channel_z,
    cut_scan,
    luminosity_projection,
    signal_and_background,
    smeft_z,
)
from znought.stats.significance import asimov_z0

Floats = npt.NDArray[np.float64]
SM, SMALL, MEDIUM, LARGE = 2.03 * 80, 2.198 * 80, 4.553 * 80, 14.0 * 80


def test_the_paper_definition_does_not_vanish_with_the_coefficient() -> None:
    assert smeft_z(SMALL, SM, signal_definition="paper") == pytest.approx(1.654742, abs=1e-6)
    assert smeft_z(SM, SM, signal_definition="paper") > 1.5
    assert smeft_z(SM, SM) == 0.0
    assert smeft_z(SMALL, SM) == pytest.approx(0.16, abs=0.005)
    np.testing.assert_allclose(
        smeft_z([SMALL, MEDIUM, LARGE], SM, signal_definition="paper"),
        [1.654742, 2.895035, 6.169097],
        atol=1e-6,
    )


def test_other_backgrounds_enter_both_definitions() -> None:
    s, b = signal_and_background([10.0], [8.0], [5.0], signal_definition="paper")
    assert (s.tolist(), b.tolist()) == ([10.0], [13.0])
    s, b = signal_and_background([10.0], [8.0], [5.0])
    assert (s.tolist(), b.tolist()) == ([2.0], [13.0])


def scan_input() -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(2)
    score = rng.uniform(size=2000)
    vh_sm = np.where(rng.uniform(size=2000) < 0.5, 0.1, 0.0)
    vh = vh_sm * (1.0 + 8.0 * score**3)
    other = np.where(vh_sm == 0.0, 0.05, 0.0)
    return score, vh, vh_sm, other


@pytest.mark.parametrize("definition", ["paper", "excess"])
def test_a_scan_counts_what_lies_above_each_cut(definition: SignalDefinition) -> None:
    score, vh, vh_sm, other = scan_input()
    cuts = np.linspace(0.0, 0.99, 34)
    scan = cut_scan(score, vh, vh_sm, other, cuts=cuts, min_background=5.0, signal_definition=definition)
    for i, cut in enumerate(scan.cuts):
        above = score >= cut
        b = (vh_sm + other)[above].sum()
        s = vh[above].sum() - (vh_sm[above].sum() if definition == "excess" else 0.0)
        np.testing.assert_allclose([scan.signal[i], scan.background[i]], [s, b])
        np.testing.assert_allclose(scan.z[i], asimov_z0(s, b, 0.5 * b, auxiliary="poisson"))
    assert scan.background.min() >= 5.0
    assert len(scan.cuts) < len(cuts)
    assert (scan.background_effective_entries > scan.background).all()
    assert scan.z[scan.best] == scan.z.max()
    assert scan.cuts[scan.at(scan.cuts[3] + 1e-6)] == scan.cuts[3]
    assert scan.at(-1.0) == 0


def test_a_minimum_background_rules_out_the_empty_corner() -> None:
    score = np.array([0.1, 0.2, 0.3, 0.99])
    vh_sm, vh = np.array([2.0, 2.0, 2.0, 0.05]), np.array([2.0, 2.0, 2.0, 20.0])
    scan = cut_scan(score, vh, vh_sm, cuts=[0.0, 0.25, 0.9], min_background=1.0)
    assert scan.cuts.tolist() == [0.0, 0.25]
    with pytest.raises(DataError, match="No cut leaves 100 events"):
        cut_scan(score, vh, vh_sm, cuts=[0.0], min_background=100.0)
    with pytest.raises(CardError, match="min_background > 0"):
        cut_scan(score, vh, vh_sm, cuts=[0.0], min_background=0.0)


def test_fixed_systematics_stop_the_growth_with_luminosity() -> None:
    lumis = [80.0, 3000.0, 300_000.0]
    fixed = luminosity_projection(50.0, 100.0, lumi_ifb=80.0, luminosities_ifb=lumis)
    falling = luminosity_projection(
        50.0, 100.0, lumi_ifb=80.0, luminosities_ifb=lumis, scaling="inverse_sqrt"
    )
    assert fixed[0] == falling[0]
    assert fixed[2] < 1.02 * fixed[1]
    assert falling[1] == pytest.approx(falling[0] * np.sqrt(3000 / 80), rel=1e-6)


def test_channels_combine_in_quadrature_and_refuse_what_is_not_finite() -> None:
    assert channel_z([1.0, 2.0, 2.0]) == pytest.approx(3.0)
    with pytest.raises(DataError, match="at least one"):
        channel_z([])
    with pytest.raises(DataError, match="finite"):
        channel_z([1.0, np.inf])


def test_errors() -> None:
    with pytest.raises(CardError, match="did you mean 'excess'"):
        smeft_z(2.0, 1.0, signal_definition="exces")  # type: ignore[arg-type]  # the error is what is tested
    with pytest.raises(DataError, match="background"):
        smeft_z(2.0, 0.0)
    with pytest.raises(DataError, match="finite scores"):
        cut_scan([np.nan], [1.0], [1.0], cuts=[0.0])
    with pytest.raises(DataError, match="positive luminosity"):
        luminosity_projection(1.0, 1.0, lumi_ifb=0.0, luminosities_ifb=[1.0])
