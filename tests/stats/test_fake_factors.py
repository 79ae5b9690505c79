"""Fake factors: known rates put into toys come back, and what cannot be measured is refused."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.stats.fake_factors import (
    FactorBins,
    FakeFactors,
    LeptonCounts,
    closure,
    counted_leptons,
    factor_weights,
    fake_factors,
)

Floats = NDArray[np.float64]

BINS = FactorBins(("electron", "muon"), (0.0, 1.5, 2.5), (15.0, 25.0, 40.0))
PASS = np.array([0.08, 0.12, 0.10, 0.16, 0.20, 0.25, 0.22, 0.30])
"""Probability of a misidentified lepton to be tight, by bin."""
TRUE = PASS / (1.0 - PASS)
N_TOYS = 2000


def _counts(values: Floats) -> LeptonCounts:
    return LeptonCounts(values, values)


def _measured(rng: np.random.Generator) -> FakeFactors:
    """Factors of one toy: 4,000 misidentified leptons a bin beside prompt ones, from a simulation ten times
    as large."""
    fakes, prompt_tight, prompt_loose = 4000.0, 150.0, 40.0
    n = PASS.size
    tight = rng.poisson(fakes * PASS + prompt_tight).astype(float)
    loose = rng.poisson(fakes * (1 - PASS) + prompt_loose).astype(float)
    simulated = [rng.poisson(10 * mean, n) / 10.0 for mean in (prompt_tight, prompt_loose)]
    prompt = [LeptonCounts(count, count / 10.0) for count in simulated]
    return fake_factors(BINS, _counts(tight), _counts(loose), prompt_tight=prompt[0], prompt_loose=prompt[1])


def _pulls() -> Iterator[tuple[Floats, float, float]]:
    """Pull of every factor; pull of the estimate of tight events, and its ratio to their true number.

    Events have two leptons, in every pair of bins of two flavours: one of the two misidentified and the other
    tight, or both misidentified, or both prompt.
    """
    rng = np.random.default_rng(20211116)
    first, second = (grid.ravel() for grid in np.meshgrid(np.arange(4), np.arange(4, 8)))
    one_fake, two_fakes, prompt, real = 60.0, 40.0, 200.0, 0.9
    f, g = PASS[first], PASS[second]
    none = np.full(first.size, -1)
    index = np.concatenate(
        [np.stack(pair, axis=1) for pair in ((none, second), (first, none), (first, second))]
    )
    mean = np.concatenate(
        [
            one_fake * (1 - g) + two_fakes * f * (1 - g),
            one_fake * (1 - f) + two_fakes * (1 - f) * g,
            two_fakes * (1 - f) * (1 - g),
        ]
    )
    truth = float((one_fake * (f + g) + two_fakes * f * g).sum())
    of_prompt = np.repeat(
        [prompt * real * (1 - real), prompt * real * (1 - real), prompt * (1 - real) ** 2], 16
    )
    for _ in range(N_TOYS):
        factors = _measured(rng)
        data = rng.poisson(mean + of_prompt).astype(float)
        simulated = rng.poisson(10 * of_prompt) / 10.0
        w = factor_weights(factors, index)
        estimate = float(w @ (data - simulated))
        variance = float(w**2 @ (data + simulated / 10.0))
        for k in range(BINS.n_bins):
            shift = float(factor_weights(factors.moved(k, 1.0), index) @ (data - simulated)) - estimate
            variance += shift**2
        yield (
            (factors.values - TRUE) / factors.errors,
            (estimate - truth) / np.sqrt(variance),
            estimate / truth,
        )


def test_a_known_rate_comes_back() -> None:
    found = list(_pulls())
    factors = np.array([one for one, _, _ in found])
    estimates = np.array([one for _, one, _ in found])
    assert np.abs(factors.mean(axis=0)).max() < 0.1
    assert np.abs(factors.std(axis=0) - 1).max() < 0.07
    assert abs(estimates.mean()) < 0.1
    assert estimates.std() == pytest.approx(1.0, abs=0.06)
    assert np.mean([ratio for _, _, ratio in found]) == pytest.approx(1.0, abs=0.005)


def test_two_misidentified_leptons_count_once() -> None:
    """With prompt leptons always tight, the estimate is what tight events of misidentified leptons are."""
    f, g = PASS[0], PASS[4]
    first, second, both = 300.0, 200.0, 1000.0
    tight = first * f + second * g + both * f * g
    index = np.array([[-1, 4], [0, -1], [0, 4]])
    events = np.array(
        [
            second * (1 - g) + both * f * (1 - g),
            first * (1 - f) + both * (1 - f) * g,
            both * (1 - f) * (1 - g),
        ]
    )
    factors = FakeFactors(BINS, TRUE, np.zeros(8))
    assert float(factor_weights(factors, index) @ events) == pytest.approx(tight, rel=1e-12)
    three = factor_weights(factors, [[0, 1, 4]])
    assert three[0] == pytest.approx(TRUE[0] * TRUE[1] * TRUE[4])


def test_leptons_are_counted_in_their_bins() -> None:
    index = BINS.index([0, 1, 1, 0], [0.2, 1.5, 2.5, 1.49], [15.0, 25.0, 900.0, 24.9])
    assert index.tolist() == [0, 7, 7, 0]
    found = counted_leptons(BINS, index, [1.0, 2.0, -0.5, 1.0])
    assert found.sumw.tolist() == [2.0, 0, 0, 0, 0, 0, 0, 1.5]
    assert found.sumw2.tolist() == [2.0, 0, 0, 0, 0, 0, 0, 4.25]
    assert len(set(BINS.names)) == BINS.n_bins == 8


@pytest.mark.parametrize(
    ("eta", "pt", "message"),
    [
        (2.6, 20.0, r"\|η\| = 2.6; the edges are 0, 1.5, 2.5"),
        (1.0, 14.0, r"pT = 14 GeV; the edges are 15, 25, inf"),
    ],
)
def test_leptons_outside_are_refused(eta: float, pt: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        BINS.index([0], [eta], [pt])


def test_bins_without_a_factor_are_refused_by_name() -> None:
    many, few = np.full(8, 100.0), np.full(8, 100.0)
    few[2] = 0.0
    with pytest.raises(
        DataError, match=r"electron, \|η\| 1.5 to 2.5, pT 15 to 25 GeV: no loose leptons are left: 0 l"
    ):
        fake_factors(BINS, _counts(many), _counts(few))
    prompt = np.zeros(8)
    prompt[5:] = 120.0
    message = (
        r"muon, \|η\| 0 to 1.5, pT from 25 GeV \(3 of 8 bins\): the fake factor is not positive: 100 tight"
    )
    with pytest.raises(DataError, match=message):
        fake_factors(BINS, _counts(many), _counts(many), prompt_tight=_counts(prompt))


def test_wrong_bins_are_refused() -> None:
    with pytest.raises(CardError, match=r"pt_edges_gev must rise.*Received: \[25.0, 15.0\]"):
        FactorBins(("muon",), (0.0, 2.5), (25.0, 15.0))
    with pytest.raises(CardError, match="at least one flavour"):
        FactorBins((), (0.0, 2.5), (15.0, 25.0))
    with pytest.raises(DataError, match="at least one loose lepton"):
        factor_weights(FakeFactors(BINS, TRUE, TRUE), [[-1, -1]])


def test_closure_holds_at_its_rate_and_sees_a_wrong_factor() -> None:
    rng = np.random.default_rng(7)
    shape = np.array([400.0, 300.0, 200.0, 100.0])
    p_values = []
    for _ in range(1000):
        factor = 0.2 * (1 + 0.05 * rng.normal())
        loose = rng.poisson(shape / 0.2).astype(float)
        observed = rng.poisson(shape).astype(float)
        found = closure(
            factor * loose, factor**2 * loose, observed, observed, moved={"f": 1.05 * factor * loose}
        )
        p_values.append(found.p_value)
    share = np.mean(np.array(p_values) < 0.1)
    assert share == pytest.approx(0.1, abs=0.035)
    wrong = closure(1.5 * shape, shape, shape, shape, moved={"f": 1.5 * 1.05 * shape})
    assert wrong.p_value < 1e-4
    assert wrong.ratio == pytest.approx(1 / 1.5)
    assert wrong.uncertainty == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="positive prediction"):
        closure([0.0], [1.0], [3.0], [3.0], moved={})
