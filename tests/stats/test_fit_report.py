"""One call holds what the single ones say, and leaves out what there is no right number for."""

import json
from dataclasses import replace

import pytest

from tests.stats.regions import config, regions
from tests.stats.test_minimum import counting
from znought.stats.fit_report import full_fit
from znought.stats.inference import fit_workspace
from znought.stats.limits import cls_limit
from znought.stats.workspace import build_workspace


def test_expected_fit_is_one_record() -> None:
    spec = build_workspace(regions(), config())
    report = full_fit(spec)
    assert report.result == fit_workspace(spec)
    assert report.limit == cls_limit(spec)
    assert report.goodness is None
    assert report.asimov == ("SR", "CR_top")
    assert [region.region for region in report.after] == ["CR_top", "SR"]
    assert {group.group for group in report.groups} >= {"total", "data statistics"}
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["result"]["mu"] == pytest.approx(
        1.0, abs=1e-3
    )


def test_observed_fit_is_judged() -> None:
    recorded = [replace(r, observed=r.nominal.sumw.sum(axis=0).round() + 3) for r in regions()]
    report = full_fit(build_workspace(recorded, config()), data="observed", n_toys=10)
    assert report.goodness is not None
    assert report.goodness.n_dof == 2
    assert report.goodness_toys is not None
    assert report.goodness_toys.observed == pytest.approx(report.goodness.value, abs=1e-6)
    assert report.significance_toys is not None
    assert report.result.z0 is not None
    assert report.significance_toys.observed == pytest.approx(report.result.z0**2, abs=1e-4)
    assert report.limit is not None
    assert report.limit.observed != report.limit.expected[2]
    assert report.remarks == ()


def test_half_blinded_data_have_no_goodness_of_fit() -> None:
    signal_region, control_region = regions()
    half = [signal_region, replace(control_region, observed=control_region.nominal.sumw.sum(axis=0))]
    report = full_fit(build_workspace(half, config()), data="observed")
    assert report.goodness is None
    assert report.remarks == ("Data are Asimov in SR: no goodness of fit is quoted.",)


def test_missing_limit_is_a_remark() -> None:
    report = full_fit(counting([8.0, 5.0], [20.0, 0.0]), data="observed")
    assert report.limit is None
    assert report.remarks[0].startswith("No upper limit: the likelihood is zero")
    assert report.result.z0 is None
