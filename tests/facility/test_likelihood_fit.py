"""`znought fit` on likelihoods that somebody brings."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from tests.stats.regions import config, regions
from znought.errors import CardError, DataError
from znought.facility.cli import app
from znought.facility.fitting.brought import FileFit, LikelihoodResults, fit_file
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace
from znought.stats.exchange import write_workspace
from znought.stats.workspace import build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)
CARD = """imax 1
jmax 1
kmax *
bin SR
observation 24
bin SR SR
process sig bkg
process 0 1
rate 6 15
lumi lnN 1.02 -
norm lnN - 1.1
theory group = norm
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "card.txt").write_text(CARD)
    return tmp_path / "card.txt"


def test_a_card_is_fitted_from_the_command_line(card: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shown = CliRunner().invoke(app, ["fit", str(card), "--output", str(output), "--unblind", "--json"])
    assert shown.exit_code == 0, shown.output
    results = LikelihoodResults.model_validate_json((output / "results.json").read_text())
    assert results.data == "observed"
    assert results.value == pytest.approx((24 - 15) / 6, abs=1e-3)
    assert results.limit_observed is not None
    assert list(results.impacts) == ["norm", "lumi"]
    assert {path.name for path in (output / "fit").iterdir()} == {
        "workspace.json",
        "hs3.json",
        "datacard.txt",
        "yields.json",
        "report.json",
    }
    assert "1.5" in shown.output
    # One bin and a free signal: the fit is perfect.
    assert results.goodness is not None
    assert results.goodness[0] == pytest.approx(0.0, abs=1e-3)
    assert list(results.groups) == ["total", "theory", "data statistics"]
    total, theory, statistics = (np.hypot(*results.groups[name]) for name in results.groups)
    assert statistics < total
    assert theory == pytest.approx(np.hypot(0.25, 0.25), rel=0.1)
    after = json.loads((output / "fit/yields.json").read_text())["after"]
    assert sum(after[0]["total"]) == pytest.approx(24, abs=0.01)


def test_pseudo_experiments_stand_beside_the_formulas(card: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["fit", str(card), "--output", str(output), "--unblind", "--no-impacts", "--toys", "200"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    results = LikelihoodResults.model_validate_json((output / "results.json").read_text())
    assert results.toys is not None
    assert results.toys.n_toys == 200
    assert results.toys.significance is not None
    assert results.z0 is not None
    p_value, error = results.toys.significance
    assert p_value == pytest.approx(norm.sf(results.z0), abs=3 * error + 0.01)
    # One bin and a free signal: every pseudo-experiment fits perfectly too.
    assert results.toys.goodness is not None
    assert "p-value without signal, 200 toys" in shown.output


def test_the_written_files_give_the_same_fit(card: Path, tmp_path: Path) -> None:
    first = fit_file(card, Workspace(tmp_path / "a"), Silent(), FileFit(unblind=True))
    for name in ("workspace.json", "datacard.txt"):
        again = fit_file(
            tmp_path / "a/fit" / name, Workspace(tmp_path / "b"), Silent(), FileFit(unblind=True)
        )
        assert again.value == pytest.approx(first.value, abs=1e-6)
        assert again.interval == pytest.approx(first.interval, abs=1e-4)


def test_data_stay_blind_unless_they_are_asked_for(card: Path, tmp_path: Path) -> None:
    results = fit_file(card, Workspace(tmp_path / "out"), Silent(), FileFit(impacts=False))
    assert results.data == "expected"
    assert results.value == pytest.approx(1.0, abs=1e-3)
    assert results.limit_observed is None
    assert results.impacts == {}


def test_what_cannot_be_asked_of_a_file_is_refused(card: Path, tmp_path: Path) -> None:
    asimov = tmp_path / "workspace.json"
    write_workspace(asimov, build_workspace(regions(), config()))
    with pytest.raises(DataError, match="holds no recorded data for SR, CR_top"):
        fit_file(asimov, Workspace(tmp_path / "out"), Silent(), FileFit(unblind=True))
    (tmp_path / "analysis.yaml").write_text("analysis: vh_ww\n")
    refused = CliRunner().invoke(app, ["fit", str(tmp_path / "analysis.yaml"), "--unblind"])
    assert isinstance(refused.exception, CardError)
    assert "are for likelihoods" in str(refused.exception)
    refused = CliRunner().invoke(app, ["fit", str(tmp_path / "analysis.yaml"), "--toys", "5"])
    assert "likelihood.n_toys" in str(refused.exception)


def test_what_a_format_cannot_hold_is_a_remark(tmp_path: Path) -> None:
    free = {"name": "free", "type": "shapefactor", "data": None}
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "sig", "data": [2.0, 1.0], "modifiers": [mu]},
        {"name": "bkg", "data": [9.0, 5.0], "modifiers": []},
    ]
    control = [{"name": "bkg", "data": [90.0, 50.0], "modifiers": [free]}]
    samples[1]["modifiers"] = [free]
    spec = {
        "channels": [{"name": "SR", "samples": samples}, {"name": "CR", "samples": control}],
        "observations": [{"name": "SR", "data": [11.0, 6.0]}, {"name": "CR", "data": [90.0, 50.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    (tmp_path / "workspace.json").write_text(json.dumps(spec))
    results = fit_file(tmp_path / "workspace.json", Workspace(tmp_path / "out"), Silent(), FileFit())
    assert any(
        remark.startswith("No text card: the text card has no word for 'free'") for remark in results.remarks
    )
    assert not (tmp_path / "out/fit/datacard.txt").exists()
