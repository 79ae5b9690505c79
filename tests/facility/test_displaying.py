"""One selected event is found in its file and drawn as it is there; blinded data are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
from typer.testing import CliRunner

from tests.facility.small import context_of, small_card, write_ntuples
from tests.plots.drawn import texts
from znought.analyses.vh_ww.analysis import ANALYSIS
from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_card
from znought.facility.cli import app
from znought.facility.displaying.drawn import displayed
from znought.facility.displaying.found import (
    EventNumbers,
    best_event,
    entry_of,
    selected_event,
)
from znought.facility.stages.process import process
from znought.facility.workspace import Workspace
from znought.plots.event_display import event_display
from znought.plots.labels import drawn_as
from znought.plots.style import FigureLabel


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a card whose events were selected; it trains nothing."""
    folder = tmp_path_factory.mktemp("display")
    write_ntuples(folder)
    process(context_of(small_card(folder), folder / "out"))
    return folder


def _card(folder: Path) -> Card:
    card = load_card(folder / "card.yaml")
    assert isinstance(card, Card)
    return card


def _rows(folder: Path, dataset: str) -> dict[str, Any]:
    (path, *_) = sorted((folder / "out" / "columns" / dataset / "nominal").glob("*.parquet"))
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def _numbers(rows: dict[str, Any], i: int) -> EventNumbers:
    return EventNumbers(*(int(rows[name][i]) for name in ("run", "luminosityBlock", "event")))


def test_what_is_drawn_stands_in_the_file(run: Path) -> None:
    card, workspace, rows = _card(run), Workspace(run / "out"), _rows(run, "ttbar")
    wanted = _numbers(rows, 5)
    found = selected_event(card, workspace, wanted, "ttbar")
    with drawn_as(ANALYSIS, card.styles, card.plotting):
        drawn = displayed(card, found, entry_of(card, workspace, found))
    with uproot.open(run / "c.root") as file:
        numbers = file["Events/event"].array(library="np")
        entry = int(np.flatnonzero(numbers == wanted.event)[0])
        jets = file["Events/Jet_pt"].array(library="np")[entry]
        met = file["Events/MET_pt"].array(library="np")[entry]
    assert drawn.met[0] == pytest.approx(met, rel=1e-6)
    of_jets = [one.pt for one in drawn.objects if "jet" in one.kind]
    assert of_jets
    assert all(np.isclose(pt, jets, rtol=1e-6).any() for pt in of_jets)
    leptons = sorted((one.pt for one in drawn.objects if "jet" not in one.kind), reverse=True)
    assert leptons[:2] == pytest.approx([rows["pt_l0"][5], rows["pt_l1"][5]], rel=1e-5)
    assert f"$m_{{jj}}$ = {rows['m_jj'][5]:.4g} GeV" in drawn.facts
    words = texts(event_display(drawn, label=FigureLabel())).split("\n")
    assert f"ttbar, {wanted}" in words
    assert all(f"{one.pt:.0f}" in words for one in drawn.objects)


def test_an_event_of_several_datasets_or_of_none_is_told(run: Path) -> None:
    card, workspace = _card(run), Workspace(run / "out")
    shared = {int(n) for n in _rows(run, "vh")["event"]} & {int(n) for n in _rows(run, "ttbar")["event"]}
    event = min(shared)
    with pytest.raises(DataError, match=r"is an event of .*: name one by --dataset"):
        selected_event(card, workspace, EventNumbers(1, event // 100 + 1, event))
    with pytest.raises(DataError, match="no selected event of any dataset is 1:1:99999999"):
        selected_event(card, workspace, EventNumbers(1, 1, 99_999_999))
    with pytest.raises(DataError, match="did you mean 'ttbar'"):
        selected_event(card, workspace, EventNumbers(1, 1, 1), "ttbr")
    with pytest.raises(CardError, match="expected run:luminosityBlock:event"):
        EventNumbers.of("17")


def test_data_of_the_signal_region_are_blinded(run: Path) -> None:
    card, workspace, rows = _card(run), Workspace(run / "out"), _rows(run, "data")
    inside = (rows["m_jj"] >= 70.0) & (rows["m_jj"] < 100.0) & (rows["dy_jj"] < 2.0)
    hidden, shown = _numbers(rows, np.flatnonzero(inside)[0]), _numbers(rows, np.flatnonzero(~inside)[0])
    assert selected_event(card, workspace, shown, "data").numbers == shown
    with pytest.raises(DataError, match="lies in signal, whose data are blinded"):
        selected_event(card, workspace, hidden, "data")


def test_the_command_draws_an_event_and_names_its_files(run: Path) -> None:
    card = run / "card.yaml"
    wanted = _numbers(_rows(run, "vh"), 0)
    words = ["display", str(card), str(wanted), "--dataset", "vh", "--output", str(run / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert len(done.stdout.split()) == 3
    assert all(Path(path).is_file() for path in done.stdout.split())


def test_without_a_name_it_is_the_most_signal_like_event(run: Path) -> None:
    plain = run / "plain.yaml"
    plain.write_text(
        (run / "card.yaml").read_text().replace("network: {}\n", "").replace("signal_class: VH\n", "")
    )
    card = load_card(plain)
    assert isinstance(card, Card)
    assert best_event(card, Workspace(run / "out")).dataset == "vh"
    assert best_event(card, Workspace(run / "out"), "ttbar").dataset == "ttbar"
