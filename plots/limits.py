"""Limits on coefficients: likelihood scans, contours and intervals side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from znought.errors import DataError
from znought.plots.labels import line_styles
from znought.plots.smeft import CHW
from znought.plots.style import SQUARE, FigureLabel, add_label, new_figure, style_context, vector

__all__ = ["ContourGrid", "LimitEntry", "contours", "likelihood_scan", "limit_bars"]

_COLOURS = ("#e42536", "#5790fc", "#f89c20", "#964a8b", "#7a21dd", "#717581")
# Curves end here, so that the legend has the room above to itself.
_HIGHEST = 9.0
# χ² quantiles of one parameter.
_UNIT = 1e-3
"""Of the axis and of the numbers of `limit_bars`."""
_LEGEND_COLUMNS = 3
_LEVELS = ((0.68, 0.99), (0.95, 3.84))


def likelihood_scan(
    curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    label: FigureLabel,
    coefficient: str = CHW,
    note: str = "",
) -> Figure:
    """−2 Δln L against one coefficient with the 68 % and 95 % levels.

    Args:
        curves: name → (values of the coefficient, −2 Δln L), each (n_values,).
        label: what stands above the frame.
        coefficient: its symbol.
        note: a line in the frame.
    """
    if not curves:
        raise DataError("A likelihood scan needs at least one curve.")
    dashes = line_styles(list(curves))
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        for i, (name, (values, rise)) in enumerate(curves.items()):
            x = vector(values, what=f"coefficient values of {name}")
            y = vector(rise, what=f"likelihood of {name}", size=x.size)
            shown, colour = np.where(y <= _HIGHEST, y, np.nan), _COLOURS[i % len(_COLOURS)]
            axes.plot(x, shown, color=colour, linestyle=dashes[name], linewidth=2.8, label=name)
        for level, height in _LEVELS:
            axes.axhline(height, color="#3c3c3c", linewidth=1.2, linestyle="dotted")
            frame = axes.get_yaxis_transform()
            axes.text(1.008, height, f"{level:.0%}", transform=frame, va="center", fontsize=17)
        axes.set_ylim(0, 1.35 * _HIGHEST)
        axes.set_xlabel(coefficient)
        axes.set_ylabel(r"$-2\,\Delta\ln L$")
        axes.legend(loc="upper center", ncols=min(3, len(curves)), title=note or None, title_fontsize=17)
        add_label(axes, label)
    return figure


@dataclass(frozen=True)
class ContourGrid:
    """−2 Δln L over a grid of two coefficients.

    Attributes:
        x: values of the first coefficient (n_x,).
        y: values of the second (n_y,).
        t: −2 Δln L (n_x, n_y).
        thresholds: confidence level → height of its contour.
    """

    x: npt.ArrayLike
    y: npt.ArrayLike
    t: npt.ArrayLike
    thresholds: Mapping[float, float]


def contours(
    grids: Mapping[str, ContourGrid],
    *,
    axes_titles: tuple[str, str],
    label: FigureLabel,
    truth: tuple[float, float] = (0.0, 0.0),
) -> Figure:
    """Contours of two coefficients, one colour per model, one dash pattern per level.

    Args:
        grids: name → grid.
        axes_titles: symbols of the two coefficients.
        label: what stands above the frame.
        truth: the point marked as standard model.

    Raises:
        DataError: a grid whose shape does not fit its axes, or that no contour crosses.
    """
    levels = sorted({level for grid in grids.values() for level in grid.thresholds}, reverse=True)
    dashes = line_styles([f"{level:g}" for level in levels])
    with style_context():
        figure = new_figure(SQUARE)
        axes = figure.add_subplot()
        for i, (name, grid) in enumerate(grids.items()):
            x = vector(grid.x, what=f"first coefficient of {name}")
            y = vector(grid.y, what=f"second coefficient of {name}")
            t = np.asarray(grid.t, dtype=np.float64)
            if t.shape != (x.size, y.size):
                raise DataError(f"Contour {name}: expected shape {(x.size, y.size)}. Received: {t.shape}.")
            for level, height in grid.thresholds.items():
                if not t.min() < height < t.max():
                    raise DataError(f"Contour {name}: the grid does not cross the {level:.0%} level.")
                dash, colour = dashes[f"{level:g}"], _COLOURS[i % len(_COLOURS)]
                axes.contour(x, y, t.T, levels=[height], colors=[colour], linestyles=[dash], linewidths=2.8)
        _crop(axes, grids.values(), truth)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.plot(*truth, marker="*", markersize=18, color="black", linestyle="none")
        axes.set_xlabel(axes_titles[0])
        axes.set_ylabel(axes_titles[1])
        handles = [
            Line2D([], [], color=_COLOURS[i % len(_COLOURS)], linewidth=3, label=name)
            for i, name in enumerate(grids)
        ]
        handles += [
            Line2D([], [], color="black", linestyle=dashes[f"{level:g}"], label=f"{level:.0%}")
            for level in levels
        ]
        handles.append(
            Line2D([], [], color="black", marker="*", markersize=15, linestyle="none", label="standard model")
        )
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.22 * (high - low))
        axes.legend(handles=handles, loc="upper center", ncols=2, fontsize=16)
        add_label(axes, label)
    return figure


def _crop(axes: Axes, grids: Iterable[ContourGrid], truth: tuple[float, float]) -> None:
    """Axes that end a little beyond the outermost contour, and never beyond what was scanned.

    A contour that leaves the scanned range then leaves the frame.
    """
    for which, limit in ((0, axes.set_xlim), (1, axes.set_ylim)):
        ends, scanned = [truth[which]], []
        for grid in grids:
            inside = np.asarray(grid.t) <= max(grid.thresholds.values(), default=0.0)
            values = np.asarray((grid.x, grid.y)[which], dtype=np.float64)
            ends += values[inside.any(axis=1 - which)].tolist()
            scanned += [values.min(), values.max()]
        margin = 0.08 * (max(ends) - min(ends))
        limit(max(min(ends) - margin, min(scanned)), min(max(ends) + margin, max(scanned)))


@dataclass(frozen=True)
class LimitEntry:
    """Allowed ranges of one coefficient for one analysis.

    Attributes:
        name: channel or method.
        group: what the rows are grouped by (a luminosity).
        segments95: allowed ranges at 95 %; two where a quadratic dependence leaves an island.
        segments68: the same at 68 %.
        at_validity: whether an end is that of the model's validity, and so weaker than it looks.
    """

    name: str
    group: str
    segments95: tuple[tuple[float, float], ...]
    segments68: tuple[tuple[float, float], ...] = ()
    at_validity: bool = False


def limit_bars(
    entries: Sequence[LimitEntry],
    *,
    label: FigureLabel,
    coefficient: str = CHW,
    claim: float | None = None,
    note: str = "",
    kind: str = "Expected interval",
) -> Figure:
    """Intervals of one coefficient in units of 10⁻³, a row each, grouped; 95 % ranges written out.

    Ranges that belong to one row are joined by a thin line; levels differ in darkness where both are given.

    Args:
        entries: rows from top to bottom; groups keep together in this order.
        label: what stands above the frame.
        coefficient: its symbol.
        claim: reach that others claim, drawn as ± lines and called theirs.
        note: a line in the frame.
        kind: what the axis calls them.
    """
    if not entries:
        raise DataError("A comparison of limits needs at least one entry.")
    groups = list(dict.fromkeys(entry.group for entry in entries))
    shades = {group: _COLOURS[i % len(_COLOURS)] for i, group in enumerate(groups)}
    rows = np.arange(len(entries))[::-1]
    reach = max(abs(end) for entry in entries for pair in entry.segments95 for end in pair) / _UNIT
    pale = 0.4 if any(entry.segments68 for entry in entries) else 1.0
    with style_context():
        figure = new_figure((12.8, max(5.5, 0.55 * len(entries) + 2.2)))
        axes = figure.add_subplot()
        for row, entry in zip(rows, entries, strict=True):
            colour = shades[entry.group]
            for segments, alpha in ((entry.segments95, pale), (entry.segments68, 1.0)):
                for low, high in segments:
                    left, width = low / _UNIT, (high - low) / _UNIT
                    axes.barh(row, width, left=left, height=0.62, color=colour, alpha=alpha)
            ends = [end / _UNIT for pair in entry.segments95 for end in pair]
            axes.plot([min(ends), max(ends)], [row, row], color=colour, linewidth=1.5, zorder=0.5)
            written = ", ".join(f"[{low / _UNIT:.3g}, {high / _UNIT:.3g}]" for low, high in entry.segments95)
            mark = " (validity)" if entry.at_validity else ""
            frame = axes.get_yaxis_transform()
            text = (written + mark).replace("-", "−")
            axes.text(1.015, row, text, transform=frame, va="center", fontsize=16)
        for row, (above, below) in zip(rows, pairwise(entries), strict=False):
            if above.group != below.group:
                axes.axhline(row - 0.5, color="#9c9ca1", linewidth=0.8)
        # Lines end below the legend.
        ends = [-0.6, len(entries) - 0.4]
        axes.plot([0.0, 0.0], ends, color="black", linewidth=1.2)
        for place in () if claim is None else (-claim / _UNIT, claim / _UNIT):
            axes.plot([place, place], ends, color="#3c3c3c", linestyle="dashed", linewidth=1.5)
        axes.set_yticks(rows, [entry.name for entry in entries], fontsize=17)
        axes.tick_params(axis="y", which="both", length=0)
        n_lines = 1 - (-(len(groups) + (claim is not None)) // _LEGEND_COLUMNS)
        axes.set_ylim(-0.6, len(entries) - 0.4 + 0.2 + 0.65 * n_lines)
        axes.set_xlim(-1.05 * reach, 1.05 * reach)
        axes.set_xlabel(rf"{kind} of {coefficient} $\times\ 10^{{3}}$")
        handles = [Line2D([], [], color=shade, linewidth=9, label=group) for group, shade in shades.items()]
        if claim is not None:
            text = f"published reach, ±{claim:g}"
            handles.append(Line2D([], [], color="#3c3c3c", linestyle="dashed", label=text))
        levels = "dark 68 %, pale 95 %" if any(entry.segments68 for entry in entries) else "95 %"
        title = levels + (f"; {note}" if note else "")
        axes.legend(
            handles=handles,
            loc="upper center",
            ncols=_LEGEND_COLUMNS,
            fontsize=16,
            title=title,
            title_fontsize=16,
        )
        add_label(axes, label)
    return figure
