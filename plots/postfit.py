"""What a fit makes of all regions, how its likelihood rises, and its statistic in pseudo-experiments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator
from scipy.stats import chi2

from znought.errors import DataError
from znought.plots.blinding import draw_blinded
from znought.plots.histograms import (
    WeightedHist,
    draw_band,
    draw_stack,
    headroom,
    poisson_interval,
    weighted_hist,
)
from znought.plots.style import FigureLabel, add_label, new_figure, style_context, two_panels, vector

__all__ = ["RegionBins", "likelihood_scans", "region_summary", "toy_distribution"]

Vector = npt.NDArray[np.float64]
_DARK = "#3c3c3c"
_MARGINS = 2.0
_LETTER = 0.15
"""Inches: beside the frame, and of a letter of the regions' names."""


@dataclass(frozen=True)
class RegionBins:
    """Expected events of one region, before or after a fit.

    Attributes:
        name: as the user reads it.
        yields: process → expected events, shape (n_bins,).
        error: of the sum, with all correlations, shape (n_bins,).
        data: counts, shape (n_bins,), not a number in blinded bins; None where the region is blinded.
    """

    name: str
    yields: Mapping[str, npt.ArrayLike]
    error: npt.ArrayLike
    data: npt.ArrayLike | None = None

    @property
    def n_bins(self) -> int:
        """Bins of the region."""
        return int(np.asarray(self.error).size)


def region_summary(
    regions: Sequence[RegionBins],
    *,
    label: FigureLabel,
    signal: str | None = None,
    stage: str = "After the fit",
    data_name: str = "Data",
    note: str = "",
) -> Figure:
    """All bins of all regions side by side: stacked processes with their correlated error, data and ratio.

    Args:
        regions: in the order of the axis.
        label: what stands above the frame.
        signal: process on top of the stack.
        stage: which expectation is drawn.
        data_name: what the points are called.
        note: what is said about the agreement.

    Raises:
        DataError: no region, or arrays that do not fit each other.
    """
    if not regions:
        raise DataError("A summary of regions needs at least one region.")
    processes, error, counts = _joined(regions)
    edges = np.arange(error.size + 1.0)
    histograms = {
        name: weighted_hist(edges, values, np.zeros_like(values)) for name, values in processes.items()
    }
    with style_context():
        figure = new_figure((max(12.8, 0.7 * error.size + 4.0), 9.0))
        upper, lower = two_panels(figure)
        total = draw_stack(upper, histograms, on_top=signal)
        expected = total.values()
        draw_band(upper, edges, expected - error, expected + error, "Uncertainty")
        top = max(float((expected + error).max()), _draw_counts(upper, lower, counts, total, data_name))
        _draw_ratio_band(lower, edges, expected, error)
        lower.set_ylabel(_ratio_title(stage, counts), loc="center", fontsize=20)
        _mark_regions(upper, lower, regions)
        if not np.isnan(counts).all():
            draw_blinded(upper, lower, edges, np.isnan(counts))
        smallest = min([*expected[expected > 0], top]) if top > 0 else 1.0
        headroom(upper, max(top, smallest), bottom=0.1 * float(smallest), log=True, share=0.3)
        upper.set_ylabel("Events / bin")
        upper.legend(loc="upper right", ncols=4, fontsize=15)
        mplhep.add_text(f"{stage}\n{note}" if note else stage, loc="upper left", ax=upper, fontsize=16)
        add_label(upper, label)
    return figure


def _joined(regions: Sequence[RegionBins]) -> tuple[dict[str, Vector], Vector, Vector]:
    """Processes, error and data of all regions in one row of bins; absent data are not a number."""
    names = list(dict.fromkeys(name for region in regions for name in region.yields))
    processes: dict[str, list[Vector]] = {name: [] for name in names}
    errors, counts = [], []
    for region in regions:
        n = region.n_bins
        for name in names:
            values = region.yields.get(name, np.zeros(n))
            processes[name].append(vector(values, what=f"yields of {name} in {region.name}", size=n))
        errors.append(vector(region.error, what=f"error in {region.name}", size=n))
        data = np.full(n, np.nan) if region.data is None else np.asarray(region.data, dtype=np.float64)
        if data.shape != (n,):
            raise DataError(f"data in {region.name}: expected {n} values. Received: shape {data.shape}.")
        counts.append(data)
    joined = {name: np.concatenate(parts) for name, parts in processes.items()}
    return joined, np.concatenate(errors), np.concatenate(counts)


def _draw_counts(upper: Axes, lower: Axes, counts: Vector, total: WeightedHist, name: str) -> float:
    """Counts above and their ratio below, where they are shown; returns the highest bar."""
    shown = np.isfinite(counts)
    if not shown.any():
        return 0.0
    centres, expected = total.axes[0].centers[shown], total.values()[shown]
    seen = counts[shown]
    low, high = poisson_interval(seen)
    bars = np.stack([seen - low, high - seen])
    upper.errorbar(centres, seen, yerr=bars, fmt="o", color="black", linewidth=1.6, label=name)
    good = expected > 0
    ratio = seen[good] / expected[good]
    lower.errorbar(
        centres[good], ratio, yerr=bars[:, good] / expected[good], fmt="o", color="black", linewidth=1.6
    )
    return float(high.max())


def _ratio_title(stage: str, counts: Vector) -> str:
    """What the lower panel shows: data where there are some, else the uncertainty alone."""
    if np.isnan(counts).all():
        return "Uncertainty"
    return "Data / fit" if stage == "After the fit" else "Data / exp."


