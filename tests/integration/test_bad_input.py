"""Bad input stops with one clear line and exit 1, and leaves nothing half-written."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uproot
from distributed import Client

from tests.integration.conftest import Finished, small_card, znought
from znought.errors import CardError, DataError, ZnoughtError
from znought.facility.cards.reading import StandardCard, load_card, load_with_analysis
from znought.facility.cluster.sites import connect
from znought.facility.context import Context, RunOptions
from znought.facility.pipeline import single
from znought.facility.progress import Silent
from znought.facility.stages.process import process
from znought.facility.stages.train import train
from znought.facility.workspace import Workspace


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with connect("local", workers=1) as opened:
        yield opened


@pytest.fixture
def ntuples(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the small sample, to be damaged."""
    shutil.copytree(finished.output / "ntuples", tmp_path / "ntuples")
    shutil.copy(finished.output / "fileset.json", tmp_path / "fileset.json")
    return tmp_path / "ntuples" / "ggf" / "ggf_0000.root"


def _context(finished: Finished, client: Client, fileset: Path) -> Context[StandardCard]:
    options = RunOptions(fileset=fileset)
    workspace = Workspace(fileset.parent / "output")
    card, found = load_with_analysis(finished.card)
    assert isinstance(card, StandardCard)
    return Context(card, workspace, options, Silent(), lambda: client, found)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _without_tree(file: Path) -> None:
    with uproot.recreate(file) as root:
        root["Other"] = {"x": [1.0]}


def _without_branch(file: Path) -> None:
    with uproot.open(file) as root:
        events = root["Events"].arrays()
        runs = root["Runs"].arrays(library="np")
    columns = {name: events[name] for name in events.fields if name != "MET_pt"}
    with uproot.recreate(file) as root:
        root["Events"] = columns
        root["Runs"] = runs


def _without_sums(file: Path) -> None:
    with uproot.open(file) as root:
        events = root["Events"].arrays()
    with uproot.recreate(file) as root:
        root["Events"] = {name: events[name] for name in events.fields}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Path.unlink, r"names .*ggf_0000\.root, which does not exist"),
        (_truncate, r"ggf_0000\.root: .*(truncated|damaged|shorter|bytes)"),
        (lambda file: file.write_bytes(b"not a ROOT file"), r"ggf_0000\.root"),
        (_without_tree, r"ggf_0000\.root.*(no|tree).*'?Events"),
        (_without_branch, r"ggf_0000\.root.*MET_pt"),
        (_without_sums, "'ggf': a file lacks its sum of generated weights"),
    ],
    ids=["missing", "truncated", "no ROOT file", "no tree", "no branch", "no sums"],
)
def test_a_bad_file_is_named(
    finished: Finished, client: Client, ntuples: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(ntuples)
    context = _context(finished, client, ntuples.parents[2] / "fileset.json")
    with pytest.raises(ZnoughtError, match=message) as caught:
        process(context)
    assert "\n" not in str(caught.value)
    assert not context.workspace.normalisation.exists()
    assert not context.workspace.cutflow.exists()
    assert not list(context.workspace.directory.rglob(".*"))


def test_a_class_without_events_is_named(finished: Finished, client: Client, tmp_path: Path) -> None:
    shutil.copytree(finished.output / "columns", tmp_path / "output" / "columns")
    shutil.rmtree(tmp_path / "output" / "columns" / "ww")
    context = _context(finished, client, tmp_path / "fileset.json")
    with pytest.raises(DataError, match="Class 'WW' has no events after the preselection"):
        train(context)
    assert not (context.workspace.models / "manifest.json").exists()


def test_a_stage_before_its_input_says_which_is_missing(
    finished: Finished, client: Client, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"normalisation\.json does not exist: run the stage"):
        train(_context(finished, client, tmp_path / "fileset.json"))


def test_a_stage_refuses_what_another_card_made(finished: Finished, client: Client, tmp_path: Path) -> None:
    same = _context(finished, client, finished.output / "fileset.json")
    same = replace(same, workspace=Workspace(finished.output))
    assert [stage.name for stage in single("fit")(same)] == ["fit"]
    card = load_card(small_card(tmp_path, network={"hidden_nodes": [8], "learning_rate": 0.01}))
    assert isinstance(card, StandardCard)
    other = replace(same, card=card)
    assert [stage.name for stage in single("train")(other)] == ["train"]
    with pytest.raises(CardError, match=r"fit builds on what train made with another card: network changed"):
        single("fit")(other)


def test_the_command_line_prints_one_line_and_leaves_with_1(tmp_path: Path) -> None:
    card = small_card(tmp_path)
    done = znought("process", card, "--output", tmp_path / "output", check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "fileset.json does not exist" in line
    assert "Traceback" not in done.stderr


def test_wrong_usage_leaves_with_2(tmp_path: Path) -> None:
    assert znought("process", check=False).returncode == 2
    assert znought("run", "card.yaml", "--no-such-option", check=False).returncode == 2
    unknown = znought("run", small_card(tmp_path), "--from", "trian", check=False)
    assert unknown.returncode == 1
    assert "Unknown stage 'trian', did you mean 'train'" in unknown.stderr


def test_the_fileset_must_fit_the_card(finished: Finished, client: Client, tmp_path: Path) -> None:
    fileset = json.loads((finished.output / "fileset.json").read_text())
    fileset["unknown"] = fileset.pop("ggf")
    (tmp_path / "fileset.json").write_text(json.dumps(fileset))
    with pytest.raises(ZnoughtError, match=r"does not exist|Unknown dataset 'unknown'"):
        process(_context(finished, client, tmp_path / "fileset.json"))
