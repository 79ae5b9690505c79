"""Planted faults that once gave a wrong number without a word: now the right one or one clear line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from tests.facility.small import N_EVENTS, context_of
from tests.facility.spoiled import Card, changed_card, cutflow_sums, processed, truncate
from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod, write_tree
from tests.processors.test_identification import nanoaod, written
from znought.errors import CardError, DataError
from znought.facility.events.store import read_events
from znought.facility.ntuples.fileset import read_fileset
from znought.facility.ntuples.inspection import describe
from znought.facility.ntuples.runner import process_fileset
from znought.facility.progress import Reporter
from znought.facility.stages.process import process

SKIP: dict[str, Any] = {"processing": {"allow_skip": True}}

# --- totals that outlive their files ------------------------------------------------------------------


def test_a_total_of_the_card_does_not_outlive_a_file(folder: Path) -> None:
    def give(card: Card) -> None:
        card["datasets"]["vh"]["generated_sumw"] = 6.0 * N_EVENTS

    processed(changed_card(folder, give))
    truncate(folder / "b.root")
    with pytest.raises(
        DataError, match=r"'vh': .*b\.root was left out .*generated_sumw is that of all files"
    ):
        processed(changed_card(folder, give, **SKIP))
    # Without it, the sum of the file that is left belongs to what is left.
    output = processed(changed_card(folder, **SKIP))
    assert cutflow_sums(output, "VH")[0] == pytest.approx(10.0 * 0.1 * 1e3 / 3.0 / 4.0)


def test_a_total_that_files_repeat_does_not_outlive_a_file(tmp_path: Path) -> None:
    from tests.processors.test_opendata import flat_ntuple

    paths = []
    for seed in (1, 2):
        paths.append(str(tmp_path / f"{seed}.root"))
        with uproot.recreate(paths[-1]) as file:
            write_tree(file, "analysis", flat_ntuple(events(30, seed=seed), mev=False))
    truncate(Path(paths[1]))
    with pytest.raises(
        DataError, match=r"2\.root was left out .* the sum that its files repeat is that of all"
    ):
        process_fileset(None, {"vh": {"files": paths}}, vh_ww_processor(), allow_skip=True)


def test_nothing_left_of_a_dataset_stops(folder: Path) -> None:
    truncate(folder / "c.root")
    with pytest.raises(DataError, match=r"'ttbar': every one of its 1 files would be left out: .*c\.root"):
        processed(changed_card(folder, **SKIP))


def test_every_file_left_out_and_every_stand_in_is_told(folder: Path) -> None:
    class _Told(Reporter):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def remark(self, text: str) -> None:
            self.lines.append(text)

    columns = nanoaod(9, without=("Jet_jetId",))
    path = written(folder / "nano.root", columns)
    truncate(folder / "b.root")

    def add(card: Card) -> None:
        card["datasets"]["ttbar"] |= {"files": [path], "era": "2018", "generated_sumw": 100.0}

    context = context_of(changed_card(folder, add, **SKIP), folder / "out")
    told = _Told()
    process(replace(context, reporter=told))
    text = "\n".join(told.lines)
    assert "vh: 1 of 2 files left out" in text
    assert "b.root" in text
    ledger = json.loads((folder / "out/ledger.json").read_text())["datasets"]
    assert ledger["vh"]["files_lost"][0]["path"].endswith("b.root")
    assert ledger["vh"]["substitutes"] == {}
    for name, note in ledger["ttbar"]["substitutes"].items():
        assert f"{name}: {note} (ttbar)." in told.lines
    assert {"jet_id", "met_significance", "soft_ht"} <= set(ledger["ttbar"]["substitutes"])


# --- extensions and periods ---------------------------------------------------------------------------


def _extended(card: Card, sample: str | None = None, other_xsec_pb: float = 1.0) -> None:
    """Adds a second dataset like `ttbar`, of another file."""
    ttbar = card["datasets"]["ttbar"] | ({} if sample is None else {"sample": sample})
    other = {"files": [ttbar["files"][0].replace("c.root", "x.root")], "xsec_pb": other_xsec_pb}
    card["datasets"] |= {"ttbar": ttbar, "ttbar_ext": ttbar | other}


def test_an_extension_counts_once(folder: Path) -> None:
    columns = events(N_EVENTS, seed=10, first_event=5 * N_EVENTS)
    columns["genWeight"] = np.ones(N_EVENTS, np.float32)
    write_nanoaod(folder / "x.root", columns)
    alone = cutflow_sums(processed(changed_card(folder)), "top")
    with pytest.raises(CardError, match=r"datasets\.ttbar_ext: has the process and the cross section of"):
        processed(changed_card(folder, _extended))
    output = processed(changed_card(folder, lambda card: _extended(card, sample="tt")))
    assert cutflow_sums(output, "top")[0] == pytest.approx(alone[0])
    scales = json.loads((output / "columns/normalisation.json").read_text())
    assert (
        scales["ttbar"]["scale"] == scales["ttbar_ext"]["scale"] == pytest.approx(10e3 / 4.0 / (6 * N_EVENTS))
    )
    flow = json.loads((output / "cutflow.json").read_text())["processes"]["top"]
    assert flow["before_acceptance"] == pytest.approx(10e3)
    apart = processed(changed_card(folder, lambda card: _extended(card, other_xsec_pb=0.5)))
    assert cutflow_sums(apart, "top")[0] == pytest.approx(1.5 * alone[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["ttbar"].update(lumi_ifb=3.0),
            r"datasets\.ttbar\.lumi_ifb: has no effect on simulation",
        ),
        (
            lambda d: d["ttbar"].update(n_events=5),
            r"datasets\.ttbar\.n_events: has no effect without a recipe",
        ),
        (lambda d: d["data"].update(xsec_pb=1.0), r"datasets\.data\.xsec_pb: has no effect on data"),
        (lambda d: d["data"].update(sample="x"), r"datasets\.data\.sample: has no effect on data"),
        (lambda d: d["data"].update(identity="file"), r"datasets\.data\.identity: has no effect on data"),
        (
            lambda d: (
                d["ttbar"].update(sample="t"),
                d.update(other=d["ttbar"] | {"xsec_pb": 2.0, "files": ["x.root"]}),
            ),
            r"datasets\.other\.xsec_pb: 2\.0, but datasets\.ttbar of the same sample 't' has 1\.0",
        ),
        (
            lambda d: (
                d["ttbar"].update(sample="t"),
                d.update(other=d["ttbar"] | {"generated_sumw": 2.0, "files": ["x.root"]}),
            ),
            r"datasets\.other\.generated_sumw: give it to all datasets of the sample 't', or to none",
        ),
    ],
)
def test_a_key_without_effect_is_refused(
    tmp_path: Path, change: Callable[[Card], object], message: str
) -> None:
    with pytest.raises(CardError, match=message):
        context_of(changed_card(tmp_path, lambda card: change(card["datasets"])), tmp_path)


def test_a_fileset_of_another_card_is_refused(folder: Path) -> None:
    card = context_of(changed_card(folder), folder).card
    path = folder / "fileset.json"
    files = {str(folder / "a.root"): None}
    for metadata in ({"process": "top"}, {"process": "VH", "is_data": True}):
        content: dict[str, Any] = {name: {"files": files, "metadata": {}} for name in card.datasets}
        content["vh"] = {"files": files, "metadata": metadata}
        path.write_text(json.dumps(content))
        with pytest.raises(CardError, match=r"fileset\.json: vh has (process|is_data) .*, the card says"):
            read_fileset(path, card)
    path.write_text(json.dumps({"vh": [3]}))
    with pytest.raises(DataError, match=r"fileset\.json: vh: expected"):
        read_fileset(path, card)


# --- sums of weights ----------------------------------------------------------------------------------


def _skim(folder: Path, name: str, seed: int, runs: dict[str, float], *, blocks: bool) -> str:
    columns = events(200, seed=seed, first_event=1000 * seed)
    path = write_nanoaod(folder / name, columns, runs=runs)
    if not blocks:
        with uproot.recreate(folder / name) as file:
            write_tree(file, "Events", columns)
            write_tree(file, "Runs", {key: np.array([value]) for key, value in runs.items()})
    return path


RANDOM = {"genEventCount": 1000, "genEventSumw": 812.25, "genEventSumw2": 1534.5}
EQUAL = {"genEventCount": 1000, "genEventSumw": 500.0, "genEventSumw2": 250.0}


@pytest.mark.parametrize("runs", [RANDOM, EQUAL])
def test_parts_of_one_skim_do_not_double_its_sum(tmp_path: Path, runs: dict[str, float]) -> None:
    paths = [_skim(tmp_path, f"{i}.root", i, runs, blocks=False) for i in (1, 2)]
    sumw = runs["genEventSumw"]
    with pytest.raises(
        DataError, match=rf"1\.root and .*2\.root state the same .*sumw: {sumw:g} if .*{2 * sumw:g}"
    ):
        process_fileset(None, {"x": {"files": paths}}, vh_ww_processor())
    for value in (sumw, 2 * sumw):
        fileset = {"x": {"files": paths, "metadata": {"generated_sumw": value}}}
        process_fileset(None, fileset, vh_ww_processor())
    with pytest.raises(DataError, match=r"generated_sumw: the card says 77, its 2 files say"):
        process_fileset(None, {"x": {"files": paths, "metadata": {"generated_sumw": 77}}}, vh_ww_processor())


def test_equal_jobs_with_equal_weights_are_no_repetition(tmp_path: Path) -> None:
    paths = [_skim(tmp_path, f"{i}.root", i, EQUAL, blocks=True) for i in (1, 2)]
    sums = process_fileset(None, {"x": {"files": paths}}, vh_ww_processor()).sums["x"]
    assert sums is not None
    assert float(sums.sumw) == 1000.0
    whole = {"genEventCount": 200, "genEventSumw": 200.0, "genEventSumw2": 200.0}
    paths = [_skim(tmp_path, f"w{i}.root", i, whole, blocks=False) for i in (1, 2)]
    sums = process_fileset(None, {"x": {"files": paths}}, vh_ww_processor()).sums["x"]
    assert sums is not None
    assert float(sums.sumw) == 400.0


def test_one_row_of_many_that_another_file_repeats(tmp_path: Path) -> None:
    paths = []
    for i, rows in ((1, [812.25, 700.5]), (2, [700.5, 641.125])):
        columns = events(100, seed=i, first_event=1000 * i)
        paths.append(str(tmp_path / f"{i}.root"))
        with uproot.recreate(paths[-1]) as file:
            write_tree(file, "Events", columns)
            runs = {"genEventCount": [1000, 1000], "genEventSumw": rows, "genEventSumw2": [1500.0, 1500.0]}
            write_tree(file, "Runs", {name: np.array(values) for name, values in runs.items()})
    with pytest.raises(DataError, match=r"state the same sum of generated weights, 700\.5"):
        process_fileset(None, {"x": {"files": paths}}, vh_ww_processor())


def test_sums_that_are_no_numbers_name_the_file(tmp_path: Path) -> None:
    path = _skim(tmp_path, "nan.root", 1, RANDOM | {"genEventSumw": float("nan")}, blocks=False)
    with pytest.raises(DataError, match=r"nan\.root: sums over generated events: .*finite"):
        process_fileset(None, {"x": {"files": [path]}}, vh_ww_processor())


def test_a_missing_sum_is_told_before_anything_is_processed_with_the_cure(folder: Path) -> None:
    bare = events(100, seed=3, first_event=10**6)
    with uproot.recreate(folder / "c.root") as file:
        write_tree(file, "Events", bare)
    with pytest.raises(
        DataError, match=r"'ttbar': a file lacks its sum .*c\.root.*give datasets\.ttbar\.generated_sumw"
    ):
        processed(changed_card(folder))
    assert not list((folder / "out").rglob("*.parquet"))
    assert any("generated_sumw" in line for line in describe(str(folder / "c.root")))
    given = changed_card(folder, lambda card: card["datasets"]["ttbar"].update(generated_sumw=100.0))
    output = processed(given)
    assert cutflow_sums(output, "top")[0] == pytest.approx(
        10e3 * float(bare["genWeight"].sum(dtype=np.float64)) / 100.0
    )


# --- one event twice ----------------------------------------------------------------------------------


def _rewritten(source: Path, target: Path, change: Callable[[dict[str, Any]], None], n: int = 500) -> None:
    with uproot.open(source) as file:
        arrays = file["Events"].arrays()
    columns = {name: arrays[name][:n] for name in arrays.fields if not name.startswith("n")}
    change(columns)
    with uproot.recreate(target) as file:
        write_tree(file, "Events", columns)


def test_recorded_events_that_were_calibrated_anew_are_refused(folder: Path) -> None:
    def recalibrate(columns: dict[str, Any]) -> None:
        columns["Jet_pt"] = columns["Jet_pt"] * np.float32(1.02)

    _rewritten(folder / "d.root", folder / "again.root", recalibrate)

    def add(card: Card) -> None:
        card["datasets"]["data"]["files"].append(str(folder / "again.root"))

    with pytest.raises(
        DataError, match=r"datasets\.data holds \d+ selected events twice, \d+ of them with other"
    ):
        processed(changed_card(folder, add))

    def stream(card: Card) -> None:
        card["datasets"]["more"] = card["datasets"]["data"] | {"files": [str(folder / "again.root")]}

    with pytest.raises(
        DataError, match=r"datasets\.more holds \d+ selected events that are in datasets\.data too"
    ):
        processed(changed_card(folder, stream))


def test_jobs_that_number_events_alike_stop_or_are_told_apart_by_file(folder: Path) -> None:
    for i, name in enumerate("ab"):
        columns = events(N_EVENTS, seed=500 + i)
        columns["genWeight"] = np.ones(N_EVENTS, np.float32)
        runs = {"genEventCount": 3000 + i, "genEventSumw": 6000.0, "genEventSumw2": 12000.0 + i}
        write_nanoaod(folder / f"{name}.root", columns, runs=runs)
    with pytest.raises(DataError, match=r"datasets\.vh holds .*other kinematics, .*declare `identity: file`"):
        processed(changed_card(folder))
    output = processed(changed_card(folder, lambda card: card["datasets"]["vh"].update(identity="file")))
    table = read_events(output / "columns", ["vh"], [])
    assert np.unique(table.identity).size == len(table) > 100
    ledger = json.loads((output / "ledger.json").read_text())
    assert "identity" in ledger["datasets"]["vh"]["substitutes"]


def test_equal_numbers_in_two_simulated_datasets_are_no_repetition(folder: Path) -> None:
    # `vh` and `ttbar` both number their events from 0: only equal kinematics make them the same.
    processed(changed_card(folder))
