"""Significances: the reference table, limits, and what must hold for any yields."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from znought.errors import CardError, DataError
from znought.stats.significance import (
    Auxiliary,
    asimov_exclusion_z,
    asimov_z0,
    background_error,
    luminosity_scan,
    p_value,
    quadrature_sum,
    z_value,
)

REFERENCE = [
    (10, 100, 0, 0.983992, 0.983992),
    (10, 100, 10, 0.695787, 0.690196),
    (20, 1000, 100, 0.190530, 0.189492),
    (175.84, 162.4, 81.2, 2.112878, 1.654742),
    (364.24, 162.4, 81.2, 4.321902, 2.895035),
    (1120, 162.4, 81.2, 12.710746, 6.169097),
    (949.36, 71.2, 35.6, 20.974064, 9.093134),
]
BOTH: tuple[Auxiliary, Auxiliary] = ("gaussian", "poisson")

signals = st.floats(1e-3, 1e3)
backgrounds = st.floats(1e-1, 1e5)
relative_errors = st.floats(0.0, 1.0)


def textbook(s: float, b: float, sigma: float, auxiliary: Auxiliary) -> float:
    """The formulas as printed, in extended precision."""
    S, B, V = np.longdouble(s), np.longdouble(b), np.longdouble(sigma) ** 2
    n = S + B
    if auxiliary == "gaussian":
        fitted = (B - V + np.sqrt((B - V) ** 2 + 4 * n * V)) / 2
        q0 = 2 * (n * np.log(n / fitted) + fitted - n + (B - fitted) ** 2 / (2 * V))
    else:
        q0 = 2 * (n * np.log(n * (B + V) / (B**2 + n * V)) - B**2 / V * np.log1p(V * S / (B * (B + V))))
    return float(np.sqrt(q0))


@pytest.mark.parametrize(("s", "b", "sigma", "gaussian", "poisson"), REFERENCE)
def test_reference_table(s: float, b: float, sigma: float, gaussian: float, poisson: float) -> None:
    assert float(asimov_z0(s, b, sigma)) == pytest.approx(gaussian, abs=1e-6)
    assert float(asimov_z0(s, b, sigma, auxiliary="poisson")) == pytest.approx(poisson, abs=1e-6)


@pytest.mark.parametrize("auxiliary", BOTH)
@settings(max_examples=50, deadline=None)
@given(s=signals, b=backgrounds, r=st.floats(0.01, 1.0))
def test_agrees_with_the_textbook_form(auxiliary: Auxiliary, s: float, b: float, r: float) -> None:
    # The textbook form cancels at s << b, even in extended precision, until nothing of it is left.
    tolerance = 1e-7 + 3e-18 * b * (b + (r * b) ** 2) / s**2
    assume(tolerance < 0.01)
    expected = textbook(s, b, r * b, auxiliary)
    assert float(asimov_z0(s, b, r * b, auxiliary=auxiliary)) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("auxiliary", BOTH)
def test_keeps_precision_at_tiny_signal(auxiliary: Auxiliary) -> None:
    for sigma in (0.0, 1.0, 1e5):
        z = float(asimov_z0(1e-9, 1e6, sigma, auxiliary=auxiliary))
        assert z == pytest.approx(1e-9 / math.sqrt(1e6 + sigma**2), rel=1e-12)


@pytest.mark.parametrize("auxiliary", BOTH)
def test_goes_smoothly_to_no_uncertainty(auxiliary: Auxiliary) -> None:
    exact = math.sqrt(2 * (110 * math.log(1.1) - 10))
    assert float(asimov_z0(10, 100, 0, auxiliary=auxiliary)) == pytest.approx(exact, rel=1e-13)
    assert float(asimov_z0(10, 100, 1e-8, auxiliary=auxiliary)) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("auxiliary", BOTH)
def test_no_signal_is_exactly_zero(auxiliary: Auxiliary) -> None:
    assert asimov_z0([0.0, -2.0], [5.0, 5.0], [1.0, 1.0], auxiliary=auxiliary).tolist() == [0.0, 0.0]
    assert asimov_exclusion_z([0.0], [5.0], [1.0], auxiliary=auxiliary).tolist() == [0.0]


@pytest.mark.parametrize("auxiliary", BOTH)
@settings(max_examples=50, deadline=None)
@given(s=signals, b=backgrounds, r=relative_errors, more=st.floats(1.01, 3.0))
def test_rises_with_signal_and_falls_with_uncertainty(
    auxiliary: Auxiliary, s: float, b: float, r: float, more: float
) -> None:
    z = float(asimov_z0(s, b, r * b, auxiliary=auxiliary))
    assert float(asimov_z0(more * s, b, r * b, auxiliary=auxiliary)) > z
    assert float(asimov_z0(s, b, (r + 0.05) * more * b, auxiliary=auxiliary)) < z
    assert float(asimov_z0(s, more * b, r * more * b, auxiliary=auxiliary)) < z


@settings(max_examples=50, deadline=None)
@given(s=signals, b=backgrounds, r=relative_errors, n=st.integers(2, 20))
def test_merging_proportional_bins_never_raises_the_quadrature_sum(
    s: float, b: float, r: float, n: int
) -> None:
    split = quadrature_sum(asimov_z0(np.full(n, s / n), np.full(n, b / n), np.full(n, r * b / n)))
    assert float(asimov_z0(s, b, r * b)) <= split * (1 + 1e-12)


def test_splitting_identical_bins_gains_as_documented() -> None:
    gains = [
        quadrature_sum(asimov_z0(np.full(n, 20 / n), np.full(n, 1000 / n), np.full(n, 100 / n)))
        for n in (1, 2, 5, 10, 20)
    ]
    assert gains == pytest.approx([0.191, 0.258, 0.364, 0.446, 0.515], abs=6e-4)


@settings(max_examples=30, deadline=None)
@given(s=st.floats(0.1, 500), b=st.floats(1, 1e4), r=st.floats(0.02, 0.5))
def test_exclusion_is_the_profiled_likelihood_ratio(s: float, b: float, r: float) -> None:
    def gaussian(x: float) -> float:
        return float(2 * (s + x - b + b * np.log(b / (s + x))) + ((x - b) / (r * b)) ** 2)

    tau = 1 / (r**2 * b)

    def poisson(x: float) -> float:
        return float(2 * (s + x - b + b * np.log(b / (s + x)) + tau * (x - b + b * np.log(b / x))))

    for auxiliary, minus_two_log in zip(BOTH, (gaussian, poisson), strict=True):
        low = 1e-9 if auxiliary == "poisson" else -s + 1e-9
        best = minimize_scalar(minus_two_log, bounds=(low, b), method="bounded", options={"xatol": 1e-11 * b})
        z = float(asimov_exclusion_z(s, b, r * b, auxiliary=auxiliary))
        assert z == pytest.approx(math.sqrt(best.fun), rel=1e-4, abs=1e-5)


def test_mc_error_is_folded_in_on_request() -> None:
    assert background_error([100.0], sigma_rel=0.1).tolist() == [10.0]
    assert background_error([100.0], sigma_rel=0.1, sumw2=[44.0]).tolist() == [12.0]


def test_luminosity_scan_scales_yields_and_uncertainty() -> None:
    fixed = luminosity_scan([10.0, 5.0], [100.0, 20.0], [1.0, 2.0], sigma_rel=0.1)
    falling = luminosity_scan([10.0, 5.0], [100.0, 20.0], [1.0, 2.0], sigma_rel=0.1, scaling="inverse_sqrt")
    assert fixed[0] == falling[0] == quadrature_sum(asimov_z0([10, 5], [100, 20], [10, 2]))
    assert fixed[1] == quadrature_sum(asimov_z0([20, 10], [200, 40], [20, 4]))
    assert falling[1] == pytest.approx(math.sqrt(2) * falling[0], rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(z=st.floats(-3, 30))
def test_p_value_and_z_value_are_inverse(z: float) -> None:
    assert float(z_value(p_value(z))) == pytest.approx(z, abs=1e-9)


@pytest.mark.parametrize("b", [0.0, -1.0, math.nan, math.inf])
def test_background_must_be_positive(b: float) -> None:
    with pytest.raises(DataError, match="background must be positive in every bin"):
        asimov_z0([1.0, 1.0], [1.0, b], [0.1, 0.1])


def test_other_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="sigma_b"):
        asimov_z0(1.0, 1.0, -0.1)
    with pytest.raises(DataError, match="signal"):
        asimov_z0(math.nan, 1.0, 0.1)
    with pytest.raises(CardError, match="did you mean 'poisson'"):
        asimov_z0(1.0, 1.0, 0.1, auxiliary="poison")  # type: ignore[arg-type]  # the misspelling is the test
    with pytest.raises(CardError, match="sigma_rel"):
        background_error([1.0], sigma_rel=-0.1)
    with pytest.raises(DataError, match="luminosity factors"):
        luminosity_scan([1.0], [1.0], [0.0], sigma_rel=0.1)
    with pytest.raises(DataError, match="p-values"):
        z_value(1.5)
