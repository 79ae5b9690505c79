"""The expected significance against the size of the simulated sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from znought.errors import DataError
from znought.plots.binning import method_title
from znought.plots.labels import line_styles
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels

__all__ = ["SizePoint", "significance_by_size"]

_COLOURS = ("#717581", "#5790fc", "#e42536", "#f89c20", "#964a8b", "#7a21dd")


@dataclass(frozen=True)
class SizePoint:
    """Significances on one part of the sample.

    Attributes:
        generated: events in it.
        z0: method → value and the ends of its interval.
    """

    generated: int
    z0: Mapping[str, tuple[float, float, float]]


def significance_by_size(points: Sequence[SizePoint], *, label: FigureLabel, note: str = "") -> Figure:
    """Held-out Z0 of each method against the generated events behind it, and its ratio to the first method.

    Args:
        points: from the smallest part to the whole sample.
        label: what stands above the frame.
        note: a line above the legend.

    Raises:
        DataError: no point, or none with a significance.
    """
    names = list(dict.fromkeys(name for point in points for name in point.z0))
    if not names:
        raise DataError("Significances against sample size need at least one significance.")
    dashes = line_styles(names)
    with style_context():
        figure = new_figure((12.8, 9.0))
        upper, lower = two_panels(figure, 1.6)
        for i, name in enumerate(names):
            known = [point for point in points if name in point.z0]
            size = np.array([point.generated for point in known], np.float64)
            z, low, high = np.array([point.z0[name] for point in known], np.float64).T
            colour, bars = _COLOURS[i % len(_COLOURS)], np.clip(np.stack([z - low, high - z]), 0, None)
            # Slightly apart, so that no interval hides another.
            upper.errorbar(
                size * (1 + 0.012 * (i - len(names) / 2)),
                z,
                yerr=bars,
                marker="o",
                markersize=8,
                capsize=4,
                linewidth=2.4,
                color=colour,
                linestyle=dashes[name],
                label=method_title(name),
            )
            if i:
                _draw_ratio(lower, known, name, names[0], colour)
        upper.set_xscale("log")
        sizes = [point.generated for point in points]
        upper.set_xlim(0.88 * min(sizes), 1.14 * max(sizes))
        upper.set_ylim(0.0, 1.55 * max(ends[2] for point in points for ends in point.z0.values()))
        upper.set_ylabel("Held-out $Z$")
        lower.set_ylabel(f"Ratio to\n{method_title(names[0]).lower()}", loc="center", fontsize=17)
        lower.set_xlabel("Generated events")
        lower.set_ylim(bottom=0.0)
        lower.set_xticks(sizes, [f"{size:,}" for size in sizes])
        lower.xaxis.set_minor_formatter(NullFormatter())
        upper.legend(loc="upper left", ncols=2, fontsize=16, title=note or None, title_fontsize=16)
        add_label(upper, label)
    return figure


def _draw_ratio(lower: Axes, known: Sequence[SizePoint], name: str, first: str, colour: str) -> None:
    """Ratio of one method to the first, where that has a significance."""
    both = [point for point in known if first in point.z0 and point.z0[first][0] > 0]
    if both:
        ratio = [point.z0[name][0] / point.z0[first][0] for point in both]
        lower.plot(
            [point.generated for point in both], ratio, "o-", markersize=7, linewidth=2.4, color=colour
        )
