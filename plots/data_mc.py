"""Data over simulation with a ratio panel, and what a cut does to the variable that it cuts on."""

from collections.abc import Mapping
from typing import Any

import mplhep
import numpy as np
import numpy.typing as npt
from hist import BaseHist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from znought.errors import DataError, unknown_name
from znought.plots.behind import keep_histograms
from znought.plots.blinding import draw_blinded
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
    scaled,
    summed,
    weighted_hist,
)
from znought.plots.labels import FeatureLabel, colours, feature_label, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["data_mc", "n_minus_one"]

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_RATIO_RANGES = ((0.45, 1.55), (0.0, 2.1), (0.0, 3.2))
_BEYOND = 0.2
_ARROW = "#e42536"
_CUT_COLOUR = "#3c3c3c"
_MOST_TICKS = 12


def _draw_data(
    upper: Axes, lower: Axes, counts: Vector, total: WeightedHist, seen: Mask, name: str, per: Vector
) -> float:
    """Counts with Poisson intervals above, their ratio to the expectation below; returns the highest bar."""
    low, high = poisson_interval(counts)
    centres, expected = total.axes[0].centers, total.values()
    points: dict[str, Any] = {"fmt": "o", "color": "black", "linewidth": 1.6}
    bars = np.stack([counts - low, high - counts])
    drawn, reach = counts * per, bars * per
    upper.errorbar(centres[seen], drawn[seen], yerr=reach[:, seen], label=name, **points)
    good = seen & (expected > 0)
    ratio = drawn[good] / expected[good]
    lower.errorbar(centres[good], ratio, yerr=reach[:, good] / expected[good], **points)
    lower.set_ylim(*_ratio_range(ratio[counts[good] > 0]))
    _mark_beyond(upper, lower, centres[good], ratio, counts[good] > 0)
    return float((high * per)[seen].max(initial=0.0))


def _ratio_range(ratio: Vector) -> tuple[float, float]:
    """The narrowest of a few frames that leaves out at most one point in five.

    >>> _ratio_range(np.array([0.9, 1.2])), _ratio_range(np.array([0.2, 1.9]))
    ((0.45, 1.55), (0.0, 2.1))
    """
    for low, high in _RATIO_RANGES:
        if np.mean((ratio < low) | (ratio > high)) <= _BEYOND if ratio.size else True:
            return low, high
    return _RATIO_RANGES[-1]


def _mark_beyond(upper: Axes, lower: Axes, centres: Vector, ratio: Vector, filled: Mask) -> None:
    """An arrow where a point lies beyond the ratio's frame and would silently be missing, and what it means.

    The bar of a bin without data crosses the frame anyway.
    """
    low, high = lower.get_ylim()
    frame = lower.get_xaxis_transform()
    beyond = ((filled & (ratio < low), 0.06, "v"), (ratio > high, 0.94, "^"))
    for mask, place, marker in beyond:
        lower.plot(centres[mask], np.full(mask.sum(), place), marker, color=_ARROW, transform=frame, zorder=5)
    if any(mask.any() for mask, _, _ in beyond):
        upper.plot([], [], "^", color=_ARROW, label="ratio beyond the panel")


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

    Where bins differ but most have one width, all are drawn as events per that width.

    Args:
        data: counts (n_bins,), or a `hist.Hist` of them; None draws the expectation alone.
        processes: process → (Σw, Σw²), each (n_bins,), or a `hist.Hist`.
        edges: bin edges (n_bins + 1,); None takes those of the histograms.
        variable: name of the input or other quantity, for the axis title.
        label: what stands above the frame.
        systematic: absolute systematic uncertainty of the sum (n_bins,), added in quadrature to the
            statistical one.
        signal: process drawn also as a line, raised by a power of ten to be seen.
        blinded: True where data must not be shown (n_bins,); such bins are hatched and named.
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
    raw = summed(histograms)
    variance, borders = _with_systematic(raw, systematic), raw.axes[0].edges
    hidden = np.asarray(np.zeros(variance.size) if blinded is None else blinded, dtype=bool)
    counts = None if data is None else vector(data, what="data", size=variance.size)
    per = _per_width(borders)
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure)
        shown = {name: scaled(one, per) for name, one in histograms.items()}
        total = draw_stack(upper, shown, on_top=signal)
        keep_histograms(figure, histograms)
        text = "MC stat." if systematic is None else r"MC stat. $\oplus$ syst."
        _draw_uncertainty(upper, lower, total, np.sqrt(variance) * per, text)
        lower.set_ylim(*_RATIO_RANGES[0])
        if signal is not None:
            _draw_signal(upper, shown, signal, float(total.values().max()))
        top = float((total.values() + np.sqrt(variance) * per).max())
        if counts is not None:
            keep_histograms(figure, {"data": weighted_hist(borders, *2 * [np.where(hidden, 0.0, counts)])})
            top = max(top, _draw_data(upper, lower, counts, total, ~hidden, data_name, per))
            if note is None:
                note = binned_agreement(counts[~hidden], raw.values()[~hidden], variance[~hidden]).text
        draw_blinded(upper, lower, borders, hidden)
        if note:
            mplhep.add_text(note, loc="upper left", ax=upper, fontsize=17)
        _finish(upper, lower, total, variable=variable, top=top, log=log or feature_label(variable).log)
        lower.set_ylabel("Uncertainty" if counts is None else "Data / MC", loc="center", fontsize=20)
        _data_mc_legend(upper, data_name)
        add_label(upper, label)
    return figure


