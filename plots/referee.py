"""Figures of the referee: numbers beside the limits that they are judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from znought.errors import DataError
from znought.plots.style import FigureLabel, add_label, new_figure, style_context

__all__ = ["JudgedNumber", "events_in_bins", "judged_numbers"]

_PALETTE = ("#3f90da", "#e42536", "#717581", "#964a8b")
_MARKERS = ("o", "s", "D", "^")
_BAND = "#dfe8d8"
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}


@dataclass(frozen=True)
class JudgedNumber:
    """One number with its error; 0 for none."""

    row: str
    value: float
    error: float = 0.0


def judged_numbers(
    groups: Mapping[str, Sequence[JudgedNumber]],
    *,
    quantity: str,
    label: FigureLabel,
    band: tuple[float, float] | None = None,
    centre: float | None = None,
    note: str = "",
) -> Figure:
    """Numbers of several kinds row by row, the range shaded in which they pass.

    Args:
        groups: kind → its numbers; rows of one name share a line.
        quantity: of the axis.
        label: what stands above the frame.
        band: where a number passes.
        centre: a line at what is expected.
        note: a line in the frame.

    Raises:
        DataError: no number.
    """
    rows = list(dict.fromkeys(one.row for numbers in groups.values() for one in numbers))
    if not rows:
        raise DataError("A figure of judged numbers needs at least one.")
    with style_context():
        figure = new_figure((12.8, max(5.0, 0.62 * len(rows) + 2.8)))
        axes = figure.add_subplot()
        if band is not None:
            axes.axvspan(*band, color=_BAND, zorder=0, label="passes")
        if centre is not None:
            axes.axvline(centre, color="#3c3c3c", linewidth=1.2, linestyle="dashed")
        for k, (kind, numbers) in enumerate(groups.items()):
            _draw(axes, k, kind, numbers, rows, len(groups))
        axes.set_yticks(np.arange(len(rows))[::-1], rows)
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(-0.7, len(rows) - 0.3 + 0.22 * len(groups))
        axes.margins(x=0.08)
        axes.set_xlabel(quantity)
        axes.legend(loc="upper right", ncols=len(groups) + 1, fontsize=15)
        if note:
            mplhep.add_text(note, loc="lower right", ax=axes, fontsize=15)
        add_label(axes, label)
    return figure


def _draw(
    axes: Axes, k: int, kind: str, numbers: Sequence[JudgedNumber], rows: Sequence[str], n_kinds: int
) -> None:
    """Numbers of one kind, a little above or below the others of their rows."""
    offset = 0.18 * (0.5 * (n_kinds - 1) - k)
    heights = [len(rows) - 1 - rows.index(one.row) + offset for one in numbers]
    axes.errorbar(
        [one.value for one in numbers],
        heights,
        xerr=[one.error for one in numbers],
        fmt=_MARKERS[k % len(_MARKERS)],
        color=_PALETTE[k % len(_PALETTE)],
        markersize=9,
        capsize=4,
        label=kind,
    )


def events_in_bins(
    bins: Mapping[str, tuple[float, float]],
    *,
    enough: float,
    few: float,
    label: FigureLabel,
    quantity: str = "Discriminant",
) -> Figure:
    """Effective generated background events of each bin, with the share of Z₀² that rests on them.

    Args:
        bins: name of each bin → events and share.
        enough, few: events at which the referee warns, and at which it fails.
        label: what stands above the frame.
        quantity: that is binned.

    Raises:
        DataError: no bin.
    """
    if not bins:
        raise DataError("A figure of events in bins needs at least one bin.")
    events, shares = np.array(list(bins.values()), np.float64).T
    places = np.arange(len(bins))
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        colours = [_PALETTE[1] if n <= few else "#f89c20" if n < enough else _PALETTE[0] for n in events]
        axes.bar(places, np.maximum(events, 0.8), width=0.86, color=colours)
        for place, n, share in zip(places, events, shares, strict=True):
            axes.text(float(place), max(n, 0.8) * 1.12, f"{share:.0%}", ha="center", va="bottom", fontsize=15)
        for limit, text in ((enough, "warns below"), (few, "fails at")):
            axes.axhline(limit, color="#3c3c3c", linewidth=1.2, linestyle="dashed")
            axes.text(-0.4, limit * 1.05, text, va="bottom", fontsize=14, bbox=_PAPER)
        axes.set_yscale("log")
        axes.set_ylim(0.5, 6.0 * max(float(events.max()), enough))
        axes.set_xticks(places, list(bins), rotation=35, ha="right", fontsize=14)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_xlabel(quantity)
        axes.set_ylabel("Effective generated background events")
        mplhep.add_text("share of Z$_0^2$ above each bin", loc="upper right", ax=axes, fontsize=15)
        add_label(axes, label)
    return figure
