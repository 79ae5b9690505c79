"""`znought init`: what it writes runs as it is, and nothing is overwritten."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml

from tests.facility.small import context_of, write_ntuples
from tests.integration.conftest import ROOT, znought
from znought.errors import CardError, DataError
from znought.facility.cards.checking import check_card
from znought.facility.cards.location import the_card
from znought.facility.pipeline import flow_of, run_stages
from znought.facility.regions.validation import read_validation
from znought.facility.results.standard import Results, read_results
from znought.facility.starting.from_files import datasets_of, start_from_files
from znought.facility.starting.own_events import start
from znought.facility.workspace import Workspace

OPEN_DATA = Path(os.environ.get("ZNOUGHT_OPEN_DATA", ROOT.parent / "shared" / "data"))
CMS = ("nano_dimuon", "nano_dy", "nano_tt_v12")


def _results(card: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Everything but the figures, from the card's own folder."""
    monkeypatch.chdir(card.parent)
    context = context_of(card, card.parent / "output")
    run_stages(context, [stage for stage in flow_of(context).stages[1:] if stage.name != "plot"])
    return read_results(context.workspace.results)


def test_own_events_give_a_resonance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = start(tmp_path / "peak")
    assert all(path.is_file() for path in written)
    monkeypatch.chdir(tmp_path / "peak")
    report = check_card(the_card())
    assert report.problems == ()
    results = _results(the_card().resolve(), monkeypatch)
    assert results.fit is not None
    assert results.fit.mu == pytest.approx(1.0, abs=1e-3)
    assert results.fit.z0 is not None
    assert 3.0 < results.fit.z0 < 4.5
    assert results.substitutes == {}
    peak, sideband = (results.regions[name]["signal"].events[0] for name in ("peak", "sideband"))
    assert peak > 90
    assert sideband < 0.1
    with pytest.raises(CardError, match="nothing is overwritten"):
        start(tmp_path / "peak")


def test_the_pairs_are_what_they_say(tmp_path: Path) -> None:
    start(tmp_path / "peak")
    with uproot.open(tmp_path / "peak/ntuples/background.root") as file:
        muons = file["Events"].arrays(["Muon_pt", "Muon_eta"])
        total = float(file["Runs"]["genEventSumw"].array()[0])
    assert total == len(muons) == 40_000
    assert (abs(muons.Muon_eta) < 2.5).to_list()


@pytest.mark.parametrize("name", ["json", "a-b", "7up", "sys"])
def test_a_name_that_no_module_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CardError, match="NAME"):
        start(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_card_is_found_where_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="holds no card"):
        the_card(tmp_path)
    (tmp_path / "other.yaml").write_text("key: 1\n")
    (tmp_path / "a.yaml").write_text("# mine\nanalysis: a.py\n")
    assert the_card(tmp_path) == tmp_path / "a.yaml"
    (tmp_path / "b.yaml").write_text("analysis: b.py\n")
    with pytest.raises(CardError, match=r"holds a\.yaml, b\.yaml"):
        the_card(tmp_path)


@pytest.fixture(scope="module")
def ntuples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntuples")
    write_ntuples(folder)
    return folder


def _named(folder: Path, source: Path, names: dict[str, str]) -> list[str]:
    """Copies under other names, and the names of the datasets that they make."""
    for name, file in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / f"{file}.root", folder / name)
    return [dataset.name for dataset in datasets_of([str(folder / "**/*.root")])]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"vh_1.root": "a", "vh_2.root": "b", "tt.root": "c"}, ["tt", "vh"]),
        ({"tt_v12.root": "a", "data2017.root": "d"}, ["data2017", "tt_v12"]),
        ({"tt/1.root": "a", "tt/2.root": "b", "muons/1.root": "d"}, ["muons", "tt"]),
    ],
)
def test_files_are_told_apart_by_folder_or_name(
    ntuples: Path, tmp_path: Path, names: dict[str, str], expected: list[str]
) -> None:
    assert _named(tmp_path, ntuples, names) == expected


