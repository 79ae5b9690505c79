"""A slope of one background in the discriminant: found in binned control regions, and by no χ²."""

import numpy as np
import pytest

from tests.stats.regions import PROCESSES
from znought.stats.goodness import goodness_of_fit
from znought.stats.referee.slopes import ControlBins, Slope, measured_slope, shift_of_mu, slopes_check
from znought.stats.spec import Spec
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import WorkspaceConfig, build_workspace
from znought.stats.yields import Yields

N_BINS = 17
TILT = np.linspace(-0.9, 0.9, N_BINS)
WW = 120 * np.exp(-1.2 * TILT)


def _spec() -> Spec:
    """A signal at the upper end over two backgrounds, one of which has a control region of one bin."""
    sumw = np.stack([6 * np.exp(2 * TILT), 150 * np.exp(-3 * TILT), WW])
    nominal = Yields(
        PROCESSES,
        np.linspace(0, 1, N_BINS + 1),
        sumw,
        (0.03 * sumw) ** 2,
        np.full(sumw.shape, 1000),
    )
    table = np.array([[1.0], [2000.0], [3000.0]])
    control = Yields(PROCESSES, np.array([0.0, 1.0]), table, (0.01 * table) ** 2, np.full((3, 1), 10000))
    settings = WorkspaceConfig(signal=("VH",), floating=("WW",), luminosity_rel=0.01)
    regions = [RegionTemplates("SR", nominal), RegionTemplates("CR", control)]
    return build_workspace(regions, settings)


def _control(slope: float, n_events: float, seed: int = 1) -> ControlBins:
    """A control region in bins of the discriminant, with data of a given slope."""
    process, other = np.full(N_BINS, n_events / N_BINS), np.full(N_BINS, 0.2 * n_events / N_BINS)
    other = other * (1 + TILT**2)
    mean = process * (1 + slope * TILT) + other
    data = np.random.default_rng(seed).poisson(mean).astype(float)
    return ControlBins(data, process, process * TILT, {"rest": other}, 0.0004 * mean**2)


def test_a_slope_moves_mu_and_chi_square_does_not_tell() -> None:
    spec = _spec()
    shift = shift_of_mu(spec, {"SR": WW * TILT})
    assert abs(shift) > 0.6
    assert shift_of_mu(spec, {"SR": WW * TILT}, slope=0.0) == pytest.approx(0.0, abs=1e-3)
    expected = np.sum([s["data"] for s in spec["channels"][0]["samples"]], axis=0)  # type: ignore[index]  # plain JSON
    observations = [
        {"name": "SR", "data": (expected + 0.5 * WW * TILT).tolist()},
        {"name": "CR", "data": [5001.0]},
    ]
    planted: Spec = {**spec, "observations": observations}
    assert goodness_of_fit(planted).p_value > 0.05


def test_control_regions_measure_the_slope() -> None:
    pulls = []
    for seed in range(30):
        found = measured_slope(_control(0.5, 3000, seed))
        assert found is not None
        pulls.append((found.value - 0.5) / found.error)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.5 < np.std(pulls) < 1.4


@pytest.mark.parametrize(
    ("slope", "n_events", "verdict"), [(0.5, 3000, "fail"), (0.0, 20000, "pass"), (0.5, 60, "warn")]
)
def test_a_slope_of_a_half_fails_where_there_are_data(slope: float, n_events: float, verdict: str) -> None:
    shift = shift_of_mu(_spec(), {"SR": WW * TILT})
    found = slopes_check([Slope("WW", shift, measured_slope(_control(slope, n_events)))])
    assert found.verdict == verdict


def test_without_data_a_slope_that_matters_is_a_warning() -> None:
    assert slopes_check([Slope("WW", 0.2)]).verdict == "pass"
    found = slopes_check([Slope("WW", -0.8), Slope("top", 0.1)])
    assert (found.verdict, found.value) == ("warn", 0.8)
    assert "no data" in found.measured


def test_nothing_is_measured_without_events() -> None:
    bins = _control(0.0, 3000)
    empty = ControlBins(0 * bins.data, bins.process, bins.tilted, bins.others, bins.sumw2)
    assert measured_slope(empty) is None
