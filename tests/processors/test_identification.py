"""What identifies an object is there, declared or refused; one working point per branch and era."""

from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, vh_ww_processor, write_tree
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import CardError, DataError
from znought.facility.ntuples.inspection import describe
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.dialects import DIALECTS
from znought.processors.dialects.working_points import WORKING_POINTS, check_working_points, working_point
from znought.processors.evaluated import NOMINAL, WHOLE

N_EVENTS = 300
IDENTIFICATION = ("Electron_cutBased", "Muon_tightId", "Jet_jetId")


def nanoaod(
    version: int,
    *,
    btag: str = "",
    without: tuple[str, ...] = (),
    seed: int = 7,
    n_events: int = N_EVENTS,
) -> dict[str, Any]:
    """Columns as NanoAOD of a version has them, every object identified by halves."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for name, values in events(n_events, seed=seed).items():
        if isinstance(values, ak.Array):
            columns.update({f"{name}_{field}": values[field] for field in values.fields})
        else:
            columns[name] = values
    columns["Muon_pfRelIso04_all"] = columns.pop("Muon_pfRelIso03_all")
    columns["SoftActivityJetHT"] = columns.pop("SoftActivity_ht")
    discriminant = columns.pop("Jet_btagDiscriminant")
    columns[btag or ("Jet_btagDeepFlavB" if version < 10 else "Jet_btagPNetB")] = discriminant
    for name, like, passing in (
        ("Electron_cutBased", "Electron_pt", 4),
        ("Muon_tightId", "Muon_pt", 1),
        ("Jet_jetId", "Jet_pt", 6),
    ):
        counts = ak.num(columns[like])
        values = rng.choice(np.array([0, passing], np.int32), int(ak.sum(counts)))
        columns[name] = ak.unflatten(values if name != "Muon_tightId" else values > 0, counts)
    if version >= 13:
        for old in ("MET_pt", "MET_phi", "MET_significance", "TkMET_pt", "TkMET_phi"):
            columns[old.replace("TkMET", "TrkMET").replace("MET_", "PFMET_", not old.startswith("Tk"))] = (
                columns.pop(old)
            )
    dropped = {"Jet_btagProb85", "response", *without}
    return {name: values for name, values in columns.items() if name not in dropped}


def written(path: Path, columns: dict[str, Any]) -> str:
    with uproot.recreate(path) as file:
        write_tree(file, "Events", columns)
    return str(path)


def run(
    *paths: str, metadata: dict[str, Any] | None = None, refuse_substitutes: bool = False, **options: Any
) -> RunResult:
    processor = vh_ww_processor(selection=VHWWSelection(**options), refuse_substitutes=refuse_substitutes)
    return process_fileset(None, {"x": {"files": list(paths), "metadata": metadata or {}}}, processor)


def n_selected(found: RunResult) -> int:
    return found.results["x"].of(WHOLE).cutflows[NOMINAL].counts[-1]


# --- identification -----------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", IDENTIFICATION)
def test_a_missing_identification_is_declared_refused_and_inspected(tmp_path: Path, missing: str) -> None:
    whole = run(written(tmp_path / "whole.root", nanoaod(9)), metadata={"era": "2018"})
    path = written(tmp_path / "a.root", nanoaod(9, without=(missing,)))
    found = run(path, metadata={"era": "2018"})
    name = {"Electron_cutBased": "electron_id", "Muon_tightId": "muon_id", "Jet_jetId": "jet_id"}[missing]
    assert name not in whole.results["x"].substitutes
    assert "counts as identified" in found.results["x"].substitutes[name]
    assert n_selected(found) > n_selected(whole) > 0
    assert any(name in line and "substitute declared" in line for line in describe(path))
    with pytest.raises(DataError, match=rf"lacks {name}, and the card refuses the substitute"):
        run(path, metadata={"era": "2018"}, refuse_substitutes=True, btag_mode="veto")


def test_identifications_are_not_read_from_fractions(tmp_path: Path) -> None:
    columns = nanoaod(9)
    columns["Jet_jetId"] = ak.values_astype(columns["Jet_jetId"], np.float32)
    with pytest.raises(
        DataError, match=r"a\.root: branch Jet_jetId holds float32 numbers, expected integers"
    ):
        run(written(tmp_path / "a.root", columns), metadata={"era": "2018"})


def test_the_simulation_writes_identified_objects_alone() -> None:
    names = {field.name for field in DIALECTS["simulation"].fields}
    assert names.isdisjoint({"electron_id", "muon_id", "jet_id"})


# --- working points -----------------------------------------------------------------------------------


def test_a_particle_net_branch_takes_its_own_working_point(tmp_path: Path) -> None:
    columns = nanoaod(14)
    path = written(tmp_path / "a.root", columns)
    veto: dict[str, Any] = {"metadata": {"era": "2022"}, "btag_mode": "veto"}
    assert n_selected(run(path, **veto)) == n_selected(
        run(path, **veto, btag_working_points={"Jet_btagPNetB": 0.047})
    )
    assert n_selected(run(path, **veto)) > n_selected(
        run(path, **veto, btag_working_points={"Jet_btagPNetB": 0.0246})
    )
    upart = written(tmp_path / "b.root", nanoaod(15, btag="Jet_btagUParTAK4B"))
    with pytest.raises(
        DataError, match=r"b\.root: no public file gives a working point of Jet_btagUParTAK4B"
    ):
        run(upart, **veto)


def test_the_era_decides_and_is_not_guessed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.root", nanoaod(9))
    counts = {era: n_selected(run(path, metadata={"era": era})) for era in ("2016postVFP", "2017")}
    assert counts["2016postVFP"] <= counts["2017"]
    with pytest.raises(DataError, match=r"Jet_btagDeepFlavB depends on the era.*one of 2016preVFP, "):
        run(path)
    with pytest.raises(DataError, match=r"Unknown era of Jet_btagDeepFlavB '2017UL', did you mean '2017'"):
        run(path, metadata={"era": "2017UL"})
    layout = DIALECTS["nanoaod_v9"].layout({"Jet_btagDeepFlavB"})
    given = {"nanoaod_v9": 0.3}
    assert working_point(layout, era=None, given=given, path="x.root") == 0.3


def test_a_working_point_of_a_card_names_one_branch() -> None:
    for cuts in (VHWWSelection, VHBBSelection):
        with pytest.raises(CardError, match=r"Unknown b-tag 'nanoaod_v15'.*Jet_btagUParTAK4B"):
            cuts(btag_working_points={"nanoaod_v15": 0.1})
        with pytest.raises(CardError, match=r"Unknown b-tag 'simulatoin', did you mean 'simulation'"):
            cuts(btag_working_points={"simulatoin": 0.1})
    with pytest.raises(CardError, match="nanoaod_v9 and Jet_btagDeepFlavB are the same b-tag"):
        check_working_points({"nanoaod_v9": 0.1, "Jet_btagDeepFlavB": 0.2})


def test_every_btag_branch_of_a_dialect_has_its_entry() -> None:
    for dialect in DIALECTS.values():
        for field in dialect.fields:
            if field.name in ("jet_btag", "btag_pb"):
                assert all(source.branch in WORKING_POINTS for source in field.sources)


def test_working_points_are_those_of_the_official_files(open_data: Path) -> None:
    folders = {
        "2016preVFP": "2016preVFP_UL",
        "2016postVFP": "2016postVFP_UL",
        "2017": "2017_UL",
        "2018": "2018_UL",
        "2022": "2022_Summer22",
    }
    taggers = {"Jet_btagDeepFlavB": "deepJet", "Jet_btagPNetB": "particleNet"}
    for branch, tagger in taggers.items():
        for era, value in WORKING_POINTS[branch].items():
            file = open_data / "pog" / folders[era] / "btagging.json.gz"
            official = correctionlib.CorrectionSet.from_file(str(file))[f"{tagger}_wp_values"]
            assert official.evaluate("L") == pytest.approx(value, abs=1e-9), (branch, era)
