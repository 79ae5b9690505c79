"""What stands on a figure, read back from its artists; and the analyses that it is drawn for."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from znought.analyses.vh_bb import analysis as vh_bb
from znought.analyses.vh_ww import analysis as vh_ww

Vector = npt.NDArray[np.float64]

_MINE, _OTHER = vh_ww.ANALYSIS, vh_bb.ANALYSIS
BOTH = replace(
    _MINE,
    variables=(*_MINE.variables, *(v for v in _OTHER.variables if v.name not in _MINE.variable_names)),
    processes={**_OTHER.processes, **_MINE.processes},
)
"""VH(WW), and what VH(bb) has beside it, as tests draw it."""


def texts(figure: Figure) -> str:
    """All texts of a figure, legends and titles included, one per line."""
    return "\n".join(str(artist.get_text()) for artist in figure.findobj(Text) if isinstance(artist, Text))


def steps(axes: Axes) -> dict[str, Vector]:
    """Label → heights of every stepped line or area."""
    return {
        str(patch.get_label()): np.asarray(patch.get_data()[0])
        for patch in axes.patches
        if isinstance(patch, StepPatch)
    }


def points(axes: Axes) -> list[tuple[Vector, Vector]]:
    """(x, y) of every set of points with error bars."""
    found = []
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0] is not None:
            line = container.lines[0]
            found.append((np.asarray(line.get_xdata()), np.asarray(line.get_ydata())))
    return found


def legend_in_frame(axes: Axes) -> Bbox:
    """Where the legend of a drawn panel stands, which must not be wider than its frame, in pixels."""
    frame, legend = axes.get_window_extent(), axes.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert frame.x0 <= box.x0
    assert box.x1 <= frame.x1
    return box


def bars(axes: Axes) -> list[Rectangle]:
    """Every bar."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def lines(axes: Axes) -> dict[str, tuple[Vector, Vector]]:
    """Label → (x, y) of every line."""
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for line in axes.lines
    }