def test_files_that_make_no_dataset_are_refused(ntuples: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="both would be dataset 'x'"):
        _named(tmp_path / "mixed", ntuples, {"x_1.root": "a", "x_2.root": "d"})
    with pytest.raises(DataError, match="would be counted twice"):
        _named(tmp_path / "twice", ntuples, {"x_1.root": "a", "y.root": "a"})
    with pytest.raises(DataError, match="no file matches"):
        datasets_of([str(tmp_path / "*.parquet")])
    with pytest.raises(DataError, match="no file matches"):
        start_from_files(tmp_path / "none", [str(tmp_path / "*.rot")])
    assert not (tmp_path / "none").exists()


def _cms(tmp_path: Path) -> Any:
    for name in CMS:
        if not (OPEN_DATA / f"{name}.root").is_file():
            pytest.skip(
                f"{name}.root is not in {OPEN_DATA}; set ZNOUGHT_OPEN_DATA to the folder that holds it"
            )
    written = start_from_files(tmp_path / "cms", [str(OPEN_DATA / "nano_*.root")])
    return yaml.safe_load(written[1].read_text()), written


def test_files_of_cms_give_a_card_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, (module, path) = _cms(tmp_path)
    assert {name: entry["process"] for name, entry in card["datasets"].items()} == {
        "nano_dimuon": "data",
        "nano_dy": "nano_dy",
        "nano_tt_v12": "nano_tt_v12",
    }
    # Only the excerpt without the tree Runs needs a sum, and it is that of its own 200 events.
    assert [name for name, entry in card["datasets"].items() if "generated_sumw" in entry] == ["nano_tt_v12"]
    assert card["label"] == "Simulation, cross sections of 1 pb"
    text = path.read_text()
    assert text.count("# GIVE") == 5
    assert "PuppiMET in place of the track-based one" in text
    assert "sum of weights over all generated events, of the files: 1.516668674e+10" in text
    compile(module.read_text(), str(module), "exec")
    results = _results(path, monkeypatch)
    assert {name: entry.raw for name, entry in results.events.items()} == {"nano_dy": 16, "nano_tt_v12": 111}
    with uproot.open(OPEN_DATA / "nano_tt_v12.root") as file:
        weights = file["Events"]["genWeight"].array(library="np")
    validation = read_validation(Workspace(path.parent / "output"))
    assert validation is not None
    # Whole numbers have a bin each, as far as any event goes: the one for all beyond is empty.
    jets = validation.inputs["n_jets"]
    np.testing.assert_array_equal(np.diff(jets.edges), 1.0)
    assert (sum(jets.data), jets.data[-1]) == (22.0, 0.0)
    assert all(sumw[-1] == 0.0 for sumw, _ in jets.processes.values())
    # Of 200 equal weights one is negative, and its event does not pass.
    expected = 1e3 * 111 * weights.max() / weights.sum()
    assert results.events["nano_tt_v12"].weighted == pytest.approx(expected, rel=1e-6)


def test_files_of_atlas_give_a_card_that_is_right(tmp_path: Path) -> None:
    file = OPEN_DATA / "PHYSLITE_example.root"
    if not file.is_file():
        pytest.skip(f"{file.name} is not in {OPEN_DATA}; set ZNOUGHT_OPEN_DATA to the folder that holds it")
    _, path = start_from_files(tmp_path / "atlas", [str(file)])
    report = check_card(path)
    assert report.problems == ()
    assert "of the first 100 pass" in str(report.tried)


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    done = znought("init", tmp_path / "first")
    assert f"cd {tmp_path / 'first'}" in done.stdout
    again = znought("init", tmp_path / "first", check=False)
    assert again.returncode == 1
    assert "nothing is overwritten" in again.stderr
    assert "Traceback" not in again.stderr
    files = {path.name for path in (tmp_path / "first").rglob("*") if path.is_file()}
    assert files == {"first.py", "first.yaml", "signal.root", "background.root", "data.root"}
