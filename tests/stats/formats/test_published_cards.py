"""Cards that CMS published: read, compared with Combine's formulas, fitted, written and read again."""

from pathlib import Path

import numpy as np
import pytest

from tests.stats.formats.combine_formula import CombineCard
from tests.stats.formats.third_party import Floats, published, random_points, twice_nll
from znought.stats.formats.card_reader import read_card
from znought.stats.formats.card_writer import write_card
from znought.stats.formats.likelihood import Likelihood
from znought.stats.formats.pyhf_json import to_spec
from znought.stats.inference import loaded_model
from znought.stats.limits import cls_limit
from znought.stats.minimum import fit_at
from znought.stats.spec import Spec

COUNTING = "realistic-counting-experiment.txt"
VHBB = ("vhbb_Zee_150_250_noj_13TeV.txt", "vhbb_Zmm_250_400_13TeV.txt")
HTT = "htt_tt.txt"
CARDS = (COUNTING, *VHBB, HTT)


def _read(name: str) -> Likelihood:
    return read_card(published(f"combine/{name}"), mass=125)


def _by_formula(name: str, likelihood: Likelihood, points: list[dict[str, Floats]]) -> Floats:
    card = CombineCard(published(f"combine/{name}"))
    free = {setting.name for setting in likelihood.settings}
    found = []
    for point in points:
        thetas = {key: float(value[0]) for key, value in point.items() if key not in free}
        counts = {side.name: side.counts * float(point[side.name][0]) for side in likelihood.sidebands}
        found.append(card.twice_nll(float(point["mu"][0]), thetas, counts))
    return np.array(found)


def _minimum(spec: Spec) -> tuple[float, float]:
    """The fitted signal strength, and −2 ln L there."""
    with loaded_model(spec, "observed", 1.0) as (model, counts):
        best = fit_at(model, counts)
        return float(best.values[model.config.poi_index]), best.nll


def test_limits_of_the_counting_card_are_those_of_combines_manual() -> None:
    # The manual's bands are quantiles of 2.5, 16, 84 and 97.5 %.
    sigmas = (-1.959964, -0.994458, 0.0, 0.994458, 1.959964)
    limit = cls_limit(to_spec(_read(COUNTING)), data="observed", sigmas=sigmas)
    assert limit.observed == pytest.approx(1.6281, rel=0.01)
    assert limit.expected == pytest.approx((0.9640, 1.4329, 2.3281, 3.9800, 6.6194), rel=0.01)
    assert limit.observed == pytest.approx(1.6268, rel=1e-3)
    assert limit.expected == pytest.approx((0.9690, 1.4327, 2.3236, 3.9673, 6.6037), rel=2e-3)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_written_and_read_again_is_the_same_likelihood(name: str, tmp_path: Path) -> None:
    first = _read(name)
    assert write_card(tmp_path / name, first) == ()
    again = read_card(tmp_path / name)
    points = random_points(first)
    expected = twice_nll(to_spec(first), points)
    assert np.ptp(expected) > 1
    assert twice_nll(to_spec(again), points) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", [COUNTING, *VHBB])
def test_a_counting_card_has_the_likelihood_of_combines_formulas(name: str) -> None:
    likelihood = _read(name)
    points = random_points(likelihood)
    found = twice_nll(to_spec(likelihood), points)
    # Between 0 and ±1 the two programs join unequal factors (1.6/0.393) by different polynomials.
    assert found == pytest.approx(_by_formula(name, likelihood, points), abs=0.01)
    for point in points:
        for key in set(point) - {setting.name for setting in likelihood.settings}:
            point[key] = np.rint(point[key])
    found = twice_nll(to_spec(likelihood), points)
    assert found == pytest.approx(_by_formula(name, likelihood, points), abs=1e-9)


def test_each_shape_of_the_higgs_card_has_the_likelihood_of_combines_formulas() -> None:
    likelihood = _read(HTT)
    (start,) = random_points(likelihood, 1)
    start = {key: np.zeros(1) for key in start} | {"mu": np.array([1.2])}
    shaped = sorted(
        {
            effect.name
            for channel in likelihood.channels
            for sample in channel.samples
            for effect in sample.effects
            if effect.name.startswith(("CMS_scale_t", "CMS_htt_tt_"))
        }
    )
    assert len(shaped) == 30
    points = [start | {name: np.array([theta])} for name in shaped[::-5] for theta in (-1.0, 0.4, 1.0)]
    found, expected = twice_nll(to_spec(likelihood), points), _by_formula(HTT, likelihood, points)
    assert np.ptp(found) > 1
    # Half-way, the energy scale's unequal changes of the yield are joined by another polynomial.
    assert shaped[-1] == "CMS_scale_t_tautau_8TeV"
    assert found[1] == pytest.approx(expected[1], abs=0.12)
    # The card's templates are single precision.
    assert np.delete(found, 1) == pytest.approx(np.delete(expected, 1), abs=2e-4)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_fitted(name: str) -> None:
    likelihood = _read(name)
    mu, lowest = _minimum(to_spec(likelihood))
    # No event was counted: the likelihood rises until nothing is expected, −(0.64 + 0.06 + 0.22)/1.47.
    # The others: Combine's formulas, minimised with iminuit.
    expected = {COUNTING: -0.626, VHBB[0]: 6.3012, VHBB[1]: 5.1848, HTT: 1.3106}
    assert mu == pytest.approx(expected[name], abs=0.015)
    assert (twice_nll(to_spec(likelihood), random_points(likelihood)) > lowest).all()


def test_the_higgs_card_says_what_it_was_not_read_as() -> None:
    remarks = _read(HTT).remarks
    assert len(remarks) == 2
    assert "beside it was read" in remarks[0]
    assert "Negative bins" in remarks[1]
    assert "'QCD' in channel 'htt_tt_1_8TeV'" in remarks[1]
