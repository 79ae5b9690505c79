"""From events to the likelihood: weights, edges, templates and training rows of one channel."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from znought.errors import CardError, DataError
from znought.stats.eft.channel import (
    ChannelEvents,
    MorphingConfig,
    doubling_edges,
    hypothesis,
    likelihood_channel,
)
from znought.stats.eft.intervals import interval
from znought.stats.eft.likelihood import LikelihoodModel

Floats = npt.NDArray[np.float64]
CONFIG = MorphingConfig("vh", validity=((-0.05, 0.05), (-0.05, 0.05)))
N = 4000


def columns(seed: int = 1) -> dict[str, npt.NDArray[np.generic]]:
    """Half VH, a quarter each of two backgrounds; three responses of each event."""
    rng = np.random.default_rng(seed)
    process = np.repeat(rng.choice(["vh", "vh", "ttbar", "vhf"], N), 3)
    pt = np.repeat(150.0 + rng.exponential(80.0, N), 3)
    a, b = 0.1 * pt, 4e-3 * pt**2
    c = np.asarray(CONFIG.points)[:, 0]
    stored = 1.0 + a[:, None] * c + b[:, None] * c**2 + 3.0 * np.asarray(CONFIG.points)[:, 1]
    stored[process != "vh"] = np.nan
    weight = np.where(process == "vh", 0.02, 0.05) * rng.uniform(0.9, 1.1, 3 * N)
    return {
        "process": process,
        "weight": weight,
        "identity": np.repeat(np.arange(N), 3).astype(np.uint64),
        "smeft_weights": stored,
        "pt_v": pt,
    }


def sample(config: MorphingConfig = CONFIG) -> tuple[ChannelEvents, Floats]:
    made = columns()
    pt = np.asarray(made["pt_v"], np.float64)
    events = ChannelEvents.of(
        "0L", made["process"], made["weight"], made["identity"], made["smeft_weights"], pt_v=pt, config=config
    )
    return events, pt


def test_templates_are_sums_of_reweighted_events() -> None:
    events, pt = sample()
    edges = doubling_edges(events, pt)
    channel = likelihood_channel(events, pt, edges)
    for point in ((0.0, 0.0), (0.02, 0.01)):
        w = events.weight_at(point)
        for i in range(len(edges) - 1):
            inside = (pt >= edges[i]) & (pt < edges[i + 1])
            assert channel.vh.yields(point)[i] == pytest.approx(w[inside & events.is_vh].sum())
            for name, yields in channel.backgrounds.items():
                assert yields[i] == pytest.approx(events.weight[inside & (events.process == name)].sum())
            by_event = np.bincount(
                events.identity[inside & events.is_vh].astype(int), w[inside & events.is_vh]
            )
            assert channel.vh.variance(point)[i] == pytest.approx((by_event**2).sum())
            rest = inside & ~events.is_vh
            by_event = np.bincount(events.identity[rest].astype(int), events.weight[rest])
            assert channel.background_sumw2 is not None
            assert channel.background_sumw2[i] == pytest.approx((by_event**2).sum())


def test_bins_grow_from_the_top_and_rest_on_enough_events() -> None:
    events, pt = sample()
    edges = doubling_edges(events, pt, first_yield=4.0, growth=2.0, min_effective=20.0)
    assert edges[0] == -np.inf
    assert edges[-1] == np.inf
    yields = np.histogram(pt, edges, weights=events.weight)[0][::-1]
    assert yields[0] >= 4.0
    assert (yields[1:-1] >= 1.9 * yields[:-2]).all()
    for i in range(len(edges) - 1):
        inside = (pt >= edges[i]) & (pt < edges[i + 1])
        per_event = np.bincount(events.identity[inside].astype(int), events.weight[inside])
        assert per_event.sum() ** 2 / (per_event**2).sum() >= 20.0
    assert len(doubling_edges(events, pt, n_bins_max=3)) == 4
    with pytest.raises(DataError, match="expected events, fewer than"):
        doubling_edges(events, pt, first_yield=1e6)


def test_a_truncation_weakens_the_limit() -> None:
    widths = []
    for limit in (None, 300.0):
        events, pt = sample(replace(CONFIG, pt_v_max_gev=limit))
        edges = doubling_edges(events, pt, min_effective=5.0)
        model = LikelihoodModel((likelihood_channel(events, pt, edges),))
        widths.append(interval(model, coefficient="c_hw").half_width)
    assert widths[1] > 1.1 * widths[0]
    events, pt = sample(replace(CONFIG, pt_v_max_gev=300.0))
    above = pt >= 300.0
    np.testing.assert_allclose(events.weight_at((0.02, 0.0))[above], events.weight[above], rtol=1e-12)
    untouched = sample()[0].weight_at((0.02, 0.0))
    np.testing.assert_array_equal(events.weight_at((0.02, 0.0))[~above], untouched[~above])


def test_training_rows_hold_vh_twice_and_conserve_yields() -> None:
    events, _ = sample()
    rows = hypothesis(events, (0.02, 0.0))
    n_vh = int(events.is_vh.sum())
    assert rows.is_signal.sum() == n_vh
    assert len(rows.row) == n_vh + len(events)
    assert rows.weight[rows.is_signal].sum() == pytest.approx(
        events.weight_at((0.02, 0.0))[events.is_vh].sum()
    )
    assert rows.weight[~rows.is_signal].sum() == pytest.approx(events.weight.sum())
    alone = hypothesis(events, (0.02, 0.0), with_backgrounds=False)
    assert alone.weight[~alone.is_signal].sum() == pytest.approx(events.weight[events.is_vh].sum())
    assert np.array_equal(alone.row[alone.is_signal], alone.row[~alone.is_signal])


def test_one_coefficient_needs_three_weights() -> None:
    made = columns()
    one = MorphingConfig("vh", coefficients=("c_hw",), validity=((-0.05, 0.05),))
    arguments = (made["process"], made["weight"], made["identity"])
    stored = np.asarray(made["smeft_weights"], np.float64)
    events = ChannelEvents.of("0L", *arguments, stored[:, :3], pt_v=made["pt_v"], config=one)
    both = ChannelEvents.of("0L", *arguments, stored, pt_v=made["pt_v"], config=CONFIG)
    np.testing.assert_allclose(events.weight_at((0.03,)), both.weight_at((0.03, 0.0)), rtol=1e-9)


def test_errors_name_the_channel() -> None:
    made = columns()
    arguments = (made["process"], made["weight"], made["identity"])
    stored = np.array(made["smeft_weights"], np.float64)
    stored[:7] = np.nan
    n_bad = int((made["process"][:7] == "vh").sum())
    with pytest.raises(DataError, match=f"Channel 0L: {n_bad} VH events have no stored weights"):
        ChannelEvents.of("0L", *arguments, stored, pt_v=made["pt_v"], config=CONFIG)
    with pytest.raises(DataError, match="Channel 1L: no event of process 'vh'"):
        ChannelEvents.of("1L", ["x"], [1.0], [1], np.ones((1, 6)), pt_v=[1.0], config=CONFIG)
    with pytest.raises(DataError, match="do not match"):
        ChannelEvents.of("1L", *arguments, stored[:5], pt_v=made["pt_v"], config=CONFIG)
    with pytest.raises(CardError, match="validity range"):
        MorphingConfig(validity=())
    weight = np.array(made["weight"], np.float64)
    weight[np.flatnonzero(made["process"] == "ttbar")[:4]] = np.inf
    with pytest.raises(DataError, match="Channel 2L: 4 events of ttbar have no finite weight"):
        ChannelEvents.of(
            "2L", made["process"], weight, made["identity"], stored, pt_v=made["pt_v"], config=CONFIG
        )


def test_no_weight_is_given_outside_the_validity() -> None:
    events, _ = sample()
    with pytest.raises(DataError, match=r"c_hw = 0\.06 is outside the validity .* \[-0\.05, 0\.05\]"):
        events.weight_at((0.06, 0.0))
    with pytest.raises(DataError, match=r"c_hb = -0\.2 is outside"):
        hypothesis(events, (0.01, -0.2))
    with pytest.raises(DataError, match="each of"):
        events.weight_at((0.01,))
