"""Certified, triggered, clean: counted again by hand, and each shared event in one primary dataset."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, vh_ww_processor, whole_chunk, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.ntuples.runner import process_fileset
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated
from znought.processors.quality.blocks import Blocks
from znought.processors.quality.certification import read_certification
from znought.processors.quality.judged import CERTIFIED, CLEAN, TRIGGERED, Judged, Quality, judged

CMS = {"315257": [[1, 88], [91, 92]], "315259": [[1, 172]], "315264": [[32, 261]]}
GRL = """<?xml version="1.0"?>
<!DOCTYPE LumiRangeCollection SYSTEM "http://atlas-runquery.cern.ch/LumiRangeCollection.dtd">
<LumiRangeCollection><NamedLumiRange><Name>small</Name><Version>2.1</Version>
<Metadata Name="RQTSVNVersion">DQDefects-00-04-02</Metadata>
<LumiBlockCollection><Run>315257</Run><LBRange Start="1" End="88"/><LBRange Start="91" End="92"/>
</LumiBlockCollection>
<LumiBlockCollection><Run>315259</Run><LBRange Start="1" End="172"/></LumiBlockCollection>
<LumiBlockCollection><Run>315264</Run><LBRange Start="32" End="261"/></LumiBlockCollection>
</NamedLumiRange></LumiRangeCollection>
"""


def test_both_formats_certify_the_same_blocks(tmp_path: Path) -> None:
    (tmp_path / "cms.json").write_text(json.dumps(CMS))
    (tmp_path / "atlas.xml").write_text(GRL)
    cms, atlas = (read_certification(tmp_path / name) for name in ("cms.json", "atlas.xml"))
    assert cms.runs == atlas.runs == (315257, 315259, 315264)
    assert (cms.lists, atlas.lists) == (("cms.json",), ("atlas.xml, small, 2.1, DQDefects-00-04-02",))
    run = np.array([315257] * 6 + [315259, 315260, 315264, 315264], np.uint32)
    block = np.array([1, 88, 89, 90, 91, 93, 172, 1, 31, 32], np.uint32)
    expected = [True, True, False, False, True, False, True, False, False, True]
    assert cms.passes(run, block).tolist() == atlas.passes(run, block).tolist() == expected


def test_lists_of_several_years_are_one(tmp_path: Path) -> None:
    for name, content in (("2015.json", CMS), ("2016.json", {"297730": [[5, 9]]}), ("twice.json", CMS)):
        (tmp_path / name).write_text(json.dumps(content))
    first, second, twice = (tmp_path / name for name in ("2015.json", "2016.json", "twice.json"))
    both = read_certification(first, second)
    assert both.lists == ("2015.json", "2016.json")
    run, block = np.array([(315257, 1), (315257, 90), (297730, 5), (297730, 10)], np.uint32).T
    assert both.passes(run, block).tolist() == [True, False, True, False]
    with pytest.raises(DataError, match=r"run 315257 is in 2015\.json and in twice\.json"):
        read_certification(first, twice)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "it certifies no block"),
        ('{"315257": [[5, 1]]}', "expected {run: .*range 5 to 1"),
        ("[1, 2]", "expected {run"),
        ("<a><b></a>", "expected XML as of ATLAS"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(DataError, match=message):
        read_certification(tmp_path / "file")
    with pytest.raises(CardError, match=r"certification: no such file .*absent"):
        read_certification(tmp_path / "absent")


def test_official_files_are_counted_twice(open_data: Path) -> None:
    """Every block of every run of the four files, and as many around them, by coffea and in plain Python."""
    files = sorted((open_data / "certification").iterdir())
    assert len(files) == 4
    for file in files:
        content: dict[str, list[list[int]]] = json.loads(file.read_text())
        good = {(int(run), b) for run, pairs in content.items() for a, z in pairs for b in range(a, z + 1)}
        tried = sorted(
            {(run + shift, block) for run, block in good for shift in (0, 1)}
            | {(run, block + 1) for run, block in good}
        )
        run, block = np.array(tried, np.uint32).T
        passed = read_certification(file).passes(run, block)
        assert passed.tolist() == [one in good for one in tried], file.name
        blocks = Blocks.of(run, block, passed)
        assert (len(blocks.certified), blocks.certified_events) == (len(good), len(good))


# --- triggers -----------------------------------------------------------------------------------------

PATHS = ("HLT_MuEG", "HLT_MuMu", "HLT_EE", "HLT_Mu", "HLT_E")
MENU = {name.removeprefix("HLT_"): (f"{name}*",) for name in PATHS}


def _counts(found: Judged) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Rows and counts of a cutflow of which an analysis takes every event."""
    n_events = len(found.chunk.view)
    weight, event = np.ones(n_events), np.arange(n_events)
    flow = Cutflow.filled(["all"], np.ones(n_events, np.int64), weight)
    every = Evaluated(flow, event, {"gen_weight": weight}, {})
    one = found.whole({WHOLE: {NOMINAL: every}})[WHOLE][NOMINAL]
    assert one.event.tolist() == np.flatnonzero(found.kept).tolist()
    return one.cutflow.names, one.cutflow.counts


