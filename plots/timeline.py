"""When each worker had a task, stage after stage: what is idle stays white."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from znought.errors import DataError
from znought.plots.style import new_figure, style_context

__all__ = ["StageSpan", "timeline"]

_COLOURS = (
    "#5790fc",
    "#f89c20",
    "#e42536",
    "#964a8b",
    "#9c9ca1",
    "#7a21dd",
    "#86c8dd",
    "#b9ac70",
    "#a96b59",
    "#717581",
)
_NAMED_ROWS = 24
_TALLEST = 11.0

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class StageSpan:
    """One stage on the time axis.

    Attributes:
        name: of the stage.
        begin, end: seconds from the beginning of the axis.
        rows: number of the row → begin and end of its tasks, on the same axis; 0 is the first worker.
    """

    name: str
    begin: float
    end: float
    rows: Mapping[int, Spans]


def timeline(stages: Sequence[StageSpan]) -> Figure:
    """A row for the client and one for each worker, tasks as bars in the colour of their stage.

    Args:
        stages: in the order of time.

    Raises:
        DataError: no stage, or none that took any time.
    """
    if not stages or stages[-1].end <= 0.0:
        raise DataError("A timeline needs at least one stage that took time.")
    n_workers = 1 + max((row for stage in stages for row in stage.rows), default=-1)
    with style_context():
        figure = new_figure((12.8, min(4.2 + 0.3 * n_workers, _TALLEST)))
        axes = figure.subplots()
        names = list(dict.fromkeys(stage.name for stage in stages))
        colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
        for stage in stages:
            _draw(axes, stage, colours[stage.name], client_height=_client_height(n_workers))
        axes.set_xlim(0.0, stages[-1].end)
        axes.set_xlabel("Wall time, stage after stage [s]")
        _name_rows(axes, n_workers)
        handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=6, fontsize=15)
    return figure


def _client_height(n_workers: int) -> float:
    """Height of the client's row: that of the others, or what can be seen beside hundreds of them."""
    return max(0.8, n_workers / 60)


def _draw(axes: Axes, stage: StageSpan, colour: str, *, client_height: float) -> None:
    """The bars of one stage, and a faint line where it ends."""
    axes.broken_barh(
        [(stage.begin, stage.end - stage.begin)], (-0.6 - client_height, client_height), facecolors=colour
    )
    for row, spans in stage.rows.items():
        bars = [(begin, end - begin) for begin, end in spans]
        # The white edge parts one task from the next where there is room for it.
        axes.broken_barh(bars, (row - 0.4, 0.8), facecolors=colour, edgecolors="white", linewidth=0.2)
    axes.axvline(stage.end, color="#d0d3da", linewidth=0.8, zorder=0)


def _name_rows(axes: Axes, n_workers: int) -> None:
    """Names of all rows, or of some where they would not fit; the first on top."""
    step = 1 if n_workers <= _NAMED_ROWS else 10 if n_workers <= 10 * _NAMED_ROWS else 100
    shown = [row for row in range(n_workers) if step == 1 or (row + 1) % step == 0]
    height = _client_height(n_workers)
    axes.set_yticks(
        [-0.6 - height / 2, *shown], ["client", *(f"worker {row + 1}" for row in shown)], fontsize=14
    )
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.minorticks_on()
    axes.yaxis.set_tick_params(which="minor", left=False, right=False)
    axes.set_ylim(n_workers - 0.4, -0.8 - height)
