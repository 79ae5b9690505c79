"""Progress of long work: rich bars in a terminal, plain lines elsewhere, nothing in a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["Advance", "Reporter", "Silent", "Terminal", "tenths"]

Advance = Callable[[int, int, str], None]
"""Called with (done, total, note)."""


class Reporter:
    """What a stage reports to: headings and one bar at a time."""

    def stage(self, name: str, note: str) -> None:
        """A stage begins, or is skipped: `note` says which."""

    def remark(self, text: str) -> None:
        """Something that a reader of the numbers must know."""

    @contextmanager
    def bar(self, description: str) -> Iterator[Advance]:
        """A bar whose length is learned from the first call."""
        del description
        yield lambda done, total, note: None


class Silent(Reporter):
    """Reports nothing."""


@dataclass(frozen=True)
class Terminal(Reporter):
    """Reports to a rich console."""

    console: Console

    def stage(self, name: str, note: str) -> None:
        self.console.print(f"[bold cyan]{name:<9}[/] {note}", highlight=False)

    def remark(self, text: str) -> None:
        self.console.print(f"  note: {text}", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, description: str) -> Iterator[Advance]:
        columns = (
            TextColumn("  {task.description:<24}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, refresh_per_second=2) as progress:
            task = progress.add_task(description, total=None, note="")

            def advance(done: int, total: int, note: str) -> None:
                progress.update(task, completed=done, total=total, note=note)
                # Logs of batch jobs get a line per tenth of the work instead of a moving bar.
                if not self.console.is_terminal and tenths(done, total):
                    line = f"  {description}: {done}/{total} {note}".rstrip()
                    self.console.print(line, highlight=False)

            yield advance


def tenths(done: int, total: int) -> bool:
    """Whether another tenth of the work is done with this piece."""
    return bool(total) and (done * 10 // total) > ((done - 1) * 10 // total)
