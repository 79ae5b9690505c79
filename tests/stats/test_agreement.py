"""χ², Kolmogorov–Smirnov and correlations: their probabilities are probabilities, their errors errors."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from znought.errors import CardError, DataError
from znought.stats.agreement import Chi2, chi2, correlations, kolmogorov_smirnov, spectrum
from znought.stats.validation import ValidationConfig, judged, largest_difference

EDGES = np.linspace(0.0, 1.0, 9)


def _toy(rng: np.random.Generator, n_events: int = 400, n_responses: int = 5) -> tuple[np.ndarray, ...]:
    """Repeated responses of each event, with weights of both signs: (values, weights, units)."""
    centre = rng.uniform(0, 1, n_events)
    values = np.clip(np.repeat(centre, n_responses) + rng.normal(0, 0.05, n_events * n_responses), 0, 1)
    weights = np.repeat(np.where(rng.uniform(size=n_events) < 0.1, -1.0, 1.0), n_responses) / n_responses
    return values, weights, np.repeat(np.arange(n_events), n_responses)


def test_the_covariance_of_a_spectrum_is_that_of_its_replicates() -> None:
    rng = np.random.default_rng(1)
    values, weights, units = _toy(rng)
    found = spectrum(values, weights, EDGES, units=units)
    replicates = []
    for _ in range(4000):
        times = rng.poisson(1.0, 400)[units]
        replicates.append(np.histogram(values, EDGES, weights=weights * times)[0])
    empirical = np.cov(np.array(replicates).T)
    np.testing.assert_allclose(found.covariance, empirical, atol=0.07 * empirical.max())
    assert found.sumw == pytest.approx(np.histogram(values, EDGES, weights=weights)[0])
    # Taken as independent, the rows would claim a fifth of the variance.
    naive = spectrum(values, weights, EDGES).covariance
    assert np.trace(naive) < 0.5 * np.trace(found.covariance)


def test_values_outside_count_in_the_outer_bins() -> None:
    found = spectrum([-5.0, 0.5, 7.0, 7.0], np.ones(4), [0.0, 0.4, 0.6, 1.0])
    assert found.sumw.tolist() == [1.0, 1.0, 2.0]
    with pytest.raises(DataError, match="finite"):
        spectrum([np.nan], [1.0], EDGES)


@pytest.mark.parametrize("free", [False, True])
def test_the_probability_of_the_chi2_is_one(free: bool) -> None:
    """Data of the model, with statistical and systematic errors of the model: p is uniform."""
    rng = np.random.default_rng(2)
    truth = 2000.0 * np.exp(-EDGES[:-1] * 2)
    shift = 0.03 * truth * np.linspace(-1, 1, 8)
    found = []
    for _ in range(600):
        scale = 1.3 if free else 1.0
        data = rng.poisson(scale * (truth + rng.normal() * shift))
        simulated = rng.poisson(truth * 4) / 4
        covariance = np.diag(truth / 4) + np.outer(shift, shift)
        found.append(chi2(data, simulated, covariance, free_normalisation=free))
    assert {result.n_dof for result in found} == {7 if free else 8}
    assert scipy_stats.kstest([result.p_value for result in found], "uniform").pvalue > 0.01
    preferred = np.mean([result.normalisation for result in found])
    assert preferred == pytest.approx(1.3 if free else 1.0, rel=0.02)
    # Without the systematic part the same data would look wrong far too often.
    blind = chi2(truth + 2 * shift, truth, np.zeros((8, 8)), free_normalisation=free)
    aware = chi2(truth + 2 * shift, truth, np.outer(shift, shift), free_normalisation=free)
    assert blind.value > 2 * aware.value


def test_thin_bins_are_merged_until_they_expect_enough() -> None:
    expected = np.array([1.0, 2.0, 8.0, 20.0, 3.0, 0.0])
    found = chi2(expected, expected, np.zeros((6, 6)), min_expected=10.0)
    assert (found.n_dof, found.value) == (2, 0.0)
    assert chi2([5.0], [5.0], [[0.0]], free_normalisation=True).p_value == 1.0
    with pytest.raises(DataError, match="square covariance"):
        chi2([1.0, 2.0], [1.0, 2.0], [[1.0]])


def test_the_kolmogorov_test_agrees_with_scipy_and_knows_repeated_events() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=300), rng.normal(0.2, 1.0, 500)
    reference = scipy_stats.ks_2samp(x, y, method="asymp")
    distance, p_value = kolmogorov_smirnov(x, y, np.ones(500))
    assert distance == pytest.approx(reference.statistic)
    assert p_value == pytest.approx(reference.pvalue, abs=0.02)
    thrice = np.repeat(y, 3), np.full(1500, 1 / 3), np.repeat(np.arange(500), 3)
    assert kolmogorov_smirnov(x, *thrice[:2], units=thrice[2]) == pytest.approx((distance, p_value))
    assert kolmogorov_smirnov(x, *thrice[:2])[1] < p_value
    with pytest.raises(DataError, match="needs data"):
        kolmogorov_smirnov([], y, np.ones(500))


def test_correlations_equal_numpy_and_their_errors_are_the_spread_of_replicates() -> None:
    rng = np.random.default_rng(4)
    base = rng.standard_t(6, size=(400, 3)) @ np.array([[1, 0.6, 0], [0, 1, 0.3], [0, 0, 1]])
    values, units = np.repeat(base, 4, axis=0) + rng.normal(0, 0.2, (1600, 3)), np.repeat(np.arange(400), 4)
    weights = np.ones(1600)
    found = correlations(values, weights, units=units)
    np.testing.assert_allclose(found.matrix, np.corrcoef(values.T), atol=1e-12)
    replicas = np.array(
        [
            correlations(values, np.bincount(rng.integers(0, 400, 400), minlength=400)[units]).matrix
            for _ in range(300)
        ]
    )
    rows = np.tril_indices(3, -1)
    np.testing.assert_allclose(found.error[rows], replicas.std(axis=0)[rows], rtol=0.2)
    naive = correlations(values, weights)
    assert (naive.error[rows] < 0.7 * found.error[rows]).all()


def test_a_pair_is_compared_where_both_are_defined() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=500)
    y = np.where(x > 0, x + rng.normal(0, 0.1, 500), -1.0)
    table, defined = np.column_stack([x, y]), np.column_stack([np.full(500, True), x > 0])
    found = correlations(table, np.ones(500), defined=defined).matrix[0, 1]
    assert found == pytest.approx(np.corrcoef(x[x > 0], y[x > 0])[0, 1])
    unknown = correlations(np.ones((5, 2)), np.ones(5))
    assert (unknown.matrix[0, 1], unknown.error[0, 1]) == (0.0, 1.0)
    with pytest.raises(DataError, match="positive sum"):
        correlations(table, -np.ones(500))


def test_findings_name_variable_value_and_limit() -> None:
    inputs = {"m_jj": Chi2(12.0, 10, 0.28, 1.0), "pt_j0": Chi2(45.0, 10, 2e-6, 1.0)}
    difference, error = np.array([[0.0, 0.12], [0.12, 0.0]]), np.full((2, 2), 0.02)
    config = ValidationConfig(
        max_chi2_per_ndof=3.0,
        min_p_value=1e-4,
        max_correlation_difference=0.05,
        max_yield_difference=0.1,
        n_sigma=2.0,
        action="refuse",
    )
    found = judged(config, inputs=inputs, yield_ratio=(1.3, 0.02), difference=difference, error=error)
    assert [(finding.variables, finding.limit) for finding in found] == [
        (("pt_j0",), "max_chi2_per_ndof"),
        (("pt_j0",), "min_p_value"),
        (("pt_j0", "m_jj"), "max_correlation_difference"),
        ((), "max_yield_difference"),
    ]
    assert found[0].text == "pt_j0: χ²/ndof is 4.50 (45.0/10, limit 3)"
    assert "+0.120 ± 0.020 (limit 0.05)" in found[2].text
    # The same differences with larger errors break nothing.
    calm = judged(config, inputs={}, yield_ratio=(1.3, 0.11), difference=difference, error=error * 3)
    assert calm == ()
    assert (
        judged(ValidationConfig(), inputs=inputs, yield_ratio=(9.0, 0), difference=difference, error=error)
        == ()
    )


def test_the_largest_difference_is_named_with_its_sign() -> None:
    difference = np.array([[0, 0.02, -0.3], [0.02, 0, 0.1], [-0.3, 0.1, 0]])
    error = np.array([[0, 0.01, 0.2], [0.01, 0, 0.01], [0.2, 0.01, 0]])
    names = ["a", "b", "c"]
    assert largest_difference(difference, error, names).variables == ("c", "a")
    assert largest_difference(difference, error, names).value == -0.3
    assert largest_difference(difference, error, names, n_sigma=2.0).variables == ("c", "b")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_chi2_per_ndof": -1.0}, "max_chi2_per_ndof must be positive"),
        ({"min_p_value": 1.5}, "below 1"),
        ({"action": "refuse"}, "needs a limit"),
        ({"min_expected": 0.0}, "positive min_expected"),
    ],
)
def test_a_senseless_gate_is_refused(options: dict[str, float], text: str) -> None:
    with pytest.raises(CardError, match=text):
        ValidationConfig(**options)  # type: ignore[arg-type]  # one test for keys of several types
