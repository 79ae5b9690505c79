"""What was measured in bins beside a fit: fake factors, and efficiencies with their ratio."""

from collections.abc import Mapping
from dataclasses import dataclass

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from znought.errors import DataError
from znought.plots.histograms import headroom
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["MeasuredBins", "measured_in_bins", "measured_in_panels"]

_COLOURS = ("#5790fc", "#e42536", "#f89c20", "#964a8b", "#717581", "#7a21dd")
_BETWEEN = "#d5d5da"
_WIDE = (16.0, 7.2)
_APART = 0.5
"""Share of a bin over which the points of several curves are spread, so that none hides another."""


@dataclass(frozen=True)
class MeasuredBins:
    """A quantity in bins of one variable; NaN where it could not be measured.

    Attributes:
        values, low, high: it, and the ends of its interval of 68 %, each (n_bins,).
        group: curves of one group have one colour, the first of them filled markers.
    """

    values: npt.ArrayLike
    low: npt.ArrayLike
    high: npt.ArrayLike
    group: str = ""


def measured_in_bins(
    curves: Mapping[str, MeasuredBins],
    edges: npt.ArrayLike,
    *,
    axis: str,
    quantity: str,
    label: FigureLabel,
    ratios: Mapping[str, MeasuredBins] | None = None,
    note: str = "",
) -> Figure:
    """A quantity with its errors in bins of a variable, one colour per group; ratios below, if any.

    Args:
        curves: how each is called → what was measured.
        edges: of the bins (n_bins + 1,).
        axis: title of the variable's axis.
        quantity: title of the other one.
        label: what stands above the frame.
        ratios: the same of ratios, in the lower panel; their groups have the colours of the curves.
        note: title of the legend.

    Raises:
        DataError: lengths that do not fit the edges.
    """
    borders = vector(edges, what="bin edges")
    groups = list(dict.fromkeys(one.group for one in curves.values()))
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure) if ratios else (figure.add_subplot(), None)
        top = _draw(upper, curves, borders, groups)
        headroom(upper, top, share=0.1 + 0.06 * (-(-len(curves) // 2) + bool(note)))
        upper.set_ylabel(quantity)
        upper.set_xlim(borders[0], borders[-1])
        upper.legend(loc="upper right", ncols=2, fontsize=16, title=note or None, title_fontsize=17)
        if lower is not None and ratios:
            _draw(lower, ratios, borders, groups)
            lower.axhline(1.0, color="#3c3c3c", linewidth=1.0)
            lower.margins(y=0.15)
            lower.set_ylabel("Data / MC", loc="center", fontsize=20)
            upper.set_xlabel("")
        (lower or upper).set_xlabel(axis)
        add_label(upper, label)
    return figure


def measured_in_panels(
    panels: Mapping[str, Mapping[str, MeasuredBins]],
    edges: npt.ArrayLike,
    *,
    axis: str,
    quantity: str,
    label: FigureLabel,
    note: str = "",
) -> Figure:
    """Quantities of one kind side by side, each with its own scale, in bins of one variable.

    Args:
        panels: title of each → its curves, of the same groups in all.
        edges: of the bins (n_bins + 1,); their axis is logarithmic where they reach over a factor of ten.
        axis: title of the variable's axis.
        quantity: title of the other one.
        label: what stands above the frames.
        note: title of the legend.

    Raises:
        DataError: no panel, or lengths that do not fit the edges.
    """
    if not panels:
        raise DataError("A figure of panels needs at least one.")
    borders = vector(edges, what="bin edges")
    groups = list(dict.fromkeys(one.group for curves in panels.values() for one in curves.values()))
    with style_context():
        figure = new_figure(_WIDE)
        every = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, curves) in zip(every, panels.items(), strict=True):
            _scale(axes, borders)
            headroom(axes, _draw(axes, curves, borders, groups), share=0.12)
            axes.set_xlim(borders[0], borders[-1])
            mplhep.add_text(title, loc="upper left", ax=axes, fontsize=18)
        every[0].set_ylabel(quantity)
        every[-1].set_xlabel(axis)
        figure.legend(
            *every[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(groups),
            fontsize=17,
            title=note or None,
            title_fontsize=17,
        )
        add_label(every[0], label, right=every[-1])
    return figure


def _scale(axes: Axes, edges: npt.NDArray[np.float64]) -> None:
    """A narrow panel's variable: few ticks, logarithmic where it reaches over a factor of ten."""
    if edges[0] <= 0.0 or edges[-1] <= 10.0 * edges[0]:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw(
    axes: Axes, curves: Mapping[str, MeasuredBins], edges: npt.NDArray[np.float64], groups: list[str]
) -> float:
    """Points with bars; returns the highest end."""
    widths, centres, top = np.diff(edges), 0.5 * (edges[1:] + edges[:-1]), 0.0
    seen = set[str]()
    for edge in edges[1:-1]:
        axes.axvline(edge, color=_BETWEEN, linewidth=0.8, zorder=0)
    for i, (name, one) in enumerate(curves.items()):
        values, low, high = (np.asarray(x, np.float64) for x in (one.values, one.low, one.high))
        good = np.isfinite(values)
        bars = np.clip(np.stack([values - low, high - values])[:, good], 0.0, None)
        shift = _APART * ((i + 0.5) / len(curves) - 0.5) * widths
        colour = _COLOURS[groups.index(one.group) % len(_COLOURS)]
        axes.errorbar(
            (centres + shift)[good],
            values[good],
            xerr=0.5 * widths[good] if len(curves) == 1 else None,
            yerr=bars,
            fmt="s" if one.group in seen else "o",
            markerfacecolor="white" if one.group in seen else colour,
            color=colour,
            linewidth=2.0,
            markersize=9,
            label=name,
        )
        seen.add(one.group)
        top = max(top, float(high[good].max(initial=0.0)))
    return top