def _file(path: Path, decisions: dict[str, Any], *, is_data: bool) -> str:
    n_events = len(next(iter(decisions.values())))
    columns = events(n_events, seed=1, is_data=is_data)
    return write_nanoaod(path, {**columns, **decisions})


def test_an_event_of_five_primary_datasets_counts_in_the_first(tmp_path: Path) -> None:
    """All 2⁵ patterns of decisions: each recorded where it fired, kept in the first of the menu's order."""
    pattern = np.arange(32)
    decisions = {f"{name}_v1": (pattern >> i) % 2 == 1 for i, name in enumerate(PATHS)}
    path = _file(tmp_path / "a.root", decisions, is_data=True)
    kept = {}
    for name in MENU:
        quality = Quality("2018", (TRIGGERED,), triggers=MENU, primary_dataset=name)
        found = judged(whole_chunk(path, is_data=True), quality)
        kept[name] = np.flatnonzero(found.kept).tolist()
    first = [next((i for i in range(5) if (p >> i) % 2), None) for p in range(32)]
    for i, name in enumerate(MENU):
        assert kept[name] == [p for p in range(32) if first[p] == i]
    assert sorted(p for places in kept.values() for p in places) == list(range(1, 32))
    simulated = _file(tmp_path / "b.root", decisions, is_data=False)
    found = judged(whole_chunk(simulated), Quality("2018", (TRIGGERED,), triggers=MENU))
    assert np.flatnonzero(found.kept).tolist() == list(range(1, 32))
    assert _counts(found) == (("all", "triggered"), (32, 31))
    assert found.blocks == Blocks()


def test_a_path_of_part_of_an_era_is_declared_and_a_missing_trigger_refused(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"HLT_Mu_v1": np.ones(8, np.bool_)}, is_data=False)
    chunk = whole_chunk(path)
    menu = {"Mu": ("HLT_Mu_v*", "HLT_OldMu")}
    judged(chunk, Quality("2018", (TRIGGERED,), triggers=menu))
    assert "did not fire" in chunk.declared["trigger HLT_OldMu"]
    with pytest.raises(DataError, match=r"a\.root: era '2018' asks for the trigger HLT_X, of which"):
        judged(chunk, Quality("2018", (TRIGGERED,), triggers={"Mu": ("HLT_X",)}))
    good = _file(tmp_path / "b.root", {"Flag_goodVertices": np.ones(8, np.bool_)}, is_data=False)
    misspelt = Quality("2018", (CLEAN,), filters=("Flag_good",))
    with pytest.raises(DataError, match=r"Unknown event filter 'Flag_good', did you mean"):
        judged(whole_chunk(good), misspelt)


