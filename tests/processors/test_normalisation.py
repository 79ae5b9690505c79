"""Normalisation: L σ k ε / Σw, with its errors, or a refusal that names the dataset."""

import pytest

from znought.errors import DataError
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.normalisation import normalise


def _sums(n: int, sumw: float, sumw2: float, attempted: int | None) -> GeneratedSums:
    return GeneratedSums(n, ExactSum.of(sumw), ExactSum.of(sumw2), attempted)


def test_scale_gives_the_expected_yield() -> None:
    sums = _sums(1000, 800.0, 1000.0, 4000)
    norm = normalise(sums, dataset="ttbar", lumi_ifb=139.0, xsec_pb=833.9, k_factor=1.1)
    assert norm.filter_efficiency == 0.25
    assert norm.scale * norm.sumw == pytest.approx(139e3 * 833.9 * 1.1 * 0.25)
    assert norm.effective_events == pytest.approx(640.0)
    assert norm.relative_error == pytest.approx((0.75 / 1000 + 1000.0 / 800.0**2 - 1e-3) ** 0.5)


def test_given_efficiency_replaces_the_counted_one() -> None:
    norm = normalise(_sums(10, 10.0, 10.0, 40), dataset="x", lumi_ifb=1, xsec_pb=1, filter_efficiency=0.5)
    assert (norm.filter_efficiency, norm.relative_error) == (0.5, 0.0)
    assert normalise(_sums(10, 10.0, 10.0, None), dataset="x", lumi_ifb=1, xsec_pb=1).filter_efficiency == 1.0


@pytest.mark.parametrize(
    ("sums", "xsec", "text"),
    [
        (_sums(3, 1.0, 3.0, None), 1e307, "'x': L σ k ε / Σw is inf, of 139 fb"),
        (_sums(3, 1.0, 3.0, None), 1e150, r"'x': L σ k ε / Σw is 1\.39e\+155"),
        (None, 1.0, "'x': a file lacks its sum"),
        (_sums(3, -1.0, 3.0, None), 1.0, "'x' has a sum of generated weights of -1"),
        (_sums(3, 1.0, 3.0, None), 0.0, "'x' needs a positive cross section"),
        (_sums(3, 1.0, 3.0, None), float("nan"), "'x' needs a positive cross section"),
    ],
)
def test_what_cannot_be_normalised_is_refused(sums: GeneratedSums | None, xsec: float, text: str) -> None:
    with pytest.raises(DataError, match=text):
        normalise(sums, dataset="x", lumi_ifb=139.0, xsec_pb=xsec)
