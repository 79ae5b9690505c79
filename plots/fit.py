"""The fit's figures: pulls with impacts, and normalisations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from znought.errors import DataError
from znought.plots.labels import colours, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context

__all__ = ["NuisanceImpact", "normalisations", "ranking"]


@dataclass(frozen=True)
class NuisanceImpact:
    """One nuisance parameter after the fit, and what it does to the parameter of interest.

    Attributes:
        name: as the user reads it.
        pull: (fitted − nominal) / prior width.
        constraint: fitted width / prior width, (down, up).
        impact: shift of the parameter of interest when this one is fixed at its fitted value
            (− width, + width).
        prior_impact: the same with the prior width; None where there is no prior.
    """

    name: str
    pull: float
    constraint: tuple[float, float]
    impact: tuple[float, float]
    prior_impact: tuple[float, float] | None = None

    @property
    def size(self) -> float:
        """Largest shift, by which parameters are ranked."""
        return max(abs(self.impact[0]), abs(self.impact[1]))


def ranking(
    entries: Sequence[NuisanceImpact], *, label: FigureLabel, poi: str = r"$\mu$", n_shown: int = 20
) -> Figure:
    """Nuisance parameters by impact: bars show Δ of the parameter of interest, points show the pulls.

    Args:
        entries: in any order.
        label: what stands above the frame.
        poi: symbol of the parameter of interest.
        n_shown: how many of the largest are drawn.

    Raises:
        DataError: no parameter.
    """
    if not entries:
        raise DataError("A ranking needs at least one nuisance parameter.")
    chosen = sorted(entries, key=lambda entry: -entry.size)[:n_shown]
    rows = np.arange(len(chosen), dtype=np.float64)[::-1]
    with style_context():
        figure = new_figure((12.8, max(6.0, 0.5 * len(chosen) + 2.4)))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.1))
        _draw_pulls(left, chosen, rows)
        largest = _draw_impacts(right, chosen, rows)
        right.set_xlim(-1.15 * largest, 1.15 * largest)
        right.set_xlabel(rf"$\Delta$ {poi}")
        left.set_yticks(rows, [entry.name for entry in chosen], fontsize=17)
        for axes in (left, right):
            axes.tick_params(axis="y", which="both", length=0)
            axes.set_ylim(-0.7, len(chosen) - 0.3)
        add_label(left, label, right=right)
    return figure


def _draw_pulls(axes: Axes, entries: Sequence[NuisanceImpact], rows: npt.NDArray[np.float64]) -> None:
    """Pulls with post-fit widths over the prior's one and two widths."""
    axes.axvspan(-2, 2, color="#ececf0", zorder=0)
    axes.axvspan(-1, 1, color="#d4d6de", zorder=0)
    axes.axvline(0, color="#3c3c3c", linewidth=1.0)
    pulls = np.array([entry.pull for entry in entries])
    widths = np.array([entry.constraint for entry in entries]).T
    axes.errorbar(pulls, rows, xerr=widths, fmt="o", color="black", linewidth=2, capsize=4)
    reach = max(2.4, 1.1 * float((np.abs(pulls) + widths.max(axis=0)).max()))
    axes.set_xlim(-reach, reach)
    axes.set_xlabel(r"$(\hat\theta - \theta_{0}) / \sigma_{\theta}$")


def _draw_impacts(axes: Axes, entries: Sequence[NuisanceImpact], rows: npt.NDArray[np.float64]) -> float:
    """Filled bars after the fit, open ones before; returns the largest shift drawn."""
    down, up = "#5790fc", "#f89c20"
    largest = max(entry.size for entry in entries)
    for row, entry in zip(rows, entries, strict=True):
        if entry.prior_impact is not None:
            for shift, colour in zip(entry.prior_impact, (down, up), strict=True):
                axes.barh(row, shift, height=0.78, facecolor="none", edgecolor=colour, linewidth=1.6)
                largest = max(largest, abs(shift))
        for shift, colour in zip(entry.impact, (down, up), strict=True):
            axes.barh(row, shift, height=0.6, color=colour)
    axes.axvline(0, color="#3c3c3c", linewidth=1.0)
    handles = [
        Patch(facecolor=down, label=r"$\theta - \sigma_{\theta}$"),
        Patch(facecolor=up, label=r"$\theta + \sigma_{\theta}$"),
    ]
    if any(entry.prior_impact is not None for entry in entries):
        handles.append(Patch(facecolor="none", edgecolor="#3c3c3c", label="before the fit"))
    axes.legend(handles=handles, loc="lower right", fontsize=15)
    return largest or 1.0


def normalisations(
    factors: Mapping[str, tuple[float, float, float]], *, label: FigureLabel, note: str = ""
) -> Figure:
    """Fitted normalisation of each floating process, and the signal strength, with intervals.

    Args:
        factors: name → (value, lower end, upper end).
        label: what stands above the frame.
        note: a line in the frame.
    """
    if not factors:
        raise DataError("The figure of normalisations needs at least one factor.")
    rows = np.arange(len(factors), dtype=np.float64)[::-1]
    values = np.array(list(factors.values()), dtype=np.float64)
    palette = colours(factors)
    with style_context():
        figure = new_figure((12.8, max(4.5, 0.9 * len(factors) + 2.0)))
        axes = figure.add_subplot()
        axes.axvline(1.0, color="#3c3c3c", linewidth=1.2, linestyle="dashed")
        for row, name, (value, low, high) in zip(rows, factors, values, strict=True):
            bars = [[value - low], [high - value]]
            axes.errorbar(
                [value], [row], xerr=bars, fmt="o", color=palette[name], markersize=11, linewidth=3, capsize=6
            )
            text = f"{value:.2f}  [{low:.2f}, {high:.2f}]".replace("-", "−")
            written = axes.text(value, row + 0.17, text, ha="center", va="bottom", fontsize=16)
            written.set_path_effects([withStroke(linewidth=5, foreground="white")])
        axes.set_yticks(rows, [process_label(name) for name in factors])
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(-0.6, len(factors) - 0.2)
        low, high = float(values[:, 1].min()), float(values[:, 2].max())
        pad = 0.25 * max(high - low, 0.2)
        axes.set_xlim(min(low - pad, 1 - pad), max(high + pad, 1 + pad))
        axes.set_xlabel("Fitted / predicted")
        if note:
            mplhep.add_text(note, loc="lower right", ax=axes, fontsize=16)
        add_label(axes, label)
    return figure
