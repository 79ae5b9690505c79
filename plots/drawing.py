"""Many figures at a time: each core draws one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from joblib import Parallel, cpu_count, delayed
from matplotlib.figure import Figure

from znought.plots.labels import Experiment, drawn_by, in_style_of
from znought.plots.report import ReportPicture, reduced_picture
from znought.plots.style import save

__all__ = ["Drawn", "draw", "draw_all"]

_FIGURES_PER_PROCESS = 16
"""Fewer are drawn before another process has begun."""


@dataclass(frozen=True)
class Drawn:
    """A figure as files, PNG first, and as a report shows it."""

    files: tuple[Path, ...]
    picture: ReportPicture


def draw(figure: Figure, name: str, directory: Path, formats: Sequence[str]) -> Drawn:
    """The files of one figure, written by `save`."""
    files = save(figure, directory, name, formats)
    return Drawn(files, reduced_picture(files[0]))


def draw_all(
    figures: Sequence[tuple[Figure, str]], directory: Path, formats: Sequence[str]
) -> Iterator[Drawn]:
    """The same of many figures with their names, in their order; of few in this process alone.

    What figures are made of must come from modules that every process can import.
    """
    n_processes = max(1, min(cpu_count(), len(figures) // _FIGURES_PER_PROCESS))
    drawing = Parallel(n_processes, return_as="generator", batch_size=1, max_nbytes=None)
    style = drawn_by()
    drawn: Iterator[Drawn] = drawing(
        delayed(_draw_apart)(style, *figure, directory, formats) for figure in figures
    )
    return drawn


def _draw_apart(
    style: Experiment, figure: Figure, name: str, directory: Path, formats: Sequence[str]
) -> Drawn:
    """The same in a process that knows nothing of the card."""
    with in_style_of(style):
        return draw(figure, name, directory, formats)
