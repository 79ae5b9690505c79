"""Scoring steps reach the minimum that Minuit finds, and stay at bounds."""

import numpy as np
import pytest

from tests.stats.regions import config, regions
from tests.stats.test_mcstat import spec as with_poisson_factors
from tests.stats.test_minimum import counting
from znought.stats.descent import descend, measurements
from znought.stats.inference import loaded_model
from znought.stats.minimum import fit_at, lower_bounds, sensitivity, twice_nll
from znought.stats.workspace import Spec, build_workspace


def reached(spec: Spec, start_shift: float) -> tuple[float, float]:
    """−2 ln L after the descent, and at the minimum of the fit."""
    with loaded_model(spec, "observed", 1.0) as (model, counts):
        moved = list(counts)
        moved[0] *= 1.3
        start = np.array(model.config.suggested_init())
        free = ~np.array(model.config.suggested_fixed(), dtype=bool)
        nll = twice_nll(model, moved)
        point = descend(
            np.where(free, start + start_shift, start),
            free,
            np.where(free, lower_bounds(model), -np.inf),
            sensitivity(model, start),
            data=measurements(model, moved),
            expected=lambda points: np.array([model.expected_data(p.tolist()) for p in points]),
            nll=nll,
        )
        return float(nll(point[None])[0]), fit_at(model, moved).nll


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_ends_where_minuit_ends(shift: float) -> None:
    for spec in (build_workspace(regions(), config()), with_poisson_factors()):
        found, minimum = reached(spec, shift)
        assert found == pytest.approx(minimum, abs=1e-5)


def test_stops_at_a_bound() -> None:
    found, minimum = reached(counting([3.0, 1.0], [6.0, 90.0], [0.0, 90.0]), 0.0)
    assert found == pytest.approx(minimum, abs=1e-3)


def test_measurements_know_their_densities() -> None:
    with loaded_model(with_poisson_factors(), "expected", 1.0) as (model, counts):
        data = measurements(model, counts)
        density = {name: model.config.param_set(name).pdf_type for name in model.config.auxdata_order}
    assert not data.gaussian[:4].any()
    assert data.gaussian.sum() == sum(
        model.config.param_set(name).n_parameters for name, kind in density.items() if kind == "normal"
    )
