"""Canonical events: the same collections, fields and methods in GeV for every format, read when touched."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

from tests.processors.fixtures import events, whole_chunk, write_nanoaod, write_tree
from tests.processors.test_opendata import _nanoaod_v15, flat_ntuple
from znought.errors import CardError, DataError
from znought.processors.canonical import Settings, canonical_events, varied_events
from znought.processors.variations import Variation, VariationsConfig

_FIVE = VariationsConfig(enabled=("jes", "jer", "lepton_scale", "met_soft", "btag")).of_events()
_JES, _LEPTONS = Variation("jes", "up", 0.05), Variation("lepton_scale", "up", 0.05)
_LOOSE = Settings(
    {"Jet_btagDeepFlavB": 0.0490, "Jet_btagPNetB": 0.047, "Jet_btagUParTAK4B": 0.1, "physlite": 0.948}
)
_FILES = {"nano_tt_v12.root": "Events", "nano_dy.root": "Events", "PHYSLITE_example.root": "CollectionTree"}


def _values(array: Any) -> Any:
    return ak.to_numpy(ak.flatten(array, axis=None))


def test_only_what_is_touched_is_read(simulated: tuple[str, str]) -> None:
    chunk = whole_chunk(simulated[0])
    found = canonical_events(chunk).array
    assert not chunk.view._columns
    jets = found.Jet[found.Jet.pt > 30.0]
    assert set(chunk.view._columns) == {"nJet", "Jet_pt"}
    assert ak.sum(jets.is_btagged) > 0
    assert set(chunk.view._columns) == {"nJet", "Jet_pt", "Jet_btagDiscriminant"}


@pytest.mark.parametrize("name", _FILES)
def test_files_of_the_experiments_have_objects_in_float64_and_gev(open_data: Path, name: str) -> None:
    chunk = whole_chunk(str(open_data / name), tree=_FILES[name])
    found = canonical_events(chunk, _LOOSE).array
    for collection in (found.Electron, found.Muon, found.Jet):
        for field in ("pt", "eta", "phi", "mass"):
            assert _values(collection[field]).dtype == np.float64
    assert 20.0 < np.median(_values(found.Jet.pt)) < 60.0
    assert 0 < ak.sum(found.Electron.is_tight) < ak.count(found.Electron.pt)
    assert 0 < ak.sum(found.Jet.is_good) < ak.count(found.Jet.pt) + 1
    assert 0 < ak.sum(found.Jet.is_btagged) < ak.count(found.Jet.pt)
    assert np.all(_values(found.MET.pt) > 0.0)


@pytest.mark.parametrize("name", ["nano_tt_v12.root", "nano_dy.root"])
def test_nanoaod_is_as_coffea_reads_it(open_data: Path, name: str) -> None:
    ours = canonical_events(whole_chunk(str(open_data / name))).array
    with uproot.open(open_data / name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cross-references that this version lacks
        theirs = NanoEventsFactory.from_root(file, treepath="Events", schemaclass=NanoAODSchema).events()
        assert set(ours.fields) >= set(theirs.fields)
        for collection in ("Electron", "Jet", "GenPart"):
            assert ak.all(ours[collection].pt == theirs[collection].pt)
        matched, expected = ours.Electron.matched_gen.pt, theirs.Electron.matched_gen.pt
        assert ak.to_list(matched) == ak.to_list(expected)
        assert ak.to_list(ours.GenPart.distinctParent.pdgId) == ak.to_list(
            theirs.GenPart.distinctParent.pdgId
        )
        # coffea computes in the float32 of the file
        near = ours.Electron.delta_r(ours.Electron.nearest(ours.Jet))
        assert ak.all(abs(near - theirs.Electron.delta_r(theirs.Electron.nearest(theirs.Jet))) < 1e-3)


def test_masses_of_sums_are_those_of_four_vectors(simulated: tuple[str, str]) -> None:
    jets = canonical_events(whole_chunk(simulated[0])).array.Jet
    first, second = ak.unzip(ak.combinations(jets, 2))
    mass = _values((first + second).mass)
    parts = [
        _four_vector(*(_values(jet[name]) for name in ("pt", "eta", "phi", "mass")))
        for jet in (first, second)
    ]
    e, px, py, pz = parts[0] + parts[1]
    np.testing.assert_allclose(mass, np.sqrt(e**2 - px**2 - py**2 - pz**2), rtol=1e-9)


def _four_vector(pt: Any, eta: Any, phi: Any, mass: Any) -> Any:
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return np.stack([np.sqrt(px**2 + py**2 + pz**2 + mass**2), px, py, pz])


@pytest.mark.parametrize("release", ["2020", "2025"])
def test_flat_ntuples_give_the_same_objects(release: str, tmp_path: Path) -> None:
    columns = events(100, seed=3)
    nano = canonical_events(whole_chunk(write_nanoaod(tmp_path / "nano.root", columns))).array
    tree = "mini" if release == "2020" else "analysis"
    with uproot.recreate(tmp_path / "flat.root") as file:
        write_tree(file, tree, flat_ntuple(columns, mev=release == "2020"))
    chunk = whole_chunk(str(tmp_path / "flat.root"), tree=tree)
    flat = canonical_events(chunk, Settings({"atlas_opendata_2020": 0.15})).array
    for collection in ("Electron", "Muon", "Jet"):
        for field in ("pt", "eta", "phi"):
            np.testing.assert_allclose(
                _values(flat[collection][field]), _values(nano[collection][field]), 1e-6
            )
    central = abs(_values(nano.Jet.eta)) < 1.0  # elsewhere float32 energies leave nothing of the mass
    np.testing.assert_allclose(_values(flat.Jet.mass)[central], _values(nano.Jet.mass)[central], atol=0.05)
    np.testing.assert_allclose(_values(flat.MET.pt), _values(nano.MET.pt), 1e-6)
    np.testing.assert_allclose(_values(flat.Muon.isolation), _values(nano.Muon.isolation), 1e-5)
    assert ak.all(flat.Jet.is_btagged == nano.Jet.is_btagged)
    assert ak.to_list(ak.num(flat.Electron)) == ak.to_list(ak.num(nano.Electron))


_TOUCHED: tuple[Callable[[Any], Any], ...] = (
    lambda events: events.Jet.pt,
    lambda events: events.Jet.is_btagged,
    lambda events: events.MET.pt,
    lambda events: events.Electron.mass,
)


def test_rntuple_is_read_like_a_tree(tmp_path: Path) -> None:
    columns = _nanoaod_v15(100)
    with uproot.recreate(tmp_path / "tree.root") as file:
        write_tree(file, "Events", columns)
    with uproot.recreate(tmp_path / "rntuple.root") as file:
        file.mkrntuple("Events", columns)
    chunks = [whole_chunk(str(tmp_path / f"{x}.root")) for x in ("tree", "rntuple")]
    found = [canonical_events(chunk, _LOOSE).array for chunk in chunks]
    for get in _TOUCHED:
        assert ak.to_list(get(found[0])) == ak.to_list(get(found[1]))


def test_missing_identification_is_declared_or_refused(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", _like_v9(events(60, seed=4)))
    chunk = whole_chunk(path)
    found = canonical_events(chunk).array
    assert chunk.declared == {}
    assert ak.all(found.Jet.is_good)
    assert ak.all(found.Muon.is_tight)
    assert set(chunk.declared) == {"Jet.is_good", "Muon.is_tight"}
    refusing = canonical_events(whole_chunk(path), Settings(refuse_substitutes=True)).array
    with pytest.raises(DataError, match=r"lacks Electron\.is_tight, and the card refuses"):
        ak.sum(refusing.Electron.is_tight)


def _like_v9(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns of the simulation under names of NanoAOD version 9, without identification."""
    flat: dict[str, Any] = {}
    for name, values in columns.items():
        if isinstance(values, ak.Array):
            flat |= {f"{name}_{field}": values[field] for field in values.fields}
        else:
            flat[name] = values
    flat["Jet_btagDeepFlavB"] = flat.pop("Jet_btagDiscriminant")
    flat["Muon_pfRelIso04_all"] = flat["Muon_pfRelIso03_all"]
    return {**{f"n{name}": ak.num(columns[name]) for name in ("Electron", "Muon", "Jet")}, **flat}


