"""The network's inputs: shapes per class and correlations."""

from collections.abc import Mapping, Sequence
from typing import Literal

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from znought.errors import DataError
from znought.plots.labels import FeatureLabel, colours, feature_label, line_styles, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, vector

__all__ = ["correlation_matrix", "input_overview", "input_shapes"]

Vector = npt.NDArray[np.float64]
# Weighted part of each class left of the frame's ends; the widest class decides.
_TAILS = (0.002, 0.975)
_N_BINS = 40
_LINE_WIDTH = 2.4
_PANEL_SIZE = (25.6 / 6, 4.8)
_MOST_COLUMNS = 6
# The words above the frame find room.
_FEWEST_COLUMNS = 3


def _edges(
    values: Mapping[str, Vector], weights: Mapping[str, Vector], *, upper: float | None, whole: bool
) -> Vector:
    """Equal bins over the weighted bulk of all classes, or one for each whole number in it.

    Bins end at `upper` at the latest.
    """
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
    if whole:
        return np.arange(np.floor(low), np.floor(high) + 2.0) - 0.5
    return np.linspace(low, high if high > low else low + 1.0, _N_BINS + 1)


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
    names: FeatureLabel,
    scaled: bool,
    undefined: float | None,
) -> float:
    """Unit-normalised steps per class, with the title of the axis; returns the bin width."""
    kept, kept_weights, missing = _defined(values, weights, undefined)
    upper, whole = (None, False) if scaled else (names.upper, names.is_integer)
    edges = _edges(kept, kept_weights, upper=upper, whole=whole)
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
    axes.set_xlabel(f"{names.symbol} (scaled)" if scaled else names.axis)
    if whole:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_minor_locator(NullLocator())
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
        width = _draw_shapes(axes, values, weights, names=names, scaled=scaled, undefined=undefined)
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
    n_rows = -(-(len(features) + 1) // _MOST_COLUMNS)
    n_columns = max(-(-(len(features) + 1) // n_rows), _FEWEST_COLUMNS)
    with style_context():
        figure = new_figure((_PANEL_SIZE[0] * n_columns, _PANEL_SIZE[1] * n_rows))
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        panels = list(grid.flat)
        for axes, feature in zip(panels, features, strict=False):
            columns = {name: by_feature[feature] for name, by_feature in values.items()}
            names, sentinel = feature_label(feature), sentinels.get(feature)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            _draw_shapes(axes, columns, weights, names=names, scaled=scaled, undefined=sentinel)
        for axes in panels[len(features) :]:
            axes.set_axis_off()
        handles, _ = panels[0].get_legend_handles_labels()
        panels[len(features)].legend(
            handles, [process_label(name) for name in values], loc="center", fontsize=26, handlelength=2.2
        )
        figure.supylabel("Fraction of events per bin", fontsize=28 if n_rows > 1 else 22)
        add_label(panels[0], label, right=panels[n_columns - 1], scale=1.2)
    return figure


def correlation_matrix(
    matrix: npt.ArrayLike,
    *,
    features: Sequence[str],
    kind: Literal["MC", "data", "difference"],
    label: FigureLabel,
    error: npt.ArrayLike | None = None,
) -> Figure:
    """Correlations of the inputs in percent; a difference names its largest entry.

    Args:
        matrix: correlation coefficients, or MC − data of them, (n_features, n_features).
        features: names of rows and columns, in order.
        kind: what the matrix holds; "difference" is coloured on a finer scale.
        label: what stands above the frame.
        error: statistical error of each entry, quoted with the largest difference.

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
            named = f"{names[row]}, {names[column]}: {values[row, column]:+.3f}".replace(": -", ": −")
            if error is not None:
                named += f" ± {np.asarray(error)[row, column]:.3f}"
            axes.set_xlabel(f"Entries in percent.  Largest |difference|: {named}", fontsize=19)
        else:
            axes.set_xlabel("Entries in percent", fontsize=19)
        add_label(axes, label)
    return figure
