"""Filesets from what people have: built, refreshed and checked; each mistake in one line."""

import gzip
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from coffea.dataset_tools.filespec import DataGroupSpec
from typer.testing import CliRunner

from tests.facility.small import card_content
from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from tests.processors.test_remote import Ranges
from znought.errors import CardError, DataError
from znought.facility.cards.reading import load_card
from znought.facility.cli import app
from znought.facility.filesets import grid
from znought.facility.filesets.building import built, checked
from znought.facility.filesets.sources import listed_files
from znought.facility.filesets.written import Origin, read_written
from znought.facility.ntuples.fileset import fileset_of_card, read_fileset
from znought.facility.ntuples.runner import process_fileset
from znought.facility.storage.credentials import Credentials

NAMES = {"ttbar": "c", "vh": "ab", "data": "de"}
DAS = "/TTTo2L2Nu_TuneCP5/RunIISummer20UL18-v1/NANOAODSIM"
FEW = 60


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the datasets below a folder each, as jobs leave them: with folders of their own below."""
    root = tmp_path_factory.mktemp("few") / "ntuples"
    for seed, (dataset, names) in enumerate(NAMES.items()):
        for i, name in enumerate(names):
            columns = events(FEW, seed=10 * seed + i, is_data=dataset == "data", first_event=i * FEW)
            write_nanoaod(root / dataset / f"000{i}" / f"{name}.root", columns)
    return root


@pytest.fixture
def tree(few: Path, tmp_path: Path) -> Path:
    """A copy, to be spoiled."""
    return shutil.copytree(few, tmp_path / "ntuples")


@pytest.fixture
def path(tree: Path) -> Path:
    """A fileset of it."""
    assert built(tree.parent / "fileset.json", Origin(sources=(str(tree),))).mistakes == ()
    return tree.parent / "fileset.json"


def _run(*words: object) -> tuple[int, str]:
    """Exit status, and everything that the command says."""
    done = CliRunner().invoke(app, ["fileset", *map(str, words)])
    if isinstance(done.exception, DataError | CardError):
        assert "\n" not in str(done.exception)
        return done.exit_code, str(done.exception)
    return done.exit_code, done.output


def _refused(*sources: object, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        listed_files(Origin(sources=tuple(map(str, sources)), **options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_becomes_a_fileset_that_coffea_reads_too(tree: Path) -> None:
    path = tree.parent / "fileset.json"
    status, said = _run(path, tree)
    assert status == 0, said
    sumw = 3.0 * float(np.asarray(events(FEW, seed=0)["genWeight"], np.float64).sum())
    assert f"ttbar: simulation, simulation, 1 file, {FEW} events, Σw {sumw:.10g}" in said
    assert f"data: recorded data, simulation, 2 files, {2 * FEW} events" in said
    content = json.loads(path.read_text())
    assert sorted(content["vh"]["files"]) == ["ntuples/vh/0000/a.root", "ntuples/vh/0001/b.root"]
    assert content["data"]["metadata"] == {"is_data": True, "n_events": 2 * FEW}
    spec = DataGroupSpec(content)
    assert spec["vh"].files["ntuples/vh/0000/a.root"].num_entries == FEW
    assert spec["vh"].files.num_entries == 2 * FEW


def test_refreshing_counts_what_is_new_or_changed_alone(tree: Path, path: Path) -> None:
    assert f"{path}: no file differs" in _run(path)[1]
    write_nanoaod(tree / "ttbar" / "f.root", events(100, seed=77))
    write_nanoaod(tree / "vh" / "0000" / "a.root", events(50, seed=78))
    (tree / "data" / "0001" / "e.root").unlink()
    looks = list[tuple[int, int]]()
    told = built(path, Origin(sources=()), progress=lambda *n: looks.append(n))
    assert told.mistakes == ()
    kinds = {line.partition(": ")[0]: line for line in told.lines[:3]}
    assert [kinds[kind].split("/")[-1] for kind in ("new", "changed", "gone")] == [
        "f.root (ttbar)",
        "a.root (vh)",
        "e.root (data)",
    ]
    assert looks == [(1, 2), (2, 2)]
    found = read_written(path)
    assert (found["vh"].n_events, found["data"].n_events, found["ttbar"].n_events) == (
        FEW + 50,
        FEW,
        FEW + 100,
    )


def _gone(tree: Path) -> None:
    (tree / "ttbar" / "0000" / "c.root").unlink()


def _cut(tree: Path) -> None:
    whole = (tree / "ttbar" / "0000" / "c.root").read_bytes()
    (tree / "ttbar" / "0000" / "c.root").write_bytes(whole[: len(whole) // 2])


def _twice(tree: Path) -> None:
    shutil.copy(tree / "vh" / "0000" / "a.root", tree / "vh" / "0001" / "b.root")


def _empty(tree: Path) -> None:
    columns = {name: values[:0] for name, values in events(9, seed=5).items()}
    runs = {"genEventCount": 9, "genEventSumw": 9.0, "genEventSumw2": 9.0, "genFilterAttempted": 9}
    write_nanoaod(tree / "ttbar" / "0000" / "c.root", columns, runs=runs)


def _of_data(tree: Path) -> None:
    write_nanoaod(tree / "vh" / "0002" / "x.root", events(9, seed=5, is_data=True))


def _lacking(tree: Path) -> None:
    columns = events(9, seed=5)
    write_nanoaod(
        tree / "vh" / "0002" / "x.root", {k: v for k, v in columns.items() if k != "MET_significance"}
    )


MISTAKES: dict[str, tuple[Callable[[Path], None], bool]] = {
    "ttbar: *c.root: no such file.": (_gone, True),
    "ttbar: *c.root: *truncated*": (_cut, False),
    "vh: *b.root is the same file as *a.root (vh); its events would count twice.": (_twice, False),
    "ttbar: *c.root holds no event.": (_empty, True),
    "vh: *x.root is recorded data, unlike 2 other files of the dataset.": (_of_data, False),
    "vh: *x.root lacks *met*, unlike 2 other files of the dataset.": (_lacking, False),
}


@pytest.mark.parametrize("line", MISTAKES)
def test_what_is_wrong_is_said_in_one_line(line: str, tree: Path, path: Path) -> None:
    spoil, stands_in_a_build = MISTAKES[line]
    before = path.read_bytes()
    spoil(tree)
    status, checks = _run(path, "--check")[0], checked(path)
    assert status == (1 if checks.mistakes else 0)
    again = built(path, Origin(sources=()))
    said = checks.mistakes if stands_in_a_build else again.mistakes
    assert [one for one in said if fnmatch(one, line.replace("[", "[[]"))], said
    assert (path.read_bytes() == before) is bool(again.mistakes)


def test_files_that_cannot_be_read_are_left_out_by_name_alone(tree: Path, path: Path) -> None:
    (tree / "vh" / "0000" / "a.root").write_bytes(b"no file")
    assert built(path, Origin(sources=())).mistakes[-1] == f"{path} was not written."
    told = built(path, Origin(sources=()), allow_skip=True)
    assert any(line.startswith("left out: vh: ") and "a.root" in line for line in told.lines)
    assert len(read_written(path)["vh"].files) == 1
    (tree / "vh" / "0001" / "b.root").write_bytes(b"no file")
    assert "vh: none of its files can be read." in built(path, Origin(sources=()), allow_skip=True).mistakes


def test_names_of_datasets_come_from_a_pattern(tree: Path) -> None:
    origin = Origin(sources=(str(tree),), pattern=r"/([a-z])\.root$")
    assert sorted(listed_files(origin)) == ["a", "b", "c", "d", "e"]
    assert "a.root: the pattern 'x(.)' of --dataset finds no name" in _refused(tree / "vh", pattern="x(.)")
    assert "expected one group (…)" in _refused(tree, pattern="x")
    assert "is no regular expression" in _refused(tree, pattern="(")


@pytest.fixture
def http(tree: Path) -> Iterator[str]:
    """Address of a web server that has the files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(tree))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_second_address_serves_where_the_first_does_not(tree: Path, http: str) -> None:
    listed = tree.parent / "ttbar.txt"
    listed.write_text(f"# addresses of one file on a line\n{http}/nowhere.root {http}/ttbar/0000/c.root\n")
    path = tree.parent / "fileset.json"
    assert built(path, Origin(sources=(str(listed),))).mistakes == ()
    (file,) = read_written(path)["ttbar"].files
    assert file.counts is not None
    assert (file.counts.n_events, file.counts.served_by) == (FEW, f"{http}/ttbar/0000/c.root")
    told = checked(path)
    assert told.mistakes == ()
    assert told.lines[0] == f"ttbar: {file.path} does not answer; read from {file.counts.served_by}"
    card = _card(tree, "fileset.json", ttbar={"process": "top", "xsec_pb": 1.0})
    fileset = fileset_of_card(load_card(card))
    found = process_fileset(None, fileset, vh_ww_processor(), chunk_size=100)
    assert found.read_from == {file.path: {file.counts.served_by}}


