"""The full fit: injected signals, agreement with pyhf itself, ranking and limits."""

import numpy as np
import pyhf
import pytest

from tests.stats.regions import config, regions
from znought.errors import CardError, DataError
from znought.stats.fit import pyhf_session
from znought.stats.inference import fit_workspace, ranking
from znought.stats.limits import cls_limit
from znought.stats.significance import asimov_z0
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import NormConfig, Spec, WorkspaceConfig, build_workspace
from znought.stats.yields import Yields


def one_bin(observed: float | None = None, *, signal: float = 10.0) -> Spec:
    sumw = np.array([[signal], [100.0]])
    counts = Yields(("VH", "top"), np.array([0.0, 1.0]), sumw, 0 * sumw, np.full((2, 1), 100))
    region = RegionTemplates("SR", counts, observed=None if observed is None else np.array([observed]))
    return build_workspace([region], WorkspaceConfig(("VH",), luminosity_rel=0.0, mc_stat=False))


@pytest.fixture(scope="module")
def spec() -> Spec:
    return build_workspace(regions(), config())


@pytest.mark.parametrize("mu", [0.0, 1.0, 2.0])
def test_injected_signals_come_back(spec: Spec, mu: float) -> None:
    result = fit_workspace(spec, mu=mu)
    assert result.mu == pytest.approx(mu, abs=5e-3)
    assert result.mu_low < mu < result.mu_high
    assert all(abs(parameter.pull or 0.0) < 0.01 for parameter in result.parameters)
    assert result.parameter("norm_top").value == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("mu", [0.0, 1.0, 2.0])
def test_fluctuated_data_give_mu_back_on_average(mu: float) -> None:
    rng = np.random.default_rng(5)
    fitted = [
        fit_workspace(one_bin(float(rng.poisson(100 + 10 * mu))), data="observed").mu for _ in range(25)
    ]
    assert np.mean(fitted) == pytest.approx(mu, abs=3 * np.sqrt(100 + 10 * mu) / 10 / np.sqrt(25))


def test_significance_and_interval_of_one_bin_are_the_closed_forms() -> None:
    result = fit_workspace(one_bin())
    assert result.z0 == pytest.approx(float(asimov_z0(10, 100, 0)), rel=1e-3)
    minus_two_log = [
        2 * (100 + 10 * mu - 110 * np.log(100 + 10 * mu)) for mu in (1.0, result.mu_low, result.mu_high)
    ]
    assert np.diff(minus_two_log)[0] == pytest.approx(1.0, abs=0.01)
    assert minus_two_log[2] - minus_two_log[0] == pytest.approx(1.0, abs=0.01)


def test_observed_deficit_has_no_significance_and_negative_mu() -> None:
    result = fit_workspace(one_bin(90.0), data="observed")
    assert result.mu == pytest.approx(-1.0, abs=0.01)
    assert result.z0 == pytest.approx(0.0, abs=1e-3)


def test_ranking_names_every_systematic_and_follows_the_error_budget(spec: Spec) -> None:
    impacts = ranking(spec)
    assert {impact.name for impact in impacts} == {"jes", "shower", "ww_theory", "luminosity"}
    sizes = [max(abs(impact.down), abs(impact.up)) for impact in impacts]
    assert sizes == sorted(sizes, reverse=True)
    assert all(impact.up * impact.down < 0 for impact in impacts)


def test_limits_agree_with_pyhf() -> None:
    limit = cls_limit(one_bin())
    with pyhf_session():
        model = pyhf.Workspace(one_bin()).model()
    with pyhf_session():
        pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer())
        data = model.expected_data([0.0]).tolist()
        observed, expected = pyhf.infer.intervals.upper_limits.upper_limit(
            data, model, np.linspace(0, 8, 120)
        )
    assert limit.observed == pytest.approx(float(observed), rel=5e-3)
    assert limit.expected == pytest.approx([float(value) for value in expected], rel=5e-3)


def test_weak_signals_have_wide_intervals_and_high_limits_not_failures() -> None:
    strong, weak = one_bin(), one_bin(signal=0.5)
    assert cls_limit(weak).expected[2] == pytest.approx(20 * cls_limit(strong).expected[2], rel=1e-2)
    # The upper end of the interval of a Poisson mean of 100.5.
    assert fit_workspace(weak).mu_high == pytest.approx(1 + 10.36 / 0.5, rel=2e-3)


def test_bad_input_is_one_clear_line(spec: Spec) -> None:
    signal_region, control_region = regions()
    with pytest.raises(CardError, match="Unknown process 'topp', did you mean 'top'"):
        build_workspace(regions(), WorkspaceConfig(("VH",), floating=("topp",)))
    with pytest.raises(CardError, match="Unknown process 'ZZ'"):
        build_workspace(regions(), WorkspaceConfig(("VH",), norms={"x": NormConfig(("ZZ",), 0.1)}))
    with pytest.raises(CardError, match="signal and floating at once"):
        WorkspaceConfig(("VH",), floating=("VH",))
    with pytest.raises(CardError, match="signal must name"):
        WorkspaceConfig(signal=())
    with pytest.raises(DataError, match="Unknown variation 'jer_up', did you mean 'jes_up'"):
        build_workspace([signal_region], WorkspaceConfig(("VH",), systematics={"jer": SystematicConfig()}))
    with pytest.raises(CardError, match="Unknown kind of data"):
        fit_workspace(spec, data="toys")  # type: ignore[arg-type]  # the wrong name is the test
    with pytest.raises(DataError, match="Unknown parameter 'norm_tops'"):
        fit_workspace(one_bin()).parameter("norm_tops")
    with pytest.raises(DataError, match="one count per bin"):
        RegionTemplates("CR", control_region.nominal, observed=np.ones(3))
