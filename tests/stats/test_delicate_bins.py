"""Ties, variations that change nothing, and empty or negative bins."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyhf
import pytest

from tests.stats.regions import config, regions, yields
from znought.stats.binning import evaluate, greedy, optimal
from znought.stats.fit import pyhf_session
from znought.stats.inference import fit_workspace
from znought.stats.significance import asimov_z0
from znought.stats.templates import RegionTemplates, filled_up
from znought.stats.workspace import build_workspace, prepared_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


def _tied(dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nine thousand events that share twelve scores, some of which are edges and ends of the range."""
    rng = np.random.default_rng(7)
    values: np.ndarray = np.array([0.0, 0.1, 0.2, 0.25, 0.3, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], dtype=dtype)
    is_signal = np.arange(9000) % 3 == 0
    purity = np.where(is_signal, 3.0, 1.0)[:, None] * np.linspace(0.2, 1.0, 12)
    cumulative = np.cumsum(purity ** np.where(is_signal, 2, 0.3)[:, None], axis=1)
    index = (rng.random((9000, 1)) * cumulative[:, -1:] > cumulative).sum(axis=1)
    return values[index], rng.normal(0.1, 0.05, 9000), is_signal


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("search", [greedy, optimal])
def test_events_of_one_score_stay_together(search: Any, dtype: type) -> None:
    scores, weights, is_signal = _tied(dtype)
    found = search(scores, weights, is_signal, lower=0.2, upper=1.0, min_yield=3.0)
    assert found.edges.size > 3
    signal, background = (
        np.histogram(scores[kind].astype(np.float64), found.edges, weights=weights[kind])[0]
        for kind in (is_signal, ~is_signal)
    )
    assert found.signal == pytest.approx(signal, rel=1e-12)
    assert found.background == pytest.approx(background, rel=1e-12)
    z_per_bin = asimov_z0(signal, background, 0.1 * background)
    assert found.z_per_bin == pytest.approx(z_per_bin, rel=1e-9)


def test_a_score_on_an_edge_belongs_above_it() -> None:
    scores = np.repeat([0.2, 0.5, 0.7, 1.0], 100)
    is_signal = np.tile([True, False], 200)
    found = evaluate(scores, np.ones(400), is_signal, [0.2, 0.5, 1.0])
    assert found.signal.tolist() == [50, 150]


def _session_z0(spec: Any) -> float:
    """q0 of the Asimov data with pyhf alone."""
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        data = workspace.data(model)
        free = pyhf.infer.mle.fit(data, model, return_fitted_val=True)[1]
        fixed = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1]
    return float(np.sqrt(fixed - free))


def _without_jes() -> tuple[RegionTemplates, ...]:
    """Regions whose energy scale changes nothing, in either direction."""
    return tuple(
        replace(one, variations=one.variations | {"jes_up": one.nominal, "jes_down": one.nominal})
        for one in regions()
    )


def test_a_variation_that_changes_nothing_has_no_parameter() -> None:
    prepared = prepared_workspace(_without_jes(), config())
    result = fit_workspace(prepared.spec)
    assert not any("jes" in parameter.name for parameter in result.parameters)
    without = replace(config(), systematics={"shower": config().systematics["shower"]})
    alone = build_workspace(_without_jes(), without)
    assert result.z0 == pytest.approx(fit_workspace(alone).z0, rel=1e-9)
    assert result.z0 == pytest.approx(_session_z0(alone), rel=1e-4)


def test_up_and_down_of_one_sign_are_one_effect() -> None:
    """Both directions raise the yield by a tenth: neither is the mirror of the other."""
    raised = tuple(
        replace(
            one,
            variations=one.variations
            | dict.fromkeys(
                ("jes_up", "jes_down"),
                replace(one.nominal, sumw=1.1 * one.nominal.sumw),
            ),
        )
        for one in regions()
    )
    spec = build_workspace(raised, config())
    channels: Any = spec["channels"]
    modifiers = channels[0]["samples"][0]["modifiers"]
    (found,) = [one for one in modifiers if one["name"] == "jes"]
    assert found["data"] == {"lo": pytest.approx(1.1), "hi": pytest.approx(1.1)}


def test_a_bin_that_only_signal_fills_and_one_that_nothing_varies() -> None:
    """An empty process in a bin stays empty under variations, and the fit is pyhf's."""
    signal_region, control_region = regions()
    empty = yields([[4, 9, 14], [300, 0, 20], [200, 60, 0]])
    up = yields([[4.2, 9.3, 14.5], [318, 0, 22], [205, 62, 0]])
    down = yields([[3.8, 8.7, 13.4], [283, 0, 18], [196, 58, 0]])
    shower = yields([[4, 9, 14], [310, 0, 17], [200, 60, 0]])
    region = replace(
        signal_region, nominal=empty, variations={"jes_up": up, "jes_down": down, "shower": shower}
    )
    spec = build_workspace([region, control_region], config())
    assert fit_workspace(spec).z0 == pytest.approx(_session_z0(spec), rel=1e-3)


def test_a_negative_bin_keeps_the_yield_and_every_other_bins_share() -> None:
    """Σw = 314: [300, −6, 20] becomes [300, 0, 20] · 314/320, by hand [294.375, 0, 19.625]."""
    region, report = filled_up(RegionTemplates("SR", yields([[4, 9, 14], [300, -6, 20], [200, 60, 18]])))
    assert region.nominal.sumw[1] == pytest.approx([294.375, 0.0, 19.625])
    assert len(report) == 1