def test_a_redirector_stands_behind_every_address(tree: Path, http: str) -> None:
    listed = tree.parent / "lists.txt"
    listed.write_text("/store/mc/a.root\nroot://near//store/mc/b.root\n")
    redirectors = ("root://cms-xrd-global.cern.ch/", "https://cache.example")
    files = listed_files(Origin(sources=(str(listed),), redirectors=redirectors))["lists"].files
    first, second = ("root://cms-xrd-global.cern.ch//store/mc/", "https://cache.example/store/mc/")
    assert files[0].addresses == (f"{first}a.root", f"{second}a.root")
    assert files[1].addresses == ("root://near//store/mc/b.root", f"{first}b.root", f"{second}b.root")
    assert "is a logical name: give --redirector" in _refused(listed)
    listed.write_text(f"{http.replace('127.0.0.1', '127.0.0.2')}/ttbar/0000/c.root\n")
    path = tree.parent / "fileset.json"
    assert built(path, Origin(sources=(str(listed),), redirectors=(http,))).mistakes == ()


def test_both_layouts_of_coffea_are_read(tree: Path) -> None:
    a, b = (str(tree / "vh" / f"000{i}" / f"{name}.root") for i, name in enumerate("ab"))
    spec = {"object_path": "Events", "steps": [[0, 9]], "num_entries": FEW, "uuid": "x", "format": "root"}
    layouts: list[Any] = [
        {"vh": [a, b]},
        {"vh": {"files": [a, b], "treename": "Events"}},
        {"vh": {"files": {a: "Events", b: "Events"}, "metadata": {"xsec": 1.0}}},
        {"vh": {"files": {a: spec, b: spec}, "form": None, "metadata": None}},
    ]
    given, path = tree.parent / "coffea.json", tree.parent / "fileset.json"
    for layout in layouts:
        given.write_text(json.dumps(layout))
        assert built(path, Origin(sources=(str(given),))).mistakes == ()
        assert read_written(path)["vh"].n_events == 2 * FEW
        card = _card(tree, "coffea.json", vh={"process": "VH", "xsec_pb": 1.0})
        assert list(read_fileset(given, load_card(card))["vh"]["files"]) == [a, b]
    packed = tree.parent / "coffea_available.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(layouts[3]).encode()))
    assert [file.path for file in listed_files(Origin(sources=(str(packed),)))["vh"].files] == [a, b]
    mistakes: list[Any] = [{"vh": 3}, {"vh": {"files": {a: 3}}}, {"vh": []}]
    for wrong in mistakes:
        given.write_text(json.dumps(wrong))
        assert "coffea.json: vh: expected a list of paths, or" in _refused(given)
    given.write_text(json.dumps({"vh": [a, a]}))
    assert "a.root is listed twice; its events would count twice." in _refused(given)


