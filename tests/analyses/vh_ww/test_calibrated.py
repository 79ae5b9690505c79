"""Calibrations of a card, and their uncertainties, act on the analysis's own columns."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analyses.vh_ww.independent import independent
from tests.processors.calibrated import calibrated_columns, write_jet_energies
from tests.processors.fixtures import whole_chunk, write_nanoaod
from znought.analyses.vh_ww.columns import columns
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical import canonical_events
from znought.processors.canonical.momenta import JET_NOISE
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Request
from znought.processors.variations import VariationsConfig

VARIED = {
    "jes_Regrouped_Absolute_up": ("Regrouped_Absolute", "up"),
    "jes_Regrouped_Absolute_2018_down": ("Regrouped_Absolute_2018", "down"),
    "jer_up": ("jer", "up"),
    "jer_down": ("jer", "down"),
}
ENABLED = ("jes_Regrouped_Absolute", "jes_Regrouped_Absolute_2018", "jes_Regrouped_Absolute_2017", "jer")


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Chunk:
    columns = calibrated_columns(9, seed=3, n_events=1500, every_id=True)
    path = write_nanoaod(tmp_path_factory.mktemp("calibrated") / "a.root", columns)
    return whole_chunk(path, era="2018")


@pytest.fixture(scope="module")
def request_of(chunk: Chunk) -> Request:
    folder = Path(chunk.path).parent
    file = folder / write_jet_energies(folder / "jerc.json", "2018")["file"]
    calibration = JetCalibration("2018", str(file), "MC", "MC")
    variations = VariationsConfig(ENABLED, jets="measured")
    return Request(VHWWSelection(), variations, jets={"toy": calibration})


@pytest.fixture(scope="module")
def found(chunk: Chunk, request_of: Request) -> dict[str, Evaluated]:
    return dict(columns(chunk, request_of)[WHOLE])


@pytest.mark.parametrize("variation", [NOMINAL, *VARIED])
def test_columns_equal_an_independent_calculation(
    chunk: Chunk, request_of: Request, found: dict[str, Evaluated], variation: str
) -> None:
    noise = canonical_events(chunk).source.array(JET_NOISE)
    names: dict[str, Any] = {"btag": "Jet_btagDeepFlavB", "working_point": 0.0490}
    way = VARIED.get(variation, ("", "nom"))
    expected = independent(chunk.path, request_of.jets["toy"], noise, vary=way, **names)
    mine = found[variation]
    assert len(expected.event) > 30
    assert np.array_equal(chunk.identity(mine.event)["event"], expected.event)
    assert mine.weights["gen_weight"] == pytest.approx(expected.weight)
    for name in ("pt_j0", "m_jj", "met"):
        assert mine.columns[name] == pytest.approx(getattr(expected, name), rel=2e-5, abs=1e-3), name


def test_what_moves_nothing_is_the_nominal(found: dict[str, Evaluated], request_of: Request) -> None:
    nominal, other = found[NOMINAL], found["jes_Regrouped_Absolute_2017_up"]
    assert np.array_equal(other.event, nominal.event)
    assert all(np.array_equal(other.columns[name], values) for name, values in nominal.columns.items())
    assert set(found) == {NOMINAL, *(one.name for one in request_of.variations.all())}


def test_calibrated_jets_move_by_relative_sizes_where_the_card_says_so(
    chunk: Chunk, request_of: Request
) -> None:
    loose = VHWWSelection(pt_jet_min_gev=0.0, btag_mode="veto", btag_working_points={"nanoaod_v9": 2.0})
    request = replace(request_of, cuts=loose, variations=VariationsConfig(("jes",), jes_relative=0.1))
    found = columns(chunk, request)[WHOLE]
    nominal, up = found[NOMINAL].columns["pt_j0"], found["jes_up"].columns["pt_j0"]
    assert up == pytest.approx(nominal * 1.1, rel=1e-6)
    plain = columns(chunk, replace(request, jets={}))[WHOLE][NOMINAL]
    assert np.array_equal(plain.event, found[NOMINAL].event)
    assert np.abs(plain.columns["pt_j0"] / nominal - 1).max() > 0.02
