"""The fit against a likelihood that was written by hand and pyhf's own inference, to four digits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyhf
import pytest

from tests.stats.regions import config, regions
from znought.stats.fit import pyhf_session
from znought.stats.inference import fit_workspace
from znought.stats.limits import cls_limit
from znought.stats.workspace import Spec, build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)

Json = dict[str, Any]


def varied(name: str, nominal: list[float], down: list[float], up: list[float]) -> list[Json]:
    """A norm and a shape from templates, each left out where it is below 0.5 % and 1 %."""
    total, low, high = sum(nominal), sum(down), sum(up)
    modifiers: list[Json] = []
    if max(abs(low / total - 1), abs(high / total - 1)) >= 0.005:
        modifiers.append({"name": name, "type": "normsys", "data": {"lo": low / total, "hi": high / total}})
    shapes = [[x * total / low for x in down], [x * total / high for x in up]]
    if max(abs(x / n - 1) for shape in shapes for x, n in zip(shape, nominal, strict=True)) >= 0.01:
        data = {"lo_data": shapes[0], "hi_data": shapes[1]}
        modifiers.append({"name": name, "type": "histosys", "data": data})
    return modifiers


def sample(
    region: str, process: str, nominal: list[float], jes: tuple[list[float], list[float]], shower: list[float]
) -> Json:
    mirrored = [2 * n - x for n, x in zip(nominal, shower, strict=True)]
    modifiers = [*varied("jes", nominal, *jes), *varied("shower", nominal, mirrored, shower)]
    errors = [0.03 * n for n in nominal]
    modifiers.append({"name": f"stat_{region}", "type": "staterror", "data": errors})
    luminosity = {"name": "lumi", "type": "normsys", "data": {"lo": 0.98, "hi": 1.02}}
    theory = {"name": "ww", "type": "normsys", "data": {"lo": 1 / 1.1, "hi": 1.1}}
    own: dict[str, list[Json]] = {
        "VH": [{"name": "mu", "type": "normfactor", "data": None}, luminosity],
        "top": [{"name": "k_top", "type": "normfactor", "data": None}],
        "WW": [luminosity, theory],
    }
    return {"name": process, "data": nominal, "modifiers": own[process] + modifiers}


def by_hand(observed: dict[str, list[float]]) -> Spec:
    signal = [
        sample("SR", "VH", [4.0, 9, 14], ([3.8, 8.7, 13.4], [4.2, 9.3, 14.5]), [4.0, 9, 14]),
        sample("SR", "top", [300.0, 90, 20], ([283.0, 84, 18], [318.0, 97, 22]), [310.0, 88, 17]),
        sample("SR", "WW", [200.0, 60, 18], ([196.0, 58, 17], [205.0, 62, 19]), [200.0, 60, 18]),
    ]
    control = [
        sample("CR", "VH", [1.0], ([1.0], [1.0]), [1.0]),
        sample("CR", "top", [2000.0], ([1950.0], [2050.0]), [2060.0]),
        sample("CR", "WW", [100.0], ([97.0], [103.0]), [100.0]),
    ]
    parameters = [{"name": "mu", "bounds": [[-5.0, 10.0]]}, {"name": "k_top", "bounds": [[0.0, 5.0]]}]
    return {
        "channels": [{"name": "SR", "samples": signal}, {"name": "CR", "samples": control}],
        "observations": [{"name": name, "data": counts} for name, counts in observed.items()],
        "measurements": [{"name": "hand", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


OBSERVED = {"SR": [521.0, 170.0, 60.0], "CR": [2230.0]}


def settings(model: pyhf.Model) -> tuple[list[float], list[tuple[float, float]], list[bool]]:
    """Start, bounds and what is held, as pyhf suggests them."""
    found = model.config
    return found.suggested_init(), found.suggested_bounds(), found.suggested_fixed()


def test_observed_fit_agrees_with_pyhf_to_four_digits() -> None:
    ours = [
        replace(region, observed=np.array(counts))
        for region, counts in zip(regions(), OBSERVED.values(), strict=True)
    ]
    spec = build_workspace(ours, config())
    result, limit = fit_workspace(spec, data="observed"), cls_limit(spec, data="observed")
    with pyhf_session():
        workspace = pyhf.Workspace(by_hand(OBSERVED))
        model = workspace.model()
        data = workspace.data(model)
        pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-5, strategy=2))
        table, value = pyhf.infer.mle.fit(data, model, return_uncertainties=True, return_fitted_val=True)
        (mu, error), k_top = table[model.config.poi_index], table[model.config.par_names.index("k_top")]
        q0 = pyhf.infer.test_statistics.q0(0.0, data, model, *settings(model))
        at_observed = pyhf.infer.hypotest(limit.observed, data, model)
        at_median = pyhf.infer.hypotest(limit.expected[2], data, model, return_expected=True)[1]
        low, high = (
            pyhf.infer.mle.fixed_poi_fit(end, data, model, return_fitted_val=True)[1]
            for end in (result.mu_low, result.mu_high)
        )
    assert result.mu == pytest.approx(float(mu), abs=1e-4 * float(error) + 1e-4)
    assert result.parameter("mu").error == pytest.approx(float(error), rel=2e-3)
    assert result.parameter("norm_top").value == pytest.approx(float(k_top[0]), rel=1e-4)
    assert result.z0 == pytest.approx(float(np.sqrt(q0)), rel=1e-4)
    assert [float(low) - float(value), float(high) - float(value)] == pytest.approx([1.0, 1.0], abs=3e-3)
    # CLs falls by about 5 % of itself for 1 % of the limit.
    assert [float(at_observed), float(at_median)] == pytest.approx([0.05, 0.05], rel=5e-3)