def _card(tree: Path, fileset: str, **datasets: Any) -> Path:
    """A card that names a fileset beside it, and no file."""
    content = card_content(tree) | {"fileset": fileset, "datasets": datasets}
    path = tree.parent / "card.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_card_takes_the_files_of_its_fileset(tree: Path, path: Path) -> None:
    datasets: dict[str, Any] = {
        "vh": {"process": "VH", "xsec_pb": 1.0},
        "data": {"process": "data", "lumi_ifb": 2.0},
    }
    card = load_card(_card(tree, path.name, **datasets))
    fileset = fileset_of_card(card)
    assert [Path(file).name for file in fileset["data"]["files"]] == ["d.root", "e.root"]
    assert fileset["data"]["metadata"]["n_events"] == 2 * FEW
    assert _run(path, "--check", "--card", _card(tree, path.name, **datasets))[0] == 0
    mistaken = {
        "Unknown dataset 'vhh', did you mean 'vh'?": {"vhh": datasets["vh"]},
        "datasets.data: its files are recorded data, the card says simulation.": {"data": datasets["vh"]},
        "datasets.vh: its files are simulation, the card says recorded data.": {"vh": datasets["data"]},
    }
    for line, given in mistaken.items():
        with pytest.raises(CardError, match=re.escape(line)):
            load_card(_card(tree, path.name, **given))
    with pytest.raises(DataError, match=r"nowhere\.json does not exist"):
        load_card(_card(tree, "nowhere.json", **datasets))


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("nowhere", "nowhere: no such file or folder; expected a folder, a text file, a fileset (JSON) or"),
        ("mc20_13TeV:mc20_13TeV.410470.DAOD_PHYSLITE", "write a list with `rucio list-file-replicas"),
        (DAS, "Names of datasets need the client of Rucio"),
    ],
)
def test_a_source_that_is_none_is_refused(source: str, line: str) -> None:
    assert line in _refused(source)


