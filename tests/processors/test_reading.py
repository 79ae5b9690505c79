"""Plain reading gives what uproot and coffea give, whatever the baskets and chunks."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from coffea.nanoevents import BaseSchema
from coffea.processor import IterativeExecutor, Runner

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.facility.ntuples.runner import process_fileset
from znought.processors.dialects import DIALECTS
from znought.processors.dialects.view import Entries, View
from znought.processors.evaluated import WHOLE
from znought.processors.reading import Tree
from znought.processors.source import forget, kept_tree


@pytest.fixture(scope="module")
def baskets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three baskets a branch, at entries 0, 40 and 100."""
    path = tmp_path_factory.mktemp("baskets") / "a.root"
    columns = events(150, seed=6)
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.type(ak.Array(x[:0])).content for name, x in columns.items()})
        for start, stop in ((0, 40), (40, 100), (100, 150)):
            file["Events"].extend({name: x[start:stop] for name, x in columns.items()})
    return path


@pytest.mark.parametrize(
    "start_stop", [(0, 150), (0, 40), (10, 30), (39, 41), (5, 145), (100, 150), (70, 70)]
)
def test_any_range_holds_what_uproot_reads(baskets: Path, start_stop: tuple[int, int]) -> None:
    start, stop = start_stop
    with uproot.open(baskets) as directory:
        columns = Tree(directory, "Events").read(["Jet_pt", "event"], start, stop)
        expected = directory["Events"].arrays(["Jet_pt", "event"], entry_start=start, entry_stop=stop)
    assert columns["event"].content.tolist() == expected["event"].tolist()
    offsets = columns["Jet_pt"].offsets
    assert offsets is not None
    assert columns["Jet_pt"].content.tolist() == ak.flatten(expected["Jet_pt"]).tolist()
    assert offsets.tolist() == [0, *np.cumsum(ak.num(expected["Jet_pt"]))]


def test_each_basket_is_read_once_by_consecutive_chunks(baskets: Path) -> None:
    with uproot.open(baskets) as directory:
        tree = Tree(directory, "Events")
        before = directory.file.source.num_requested_chunks
        pieces = [tree.read(["Jet_pt"], i, i + 10)["Jet_pt"].content for i in range(0, 150, 10)]
        assert directory.file.source.num_requested_chunks - before == 3
        assert np.concatenate(pieces).tolist() == ak.flatten(directory["Events/Jet_pt"].array()).tolist()


def test_a_view_of_some_events_holds_their_objects(baskets: Path) -> None:
    with uproot.open(baskets) as directory:
        tree = Tree(directory, "Events")
        expected = directory["Events"].arrays(["Jet_eta", "MET_pt"], entry_start=20, entry_stop=120)
        view = View(Entries(tree, 20, 120, {}), DIALECTS["simulation"].layout(tree.branches))
        rows = np.array([0, 3, 50, 99])
        some = view.only(rows)
        assert some.flat("jet_eta").tolist() == ak.flatten(expected["Jet_eta"][rows]).tolist()
        assert some.counts("jet_eta").tolist() == ak.num(expected["Jet_eta"])[rows].tolist()
        assert some.scalar("met_pt").tolist() == expected["MET_pt"][rows].tolist()
        assert view.flat("jet_eta")[some.objects("jet_eta")].tolist() == some.flat("jet_eta").tolist()
        assert len(view.only(np.zeros(0, np.int64)).flat("jet_eta")) == 0


def test_a_replaced_file_is_opened_anew(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(20, seed=1))
    first = kept_tree(path, "Events")
    assert kept_tree(path, "Events") is first
    write_nanoaod(tmp_path / "a.root", events(30, seed=2))
    second = kept_tree(path, "Events")
    assert (second.n_entries, second.uuid == first.uuid) == (30, False)
    forget(path)
    assert kept_tree(path, "Events") is not second
    forget(path)


def test_coffea_runs_the_processor_too(simulated: tuple[str, str]) -> None:
    processor = vh_ww_processor()
    runner = Runner(IterativeExecutor(status=False), schema=BaseSchema, chunksize=250)
    fileset: dict[str, Any] = {"ttbar": {"files": dict.fromkeys(simulated, "Events"), "metadata": {}}}
    theirs = runner(fileset, processor)
    ours = process_fileset(None, fileset, processor, chunk_size=100)
    assert theirs["ttbar"].of(WHOLE).cutflows == ours.results["ttbar"].of(WHOLE).cutflows
    for name, histogram in ours.results["ttbar"].of(WHOLE).hists.items():
        assert theirs["ttbar"].of(WHOLE).hists[name].values() == pytest.approx(histogram.values(), rel=1e-12)
