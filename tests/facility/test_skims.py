"""Skims: a card that reads one gives what it gives on the ntuples, or a refusal."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml
from numpy.typing import NDArray

from tests.facility.small import N_EVENTS, card_content, context_of, write_ntuples
from tests.facility.spoiled import cutflow_sums
from tests.facility.test_theory import THEORY, _top
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.context import Context
from znought.facility.events.store import IDENTITY, EventTable, read_events
from znought.facility.ntuples.fileset import fileset_of_card
from znought.facility.ntuples.skims import refuse_option, refuse_skims
from znought.facility.stages.process import process
from znought.facility.standard import PROCESS
from znought.facility.window import CardWindow
from znought.facility.workspace import read_json

COLUMNS = ("gen_weight", "m_t", "m_jj", "pt_l0", "met_track")


def _content(folder: Path) -> dict[str, Any]:
    """Chunks that end within files, a variation of objects, generator weights, certified data."""
    found = card_content(folder) | {
        "theory": THEORY,
        "variations": {"enabled": ["jes"]},
        "processing": {"chunk_size": 1000},
        "eras": {"2018": {"certification": "good.json", "lumi_ifb": 10.0}},
    }
    for dataset in found["datasets"].values():
        dataset["era"] = "2018"
    return found


def _context(path: Path, content: dict[str, Any], output: str) -> Context[Any]:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    context = context_of(path, path.parent / output)
    # As the stage sees the card: sections that it does not declare raise.
    seen: Any = CardWindow(context.card, PROCESS.sections, "process")
    return replace(context, card=seen)


def _reading(folder: Path) -> dict[str, Any]:
    """The same card on the skim."""
    content = _content(folder)
    for name, dataset in content["datasets"].items():
        dataset["files"] = [str(folder / f"skim/{name}/*.root")]
    return content


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context[Any], Context[Any]]:
    """The ntuples and their skim, processed."""
    folder = tmp_path_factory.mktemp("skims")
    write_ntuples(folder)
    _top(folder)
    with_more = events(N_EVENTS, seed=0) | {"Unread": np.arange(N_EVENTS), "genWeight": np.ones(N_EVENTS)}
    write_nanoaod(folder / "a.root", with_more)
    # Of forty blocks, those of the first file's first chunk and of a part of its second.
    (folder / "good.json").write_text(json.dumps({"1": [[1, 13]]}))
    ntuples = _context(folder / "card.yaml", _content(folder), "out")
    process(replace(ntuples, options=replace(ntuples.options, skim=folder / "skim")))
    skimmed = _context(folder / "skimmed.yaml", _reading(folder), "again")
    process(skimmed)
    return ntuples, skimmed


def _sorted(
    context: Context[Any], variation: str, datasets: tuple[str, ...]
) -> tuple[EventTable, NDArray[np.intp]]:
    names = [*COLUMNS, *(["gen_weight_scale_1"] if datasets == ("ttbar",) else [])]
    table = read_events(context.workspace.columns, datasets, names, variation=variation)
    return table, np.lexsort([*(table[name] for name in IDENTITY), table.dataset])


@pytest.mark.parametrize(
    ("variation", "datasets"),
    [
        ("nominal", ("vh", "ttbar", "data")),
        ("nominal", ("ttbar",)),
        ("jes_up", ("vh", "ttbar")),
        ("jes_down", ("vh", "ttbar")),
    ],
)
def test_every_selected_event_is_there_with_its_values(
    both: Any, variation: str, datasets: tuple[str, ...]
) -> None:
    (first, order), (second, other) = (_sorted(context, variation, datasets) for context in both)
    assert len(first) == len(second) > 100
    for name in (*IDENTITY, *first.columns):
        np.testing.assert_array_equal(first[name][order], second[name][other], err_msg=name)


def test_sums_luminosities_and_histograms_are_those_of_the_ntuples(both: Any) -> None:
    ntuples, skimmed = (context.workspace for context in both)
    assert read_json(ntuples.normalisation) == read_json(skimmed.normalisation)
    assert "theory" in read_json(skimmed.normalisation)["ttbar"]
    first, second = (read_json(one.ledger) for one in (ntuples, skimmed))
    assert first["data_lumi_ifb"] == second["data_lumi_ifb"] == 2.0
    certified = first["datasets"]["data"]["certified"]
    assert certified == second["datasets"]["data"]["certified"]
    assert 0 < certified["certified_events"] < certified["events"] == 2 * N_EVENTS
    with (
        uproot.open(ntuples.hists / "inputs.root") as one,
        uproot.open(skimmed.hists / "inputs.root") as two,
    ):
        for name, kind in one.classnames().items():
            if kind.startswith("TH1"):
                np.testing.assert_allclose(one[name].values(), two[name].values(), rtol=1e-12)
    for name in ("VH", "top", "data"):
        whole, rest = (cutflow_sums(one.directory, name) for one in (ntuples, skimmed))
        assert whole[-1] == rest[-1] > 0
        assert rest[0] < 0.5 * whole[0]
    # Data know no variation and no weights of b-tags: all of the skim pass.
    assert rest[0] == rest[-1]


def test_files_are_nanoaod_with_what_was_read(both: Any) -> None:
    folder = both[0].card.folder
    files = sorted((folder / "skim/vh").glob("*.root"))
    assert len(files) == 4
    trees = [uproot.open(file) for file in files]
    names = {*trees[0]["Events"].keys()}
    assert {"nJet", "Jet_pt", "Muon_pt", "genWeight", "event"} <= names
    assert {*uproot.open(folder / "a.root")["Events"].keys()} - names == {"Unread"}
    assert all({*tree["Events"].keys()} == names for tree in trees)
    # Each file's sums stand once, in the part of its first events.
    assert sum(int(tree["Runs"].num_entries > 0) for tree in trees if "Runs" in tree) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["selection"].update(pt_l0_min_gev=25.0),
            r"is a skim with selection\.\w+: 2\d\.0, the card",
        ),
        (
            lambda c: c["variations"].update(enabled=["jes", "jer"]),
            r"with variations\.enabled: .*the card says",
        ),
        (
            lambda c: c["datasets"]["data"]["files"].append("d.root"),
            r"is a skim of 3 files, which are read tog",
        ),
    ],
)
def test_another_selection_is_refused(both: Any, change: Any, message: str, tmp_path: Path) -> None:
    folder = both[0].card.folder
    content = _reading(folder) | {"selection": {}}
    change(content)
    (tmp_path / "good.json").write_bytes((folder / "good.json").read_bytes())
    (tmp_path / "d.root").write_bytes((folder / "d.root").read_bytes())
    content["datasets"]["data"]["files"] = [
        str(tmp_path / one) if one == "d.root" else one for one in content["datasets"]["data"]["files"]
    ]
    with pytest.raises(DataError, match=message) as caught:
        process(_context(tmp_path / "other.yaml", content, "out"))
    assert "\n" not in str(caught.value)


def test_files_without_what_stands_beside_them_are_refused(both: Any, tmp_path: Path) -> None:
    content = _content(both[0].card.folder)
    content["datasets"]["vh"]["files"] = [str(tmp_path / "*.root")]
    for file in (both[0].card.folder / "skim/vh").glob("*.root"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    content["eras"]["2018"]["certification"] = str(both[0].card.folder / "good.json")
    with pytest.raises(
        DataError, match=r"datasets.vh: .*\.root is of a skim, but has no skim.json beside it"
    ):
        process(_context(tmp_path / "lone.yaml", content, "lone"))


def test_another_certification_is_refused(both: Any, tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps({"1": [[1, 14]]}))
    with pytest.raises(DataError, match=r"is a skim with files of the era\.good\.json: "):
        process(_context(tmp_path / "other.yaml", _reading(both[0].card.folder), "out"))


def test_fewer_variations_may_read_a_skim(both: Any, tmp_path: Path) -> None:
    folder = both[0].card.folder
    content = _reading(folder) | {"variations": {}}
    (tmp_path / "good.json").write_bytes((folder / "good.json").read_bytes())
    process(_context(tmp_path / "fewer.yaml", content, "out"))


def test_no_efficiency_is_measured_in_a_skim(both: Any) -> None:
    refuse_skims(fileset_of_card(both[0].card))
    with pytest.raises(
        DataError, match=r"datasets\.vh: .*\.root is of a skim, in which no efficiency can be"
    ):
        refuse_skims(fileset_of_card(both[1].card))


def test_a_skim_is_of_everything_and_new(both: Any) -> None:
    ntuples = both[0]
    with pytest.raises(CardError, match=r"--skim: a skim is of ntuples"):
        refuse_option(replace(ntuples, options=replace(ntuples.options, skim=Path("new"))))
    for options, message in (
        ({"max_chunks": 1, "skim": ntuples.card.folder / "new"}, "a skim is of all events"),
        ({"skim": ntuples.card.folder / "skim"}, "is not empty; name a new folder"),
    ):
        with pytest.raises(CardError, match=message):
            process(replace(ntuples, options=replace(ntuples.options, **options)))
