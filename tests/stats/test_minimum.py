"""Minima without arbitrary bounds: closed forms, far minima, and what ends at a bound."""

import numpy as np
import pyhf
import pytest

from tests.stats.regions import config, regions
from tests.stats.test_inference import one_bin
from znought.errors import DataError
from znought.stats.correlated import correlated_z0
from znought.stats.fit import expected_z0, pyhf_session, z_profile
from znought.stats.inference import fit_workspace, loaded_model
from znought.stats.limits import cls_limit
from znought.stats.minimum import fit_at, sensitivity, twice_nll
from znought.stats.significance import asimov_z0
from znought.stats.workspace import Spec, build_workspace
from znought.stats.yields import Yields


def counting(signal: list[float], background: list[float], observed: list[float] | None = None) -> Spec:
    """One region without uncertainties."""
    samples = [
        {"name": "VH", "data": signal, "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "top", "data": background, "modifiers": []},
    ]
    data = np.add(signal, background).tolist() if observed is None else observed
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": data}],
        "measurements": [{"name": "znought", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.mark.parametrize(
    ("s", "b", "n", "z0"),
    # pyhf stops mu at 10, version 0.1 stopped it at 20 for Z0 and at 100 for mu.
    [(0.5, 50.0, 80.0, 3.8988), (0.1, 50.0, 80.3, 3.9349), (10.0, 100.0, 150.0, 4.6518)],
)
def test_observed_significance_and_mu_have_no_cap(s: float, b: float, n: float, z0: float) -> None:
    result = fit_workspace(counting([s], [b], [n]), data="observed")
    assert result.z0 == pytest.approx(np.sqrt(2 * (n * np.log(n / b) - (n - b))), rel=1e-4)
    assert result.z0 == pytest.approx(z0, abs=1e-4)
    assert result.mu == pytest.approx((n - b) / s, rel=1e-4)
    assert result.at_bound == ()


def test_mu_falls_as_far_as_the_likelihood_wants() -> None:
    result = fit_workspace(counting([3.0], [6.0], [2.0]), data="observed")
    assert result.mu == pytest.approx(-4 / 3, abs=1e-3)
    assert result.z0 == 0.0
    assert "mu" not in result.at_bound


def test_minimum_at_a_bound_is_called_one() -> None:
    result = fit_workspace(counting([3.0, 1.0], [6.0, 90.0], [0.0, 90.0]), data="observed")
    assert result.mu == pytest.approx(-2.0, abs=1e-3)
    assert result.at_bound == ("mu", "mu_low")
    assert any("mu is at its lower bound" in warning for warning in result.warnings)


def test_large_pulls_are_followed() -> None:
    s, b = np.array([1120.0, 10.0]), np.array([162.0, 100.0])
    sumw = np.stack([s, b])
    yields = Yields(("VH", "top"), np.arange(3.0), sumw, 0 * sumw, np.full((2, 2), 100))
    for sigma_rel in (0.05, 0.5, 2.0):
        found = z_profile(yields, {"VH"}, sigma_rel=sigma_rel).correlated
        # Without MC errors the pull at mu = 0 is far above 5: an independent Newton search says the same.
        assert found == pytest.approx(correlated_z0(s, b, [sigma_rel * b]), rel=1e-6)


def test_dominant_signal_and_tiny_signal_are_fitted() -> None:
    strong = fit_workspace(counting([1e5, 4e4], [10.0, 20.0]))
    assert strong.mu_high - strong.mu_low == pytest.approx(2 / np.sqrt(1.4e5), rel=1e-2)
    weak = fit_workspace(counting([1e-4], [50.0]))
    assert weak.z0 == pytest.approx(float(asimov_z0(1e-4, 50.0, 0.0)), rel=2e-2)
    assert weak.mu_high == pytest.approx(7.2e4, rel=0.03)


def test_bin_without_background_has_a_signal_strength_but_no_significance() -> None:
    spec = counting([8.0, 5.0], [20.0, 0.0])
    result = fit_workspace(spec)
    assert result.z0 is None
    assert any("bin 1 of region SR expects no background" in warning for warning in result.warnings)
    assert result.mu == pytest.approx(1.0, abs=1e-4)
    assert cls_limit(spec).expected[2] < cls_limit(counting([8.0], [20.0])).expected[2]
    with pytest.raises(DataError, match="a bin has events where none are expected"):
        cls_limit(spec, data="observed")
    with pyhf_session(), pytest.raises(DataError, match="bin 1 of region SR expects no background"):
        expected_z0(pyhf.Workspace(spec).model())


def test_no_signal_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="the signal has no yield: no bin changes with mu"):
        fit_workspace(counting([0.0], [10.0]))
    nothing = Yields(
        ("VH", "top"), np.arange(2.0), np.array([[0.0], [9.0]]), np.zeros((2, 1)), np.full((2, 1), 1)
    )
    assert z_profile(nothing, {"VH"}).correlated == 0.0


def test_refusals_of_pyhf_are_one_clear_line() -> None:
    spec = counting([1.0], [10.0])
    spec["measurements"] = [{"name": "m", "config": {"poi": "sigma", "parameters": []}}]
    with pytest.raises(DataError, match="pyhf refuses the workspace"):
        fit_workspace(spec)


def test_start_does_not_move_the_minimum() -> None:
    with loaded_model(build_workspace(regions(), config()), "expected", 1.0) as (model, counts):
        first = fit_at(model, counts)
        second = fit_at(model, counts, start=np.array(model.config.suggested_init()) + 0.7)
        assert second.values == pytest.approx(first.values, abs=2e-3)
        assert second.errors == pytest.approx(first.errors, rel=1e-2)
        hessian = np.linalg.inv(first.covariance)
        assert np.all(np.sqrt(1 / np.diag(hessian)) <= first.errors * (1 + 1e-9))


def test_likelihood_of_many_points_is_pyhfs() -> None:
    with loaded_model(build_workspace(regions(), config()), "expected", 1.0) as (model, counts):
        points = np.array(model.config.suggested_init()) + np.random.default_rng(1).normal(
            0, 0.02, (50, model.config.npars)
        )
        one_by_one = [-2 * float(model.logpdf(point, counts)[0]) for point in points]
        assert twice_nll(model, counts)(points) == pytest.approx(one_by_one, abs=1e-9)


def test_sensitivity_of_one_bin_is_its_poisson_error() -> None:
    with loaded_model(one_bin(), "expected", 1.0) as (model, _):
        start = np.array(model.config.suggested_init())
        assert sensitivity(model, start) == pytest.approx([np.sqrt(110) / 10], rel=1e-6)
