"""Calibration: whether a network output of 0.7 means that seven events in ten belong to the class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from znought.plots.labels import colours, process_label
from znought.plots.style import SQUARE, FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["CalibrationCurve", "calibration"]


@dataclass(frozen=True)
class CalibrationCurve:
    """How often events with a given output belong to the class.

    Attributes:
        predicted: mean output per bin (n_bins,).
        observed: weighted share of the class per bin (n_bins,).
        uncertainty: of that share (n_bins,).
        share: part of all events in each bin (n_bins,).
    """

    predicted: npt.ArrayLike
    observed: npt.ArrayLike
    uncertainty: npt.ArrayLike
    share: npt.ArrayLike


def calibration(curves: Mapping[str, CalibrationCurve], *, label: FigureLabel, note: str = "") -> Figure:
    """Share of true members against the output, per class; below, the share of all events in each bin.

    Args:
        curves: class → curve.
        label: what stands above the frame.
        note: what weights were used ("classes of equal weight").
    """
    palette = colours(curves)
    with style_context():
        figure = new_figure(SQUARE)
        upper, lower = two_panels(figure, 3.0)
        upper.plot([0, 1], [0, 1], color="#3c3c3c", linewidth=1.2, linestyle="dotted")
        for name, curve in curves.items():
            x = vector(curve.predicted, what=f"output of {name}")
            y = vector(curve.observed, what=f"share of {name}", size=x.size)
            bars = vector(curve.uncertainty, what=f"uncertainty of {name}", size=x.size)
            share = vector(curve.share, what=f"events of {name}", size=x.size)
            upper.errorbar(
                x, y, yerr=bars, fmt="o-", color=palette[name], linewidth=2, label=process_label(name)
            )
            lower.plot(x, share, "o-", color=palette[name], linewidth=2, markersize=5)
        upper.set_xlim(0, 1)
        upper.set_ylim(0, 1.02)
        upper.set_ylabel("True share of the class")
        lower.set_yscale("log")
        lower.set_ylabel("Share", loc="center", fontsize=19)
        lower.set_xlabel("Network output")
        handles, _ = upper.get_legend_handles_labels()
        handles.append(Line2D([], [], color="#3c3c3c", linestyle="dotted", label="perfect"))
        upper.legend(handles=handles, loc="upper left", title=note or None, title_fontsize=16)
        add_label(upper, label)
    return figure
