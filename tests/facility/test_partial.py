"""A part of the input for a trial: right yields, another fingerprint, a mark on all that is made of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.facility.small import context_of, write_ntuples
from tests.integration.test_own_analysis import ANALYSIS, CARD, HELPER
from znought.facility.context import Context
from znought.facility.pipeline import flow_of, run_stages
from znought.facility.results.standard import read_results
from znought.facility.results.summary import report_tables

STAGES = ("process", "validate", "summarise", "plot")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card on files of 2000 events: two of VH, one of top, two of data."""
    folder = tmp_path_factory.mktemp("partial")
    write_ntuples(folder)
    (folder / "emu.py").write_text(ANALYSIS)
    (folder / "mine.py").write_text(HELPER)
    path = folder / "card.yaml"
    text = CARD + "processing: {chunk_size: 1000}\nplotting: {variables: [n_jets]}\n"
    for name in "abcde":
        text = text.replace(f'"{name}.root"', f'"{folder}/{name}.root"')
    path.write_text(text)
    return path


def _run(card: Path, output: Path, *names: str, **options: Any) -> Context[Any]:
    context = context_of(card, output)
    context = replace(context, options=replace(context.options, **options))
    run_stages(context, [stage for stage in flow_of(context).stages if stage.name in names])
    return context


def _json(context: Context[Any], name: str) -> Any:
    return json.loads((context.workspace.directory / name).read_text())


@pytest.fixture(scope="module")
def whole(card: Path, tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    return _run(card, tmp_path_factory.mktemp("whole"), "process")


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"max_files": 1}, {"vh": 0.5, "data": 0.5}),
        ({"max_chunks": 1}, {"vh": 0.25, "ttbar": 0.5, "data": 0.25}),
        ({"max_chunks": 3}, {"vh": 0.75, "data": 0.75}),
        ({"max_files": 1, "max_chunks": 1}, {"vh": 0.25, "ttbar": 0.5, "data": 0.25}),
    ],
)
def test_yields_before_the_cuts_are_those_of_all_events(
    card: Path, whole: Context[Any], tmp_path: Path, options: dict[str, int], shares: dict[str, float]
) -> None:
    part = _run(card, tmp_path, "process", **options)
    ledger, flow, full = _json(part, "ledger.json"), _json(part, "cutflow.json"), _json(whole, "cutflow.json")
    found = {n: e["partial"]["share"] for n, e in ledger["datasets"].items() if "partial" in e}
    assert found == shares
    assert ledger["data_lumi_ifb"] == pytest.approx(2.0 * shares["data"])
    for process, dataset in {"VH": "vh", "top": "ttbar"}.items():
        mine, all_of_it = flow["processes"][process], full["processes"][process]
        assert mine["raw"][0] == all_of_it["raw"][0] * shares.get(dataset, 1.0)
        assert mine["sumw"][0] == pytest.approx(all_of_it["sumw"][0], rel=1e-12)  # weights are one
        assert mine["before_acceptance"] == pytest.approx(all_of_it["before_acceptance"], rel=1e-12)
    assert flow["processes"]["data"]["raw"][0] == 4000 * shares["data"]


def test_a_sum_that_the_card_gives_shrinks_with_the_files(card: Path, tmp_path: Path) -> None:
    stated = card.with_name("stated.yaml")
    stated.write_text(card.read_text().replace("xsec_pb: 0.1", "xsec_pb: 0.1, generated_sumw: 12000"))
    part = _run(stated, tmp_path, "process", max_files=1)
    assert _json(part, "cutflow.json")["processes"]["VH"]["before_acceptance"] == pytest.approx(1000.0)


def test_limits_that_take_nothing_away_mark_nothing(card: Path, tmp_path: Path, whole: Context[Any]) -> None:
    part = _run(card, tmp_path, "process", max_files=2)
    assert _json(part, "ledger.json") == _json(whole, "ledger.json")
    marks = [_json(one, "manifest.json")["stages"]["process"]["fingerprint"] for one in (part, whole)]
    assert marks[0] == marks[1]


def test_all_that_is_made_of_a_part_says_so(card: Path, tmp_path: Path) -> None:
    part = _run(card, tmp_path, *STAGES, max_files=1)
    results = read_results(part.workspace.results)
    assert results.label == "Simulation, partial input"
    assert any("partial input, 2,000 events, 50.000% of the dataset" in note for note in results.notes)
    assert all("partial input" in table.title for table in report_tables(results))
    assert "Simulation, partial input, √s" in part.workspace.report.read_text()
    again = _run(card, tmp_path, *STAGES[:-1])  # whole: every stage again, and no mark
    assert read_results(again.workspace.results).label == "Simulation"
    assert not any("partial" in note for note in read_results(again.workspace.results).notes)