def _only_muons(n_events: int, *dropped: str) -> dict[str, Any]:
    columns = {
        name: values
        for name, values in _like_v9(events(n_events, seed=5)).items()
        if name.startswith(("Muon_", "nMuon", "run", "event", "lumi", "gen"))
    }
    return {name: values for name, values in columns.items() if name not in dropped}


def test_a_file_with_some_collections_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    chunk = whole_chunk(write_nanoaod(tmp_path / "a.root", _only_muons(50)))
    assert chunk.dialect.name == "nanoaod"
    found = canonical_events(chunk)
    assert ak.sum(found.array.Muon.pt) > 0.0
    assert "Electron" not in found.array.fields
    assert ak.all(varied_events(found, Variation("jes", "up", 0.02)).array.Muon.pt == found.array.Muon.pt)
    moved = varied_events(found, Variation("lepton_scale", "up", 0.1)).array.Muon.pt
    np.testing.assert_allclose(_values(moved), 1.1 * _values(found.array.Muon.pt))


def test_identity_is_the_file_and_entry_where_there_is_none(tmp_path: Path) -> None:
    without = _only_muons(50, "run", "luminosityBlock", "event")
    chunks = [whole_chunk(write_nanoaod(tmp_path / f"{x}.root", without)) for x in "ab"]
    first, second = (chunk.identity(np.array([3, 7])) for chunk in chunks)
    assert first["event"].tolist() == [3, 7]
    assert first["run"][0] != second["run"][0]
    assert chunks[0].declared["identity"].startswith("file and entry")
    path = write_nanoaod(tmp_path / "c.root", _only_muons(50, "run"))
    with pytest.raises(DataError, match=r"c\.root lacks what dialect nanoaod needs: run \(branch run\)\."):
        whole_chunk(path)


