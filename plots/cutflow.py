"""The cutflow of every process, one step per cut."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from znought.errors import DataError
from znought.plots.histograms import headroom
from znought.plots.labels import colours, feature_label, is_variable, line_styles, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, vector

__all__ = ["cutflow"]


def _words(cut: str) -> str:
    """A cut on an input by the input's symbol, mathtext as it is, any other by its name in words."""
    if is_variable(cut):
        return feature_label(cut).symbol
    return cut if "$" in cut else cut.replace("_", " ")


def cutflow(names: Sequence[str], yields: Mapping[str, npt.ArrayLike], *, label: FigureLabel) -> Figure:
    """Weighted events of each process after each cut, on a logarithmic axis.

    Args:
        names: the cuts, in order.
        yields: process → events left (n_cuts,).
        label: what stands above the frame.

    Raises:
        DataError: a process with another number of cuts, or no positive yield at all.
    """
    columns = {
        name: vector(left, what=f"cutflow of {name}", size=len(names)) for name, left in yields.items()
    }
    positive = [column[column > 0] for column in columns.values()]
    if not any(column.size for column in positive):
        raise DataError("The cutflow has no positive yield to draw.")
    palette, dashes = colours(columns), line_styles(list(columns))
    edges = np.arange(len(names) + 1) - 0.5
    smallest = min(float(column.min()) for column in positive if column.size)
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        for name, column in columns.items():
            # A step to zero or below has no place on a logarithmic axis: the line ends there.
            left = np.where(column > 0, column, np.nan)
            axes.stairs(
                left,
                edges,
                baseline=None,
                color=palette[name],
                linestyle=dashes[name],
                linewidth=2.6,
                label=process_label(name),
            )
        headroom(
            axes, max(float(c.max()) for c in columns.values()), bottom=smallest / 3, log=True, share=0.22
        )
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xticks(
            range(len(names)),
            [_words(name) for name in names],
            rotation=30,
            ha="right",
            rotation_mode="anchor",
            fontsize=16,
        )
        axes.tick_params(axis="x", which="both", length=0)
        axes.set_ylabel("Events")
        axes.legend(loc="upper right", ncols=5, fontsize=16)
        add_label(axes, label)
    return figure
