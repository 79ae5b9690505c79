"""Covariance by differences against closed forms and Minuit's Hesse."""

import numpy as np
import pytest
from iminuit import Minuit
from numpy.typing import NDArray

from tests.stats.regions import config, regions
from tests.stats.test_minimum import counting
from znought.errors import DataError
from znought.stats.curvature import covariance_at, step_sizes
from znought.stats.inference import fit_workspace, loaded_model
from znought.stats.minimum import fit_at, twice_nll
from znought.stats.workspace import build_workspace

Floats = NDArray[np.float64]


def test_gaussian_likelihood_gives_its_covariance_back() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(5, 5))
    truth = a @ a.T + np.eye(5)
    inverse = np.linalg.inv(truth)

    def nll(points: Floats) -> Floats:
        return np.asarray(np.einsum("ki,ij,kj->k", points - 1.0, inverse, points - 1.0))

    steps = step_sizes(np.ones(5), np.full(5, -np.inf), np.ones(5))
    found = covariance_at(nll, np.ones(5), np.arange(5), steps)
    assert found == pytest.approx(truth, rel=1e-6)
    # One held: the covariance of the others, that one known.
    part = covariance_at(nll, np.ones(5), np.arange(4), steps)
    assert part[:4, :4] == pytest.approx(np.linalg.inv(inverse[:4, :4]), rel=1e-6)
    assert not part[4].any()
    with pytest.raises(DataError, match="flat beside its minimum"):
        covariance_at(lambda points: np.zeros(len(points)), np.ones(5), np.arange(5), steps)


def test_errors_are_minuits() -> None:
    with loaded_model(build_workspace(regions(), config()), "expected", 1.0) as (model, counts):
        best = fit_at(model, counts)
        nll = twice_nll(model, counts)
        minuit = Minuit(lambda x: float(nll(np.asarray(x)[None])[0]), best.values + 1e-3)
        minuit.errordef, minuit.strategy = 1.0, 2
        minuit.migrad()
        minuit.hesse()
    assert best.errors == pytest.approx(np.array(minuit.errors), rel=5e-3)
    assert best.covariance == pytest.approx(np.array(minuit.covariance), rel=2e-2, abs=2e-3)


def test_parameter_at_its_bound_has_no_symmetric_error() -> None:
    result = fit_workspace(counting([3.0, 1.0], [6.0, 90.0], [0.0, 90.0]), data="observed")
    assert result.parameter("mu").error == 0.0
    assert result.mu_high > result.mu