def _same(first: Any, second: Any, collection: str, field: str) -> bool:
    return np.allclose(_values(first[collection][field]), _values(second[collection][field]), rtol=1e-9)


def _met(events: Any) -> Any:
    return np.stack([_values(events.MET.pt) * along(_values(events.MET.phi)) for along in (np.cos, np.sin)])


def test_scales_of_one_flavour_move_its_leptons_and_the_missing_momentum(open_data: Path) -> None:
    nominal = canonical_events(whole_chunk(str(open_data / "nano_dy.root")))
    both, electrons, muons = (
        varied_events(nominal, Variation(name, "up", 0.1)).array
        for name in ("lepton_scale", "electron_scale", "muon_scale")
    )
    before = nominal.array
    np.testing.assert_allclose(_values(muons.Muon.pt), 1.1 * _values(before.Muon.pt))
    assert ak.all(muons.Electron.pt == before.Electron.pt)
    assert ak.all(electrons.Muon.pt == before.Muon.pt)
    hard = before.Muon[(before.Muon.pt > 10.0) & before.Muon.is_tight]
    by_hand = -0.1 * np.stack([ak.sum(hard.pt * along(hard.phi), axis=1) for along in (np.cos, np.sin)])
    np.testing.assert_allclose(_met(muons) - _met(before), by_hand, atol=1e-9)
    together = _met(electrons) + _met(muons) - 2.0 * _met(before)
    np.testing.assert_allclose(together, _met(both) - _met(before), atol=1e-9)


@pytest.mark.parametrize("variation", _FIVE, ids=lambda variation: variation.name)
@pytest.mark.parametrize("name", _FILES)
def test_variations_move_what_they_should(open_data: Path, name: str, variation: Variation) -> None:
    nominal = canonical_events(whole_chunk(str(open_data / name), tree=_FILES[name]))
    varied = varied_events(nominal, variation).array
    moved = {
        "jes": {"Jet.pt", "Jet.mass", "MET.pt", "MET.phi"},
        "jer": {"Jet.pt", "Jet.mass", "MET.pt", "MET.phi"},
        "lepton_scale": {"Electron.pt", "Muon.pt", "MET.pt", "MET.phi"},
        "met_soft": {"MET.pt"},
        "btag": {"Jet.btag"},
    }[variation.quantity]
    names = (
        "Electron.pt",
        "Electron.eta",
        "Muon.pt",
        "Jet.pt",
        "Jet.mass",
        "Jet.phi",
        "Jet.btag",
        "MET.pt",
        "MET.phi",
    )
    changed = {key for key in names if not _same(varied, nominal.array, *key.split("."))}
    assert changed - {"MET.phi"} == moved - {"MET.phi"}
    if variation.quantity == "jes":
        np.testing.assert_allclose(
            _values(varied.Jet.pt), (1.0 + variation.shift) * _values(nominal.array.Jet.pt)
        )


def test_missing_momentum_balances_what_moved(simulated: tuple[str, str]) -> None:
    nominal = canonical_events(whole_chunk(simulated[0]))
    before = nominal.array
    hard = [flavour[flavour.pt > 10.0] for flavour in (before.Electron, before.Muon)]
    leptons = ak.concatenate([flavour[["pt", "phi"]] for flavour in hard], axis=1)
    jets = before.Jet
    for flavour in hard:
        jets = jets[~ak.any(jets.metric_table(flavour) < 0.4, axis=2)]
    for variation, shifted in ((_JES, jets), (_LEPTONS, leptons)):
        after = varied_events(nominal, variation).array
        for trig in (np.cos, np.sin):
            expected = -0.05 * ak.sum(shifted.pt * trig(shifted.phi), axis=1)
            difference = after.MET.pt * trig(after.MET.phi) - before.MET.pt * trig(before.MET.phi)
            np.testing.assert_allclose(difference, expected, atol=1e-9)


