"""Groups of nuisance parameters, warnings of fits, and edges exchanged."""

from dataclasses import replace

import numpy as np
import pytest

from tests.stats.regions import config, regions
from tests.stats.test_inference import one_bin
from tests.stats.test_minimum import counting
from znought.errors import DataError
from znought.stats.crossfit_likelihood import cross_fitted_fit
from znought.stats.impacts import grouped_impacts
from znought.stats.inference import fit_workspace, ranking
from znought.stats.workspace import Spec, build_workspace


@pytest.fixture(scope="module")
def spec() -> Spec:
    return build_workspace(regions(), config())


def test_groups_share_out_the_error_of_mu(spec: Spec) -> None:
    result = fit_workspace(spec)
    parts = {found.group: found for found in grouped_impacts(spec)}
    assert set(parts) == {"total", "MC statistics", "free normalisations", "systematics", "data statistics"}
    assert parts["total"].up == pytest.approx(result.mu_high - result.mu, rel=1e-2)
    # The Poisson information of the three signal bins, all else known.
    information = sum(s**2 / n for s, n in ((4, 504), (9, 159), (14, 52), (1, 2101)))
    mean = (parts["data statistics"].up + parts["data statistics"].down) / 2
    assert mean == pytest.approx(1 / np.sqrt(information), rel=0.02)
    assert all(0 < part.up <= parts["total"].up for part in parts.values())
    systematics = grouped_impacts(
        spec, {"scale": ("jes",), "all": ("jes", "shower", "luminosity", "ww_theory")}
    )
    assert systematics[1].up < systematics[2].up
    assert systematics[2].up == pytest.approx(parts["systematics"].up, rel=1e-3)


def test_impacts_before_the_fit_are_those_of_the_prior_width(spec: Spec) -> None:
    by_name = {impact.name: impact for impact in ranking(spec)}
    result = fit_workspace(spec)
    for name, impact in by_name.items():
        assert impact.prior_up is not None
        # jes is constrained, so its prior width moves mu farther.
        assert abs(impact.prior_up) >= abs(impact.up) * 0.999
        assert result.parameter(name).error <= 1.001


def test_warnings_name_pulls_constraints_and_norms() -> None:
    signal_region, control_region = regions()
    data = [
        replace(signal_region, observed=np.array([1300.0, 400.0, 90.0])),
        replace(control_region, observed=np.array([6000.0])),
    ]
    warnings = " ".join(fit_workspace(build_workspace(data, config()), data="observed").warnings)
    assert "norm_top comes out as" in warnings
    assert "standard deviations" in warnings
    assert fit_workspace(build_workspace(regions(), config())).warnings == ()


def test_a_constraint_by_few_data_is_pointed_at() -> None:
    spec = counting([10.0, 1.0], [50.0, 1e4])
    channels: list[dict[str, list[dict[str, list[object]]]]] = spec["channels"]  # type: ignore[assignment]
    modifier = {"name": "norm", "type": "normsys", "data": {"lo": 0.5, "hi": 1.5}}
    channels[0]["samples"][1]["modifiers"].append(modifier)
    assert any("norm is constrained to 0.02 of its width" in line for line in fit_workspace(spec).warnings)


def test_cross_fitted_fit_stands_beside_the_frozen_one() -> None:
    found = cross_fitted_fit((one_bin(signal=8.0), one_bin(signal=9.0)), one_bin(signal=12.0))
    expected = [fit_workspace(one_bin(signal=s)).z0 for s in (8.0, 9.0, 12.0)]
    low, high, frozen = (z for z in expected if z is not None)
    assert found.z0 == pytest.approx((low + high) / 2)
    assert found.optimism == pytest.approx(frozen - (low + high) / 2)
    assert f"{frozen:.3f}" in found.text
    nothing = cross_fitted_fit((one_bin(), counting([5.0, 1.0], [9.0, 0.0])), one_bin())
    assert nothing.z0 is None
    assert nothing.optimism is None
    parts = (one_bin(signal=8.0), one_bin(signal=9.0))
    own = cross_fitted_fit(parts, one_bin(signal=12.0), tuned=(one_bin(signal=9.0), one_bin(signal=9.0)))
    # Only the tuning differs then, not the size of the simulation.
    best = fit_workspace(one_bin(signal=9.0)).z0
    assert best is not None
    assert own.optimism == pytest.approx(best - (low + high) / 2)
    assert f"own edges {best:.3f}" in own.text
    with pytest.raises(DataError, match="at least two parts"):
        cross_fitted_fit((one_bin(),), one_bin())


def test_unknown_parameters_are_named(spec: Spec) -> None:
    with pytest.raises(DataError, match="Unknown parameter 'jer', did you mean 'jes'"):
        grouped_impacts(spec, {"scale": ("jer",)})
