"""The whole statistics of the SMEFT analysis on a small sample with a known answer."""

from dataclasses import replace

import numpy as np
import pytest

from tests.stats.eft.test_channel import CONFIG, sample
from znought.errors import CardError, DataError
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.counting import cut_scan
from znought.stats.eft.likelihood import Systematics
from znought.stats.eft.measurement import (
    SmeftConfig,
    likelihood_model,
    limits,
    linear_range,
    projections,
    significance,
    study_coverage,
    truncated_limits,
    two_coefficients,
)

SETTINGS = SmeftConfig(values=(0.01,), limit_luminosities_ifb=(80.0, 3000.0), n_toys=20, n_contour=9)
SYSTEMATICS = Systematics(relative={"vh": 0.1, "ttbar": 0.1, "vhf": 0.3})


def scored() -> ScoredChannel:
    events, pt = sample()
    noise = np.random.default_rng(3).normal(size=len(pt))
    return ScoredChannel(events, {0.01: pt}, {"pt_v": pt, "noise": noise})


CHANNEL = scored()


@pytest.mark.parametrize("with_backgrounds", [True, False])
def test_the_excess_is_less_than_the_paper_claims_and_a_cut_helps(with_backgrounds: bool) -> None:
    paper, excess = (
        significance(CHANNEL, 0.01, SETTINGS, signal_definition=definition, with_backgrounds=with_backgrounds)
        for definition in ("paper", "excess")
    )
    assert paper.inclusive_z > excess.inclusive_z > 0.0
    assert excess.z > excess.inclusive_z
    assert excess.background >= SETTINGS.min_background
    assert paper.inclusive_background == excess.inclusive_background
    backgrounds = CHANNEL.events.weight[~CHANNEL.events.is_vh].sum()
    vh = CHANNEL.events.weight[CHANNEL.events.is_vh].sum()
    assert excess.inclusive_background == pytest.approx(vh + with_backgrounds * backgrounds)


def test_z_is_quoted_on_events_that_did_not_choose_the_cut() -> None:
    noise = CHANNEL.discriminants["noise"]
    found = significance(
        ScoredChannel(CHANNEL.events, {0.01: noise}, {}), 0.01, SETTINGS, signal_definition="excess"
    )
    events, half = CHANNEL.events, CHANNEL.events.identity % np.uint64(2) == 0
    own = []
    for rows in (half, ~half):
        vh, cuts = events.is_vh[rows], np.quantile(noise, np.linspace(0.0, 1.0, 200, endpoint=False))
        vh_c = 2.0 * events.weight_at((0.01, 0.0))[rows] * vh
        vh_sm, rest = 2.0 * events.weight[rows] * vh, 2.0 * events.weight[rows] * ~vh
        scan = cut_scan(noise[rows], vh_c, vh_sm, rest, cuts=cuts)
        own.append(scan.z[scan.best])
    assert found.z < 0.9 * np.mean(own)


def test_projections_grow_with_luminosity_and_combine_in_quadrature() -> None:
    one = significance(CHANNEL, 0.01, SETTINGS, signal_definition="excess")
    other = replace(one, channel="1L")
    made = projections([one, other], SETTINGS, lumi_ifb=80.0)
    found = {(p.channel, p.scaling): p.z for p in made}
    for scaling in ("fixed", "inverse_sqrt"):
        assert (np.diff(found["0L", scaling]) > 0.0).all()
        np.testing.assert_allclose(found["combined", scaling], np.sqrt(2.0) * found["0L", scaling])
    assert found["0L", "inverse_sqrt"][-1] > found["0L", "fixed"][-1]


def test_a_better_discriminant_gives_a_better_limit() -> None:
    second = ScoredChannel(replace(CHANNEL.events, name="1L"), CHANNEL.scores, CHANNEL.discriminants)
    made = limits(
        [CHANNEL, second],
        SYSTEMATICS,
        SETTINGS,
        lumi_ifb=80.0,
        discriminants=("pt_v", "counting", "noise"),
    )
    width = {
        (x.channel, x.discriminant, x.lumi_ifb, x.method): x.interval.half_width
        for x in made
        if x.order == "quadratic"
    }
    assert width["0L", "pt_v", 80.0, "delta_2lnl"] < width["0L", "counting", 80.0, "delta_2lnl"]
    assert width["combined", "pt_v", 80.0, "delta_2lnl"] < width["0L", "pt_v", 80.0, "delta_2lnl"]
    assert width["combined", "pt_v", 3000.0, "delta_2lnl"] < width["combined", "pt_v", 80.0, "delta_2lnl"]
    assert width["combined", "pt_v", 80.0, "cls"] == pytest.approx(
        width["combined", "pt_v", 80.0, "delta_2lnl"], rel=1e-4
    )
    assert {x.order for x in made} == {"linear", "quadratic"}


def test_limits_weaken_as_less_of_the_tail_is_trusted() -> None:
    settings = replace(SETTINGS, truncations_gev=(250.0, 400.0, 1e9))
    pt = {"0L": CHANNEL.discriminants["pt_v"]}
    found = truncated_limits([CHANNEL], pt, SYSTEMATICS, settings, discriminant="pt_v")
    widths = [one.half_width for one in found.values()]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.1 * widths[-1]


def test_the_linear_model_keeps_yields_positive() -> None:
    model = linear_range(likelihood_model([CHANNEL], "pt_v", SYSTEMATICS, SETTINGS))
    low, high = model.validity[0]
    assert CONFIG.validity[0][0] <= low < 0.0 < high
    for c in (low, high):
        (channel,) = model.channels
        total = channel.vh.yields((c, 0.0), order="linear") + sum(channel.backgrounds.values())
        assert (total >= 0.099 * channel.standard_model).all()


def test_coverage_and_contours_come_at_the_configured_points() -> None:
    model = likelihood_model([CHANNEL], "pt_v", SYSTEMATICS, SETTINGS)
    found = study_coverage(model, SETTINGS)
    assert [one.truth for one in found] == list(SETTINGS.truths)
    assert all(one.fraction > 0.7 for one in found)
    assert two_coefficients(model, SETTINGS).t.shape == (9, 9)


def test_errors() -> None:
    with pytest.raises(DataError, match="finite scores for each event of pt_v"):
        ScoredChannel(CHANNEL.events, {}, {"pt_v": np.full(len(CHANNEL.events), np.nan)})
    with pytest.raises(CardError, match=r"Channel 0L: no scores for c = 0\.02\. Expected one of: 0\.01"):
        significance(CHANNEL, 0.02, SETTINGS, signal_definition="excess")
    far = replace(CHANNEL, scores={0.3: CHANNEL.scores[0.01]})
    with pytest.raises(DataError, match=r"c_hw = 0\.3 is outside the validity"):
        significance(far, 0.3, SETTINGS, signal_definition="excess")
    wanting = replace(SETTINGS, min_background=1e6)
    with pytest.raises(DataError, match=r"Channel 0L, c = 0\.01: No cut leaves 1e\+06 events"):
        significance(CHANNEL, 0.01, wanting, signal_definition="paper")
    with pytest.raises(CardError, match="at least one value"):
        SmeftConfig(values=())
    with pytest.raises(CardError, match="n_cuts"):
        SmeftConfig(n_cuts=1)
