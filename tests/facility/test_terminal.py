"""How much a command says, and where: quiet, verbose, a log file, tables in a narrow terminal."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from znought.facility.cli import app
from znought.facility.progress import Reporter
from znought.facility.results.tables import terminal_tables
from znought.facility.terminal import voice
from znought.plots.report import ReportTable

TABLE = ReportTable(
    "A wide table",
    ("selection", "held-out", "68 % interval", "published"),
    (
        ("network, greedy bins", "1.532", "[1.316, 1.750]", "0.97"),
        ("cut-based", "0.331", "[0.302, 0.357]", "0.29"),
    ),
    "Its caption.",
)


@pytest.mark.parametrize("width", [30, 45, 60, 150])
def test_no_number_is_lost_in_a_narrow_terminal(width: int) -> None:
    pieces = list(terminal_tables(TABLE, width))
    console = Console(width=width, record=True, file=io.StringIO())
    for piece in pieces:
        console.print(piece)
    text = console.export_text()
    assert all(cell in text for row in TABLE.rows for cell in row[1:])
    assert text.count("Its caption.") == 1
    assert text.count("A wide table") == 1
    tables = [piece for piece in pieces if isinstance(piece, Table)]
    assert (len(tables) > 1) == (width < 68)
    if width > 30:
        assert text.count("network, greedy bins") == len(tables)
        assert "…" not in text


def test_a_narrow_table_does_not_fold_what_stands_around_it() -> None:
    narrow = ReportTable(
        "The yields of an analysis with a name", ("a", "b"), (("1", "2"),), "What they are of."
    )
    console = Console(width=100, record=True, file=io.StringIO())
    for piece in terminal_tables(narrow, 100):
        console.print(piece)
    lines = console.export_text().splitlines()
    assert [lines[0], lines[-1]] == [narrow.title, narrow.caption]


def _report(reporter: Reporter) -> None:
    reporter.stage("process", "done in 3 s")
    reporter.remark("two files were lost")
    with reporter.bar("processing") as advance:
        for done in range(1, 21):
            advance(done, 20, "")


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_says_remarks_alone(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(voice, "quiet", quiet)
    monkeypatch.setattr(voice, "console", Console(stderr=True))
    _report(voice.reporter)
    voice.say("Figures in figures")
    said = capsys.readouterr().err
    assert "two files were lost" in said
    assert [text in said for text in ("done in 3 s", "processing: 20/20", "Figures in")] == [not quiet] * 3


def test_a_log_file_holds_it_all(tmp_path: Path) -> None:
    log, card = tmp_path / "log", tmp_path / "card.yaml"
    card.write_text("analysis: nowhere.py\n")
    command = [
        sys.executable,
        "-m",
        "znought.facility.cli",
        "run",
        str(card),
        "--quiet",
        "--log-file",
        str(log),
    ]
    failed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert failed.returncode == 1
    (line,) = failed.stderr.strip().splitlines()
    text = log.read_text()
    assert line.startswith("error: ")
    assert line.removeprefix("error: ") in text
    assert "Traceback" in text
    assert f"run {card} --quiet" in text
    told = subprocess.run(
        [*command[:-3], "--verbose"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "Traceback" in told.stderr


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--quiet", "--verbose"], "contradict"),
        (["--log-file", "/nowhere/log"], "/nowhere/log: No such file or directory"),
    ],
)
def test_wrong_options_of_the_voice(options: list[str], line: str) -> None:
    done = CliRunner().invoke(app, ["sites", *options], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert line in done.stderr


def test_warnings_are_heard_besides_a_log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(voice.console, "print", lambda text, **_: said.append(text))
    monkeypatch.setattr("znought.facility.cluster.configured.described_sites", _warned)
    done = CliRunner().invoke(app, ["sites", "--quiet", "--log-file", str(tmp_path / "log")])
    assert done.exit_code == 0
    assert said == ["  two workers left"]
    assert "two workers left" in (tmp_path / "log").read_text()


def _warned() -> dict[str, dict[str, str]]:
    logging.getLogger("znought.facility.cluster.tasks").warning("two workers left")
    return {}


def test_the_shell_completes_stages_and_sites() -> None:
    for words, found in (("znought run --from tr", "train"), ("znought run --site sl", "slurm")):
        environment = os.environ | {
            "_ZNOUGHT_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": "3",
        }
        script = "import sys; sys.argv[0] = 'znought'; from znought.facility.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
        )
        assert done.stdout.split() == [found]
