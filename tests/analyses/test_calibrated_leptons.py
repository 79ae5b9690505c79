"""Calibrated leptons in the columns of analyses that make their own: those of canonical events."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from tests.processors.calibrated import calibrated_columns
from tests.processors.fixtures import whole_chunk, write_nanoaod
from tests.processors.lepton_files import (
    electron_calibration,
    lepton_columns,
    write_electron_energies,
    write_muon_momenta,
)
from znought.analyses.vh_bb.objects import lepton_tables, objects_of
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.analyses.vh_ww.columns import columns
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.analysis import Analysis, Cuts, Variable
from znought.processors.calibration.leptons import LeptonCalibration, MuonCalibration
from znought.processors.canonical import canonical_events, lepton_makers, leptons_calibrated, varied_events
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, WHOLE, Request
from znought.processors.plugin import evaluate
from znought.processors.variations import VariationsConfig

QUANTITIES = ("electron_scale", "muon_scale", "electron_resolution", "muon_resolution")
MEASURED = VariationsConfig(QUANTITIES, leptons="measured")


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Chunk:
    found = lepton_columns(calibrated_columns(9, seed=5, n_events=1500, every_id=True))
    path = write_nanoaod(tmp_path_factory.mktemp("leptons") / "a.root", found)
    return whole_chunk(path, era="2018")


@pytest.fixture(scope="module")
def calibrations(chunk: Chunk) -> dict[str, LeptonCalibration]:
    folder, layout = Path(chunk.path).parent, "2022 by energy"
    write_electron_energies(folder / "e.json", layout)
    write_muon_momenta(folder / "mu.json")
    return {
        "electron": electron_calibration(folder / "e.json", layout),
        "muon": MuonCalibration("2018", str(folder / "mu.json")),
    }


def _canonical(chunk: Chunk, calibrations: dict[str, LeptonCalibration]) -> dict[str, ak.Array]:
    """Nominal events and those of every variation."""
    nominal = leptons_calibrated(canonical_events(chunk), calibrations)
    moved = {
        one.name: varied_events(nominal, one, lepton_makers(one, calibrations)).array
        for one in MEASURED.all()
    }
    return {NOMINAL: nominal.array, **moved}


def _pair(events: ak.Array, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Momenta of the one electron and the one muon of some events."""
    picked = events[chosen]
    good = (one[(one.pt > 10.0) & (np.abs(one.eta) < 2.5)] for one in (picked.Electron, picked.Muon))
    e, mu = (ak.to_numpy(ak.firsts(one.pt[one.isolation < 0.15])) for one in good)
    return np.asarray(e, np.float64), np.asarray(mu, np.float64)


def test_pairs_and_missing_momentum(chunk: Chunk, calibrations: dict[str, LeptonCalibration]) -> None:
    request = Request(VHWWSelection(exclude_electron_gap=False), MEASURED, leptons={"toy": calibrations})
    found = columns(chunk, request)[WHOLE]
    truth, plain = _canonical(chunk, calibrations), canonical_events(chunk).array
    assert set(found) == set(truth)
    totals = set()
    for name, mine in found.items():
        e, mu = _pair(truth[name], mine.event)
        assert len(mine.event) > 30
        assert mine.columns["pt_l0"] == pytest.approx(np.maximum(e, mu), rel=1e-6), name
        assert mine.columns["pt_l1"] == pytest.approx(np.minimum(e, mu), rel=1e-6), name
        file_e, file_mu = _pair(plain, mine.event)
        picked = plain[mine.event]
        parts = ((picked.Electron, e - file_e), (picked.Muon, mu - file_mu))
        expected = []
        for trig in (np.cos, np.sin):
            total = picked.MET.pt * trig(picked.MET.phi)
            for leptons, gained in parts:
                kept = leptons[(leptons.pt > 10.0) & (np.abs(leptons.eta) < 2.5) & (leptons.isolation < 0.15)]
                total = total - gained * trig(ak.firsts(kept.phi))
            expected.append(ak.to_numpy(total))
        assert mine.columns["met"] == pytest.approx(np.hypot(*expected), rel=1e-5, abs=1e-3), name
        totals.add(round(float(np.sum(e + mu)), 6))
    assert len(totals) == len(found)


