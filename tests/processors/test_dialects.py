"""Dialects: detection, layouts, substitutes, sums, and what `inspect` says of bad files."""

from pathlib import Path

import numpy as np
import pytest

from tests.processors.fixtures import events, write_nanoaod
from znought.errors import DataError
from znought.processors.dialects import DIALECTS, dialect_of
from znought.processors.dialects.files import detect, inspect_file
from znought.processors.dialects.layout import resolve
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.objects import check_units


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.markers])
def test_a_file_with_every_branch_is_recognised(name: str) -> None:
    dialect = DIALECTS[name]
    layout = dialect.layout(dialect.branches())
    assert not layout.missing
    assert set(layout.branches.values()) <= set(dialect.branches())
    present = {*dialect.markers, *layout.branches.values()}
    assert dialect_of(present, path="x.root").name == name


def test_some_collections_of_a_nanoaod_are_recognised() -> None:
    assert dialect_of({"nMuon", "Muon_pt", "Muon_eta"}, path="x.root").name == "nanoaod"
    with pytest.raises(DataError, match="no dialect"):
        dialect_of({"Muon_pt", "Muon_eta"}, path="x.root")


def test_unknown_tree_names_the_nearest_dialect() -> None:
    with pytest.raises(DataError, match=r"Nearest is nanoaod_v12, which lacks branch Jet_btagPNetB"):
        dialect_of({"MET_pt", "px1", "px2"}, path="x.root")


def test_missing_branch_is_named_with_its_alternatives() -> None:
    dialect = DIALECTS["nanoaod_v15"]
    branches = set(dialect.branches()) - {"Jet_btagUParTAK4B", "Jet_btagPNetB"}
    with pytest.raises(
        DataError, match=r"x\.root lacks .*jet_btag \(branch Jet_btagUParTAK4B or Jet_btagPNetB\)"
    ):
        dialect.layout(branches).require(path="x.root")


def test_substitutes_are_declared_only_where_used() -> None:
    dialect = DIALECTS["nanoaod_v12"]
    with_track = resolve(dialect.name, dialect.fields, dialect.branches())
    assert "met_track_pt" not in with_track.substitutes
    without = resolve(
        dialect.name, dialect.fields, set(dialect.branches()) - {"TkMET_pt", "SoftActivityJetHT"}
    )
    assert without.branches["met_track_pt"] == "PuppiMET_pt"
    assert "PuppiMET" in without.substitutes["met_track_pt"]
    assert "soft_ht" not in without.branches
    assert "soft activity" in without.substitutes["soft_ht"]


def test_inspect_reads_sums_and_entries(simulated: tuple[str, str]) -> None:
    summary = inspect_file(simulated[0])
    assert (summary.dialect, summary.tree, summary.n_events) == ("simulation", "Events", 600)
    assert summary.sums is not None
    assert (summary.sums.n_events, summary.sums.n_attempted) == (1800, 7200)
    assert detect(simulated[1]) == "simulation"


def test_sums_add_and_forget_attempts_that_one_file_lacks() -> None:
    one = GeneratedSums(2, ExactSum.of(0.1), ExactSum.of(0.01), 10)
    total = one + GeneratedSums(3, ExactSum.of(0.2), ExactSum.of(0.04), None)
    assert (total.n_events, total.n_attempted) == (5, None)
    assert GeneratedSums() + one == one


def test_bad_files_give_one_clear_line(tmp_path: Path, simulated: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"nowhere\.root: no such file"):
        inspect_file(str(tmp_path / "nowhere.root"))
    whole = Path(simulated[0]).read_bytes()
    short = tmp_path / "short.root"
    short.write_bytes(whole[: len(whole) * 3 // 4])
    with pytest.raises(DataError, match=r"short\.root: .*truncated") as caught:
        inspect_file(str(short))
    assert "\n" not in str(caught.value)
    text = tmp_path / "text.root"
    text.write_text("not a ROOT file\n" * 100)
    with pytest.raises(DataError, match=r"text\.root: cannot be read: .*no ROOT file"):
        inspect_file(str(text))
    other = write_nanoaod(tmp_path / "other.root", events(5, seed=3), tree="Nominal")
    with pytest.raises(
        DataError,
        match=r"no tree Events or CollectionTree or analysis or mini or reco; it holds Lumi.*, Nominal, Runs",
    ):
        inspect_file(other)
    with pytest.raises(DataError, match=r"no tree Event; it holds"):
        inspect_file(simulated[0], tree="Event")


def test_mev_read_as_gev_is_refused() -> None:
    pt = np.full(20, 45.0)
    check_units(pt, what="jets", dialect="toy", path="x.root")
    with pytest.raises(DataError, match="MeV taken for GeV"):
        check_units(pt * 1e3, what="jets", dialect="toy", path="x.root")
    with pytest.raises(DataError, match="GeV taken for MeV"):
        check_units(pt * 1e-3, what="jets", dialect="toy", path="x.root")
    check_units(pt[:3] * 1e3, what="jets", dialect="toy", path="x.root")


@pytest.mark.parametrize(
    ("name", "dialect", "n_events", "has_sums"),
    [
        ("nano_tt_v12.root", "nanoaod_v12", 200, False),
        ("nano_dy.root", "nanoaod_v9", 40, True),
        ("PHYSLITE_example.root", "physlite", 100, False),
    ],
)
def test_files_of_the_experiments(
    open_data: Path, name: str, dialect: str, n_events: int, has_sums: bool
) -> None:
    summary = inspect_file(str(open_data / name))
    assert (summary.dialect, summary.n_events) == (dialect, n_events)
    assert not summary.layout.missing
    assert (summary.sums is not None) == has_sums