def test_wrong_lines_and_options_are_refused(tree: Path, path: Path) -> None:
    listed = tree.parent / "lists.txt"
    for text, line in {
        "": "lists no file and no dataset.",
        f"a b {DAS}": "lists.txt, line 1: expected NAME /A/B/TIER.",
        "s3://bucket/a.root": "expected a path or an address with root://",
        "a.root\na.root": "a.root is listed twice in lists",
        f"{DAS}\n{DAS.replace('v1', 'v2')}": f"line 2: {DAS} is called",
    }.items():
        listed.write_text(text)
        assert line in _refused(listed)
    assert "this source says where its files stand" in _refused(tree, blocked=("T2_XX",))
    assert "another source has a dataset 'data', too" in _refused(tree, path)
    assert "belongs to two datasets" in _refused(tree, path, pattern=r"(\w)\.root")
    (tree / "empty").mkdir()
    assert "no file *.root below this folder" in _refused(tree / "empty")
    assert "a fileset is refreshed with the options that it was built with" in _run(path, "--tree", "x")[1]
    assert "give SOURCE" in _run(tree.parent / "other.json")[1]
    assert "--check looks at the fileset as it stands" in _run(path, tree, "--check")[1]
    path.write_text(json.dumps({"vh": [str(tree / "vh" / "0000" / "a.root")]}))
    assert "was written by another program: give the SOURCE" in _run(path)[1]


SITES = {"T2_A": "root://a/", "T2_B": "root://b/", "T1_TAPE": "root://tape/"}