def _per_width(edges: Vector) -> Vector:
    """Factor that brings every bin to the width that most have; one where half of them share none.

    >>> _per_width(np.array([60.0, 70.0, 80.0, 100.0, 120.0])).tolist()
    [2.0, 2.0, 1.0, 1.0]
    """
    widths = np.diff(edges)
    alike = np.isclose(widths[:, None], widths, rtol=1e-6).sum(axis=1)
    if 2 * alike.max() < widths.size:
        return np.ones(widths.size)
    return np.asarray(widths[alike == alike.max()].max() / widths, np.float64)


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
    """Axis titles and ranges of data against simulation."""
    edges, expected = total.axes[0].edges, total.values()
    names = feature_label(variable)
    upper.set_ylabel(_events_per(names, edges))
    smallest = float(expected[expected > 0].min()) if np.any(expected > 0) else 1.0
    headroom(upper, top, bottom=max(smallest / 100, top * 1e-7) if log else 0.0, log=log)
    upper.set_xlabel("")
    _finish_x(lower, names, edges)


def _events_per(names: FeatureLabel, edges: Vector) -> str:
    """Title of an axis of yields: per bin, or per the width that the bins are brought to."""
    if names.is_integer:
        return "Events"
    widths, per = np.diff(edges), _per_width(edges)
    if not np.allclose(per * widths, per[0] * widths[0]):
        return "Events / bin"
    return f"Events / {names.per_bin(float(per[0] * widths[0]))}"


def _finish_x(axes: Axes, names: FeatureLabel, edges: Vector) -> None:
    """Range and title of a variable's axis; whole numbers have no ticks between them."""
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(names.axis)
    if names.is_integer:
        whole = np.arange(np.ceil(edges[0]), edges[-1])
        axes.set_xticks(whole[:: -(-whole.size // _MOST_TICKS)])
        axes.xaxis.set_minor_locator(NullLocator())


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
        _draw_limits(axes, _between(names, limits), (float(borders[0]), float(borders[-1])))
        headroom(axes, float(expected.max()))
        _finish_x(axes, names, borders)
        axes.set_ylabel(_events_per(names, borders))
        axes.legend(loc="upper right", ncols=3, fontsize=16, title=note, title_fontsize=17)
        add_label(axes, label)
    return figure


def _between(
    names: FeatureLabel, limits: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """Limits as they are drawn: those of whole numbers between the last left out and the first taken."""
    if not names.is_integer:
        return limits
    low, high = (None if limit is None else float(np.ceil(limit)) - 0.5 for limit in limits)
    return low, high


def _draw_limits(axes: Axes, limits: tuple[float | None, float | None], frame: tuple[float, float]) -> None:
    """A line at each limit, and what lies beyond it shaded."""
    for limit, end in zip(limits, frame, strict=True):
        if limit is not None:
            axes.axvline(limit, color=_CUT_COLOUR, linewidth=2.4, linestyle="--")
            axes.axvspan(
                min(limit, end), max(limit, end), color="white", alpha=0.6, linewidth=0.0, zorder=1.5
            )
