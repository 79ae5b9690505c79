"""The other formats through the whole chain: RNTuple, ATLAS Open Data, and the experiments' own files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod, write_tree
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import DataError
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.dialects.files import inspect_file
from znought.processors.dialects.working_points import WORKING_POINTS
from znought.processors.evaluated import NOMINAL, WHOLE

# Branches without a working point in a public file.
UNKNOWN = {branch: 0.5 for branch, values in WORKING_POINTS.items() if not values}


def _run(*paths: str, era: str | None = None, refuse_substitutes: bool = False, **options: Any) -> RunResult:
    selection = VHWWSelection(**{"btag_working_points": UNKNOWN, **options})
    processor = vh_ww_processor(selection=selection, refuse_substitutes=refuse_substitutes)
    fileset = {"x": {"files": list(paths), "metadata": {"era": era}}}
    return process_fileset(None, fileset, processor, chunk_size=150)


def _nanoaod_v15(n_events: int) -> dict[str, Any]:
    """Columns of NanoAOD version 15 out of those of the simulation."""
    names = {"MET_": "PFMET_", "TkMET_": "TrkMET_", "SoftActivity_ht": "SoftActivityJetHT"}
    columns: dict[str, Any] = {}
    for name, values in events(n_events, seed=21).items():
        if isinstance(values, ak.Array):
            columns.update({f"{name}_{field}": values[field] for field in values.fields})
        else:
            prefix = next((prefix for prefix in names if name.startswith(prefix)), None)
            columns[name if prefix is None else name.replace(prefix, names[prefix])] = values
    columns["Muon_pfRelIso04_all"] = columns["Muon_pfRelIso03_all"]
    columns["Jet_btagUParTAK4B"] = columns.pop("Jet_btagDiscriminant")
    return {name: values for name, values in columns.items() if name not in ("Jet_btagProb85", "response")}


def test_rntuple_and_ttree_give_the_same(tmp_path: Path) -> None:
    columns = _nanoaod_v15(400)
    tree, rntuple = tmp_path / "tree.root", tmp_path / "rntuple.root"
    with uproot.recreate(tree) as file:
        write_tree(file, "Events", columns)
    with uproot.recreate(rntuple) as file:
        file.mkrntuple("Events", columns)
    nested = tmp_path / "nested.root"
    records = {
        name: ak.zip({key[len(name) + 1 :]: columns[key] for key in columns if key.startswith(f"{name}_")})
        for name in ("Electron", "Muon", "Jet")
    }
    flat = {key: x for key, x in columns.items() if key.split("_")[0] not in records}
    with uproot.recreate(nested) as file:
        file.mkrntuple("Events", {**flat, **records})
    first, second, third = (_run(str(path)).results["x"] for path in (tree, rntuple, nested))
    assert first.of(WHOLE).cutflows == second.of(WHOLE).cutflows == third.of(WHOLE).cutflows
    assert first.dialects == second.dialects == third.dialects == ("nanoaod_v15",)
    assert first.of(WHOLE).cutflows[NOMINAL].counts[-1] > 0


def flat_ntuple(columns: Mapping[str, Any], *, mev: bool) -> dict[str, Any]:
    """The same events as a flat ntuple of ATLAS Open Data."""
    unit = np.float32(1e3 if mev else 1.0)
    electrons, muons, jets = columns["Electron"], columns["Muon"], columns["Jet"]
    leptons = ak.concatenate([electrons, muons], axis=1)
    kind = ak.concatenate([ak.full_like(electrons.charge, 11), ak.full_like(muons.charge, 13)], axis=1)
    energy = np.hypot(jets.pt * np.cosh(jets.eta), jets.mass)
    return {
        "runNumber": columns["run"],
        "eventNumber": columns["event"],
        "mcWeight": columns["genWeight"],
        ("scaleFactor_PILEUP" if mev else "ScaleFactor_PILEUP"): np.full(len(leptons), 1.5, np.float32),
        ("SumWeights" if mev else "sum_of_weights"): np.full(len(leptons), 1234.5),
        "num_events": np.full(len(leptons), 5000),
        "lep_n": ak.num(leptons).to_numpy().astype(np.int32),
        "lep_pt": leptons.pt * unit,
        "lep_eta": leptons.eta,
        "lep_phi": leptons.phi,
        "lep_charge": leptons.charge,
        "lep_type": kind,
        "lep_isTightID": ak.ones_like(leptons.charge) > 0,
        ("lep_ptcone30" if mev else "lep_ptvarcone30"): leptons.pfRelIso03_all * leptons.pt * unit,
        "jet_n": ak.num(jets).to_numpy().astype(np.int32),
        "jet_pt": jets.pt * unit,
        "jet_eta": jets.eta,
        "jet_phi": jets.phi,
        ("jet_E" if mev else "jet_e"): energy * unit,
        "jet_jvt": ak.ones_like(jets.pt) if mev else ak.ones_like(jets.pt) > 0,
        ("jet_MV2c10" if mev else "jet_btag_quantile"): jets.btagDiscriminant
        if mev
        else ak.where(jets.btagDiscriminant > 0.15, 4, 1),
        ("met_et" if mev else "met"): columns["MET_pt"] * unit,
        "met_phi": columns["MET_phi"],
    }


@pytest.mark.parametrize("release", ["2020", "2025"])
def test_flat_ntuples_select_the_same_events(release: str, tmp_path: Path) -> None:
    columns = events(400, seed=31)
    nano_path = write_nanoaod(tmp_path / "nano.root", columns)
    mev = release == "2020"
    flat = tmp_path / "flat.root"
    with uproot.recreate(flat) as file:
        write_tree(file, "mini" if mev else "analysis", flat_ntuple(columns, mev=mev))
    selection: dict[str, Any] = {
        "btag_mode": "veto",
        "btag_working_points": {"simulation": 0.15, "atlas_opendata_2020": 0.15},
    }
    nano = _run(nano_path, **selection).results["x"].of(WHOLE).cutflows[NOMINAL]
    result = _run(str(flat), **selection)
    flow = result.results["x"].of(WHOLE).cutflows[NOMINAL]
    assert result.results["x"].dialects == (f"atlas_opendata_{release}",)
    assert flow.counts == nano.counts
    assert flow.counts[-1] > 10
    assert float(flow.sumw[0]) == pytest.approx(1.5 * float(nano.sumw[0]))
    factors = {"sf_electron", "sf_muon", "sf_trigger"}
    assert set(result.results["x"].substitutes) == {"met_track", "met_significance", "soft_ht", *factors}


def test_totals_are_not_added_over_files(tmp_path: Path) -> None:
    paths = []
    for seed, total in ((1, 1234.5), (2, 1234.5), (3, 99.0)):
        columns = flat_ntuple(events(30, seed=seed), mev=False)
        columns["sum_of_weights"] = np.full(30, total)
        paths.append(str(tmp_path / f"{seed}.root"))
        with uproot.recreate(paths[-1]) as file:
            write_tree(file, "analysis", columns)
    sums = _run(*paths[:2]).sums["x"]
    assert sums is not None
    assert (float(sums.sumw), sums.n_events) == (1234.5, 5000)
    with pytest.raises(DataError, match="different total sums"):
        _run(*paths)
    Path(paths[1]).write_bytes(b"gone")
    with pytest.raises(DataError, match="is that of all files together"):
        process_fileset(None, {"x": {"files": paths[:2]}}, vh_ww_processor(), allow_skip=True)


def test_mev_under_a_gev_dialect_stops(tmp_path: Path) -> None:
    columns = flat_ntuple(events(60, seed=1), mev=False)
    for name in ("lep_pt", "jet_pt", "jet_e", "met"):
        columns[name] = columns[name] * np.float32(1e3)
    path = str(tmp_path / "mev.root")
    with uproot.recreate(path) as file:
        write_tree(file, "analysis", columns)
    with pytest.raises(DataError, match=r"mev\.root: the median pT of the electrons .*MeV taken for GeV"):
        _run(path)


@pytest.mark.parametrize(
    ("name", "era", "n_events", "n_two_leptons", "substituted"),
    [
        (
            "nano_tt_v12.root",
            "2022",
            200,
            3,
            {"met_track_pt", "met_track_phi", "met_significance", "soft_ht"},
        ),
        ("nano_dy.root", "2018", 40, 5, {"met_significance", "soft_ht"}),
        ("PHYSLITE_example.root", None, 100, 23, {"met_track", "met_significance"}),
    ],
)
def test_files_of_the_experiments_pass(
    open_data: Path, name: str, era: str | None, n_events: int, n_two_leptons: int, substituted: set[str]
) -> None:
    path = str(open_data / name)
    result = _run(path, era=era)
    flow = result.results["x"].of(WHOLE).cutflows[NOMINAL]
    assert flow.counts[:2] == (n_events, n_two_leptons)
    assert set(result.results["x"].substitutes) == substituted
    with pytest.raises(DataError, match=f"{name} .* the card refuses the substitute"):
        _run(path, refuse_substitutes=True)


def test_events_of_the_experiments_reach_the_end_with_loose_cuts(open_data: Path, tmp_path: Path) -> None:
    loose = VHWWSelection(isolation_max=1e3, pt_lepton_veto_gev=14.0, btag_mode="veto")
    for name in ("nano_tt_v12.root", "PHYSLITE_example.root"):
        dialect = inspect_file(str(open_data / name)).dialect
        selection = loose.model_copy(update={"btag_working_points": {dialect: 1e9}})
        processor = vh_ww_processor(selection=selection, columns_directory=str(tmp_path))
        result = process_fileset(None, {name: {"files": [str(open_data / name)]}}, processor)
        n_selected = result.results[name].of(WHOLE).cutflows[NOMINAL].counts[-1]
        assert sum(file.n_rows for file in result.results[name].columns) == n_selected
        if name.startswith("nano"):
            assert n_selected >= 1
