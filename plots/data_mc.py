"""Data over simulation with a ratio panel, and what a cut does to the variable that it cuts on."""

from collections.abc import Mapping
from typing import Any

import mplhep
import numpy as np
import numpy.typing as npt
from hist import BaseHist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from znought.errors import DataError, unknown_name
from znought.plots.histograms import (
    Drawable,
    WeightedHist,
    Yields,
    binned_agreement,
    draw_band,
    draw_stack,
    drawable,
    headroom,
    poisson_interval,
    weighted_hist,
)
from znought.plots.labels import colours, feature_label, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["data_mc", "n_minus_one"]

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_RATIO_RANGE = (0.45, 1.55)
_CUT_COLOUR = "#3c3c3c"


def _draw_data(upper: Axes, lower: Axes, counts: Vector, total: WeightedHist, seen: Mask, name: str) -> float:
    """Counts with Poisson intervals above, their ratio to the expectation below; returns the highest bar."""
    low, high = poisson_interval(counts)
    centres, expected = total.axes[0].centers, total.values()
    points: dict[str, Any] = {"fmt": "o", "color": "black", "linewidth": 1.6}
    bars = np.stack([counts - low, high - counts])
    upper.errorbar(centres[seen], counts[seen], yerr=bars[:, seen], label=name, **points)
    good = seen & (expected > 0)
    ratio = counts[good] / expected[good]
    lower.errorbar(centres[good], ratio, yerr=bars[:, good] / expected[good], **points)
    # An arrow says that a point lies outside the frame, where it would silently be missing; the bar of a
    # bin without data crosses the frame anyway.
    low_ones = (ratio < _RATIO_RANGE[0]) & (counts[good] > 0)
    for outside, edge, marker in ((low_ones, 0.03, "v"), (ratio > _RATIO_RANGE[1], 0.97, "^")):
        frame = lower.get_xaxis_transform()
        lower.plot(
            centres[good][outside], np.full(outside.sum(), edge), marker, color="#e42536", transform=frame
        )
    return float(high[seen].max(initial=0.0))


def _draw_signal(axes: Axes, histograms: Mapping[str, WeightedHist], name: str, top: float) -> None:
    """The signal alone as a line, raised by a power of ten to about a third of a filled stack.

    A signal that dominates is seen as it is.
    """
    histogram = histograms[name]
    peak = float(histogram.values().max())
    if peak > top / 2 > 0:
        return
    factor = 10 ** max(0, int(np.floor(np.log10(top / peak)))) if peak > 0 and top > 0 else 1
    text = process_label(name) + (f" × {factor:g}" if factor > 1 else "")
    axes.stairs(
        histogram.values() * factor,
        histogram.axes[0].edges,
        baseline=None,
        color=colours(histograms)[name],
        linewidth=3.0,
        label=text,
    )


def data_mc(
    data: Any,
    processes: Drawable,
    edges: npt.ArrayLike | None = None,
    *,
    variable: str,
    label: FigureLabel,
    systematic: npt.ArrayLike | None = None,
    signal: str | None = None,
    blinded: npt.ArrayLike | None = None,
    log: bool = False,
    data_name: str = "Data",
    note: str | None = None,
) -> Figure:
    """Data and stacked processes, their ratio below, and χ² with its probability in the frame.

    Args:
        data: counts (n_bins,), or a `hist.Hist` of them; None draws the expectation alone.
        processes: process → (Σw, Σw²), each (n_bins,), or a `hist.Hist`.
        edges: bin edges (n_bins + 1,); None takes those of the histograms.
        variable: name of the input or other quantity, for the axis title.
        label: what stands above the frame.
        systematic: absolute systematic uncertainty of the sum (n_bins,), added in quadrature to the
            statistical one.
        signal: process drawn also as a line, raised by a power of ten to be seen.
        blinded: True where data must not be shown (n_bins,).
        log: logarithmic yields.
        data_name: what the points are called ("Pseudo-data").
        note: what is said about the agreement; None works out χ² from what is drawn, bins uncorrelated.

    Raises:
        DataError: no process, an unknown signal, or lengths that do not fit the edges.
    """
    if not processes:
        raise DataError("Data against simulation needs at least one process.")
    if signal is not None and signal not in processes:
        raise DataError(unknown_name("signal process", signal, processes))
    histograms, _ = drawable(processes, edges)
    if isinstance(data, BaseHist):
        data = drawable({"data": data}, next(iter(histograms.values())).axes[0].edges)[0]["data"].values()
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure)
        total = draw_stack(upper, histograms, on_top=signal)
        variance = _with_systematic(total, systematic)
        text = "MC stat." if systematic is None else r"MC stat. $\oplus$ syst."
        _draw_uncertainty(upper, lower, total, np.sqrt(variance), text)
        if signal is not None:
            _draw_signal(upper, histograms, signal, float(total.values().max()))
        top = float((total.values() + np.sqrt(variance)).max())
        if data is not None:
            seen = ~np.asarray(np.zeros(variance.size) if blinded is None else blinded, dtype=bool)
            counts = vector(data, what="data", size=variance.size)
            top = max(top, _draw_data(upper, lower, counts, total, seen, data_name))
            if note is None:
                note = binned_agreement(counts[seen], total.values()[seen], variance[seen]).text
        if note:
            mplhep.add_text(note, loc="upper left", ax=upper, fontsize=17)
        _finish(upper, lower, total, variable=variable, top=top, log=log)
        _data_mc_legend(upper, data_name)
        add_label(upper, label)
    return figure


