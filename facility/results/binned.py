"""What `optimise` hands on: bins and significances of every selection, and what stands behind them."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from znought.facility.results.records import (
    ClassEvents,
    Estimate,
    OneDiscriminantResult,
    Record,
    SizedSignificance,
    read_entries,
    read_record,
)
from znought.facility.workspace import write_json

__all__ = [
    "BinnedSelection",
    "Binning",
    "Companion",
    "Evaluation",
    "Quoted",
    "SelectedYields",
    "Unbounded",
    "read_binning",
    "read_evaluation",
    "write_binning",
    "write_evaluation",
]

Vector = tuple[float, ...]


class Quoted(Record):
    """Bins of a discriminant on some events: one value per bin, as of `znought.stats.bins.BinningResult`."""

    edges: Vector
    z_per_bin: Vector
    signal: Vector
    background: Vector
    sumw2_signal: Vector
    sumw2_background: Vector
    events_signal: tuple[int, ...]
    events_background: tuple[int, ...]
    weak: tuple[bool, ...]
    z_total: float
    effective_signal: Vector
    effective_background: Vector


class Companion(Record):
    """Z₀ of the same bins with another treatment of uncertainties.

    Attributes:
        quoted, held_out: before and after its bias by the bootstrap is taken off.
        interval: of `held_out`.
    """

    quoted: float
    held_out: float
    interval: tuple[float, float]


class SelectedYields(Record):
    """Events of one process per bin, with their MC-statistical errors and the generated ones behind them."""

    yields: Vector
    mc_errors: Vector
    events: tuple[int, ...]


class BinnedYields(Record):
    """Events per bin.

    Attributes:
        edges: bin edges.
        processes: by process.
    """

    edges: Vector
    processes: dict[str, SelectedYields]


class Unbounded(Record):
    """Z₀ of bins without a bound on their statistics, tuned and quoted on the same events."""

    z_total: float
    edges: Vector
    min_background_events: int


class BinnedSelection(Record):
    """One way of turning events into bins, as of `znought.stats.crossfit.SignificanceEstimate`.

    Attributes:
        yields: in the final bins.
        z_profile: held-out Z₀ with the systematic uncertainty common to all bins.
        min_background_events: effective background events of the least populated bin.
        unbounded: without a bound on the statistics of bins.
    """

    tuned: float
    quoted: float
    held_out: float
    interval: tuple[float, float]
    interval_level: float
    optimism: float
    training_error: float = 0.0
    replicates: Vector = ()
    left_out: Vector = ()
    auxiliary: str
    trustworthy: bool
    headline: float | None
    mc_stat: Companion
    correlated: Companion
    edges: Vector
    edge_shift: tuple[float | None, ...]
    whole: Quoted
    parts: tuple[Quoted, ...]
    tuned_edges: tuple[Vector, ...]
    yields: BinnedYields
    z_profile: float
    min_background_events: float
    unbounded: Unbounded


Binning = Mapping[str, BinnedSelection]
"""Selection → its bins."""


class Evaluation(Record):
    """Areas under the ROC curves, differences, and the simulation behind all; fields as of `Results`."""

    auc: dict[str, Estimate] = Field(default_factory=dict)
    auc_boosting: dict[str, Estimate] = Field(default_factory=dict)
    auc_differences: dict[str, Estimate] = Field(default_factory=dict)
    auc_events: str = ""
    one_discriminant: dict[str, OneDiscriminantResult]
    z0_differences: dict[str, Estimate]
    z0_by_size: tuple[SizedSignificance, ...]
    events: dict[str, ClassEvents]


def write_binning(path: Path, found: Binning) -> None:
    """Writes `binning.json`."""
    write_json(path, {name: one.model_dump(mode="json") for name, one in found.items()})


def read_binning(path: Path) -> dict[str, BinnedSelection]:
    """Reads `binning.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_entries(path, BinnedSelection)


def write_evaluation(path: Path, found: Evaluation) -> None:
    """Writes `evaluation.json`, without areas where nothing is scored."""
    write_json(path, found.model_dump(mode="json", exclude_unset=True))


def read_evaluation(path: Path) -> Evaluation:
    """Reads `evaluation.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, Evaluation)
