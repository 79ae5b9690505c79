"""Likelihood and limits: against closed forms, pyhf, and toys."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyhf
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from znought.errors import CardError, DataError
from znought.stats.eft.contours import contour
from znought.stats.eft.intervals import (
    Thresholds,
    cls_interval,
    coverage,
    delta_2lnl,
    interval,
    toy_thresholds,
)
from znought.stats.eft.likelihood import Channel, LikelihoodModel, Systematics
from znought.stats.eft.morphing import Morphing

Floats = npt.NDArray[np.float64]
NONE = Systematics(relative={}, mc_statistics=False)


def morphing(sm: Floats, linear: Floats, quadratic: Floats, effective: float = 1e6) -> Morphing:
    """One coefficient; Σw² as if every bin held `effective` equal events."""
    sumw = np.stack([sm, linear, quadratic], axis=1)
    sumw2 = np.einsum("bi,bj->bij", sumw, sumw) / effective
    return Morphing(("c_hw",), sumw, sumw2, ((-0.1, 0.1),))


def channel(name: str = "0L", effective: float = 1e6) -> Channel:
    sm = np.array([60.0, 30.0, 10.0])
    vh = morphing(sm, sm * [20.0, 50.0, 120.0], sm * [200.0, 2000.0, 20_000.0], effective)
    background = np.array([300.0, 60.0, 8.0])
    return Channel(name, vh, {"ttbar": background}, background**2 / effective, signal="vh")


SYSTEMATICS = Systematics(relative={"vh": 0.1, "ttbar": 0.3}, mc_statistics=False)


def test_without_nuisances_the_likelihood_is_poisson() -> None:
    model = LikelihoodModel((channel(),), NONE)
    data = model.asimov()
    n = data.counts[0]
    for c in (-0.02, 0.01):
        nu = model.channels[0].vh.yields([c]) + model.channels[0].backgrounds["ttbar"]
        expected = 2.0 * (nu - n + n * np.log(n / nu)).sum()
        np.testing.assert_allclose(delta_2lnl(model, data, [c], coefficient="c_hw"), [[expected]], atol=1e-6)


@pytest.mark.parametrize("mc_statistics", [False, True])
def test_profiling_finds_the_minimum_that_a_general_minimiser_finds(mc_statistics: bool) -> None:
    systematics = replace(SYSTEMATICS, mc_statistics=mc_statistics)
    model = LikelihoodModel((channel(effective=40.0), channel("1L", 90.0)), systematics)
    data = model.toys(3, point=[0.01], seed=4)
    point = np.array([-0.015])
    profiled = model.profile(data, point[None])[:, 0]
    delta2 = np.full(6, 0.0)
    if mc_statistics:
        var = np.concatenate([c.vh.variance(point) + c.background_sumw2 for c in model.channels])  # type: ignore[operator]  # given above
        nominal = np.concatenate([c.vh.yields(point) + c.backgrounds["ttbar"] for c in model.channels])
        delta2 = var / nominal**2
    for toy in range(3):

        def objective(x: Floats, toy: int = toy) -> float:
            theta, gamma = x[:2], x[2:] if mc_statistics else np.ones(6)
            nu = np.concatenate(
                [
                    c.vh.yields(point) * 1.1 ** theta[0] + c.backgrounds["ttbar"] * 1.3 ** theta[1]
                    for c in model.channels
                ]
            )
            n, mean = data.counts[toy], np.maximum(gamma, 1e-6) * nu
            value = 2.0 * (mean - n - n * np.log(mean / n)).sum() + ((theta - data.theta[toy]) ** 2).sum()
            if mc_statistics:
                value += (((gamma - 1.0) / np.sqrt(delta2) - data.mc_pulls[toy]) ** 2).sum()
            return float(value)

        start = np.concatenate([np.zeros(2), np.ones(6 if mc_statistics else 0)])
        best = minimize(objective, start, method="BFGS", options={"gtol": 1e-8})
        assert profiled[toy] == pytest.approx(best.fun, abs=2e-4)


def test_agreement_with_pyhf_on_a_normalisation_uncertainty() -> None:
    ch = channel()
    model = LikelihoodModel((ch,), Systematics(relative={"vh": 0.1, "ttbar": 0.3}, mc_statistics=False))
    data = model.asimov()
    c = 0.012
    signal = ch.vh.yields([c]).tolist()
    spec = {
        "channels": [
            {
                "name": "0L",
                "samples": [
                    {
                        "name": "vh",
                        "data": signal,
                        "modifiers": [
                            {"name": "mu", "type": "normfactor", "data": None},
                            {"name": "vh_norm", "type": "normsys", "data": {"hi": 1.1, "lo": 1 / 1.1}},
                        ],
                    },
                    {
                        "name": "ttbar",
                        "data": ch.backgrounds["ttbar"].tolist(),
                        "modifiers": [
                            {"name": "tt_norm", "type": "normsys", "data": {"hi": 1.3, "lo": 1 / 1.3}}
                        ],
                    },
                ],
            }
        ]
    }
    pdf = pyhf.Model(spec, poi_name="mu", validate=False)
    observed = data.counts[0].tolist() + pdf.config.auxdata
    pyhf.set_backend("numpy", "scipy")
    _, twice_nll = pyhf.infer.mle.fixed_poi_fit(1.0, observed, pdf, return_fitted_val=True)
    saturated = -2 * pdf.logpdf([1.0, 0.0, 0.0][: pdf.config.npars], observed)[0]
    nu = np.asarray(signal) + ch.backgrounds["ttbar"]
    n = data.counts[0]
    at_nominal = 2.0 * (nu - n + n * np.log(n / nu)).sum()
    ours = model.profile(data, [[c]])[0, 0]
    assert ours - at_nominal == pytest.approx(float(twice_nll) - float(saturated), abs=1e-4)


def test_an_interval_ends_where_the_likelihood_says_and_islands_are_kept() -> None:
    model = LikelihoodModel((channel(),), SYSTEMATICS)
    found = interval(model, coefficient="c_hw")
    ends = [end for segment in found.segments for end in segment]
    t = delta_2lnl(model, model.asimov(), ends, coefficient="c_hw")[0]
    np.testing.assert_allclose(t, chi2.ppf(0.95, 1), atol=1e-3)
    assert found.holds(0.0)
    assert not found.reaches_validity
    # b + a c + q c² has the standard-model yield again at c = −a/q: an island of its own.
    sm = np.array([4000.0])
    island = LikelihoodModel((Channel("x", morphing(sm, sm * 50.0, sm * 1000.0)),), NONE)
    both = interval(island, coefficient="c_hw")
    assert len(both.segments) == 2
    assert both.holds(-0.05)
    assert not both.holds(-0.025)


def test_more_luminosity_more_channels_and_less_systematics_narrow_the_interval() -> None:
    one = LikelihoodModel((channel(),), SYSTEMATICS)
    two = LikelihoodModel((channel(), channel("1L")), SYSTEMATICS)
    width = interval(one, coefficient="c_hw").half_width
    assert interval(two, coefficient="c_hw").half_width < width
    assert interval(one.scaled(4.0), coefficient="c_hw").half_width < width
    falling = replace(one, systematics=replace(SYSTEMATICS, scaling="inverse_sqrt"))
    assert interval(falling.scaled(40.0), coefficient="c_hw").half_width < (
        interval(one.scaled(40.0), coefficient="c_hw").half_width
    )
    assert interval(replace(one, systematics=NONE), coefficient="c_hw").half_width < width
    poor = LikelihoodModel((channel(effective=20.0),), replace(SYSTEMATICS, mc_statistics=True))
    assert interval(poor, coefficient="c_hw").half_width > width


def test_uncorrelated_systematics_have_a_parameter_in_each_channel() -> None:
    channels = (channel(), channel("1L"))
    assert LikelihoodModel(channels, SYSTEMATICS).nuisances == ("vh", "ttbar")
    model = LikelihoodModel(channels, replace(SYSTEMATICS, correlated=False))
    assert model.nuisances == ("vh/0L", "ttbar/0L", "vh/1L", "ttbar/1L")
    assert interval(model, coefficient="c_hw").half_width > 0.0


def test_linear_and_quadratic_limits_differ() -> None:
    quadratic = LikelihoodModel((channel(),), SYSTEMATICS)
    linear = replace(quadratic, order="linear", channels=(narrow(channel(), 0.008),))
    assert interval(linear, coefficient="c_hw").segments != interval(quadratic, coefficient="c_hw").segments
    with pytest.raises(DataError, match="not positive for linear"):
        interval(replace(quadratic, order="linear"), coefficient="c_hw")


def narrow(ch: Channel, limit: float) -> Channel:
    return replace(ch, vh=replace(ch.vh, validity=((-limit, 0.1),)))


def test_the_median_cls_interval_is_the_asimov_interval_and_bands_are_ordered() -> None:
    model = LikelihoodModel((channel(),), SYSTEMATICS)
    plain = interval(model, coefficient="c_hw")
    np.testing.assert_allclose(cls_interval(model, coefficient="c_hw").segments, plain.segments, atol=1e-6)
    np.testing.assert_allclose(
        cls_interval(model, model.asimov(), coefficient="c_hw").segments, plain.segments, atol=1e-5
    )
    widths = [
        cls_interval(model, coefficient="c_hw", band=band).half_width for band in (-2.0, -1.0, 0.0, 1.0, 2.0)
    ]
    assert widths == sorted(widths)
    with pytest.raises(CardError, match="leave out the data"):
        cls_interval(model, model.asimov(), coefficient="c_hw", band=1.0)


def test_cls_protects_from_excluding_where_there_is_no_sensitivity() -> None:
    model = LikelihoodModel((channel(),), SYSTEMATICS)
    deficit = model.asimov()
    deficit = replace(deficit, counts=0.8 * deficit.counts)
    plain, protected = (f(model, deficit, coefficient="c_hw") for f in (interval, cls_interval))
    assert protected.segments[-1][1] > plain.segments[-1][1]


@pytest.mark.parametrize("truth", [0.0, 0.02])
def test_intervals_cover_the_truth_in_toys(truth: float) -> None:
    # Without the mirror minimum at negative values, where χ²₁ is right.
    model = LikelihoodModel((narrow(channel(), 0.001),), SYSTEMATICS)
    found = coverage(model, coefficient="c_hw", truth=truth, n_toys=200, seed=3)
    assert 0.91 < found.fraction <= 0.99
    assert found.interval68[0] < found.fraction < found.interval68[1]
    # A nominal level of half covers about half: the test can fail.
    half = coverage(model, coefficient="c_hw", truth=truth, level=0.5, n_toys=200, seed=3)
    assert 0.4 < half.fraction < 0.8


def test_mc_statistics_fluctuate_with_the_toys() -> None:
    model = LikelihoodModel(
        (narrow(channel(effective=30.0), 0.001),), replace(SYSTEMATICS, mc_statistics=True)
    )
    assert coverage(model, coefficient="c_hw", truth=0.02, n_toys=200, seed=3).fraction > 0.91
    data = model.toys(50, point=[0.0], seed=1)
    np.testing.assert_allclose(data.mc_pulls.std(), 1.0, rtol=0.2)
    # A pull of one moves the expectation by one error of the simulation, at c = 0 and elsewhere.
    for c in (0.0, 0.02):
        vh, background = model.channels[0].vh.yields([c]), model.channels[0].backgrounds["ttbar"]
        error = np.sqrt((vh**2 + background**2) / 30.0)
        asimov = model.asimov([c])
        pulled = replace(asimov, counts=asimov.counts + error, mc_pulls=np.ones_like(asimov.counts))
        assert model.profile(pulled, [[c]])[0, 0] == pytest.approx(0.0, abs=1e-6)


def poor_tail() -> LikelihoodModel:
    """Few simulated events, the fewer the larger c: where a misplaced constraint shows."""
    sm = np.array([60.0, 30.0, 10.0, 3.0, 0.8])
    sumw = np.stack([sm, sm * [20, 50, 90, 150, 300], sm * [150, 1200, 4000, 12_000, 50_000]], axis=1)
    sumw2 = np.einsum("bi,bj->bij", sumw, sumw) / 20.0
    sumw2[:, 1, 1] *= 2.0
    sumw2[:, 2, 2] *= 6.0
    vh = Morphing(("c_hw",), sumw, sumw2, ((-0.1, 0.1),))
    background = np.array([300.0, 60.0, 8.0, 3.0, 1.0])
    one = Channel("0L", vh, {"ttbar": background}, background**2 / 20.0)
    return LikelihoodModel((one, replace(one, name="1L")), Systematics(relative={}))


def test_poor_simulation_costs_little_coverage_and_toy_thresholds_restore_it() -> None:
    model = poor_tail()
    truth, name = 0.004, "c_hw"
    plain = coverage(model, coefficient=name, truth=truth, n_toys=300, seed=3)
    # A constraint on the factor itself, without its normalisation, covers 0.73 here.
    assert 0.8 < plain.fraction < 0.94
    thresholds = toy_thresholds(model, coefficient=name, values=[-0.02, truth, 0.01], n_toys=400, seed=5)
    assert thresholds.at(truth) > chi2.ppf(0.95, 1)
    calibrated = coverage(model, coefficient=name, truth=truth, n_toys=300, seed=3, thresholds=thresholds)
    assert 0.92 < calibrated.fraction <= 0.98
    wider = interval(model, coefficient=name, thresholds=thresholds)
    assert wider.half_width > interval(model, coefficient=name).half_width


def test_thresholds_of_a_linear_model_are_those_of_chi2() -> None:
    # Yields linear in c and many events: Wilks' theorem.
    sm = np.array([5000.0, 2000.0])
    vh = morphing(sm, sm * [5.0, 20.0], sm * 0.0)
    model = LikelihoodModel((Channel("0L", vh, {}),), NONE)
    model = replace(model, channels=(narrow(model.channels[0], 0.02),))
    found = toy_thresholds(model, coefficient="c_hw", values=[0.005, 0.0], n_toys=1500, level=0.68)
    np.testing.assert_array_equal(found.values, [0.0, 0.005])
    np.testing.assert_allclose(found.heights, chi2.ppf(0.68, 1), rtol=0.12)
    assert found.at(1.0) == found.heights[-1]
    assert found.at(0.0025) == pytest.approx(found.heights.mean())


def test_two_coefficients_give_a_contour_that_contains_the_standard_model() -> None:
    sm = np.array([60.0, 30.0, 10.0])
    a, b = sm * [20.0, 50.0, 120.0], sm * [15.0, 10.0, 20.0]
    sumw = np.stack([sm, a, b, a**2 / sm, a * b / sm, b**2 / sm], axis=1)
    vh = Morphing(("c_hw", "c_hb"), sumw, np.zeros((3, 6, 6)), ((-0.1, 0.1), (-0.2, 0.2)))
    model = LikelihoodModel((Channel("0L", vh, signal="vh"),), Systematics(relative={"vh": 0.1}))
    axis = np.linspace(-0.05, 0.05, 21)
    found = contour(model, x=axis, y=2 * axis)
    assert found.t[10, 10] == pytest.approx(0.0, abs=1e-6)
    assert 0.0 < found.area(0.68) < found.area(0.95)
    # Profiled over neither: the cut through c_hb = 0 is the one-dimensional scan.
    np.testing.assert_allclose(
        found.t[:, 10], delta_2lnl(model, model.asimov(), axis, coefficient="c_hw")[0], atol=1e-4
    )
    with pytest.raises(DataError, match="two coefficients"):
        contour(LikelihoodModel((channel(),), NONE), x=axis, y=axis)


def test_errors_say_which_channel_bin_or_coefficient() -> None:
    with pytest.raises(DataError, match=r"Channel 2L: bins \[1\]"):
        Channel("2L", morphing(np.array([1.0, 0.0]), np.ones(2), np.ones(2)))
    with pytest.raises(DataError, match="Channel 2L: expected 1 yields ≥ 0 for ttbar"):
        Channel("2L", morphing(np.ones(1), np.ones(1), np.ones(1)), {"ttbar": np.array([np.nan])})
    model = LikelihoodModel((channel(),), NONE)
    with pytest.raises(CardError, match="Unknown coefficient"):
        interval(model, coefficient="c_hq")
    with pytest.raises(CardError, match="confidence level"):
        interval(model, coefficient="c_hw", level=95.0)
    with pytest.raises(DataError, match="one observation"):
        interval(model, model.toys(2, point=[0.0], seed=1), coefficient="c_hw")
    with pytest.raises(DataError, match="outside the validity"):
        delta_2lnl(model, model.asimov(), [0.2], coefficient="c_hw")
    with pytest.raises(DataError, match="at least one channel"):
        LikelihoodModel(())
    with pytest.raises(DataError, match="different names"):
        LikelihoodModel((channel(), channel()))
    with pytest.raises(CardError, match="10 toys cannot tell"):
        toy_thresholds(model, coefficient="c_hw", values=[0.0], n_toys=10)
    with pytest.raises(DataError, match="increasing values"):
        Thresholds("c_hw", 0.95, np.array([0.0, 0.0]), np.ones(2), 100)
    of_another = Thresholds("c_hw", 0.68, np.array([0.0]), np.ones(1), 100)
    with pytest.raises(CardError, match=r"thresholds of c_hw at 0\.95. Received: c_hw at 0\.68"):
        interval(model, coefficient="c_hw", thresholds=of_another)
    with pytest.raises(DataError, match="positive luminosity"):
        model.scaled(0.0)
    with pytest.raises(CardError, match="relative uncertainty"):
        Systematics(relative={"vh": -0.1})


def test_an_island_narrower_than_the_grid_is_found() -> None:
    sm = np.array([4000.0])
    ch = Channel("x", morphing(sm, sm * 50.0, sm * 1000.0)).scaled(1e4)
    found = interval(LikelihoodModel((ch,), NONE), coefficient="c_hw")
    assert len(found.segments) == 2
    assert found.holds(0.0)
    assert found.segments[1][1] - found.segments[1][0] < 1e-4
