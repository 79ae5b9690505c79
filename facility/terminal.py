"""What the command line says, how much of it, and where: --quiet, --verbose, --log-file of every command."""

import inspect
import logging
import operator
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from znought.errors import ZnoughtError
from znought.facility.progress import Advance, Reporter, Silent, Terminal, tenths

if TYPE_CHECKING:
    from znought.plots.report import ReportTable

__all__ = ["Voice", "voice", "with_voice"]

# A log has no width of its own, and tables would lose their last columns to the usual 80.
LOG_WIDTH = 150
LINE = "%(asctime)s %(levelname)-7s %(message)s"
progress = logging.getLogger("znought.progress")


@dataclass
class Voice:
    """How much is said.

    Attributes:
        console: for everything but results, which go to standard output.
        quiet: results, remarks on numbers and errors alone.
        verbose: why a stage runs, what it wrote, and where an error comes from.
    """

    console: Console
    quiet: bool = False
    verbose: bool = False

    @property
    def reporter(self) -> Reporter:
        """What stages report to."""
        shown: Reporter = _Remarks(self.console) if self.quiet else Terminal(self.console)
        return _Recorded(shown)

    def say(self, text: str) -> None:
        """Something that a reader of results need not know."""
        progress.info(text.strip())
        if not self.quiet:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, tables: Iterable["ReportTable"]) -> None:
        """Tables of results, no wider than the terminal."""
        from znought.facility.results.tables import terminal_tables

        printer = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
        for table in tables:
            for piece in terminal_tables(table, printer.width):
                printer.print(piece)
            progress.info("%s", table)

    def complain(self, error: Exception) -> None:
        """An error, in one line; where it comes from, too, if asked for."""
        if self.verbose:
            self.console.print("".join(traceback.format_exception(error)), highlight=False, markup=False)
        self.console.print(f"error: {error}", style="bold red", highlight=False, markup=False, soft_wrap=True)


voice = Voice(Console(stderr=True))
"""That of this process."""


def with_voice(app: typer.Typer) -> None:
    """Gives every command that an application has so far the options of the voice."""
    for command in app.registered_commands:
        assert command.callback is not None
        command.callback = _with_options(command.callback)


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def wrapped(quiet: bool, verbose: bool, log_file: Path | None, **values: Any) -> None:
        if quiet and verbose:
            raise typer.BadParameter("--quiet and --verbose contradict one another.")
        voice.quiet, voice.verbose = quiet, verbose
        with _listening(log_file):
            command(**values)

    plain = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [*plain, *_PARAMETERS]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return wrapped


def _parameter(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    annotation: Any = operator.getitem(Annotated, (kind, option))
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_PARAMETERS = (
    _parameter(
        "quiet", bool, False, typer.Option("--quiet", "-q", help="Say results, remarks and errors alone.")
    ),
    _parameter("verbose", bool, False, typer.Option("--verbose", "-v", help="Say why and where, too.")),
    _parameter(
        "log_file", Path | None, None, typer.Option("--log-file", help="A file that all of it goes to, too.")
    ),
)


@contextmanager
def _listening(log_file: Path | None) -> Iterator[None]:
    """Hands what the package logs to the terminal, warnings or all of it, and to a file."""
    handlers: list[logging.Handler] = [_Said()]
    if log_file is not None:
        try:
            handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        except OSError as error:
            raise typer.BadParameter(f"--log-file {log_file}: {error.strerror}.") from error
        handlers[-1].setFormatter(logging.Formatter(LINE))
    logger = logging.getLogger("znought")
    before = logger.level
    for handler in handlers:
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        progress.info("znought %s", " ".join(sys.argv[1:]))
        yield
    except ZnoughtError as error:
        progress.exception("%s", error)
        raise
    finally:
        logger.setLevel(before)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


class _Said(logging.Handler):
    """What is logged, in the terminal, but for what it has from the reporter."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG if voice.verbose else logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != progress.name:
            text = f"  {self.format(record)}"
            voice.console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


class _Remarks(Silent):
    """Says remarks alone."""

    def __init__(self, console: Console) -> None:
        self._said = Terminal(console)

    def remark(self, text: str) -> None:
        self._said.remark(text)


@dataclass(frozen=True)
class _Recorded(Reporter):
    """Logs what another reporter is told."""

    shown: Reporter

    def stage(self, name: str, note: str) -> None:
        progress.info("%s %s", name, note)
        self.shown.stage(name, note)

    def remark(self, text: str) -> None:
        progress.warning(text)
        self.shown.remark(text)

    @contextmanager
    def bar(self, description: str) -> Iterator[Advance]:
        with self.shown.bar(description) as shown:

            def advance(done: int, total: int, note: str) -> None:
                shown(done, total, note)
                if tenths(done, total):
                    progress.info("  %s: %d/%d %s", description, done, total, note)

            yield advance
