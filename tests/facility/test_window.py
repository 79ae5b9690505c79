"""A stage sees what it declares, and is stopped at anything else."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed.protocol.pickle import dumps, loads
from typer.testing import CliRunner

from tests.facility.small import context_of, small_card
from znought.errors import CardError, StageError
from znought.facility.cards.finding import given_analysis
from znought.facility.cli import app
from znought.facility.context import Context, RunOptions
from znought.facility.flow import Flow, Stage
from znought.facility.manifest import Manifest
from znought.facility.pipeline import flow_of, run_stages
from znought.facility.standard import PROCESS, SIMULATE, VALIDATE
from znought.facility.window import CardWindow, WorkspaceWindow
from znought.facility.workspace import write_text

Work = Callable[[Context[Any]], Iterable[Path]]


@pytest.fixture
def context(tmp_path: Path) -> Context[Any]:
    return context_of(small_card(tmp_path), tmp_path / "out")


def _run(context: Context[Any], work: Work) -> None:
    stage = Stage("mine", work, ("title", "regions"), writes=("cutflow",))
    found = given_analysis(replace(context.analysis, stages=(stage,)))
    run_stages(replace(context, found=found), [stage])


def test_declared_sections_and_files_are_there(context: Context[Any]) -> None:
    def work(seen: Context[Any]) -> list[Path]:
        assert seen.card.title == "test"
        assert set(seen.card.regions) == {"signal", "low_m_ll"}
        assert seen.card.section("title") == {"title": "test"}
        with pytest.raises(StageError, match="section 'eras', which it does not declare"):
            seen.card.section("title", "eras")
        write_text(seen.workspace.cutflow, "x")
        return [seen.workspace.cutflow]

    _run(context, work)
    assert Manifest(context.workspace.manifest).get("mine") is not None


def test_a_figure_that_is_no_longer_drawn_is_gone(context: Context[Any]) -> None:
    wanted = ["a", "b"]

    def work(seen: Context[Any]) -> list[Path]:
        paths = [seen.workspace.figures / f"{name}.txt" for name in wanted]
        for path in paths:
            write_text(path, path.stem)
        return paths

    def inputs(seen: Context[Any]) -> object:
        return tuple(wanted)

    stage = Stage("mine", work, ("title",), writes=("figures",), inputs=inputs)
    drawn = replace(context, found=given_analysis(replace(context.analysis, stages=(stage,))))
    mine = context.workspace.figures / "my_own.txt"
    write_text(mine, "not of this stage")
    run_stages(drawn, [stage])
    wanted.remove("a")
    run_stages(drawn, [stage])
    assert {path.name for path in context.workspace.figures.iterdir()} == {"b.txt", mine.name}


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (
            lambda seen: seen.card.network,
            "Stage 'mine' reads the card's section 'network', which it does not",
        ),
        # Behind a property and a method, too.
        (lambda seen: seen.card.discriminant, "section 'network'"),
        (lambda seen: seen.card.of_kind("data"), "section 'datasets'"),
        (lambda seen: seen.workspace.models, r"Stage 'mine' names .*/models, which it does not declare"),
        (lambda seen: seen.workspace.directory, "which it does not declare"),
    ],
)
def test_anything_else_stops_the_stage_by_name(context: Context[Any], work: Work, message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        _run(context, work)
    assert "\n" not in str(caught.value)
    assert Manifest(context.workspace.manifest).get("mine") is None


def test_what_is_no_section_needs_no_declaration(context: Context[Any]) -> None:
    window = CardWindow(context.card, (), "mine")
    assert window.folder == context.card.folder
    assert set(window.variables) == set(context.card.variables)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = window.nothing_such


def test_windows_travel_and_stay_closed(context: Context[Any]) -> None:
    card = loads(dumps(CardWindow(context.card, ("title",), "mine")))
    assert card.title == "test"
    with pytest.raises(StageError, match="'lumi_ifb'"):
        _ = card.lumi_ifb
    places = loads(dumps(WorkspaceWindow(context.workspace, ("models",), "mine")))
    assert places.models == context.workspace.models.resolve()
    with pytest.raises(StageError, match="scores"):
        _ = places.scores


# --- what a stage builds on ---------------------------------------------------------------------------


def _stage(name: str, reads: str = "", writes: str = "") -> Stage:
    return Stage(name, lambda context: (), reads=tuple(reads.split()), writes=tuple(writes.split()))


ONE, TWO = _stage("one", writes="columns"), _stage("two", "columns", "scores")
SIDE, THREE = _stage("side", "columns", "search"), _stage("three", "scores", "results")
ALONE, AFTER = _stage("alone", writes="figures"), _stage("after", "scores", "export")
FLOW = Flow((ONE, TWO, SIDE, ALONE, THREE), (AFTER,), lambda path: None, lambda record: ())  # type: ignore[arg-type, return-value]


def test_a_stage_builds_on_all_that_its_files_come_from() -> None:
    assert FLOW.before(ONE) == ()
    assert FLOW.before(TWO) == (ONE,)
    assert FLOW.before(THREE) == (ONE, TWO)  # through `two`, and neither `side` nor `alone`
    assert FLOW.before(SIDE) == (ONE,)
    assert FLOW.before(ALONE) == ()
    assert FLOW.before(AFTER) == (ONE, TWO)


def test_every_stage_of_the_standard_flow_can_be_made_from_what_comes_before(context: Context[Any]) -> None:
    flow = flow_of(context)
    assert flow.before(VALIDATE) == (SIMULATE, PROCESS)
    written: set[str] = set()
    for stage in flow.stages:
        # Of stages aside, of one that some cards need, or of none (the books of the stages themselves).
        optional = {"search", "referee", "efficiencies", "metrics", "manifest", "fake_leptons"}
        assert set(stage.reads) <= written | optional, stage.name
        written |= set(stage.writes)
    for name in {*written, *(n for stage in flow.aside for n in stage.writes)}:
        assert isinstance(getattr(context.workspace, name), Path)
    for stage in (*flow.stages, *flow.aside):
        assert set(stage.sections) <= set(type(context.card).model_fields), stage.name


def test_a_stage_runs_where_the_user_says(context: Context[Any]) -> None:
    def work(seen: Context[Any]) -> list[Path]:
        with pytest.raises(LookupError, match=where):
            seen.cluster()
        write_text(seen.workspace.cutflow, "x")
        return [seen.workspace.cutflow]

    def absent(name: str) -> Any:
        raise LookupError(name)

    here = replace(context, cluster=lambda: absent("here"))
    where = "here"
    _run(here, work)
    where = "there"
    _run(replace(here, elsewhere={"mine": lambda: absent("there")}, options=RunOptions(force=True)), work)
    with pytest.raises(CardError, match="--at: Unknown stage 'trian', did you mean 'train'"):
        _run(replace(here, elsewhere={"trian": lambda: absent("there")}), work)


@pytest.mark.parametrize("given", ["train", "train=", "=local"])
def test_a_place_without_stage_or_site_is_wrong_usage(given: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["run", str(tmp_path / "card.yaml"), "--at", given])
    assert done.exit_code == 2
    assert "STAGE=SITE" in done.output
