"""Pseudo-experiments have the moments that they should, and find coverage and errors of it."""

import numpy as np
import pytest
from scipy.stats import norm, poisson

from tests.stats.regions import config, regions
from tests.stats.test_mcstat import spec as with_poisson_factors
from tests.stats.test_minimum import counting
from znought.errors import DataError
from znought.stats.inference import loaded_model
from znought.stats.pseudo_experiments import (
    ToyStudy,
    goodness_by_toys,
    sample_toys,
    significance_by_toys,
    toy_study,
)
from znought.stats.workspace import build_workspace


def test_counts_and_auxiliary_data_fluctuate_as_their_densities_say() -> None:
    with loaded_model(with_poisson_factors(), "expected", 1.0) as (model, asimov):
        truth = np.array(model.config.suggested_init())
        toys = np.array(list(sample_toys(model, truth, 4000, np.random.default_rng(1))))
        n_main = model.config.nmaindata
    mean, variance = toys.mean(axis=0), toys.var(axis=0)
    assert mean == pytest.approx(np.array(asimov), rel=0.06, abs=0.06)
    assert variance[:n_main] == pytest.approx(np.array(asimov[:n_main]), rel=0.12)


def test_pseudo_experiments_are_as_probable_as_pyhfs_own() -> None:
    with loaded_model(build_workspace(regions(), config()), "expected", 1.0) as (model, _):
        truth = np.array(model.config.suggested_init())
        np.random.seed(1)  # pyhf samples from the global generator
        theirs = np.array(model.make_pdf(truth).sample((400,)))
        ours = list(sample_toys(model, truth, 400, np.random.default_rng(1)))
        one, other = ([float(model.logpdf(truth, toy)[0]) for toy in toys] for toys in (ours, theirs))
    assert np.mean(one) == pytest.approx(np.mean(other), abs=float(5 * np.std(other) / 20))
    assert np.std(one) == pytest.approx(np.std(other), rel=0.15)


def test_interval_and_significance_of_one_bin_are_as_frequent_as_poisson_says() -> None:
    study = toy_study(counting([10.0], [100.0]), 300, mu=0.0, seed=3)
    counts = 100 + np.round(10 * study.fitted)
    low, high = 100.0, 100.0
    exact = sum(poisson.pmf(n, 100) for n in range(40, 170) if 2 * (100 - n + n * np.log(n / 100)) <= 1.0)
    share, error = study.coverage
    assert share == pytest.approx(exact, abs=3.5 * error)
    assert study.z0 == pytest.approx(
        np.sqrt(np.where(counts > low, 2 * (high - counts + counts * np.log(counts / 100)), 0)), abs=1e-2
    )
    assert study.n_failed == 0


def test_full_likelihood_is_unbiased_and_covers() -> None:
    study = toy_study(build_workspace(regions(), config()), 80, seed=5)
    shift, error = study.bias
    assert abs(shift) < 3.5 * error
    share, spread = study.coverage
    assert abs(share - 0.6827) < 3.5 * spread
    width, spread = study.pull_width
    assert abs(width - 1.0) < 3.5 * spread
    # −2 ln of the likelihood ratio to the saturated model is χ² with 2 degrees of freedom.
    assert study.goodness.mean() == pytest.approx(2.0, abs=3.5 * 2 / np.sqrt(80))


def test_poisson_factors_and_held_ones_keep_the_degrees_of_freedom() -> None:
    study = toy_study(with_poisson_factors(), 80, seed=4)
    # 4 bins, mu and norm_top are free; held factors of bins without MC error must not fluctuate.
    assert study.goodness.mean() == pytest.approx(2.0, abs=3.5 * 2 / np.sqrt(80))


def test_significance_by_toys_is_the_tail_of_poisson() -> None:
    found = significance_by_toys(counting([10.0], [100.0], [118.0]), 400, seed=2)
    assert found.p_value == pytest.approx(poisson.sf(117, 100), abs=3.5 * found.error)
    assert found.observed == pytest.approx(norm.isf(poisson.sf(117, 100)) ** 2, rel=0.15)


def test_goodness_by_toys_sees_a_distortion() -> None:
    good = goodness_by_toys(counting([1.0, 1.0], [30.0, 30.0], [33.0, 28.0]), 200, held={"mu": 1.0})
    bad = goodness_by_toys(counting([1.0, 1.0], [30.0, 30.0], [55.0, 12.0]), 200, held={"mu": 1.0})
    assert good.p_value > 0.3
    assert bad.p_value < 0.02
    assert bad.error > 0


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="n_toys must be at least 2"):
        toy_study(counting([1.0], [10.0]), 1)
    with pytest.raises(DataError, match="n_toys must be at least 1"):
        goodness_by_toys(counting([1.0], [10.0]), 0)
    with pytest.raises(DataError, match="bin 0 of region SR expects no background"):
        toy_study(counting([1.0], [0.0]), 2)


def test_shares_have_binomial_errors() -> None:
    array = np.array([0.5, 2.0, 0.2, 3.0])
    study = ToyStudy(1.0, array, np.ones(4), array, array, array, 0)
    assert study.coverage == pytest.approx((0.5, 0.25))
    assert study.rate_above(2.5) == pytest.approx((0.25, np.sqrt(0.25 * 0.75 / 4)))
