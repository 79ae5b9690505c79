"""Templates as polynomials of the coefficients: exact against direct reweighting."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.errors import CardError, DataError
from znought.stats.eft.morphing import Morphing, event_polynomials, monomials, morph, n_monomials

Floats = npt.NDArray[np.float64]
POINTS_2D = np.array([[0.0, 0.0], [0.01, 0.0], [-0.01, 0.0], [0.0, 0.01], [0.0, -0.01], [0.01, 0.01]])
RANGE = ((-0.1, 0.1), (-0.1, 0.1))
coefficient = st.floats(-0.1, 0.1)


def forms(n: int, seed: int = 0) -> Floats:
    """Random positive quadratic forms of (1, c₁, c₂), shape (n, 3, 3), normalised to 1 at c = 0."""
    factors = np.random.default_rng(seed).normal(size=(n, 3, 3)) * np.array([1.0, 30.0, 20.0])[:, None]
    form = np.einsum("nik,njk->nij", factors, factors)
    return np.asarray(form / form[:, :1, :1])


def direct(form: Floats, c: tuple[float, float]) -> Floats:
    v = np.array([1.0, *c])
    return np.asarray(np.einsum("i,nij,j->n", v, form, v))


def template(n: int = 200, n_bins: int = 4) -> tuple[Floats, Floats, npt.NDArray[np.int64], Morphing]:
    form = forms(n)
    rng = np.random.default_rng(1)
    weights, bins = rng.uniform(0.5, 1.5, n), rng.integers(0, n_bins, n)
    stored = np.stack([direct(form, (x, y)) for x, y in POINTS_2D], axis=1)
    polynomials = event_polynomials(stored, POINTS_2D)
    made = morph(polynomials, weights, bins, n_bins, names=("c_hw", "c_hb"), validity=RANGE)
    return form, weights, bins, made


FORM, WEIGHTS, BINS, TEMPLATE = template()


@settings(max_examples=25, deadline=None)
@given(coefficient, coefficient)
def test_yields_and_variances_equal_direct_reweighting(x: float, y: float) -> None:
    w = WEIGHTS * direct(FORM, (x, y))
    np.testing.assert_allclose(TEMPLATE.yields((x, y)), np.bincount(BINS, w), rtol=1e-6)
    np.testing.assert_allclose(TEMPLATE.variance((x, y)), np.bincount(BINS, w**2), rtol=1e-6)


def test_responses_of_one_event_add_before_they_are_squared() -> None:
    stored = np.stack([direct(FORM, (x, y)) for x, y in POINTS_2D], axis=1)
    polynomials = event_polynomials(np.repeat(stored, 2, axis=0), POINTS_2D)
    arguments = (polynomials, np.repeat(WEIGHTS / 2, 2), np.repeat(BINS, 2), 4)
    options: dict[str, Any] = {"names": ("c_hw", "c_hb"), "validity": RANGE}
    shuffled = np.random.default_rng(5).permutation(2 * len(WEIGHTS))
    arguments = (arguments[0][shuffled], arguments[1][shuffled], arguments[2][shuffled], 4)
    together = morph(*arguments, **options, identity=np.repeat(np.arange(len(WEIGHTS)), 2)[shuffled])
    np.testing.assert_allclose(together.sumw, TEMPLATE.sumw, rtol=1e-9)
    np.testing.assert_allclose(together.variance((0.03, 0.01)), TEMPLATE.variance((0.03, 0.01)), rtol=1e-9)
    apart = morph(*arguments, **options)
    np.testing.assert_allclose(apart.variance((0.0, 0.0)), 0.5 * TEMPLATE.variance((0.0, 0.0)), rtol=1e-9)


def test_linear_order_is_the_tangent_at_the_standard_model() -> None:
    step = 1e-6
    slope = (TEMPLATE.yields((step, 0.0)) - TEMPLATE.yields((-step, 0.0))) / (2 * step)
    linear = TEMPLATE.yields((0.02, 0.0), order="linear")
    np.testing.assert_allclose(linear, TEMPLATE.yields((0.0, 0.0)) + 0.02 * slope, rtol=1e-6)
    assert (TEMPLATE.yields((0.02, 0.0)) > linear).all()


def test_many_points_at_once_and_scaling() -> None:
    grid = np.array([[[0.0, 0.0], [0.01, 0.02]], [[0.05, 0.0], [0.0, -0.03]]])
    assert TEMPLATE.yields(grid).shape == (2, 2, 4)
    np.testing.assert_allclose(TEMPLATE.yields(grid)[1, 0], TEMPLATE.yields((0.05, 0.0)))
    doubled = TEMPLATE.scaled(2.0)
    np.testing.assert_allclose(doubled.yields((0.05, 0.0)), 2 * TEMPLATE.yields((0.05, 0.0)))
    np.testing.assert_allclose(doubled.variance((0.05, 0.0)), 4 * TEMPLATE.variance((0.05, 0.0)))


def test_effective_entries_fall_away_from_the_generated_point() -> None:
    at_zero, far = TEMPLATE.effective_entries((0.0, 0.0)), TEMPLATE.effective_entries((0.1, 0.0))
    assert (far < at_zero).all()
    assert (at_zero <= np.bincount(BINS)).all()
    one_bin_empty = morph(np.ones((2, 3)), [1.0, 1.0], [0, 0], 2, names=("c",), validity=((-1.0, 1.0),))
    assert one_bin_empty.effective_entries([0.0]).tolist() == [2.0, 0.0]


def test_monomials_of_one_coefficient_from_three_weights() -> None:
    form = forms(20)[:, :2, :2]
    stored = np.stack(
        [form[:, 0, 0] + 2 * c * form[:, 0, 1] + c * c * form[:, 1, 1] for c in (0.0, 0.01, -0.01)], 1
    )
    polynomials = event_polynomials(stored, [0.0, 0.01, -0.01])
    np.testing.assert_allclose(polynomials[:, 1], 2 * form[:, 0, 1], rtol=1e-8)
    np.testing.assert_allclose(polynomials[:, 2], form[:, 1, 1], rtol=1e-8)
    assert monomials([[0.5]]).tolist() == [[1.0, 0.5, 0.25]]
    assert n_monomials(3) == 10


@pytest.mark.parametrize(
    ("weights", "points", "message"),
    [
        (np.ones((4, 2)), [0.0, 0.01], "at least 3 weights"),
        (np.ones((4, 3)), POINTS_2D, "at least 6 weights"),
        (np.full((4, 3), np.nan), [0.0, 0.01, -0.01], "4 events"),
        (np.ones((4, 3)), [0.0, 0.01, 0.01], "degenerate"),
    ],
)
def test_weights_that_cannot_fix_the_form(weights: Floats, points: Floats, message: str) -> None:
    with pytest.raises(DataError, match=message):
        event_polynomials(weights, points)


def test_points_outside_the_validity_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"c_hb = 0\.2 is outside .* \[-0\.1, 0\.1\]"):
        TEMPLATE.yields((0.0, 0.2))
    with pytest.raises(DataError, match="nan"):
        TEMPLATE.yields((np.nan, 0.0))
    with pytest.raises(DataError, match="each of"):
        TEMPLATE.yields([0.0])


def test_empty_channels_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="Empty channel"):
        morph(np.ones((2, 3)), [1.0, 1.0], [5, -1], 2, names=("c",), validity=((-1.0, 1.0),))
    with pytest.raises(DataError, match="do not match"):
        morph(np.ones((2, 6)), [1.0, 1.0], [0, 1], 2, names=("c",), validity=((-1.0, 1.0),))
    with pytest.raises(CardError, match="around zero"):
        Morphing(("c",), np.ones((1, 3)), np.ones((1, 3, 3)), ((0.1, 0.2),))
    with pytest.raises(DataError, match="finite templates"):
        Morphing(("c",), np.full((1, 3), np.inf), np.ones((1, 3, 3)), ((-0.1, 0.2),))
    with pytest.raises(DataError, match="sumw2"):
        Morphing(("c",), np.ones((1, 3)), np.ones((1, 3)), ((-0.1, 0.2),))
    with pytest.raises(DataError, match="of shape"):
        Morphing(("c",), np.ones((1, 2)), np.ones((1, 3, 3)), ((-0.1, 0.2),))
    with pytest.raises(CardError, match="Unknown order"):
        monomials([0.1], order="cubic")  # type: ignore[arg-type]  # the error is what is tested
