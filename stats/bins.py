"""Given bins: their yields, MC statistics and significances."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError, unknown_name
from znought.stats.ordered import Contents, bin_contents, bin_index
from znought.stats.rules import PLAIN, BinningConfig, Constraints
from znought.stats.significance import Auxiliary, asimov_z0, background_error, quadrature_sum

__all__ = [
    "BinCounts",
    "BinningResult",
    "Columns",
    "checked_edges",
    "count",
    "evaluate",
    "judge",
    "merge_bins",
    "strong_bins",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """Checked columns of one sample of signal and background, all of shape (n_events,)."""

    scores: NDArray[np.floating]
    weights: NDArray[np.floating]
    is_signal: NDArray[np.bool_]
    codes: Counts | None
    """Dense integer of the generated event behind every row; None takes every row as its own."""
    process: NDArray[np.str_] | None = None
    """Needed only by bounds per process."""

    @classmethod
    def checked(
        cls,
        scores: ArrayLike,
        weights: ArrayLike,
        is_signal: ArrayLike,
        identity: ArrayLike | None,
        process: ArrayLike | None = None,
    ) -> "Columns":
        """The columns as arrays.

        Raises:
            DataError: lengths that differ, or a score or weight that is not finite.
        """
        x, w, signal = _floats(scores), _floats(weights), np.asarray(is_signal, dtype=np.bool_)
        sizes = {"scores": x.shape, "weights": w.shape, "is_signal": signal.shape}
        if identity is not None:
            sizes["identity"] = np.shape(identity)
        if process is not None:
            sizes["process"] = np.shape(process)
        if x.ndim != 1 or len(set(sizes.values())) > 1:
            raise DataError(f"columns must be of one length. Received shapes: {sizes}.")
        for name, values in (("scores", x), ("weights", w)):
            if not np.isfinite(values).all():
                raise DataError(f"{name} holds values that are not finite.")
        codes = None if identity is None else np.unique(np.asarray(identity), return_inverse=True)[1]
        return cls(x, w, signal, codes, None if process is None else np.asarray(process, dtype=np.str_))

    def select(self, mask: NDArray[np.bool_]) -> "Columns":
        """The rows under the mask."""
        codes = None if self.codes is None else self.codes[mask]
        process = None if self.process is None else self.process[mask]
        return Columns(self.scores[mask], self.weights[mask], self.is_signal[mask], codes, process)

    def scaled(self, factor: float) -> "Columns":
        """The same rows with every weight times the factor."""
        return replace(self, weights=self.weights * factor)

    def of(self, process: str) -> NDArray[np.bool_]:
        """Mask of one process.

        Raises:
            DataError: no process column, or a process that does not occur.
        """
        if self.process is None:
            raise DataError(f"bounds on {process!r} need the process of every event. Received none.")
        mask = self.process == process
        if not mask.any():
            raise DataError(unknown_name("process", process, np.unique(self.process).tolist()))
        return np.asarray(mask, dtype=np.bool_)


@dataclass(frozen=True)
class BinningResult:
    """Bins of a discriminant; arrays of shape (n_bins,) but for the edges."""

    edges: Floats
    """Shape (n_bins + 1,); bins are half-open, the last one includes its upper edge."""
    z_per_bin: Floats
    z_total: float
    """Quadrature sum over bins: every uncertainty uncorrelated between bins."""
    signal: Floats
    background: Floats
    sumw2_signal: Floats
    sumw2_background: Floats
    events_signal: Counts
    """Distinct generated signal events in the bin."""
    events_background: Counts
    weak: NDArray[np.bool_]
    """Bins that miss a minimum yield or a bound on the MC statistics."""

    def __post_init__(self) -> None:
        shapes = {np.shape(getattr(self, name)) for name in _PER_BIN}
        if shapes != {(self.edges.size - 1,)}:
            raise DataError(
                f"expected one value per bin of {self.edges.size - 1}. Received shapes: {shapes}."
            )

    @property
    def effective_signal(self) -> Floats:
        """Kish's effective events, (Σw)²/Σw²; 0 in an empty bin."""
        return _effective(self.signal, self.sumw2_signal)

    @property
    def effective_background(self) -> Floats:
        """Kish's effective events, (Σw)²/Σw²; 0 in an empty bin."""
        return _effective(self.background, self.sumw2_background)

    @property
    def relative_mc_error_background(self) -> Floats:
        """sqrt(Σw²)/Σw of the background."""
        return np.asarray(np.sqrt(self.sumw2_background) / self.background, dtype=np.float64)

    def to_dict(self) -> dict[str, object]:
        """Plain lists and numbers, ready for JSON."""
        arrays = {name: np.asarray(getattr(self, name)).tolist() for name in ("edges", *_PER_BIN)}
        return {
            **arrays,
            "z_total": self.z_total,
            "effective_signal": self.effective_signal.tolist(),
            "effective_background": self.effective_background.tolist(),
        }


_PER_BIN = (
    "z_per_bin",
    "signal",
    "background",
    "sumw2_signal",
    "sumw2_background",
    "events_signal",
    "events_background",
    "weak",
)


@dataclass(frozen=True)
class BinCounts:
    """Σw, Σw² and distinct generated events of signal and background in given bins, shape (n_bins,)."""

    signal: Floats
    background: Floats
    sumw2_signal: Floats
    sumw2_background: Floats
    events_signal: Counts
    events_background: Counts
    by_process: dict[str, Contents]
    """Processes that have a bound of their own."""

    @classmethod
    def of(cls, signal: Contents, background: Contents, by_process: dict[str, Contents]) -> "BinCounts":
        """Put the contents of signal and background side by side."""
        return cls(
            signal=signal.sumw,
            background=background.sumw,
            sumw2_signal=signal.sumw2,
            sumw2_background=background.sumw2,
            events_signal=signal.events,
            events_background=background.events,
            by_process=by_process,
        )


