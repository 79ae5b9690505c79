"""Symmetrising, smoothing and pruning, and what happens to negative bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stats.regions import PROCESSES, regions, yields
from znought.errors import CardError, DataError
from znought.stats.systematics import Pruning, SystematicConfig, effect, smoothed_ratio
from znought.stats.templates import RegionTemplates, filled_up, orthogonal_regions, to_hist

NOMINAL = np.array([100.0, 50.0, 10.0])
SUMW2 = NOMINAL


def test_norm_and_shape_are_split() -> None:
    up, down = 1.1 * NOMINAL * [1.0, 1.1, 1.2], 0.9 * NOMINAL
    found = effect(NOMINAL, SUMW2, up, down, config=SystematicConfig(), pruning=Pruning())
    assert found.norm == pytest.approx((0.9, up.sum() / NOMINAL.sum()))
    assert found.shape is not None
    assert found.shape[1].sum() == pytest.approx(NOMINAL.sum())
    assert found.shape[1] * found.norm[1] == pytest.approx(up)  # type: ignore[index]  # checked above


def test_two_point_systematic_is_mirrored() -> None:
    found = effect(
        NOMINAL, SUMW2, 1.2 * NOMINAL, None, config=SystematicConfig(kind="two_point"), pruning=Pruning()
    )
    assert found.norm == pytest.approx((0.8, 1.2))
    assert found.shape is None


def test_small_effects_are_pruned() -> None:
    small = effect(
        NOMINAL, SUMW2, 1.001 * NOMINAL, 0.999 * NOMINAL, config=SystematicConfig(), pruning=Pruning()
    )
    assert small.norm is None
    assert small.shape is None
    kept = effect(
        NOMINAL, SUMW2, 1.001 * NOMINAL, 0.999 * NOMINAL, config=SystematicConfig(), pruning=Pruning(0.0, 0.0)
    )
    assert kept.norm == pytest.approx((0.999, 1.001))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.5, 1.5), min_size=3, max_size=3))
def test_smoothing_keeps_the_yield_and_a_common_factor(ratios: list[float]) -> None:
    varied = NOMINAL * ratios
    assert smoothed_ratio(NOMINAL, varied, SUMW2).sum() == pytest.approx(varied.sum())
    assert smoothed_ratio(NOMINAL, 1.3 * NOMINAL, SUMW2) == pytest.approx(1.3 * NOMINAL)


def test_smoothing_tames_a_fluctuation() -> None:
    nominal = np.full(20, 100.0)
    noise = np.random.default_rng(1).normal(0, 10, 20)
    smooth = smoothed_ratio(nominal, nominal + noise, nominal)
    assert np.std(smooth) < 0.75 * np.std(noise)


def test_negative_bins_are_emptied_and_reported() -> None:
    nominal = yields([[4, 9, 14], [300, -6, 20], [-1, 0.5, 0.2]])
    region, report = filled_up(RegionTemplates("SR", nominal, {"jes_up": nominal}))
    assert [(bad.process, bad.bin, bad.variation) for bad in report] == [
        ("top", 1, "nominal"),
        ("WW", 0, "nominal"),
        ("top", 1, "jes_up"),
        ("WW", 0, "jes_up"),
    ]
    assert region.nominal.sumw[1].sum() == pytest.approx(314)
    assert region.nominal.sumw[1].min() == 0
    assert region.nominal.sumw[2].tolist() == [0, 0, 0]
    assert region.nominal.sumw2[1, 0] == pytest.approx(nominal.sumw2[1, 0] * (314 / 320) ** 2)
    clean, nothing = filled_up(regions()[0])
    assert not nothing
    assert np.array_equal(clean.nominal.sumw, regions()[0].nominal.sumw)


def test_hist_carries_values_and_variances() -> None:
    region = regions()[0]
    filled = to_hist(region)
    variances = filled.variances()
    assert filled.values()[1, 1].tolist() == [318, 97, 22]
    assert variances is not None
    assert variances[1, 1] == pytest.approx(region.variations["jes_up"].sumw2[1])
    assert tuple(filled.axes["process"]) == PROCESSES


def test_regions_are_orthogonal_and_complete() -> None:
    rng = np.random.default_rng(1)
    table = rng.dirichlet(np.ones(3), 500)
    scores = {"VH": table[:, 0], "top": table[:, 1], "WW": table[:, 2]}
    names = orthogonal_regions(scores, signal="VH", signal_above=0.4)
    assert set(names.tolist()) == {"SR", "CR_top", "CR_WW"}
    assert np.array_equal(names == "SR", table[:, 0] >= 0.4)
    only_top = orthogonal_regions(scores, signal="VH", signal_above=0.4, names=["top"])
    assert set(only_top.tolist()) == {"SR", "CR_top", ""}
    with pytest.raises(DataError, match="Unknown class 'tops'"):
        orthogonal_regions(scores, signal="VH", signal_above=0.4, names=["tops"])


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="positive nominal yield"):
        effect(0 * NOMINAL, SUMW2, NOMINAL, NOMINAL, config=SystematicConfig(), pruning=Pruning())
    with pytest.raises(DataError, match="must stay positive"):
        effect(NOMINAL, SUMW2, 3 * NOMINAL, None, config=SystematicConfig(), pruning=Pruning())
    with pytest.raises(CardError, match="Unknown kind of systematic"):
        SystematicConfig(kind="one_point")  # type: ignore[arg-type]  # the wrong name is the test
    with pytest.raises(DataError, match="other processes or edges"):
        RegionTemplates("SR", yields([[1], [1], [1]]), {"jes_up": yields([[1, 2], [1, 2], [1, 2]])})