class _Client:
    """What Rucio answers of two files; the second is at one site alone."""

    def list_replicas(self, dids: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        known = {"/MuonEG/Run2018A-UL-v1/NANOAOD": ("x", "y"), DAS: ("t",)}
        for name in known.get(dids[0]["name"], ()):
            at = ("T2_A",) if name == "y" else ("T2_A", "T2_B", "T1_TAPE")
            yield {
                "name": f"/store/{name}.root",
                "rses": {site: [f"{site}/{name}"] for site in at},
                "states": dict.fromkeys(at, "AVAILABLE"),
                "pfns": {
                    f"{site}/{name}": {"type": "TAPE" if "TAPE" in site else "DISK", "volatile": False}
                    for site in at
                },
            }

    def list_dids(self, scope: str, filters: dict[str, str], long: bool) -> Iterator[str]:
        if filters["name"].startswith("/MuonEG/"):
            yield "/MuonEG/Run2018A-UL-v1/NANOAOD"


@pytest.fixture
def rucio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A client that answers without a server: coffea's own tools stand between it and us.

    Simulated at the boundary: the class of Rucio's client, its exception, and the map of CVMFS.
    """
    modules = {name: ModuleType(name) for name in ("rucio", "rucio.client", "rucio.common")}
    error = ModuleType("rucio.common.exception")
    error.RucioException = type("RucioException", (Exception,), {})  # type: ignore[attr-defined]
    modules["rucio.client"].Client = _Client  # type: ignore[attr-defined]
    for name, module in {**modules, "rucio.common.exception": error}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "coffea.dataset_tools.rucio_utils", raising=False)
    monkeypatch.setenv("RUCIO_HOME", str(tmp_path))
    monkeypatch.setattr(grid, "_MAP", tmp_path)
    from coffea.dataset_tools import rucio_utils

    monkeypatch.setattr(rucio_utils, "get_xrootd_sites_map", lambda: SITES)
    monkeypatch.setattr(grid, "credentials_for", lambda kind: Credentials(files={"X509_USER_PROXY": b""}))
    yield tmp_path
    sys.modules.pop("coffea.dataset_tools.rucio_utils", None)
    # The package keeps what it has imported once.
    delattr(sys.modules["coffea.dataset_tools"], "rucio_utils")


def test_names_on_the_grid_become_addresses_by_site(rucio: Path) -> None:
    listed = rucio / "names.txt"
    listed.write_text(f"tt {DAS}\n/MuonEG/Run2018A-UL-v1/NANOAOD\n")
    found = listed_files(Origin(sources=(str(listed),), preferred=("T2_B",)))
    assert [file.addresses for file in found["tt"].files] == [
        ("root://b//store/t.root", "root://a//store/t.root")
    ]
    assert [file.addresses for file in found["MuonEG_Run2018A"].files] == [
        ("root://b//store/x.root", "root://a//store/x.root"),
        ("root://a//store/y.root",),
    ]
    near = listed_files(
        Origin(sources=("/MuonEG/Run2018*/NANOAOD",), allowed=("T2_A", "T2_B"), blocked=("T2_B",))
    )
    assert {address for file in near["MuonEG_Run2018"].files for address in file.addresses} == {
        "root://a//store/x.root",
        "root://a//store/y.root",
    }
    behind = listed_files(Origin(sources=(DAS,), allowed=("T2_A",), redirectors=("root://all/",)))
    assert behind["TTTo2L2Nu_TuneCP5"].files[0].addresses == (
        "root://a//store/t.root",
        "root://all//store/t.root",
    )


def test_the_grid_is_refused_in_one_line(rucio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = "/MuonEG/Run2018A-UL-v1/NANOAOD"
    assert f"{data}: 1 of 2 files stand nowhere at T2_B" in _refused(data, allowed=("T2_B",))
    assert "every site of it is --blocked" in _refused(data, allowed=("T2_B",), blocked=("T2_B",))
    assert "/A/B-v1/NANOAOD: the grid knows no file of it." in _refused("/A/B-v1/NANOAOD")
    assert "no dataset of the grid has such a name" in _refused("/A/B*/NANOAOD")
    monkeypatch.setattr(grid, "_MAP", rucio / "nowhere")
    assert "the sites' own description: mount CVMFS" in _refused(data)
    monkeypatch.setattr(grid, "credentials_for", lambda kind: Credentials())
    assert "need a proxy: make one with `voms-proxy-init -voms cms`" in _refused(data)
