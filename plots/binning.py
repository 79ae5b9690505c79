"""The optimised binning with its yields and Z per bin, and the significances side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from znought.errors import DataError, unknown_name
from znought.plots.histograms import WeightedHist, Yields, draw_band, draw_stack, headroom, weighted_hist
from znought.plots.labels import colours, feature_label, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["SignificanceEntry", "method_title", "optimised_binning", "significance_comparison"]

Vector = npt.NDArray[np.float64]
Spacing = Literal["auto", "to_scale", "equal_width"]
# A bin below this share of the axis cannot be told from its neighbours on a slide.
_NARROWEST = 0.025
_METHOD_TITLES = {
    "cut_based": "Cut-based, one bin",
    "cut_based_mt_binned": "Cut-based, $m_{T}$ bins",
    "mva_greedy": "Network, greedy bins",
    "mva_optimal": "Network, optimal bins",
    "boosting_greedy": "Boosted trees, greedy bins",
    "boosting_optimal": "Boosted trees, optimal bins",
}


def method_title(name: str) -> str:
    """A method of `results.json` in words; the user's own is shown by its name.

    >>> method_title("cut_based")
    'Cut-based, one bin'
    """
    return _METHOD_TITLES.get(name, name)


def optimised_binning(
    edges: npt.ArrayLike,
    yields: Yields,
    *,
    signal: str,
    z_per_bin: npt.ArrayLike,
    label: FigureLabel,
    note: str = "",
    spacing: Spacing = "auto",
    discriminant: str | None = None,
) -> Figure:
    """Stacked yields per bin on a logarithmic axis, Z per bin below, and what these make together.

    Args:
        edges: bin edges (n_bins + 1,).
        yields: process → (Σw, Σw²), each (n_bins,).
        signal: the process whose Z it is; drawn also as a line.
        z_per_bin: (n_bins,).
        label: what stands above the frame.
        note: the line that stands first ("held-out $Z$ = 0.91 [0.85, 0.97]").
        spacing: bins to scale, of equal width with their edges written out, or whichever is legible.
        discriminant: name of the variable that was binned; by default the signal's output.

    Raises:
        DataError: an unknown signal, or lengths that do not fit the edges.
    """
    if signal not in yields:
        raise DataError(unknown_name("signal process", signal, yields))
    borders = vector(edges, what="bin edges")
    z = vector(z_per_bin, what="Z per bin", size=borders.size - 1)
    to_scale = spacing == "to_scale" or (
        spacing == "auto" and float(np.diff(borders).min()) >= _NARROWEST * (borders[-1] - borders[0])
    )
    drawn = borders if to_scale else np.arange(borders.size, dtype=np.float64)
    histograms = {name: weighted_hist(drawn, *pair) for name, pair in yields.items()}
    with style_context():
        figure = new_figure()
        upper, lower = two_panels(figure, 2.6)
        total = draw_stack(upper, histograms, on_top=signal)
        colour = colours(histograms)[signal]
        _draw_yields(upper, total, histograms[signal], signal, colour)
        lower.stairs(z, drawn, fill=True, color=colour, alpha=0.35)
        lower.stairs(z, drawn, color=colour, linewidth=2.4)
        lower.set_ylim(0, 1.25 * float(z.max(initial=0.0)) or 1.0)
        lower.set_ylabel("$Z$ per bin", loc="center", fontsize=20)
        title = feature_label(discriminant).axis if discriminant else f"{process_label(signal)} output"
        lower.set_xlabel(title if to_scale else f"{title} (bins drawn of equal width)")
        lower.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
        _edge_ticks(lower, borders, drawn)
        total_z = float(np.sqrt(np.sum(z**2)))
        described = f"below: all events tuned and quoted, $\\sqrt{{\\Sigma Z^2}}$ = {total_z:.2f}"
        text = f"{note}\n{described}" if note else described
        mplhep.add_text(text, loc="upper left", ax=upper, fontsize=18)
        add_label(upper, label)
    return figure


def _draw_yields(axes: Axes, total: WeightedHist, signal: WeightedHist, name: str, colour: str) -> None:
    """Uncertainty of the stack, the signal as a line, legend and range on a logarithmic axis."""
    edges, expected, spread = total.axes[0].edges, total.values(), np.sqrt(total.variances())
    draw_band(axes, edges, expected - spread, expected + spread, "MC stat.")
    axes.stairs(
        signal.values(),
        edges,
        baseline=None,
        color=colour,
        linewidth=3.0,
        path_effects=[withStroke(linewidth=5.0, foreground="white")],
        label=f"{process_label(name)} alone",
    )
    positive = np.concatenate([signal.values()[signal.values() > 0], expected[expected > 0]])
    if positive.size == 0:
        raise DataError("The optimised binning has no bin with a positive yield.")
    headroom(axes, float((expected + spread).max()), bottom=float(positive.min()) / 4, log=True, share=0.38)
    axes.set_ylabel("Events / bin")
    axes.set_xlabel("")
    axes.legend(loc="upper right", ncols=3, fontsize=15)


def _edge_ticks(axes: Axes, borders: Vector, drawn: Vector) -> None:
    """Write every edge out, upright where they stand close."""
    crowded = float(np.diff(drawn).min()) < 0.05 * (drawn[-1] - drawn[0])
    axes.set_xlim(drawn[0], drawn[-1])
    axes.minorticks_off()
    axes.set_xticks(drawn, _edge_texts(borders), rotation=90 if crowded else 0, fontsize=16)


def _edge_texts(borders: Vector) -> list[str]:
    """Edges with three significant digits, or as many more as tell them apart."""
    return next(
        texts
        for digits in range(3, 18)
        if len(set(texts := [f"{edge:.{digits}g}" for edge in borders])) == borders.size
    )


@dataclass(frozen=True)
class SignificanceEntry:
    """One method's expected significance in its several forms.

    Attributes:
        name: method, one of the names of `results.json` or the user's own.
        tuned: Z on the events that chose the edges.
        held_out: Z on the others; None where nothing was tuned.
        interval: 68 % interval of the held-out Z.
        profile: Z of the profile likelihood with correlated systematics.
        published: the value that others quote.
    """

    name: str
    tuned: float | None = None
    held_out: float | None = None
    interval: tuple[float, float] | None = None
    profile: float | None = None
    published: float | None = None


def significance_comparison(
    entries: Sequence[SignificanceEntry], *, label: FigureLabel, note: str = ""
) -> Figure:
    """Expected Z per method: tuned, held-out with interval, profile likelihood, and the published.

    Raises:
        DataError: no entry, or a value that is not finite.
    """
    if not entries:
        raise DataError("A comparison of significances needs at least one method.")
    rows = np.arange(len(entries), dtype=np.float64)[::-1]
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        for row, entry in zip(rows, entries, strict=True):
            axes.axhspan(row - 0.46, row + 0.46, color="#f4f4f6", zorder=0)
            if entry.held_out is not None:
                axes.barh(row, entry.held_out, height=0.5, color="#5790fc", alpha=0.55, zorder=1)
                frame = axes.get_yaxis_transform()
                axes.text(1.015, row, _written(entry), transform=frame, va="center", fontsize=17)
        _markers(axes, entries, rows)
        axes.set_yticks(rows, [method_title(entry.name) for entry in entries], fontsize=19)
        axes.tick_params(axis="y", which="both", length=0)
        n_lines = 3 if note else 2
        axes.set_ylim(-0.55, len(entries) - 0.45 + 0.5 + 0.3 * n_lines)
        highest = max(_values(entry).max(initial=0.0) for entry in entries)
        axes.set_xlim(0, 1.12 * highest)
        axes.set_xlabel("Expected significance $Z$ (Asimov, $\\mu$ = 1)")
        axes.legend(
            loc="upper center", ncols=2, fontsize=15, handletextpad=0.3, title=note or None, title_fontsize=15
        )
        add_label(axes, label)
    return figure


def _values(entry: SignificanceEntry) -> Vector:
    """All values of an entry that exist."""
    ends = entry.interval or ()
    found = [v for v in (entry.tuned, entry.held_out, entry.profile, entry.published, *ends) if v is not None]
    return vector(found, what=f"significances of {entry.name}")


def _written(entry: SignificanceEntry) -> str:
    """The held-out value with its interval, for the column beside the frame."""
    if entry.interval is None:
        return f"{entry.held_out:.2f}"
    return f"{entry.held_out:.2f} [{entry.interval[0]:.2f}, {entry.interval[1]:.2f}]"


def _markers(axes: Axes, entries: Sequence[SignificanceEntry], rows: Vector) -> None:
    """Tuned, held-out, profile and published values, slightly apart so that none hides another."""
    kinds = (
        ("tuned", "tuned and quoted on the same", "D", "#f89c20", 0.34),
        ("profile", "held-out, correlated", "s", "#7a21dd", -0.18),
        ("published", "published", "*", "#000000", -0.36),
    )
    held = [(row, e) for row, e in zip(rows, entries, strict=True) if e.held_out is not None]
    if held:
        x = np.array([e.held_out for _, e in held], dtype=np.float64)
        low = np.array([e.interval[0] if e.interval else e.held_out for _, e in held], dtype=np.float64)
        high = np.array([e.interval[1] if e.interval else e.held_out for _, e in held], dtype=np.float64)
        bars = np.clip(np.stack([x - low, high - x]), 0, None)
        axes.errorbar(
            x,
            [row for row, _ in held],
            xerr=bars,
            fmt="o",
            color="#1f4fa8",
            markersize=9,
            linewidth=3,
            capsize=6,
            label="held-out, 68 %",
        )
    for field, text, marker, colour, shift in kinds:
        points = [
            (value, row + shift)
            for row, entry in zip(rows, entries, strict=True)
            if (value := getattr(entry, field)) is not None
        ]
        if points:
            x, y = np.array(points, dtype=np.float64).T
            size = 15 if marker == "*" else 9
            axes.plot(x, y, marker, color=colour, markersize=size, linestyle="none", label=text)
