"""Yields before and after a fit against cabinetry, and what control regions say about the others."""

from dataclasses import replace

import cabinetry
import numpy as np
import pytest

from tests.stats.regions import config, regions, yields
from znought.errors import DataError
from znought.stats.inference import fit_workspace
from znought.stats.masks import masked, only_channels
from znought.stats.prediction import (
    FittedParameters,
    control_prediction,
    fitted_parameters,
    predicted,
    prior_parameters,
)
from znought.stats.spec import asimov_channels, entries
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import Spec, build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


@pytest.fixture(scope="module")
def spec() -> Spec:
    """Recorded data in the control region only, 8 % above the expectation."""
    signal_region, control_region = regions()
    return build_workspace([signal_region, replace(control_region, observed=np.array([2270.0]))], config())


@pytest.mark.parametrize("after", [False, True])
def test_yields_and_errors_are_cabinetrys(spec: Spec, after: bool) -> None:
    model, data = cabinetry.model_utils.model_and_data(spec)
    fit = cabinetry.fit.fit(model, data) if after else None
    theirs = cabinetry.model_utils.prediction(model, fit_results=fit)
    ours = predicted(spec, fitted_parameters(spec, data="observed") if after else prior_parameters(spec))
    by_region = {found.region: found for found in ours}
    for i, name in enumerate(model.config.channels):
        found = by_region[name]
        assert found.processes == tuple(model.config.samples)
        assert found.yields == pytest.approx(np.array(theirs.model_yields[i]), rel=2e-3)
        assert found.total_error == pytest.approx(theirs.total_stdev_model_bins[i][-1], rel=1e-2)
        assert found.errors == pytest.approx(np.array(theirs.total_stdev_model_bins[i][:-1]), rel=1e-2)
        assert found.sum_error == pytest.approx(theirs.total_stdev_model_channels[i][-1], rel=1e-2)


def test_the_fit_correlates_what_was_independent(spec: Spec) -> None:
    before, after = (
        predicted(spec, parameters)[1]
        for parameters in (prior_parameters(spec), fitted_parameters(spec, data="observed"))
    )
    assert before.region == "SR"
    assert after.sum_error < np.sqrt((after.errors**2).sum())
    fitted = fitted_parameters(spec, data="observed")
    assert fitted.correlation("jes", "norm_top") < -0.3
    assert fitted.correlation("jes", "jes") == pytest.approx(1.0)
    with pytest.raises(DataError, match="Unknown parameter 'jer', did you mean 'jes'"):
        fitted.correlation("jes", "jer")


def test_observed_counts_are_there_only_where_recorded(spec: Spec) -> None:
    control, signal = predicted(spec, prior_parameters(spec))
    assert control.observed is not None
    assert control.observed.tolist() == [2270.0]
    assert signal.observed is None
    assert control.to_dict()["total"] == pytest.approx([2101.0])


def test_control_regions_predict_the_signal_region_without_seeing_it(spec: Spec) -> None:
    _, signal = control_prediction(spec, ("CR_top",))
    top = signal.yields[signal.processes.index("top")]
    # 2270 − 100 (WW) in place of 2000, at mu = 0.
    assert top.sum() / 410 == pytest.approx(2170 / 2000, rel=0.01)
    assert "VH" not in signal.processes
    changed = masked(spec, {})
    for entry in entries(changed, "observations"):
        if entry["name"] == "SR":
            entry["data"] = [900.0, 300.0, 200.0]
    _, again = control_prediction(changed, ("CR_top",))
    assert again.yields == pytest.approx(signal.yields)


def test_another_variable_takes_the_fit_over_by_name(spec: Spec) -> None:
    sumw = [[13.5, 13.5], [205.0, 205.0], [139.0, 139.0]]
    other = RegionTemplates(
        "SR",
        yields(sumw),
        {"jes_up": yields(sumw), "jes_down": yields(sumw), "shower": yields(sumw)},
    )
    fitted = fitted_parameters(spec, data="observed")
    (found,) = predicted(build_workspace([other], config()), fitted, same_bins=False)
    norm = fitted.values[fitted.names.index("norm_top")]
    assert found.yields[found.processes.index("top")] == pytest.approx(205 * norm * np.ones(2), rel=1e-3)
    # Its own MC statistics, 3 % per process and bin, stay.
    assert np.all(found.errors[found.processes.index("WW")] > 0.03 * 130)


def test_masks_drop_channels_and_bins(spec: Spec) -> None:
    tail = masked(spec, {"SR": [True, True, False]})
    (control, signal) = predicted(tail, prior_parameters(tail))
    assert (control.total.size, signal.total.size) == (1, 2)
    assert signal.total == pytest.approx([504, 159])
    assert asimov_channels(tail) == ("SR",)
    assert fit_workspace(tail).z0 < fit_workspace(spec).z0  # type: ignore[operator]  # both exist
    only = only_channels(spec, ["CR_top"])
    assert [entry["name"] for entry in entries(only, "observations")] == ["CR_top"]
    assert asimov_channels(only) == ()


def test_bad_input_is_one_clear_line(spec: Spec) -> None:
    with pytest.raises(DataError, match="Unknown channel 'CR_tops', did you mean 'CR_top'"):
        only_channels(spec, ["CR_tops"])
    with pytest.raises(DataError, match=r"needs 3 values\. Received: 2"):
        masked(spec, {"SR": [True, False]})
    with pytest.raises(DataError, match="leave no bin"):
        masked(spec, {"SR": False, "CR_top": [False]})
    with pytest.raises(DataError, match="Unknown parameter 'mus', did you mean 'mu'"):
        fitted_parameters(spec, held={"mus": 0.0})
    with pytest.raises(DataError, match="values and covariance"):
        FittedParameters(("mu",), np.ones(2), np.ones((1, 1)))
