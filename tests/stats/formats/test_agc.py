"""The measurement of the Analysis Grand Challenge on all its events: our fit beside cabinetry's."""

from dataclasses import replace
from pathlib import Path

import cabinetry
import numpy as np
import pytest

from tests.stats.formats.agc import cabinetrys, ours
from tests.stats.formats.third_party import random_points, twice_nll
from tests.stats.regions import config, regions
from znought.stats.exchange import write_workspace
from znought.stats.formats.card_reader import read_card
from znought.stats.formats.card_writer import write_card
from znought.stats.formats.pyhf_json import from_spec, to_spec
from znought.stats.inference import fit_workspace, ranking
from znought.stats.workspace import build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


def test_the_likelihood_is_cabinetrys(tmp_path: Path) -> None:
    likelihood, other = ours(tmp_path), cabinetrys(tmp_path)
    points = random_points(likelihood)
    expected = twice_nll(other, points)
    assert np.ptp(expected) > 1
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(expected, abs=1e-6)


def test_the_measurement_is_cabinetrys(tmp_path: Path) -> None:
    model, data = cabinetry.model_utils.model_and_data(cabinetrys(tmp_path))
    theirs = cabinetry.fit.fit(model, data, minos=["ttbar_norm"])
    found = fit_workspace(to_spec(ours(tmp_path)), data="observed")
    assert found.mu == pytest.approx(theirs.bestfit[theirs.labels.index("ttbar_norm")], abs=1e-3)
    assert found.mu == pytest.approx(0.9467, abs=1e-3)
    low, high = theirs.minos_uncertainty["ttbar_norm"]
    assert (found.mu_low - found.mu, found.mu_high - found.mu) == pytest.approx((low, high), rel=0.01)
    assert (found.mu_high - found.mu_low) / 2 == pytest.approx(0.0799, rel=0.01)
    for name, value, error in zip(theirs.labels, theirs.bestfit, theirs.uncertainty, strict=True):
        assert found.parameter(name).value == pytest.approx(value, abs=0.02 * error + 1e-3)
    best = {name: np.array([value]) for name, value in zip(theirs.labels, theirs.bestfit, strict=True)}
    ours_there = {parameter.name: np.array([parameter.value]) for parameter in found.parameters}
    there, here = twice_nll(to_spec(ours(tmp_path)), [best, ours_there])
    assert there == pytest.approx(theirs.best_twice_nll, abs=1e-6)
    assert -1e-4 < here - there < 1e-6


def test_cabinetry_fits_and_predicts_our_workspace(tmp_path: Path) -> None:
    spec = to_spec(ours(tmp_path))
    write_workspace(tmp_path / "workspace.json", spec)
    model, data = cabinetry.model_utils.model_and_data(cabinetry.workspace.load(tmp_path / "workspace.json"))
    fitted = cabinetry.fit.fit(model, data)
    assert fitted.bestfit[fitted.labels.index("ttbar_norm")] == pytest.approx(0.9467, abs=1e-3)
    after = cabinetry.model_utils.prediction(model, fit_results=fitted)
    totals = [np.sum(yields) for yields in after.model_yields]
    observed = [sum(part) for part in np.split(np.array(data[:22]), 2)]
    assert totals == pytest.approx(observed, rel=0.01)


def test_cabinetry_ranks_as_we_do(tmp_path: Path) -> None:
    # Its fits of the measurement above, begun at the nominal values, do not all converge: a smaller one.
    spec = build_workspace(regions(), replace(config(), mc_stat=False))
    write_workspace(tmp_path / "workspace.json", to_spec(from_spec(spec)))
    model, data = cabinetry.model_utils.model_and_data(cabinetry.workspace.load(tmp_path / "workspace.json"))
    ranked = cabinetry.fit.ranking(model, data)
    impacts = {impact.name: impact for impact in ranking(spec, data="observed")}
    assert set(impacts) <= set(ranked.labels)
    for name, down, up in zip(ranked.labels, ranked.postfit_down, ranked.postfit_up, strict=True):
        if name in impacts:
            assert sorted((impacts[name].down, impacts[name].up)) == pytest.approx(
                sorted((down, up)), abs=0.05
            )


def test_the_text_card_of_the_measurement_is_the_same_likelihood(tmp_path: Path) -> None:
    likelihood = ours(tmp_path)
    assert write_card(tmp_path / "card.txt", likelihood) == ()
    # A channel must not begin with a digit, nor a name hold a blank.
    assert "n_4j1b" in (tmp_path / "card.txt").read_text()
    again = read_card(tmp_path / "card.txt")
    points = random_points(likelihood, 5)
    plain = [
        {name.replace(" ", "_").replace("ttbar_norm", "mu"): value for name, value in point.items()}
        for point in points
    ]
    difference = twice_nll(to_spec(again), plain) - twice_nll(to_spec(likelihood), points)
    assert np.abs(difference).max() < 1e-3
