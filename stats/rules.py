"""The rules of binning: the range, the objective, and what a bin must hold."""

from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, unknown_name
from znought.stats.significance import Auxiliary

__all__ = ["FRACTIONS", "PLAIN", "BinningConfig", "Constraints"]

Floats = NDArray[np.float64]


def _not_negative(name: str, value: float) -> None:
    if not value >= 0:
        raise CardError(f"{name} must not be negative. Received: {value}.")


@dataclass(frozen=True)
class Constraints:
    """Bounds on the MC statistics and on the number of bins, beside the minimum yield.

    Effective events are (Σw)² / Σ_events (Σ of the event's rows)²: at most the number of distinct
    generated events, so that a bound of 10 rules out a bin of one to three raw events.
    A bound on the relative MC error r is the same as one of 1/r² effective events; the tighter binds.
    """

    min_effective_background: float = 10.0
    """Effective background events of every bin."""
    max_relative_mc_error_background: float | None = 0.30
    """MC-statistical error of the background over its yield, in every bin."""
    min_effective_signal: float = 0.0
    """Effective signal events of every bin."""
    min_yield_per_process: dict[str, float] = field(default_factory=dict)
    """Weighted events that each named process must exceed in every bin."""
    min_effective_per_process: dict[str, float] = field(default_factory=dict)
    """Effective events of each named process in every bin."""
    max_bins: int | None = None
    """Most bins; None for any number."""
    monotone_purity: bool = False
    """s/b may not fall from one bin to the next."""

    def __post_init__(self) -> None:
        for name in ("min_effective_background", "min_effective_signal"):
            _not_negative(name, getattr(self, name))
        for name in ("min_yield_per_process", "min_effective_per_process"):
            for process, bound in getattr(self, name).items():
                _not_negative(f"{name}[{process}]", bound)
        relative = self.max_relative_mc_error_background
        if relative is not None and not relative > 0:
            raise CardError(f"max_relative_mc_error_background must be positive. Received: {relative}.")
        if self.max_bins is not None and self.max_bins < 1:
            raise CardError(f"max_bins must be at least 1. Received: {self.max_bins}.")

    @property
    def effective_background(self) -> float:
        """The tighter of the two bounds on the background's MC statistics, in effective events."""
        relative = self.max_relative_mc_error_background
        return max(self.min_effective_background, 0.0 if relative is None else relative**-2)

    @property
    def processes(self) -> tuple[str, ...]:
        """Processes that have a bound of their own."""
        return tuple(sorted({*self.min_yield_per_process, *self.min_effective_per_process}))

    def populated(
        self, signal: Floats, background: Floats, sumw2_signal: Floats, sumw2_background: Floats
    ) -> NDArray[np.bool_]:
        """Whether each bin's MC statistics suffice; arrays of one shape."""
        enough = signal**2 >= self.min_effective_signal * sumw2_signal
        enough &= background**2 >= self.effective_background * sumw2_background
        return np.asarray(enough, dtype=np.bool_)

    def process_populated(self, process: str, sumw: Floats, sumw2: Floats) -> NDArray[np.bool_]:
        """Whether each bin holds enough of one process; arrays of one shape."""
        enough = sumw > self.min_yield_per_process.get(process, -np.inf)
        enough &= sumw**2 >= self.min_effective_per_process.get(process, 0.0) * sumw2
        return np.asarray(enough, dtype=np.bool_)


PLAIN = Constraints(min_effective_background=0.0, max_relative_mc_error_background=None)
"""No bound but the minimum yields, as in Basso, CAP 2020."""

FRACTIONS = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""The 19 trial splits of Basso, CAP 2020, as fractions of a bin's width."""


@dataclass(frozen=True)
class BinningConfig:
    """How a discriminant is binned: bounds on yields as in Basso, CAP 2020, and ours on MC statistics."""

    lower: float = 0.2
    """Lowest edge: events below it are in no bin."""
    upper: float = 1.0
    """Highest edge."""
    min_yield: float = 3.0
    """Signal and background of every bin must exceed it, weighted, at the full luminosity."""
    fractions: tuple[float, ...] = FRACTIONS
    """Trial splits of `greedy`, as fractions of a bin's width."""
    sigma_rel: float = 0.10
    """Uncertainty of the background over its yield."""
    auxiliary: Auxiliary = "gaussian"
    """Kind of the measurement that knows the background: see `znought.stats.significance`."""
    mc_error: bool = False
    """Fold the background's MC-statistical error into its uncertainty."""
    n_candidates: int = 1000
    """Candidate edges of `optimal`, half from signal quantiles and half from background quantiles."""
    edge_digits: int | None = None
    """Decimals to which edges are rounded before the result is computed; None leaves them as found."""
    constraints: Constraints = field(default_factory=Constraints)

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise CardError(f"lower must be below upper. Received: {self.lower}, {self.upper}.")
        for name in ("min_yield", "sigma_rel"):
            _not_negative(name, getattr(self, name))
        if not all(0 < f < 1 for f in self.fractions) or list(self.fractions) != sorted(set(self.fractions)):
            raise CardError(f"fractions must rise within (0, 1). Received: {self.fractions}.")
        if self.auxiliary not in get_args(Auxiliary):
            raise CardError(unknown_name("auxiliary measurement", self.auxiliary, get_args(Auxiliary)))
        if self.n_candidates < 2:
            raise CardError(f"n_candidates must be at least 2. Received: {self.n_candidates}.")
