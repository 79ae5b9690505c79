"""Weighted histograms as figures need them, the stack of processes, and χ² against data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mplhep
import numpy as np
import numpy.typing as npt
from hist import BaseHist, Hist
from hist.storage import Weight
from matplotlib.axes import Axes
from scipy.stats import chi2 as chi2_distribution

from znought.errors import DataError
from znought.plots.behind import keep_histograms
from znought.plots.labels import colours, process_label, stacking_order
from znought.plots.style import figure_of, vector

__all__ = [
    "Agreement",
    "Binned",
    "Drawable",
    "WeightedHist",
    "Yields",
    "binned",
    "binned_agreement",
    "draw_band",
    "draw_stack",
    "drawable",
    "headroom",
    "poisson_interval",
    "scaled",
    "summed",
    "weighted_hist",
]

Vector = npt.NDArray[np.float64]
WeightedHist = Hist[Weight]
# Process → (Σw per bin, Σw² per bin).
Yields = Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]
# The same, or a `hist.Hist` in the place of the pair.
Drawable = Mapping[str, Any]
_ONE_SIGMA = 0.8413447460685429
_BAND: dict[str, Any] = {"facecolor": "none", "edgecolor": "#3c3c3c", "hatch": "////", "linewidth": 0.0}


@dataclass(frozen=True)
class Binned:
    """Content of a one-dimensional histogram without under- and overflow.

    Attributes:
        edges: shape (n_bins + 1,).
        sumw, sumw2: shape (n_bins,).
    """

    edges: Vector
    sumw: Vector
    sumw2: Vector


def binned(what: str, histogram: Any) -> Binned:
    """Content of an own `hist.Hist` of one axis.

    Args:
        what: how an error calls it.
        histogram: with weighted storage, or plain counts.

    Raises:
        DataError: something else, more than one axis, or weights without their variances.

    >>> counts = Hist.new.Reg(2, 0, 2).Double().fill([0.5, 1.5, 1.5])
    >>> binned("data", counts).sumw.tolist(), binned("data", counts).sumw2.tolist()
    ([1.0, 2.0], [1.0, 2.0])
    """
    if not isinstance(histogram, BaseHist) or len(histogram.axes) != 1:
        n_axes = f" of {len(histogram.axes)} axes" if isinstance(histogram, BaseHist) else ""
        kind = type(histogram).__name__ + n_axes
        raise DataError(f"{what}: expected a hist.Hist of one axis. Received: {kind}.")
    variances = histogram.variances()
    if variances is None:
        raise DataError(f"{what}: filled with weights into {histogram.storage_type.__name__}, use Weight().")
    edges, values = np.asarray(histogram.axes[0].edges), np.asarray(histogram.values())
    return Binned(edges.astype(np.float64), values.astype(np.float64), np.asarray(variances, np.float64))


@dataclass(frozen=True)
class Agreement:
    """χ² of data against expectation.

    Attributes:
        chi2: Σ (data − expected)² / (expected + variance of the expectation).
        n_bins: bins that entered (an expectation above zero, not blinded).
        p_value: probability of a χ² at least as large.
    """

    chi2: float
    n_bins: int
    p_value: float

    @property
    def text(self) -> str:
        r"""One line for the figure.

        >>> Agreement(12.34, 10, 0.263).text
        '$\\chi^2/n$ = 12.3/10, $p$ = 0.26'
        """
        return rf"$\chi^2/n$ = {self.chi2:.1f}/{self.n_bins}, $p$ = {self.p_value:.2g}"


def binned_agreement(data: npt.ArrayLike, expected: npt.ArrayLike, variance: npt.ArrayLike) -> Agreement:
    """χ² between counts and an expectation with its own variance (n_bins,), bins uncorrelated.

    The statistical variance of the data is taken from the expectation; bins without expectation stay out.

    >>> agreement = binned_agreement([12, 8], [10.0, 10.0], [0.0, 0.0])
    >>> round(agreement.chi2, 9), agreement.n_bins, round(agreement.p_value, 6)
    (0.8, 2, 0.67032)
    """
    observed = vector(data, what="data")
    model = vector(expected, what="expected yields", size=observed.size)
    spread = vector(variance, what="variance of the expectation", size=observed.size)
    use = model > 0
    value = float(np.sum((observed[use] - model[use]) ** 2 / (model[use] + spread[use])))
    n_bins = int(use.sum())
    return Agreement(value, n_bins, float(chi2_distribution.sf(value, n_bins)) if n_bins else 1.0)


def poisson_interval(counts: npt.ArrayLike) -> tuple[Vector, Vector]:
    """Central 68 % interval of a Poisson mean for each of `counts` (n,) (Garwood).

    >>> low, high = poisson_interval([0.0, 10.0])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 6.891], [1.841, 14.267])

    References:
        F. Garwood, Biometrika 28 (1936) 437.
    """
    observed = vector(counts, what="counts")
    low = np.zeros_like(observed)
    some = observed > 0
    low[some] = chi2_distribution.ppf(1 - _ONE_SIGMA, 2 * observed[some]) / 2
    return low, np.asarray(chi2_distribution.ppf(_ONE_SIGMA, 2 * (observed + 1)) / 2)


def weighted_hist(edges: npt.ArrayLike, sumw: npt.ArrayLike, sumw2: npt.ArrayLike) -> WeightedHist:
    """A one-dimensional hist of given edges (n_bins + 1,), Σw and Σw² (n_bins,).

    Raises:
        DataError: edges do not rise, or the lengths do not fit.
    """
    borders = vector(edges, what="bin edges")
    if borders.size < 2 or np.any(np.diff(borders) <= 0):
        raise DataError(f"Bin edges must be two or more rising numbers. Received: {borders.tolist()}.")
    histogram = Hist.new.Var(borders, flow=False).Weight()
    view = histogram.view()
    view["value"] = vector(sumw, what="sum of weights per bin", size=borders.size - 1)
    view["variance"] = vector(sumw2, what="sum of squared weights per bin", size=borders.size - 1)
    return histogram


def drawable(
    processes: Drawable, edges: npt.ArrayLike | None
) -> tuple[dict[str, WeightedHist], npt.ArrayLike]:
    """Histograms of every process in the same bins, and their edges.

    Args:
        processes: process → (Σw, Σw²), or a `hist.Hist`.
        edges: of the pairs; None takes those of the histograms.

    Raises:
        DataError: a histogram of other edges, or pairs without edges.
    """
    found = {
        name: binned(name, one) if isinstance(one, BaseHist) else tuple(one)
        for name, one in processes.items()
    }
    own = [one.edges for one in found.values() if isinstance(one, Binned)]
    if edges is None and not own:
        raise DataError("edges: expected bin edges, or hist.Hist in the place of sums of weights.")
    borders = own[0] if edges is None else np.asarray(edges, np.float64)
    for name, one in found.items():
        if isinstance(one, Binned) and not np.array_equal(one.edges, borders):
            raise DataError(f"{name}: its bins have other edges than those of the figure.")
    pairs = {n: (one.sumw, one.sumw2) if isinstance(one, Binned) else one for n, one in found.items()}
    return {name: weighted_hist(borders, *pair) for name, pair in pairs.items()}, borders


def summed(histograms: Mapping[str, WeightedHist]) -> WeightedHist:
    """Sum of all processes, Σw and Σw²."""
    total, *others = histograms.values()
    for one in others:
        total = total + one
    return total.copy()


def scaled(histogram: WeightedHist, factor: npt.NDArray[np.float64]) -> WeightedHist:
    """A histogram whose bins are multiplied by a factor each (n_bins,), errors with them."""
    return weighted_hist(
        histogram.axes[0].edges, histogram.values() * factor, histogram.variances() * factor**2
    )


def draw_stack(
    axes: Axes, histograms: Mapping[str, WeightedHist], *, on_top: str | None = None
) -> WeightedHist:
    """Stack the processes and return their sum: as the card orders them, then by size, `on_top` last."""
    order = {name: place for place, name in enumerate(stacking_order())}

    def place(name: str) -> tuple[bool, int, float]:
        return name == on_top, order.get(name, len(order)), float(histograms[name].sum().value)

    names = sorted(histograms, key=place)
    palette = colours(histograms)
    keep_histograms(figure_of(axes), histograms)
    mplhep.histplot(
        [histograms[name] for name in names],
        ax=axes,
        stack=True,
        histtype="fill",
        color=[palette[name] for name in names],
        edgecolor="white",
        linewidth=0.5,
        label=[process_label(name) for name in names],
        flow="none",
    )
    return summed(histograms)


def draw_band(
    axes: Axes, edges: npt.NDArray[np.float64], low: npt.ArrayLike, high: npt.ArrayLike, text: str
) -> None:
    """Hatch the band between `low` and `high` (n_bins,), as steps over `edges`."""
    axes.stairs(np.asarray(high), edges, baseline=np.asarray(low), fill=True, label=text, **_BAND)


def headroom(axes: Axes, top: float, *, bottom: float = 0.0, log: bool = False, share: float = 0.35) -> None:
    """Leave the upper `share` of the frame free for the legend, above `top` (`bottom` > 0 if `log`)."""
    if log:
        axes.set_yscale("log")
        axes.set_ylim(bottom, bottom * (max(top, 10 * bottom) / bottom) ** (1 / (1 - share)))
    else:
        axes.set_ylim(bottom, bottom + (top - bottom) / (1 - share))