def evaluate(
    scores: ArrayLike,
    weights: ArrayLike,
    is_signal: ArrayLike,
    edges: ArrayLike,
    *,
    sigma_rel: float = 0.10,
    auxiliary: Auxiliary = "gaussian",
    mc_error: bool = False,
    min_yield: float = 0.0,
    constraints: Constraints = PLAIN,
    identity: ArrayLike | None = None,
    process: ArrayLike | None = None,
) -> BinningResult:
    """Yields, MC statistics and Z0 of given bins; bins below a bound are kept and marked weak.

    Bins are half-open, lower ≤ x < upper; the last one includes its upper edge.

    Args:
        scores, weights, is_signal, identity, process: columns as in `znought.stats.binning.greedy`.
        edges: shape (n_bins + 1,), rising.
        sigma_rel, auxiliary, mc_error: the background's uncertainty, as in `greedy`.
        min_yield, constraints: bounds that decide which bins are weak.

    Raises:
        DataError: edges that do not rise, or a bin without positive background.

    >>> result = evaluate([0.3, 0.7, 0.3, 0.7], [2, 8, 90, 10], [True, True, False, False], [0, 0.5, 1])
    >>> result.z_per_bin.round(4).tolist(), round(result.z_total, 4)
    ([0.1524, 2.1481], 2.1535)
    """
    bounds = checked_edges(edges)
    rules = BinningConfig(
        lower=float(bounds[0]),
        upper=float(bounds[-1]),
        min_yield=min_yield,
        sigma_rel=sigma_rel,
        auxiliary=auxiliary,
        mc_error=mc_error,
        constraints=constraints,
    )
    columns = Columns.checked(scores, weights, is_signal, identity, process)
    return judge(count(columns, bounds, processes=constraints.processes), bounds, rules)


def count(columns: Columns, edges: Floats, *, processes: tuple[str, ...] = ()) -> BinCounts:
    """Yields and MC statistics of signal and background, and of some processes, in every bin."""
    n_bins = edges.size - 1
    bins = bin_index(columns.scores, edges)
    inside = (bins >= 0) & (bins < n_bins)

    def filled(kind: NDArray[np.bool_]) -> Contents:
        rows = inside & kind
        codes = None if columns.codes is None else columns.codes[rows]
        return bin_contents(bins[rows], columns.weights[rows].astype(np.float64), n_bins, codes)

    by_process = {process: filled(columns.of(process)) for process in processes}
    return BinCounts.of(filled(columns.is_signal), filled(~columns.is_signal), by_process)


def judge(counts: BinCounts, edges: Floats, rules: BinningConfig) -> BinningResult:
    """The significance of counted bins, and which of them miss a bound.

    Raises:
        DataError: a bin without positive background.
    """
    b = counts.background
    for i in np.flatnonzero(b <= 0):
        raise DataError(
            f"bin [{edges[i]:g}, {edges[i + 1]:g}) holds {b[i]:g} background events; "
            "Z0 needs a positive yield."
        )
    extra = counts.sumw2_background if rules.mc_error else None
    error = background_error(b, sigma_rel=rules.sigma_rel, sumw2=extra)
    z = asimov_z0(counts.signal, b, error, auxiliary=rules.auxiliary)
    return BinningResult(
        edges=edges,
        z_per_bin=z,
        z_total=quadrature_sum(z),
        signal=counts.signal,
        background=b,
        sumw2_signal=counts.sumw2_signal,
        sumw2_background=counts.sumw2_background,
        events_signal=counts.events_signal,
        events_background=counts.events_background,
        weak=~strong_bins(counts, rules),
    )


def strong_bins(counts: BinCounts, rules: BinningConfig) -> NDArray[np.bool_]:
    """Bins that hold the minimum yields and enough MC statistics."""
    s, b = counts.signal, counts.background
    enough = rules.constraints.populated(s, b, counts.sumw2_signal, counts.sumw2_background)
    enough &= (s > rules.min_yield) & (b > rules.min_yield)
    for process, contents in counts.by_process.items():
        enough &= rules.constraints.process_populated(process, contents.sumw, contents.sumw2)
    return enough


def merge_bins(
    filled: Callable[[Floats], BinCounts], edges: Floats, is_good: Callable[[BinCounts], NDArray[np.bool_]]
) -> tuple[BinCounts, Floats]:
    """Merge every bin that is not good into its lower neighbour, the first one into its upper.

    The lower neighbour is the one with more background: merging never flatters. What remains is
    good, or one bin.
    """
    while True:
        counts = filled(edges)
        bad = np.flatnonzero(~is_good(counts))
        if not bad.size or edges.size == 2:
            return counts, edges
        edges = np.delete(edges, max(int(bad[-1]), 1))


def checked_edges(edges: ArrayLike) -> Floats:
    """The edges as an array.

    Raises:
        DataError: fewer than two edges, or edges that do not rise.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or bounds.size < 2 or not np.all(np.diff(bounds) > 0):
        raise DataError(f"edges must be at least two and rise. Received: {np.ravel(bounds).tolist()}.")
    return bounds


def _effective(sumw: Floats, sumw2: Floats) -> Floats:
    return np.divide(sumw**2, sumw2, out=np.zeros_like(sumw), where=sumw2 > 0)


def _floats(values: ArrayLike) -> NDArray[np.floating]:
    array = np.asarray(values)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
