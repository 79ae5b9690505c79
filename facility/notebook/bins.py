"""Bins of a discriminant from own arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.plots.binning import optimised_binning
from znought.plots.report import ReportTable
from znought.plots.style import FigureLabel
from znought.stats import binning
from znought.stats.bins import BinningResult

__all__ = ["Bins", "greedy", "optimal"]

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, repr=False)
class Bins:
    """Bins with their yields and significances, a table in a notebook.

    Attributes:
        result: everything that is known of them.
    """

    result: BinningResult

    @property
    def edges(self) -> NDArray[np.float64]:
        """Shape (n_bins + 1,)."""
        return self.result.edges

    @property
    def z_total(self) -> float:
        """Expected Z₀, bins in quadrature."""
        return self.result.z_total

    @property
    def table(self) -> ReportTable:
        """A row per bin."""
        found, columns = self.result, ("signal", "background", "Z₀")
        rows = [
            (f"{low:.4g} – {high:.4g}", f"{s:,.2f}", f"{b:,.2f} ± {np.sqrt(variance):,.2f}", f"{z:.3f}")
            for low, high, s, b, variance, z in zip(
                found.edges[:-1],
                found.edges[1:],
                found.signal,
                found.background,
                found.sumw2_background,
                found.z_per_bin,
                strict=True,
            )
        ]
        total = f"{found.signal.sum():,.2f}", f"{found.background.sum():,.2f}", f"{found.z_total:.3f}"
        caption = (
            "Errors of the simulated sample; total Z₀ in quadrature, on the events that chose the edges."
        )
        return ReportTable("Bins", ("bin", *columns), (*rows, ("total", *total)), caption)

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def plot(self, *, discriminant: str = "discriminant", label: FigureLabel | None = None) -> Figure:
        """Stacked yields per bin with Z₀ per bin below.

        Args:
            discriminant: title of the axis.
            label: what stands above the frame; "Simulation" unless given.
        """
        found = self.result
        return optimised_binning(
            found.edges,
            {
                "background": (found.background, found.sumw2_background),
                "signal": (found.signal, found.sumw2_signal),
            },
            signal="signal",
            z_per_bin=found.z_per_bin,
            label=label or FigureLabel(),
            discriminant=discriminant,
        )


def _shown(search: Callable[Arguments, BinningResult]) -> Callable[Arguments, Bins]:
    """The same search, whose result shows itself."""

    @wraps(search)
    def found(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Bins:
        return Bins(search(*args, **kwargs))

    return found


greedy = _shown(binning.greedy)
optimal = _shown(binning.optimal)
