"""The network's inputs: shapes per class, data over simulation with a ratio panel, correlations."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from znought.errors import DataError
from znought.plots.histograms import (
    WeightedHist,
    Yields,
    binned_agreement,
    draw_band,
    draw_stack,
    headroom,
    poisson_interval,
    weighted_hist,
)
from znought.plots.labels import colours, feature_label, line_styles, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["correlation_matrix", "data_mc", "input_overview", "input_shapes"]

Vector = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Weighted part of each class left of the frame's ends; the widest class decides.
_TAILS = (0.002, 0.975)
_N_BINS = 40
_LINE_WIDTH = 2.4
_OVERVIEW_SIZE = (25.6, 14.4)
_OVERVIEW_COLUMNS = 6
_RATIO_RANGE = (0.45, 1.55)


def _edges(
    values: Mapping[str, Vector], weights: Mapping[str, Vector], *, n_bins: int, upper: float | None
) -> Vector:
    """Equal bins over the weighted bulk of all classes, ending at `upper` at the latest."""
    ends = [
        # A quantile has no meaning for negative weights; their events count by size.
        np.quantile(array, _TAILS, weights=np.abs(weights[name]), method="inverted_cdf")
        for name, array in values.items()
        if array.size
    ]
    if not ends:
        raise DataError("Input shapes need at least one event.")
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    if upper is not None and low < upper:
        high = min(high, upper)
    return np.linspace(low, high if high > low else low + 1.0, n_bins + 1)


def _defined(
    values: Mapping[str, npt.ArrayLike], weights: Mapping[str, npt.ArrayLike], undefined: float | None
) -> tuple[dict[str, Vector], dict[str, Vector], dict[str, float]]:
    """Values and weights without the undefined ones, and the weighted part per class that is undefined."""
    kept, kept_weights, missing = {}, {}, {}
    for name, raw in values.items():
        array = vector(raw, what=f"values of class {name}")
        weight = vector(weights[name], what=f"weights of class {name}", size=array.size)
        total = float(weight.sum())
        if array.size and total <= 0:
            raise DataError(f"Weights of class {name} sum to {total:g}; a shape needs a positive sum.")
        good = np.ones(array.size, dtype=bool) if undefined is None else array != undefined
        kept[name], kept_weights[name] = array[good], weight[good]
        missing[name] = float(weight[~good].sum() / total) if array.size else 0.0
    return kept, kept_weights, missing


def _draw_shapes(
    axes: Axes,
    values: Mapping[str, npt.ArrayLike],
    weights: Mapping[str, npt.ArrayLike],
    *,
    upper: float | None,
    undefined: float | None,
) -> float:
    """Unit-normalised steps per class; returns the bin width."""
    kept, kept_weights, missing = _defined(values, weights, undefined)
    edges = _edges(kept, kept_weights, n_bins=_N_BINS, upper=upper)
    palette, dashes = colours(values), line_styles(list(values))
    for name, array in kept.items():
        sumw, _ = np.histogram(array, bins=edges, weights=kept_weights[name])
        # Shares of all events with a value: what lies outside the frame is missing from the sum.
        total = float(kept_weights[name].sum())
        text = process_label(name)
        if undefined is not None:
            text += f" ({missing[name]:.0%} undefined)"
        mplhep.histplot(
            sumw / total if total > 0 else sumw,
            edges,
            ax=axes,
            color=palette[name],
            linestyle=dashes[name],
            linewidth=_LINE_WIDTH,
            label=text,
            yerr=False,
            flow="none",
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0.0)
    return float(edges[1] - edges[0])


def input_shapes(
    values: Mapping[str, npt.ArrayLike],
    weights: Mapping[str, npt.ArrayLike],
    *,
    feature: str,
    label: FigureLabel,
    scaled: bool = False,
    undefined: float | None = None,
) -> Figure:
    """Unit-normalised shape of one input per class.

    Args:
        values: class → values (n_events,).
        weights: class → event weights (n_events,).
        feature: name of the input, for the axis title.
        label: what stands above the frame.
        scaled: whether the values are what the network sees (no unit then).
        undefined: sentinel of events without a value; they are left out and their part is in the legend.

    Raises:
        DataError: no events, a class whose weights do not sum to a positive number, lengths that differ.
    """
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        names = feature_label(feature)
        upper = None if scaled else names.upper
        width = _draw_shapes(axes, values, weights, upper=upper, undefined=undefined)
        axes.set_xlabel(f"{names.symbol} (scaled)" if scaled else names.axis)
        axes.set_ylabel(
            f"Fraction of events / {width:.2g}" if scaled else f"Fraction of events / {names.per_bin(width)}"
        )
        axes.legend(loc="best")
        add_label(axes, label)
    return figure


def input_overview(
    values: Mapping[str, Mapping[str, npt.ArrayLike]],
    weights: Mapping[str, npt.ArrayLike],
    *,
    features: Sequence[str],
    label: FigureLabel,
    scaled: bool = False,
    undefined: Mapping[str, float] | None = None,
) -> Figure:
    """Shapes of many inputs per class, one panel each, with one legend.

    Args:
        values: class → input → values (n_events,).
        weights: class → event weights (n_events,).
        features: which inputs, in order.
        label: what stands above the frame.
        scaled: whether the values are what the network sees.
        undefined: input → sentinel of events without a value.
    """
    sentinels = undefined or {}
    n_rows = -(-(len(features) + 1) // _OVERVIEW_COLUMNS)
    with style_context():
        figure = new_figure((_OVERVIEW_SIZE[0], _OVERVIEW_SIZE[1] * n_rows / 3))
        grid = figure.subplots(n_rows, _OVERVIEW_COLUMNS, squeeze=False)
        panels = list(grid.flat)
        for axes, feature in zip(panels, features, strict=False):
            columns = {name: by_feature[feature] for name, by_feature in values.items()}
            names = feature_label(feature)
            upper = None if scaled else names.upper
            _draw_shapes(axes, columns, weights, upper=upper, undefined=sentinels.get(feature))
            axes.set_xlabel(f"{names.symbol} (scaled)" if scaled else names.axis)
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_locator(MaxNLocator(4))
        for axes in panels[len(features) :]:
            axes.set_axis_off()
        handles, _ = panels[0].get_legend_handles_labels()
        panels[len(features)].legend(
            handles, [process_label(name) for name in values], loc="center", fontsize=26, handlelength=2.2
        )
        figure.supylabel("Fraction of events per bin", fontsize=28)
        add_label(panels[0], label, right=panels[_OVERVIEW_COLUMNS - 1], scale=1.2)
    return figure


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


def _draw_signal(axes: Axes, histogram: WeightedHist, name: str, top: float) -> None:
    """The signal alone as a line, raised by a power of ten to about a third of the stack."""
    peak = float(histogram.values().max())
    factor = 10 ** max(0, int(np.floor(np.log10(top / peak)))) if peak > 0 else 1
    text = process_label(name) + (f" × {factor:g}" if factor > 1 else "")
    axes.stairs(
        histogram.values() * factor,
        histogram.axes[0].edges,
        baseline=None,
        color=colours([name])[name],
        linewidth=3.0,
        label=text,
    )


def data_mc(
    data: npt.ArrayLike | None,
    processes: Yields,
    edges: npt.ArrayLike,
    *,
    variable: str,
    label: FigureLabel,
    systematic: npt.ArrayLike | None = None,
    signal: str | None = None,
    blinded: npt.ArrayLike | None = None,
    log: bool = False,
    data_name: str = "Data",
) -> Figure:
    """Data and stacked processes, their ratio below, and χ² with its probability in the frame.

    Args:
        data: counts (n_bins,); None draws the expectation alone.
        processes: process → (Σw, Σw²), each (n_bins,).
        edges: bin edges (n_bins + 1,).
        variable: name of the input or other quantity, for the axis title.
        label: what stands above the frame.
        systematic: absolute systematic uncertainty of the sum (n_bins,), added in quadrature to the
            statistical one.
        signal: process drawn also as a line, raised by a power of ten to be seen.
        blinded: True where data must not be shown (n_bins,).
        log: logarithmic yields.
        data_name: what the points are called ("Pseudo-data").

    Raises:
        DataError: no process, or lengths that do not fit the edges.
    """
    if not processes:
        raise DataError("Data against simulation needs at least one process.")
    histograms = {name: weighted_hist(edges, *yields) for name, yields in processes.items()}
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure)
        total = draw_stack(upper, histograms, on_top=signal)
        variance = _with_systematic(total, systematic)
        text = "MC stat." if systematic is None else r"MC stat. $\oplus$ syst."
        _draw_uncertainty(upper, lower, total, np.sqrt(variance), text)
        if signal is not None:
            _draw_signal(upper, histograms[signal], signal, float(total.values().max()))
        top = float((total.values() + np.sqrt(variance)).max())
        if data is not None:
            seen = ~np.asarray(np.zeros(variance.size) if blinded is None else blinded, dtype=bool)
            counts = vector(data, what="data", size=variance.size)
            top = max(top, _draw_data(upper, lower, counts, total, seen, data_name))
            agreement = binned_agreement(counts[seen], total.values()[seen], variance[seen])
            mplhep.add_text(agreement.text, loc="upper left", ax=upper, fontsize=17)
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


def correlation_matrix(
    matrix: npt.ArrayLike,
    *,
    features: Sequence[str],
    kind: Literal["MC", "data", "difference"],
    label: FigureLabel,
) -> Figure:
    """Correlations of the inputs in percent; a difference names its largest entry.

    Args:
        matrix: correlation coefficients, or MC − data of them, (n_features, n_features).
        features: names of rows and columns, in order.
        kind: what the matrix holds; "difference" is coloured on a finer scale.
        label: what stands above the frame.

    Raises:
        DataError: not a square matrix of the features' size, or entries that are not finite.
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.shape != (len(features), len(features)) or not np.isfinite(values).all():
        expected = f"a finite matrix of {len(features)} × {len(features)}"
        raise DataError(f"Correlation matrix ({kind}): expected {expected}. Received: shape {values.shape}.")
    largest = np.abs(values - np.diag(np.diag(values)))
    row, column = (int(index) for index in np.unravel_index(int(largest.argmax()), values.shape))
    limit = 1.0 if kind != "difference" else max(0.1, float(largest.max()))
    names = [feature_label(name).symbol for name in features]
    with style_context():
        figure = new_figure((12.8, 11.4))
        axes = figure.add_subplot()
        image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        bar = figure.colorbar(image, ax=axes, pad=0.02)
        bar.set_label("Correlation: MC − data" if kind == "difference" else f"Linear correlation ({kind})")
        for (i, j), value in np.ndenumerate(values):
            shade = "white" if abs(value) > 0.6 * limit else "black"
            axes.text(
                j,
                i,
                f"{round(100 * value)}".replace("-", "−"),
                ha="center",
                va="center",
                fontsize=13,
                color=shade,
            )
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=16)
        axes.set_yticks(range(len(names)), names, fontsize=16)
        axes.tick_params(which="both", length=0)
        axes.minorticks_off()
        if kind == "difference":
            named = f"{names[row]}, {names[column]}: {values[row, column]:+.3f}"
            axes.set_xlabel(f"Entries in percent.  Largest |difference|: {named}", fontsize=19)
        else:
            axes.set_xlabel("Entries in percent", fontsize=19)
        add_label(axes, label)
    return figure
