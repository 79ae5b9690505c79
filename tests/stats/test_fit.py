"""pyhf against the closed formulas, and what correlation does to many bins."""

import numpy as np
import pyhf
import pytest
from numpy.typing import ArrayLike

from znought.errors import DataError
from znought.stats.fit import expected_z0, pyhf_session, z_profile
from znought.stats.significance import asimov_z0
from znought.stats.yields import Yields


def two_processes(signal: ArrayLike, background: ArrayLike, relative_mc: float = 0.0) -> Yields:
    sumw = np.array([np.atleast_1d(signal), np.atleast_1d(background)], dtype=np.float64)
    edges = np.arange(sumw.shape[1] + 1.0)
    return Yields(("VH", "top"), edges, sumw, (relative_mc * sumw) ** 2, np.full(sumw.shape, 1000))


@pytest.mark.parametrize(
    ("s", "b", "r"), [(10, 100, 0.1), (20, 1000, 0.1), (175.84, 162.4, 0.5), (1120, 162.4, 0.5)]
)
def test_single_bin_is_the_gaussian_formula(s: float, b: float, r: float) -> None:
    result = z_profile(two_processes(s, b), {"VH"}, sigma_rel=r)
    assert result.correlated == pytest.approx(float(asimov_z0(s, b, r * b)), rel=1e-3)
    assert result.quadrature == pytest.approx(float(asimov_z0(s, b, r * b)), rel=1e-12)


@pytest.mark.parametrize(("s", "b", "r"), [(10, 100, 0.1), (20, 1000, 0.1), (175.84, 162.4, 0.5)])
def test_on_off_problem_is_the_poisson_formula(s: float, b: float, r: float) -> None:
    with pyhf_session():
        model = pyhf.simplemodels.uncorrelated_background([s], [b], [r * b])
    expected = float(asimov_z0(s, b, r * b, auxiliary="poisson"))
    assert expected_z0(model) == pytest.approx(expected, rel=1e-3)


def test_identical_bins_gain_nothing_once_correlated() -> None:
    one = z_profile(two_processes(20, 1000), {"VH"})
    ten = z_profile(two_processes(np.full(10, 2.0), np.full(10, 100.0)), {"VH"})
    assert ten.correlated == pytest.approx(one.correlated, rel=1e-4)
    assert ten.quadrature == pytest.approx(0.446, abs=1e-3)


def test_mc_error_lowers_both() -> None:
    shapes = two_processes([10.0, 10.0], [1000.0, 50.0], relative_mc=0.2)
    without, with_mc = z_profile(shapes, {"VH"}), z_profile(shapes, {"VH"}, mc_stat=True)
    assert with_mc.correlated < without.correlated
    assert with_mc.quadrature < without.quadrature


def test_no_uncertainty_at_all_is_the_plain_formula() -> None:
    result = z_profile(two_processes([10, 5], [100, 20]), {"VH"}, sigma_rel=0.0)
    assert result.correlated == pytest.approx(result.quadrature, rel=1e-4)


def test_backend_is_given_back() -> None:
    before = pyhf.get_backend()
    z_profile(two_processes(10, 100), {"VH"})
    assert pyhf.get_backend() == before


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="background must be positive"):
        z_profile(two_processes([10, 10], [100, 0]), {"VH"})
    with pytest.raises(DataError, match="Unknown process"):
        z_profile(two_processes(10, 100), {"ggF"})
    with pytest.raises(DataError, match="signal and background are needed"):
        z_profile(two_processes(10, 100), {"VH", "top"})
