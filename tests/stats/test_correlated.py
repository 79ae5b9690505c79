"""The correlated significance against closed forms and pyhf, and the search that raises it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stats.test_fit import two_processes
from tests.stats.toys import toy
from znought.errors import DataError
from znought.stats.binning import PLAIN, BinningConfig, greedy
from znought.stats.correlated import correlated_z0, greedy_correlated
from znought.stats.fit import z_profile
from znought.stats.significance import asimov_z0, quadrature_sum


@settings(max_examples=40, deadline=None)
@given(s=st.floats(0.01, 1e3), b=st.floats(0.5, 1e4), r=st.floats(0.0, 1.0))
def test_one_bin_is_the_gaussian_formula(s: float, b: float, r: float) -> None:
    z = correlated_z0([s], [b], [[r * b]])
    # The likelihood ratio itself cancels at s << b.
    assert z == pytest.approx(float(asimov_z0(s, b, r * b)), rel=1e-6, abs=1e-5)


def test_independent_shifts_are_the_quadrature_sum() -> None:
    s, b, sigma = np.array([3.0, 8.0, 5.0]), np.array([100.0, 60.0, 8.0]), np.array([10.0, 9.0, 2.0])
    assert correlated_z0(s, b, np.diag(sigma)) == pytest.approx(
        quadrature_sum(asimov_z0(s, b, sigma)), rel=1e-9
    )


def test_many_bins_agree_with_pyhf() -> None:
    s, b = np.array([2.0, 6.0, 9.0]), np.array([900.0, 120.0, 25.0])
    profile = z_profile(two_processes(s, b), {"VH"}, sigma_rel=0.2)
    assert correlated_z0(s, b, [0.2 * b]) == pytest.approx(profile.correlated, rel=1e-4)


def test_search_beats_the_quadrature_binning_in_its_own_measure() -> None:
    sample = toy(3000, 1)
    columns = (sample.scores, sample.weights, sample.is_signal)
    config = BinningConfig(lower=0.0, sigma_rel=0.3)
    mine = greedy_correlated(*columns, config=config)
    theirs = greedy(*columns, lower=0.0, sigma_rel=0.3, constraints=config.constraints)
    other = correlated_z0(theirs.signal, theirs.background, [0.3 * theirs.background])
    assert mine.z_correlated >= other * 0.99
    direct = correlated_z0(mine.binning.signal, mine.binning.background, [0.3 * mine.binning.background])
    assert mine.z_correlated == pytest.approx(direct, rel=1e-9)
    assert not mine.binning.weak.any()


def test_two_point_systematic_lowers_the_significance_and_changes_the_bins() -> None:
    sample = toy(3000, 2)
    columns = (sample.scores, sample.weights, sample.is_signal)
    config = BinningConfig(lower=0.0, constraints=PLAIN)
    background = ~sample.is_signal
    # Another shower moves the background towards the signal.
    shifted = {"shower": (np.sqrt(sample.scores[background]), sample.weights[background])}
    without = greedy_correlated(*columns, config=config)
    with_it = greedy_correlated(*columns, config=config, two_point=shifted)
    assert with_it.z_correlated < without.z_correlated
    assert with_it.systematics == ("normalisation", "shower")


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="background must be positive"):
        correlated_z0([1.0, 1.0], [1.0, 0.0], [[0.1, 0.1]])