def test_paths_of_physlite_are_those_with_matched_objects(open_data: Path) -> None:
    """The file's decisions are bits without their menu; the objects that a path was matched to are there."""
    path = str(open_data / "PHYSLITE_example.root")
    menu = {"main": ("HLT_e26_lhtight_nod0_ivarloose", "HLT_mu26_ivar*", "HLT_e17_old")}
    chunk = whole_chunk(path, tree="CollectionTree")
    found = judged(chunk, Quality("2018", (TRIGGERED,), triggers=menu))
    branch = "AnalysisTrigMatch_{}AuxDyn.TrigMatchedObjects"
    fired = np.zeros(100, np.bool_)
    for name in ("HLT_e26_lhtight_nod0_ivarloose", "HLT_mu26_ivarmedium"):
        raw = uproot.open(path)["CollectionTree"][branch.format(name)].array(library="np")
        fired |= np.array([len(one) > 0 for one in raw])
    assert found.kept.tolist() == fired.tolist()
    assert fired.sum() == 66
    assert chunk.declared["trigger HLT_mu26_ivarmedium"] == "fired with objects of the file matched to it"
    assert "did not fire" in chunk.declared["trigger HLT_e17_old"]
    without = Quality("2018", (TRIGGERED,), triggers={"main": ("HLT_noalg_L1XE50",)})
    with pytest.raises(DataError, match=r"no path\. Its own decisions are bits, which need the menu\.$"):
        judged(whole_chunk(path, tree="CollectionTree"), without)


def test_filters_of_data_are_asked_of_data_alone(tmp_path: Path) -> None:
    flags = {"Flag_a": np.arange(8) < 6, "Flag_b": np.arange(8) > 1}
    quality = Quality("2018", (CLEAN,), filters=("Flag_a",), filters_data=("Flag_b",))
    for is_data, expected in ((True, [2, 3, 4, 5]), (False, [0, 1, 2, 3, 4, 5])):
        path = _file(tmp_path / f"{is_data}.root", flags, is_data=is_data)
        found = judged(whole_chunk(path, is_data=is_data), quality)
        assert np.flatnonzero(found.kept).tolist() == expected


def test_a_recorded_file_of_cms(open_data: Path) -> None:
    """Forty events of run 315267, of one certified block of 2018; three hundred paths match HLT_*."""
    file = next((open_data / "certification").glob("*2018*"))
    chunk = whole_chunk(str(open_data / "nano_dimuon.root"), is_data=True, era="2018")
    menu = {"DoubleMuon": ("HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ*",), "SingleMuon": ("HLT_IsoMu24",)}
    filters = ("Flag_goodVertices", "Flag_globalSuperTightHalo2016Filter", "Flag_BadPFMuonFilter")
    quality = Quality(
        "2018", (CERTIFIED, TRIGGERED, CLEAN), read_certification(file), None, menu, "DoubleMuon", filters
    )
    found = judged(chunk, quality)
    blocks = found.blocks
    assert (blocks.events, blocks.certified_events, len(blocks.certified)) == (40, 40, 1)
    tree = uproot.open(open_data / "nano_dimuon.root")["Events"]
    fired = np.zeros(40, bool)
    for name in tree.keys(filter_name="HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ*"):
        fired |= tree[name].array(library="np")
    clean = np.all([tree[name].array(library="np") for name in filters], axis=0)
    assert _counts(found)[1] == (40, 40, int(fired.sum()), int((fired & clean).sum()))
    bad = Quality("2018", (CERTIFIED,), read_certification(file), bad_runs=(315266, 315267))
    assert judged(chunk, bad).blocks.certified_events == 0
    other = Quality("2018", (CERTIFIED,), read_certification(file), runs=(316000, 317000))
    assert judged(chunk, other).blocks.certified_events == 0


def test_the_processor_judges_what_the_card_asks(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.root", {"Flag_a": np.arange(500) % 2 == 0}, is_data=False)
    plain = vh_ww_processor()
    asked = type(plain)(
        plain.analysis,
        type(plain.request)(
            plain.request.cuts, quality={"x": Quality("2018", (CLEAN,), filters=("Flag_a",))}
        ),
    )

    before, after = (
        process_fileset(None, {"x": {"files": [path]}}, one).results["x"].of(WHOLE).cutflows[NOMINAL]
        for one in (plain, asked)
    )
    first, *others = before.names
    assert after.names == (first, "clean", *others)
    assert after.counts[:2] == (before.counts[0], 250)
    assert 0 < after.counts[-1] < before.counts[-1]
