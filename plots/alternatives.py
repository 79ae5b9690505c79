"""Another sample beside the nominal one: ratios of the shapes of many variables, one panel each."""

from collections.abc import Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from znought.plots.labels import FeatureLabel, feature_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context

__all__ = ["ShapeRatio", "shape_ratios"]

Floats = NDArray[np.float64]
_PANEL_SIZE = (25.6 / 6, 4.8)
_MOST_COLUMNS = 6
_FEWEST_COLUMNS = 3
_FARTHEST = 0.7  # of the axis from one; beyond, an arrow


@dataclass(frozen=True)
class ShapeRatio:
    """Shape of one variable in another sample over that in the nominal one.

    Attributes:
        variable: its name.
        edges: of the bins, shape (n_bins + 1,).
        ratio: of the shares, alternative over nominal; NaN in bins without nominal events, shape (n_bins,).
        error: statistical, of both samples, shape (n_bins,).
        chi2, ndf: of no difference, with the correlations of bins.
    """

    variable: str
    edges: Floats
    ratio: Floats
    error: Floats
    chi2: float
    ndf: int


def shape_ratios(ratios: Sequence[ShapeRatio], *, title: str, label: FigureLabel) -> Figure:
    """Ratio of shapes for each variable, with errors and χ².

    Args:
        ratios: by variable, in order.
        title: which sample over which.
        label: what stands above the frame, without the luminosity.
    """
    n_rows = -(-len(ratios) // _MOST_COLUMNS)
    n_columns = max(-(-len(ratios) // n_rows), _FEWEST_COLUMNS)
    with style_context():
        figure = new_figure((_PANEL_SIZE[0] * n_columns, _PANEL_SIZE[1] * n_rows))
        panels = list(figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flat)
        for axes, one in zip(panels, ratios, strict=False):
            _draw(axes, one, feature_label(one.variable))
        for axes in panels[len(ratios) :]:
            axes.set_axis_off()
        figure.supylabel(title, fontsize=26)
        add_label(panels[0], label, right=panels[n_columns - 1], scale=1.2)
    return figure


def _draw(axes: Axes, one: ShapeRatio, names: FeatureLabel) -> None:
    middle, half = (one.edges[1:] + one.edges[:-1]) / 2.0, np.diff(one.edges) / 2.0
    low, high = 1.0 - _FARTHEST, 1.0 + _FARTHEST
    inside = (one.ratio > low) & (one.ratio < high)
    axes.axhline(1.0, color="0.5", linewidth=1.2)
    axes.errorbar(
        middle[inside],
        one.ratio[inside],
        one.error[inside],
        half[inside],
        fmt="o",
        color="black",
        markersize=5,
    )
    for outside, at, marker in ((one.ratio >= high, high, "^"), (one.ratio <= low, low, "v")):
        if outside.any():
            axes.plot(middle[outside], np.full(int(outside.sum()), at), marker, color="black", clip_on=False)
    axes.set_ylim(low, high)
    axes.set_xlim(one.edges[0], min(one.edges[-1], np.inf if names.upper is None else names.upper))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(names.axis, fontsize=20)
    mplhep.add_text(rf"$\chi^2$/ndf = {one.chi2:.1f}/{one.ndf}", loc="lower left", ax=axes, fontsize=18)