def _with_systematic(total: WeightedHist, systematic: npt.ArrayLike | None) -> Vector:
    """Variance of the summed processes, with the systematic part where there is one."""
    variance = np.asarray(total.variances(), dtype=np.float64)
    if systematic is None:
        return variance
    return variance + vector(systematic, what="systematic uncertainty", size=variance.size) ** 2


def _draw_uncertainty(upper: Axes, lower: Axes, total: WeightedHist, spread: Vector, text: str) -> None:
    """The uncertainty of the expectation: around the stack, and around one."""
    expected, edges = total.values(), total.axes[0].edges
    draw_band(upper, edges, expected - spread, expected + spread, text)
    relative = np.divide(spread, expected, out=np.zeros_like(spread), where=expected > 0)
    draw_band(lower, edges, 1 - relative, 1 + relative, "")
    lower.axhline(1.0, color="#3c3c3c", linewidth=1.0)


def _finish(upper: Axes, lower: Axes, total: WeightedHist, *, variable: str, top: float, log: bool) -> None:
    """Axis titles, ranges and legend of data against simulation."""
    edges, expected = total.axes[0].edges, total.values()
    names, widths = feature_label(variable), np.diff(edges)
    equal = np.allclose(widths, widths[0])
    upper.set_ylabel(f"Events / {names.per_bin(float(widths[0]))}" if equal else "Events / bin")
    smallest = float(expected[expected > 0].min()) if np.any(expected > 0) else 1.0
    headroom(upper, top, bottom=max(smallest / 100, top * 1e-7) if log else 0.0, log=log)
    upper.set_xlabel("")
    lower.set_xlim(edges[0], edges[-1])
    lower.set_ylim(*_RATIO_RANGE)
    lower.set_xlabel(names.axis)
    lower.set_ylabel("Data / MC", loc="center", fontsize=20)


def _data_mc_legend(axes: Axes, data_name: str) -> None:
    """The points first, then the processes from the top of the stack down."""
    handles, texts = axes.get_legend_handles_labels()
    order = sorted(range(len(texts)), key=lambda i: texts[i] != data_name)
    axes.legend(
        [handles[i] for i in order], [texts[i] for i in order], loc="upper right", ncols=3, fontsize=16
    )


def n_minus_one(
    processes: Yields,
    edges: npt.ArrayLike,
    *,
    variable: str,
    limits: tuple[float | None, float | None],
    label: FigureLabel,
    signal: str | None = None,
    note: str = "",
) -> Figure:
    """Stacked processes after every cut of a region but the one on this variable, with that cut marked.

    Args:
        processes: process → (Σw, Σw²), each (n_bins,).
        edges: bin edges (n_bins + 1,).
        variable: name of the variable that is not cut on, for the axis title.
        limits: lower and upper limit of the cut, None for an open side; what they remove is shaded.
        label: what stands above the frame.
        signal: process drawn also as a line, raised by a power of ten to be seen.
        note: which region it is.

    Raises:
        DataError: no process, or lengths that do not fit the edges.
    """
    if not processes:
        raise DataError("A distribution before a cut needs at least one process.")
    histograms = {name: weighted_hist(edges, *yields) for name, yields in processes.items()}
    names = feature_label(variable)
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        total = draw_stack(axes, histograms, on_top=signal)
        expected, borders = total.values(), total.axes[0].edges
        if signal is not None:
            _draw_signal(axes, histograms, signal, float(expected.max()))
        _draw_limits(axes, limits, (float(borders[0]), float(borders[-1])))
        headroom(axes, float(expected.max()))
        axes.set_xlim(borders[0], borders[-1])
        axes.set_xlabel(names.axis)
        axes.set_ylabel(f"Events / {names.per_bin(float(borders[1] - borders[0]))}")
        axes.legend(loc="upper right", ncols=3, fontsize=16, title=note, title_fontsize=17)
        add_label(axes, label)
    return figure


def _draw_limits(axes: Axes, limits: tuple[float | None, float | None], frame: tuple[float, float]) -> None:
    """A line at each limit, and what lies beyond it shaded."""
    for limit, end in zip(limits, frame, strict=True):
        if limit is not None:
            axes.axvline(limit, color=_CUT_COLOUR, linewidth=2.4, linestyle="--")
            axes.axvspan(
                min(limit, end), max(limit, end), color="white", alpha=0.6, linewidth=0.0, zorder=1.5
            )
