"""Figures of a coefficient: the network's output, Z_A against cut and luminosity, predicted classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from znought.errors import DataError
from znought.plots.histograms import headroom
from znought.plots.labels import LineStyle, colours, feature_label, line_styles, process_label
from znought.plots.style import (
    SQUARE,
    FigureLabel,
    add_label,
    new_figure,
    style_context,
    two_panels,
    vector,
)
from znought.plots.training import Density

__all__ = [
    "CHW",
    "CutCurve",
    "channel_combination",
    "network_outputs",
    "predicted_class_inputs",
    "roc_by_coefficient",
    "z_against_cut",
    "z_against_luminosity",
]

Vector = npt.NDArray[np.float64]

CHW = r"$\bar{c}_{HW}$"
_CURVE_COLOURS = ("#e42536", "#5790fc", "#f89c20", "#964a8b", "#7a21dd", "#717581")
_DEFINITION_TITLES = {"excess": "excess over SM", "paper": "whole $\\bar{c} \\neq 0$ yield (published)"}
_SCALING_TITLES = {"fixed": "systematic fixed", "inverse_sqrt": r"systematic $\propto 1/\sqrt{L}$"}
_N_PANEL_BINS = 30
_STEEP = 8.0
"""Density of an output beyond which its axis is logarithmic."""
_CROWDED = 0.95
"""Best cut beyond which the axis of cuts is stretched towards 1."""


def _curve(i: int) -> str:
    return _CURVE_COLOURS[i % len(_CURVE_COLOURS)]


def network_outputs(
    stages: Mapping[str, Mapping[str, Density]], edges: npt.ArrayLike, *, label: FigureLabel
) -> Figure:
    """Output of signal and background events after each stage of the training, one panel each.

    Args:
        stages: title of the stage → class → binned events; drawn at unit area.
        edges: bin edges (n_bins + 1,), the same in all stages.
        label: what stands above the frame.
    """
    borders = vector(edges, what="bin edges")
    with style_context():
        figure = new_figure()
        panels = list(figure.subplots(1, len(stages), squeeze=False).flat)
        for axes, (title, classes) in zip(panels, stages.items(), strict=True):
            palette, top = colours(classes), 0.0
            for name, density in classes.items():
                heights, bars = density.normalised(borders, f"{name} events, {title}")
                axes.stairs(heights, borders, fill=True, color=palette[name], alpha=0.2)
                axes.stairs(heights, borders, color=palette[name], linewidth=2.4, label=process_label(name))
                top = max(top, float((heights + bars).max()))
            # Under the Asimov loss nearly all events end in the first bin.
            steep = top > _STEEP
            headroom(axes, top, bottom=0.02 if steep else 0.0, log=steep, share=0.25)
            axes.set_xlim(borders[0], borders[-1])
            axes.set_xlabel("Network output")
            axes.set_ylabel("Density (unit area)")
            axes.legend(loc="upper right", title=title, title_fontsize=18)
        add_label(panels[0], label, right=panels[-1])
    return figure


def roc_by_coefficient(
    curves: Mapping[float, tuple[npt.ArrayLike, npt.ArrayLike, float]],
    *,
    label: FigureLabel,
    coefficient: str = CHW,
    published: Mapping[float, float] | None = None,
    note: str = "",
) -> Figure:
    """ROC curve of the signal for each value of the coefficient.

    Args:
        curves: value of the coefficient → (false-positive rate, true-positive rate, area).
        label: what stands above the frame.
        coefficient: its symbol.
        published: value of the coefficient → the area that others quote.
        note: title of the legend ("cross-entropy, VH alone").
    """
    quoted = published or {}
    with style_context():
        figure = new_figure(SQUARE)
        axes = figure.add_subplot()
        for i, (value, (false_rate, true_rate, area)) in enumerate(curves.items()):
            x = vector(false_rate, what=f"false-positive rate at {value:g}")
            y = vector(true_rate, what=f"true-positive rate at {value:g}", size=x.size)
            text = f"{coefficient} = {value:g}: AUC = {area:.3f}"
            if value in quoted:
                text += f" (published: {quoted[value]:.2f})"
            axes.plot(x, y, color=_curve(i), linewidth=2.8, label=text)
        axes.plot([0, 1], [0, 1], color="#3c3c3c", linewidth=1.0, linestyle="dotted")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.005)
        axes.set_xlabel("False-positive rate (SM)")
        axes.set_ylabel("True-positive rate (SMEFT)")
        axes.legend(loc="lower right", title=note or None, title_fontsize=17)
        add_label(axes, label)
    return figure


@dataclass(frozen=True)
class CutCurve:
    """Z_A of all events above a cut on the output, for every cut.

    Attributes:
        name: what distinguishes the curve ("systematic 50 %").
        cuts: lowest output kept (n_cuts,).
        z: Z_A (n_cuts,).
        background: background events above each cut (n_cuts,).
    """

    name: str
    cuts: npt.ArrayLike
    z: npt.ArrayLike
    background: npt.ArrayLike


def z_against_cut(curves: Sequence[CutCurve], *, label: FigureLabel, note: str = "") -> Figure:
    """Z_A against the cut on the output, one curve per systematic uncertainty, background events below.

    The best cut of each curve is marked: it was chosen on these very events.

    Raises:
        DataError: no curve, or lengths that differ.
    """
    if not curves:
        raise DataError("Z against the cut needs at least one curve.")
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure, 2.4)
        furthest = 0.0
        for i, curve in enumerate(curves):
            cuts = vector(curve.cuts, what=f"cuts of {curve.name}")
            z = vector(curve.z, what=f"Z of {curve.name}", size=cuts.size)
            left = vector(curve.background, what=f"background of {curve.name}", size=cuts.size)
            best = int(np.argmax(z))
            text = f"{curve.name}: best {z[best]:.3g} at {cuts[best]:.2g} ($b$ = {left[best]:.3g})"
            upper.plot(cuts, z, color=_curve(i), linewidth=2.6, label=text)
            upper.plot([cuts[best]], [z[best]], "o", color=_curve(i), markersize=10, clip_on=False, zorder=5)
            # Each curve is of the same cuts and events, unless some were left out.
            lower.plot(cuts, left, color="black", linewidth=2.2)
            furthest = max(furthest, float(cuts[best]))
        if furthest > _CROWDED:
            _stretch(lower, [np.asarray(curve.cuts, dtype=np.float64) for curve in curves])
        lower.set_yscale("log")
        lower.yaxis.set_major_locator(LogLocator(numticks=4))
        lower.yaxis.set_minor_formatter(NullFormatter())
        lower.set_ylabel("Background", loc="center", fontsize=19)
        lower.set_xlabel("Cut on the output")
        highest = max(float(np.max(np.asarray(curve.z, dtype=np.float64))) for curve in curves)
        headroom(upper, highest, share=0.12 + 0.07 * (len(curves) + note.count("\n")))
        upper.set_ylabel("$Z_{A}$")
        upper.legend(loc="upper right", fontsize=16)
        if note:
            mplhep.add_text(note, loc="upper left", ax=upper, fontsize=17)
        add_label(upper, label)
    return figure


def _stretch(axes: Axes, cuts: Sequence[Vector]) -> None:
    """A logit axis from the lowest to the highest cut, its ticks written as numbers."""
    inside = np.concatenate([one[(one > 0.0) & (one < 1.0)] for one in cuts])
    axes.set_xscale("logit")
    axes.set_xlim(max(float(inside.min()), 1e-3), float(inside.max()))
    known = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
    shown = [tick for tick in known if inside.min() <= tick <= inside.max()]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.xaxis.set_minor_formatter(NullFormatter())


def z_against_luminosity(
    luminosities_ifb: npt.ArrayLike,
    curves: Mapping[str, Mapping[float, npt.ArrayLike]],
    *,
    label: FigureLabel,
    coefficient: str = CHW,
    note: str = "",
) -> Figure:
    """Z_A against integrated luminosity for several values of the coefficient.

    Args:
        luminosities_ifb: in inverse femtobarns (n_lumi,).
        curves: how the systematic scales ("fixed", "inverse_sqrt") → value of the coefficient → Z (n_lumi,).
        label: what stands above the frame.
        coefficient: its symbol.
        note: a line in the frame.
    """
    lumi = vector(luminosities_ifb, what="luminosities")
    values = sorted({value for by_value in curves.values() for value in by_value}, reverse=True)
    dashes = line_styles(list(curves))
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        lowest, highest = np.inf, 0.0
        for scaling, by_value in curves.items():
            for value, raw in by_value.items():
                z = vector(raw, what=f"Z at {value:g}, {scaling}", size=lumi.size)
                colour = _curve(values.index(value))
                axes.plot(lumi, z, color=colour, linestyle=dashes[scaling], linewidth=2.6)
                lowest = min(lowest, float(z[z > 0].min(initial=np.inf)))
                highest = max(highest, float(z.max(initial=0.0)))
        for level in (3.0, 5.0):
            axes.axhline(level, color="#717581", linewidth=1.2, linestyle="dotted")
            frame = axes.get_yaxis_transform()
            axes.text(1.008, level, f"{level:g}σ", transform=frame, fontsize=16, color="#717581", va="center")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(lumi.min(), lumi.max())
        floor = min(lowest / 1.5, 2.0) if np.isfinite(lowest) else 0.1
        floor = max(floor, 1e-3)
        # Room for the legend, on a logarithmic axis.
        axes.set_ylim(floor, floor * (max(8.0, 1.5 * highest) / floor) ** 1.45)
        axes.set_xlabel("Integrated luminosity [fb$^{-1}$]")
        axes.set_ylabel("$Z_{A}$")
        _plain_ticks(axes, lumi)
        _luminosity_legend(axes, values, dashes, coefficient, note)
        add_label(axes, label)
    return figure


def _plain_ticks(axes: Axes, lumi: Vector) -> None:
    """Luminosities written as numbers, at those that mean something."""
    known = (20, 80, 139, 300, 1000, 3000)
    shown = [value for value in known if lumi.min() <= value <= lumi.max()]
    axes.set_xticks(shown, [str(value) for value in shown])
    axes.xaxis.set_minor_formatter("")


def _luminosity_legend(
    axes: Axes, values: Sequence[float], dashes: Mapping[str, LineStyle], coefficient: str, note: str
) -> None:
    """Colours by value, dashes by the scaling of the systematic, where curves leave room."""
    handles = [
        Line2D([], [], color=_curve(i), linewidth=3, label=f"{coefficient} = {value:g}")
        for i, value in enumerate(values)
    ]
    handles += [
        Line2D([], [], color="black", linestyle=dash, label=_SCALING_TITLES.get(name, name))
        for name, dash in dashes.items()
    ]
    axes.legend(
        handles=handles, loc="upper left", ncols=2, fontsize=15, title=note or None, title_fontsize=15
    )


def channel_combination(
    z: Mapping[str, Mapping[str, float]], *, label: FigureLabel, note: str = ""
) -> Figure:
    """Z_A per channel and combined, one bar per signal definition, so that both are always seen.

    Args:
        z: channel ("0L", "combined") → signal definition ("excess", "paper") → Z_A.
        label: what stands above the frame.
        note: a line in the frame ("c̄_HW = 0.03, 50 % systematic").
    """
    definitions = list(dict.fromkeys(name for by_name in z.values() for name in by_name))
    width = 0.8 / max(1, len(definitions))
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        highest = 0.0
        for i, definition in enumerate(definitions):
            at = [k for k, by_name in enumerate(z.values()) if definition in by_name]
            heights = [by_name[definition] for by_name in z.values() if definition in by_name]
            x = np.array(at) + (i - 0.5 * (len(definitions) - 1)) * width
            title = _DEFINITION_TITLES.get(definition, definition)
            bars = axes.bar(x, heights, 0.92 * width, color=_curve(1 - i if i < 2 else i), label=title)
            axes.bar_label(bars, [f"{height:.3g}" for height in heights], padding=4, fontsize=18)
            highest = max(highest, *heights)
        headroom(axes, highest, share=0.25)
        axes.set_xticks(range(len(z)), list(z))
        axes.tick_params(axis="x", which="both", length=0)
        axes.set_xlim(-0.6, len(z) - 0.4)
        axes.set_ylabel("$Z_{A}$")
        axes.legend(loc="upper right", title="signal counted as", title_fontsize=17)
        if note:
            mplhep.add_text(note, loc="upper left", ax=axes, fontsize=18)
        add_label(axes, label)
    return figure


def predicted_class_inputs(
    values: Mapping[str, npt.ArrayLike],
    predicted_signal: npt.ArrayLike,
    weights: npt.ArrayLike,
    *,
    label: FigureLabel,
    note: str = "",
    called: tuple[str, str],
    undefined: Mapping[str, float] | None = None,
) -> Figure:
    """True signal events against each input, stacked by what the network called them.

    Args:
        values: input → values of the true signal events (n_events,).
        predicted_signal: whether the network called the event signal (n_events,).
        weights: event weights (n_events,).
        label: what stands above the frame.
        note: title of the legend ("0L, c̄_HW = 0.03, cut 0.5").
        called: what the network calls background, and signal.
        undefined: input → sentinel of events without a value, which its panel leaves out.

    Raises:
        DataError: lengths differ, or the weights do not sum to a positive number.
    """
    weight = vector(weights, what="weights of the signal events")
    is_called = np.asarray(predicted_signal, dtype=bool)
    if is_called.shape != weight.shape:
        raise DataError(
            f"Predicted classes: expected {weight.size} values. Received: shape {is_called.shape}."
        )
    if not weight.sum() > 0:
        raise DataError(f"True signal events: weights sum to {weight.sum():g}.")
    share, sentinels = weight / weight.sum(), undefined or {}
    n_columns = min(5, len(values))
    n_rows = -(-len(values) // n_columns)
    with style_context():
        figure = new_figure((5.0 * n_columns, 4.4 * n_rows))
        panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
        for axes, (name, raw) in zip(panels, values.items(), strict=False):
            column = vector(raw, what=name, size=weight.size)
            has_value = column != sentinels[name] if name in sentinels else np.ones(weight.size, np.bool_)
            names = feature_label(name)
            shown = (column[has_value], share[has_value], is_called[has_value])
            _stack_by_prediction(axes, *shown, called, names.upper)
            axes.set_xlabel(names.axis)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.yaxis.set_major_locator(MaxNLocator(4))
        for axes in panels[len(values) :]:
            axes.set_axis_off()
        handles, titles = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, titles, loc="outside lower center", ncols=2, fontsize=22, title=note, title_fontsize=20
        )
        figure.supylabel("Fraction of true signal events per bin", fontsize=24)
        add_label(panels[0], label, right=panels[n_columns - 1])
    return figure


def _stack_by_prediction(
    axes: Axes,
    values: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    is_called: npt.NDArray[np.bool_],
    called: tuple[str, str],
    upper: float | None,
) -> None:
    """Events called background at the bottom, those called signal on them; shares of all."""
    low, high = np.quantile(values, (0.001, 0.99)) if values.size else (0.0, 1.0)
    high = high if upper is None or upper <= low else min(high, upper)
    edges = np.linspace(low, high if high > low else low + 1.0, _N_PANEL_BINS + 1)
    masks = (~is_called, is_called)
    below, above = (np.histogram(values[mask], edges, weights=share[mask])[0] for mask in masks)
    axes.stairs(below, edges, fill=True, color="#5790fc", label=f"called {process_label(called[0])}")
    text = f"called {process_label(called[1])}"
    axes.stairs(below + above, edges, baseline=below, fill=True, color="#e42536", label=text)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.1 * float((below + above).max()) or 1.0)