def test_plain_functions_see_calibrated_leptons(
    chunk: Chunk, calibrations: dict[str, LeptonCalibration]
) -> None:
    analysis = Analysis(
        "sums",
        objects=lambda events, cuts: {"electrons": events.Electron, "muons": events.Muon, "met": events.MET},
        select=lambda o, cuts: {"one": ak.num(o.electrons) + ak.num(o.muons) > 0},
        variables=[
            Variable("e", lambda o: ak.sum(o.electrons.pt, axis=1)),
            Variable("mu", lambda o: ak.sum(o.muons.pt, axis=1)),
            Variable("met", lambda o: o.met.pt),
        ],
    )
    found = evaluate(analysis, chunk, Request(Cuts(), MEASURED, leptons={"toy": calibrations}))[WHOLE]
    truth = _canonical(chunk, calibrations)
    assert set(found) == set(truth)
    for name, events in truth.items():
        mine, picked = found[name].columns, events[found[name].event]
        assert mine["e"] == pytest.approx(ak.to_numpy(ak.sum(picked.Electron.pt, axis=1)), rel=1e-6)
        assert mine["mu"] == pytest.approx(ak.to_numpy(ak.sum(picked.Muon.pt, axis=1)), rel=1e-6)
        assert mine["met"] == pytest.approx(ak.to_numpy(picked.MET.pt), rel=1e-6)
    sums = {name: float(np.sum(one.columns["e"]) + np.sum(one.columns["mu"])) for name, one in found.items()}
    assert len(set(sums.values())) == len(sums)


def test_leptons_of_recorded_events_do_not_vary(
    tmp_path: Path, calibrations: dict[str, LeptonCalibration]
) -> None:
    given = lepton_columns(calibrated_columns(9, seed=5, n_events=400, every_id=True))
    del given["genWeight"]
    data = whole_chunk(write_nanoaod(tmp_path / "a.root", given), era="2018", is_data=True)
    request = Request(VHWWSelection(), MEASURED, leptons={"toy": calibrations})
    assert set(columns(data, request)[WHOLE]) == {NOMINAL}


def test_tables_of_leptons(chunk: Chunk, calibrations: dict[str, LeptonCalibration]) -> None:
    cuts = VHBBSelection(exclude_electron_gap=False)
    request = Request(cuts, MEASURED, leptons={"toy": calibrations})
    nominal, moved = lepton_tables(chunk, cuts, request)
    for name, events in _canonical(chunk, calibrations).items():
        table = nominal if name == NOMINAL else moved[name]
        hard = []
        for leptons in (events.Electron, events.Muon):
            keep = (leptons.pt > 7.0) & (np.abs(leptons.eta) < 2.5) & (leptons.isolation < 0.15)
            hard.append(leptons.pt[keep])
        expected = ak.sort(ak.concatenate(hard, axis=1), axis=1, ascending=False)
        assert table.count.tolist() == ak.num(expected).tolist()
        first = ak.to_numpy(ak.fill_none(ak.firsts(expected), 0.0))
        assert table.pt[:, 0] == pytest.approx(first, rel=1e-6), name
    every = np.ones(len(chunk.view), np.bool_)
    calibrated = objects_of(chunk, nominal, every, cuts, request).missing
    plain_request = Request(cuts, MEASURED)
    plain = objects_of(
        chunk, lepton_tables(chunk, cuts, plain_request)[0], every, cuts, plain_request
    ).missing
    assert calibrated.px == pytest.approx(plain.px - nominal.gained_px.sum(axis=1))
    assert np.abs(calibrated.px - plain.px).max() > 0.1


@pytest.mark.parametrize("name", ["electron_scale", "muon_scale"])
def test_one_flavour_moves_by_a_relative_size(chunk: Chunk, name: str) -> None:
    options: dict[str, Any] = {f"{name}_relative": 0.001}
    found = columns(chunk, Request(VHWWSelection(), VariationsConfig((name,), **options)))[WHOLE]
    before, after = found[NOMINAL], found[f"{name}_up"]
    common, first, second = np.intersect1d(before.event, after.event, return_indices=True)
    assert len(common) > 30
    old, new = (
        one.columns["pt_l0"][rows].astype(float) + one.columns["pt_l1"][rows]
        for one, rows in ((before, first), (after, second))
    )
    e, mu = _pair(canonical_events(chunk).array, common)
    assert new - old == pytest.approx(0.001 * (e if name == "electron_scale" else mu), rel=0.02, abs=1e-4)
