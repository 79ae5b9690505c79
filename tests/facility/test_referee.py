"""What the referee's record becomes: a status, a line, a table, marks beside numbers, and figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.facility.small import small_card
from znought.facility.cli import app
from znought.facility.figures.referee import referee_pictures
from znought.facility.referee.verdicts import (
    marked,
    standing_verdicts,
    verdict_line,
    verdict_table,
    write_verdicts,
)
from znought.facility.stages import referee
from znought.facility.workspace import Workspace
from znought.plots.style import FigureLabel
from znought.stats.referee.record import Check, not_applicable

PASSES = Check("scores repeated", "scores", "pass", "largest difference 0", 0.0, 1e-4)
WARNS = Check(
    "stability", "seeds", "warn", "1.2 against 1.0", 2.5, 4.0, "Simulate more.", "", {"quoted": (1.0, 0.1)}
)
FAILS = Check("events counted once", "rows", "fail", "9 rows repeat others", 9.0, 0.0, "Leave one out.")
ABSENT = not_applicable("goodness of fit", "data", "data are blinded")


def _workspace(folder: Path) -> Workspace:
    folder.mkdir(exist_ok=True)
    workspace = Workspace(folder)
    workspace.results.write_text("{}")
    return workspace


def test_a_record_belongs_to_the_results_that_it_judged(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "o")
    assert standing_verdicts(workspace) is None
    written = write_verdicts(workspace, [PASSES, ABSENT], thorough=False)
    assert standing_verdicts(workspace) == written
    workspace.results.write_text('{"other": 1}')
    assert standing_verdicts(workspace) is None
    assert "have not been judged" in verdict_line(None)


def test_a_failed_check_is_named_and_marks_what_it_is_of(tmp_path: Path) -> None:
    workspace = _workspace(tmp_path / "o")
    fine = write_verdicts(workspace, [PASSES, WARNS, ABSENT], thorough=False)
    assert (fine.verdict, marked("Simulation", fine)) == ("warn", "Simulation")
    found = write_verdicts(workspace, [PASSES, WARNS, FAILS, ABSENT], thorough=False)
    assert verdict_line(found).startswith("Referee: 1 checks pass, 1 warn, 1 fail, 1 not applicable.")
    assert verdict_line(found).endswith("FAILED: events counted once.")
    assert marked("Simulation", found) == "Simulation, FAILS REFEREE"
    table = verdict_table(found)
    assert [row[1] for row in table.rows] == ["pass", "WARN", "FAIL", "n/a"]
    assert table.rows[2][4] == "Leave one out."
    assert table.rows[3][2] == "data are blinded"


def test_numbers_with_parts_are_drawn(tmp_path: Path) -> None:
    bins = Check("events behind the bins", "b", "warn", "8.0", 8.0, 3.0, parts={"[0, 1]": (8.0, 1.0)})
    kinds = ("as stored", "if seen", "test events")
    seen = Check("seen less unseen", "s", "pass", "0", parts={f"a, {kind}": (0.01, 0.01) for kind in kinds})
    noise = Check("constraints earned", "c", "pass", "1", parts={"jes": (0.95, 0.9)})
    slopes = Check("slope of a background", "m", "warn", "1", parts={"a": (0.5, 0.5), "a, data": (0.1, 0.2)})
    back = Check("injected signal", "i", "pass", "1", parts={"2": (2.01, 0.5)})
    found = write_verdicts(
        _workspace(tmp_path / "o"), [bins, seen, noise, slopes, back, WARNS, PASSES], thorough=False
    )
    label = FigureLabel(lumi_ifb=139.0)
    drawn = {one.name: one for one in referee_pictures(found, label=label, shapes=FigureLabel())}
    names = ("bins", "seen", "constraints", "slopes", "injected", "stability")
    assert list(drawn) == [f"referee_{name}" for name in names]
    points: Any = drawn["referee_injected"].figure.axes[0].containers[0]
    assert points.lines[0].get_xdata()[0] == pytest.approx(0.01)
    bars: Any = drawn["referee_bins"].figure.axes[0].patches
    assert [bar.get_height() for bar in bars] == [8.0]
    assert drawn["referee_slopes"].caption == "slope of a background, warn: 1."


@pytest.mark.parametrize(("checks", "status"), [([PASSES, WARNS], 0), ([PASSES, FAILS], 1)])
def test_the_status_says_whether_a_check_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: list[Check], status: int
) -> None:
    monkeypatch.setattr(referee, "checks_of", lambda context: iter(checks))
    card, workspace = small_card(tmp_path), _workspace(tmp_path / "o")
    arguments = ["referee", str(card), "--output", str(workspace.directory), "--no-report", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == status, done.output
    assert json.loads(workspace.referee.read_text())["verdict"] == ("fail" if status else "warn")
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == status
    assert "still valid" in again.output
