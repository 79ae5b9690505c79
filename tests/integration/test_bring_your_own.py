"""The page on what may be brought: its files are written, its commands run, its functions called."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from coffea.nanoevents import NanoAODSchema

import znought
from tests.processors.fixtures import events, write_nanoaod
from znought import Histogram, Variable
from znought.facility.cards.printed import printed_check
from znought.facility.cards.reading import load_with_analysis
from znought.facility.cards.sections import BroughtModel
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context, RunOptions
from znought.facility.pipeline import run_stages, whole
from znought.facility.progress import Silent
from znought.facility.results.output import read_output
from znought.facility.results.standard import read_results
from znought.facility.workspace import Workspace
from znought.stats.templates import RegionTemplates
from znought.stats.yields import Yields

PAGE = Path(__file__).parents[2] / "docs" / "bring_your_own.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class _Block:
    language: str
    file: str
    text: str


def _blocks() -> list[_Block]:
    return [_Block(language, file, text) for language, file, text in BLOCK.findall(PAGE.read_text())]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the page, and events for them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NanoAODSchema, "warn_missing_crossrefs", False)
    for block in _blocks():
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    columns = events(1500, seed=1)
    muons = columns["Muon"]
    columns["Muon"] = ak.with_field(muons, np.float32(0.1057) * ak.ones_like(muons.pt), "mass")
    write_nanoaod(tmp_path / "events" / "ttbar.root", columns)
    rng = np.random.default_rng(1)
    is_signal = np.arange(4000) % 4 == 0
    table: dict[str, Any] = {name: rng.normal(np.where(is_signal, 1.0, 0.0), 1.0) for name in ("x", "y")}
    label = np.where(is_signal, "signal", "background")
    weight = np.where(is_signal, 0.02, 0.2)
    table |= {"process": label, "expected": weight, "event": np.arange(4000)}
    pd.DataFrame(table).to_parquet(tmp_path / "events.parquet")
    return tmp_path


def _commands() -> Iterator[list[str]]:
    for block in _blocks():
        if block.language == "console":
            yield from (line.removeprefix("$ ").split() for line in block.text.splitlines())


def test_commands_of_the_page_run(folder: Path) -> None:
    for program, command, card, *options in _commands():
        assert (program, command) in {("znought", "run"), ("znought", "check")}
        if command == "check":
            assert printed_check(Path(card), folder / "none", whole_chunk=False).status == 0
            continue
        read, found = load_with_analysis(Path(card))
        workspace = Workspace(Path(options[options.index("--output") + 1]))
        context: Context[Any] = Context(read, workspace, RunOptions(), Silent(), lambda: None, found)  # type: ignore[arg-type, return-value]  # no cluster
        # Figures of a table are drawn where a model is brought to it, too (tests/facility).
        run_stages(context, [stage for stage in whole(context) if stage.name != "plot"])
    numbers = read_output(folder / "from_processor" / "results.json").numbers
    assert numbers == {"ttbar/events": 1500}
    column = pq.read_table(folder / "from_processor" / "columns" / "ttbar" / "leading_pt.parquet")
    assert column["leading_pt"].to_numpy().min() > 25.0
    results = read_results(folder / "from_table" / "results.json")
    assert results.z0["high"].held_out > 0.1
    assert results.fit is not None


def test_the_table_in_memory_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (one for one in _blocks() if "table_card(content, frame)" in one.text)
    taken: list[Any] = []
    monkeypatch.setattr(znought, "connect", lambda site: nullcontext(site))
    monkeypatch.setattr(znought, "run", lambda card, client, output: taken.append((card, client, output)))
    exec(compile(block.text, PAGE, "exec"), {})
    ((card, client, output),) = taken
    assert (len(card.frame), client, output) == (4000, "local", "from_frame")


def _defined(word: str) -> dict[str, Any]:
    """What the one block of Python with a word defines, where the rest of its analysis is left out."""
    (block,) = (one for one in _blocks() if one.language == "python" and word in one.text and not one.file)
    names: dict[str, Any] = {"ak": ak, "Analysis": lambda *_, **given: given}
    text = block.text.replace("import Analysis, Histogram, Variable", "import Histogram, Variable")
    exec(compile(text, PAGE, "exec"), names)
    return names


def test_functions_of_the_page_do_what_it_says() -> None:
    flavour = ak.Array([[5, 4], [4], [0], []])
    objects = SimpleNamespace(
        events=SimpleNamespace(
            GenJet=SimpleNamespace(hadronFlavour=flavour), LHE=SimpleNamespace(HT=np.array([1.0]))
        )
    )
    split = _defined("def split")["split"](objects)
    assert {name: ak.to_list(mask) for name, mask in split.items()} == {
        "tt_b": [True, False, False, False],
        "tt_c": [False, True, False, False],
        "tt_light": [False, False, True, True],
    }
    assert _defined("generator=")["ANALYSIS"]["generator"]["lhe_ht"](objects) == [1.0]
    histograms = _defined("Histogram(")["ANALYSIS"]["histograms"]
    assert [type(one) for one in histograms] == [Histogram, Histogram]
    assert [axis.axis_label for axis in histograms[1].axes] == ["pt [GeV]", "eta"]
    assert isinstance(histograms[0].axes[0], Variable)


def test_abcd_of_the_page_is_that_by_hand() -> None:
    edges, names = np.array([0.0, 1.0]), ("top", "fakes")
    observed = {"A": 50.0, "B": 30.0, "C": 20.0, "D": 0.0}
    regions = {
        name: RegionTemplates(
            name,
            Yields(
                names, edges, np.array([[10.0], [7.0]]), np.array([[1.0], [1.0]]), np.ones((2, 1), np.int64)
            ),
            observed=np.array([count]),
        )
        for name, count in observed.items()
    }
    found = _defined("def abcd")["abcd"](regions)["D"].nominal
    # (30 − 10) (20 − 10) / (50 − 10), with variances of 51, 31 and 21.
    assert found.sumw[1] == pytest.approx([5.0])
    assert found.sumw2[1] == pytest.approx([25.0 * (51 / 1600 + 31 / 400 + 21 / 100)])
    assert found.sumw[0] == pytest.approx([10.0])


def test_sections_of_the_page_are_valid() -> None:
    common = {"analysis": "mine.py", "title": "page", "lumi_ifb": 1.0}
    read = []
    for block in _blocks():
        if block.language != "yaml" or block.file:
            continue
        content = yaml.safe_load(block.text)
        if "model" in content:
            read.append(BroughtModel.model_validate(content["model"]).files)
        else:
            card = StandardCard.model_validate({"processes": {"W": {}}} | common | content)
            read.append(tuple(card.datasets))
    assert [len(names) for names in read] == [1, 3, 3, 5]
