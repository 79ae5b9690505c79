"""The saturated model against Baker and Cousins' formula, and scans against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from tests.stats.regions import config, regions
from tests.stats.test_mcstat import spec as with_poisson_factors
from tests.stats.test_minimum import counting
from znought.errors import DataError
from znought.stats.fit import pyhf_session
from znought.stats.goodness import goodness_of_fit, likelihood_scan, saturated_nll
from znought.stats.inference import fit_workspace, loaded_model
from znought.stats.workspace import build_workspace


def test_without_nuisances_it_is_the_poisson_chi_square() -> None:
    observed, expected = np.array([12.0, 33.0, 8.0]), np.array([10.0, 40.0, 5.0])
    spec = counting([1.0, 1.0, 1.0], (expected - 1).tolist(), observed.tolist())
    found = goodness_of_fit(spec, held={"mu": 1.0})
    terms = expected - observed + observed * np.log(observed / expected)
    assert found.value == pytest.approx(2 * terms.sum(), rel=1e-9)
    assert found.n_dof == 3
    assert found.p_value == pytest.approx(chi2.sf(2 * terms.sum(), 3))
    free = goodness_of_fit(spec)
    assert free.n_dof == 2
    assert free.value < found.value


def test_asimov_data_fit_perfectly() -> None:
    for spec in (build_workspace(regions(), config()), with_poisson_factors()):
        found = goodness_of_fit(spec, data="expected")
        assert found.value == pytest.approx(0.0, abs=1e-6)
        # 4 bins; mu and norm_top are free.
        assert found.n_dof == 2


def test_auxiliary_measurements_count_as_pulls() -> None:
    with (
        pyhf_session(),
        loaded_model(build_workspace(regions(), config()), "expected", 1.0) as (model, counts),
    ):
        moved = list(counts)
        # The first auxiliary measurement is a standard normal one.
        moved[model.config.nmaindata] += 2.0
        assert saturated_nll(model, moved) == pytest.approx(saturated_nll(model, counts))


def test_distorted_data_fit_badly() -> None:
    signal_region, control_region = regions()
    bad = [
        replace(signal_region, observed=np.array([400.0, 159.0, 52.0])),
        replace(control_region, observed=np.array([2101.0])),
    ]
    assert goodness_of_fit(build_workspace(bad, config())).p_value < 0.01


def test_scan_passes_one_at_the_ends_of_the_interval() -> None:
    spec = build_workspace(regions(), config())
    result = fit_workspace(spec)
    scan = likelihood_scan(spec, values=[result.mu_low, result.mu, result.mu_high])
    assert scan.rise == pytest.approx([1.0, 0.0, 1.0], abs=5e-3)
    jes = likelihood_scan(spec, "jes", n_points=5)
    assert jes.rise[2] == pytest.approx(0.0, abs=1e-4)
    assert jes.rise[0] == pytest.approx(2.5**2, rel=0.1)
    assert len(jes.to_dict()["values"]) == 5  # type: ignore[arg-type]  # a list, by its name


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="Unknown parameter 'jer', did you mean 'jes'"):
        likelihood_scan(build_workspace(regions(), config()), "jer")
    with pytest.raises(DataError, match="Unknown parameter"):
        goodness_of_fit(counting([1.0], [1.0]), held={"theta": 0.0})
