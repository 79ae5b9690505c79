"""A number that is none, a list where a number belongs, a link to nowhere: named, never read as something."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod, write_tree
from tests.processors.test_identification import n_selected, nanoaod, run, written
from znought.errors import DataError, ReadError
from znought.facility.ntuples.runner import process_fileset
from znought.processors.dialects import DIALECTS
from znought.processors.dialects.physlite import PHYSLITE
from znought.processors.dialects.view import Entries, View
from znought.processors.dialects.working_points import working_point
from znought.processors.reading import Tree

Columns = dict[str, Any]
VETO: dict[str, Any] = {"metadata": {"era": "2018"}, "btag_mode": "veto"}


def _with(columns: Columns, name: str, values: Any) -> Columns:
    return {**columns, name: values}


def _spoiled(columns: Columns, name: str, value: float) -> Columns:
    """Every value of the branch is replaced."""
    return _with(columns, name, columns[name] * 0 + np.float32(value))


# --- not a number -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "branch",
    [
        "MET_pt",
        "MET_phi",
        "MET_significance",
        "TkMET_pt",
        "SoftActivityJetHT",
        "genWeight",
        "Jet_btagDeepFlavB",
        "Jet_pt",
        "Jet_eta",
        "Jet_mass",
        "Electron_pt",
        "Muon_eta",
        "Muon_pfRelIso04_all",
    ],
)
def test_no_number_is_made_of_nan_or_infinity(tmp_path: Path, branch: str, value: float) -> None:
    path = written(tmp_path / "a.root", _spoiled(nanoaod(9), branch, value))
    with pytest.raises(
        DataError, match=rf"a\.root: branch {branch} holds -?(nan|inf) in \d+ of \d+ values, .*entry"
    ):
        run(path, **VETO)


def test_the_first_entry_is_named(tmp_path: Path) -> None:
    columns = nanoaod(9)
    pt = columns["Muon_pt"]
    event = int(np.flatnonzero(ak.num(pt) == 2)[3])
    counts, flat = ak.num(pt), ak.to_numpy(ak.flatten(pt)).copy()
    flat[int(np.cumsum(counts)[event]) - 1] = np.nan
    path = written(tmp_path / "a.root", _with(columns, "Muon_pt", ak.unflatten(flat, counts)))
    with pytest.raises(
        DataError, match=rf"holds nan in 1 of {len(flat)} values, the first in entry {event}:"
    ):
        run(path, **VETO)
    # An event that nothing is asked of beyond its leptons takes no harm from its jets.
    lonely = int(np.flatnonzero((ak.num(columns["Muon_pt"]) == 0) & (ak.num(columns["Jet_pt"]) > 0))[0])
    counts, flat = ak.num(columns["Jet_pt"]), ak.to_numpy(ak.flatten(columns["Jet_pt"])).copy()
    flat[int(np.cumsum(counts)[lonely]) - 1] = np.nan
    other = written(tmp_path / "b.root", _with(columns, "Jet_pt", ak.unflatten(flat, counts)))
    assert n_selected(run(other, **VETO)) == n_selected(run(written(tmp_path / "c.root", columns), **VETO))


# --- shapes -------------------------------------------------------------------------------------------


def _one_fewer(values: ak.Array) -> ak.Array:
    return values[:, :-1]


def _doubled(values: ak.Array) -> ak.Array:
    return ak.concatenate([values, values], axis=1)


def _shifted(values: ak.Array) -> ak.Array:
    """The lists of the next event: the same number of values in all."""
    return ak.concatenate([values[1:], values[:1]])


@pytest.mark.parametrize("reshape", [_one_fewer, _doubled, _shifted])
@pytest.mark.parametrize(
    "branch", ["Jet_btagDeepFlavB", "Jet_eta", "Jet_jetId", "Electron_cutBased", "Muon_charge"]
)
def test_fields_of_one_collection_hold_as_many_values(
    tmp_path: Path, branch: str, reshape: Callable[[ak.Array], ak.Array]
) -> None:
    columns = nanoaod(9)
    path = written(tmp_path / "a.root", _with(columns, branch, reshape(columns[branch])))
    with pytest.raises(DataError, match=r"a\.root: branch \w+ holds \d+ values in entry \d+ where \w+ holds"):
        run(path, **VETO)


@pytest.mark.parametrize("branch", ["MET_pt", "event", "genWeight", "SoftActivityJetHT"])
def test_a_number_per_event_is_no_list(tmp_path: Path, branch: str) -> None:
    columns = nanoaod(9)
    counts = np.tile([0, 1, 2], len(columns[branch]) // 3)
    lists = ak.unflatten(np.asarray(columns[branch]), counts)
    path = written(tmp_path / "a.root", _with(columns, branch, lists))
    processor = vh_ww_processor(tmp_path)
    with pytest.raises(DataError, match=rf"a\.root: branch {branch} holds a list of numbers per event"):
        process_fileset(None, {"x": {"files": [path], "metadata": {"era": "2018"}}}, processor)


def test_a_list_per_event_is_no_number(tmp_path: Path) -> None:
    columns = nanoaod(9)
    for branch, values in (("Jet_pt", columns["MET_pt"]), ("Muon_tightId", columns["run"])):
        path = written(tmp_path / "a.root", _with(columns, branch, values))
        with pytest.raises(
            DataError, match=rf"a\.root: branch {branch} holds one number per event, not a list"
        ):
            run(path, **VETO)


def test_deeper_shapes_and_other_types_are_refused(tmp_path: Path) -> None:
    columns = nanoaod(9)
    square = np.stack([columns["MET_pt"]] * 3, axis=1)
    path = written(tmp_path / "a.root", _with(columns, "MET_pt", square))
    with pytest.raises(DataError, match=r"a\.root: branch MET_pt holds"):
        run(path, **VETO)


@pytest.mark.parametrize(
    ("branch", "values"),
    [
        ("run", np.full(300, -1, np.int32)),
        ("luminosityBlock", np.full(300, 2**40, np.int64)),
        ("event", np.linspace(0.0, 299.0, 300)),
    ],
)
def test_numbers_of_an_event_are_never_bent(tmp_path: Path, branch: str, values: Any) -> None:
    path = written(tmp_path / "a.root", _with(nanoaod(9), branch, values))
    processor = vh_ww_processor(tmp_path)
    with pytest.raises(DataError, match=rf"a\.root: branch {branch} holds .*, expected"):
        process_fileset(None, {"x": {"files": [path], "metadata": {"era": "2018"}}}, processor)


# --- identity -----------------------------------------------------------------------------------------


def test_without_any_number_an_event_is_its_entry_and_with_some_it_is_refused(tmp_path: Path) -> None:
    columns = nanoaod(9)
    none = {
        name: values for name, values in columns.items() if name not in ("run", "luminosityBlock", "event")
    }
    found = run(written(tmp_path / "a.root", none), **VETO)
    assert "file and entry" in found.results["x"].substitutes["identity"]
    some = {name: values for name, values in columns.items() if name != "luminosityBlock"}
    with pytest.raises(DataError, match=r"b\.root lacks .*luminosity_block \(branch luminosityBlock\)"):
        run(written(tmp_path / "b.root", some), **VETO)


def test_numbers_beyond_half_of_the_range_survive(tmp_path: Path) -> None:
    columns = events(50, seed=3)
    columns["event"] = np.uint64(2**63 + 5) + np.arange(50, dtype=np.uint64)
    path = write_nanoaod(tmp_path / "a.root", columns)
    with uproot.open(path) as directory:
        view = View(
            Entries(Tree(directory, "Events"), 0, 50, {}), DIALECTS["simulation"].layout(columns_of(path))
        )
        assert view.whole("event", np.uint64).tolist() == [2**63 + 5 + i for i in range(50)]


def columns_of(path: str) -> set[str]:
    with uproot.open(path) as directory:
        return set(directory["Events"].keys())


# --- links --------------------------------------------------------------------------------------------


def _view(columns: Columns, folder: Path) -> View:
    """PHYSLITE jets with links, in a tree that any name may stand in."""
    path = folder / "links.root"
    with uproot.recreate(path) as file:
        write_tree(file, "CollectionTree", columns)
    layout = PHYSLITE.layout(PHYSLITE.branches())
    branches = {name: name for name in columns}
    layout = type(layout)(layout.dialect, branches, {}, {})
    tree = Tree(uproot.open(path), "CollectionTree")
    return View(Entries(tree, 0, 2, {"filename": str(path)}), layout)


def _links(index: list[list[int]], key: list[list[int]], eta: list[list[float]]) -> Columns:
    return {
        "jet_pt": ak.values_astype(ak.Array([[50.0, 40.0], [30.0]]), np.float32),
        "jet_eta": ak.values_astype(ak.Array(eta), np.float32),
        "jet_btag_index": ak.values_astype(ak.Array(index), np.uint32),
        "jet_btag_key": ak.values_astype(ak.Array(key), np.uint32),
        "btag_pb": ak.values_astype(ak.Array([[0.9, 0.1], [0.5]]), np.float32),
        "btag_pc": ak.values_astype(ak.Array([[0.05, 0.1], [0.2]]), np.float32),
        "btag_pu": ak.values_astype(ak.Array([[0.05, 0.8], [0.3]]), np.float32),
    }


KEY = 582299515
CENTRAL = [[0.0, 1.0], [2.0]]


def test_links_lead_to_their_own_tagging(tmp_path: Path) -> None:
    found = PHYSLITE.btag(_view(_links([[1, 0], [0]], [[KEY, KEY], [KEY]], CENTRAL), tmp_path))
    expected = [
        np.log(b / (0.018 * c + 0.982 * u))
        for b, c, u in ((0.1, 0.1, 0.8), (0.9, 0.05, 0.05), (0.5, 0.2, 0.3))
    ]
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_decision_of_the_file_stands_in_front_of_the_probabilities(tmp_path: Path) -> None:
    branch = "AnalysisJetsAuxDyn.GN2v01_FixedCutBEff_85_select"
    layout = PHYSLITE.layout({*PHYSLITE.branches()} - {"BTagging_AntiKt4EMPFlowAuxDyn.DL1dv01_pb"})
    assert layout.branches["jet_btag"] == branch
    assert not {"btag_pb", "jet_btag_index", "jet_btag_key"} & {*layout.missing}
    assert working_point(layout, era=None, given={}, path="x.root") == 0.5
    columns = _links([[1, 0], [0]], [[KEY, KEY], [KEY]], CENTRAL)
    decision = {"jet_btag": ak.values_astype(ak.Array([[0, 1], [1]]), np.int8)}
    np.testing.assert_array_equal(PHYSLITE.btag(_view(columns | decision, tmp_path)), [0.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("index", "key"),
    [
        ([[0, 2], [0]], [[KEY, KEY], [KEY]]),  # the tagging of the next event
        ([[0, 1], [7]], [[KEY, KEY], [KEY]]),
        ([[0, 0], [0]], [[KEY, 0], [KEY]]),  # null
        ([[0, 1], [0]], [[KEY, KEY], [12345]]),  # another collection
        ([[0, 4294967295], [0]], [[KEY, KEY], [KEY]]),
    ],
)
def test_a_null_or_foreign_link_is_refused_where_jets_can_be_tagged(
    tmp_path: Path, index: list[list[int]], key: list[list[int]]
) -> None:
    with pytest.raises(
        DataError, match=r"links\.root: branch \S+ links 1 of 3 jets to no b-tagging of their event"
    ):
        PHYSLITE.btag(_view(_links(index, key, CENTRAL), tmp_path))
    # Beyond the tracker no jet can be tagged, and none needs a link.
    outside = [[3.0 if wrong(i, k, 2) else 0.0 for i, k in zip(index[0], key[0], strict=True)]]
    outside.append([3.0 if wrong(index[1][0], key[1][0], 1) else 0.0])
    found = PHYSLITE.btag(_view(_links(index, key, outside), tmp_path))
    assert np.isneginf(found).sum() == 1


def wrong(index: int, key: int, n: int) -> bool:
    return key != KEY or index >= n


# --- bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [uproot.ZLIB(4), uproot.LZMA(4), uproot.LZ4(4), uproot.ZSTD(4), None])
def test_a_damaged_basket_is_a_read_error_that_names_file_and_branch(
    tmp_path: Path, compression: Any
) -> None:
    path = tmp_path / "a.root"
    with uproot.recreate(path, compression=compression) as file:
        write_tree(file, "Events", nanoaod(9))
    with uproot.open(path) as directory:
        branch = directory["Events/Jet_jetId"]
        seek, size = int(branch.member("fBasketSeek")[0]), branch.basket_compressed_bytes(0)
    spoiled = bytearray(path.read_bytes())
    if compression is None:
        # Nothing checks numbers that are stored as they are; a length that is wrong shows.
        spoiled[seek : seek + 4] = b"\x7f\xff\xff\xff"
    else:
        middle = seek + size // 2
        spoiled[middle : middle + 40] = bytes(255 - byte for byte in spoiled[middle : middle + 40])
    path.write_bytes(spoiled)
    with (
        uproot.open(path) as directory,
        pytest.raises(ReadError, match=r"a\.root: branch Jet_jetId cannot be read"),
    ):
        Tree(directory, "Events").read(["Jet_jetId"], 0, 300)