def test_resolution_becomes_worse_by_what_is_asked_for(simulated: tuple[str, str]) -> None:
    nominal = canonical_events(whole_chunk(simulated[0]))
    up = varied_events(nominal, Variation("jer", "up", 0.05)).array.Jet.pt
    assert 0.045 < np.std(_values(up) / _values(nominal.array.Jet.pt)) < 0.055
    assert VariationsConfig(("jer",)).of_events() == (Variation("jer", "up", 0.05),)


def test_tags_are_lost_by_flavour_at_every_working_point(many: tuple[str, str]) -> None:
    nominal = canonical_events(whole_chunk(many[0]))
    flavour, before = _values(nominal.array.Jet.hadronFlavour), _values(nominal.array.Jet.btag)
    for name, flavours in (("btag", (0, 4, 5)), ("btag_heavy", (4, 5)), ("btag_light", (0,))):
        varied = varied_events(nominal, Variation(name, "down", 0.3)).array.Jet
        after, of_them = _values(varied.btag), np.isin(flavour, flavours)
        for working_point in (0.05, 0.15):
            tagged = of_them & (before > working_point)
            kept = np.mean(after[tagged] > working_point)
            assert kept == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / tagged.sum()))
        assert np.array_equal(after[~of_them], before[~of_them])
        assert ak.sum(varied.is_btagged) < ak.sum(nominal.array.Jet.is_btagged)
    with pytest.raises(CardError, match="down only"):
        varied_events(nominal, Variation("btag", "up", 0.3))


def test_cross_references_lead_to_moved_objects(open_data: Path) -> None:
    nominal = canonical_events(whole_chunk(str(open_data / "nano_tt_v12.root")))
    varied = varied_events(nominal, Variation("jes", "up", 0.02))
    before, after = (events.array.Electron.matched_jet.pt for events in (nominal, varied))
    assert ak.count(before) > 10
    np.testing.assert_allclose(_values(ak.drop_none(after)), 1.02 * _values(ak.drop_none(before)))


def test_mev_taken_for_gev_are_refused(tmp_path: Path) -> None:
    columns = events(60, seed=1)
    columns["Jet"] = ak.with_field(columns["Jet"], columns["Jet"].pt * np.float32(1e3), "pt")
    found = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns))).array
    with pytest.raises(DataError, match=r"median pT of the jets .* MeV taken for GeV"):
        ak.sum(found.Jet.pt)


def test_working_points_come_from_era_card_or_branch(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", _like_v9(events(200, seed=6)))

    def tagged(settings: Settings, **metadata: Any) -> int:
        return int(ak.sum(canonical_events(whole_chunk(path, **metadata), settings).array.Jet.is_btagged))

    discriminant = _values(canonical_events(whole_chunk(path)).array.Jet.btag)
    assert tagged(Settings(), era="2018") == int((discriminant > 0.0490).sum())
    assert tagged(Settings(), era="2017") == int((discriminant > 0.0532).sum())
    assert tagged(Settings({"nanoaod_v9": 0.3}), era="2017") == int((discriminant > 0.3).sum())
    with pytest.raises(DataError, match="the working point of Jet_btagDeepFlavB depends on the era"):
        tagged(Settings())


@pytest.mark.parametrize(("field", "value"), [("pt", np.nan), ("phi", np.inf)])
def test_what_is_no_number_stops_with_its_entry(tmp_path: Path, field: str, value: float) -> None:
    columns = events(60, seed=1)
    first = int(np.argmax(ak.num(columns["Jet"]) > 0))
    broken = ak.to_numpy(ak.flatten(columns["Jet"][field])).copy()
    broken[0] = value
    jagged = ak.unflatten(broken, ak.num(columns["Jet"]))
    columns["Jet"] = ak.with_field(columns["Jet"], jagged, field)
    found = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns))).array
    with pytest.raises(
        DataError, match=rf"Jet\.{field} is (nan|inf) for 1 of \d+, the first in entry {first}:"
    ):
        ak.sum(found.Jet[field])


def test_branches_of_other_lengths_are_refused(tmp_path: Path) -> None:
    columns = _like_v9(events(60, seed=1))
    columns["Jet_btagDeepFlavB"] = columns["Jet_btagDeepFlavB"][:, 1:]
    columns["Jet_area"] = columns["Jet_btagDeepFlavB"]
    found = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns), era="2018")).array
    with pytest.raises(DataError, match="branch Jet_area holds"):
        ak.sum(found.Jet.area)
    with pytest.raises(DataError, match=r"Jet\.btag has \d+ values for \d+ objects"):
        ak.sum(found.Jet.is_btagged)
