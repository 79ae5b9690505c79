"""Variations of objects and weights in the limits, and the exported workspace of the standard model."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyhf
import pytest
from scipy.optimize import minimize

from tests.stats.eft.test_channel import sample
from tests.stats.eft.test_intervals import SYSTEMATICS, channel
from znought.errors import CardError, DataError
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.intervals import interval
from znought.stats.eft.likelihood import LikelihoodModel, Systematics
from znought.stats.eft.measurement import SmeftConfig, channel_edges, likelihood_model
from znought.stats.eft.templates import responses, standard_model
from znought.stats.systematics import SystematicConfig

Floats = npt.NDArray[np.float64]
SETTINGS = SmeftConfig(values=(0.01,))
RATES = Systematics(relative={"vh": 0.1, "ttbar": 0.1, "vhf": 0.3}, mc_statistics=False)
SIZE = 0.08


def varied() -> ScoredChannel:
    """ttbar ± 8 % in `rate`; VH moves with its discriminant in `tilt`; tags are lost in `tag`."""
    events, pt = sample()
    rising = SIZE * (pt - 230.0) / 80.0

    def moved(factor: Floats, process: str) -> ScoredChannel:
        weight = np.where(events.process == process, events.weight * factor, events.weight)
        return ScoredChannel(replace(events, weight=weight), {}, {"pt_v": pt})

    ones = np.ones(len(pt))
    variations = {
        "rate_of_tops_up": moved((1 + SIZE) * ones, "ttbar"),
        "rate_of_tops_down": moved((1 - SIZE) * ones, "ttbar"),
        "tilt_up": moved(1 + rising, "vh"),
        "tilt_down": moved(1 - rising, "vh"),
        "tag_down": moved(0.9 * ones, "vh"),
    }
    return ScoredChannel(events, {}, {"pt_v": pt}, variations)


CHANNEL = varied()
EDGES = channel_edges(CHANNEL, "pt_v", SETTINGS)


def test_responses_are_what_the_variations_do() -> None:
    found = responses(CHANNEL, "pt_v", EDGES, RATES)
    assert {name: set(one) for name, one in found.items()} == {
        "rate_of_tops": {"ttbar"},
        "tilt": {"vh"},
        "tag": {"vh"},
    }
    n_bins = len(EDGES) - 1
    flat = 0.5 * np.log((1 + SIZE) / (1 - SIZE))
    np.testing.assert_allclose(found["rate_of_tops"]["ttbar"], np.full(n_bins, flat), rtol=1e-6)
    # One direction alone is mirrored: up is 1.1.
    np.testing.assert_allclose(found["tag"]["vh"], np.full(n_bins, 0.5 * np.log(1.1 / 0.9)), rtol=1e-6)
    pt, w = CHANNEL.discriminants["pt_v"], CHANNEL.events.weight * CHANNEL.events.is_vh
    bins = np.searchsorted(EDGES, pt, side="right") - 1
    mean = np.bincount(bins, w * SIZE * (pt - 230.0) / 80.0) / np.bincount(bins, w)
    np.testing.assert_allclose(found["tilt"]["vh"], np.arctanh(mean), atol=0.01)
    assert found["tilt"]["vh"][-1] > 0.2


def test_a_card_says_on_what_a_variation_acts() -> None:
    only = SystematicConfig(processes=("ttbar",))
    kept = responses(CHANNEL, "pt_v", EDGES, replace(RATES, variations={"tilt": only}))
    assert "tilt" not in kept
    elsewhere = SystematicConfig(regions=("2L",))
    assert "tag" not in responses(CHANNEL, "pt_v", EDGES, replace(RATES, variations={"tag": elsewhere}))
    apart = SystematicConfig(decorrelate=("process",))
    found = responses(CHANNEL, "pt_v", EDGES, replace(RATES, variations={"tilt": apart}))
    assert set(found) == {"rate_of_tops", "tilt_vh", "tag"}
    with pytest.raises(CardError, match="expected kind up_down or one_sided"):
        Systematics(variations={"tilt": SystematicConfig(kind="two_point")})


def test_the_limit_is_wider_with_variations_and_grows_with_each() -> None:
    def width(*names: str) -> float:
        some = {k: v for k, v in CHANNEL.variations.items() if k.rpartition("_")[0] in names}
        model = likelihood_model([replace(CHANNEL, variations=some)], "pt_v", RATES, SETTINGS)
        assert set(model.nuisances) == {"vh", "ttbar", "vhf", *names}
        return interval(model, coefficient="c_hw").half_width

    alone, one, all_of_them = width(), width("tilt"), width("tilt", "tag", "rate_of_tops")
    assert alone < one < all_of_them
    counting = likelihood_model([CHANNEL], "counting", RATES, SETTINGS)
    assert "tag" in counting.nuisances


def test_profiling_finds_the_minimum_with_shapes_too() -> None:
    rng = np.random.default_rng(5)
    shaped = replace(
        channel(),
        responses={"jes": {"vh": np.array([-0.05, 0.1, 0.3]), "ttbar": 0.2 * rng.normal(size=3)}},
    )
    model = LikelihoodModel((shaped,), SYSTEMATICS)
    assert model.nuisances == ("vh", "ttbar", "jes")
    data, point = model.toys(3, point=[0.01], seed=4), np.array([-0.012])
    found = model.profile(data, point[None])[:, 0]
    for toy in range(3):

        def objective(theta: Floats, toy: int = toy) -> float:
            by_process = {"vh": shaped.vh.yields(point) * 1.1 ** theta[0]}
            by_process["ttbar"] = shaped.backgrounds["ttbar"] * 1.3 ** theta[1]
            nu = sum(
                (by_process[p] * np.exp(theta[2] * r) for p, r in shaped.responses["jes"].items()),
                np.zeros(3),
            )
            n = data.counts[toy]
            poisson = 2.0 * (nu - n + n * np.log(n / nu)).sum()
            return float(poisson + ((theta - data.theta[toy]) ** 2).sum())

        best = minimize(objective, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
        assert found[toy] == pytest.approx(best.fun, abs=2e-4)
    half = model.scaled(4.0)
    assert half.channels[0].responses["jes"]["vh"][2] == 0.3
    shrunk = replace(model, systematics=replace(SYSTEMATICS, scaling="inverse_sqrt")).scaled(4.0)
    assert shrunk.channels[0].responses["jes"]["vh"][2] == pytest.approx(0.15)
    with pytest.raises(DataError, match=r"Unknown process .top.\. Expected one of: vh, ttbar"):
        replace(channel(), responses={"jes": {"top": np.zeros(3)}})
    with pytest.raises(DataError, match="expected 3 responses to jes"):
        replace(channel(), responses={"jes": {"vh": np.zeros(2)}})


def test_the_exported_workspace_is_the_same_likelihood() -> None:
    """At the standard model, for data with more events at the top: −2 ln L of pyhf and ours fall alike."""
    found = standard_model({"0L": (CHANNEL, EDGES)}, "pt_v", RATES)
    spec: Any = found.prepared().spec
    pyhf.set_backend("numpy", "scipy")
    pdf = pyhf.Model({"channels": spec["channels"]}, poi_name="mu", validate=False)
    model = likelihood_model([CHANNEL], "pt_v", RATES, SETTINGS)
    expected = model.asimov()
    np.testing.assert_allclose(
        pdf.expected_data(pdf.config.suggested_init())[: len(EDGES) - 1], expected.counts[0]
    )
    assert {*pdf.config.par_order} == {
        "mu",
        "rate_vh",
        "rate_ttbar",
        "rate_vhf",
        "tilt",
        "tag",
        "rate_of_tops",
    }
    counts = expected.counts * np.linspace(0.97, 1.12, len(EDGES) - 1)
    ours = model.profile(replace(expected, counts=counts), [[0.0, 0.0]])[0, 0]
    data = counts[0].tolist() + pdf.config.auxdata
    _, best = pyhf.infer.mle.fixed_poi_fit(1.0, data, pdf, return_fitted_val=True)
    start = -2.0 * float(pdf.logpdf(pdf.config.suggested_init(), data)[0])
    fixed = 2.0 * (expected.counts - counts + counts * np.log(counts / expected.counts)).sum()
    # The gain of the nuisance parameters; factors of shapes are linear there and exponential here.
    assert fixed - ours == pytest.approx(start - float(best), rel=0.05)
    apart = replace(RATES, correlated=False)
    two = {"0L": (CHANNEL, EDGES), "2L": (replace(CHANNEL, events=replace(CHANNEL.events, name="2L")), EDGES)}
    names = set(standard_model(two, "pt_v", apart).settings.norms)
    assert {"rate_ttbar_0L", "rate_ttbar_2L"} < names