def _draw_ratio_band(lower: Axes, edges: Vector, expected: Vector, error: Vector) -> None:
    relative = np.divide(error, expected, out=np.zeros_like(error), where=expected > 0)
    draw_band(lower, edges, 1 - relative, 1 + relative, "")
    lower.axhline(1.0, color=_DARK, linewidth=1.0)
    lower.set_ylim(0.45, 1.55)
    lower.set_xlim(edges[0], edges[-1])


def _mark_regions(upper: Axes, lower: Axes, regions: Sequence[RegionBins]) -> None:
    """Lines between regions, and their names where an axis title would stand."""
    ends = np.cumsum([region.n_bins for region in regions])
    starts = ends - [region.n_bins for region in regions]
    for end in ends[:-1]:
        for axes, height in ((upper, 0.75), (lower, 1.0)):
            axes.axvline(float(end), ymax=height, color=_DARK, linewidth=1.2, linestyle="dashed")
    room = (float(upper.figure.get_figwidth()) - _MARGINS) / float(ends[-1])  # type: ignore[union-attr]  # drawn on a figure
    fits = all(_LETTER * len(region.name) < room * region.n_bins for region in regions)
    names = [region.name for region in regions]
    lower.set_xticks((starts + ends) / 2, names, fontsize=17)
    if not fits:
        lower.tick_params(axis="x", labelrotation=25)
        for text in lower.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    lower.tick_params(axis="x", which="both", length=0)
    upper.tick_params(axis="x", which="both", length=0)
    upper.set_xlabel("")


def likelihood_scans(
    scans: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]], *, label: FigureLabel, parameter: str = r"$\mu$"
) -> Figure:
    r"""−2 Δ ln L against a parameter, with the heights of one and two standard deviations.

    Args:
        scans: name → (values of the parameter, rise of −2 ln L), one line each.
        label: what stands above the frame.
        parameter: symbol of the parameter.

    Raises:
        DataError: no scan, or lengths that do not fit.
    """
    if not scans:
        raise DataError("A figure of likelihood scans needs at least one scan.")
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        highest = 1.0
        for name, (values, rise) in scans.items():
            x = vector(values, what=f"values of {name}")
            y = vector(rise, what=f"rise of {name}", size=x.size)
            fine = np.linspace(float(x.min()), float(x.max()), 40 * x.size)
            (line,) = axes.plot(fine, _between(x, y, fine), linewidth=3, label=name)
            axes.plot(x, y, "o", markersize=5, color=line.get_color())
            highest = max(highest, float(y.max()))
        for height, text in ((1.0, r"1$\sigma$"), (4.0, r"2$\sigma$")):
            if height < 1.2 * highest:
                axes.axhline(height, color=_DARK, linewidth=1.2, linestyle="dashed")
                place = axes.get_yaxis_transform()
                axes.text(0.99, height, text, transform=place, ha="right", va="bottom", fontsize=16)
        axes.set_ylim(0.0, 1.35 * highest)
        axes.set_xlabel(parameter)
        axes.set_ylabel(r"$-2\,\Delta\ln L$")
        axes.legend(loc="upper center", fontsize=17)
        add_label(axes, label)
    return figure


def _between(x: Vector, y: Vector, at: Vector) -> Vector:
    """A smooth curve through points that rises and falls with them; straight between fewer than three."""
    if x.size < 3 or np.any(np.diff(x) <= 0):
        return np.asarray(np.interp(at, x, y), np.float64)
    return np.asarray(PchipInterpolator(x, y)(at), np.float64)


def toy_distribution(
    values: npt.ArrayLike,
    observed: float,
    *,
    label: FigureLabel,
    statistic: str,
    n_dof: int | None = None,
    n_bins: int = 30,
) -> Figure:
    """A test statistic in pseudo-experiments with the data's, and the χ² density that it should follow.

    Args:
        values: of the pseudo-experiments, shape (n_toys,).
        observed: of the data.
        label: what stands above the frame.
        statistic: its symbol.
        n_dof: of the χ² density; None leaves it out.
        n_bins: of the histogram.

    Raises:
        DataError: no pseudo-experiment, or values that are not finite.
    """
    toys = vector(values, what="test statistic")
    if not toys.size:
        raise DataError("A distribution of pseudo-experiments needs at least one.")
    end = 1.05 * max(float(toys.max()), observed, 1e-9)
    counts, edges = np.histogram(toys, np.linspace(min(float(toys.min()), 0.0), end, n_bins + 1))
    tail = float((toys >= observed).mean())
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        axes.stairs(
            counts, edges, fill=True, color="#5790fc", alpha=0.5, label=f"{toys.size} pseudo-experiments"
        )
        if n_dof:
            shares = np.diff(chi2.cdf(edges, n_dof)) * toys.size
            axes.stairs(
                shares, edges, color=_DARK, linewidth=2, label=rf"$\chi^2$, {n_dof} degrees of freedom"
            )
        axes.axvline(observed, color="#e42536", linewidth=3, label=f"data, $p$ = {tail:.2g}")
        axes.set_xlabel(statistic)
        axes.set_ylabel("Pseudo-experiments / bin")
        headroom(axes, float(counts.max()), share=0.3)
        axes.legend(loc="upper right", fontsize=16)
        add_label(axes, label)
    return figure
