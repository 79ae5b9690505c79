"""Jet identification: made from its inputs as CMS writes them down, against the flags of real files."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.errors import DataError
from znought.processors.canonical import canonical_events
from znought.processors.dialects.jet_identification import criteria, identified_jets, tight

NAMES = ("abs_eta", "ne_hef", "ne_em", "ch_hef", "n_charged", "n_neutral")
# |η|, shares of neutral hadrons, photons, charged hadrons; charged and neutral constituents; in Run 3 and UL.
JETS = [
    ((1.0, 0.50, 0.20, 0.30, 5, 9), True, True),
    ((1.0, 0.95, 0.01, 0.04, 5, 9), True, False),  # neutral hadrons: 0.99 in Run 3, 0.9 before
    ((1.0, 0.50, 0.20, 0.005, 5, 9), False, True),  # charged hadrons: 0.01 in Run 3, 0 before
    ((1.0, 0.50, 0.20, 0.30, 0, 9), False, False),
    ((1.0, 0.50, 0.92, 0.30, 5, 9), False, False),
    ((1.0, 0.00, 0.20, 0.30, 1, 0), False, False),
    ((2.6, 0.95, 0.20, 0.05, 5, 9), True, False),
    ((2.65, 0.95, 0.20, 0.0, 0, 9), False, False),
    ((2.65, 0.85, 0.98, 0.0, 0, 9), True, True),
    ((2.9, 0.992, 0.0, 0.0, 0, 9), False, True),
    ((4.0, 0.10, 0.50, 0.0, 0, 9), False, True),  # photons: 0.4 in Run 3, 0.9 before
    ((4.0, 0.10, 0.30, 0.0, 0, 2), True, False),  # neutral constituents: 2 in Run 3, 3 before
    ((4.0, 0.10, 0.30, 0.0, 0, 1), False, False),
]


def test_limits_are_those_of_cms() -> None:
    inputs = dict(zip(NAMES, np.array([jet for jet, _, _ in JETS]).T, strict=True))
    for era, place in (("2022", 1), (None, 1), ("2018", 2), ("2017", 2)):
        assert tight(inputs, criteria(era)).tolist() == [jet[place] for jet in JETS]
    assert criteria("2016preVFP")[0].abs_eta == 2.4


def test_inputs_give_the_flag_of_a_real_file(open_data: Path) -> None:
    """1504 jets of version 12, multiplicities from constituents: one differs, at the limit of 0.9."""
    tree = uproot.open(open_data / "nano_tt_v12.root")["Events"].arrays(filter_name="Jet_*")
    jet = {name.removeprefix("Jet_"): ak.to_numpy(ak.flatten(tree[name])) for name in tree.fields}
    charged = ((jet["chHEF"] > 0) | (jet["chEmEF"] > 0) | (jet["muEF"] > 0)).astype(int)
    neutral = jet["nConstituents"].astype(int) - charged
    values = (np.abs(jet["eta"]), jet["neHEF"], jet["neEmEF"], jet["chHEF"], charged, neutral)
    found = tight(dict(zip(NAMES, values, strict=True)), criteria("2022"))
    differ = np.flatnonzero(found != ((jet["jetId"] & 2) > 0))
    assert len(found) == 1504
    # The share is kept to eight bits.
    assert jet["neEmEF"][differ] == pytest.approx([0.9], abs=1 / 256)
    # This file has not the fault of its version: mending takes nothing away.
    mended = identified_jets(whole_chunk(str(open_data / "nano_tt_v12.root"), era="2022").view)
    np.testing.assert_array_equal(mended, (jet["jetId"] & 2) > 0)


def _file(path: Path, branches: dict[str, Any], *, drop: tuple[str, ...] = ()) -> str:
    columns = events(400, seed=8)
    jets = columns["Jet"]
    counts = ak.num(jets.pt)
    n_jets = int(ak.sum(counts))
    rng = np.random.default_rng(2)
    made = {
        "neHEF": rng.uniform(0, 1, n_jets).astype(np.float32),
        "neEmEF": rng.uniform(0, 1, n_jets).astype(np.float32),
        "chHEF": rng.uniform(0, 1, n_jets).astype(np.float32),
        "chEmEF": rng.uniform(0, 1, n_jets).astype(np.float32),
        "muEF": rng.uniform(0, 1, n_jets).astype(np.float32),
        "jetId": rng.choice(np.array([0, 2, 6], np.uint8), n_jets),
        "puId": rng.integers(0, 8, n_jets).astype(np.int32),
        "chMultiplicity": rng.integers(0, 200, n_jets).astype(np.uint8),
        "neMultiplicity": rng.integers(0, 200, n_jets).astype(np.uint8),
    }
    for name in {"btagDiscriminant", "btagProb85"}:
        jets = ak.without_field(jets, name)
    for name, values in made.items():
        if name not in drop:
            jets = ak.with_field(jets, ak.unflatten(values, counts), name)
    for name, value in branches.items():
        jets = ak.with_field(jets, ak.full_like(jets.pt, value, dtype=np.float32), name)
    del columns["SoftActivity_ht"]
    return write_nanoaod(path, columns | {"Jet": jets})


MULTIPLICITIES = ("chMultiplicity", "neMultiplicity")


def _flat(path: str, name: str) -> Any:
    return ak.to_numpy(ak.flatten(uproot.open(path)["Events"][f"Jet_{name}"].array()))


def test_version_12_is_mended_and_version_9_believed(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"btagPNetB": 0.1}, drop=MULTIPLICITIES)
    eta, flag = np.abs(_flat(path, "eta")), _flat(path, "jetId")
    passed = (flag & 2) > 0
    passed &= (eta <= 2.7) | (eta > 3.0) | (_flat(path, "neHEF") < 0.99)
    passed &= (eta <= 3.0) | (_flat(path, "neEmEF") < 0.4)
    chunk = whole_chunk(path, era="2022")
    assert chunk.dialect.name == "nanoaod_v12"
    np.testing.assert_array_equal(identified_jets(chunk.view), passed)
    np.testing.assert_array_equal(ak.flatten(canonical_events(chunk).array.Jet.is_good), passed)
    assert 0 < passed.sum() < ((flag & 2) > 0).sum()
    old = _file(tmp_path / "b.root", {"btagDeepFlavB": 0.1}, drop=MULTIPLICITIES)
    for wanted, bit in (("tight", 2), ("tight_lepton_veto", 4)):
        view = whole_chunk(old, era="2018", jet_id=wanted).view
        np.testing.assert_array_equal(identified_jets(view), (_flat(old, "jetId") & bit) > 0)


def test_version_12_without_inputs_says_so(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"btagPNetB": 0.1}, drop=(*MULTIPLICITIES, "neHEF"))
    chunk = whole_chunk(path, era="2022")
    np.testing.assert_array_equal(
        ak.flatten(canonical_events(chunk).array.Jet.is_good), (_flat(path, "jetId") & 2) > 0
    )
    assert "too loose beyond |η| = 2.7" in chunk.declared["Jet.is_good"]


def test_a_version_with_multiplicities_has_it_made_anew(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"btagUParTAK4B": 0.1}, drop=("jetId",))
    inputs = {
        "abs_eta": np.abs(_flat(path, "eta")),
        "ne_hef": _flat(path, "neHEF"),
        "ne_em": _flat(path, "neEmEF"),
        "ch_hef": _flat(path, "chHEF"),
        "n_charged": _flat(path, "chMultiplicity").astype(int),
        "n_neutral": _flat(path, "neMultiplicity").astype(int),
    }
    for era in ("2018", "2022"):
        expected = tight(inputs, criteria(era))
        chunk = whole_chunk(path, era=era)
        np.testing.assert_array_equal(ak.flatten(canonical_events(chunk).array.Jet.is_good), expected)
        assert "Jet.is_good" not in chunk.declared
        muon, electron = _flat(path, "muEF"), _flat(path, "chEmEF")
        veto = expected & ((inputs["abs_eta"] > 2.7) | ((muon < 0.8) & (electron < 0.8)))
        asked = whole_chunk(path, era=era, jet_id="tight_lepton_veto")
        np.testing.assert_array_equal(identified_jets(asked.view), veto)
        assert 0 < veto.sum() < expected.sum()
    cut = _file(tmp_path / "b.root", {"btagUParTAK4B": 0.1}, drop=("jetId", "neEmEF"))
    with pytest.raises(DataError, match=r"b\.root: jets are identified from branch Jet_neEmEF, which it has"):
        identified_jets(whole_chunk(cut, era="2022").view)


def test_bits_of_2016_count_from_the_other_end(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"btagDeepFlavB": 0.1}, drop=MULTIPLICITIES)
    flag, pileup, pt = (_flat(path, name) for name in ("jetId", "puId", "pt"))
    for era, bits in (("2016postVFP", (1, 2, 4)), ("2017", (4, 2, 1)), ("2018", (4, 2, 1))):
        for wanted, bit in zip(("loose", "medium", "tight"), bits, strict=True):
            found = identified_jets(whole_chunk(path, era=era, pileup_id=wanted).view)
            np.testing.assert_array_equal(found, ((flag & 2) > 0) & ((pt >= 50) | ((pileup & bit) > 0)))
    bare = _file(tmp_path / "b.root", {"btagDeepFlavB": 0.1}, drop=(*MULTIPLICITIES, "puId"))
    with pytest.raises(DataError, match=r"from branch Jet_puId, which it has not"):
        identified_jets(whole_chunk(bare, era="2018", pileup_id="loose").view)
