"""Sums over all generated events, which ntuples keep beside the events that survived."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.copies import NOSYS
from znought.processors.dialects.base import Dialect, SumsKind
from znought.processors.exact import ZERO, ExactSum, exact_sums
from znought.processors.reading import branch_names

__all__ = ["GeneratedSums", "SumRow", "counted_over", "generated_sums", "sum_rows"]

_EXECUTED, _STREAM = "AllExecutedEvents", "StreamAOD"
"""Name and input stream of the bookkeeper of all events: ATLAS, Event/EventBookkeeperTools of Athena."""
_HISTOGRAM = re.compile(r"CutBookkeeper_(?P<sample>\d+)_\d+_(?P<systematic>\w+)")
_NOMINAL = NOSYS.removeprefix("_")
_JOB = "job"  # what a file of the simulation says of itself


@dataclass(frozen=True)
class GeneratedSums:
    """Generated events of one or more files, before any skim of the ntuple.

    Attributes:
        n_events: generated events after the generator filter.
        sumw: exact signed sum of their weights.
        sumw2: exact sum of their squared weights.
        n_attempted: events tried by the generator before its filter; None where it is not recorded.
        is_total: the numbers are those of the whole dataset, as every one of its files repeats them.
        varied: systematic of the generator's weight → exact sum of weights under it, where files keep it.
    """

    n_events: int = 0
    sumw: ExactSum = ZERO
    sumw2: ExactSum = ZERO
    n_attempted: int | None = 0
    is_total: bool = False
    varied: Mapping[str, ExactSum] = field(default_factory=dict)

    def __add__(self, other: "GeneratedSums") -> "GeneratedSums":
        if self.is_total or other.is_total:
            return self._same_total(other)
        attempted = None
        if self.n_attempted is not None and other.n_attempted is not None:
            attempted = self.n_attempted + other.n_attempted
        return GeneratedSums(
            self.n_events + other.n_events,
            self.sumw + other.sumw,
            self.sumw2 + other.sumw2,
            attempted,
            varied=self._varied(other),
        )

    def _varied(self, other: "GeneratedSums") -> Mapping[str, ExactSum]:
        """Sums under systematics that both have; all of those of one where the other is of no events."""
        if not (self.n_events and other.n_events):
            return self.varied or other.varied
        both = self.varied.keys() & other.varied.keys()
        return {name: self.varied[name] + other.varied[name] for name in sorted(both)}

    def times(self, share: float) -> "GeneratedSums":
        """The sums of a share of the events, by the mean of all of them."""
        if share == 1.0:
            return self
        attempted = None if self.n_attempted is None else round(self.n_attempted * share)
        sumw, sumw2 = (ExactSum.of(float(total) * share) for total in (self.sumw, self.sumw2))
        varied = {name: ExactSum.of(float(total) * share) for name, total in self.varied.items()}
        return GeneratedSums(round(self.n_events * share), sumw, sumw2, attempted, self.is_total, varied)

    def _same_total(self, other: "GeneratedSums") -> "GeneratedSums":
        """The total that both files repeat; nothing at all is the identity."""
        nothing = GeneratedSums()
        if other in (self, nothing) or self == nothing:
            return other if self == nothing else self
        message = (
            f"Files of one dataset state different total sums of weights: {float(self.sumw):g} and "
            f"{float(other.sumw):g}."
        )
        raise DataError(message)


@dataclass(frozen=True, order=True)
class SumRow:
    """One row of a file's sums over generated events, as it is written.

    Attributes:
        n_events, sumw, sumw2: number of events, sum of their weights and of the squares.
    """

    n_events: int
    sumw: float
    sumw2: float

    @property
    def is_of_equal_weights(self) -> bool:
        """Whether all weights are one number: another job with as many events states the same sums."""
        return isclose(self.sumw**2, self.sumw2 * self.n_events, rel_tol=1e-9)


def sum_rows(directory: Any, dialect: Dialect) -> tuple[SumRow, ...]:
    """The rows that the sums of an open ROOT file add up; none where it keeps none or a total.

    Args:
        directory: the open file.
        dialect: how it is read.
    """
    if dialect.sums == "runs":
        columns = _runs_columns(directory)
        if columns is None:
            return ()
        n_rows = len(columns["genEventCount"])
        sumw2 = columns.get("genEventSumw2", np.zeros(n_rows))
        parts = zip(columns["genEventCount"], columns["genEventSumw"], sumw2, strict=True)
        return tuple(SumRow(int(n), float(w), float(w2)) for n, w, w2 in parts)
    if dialect.sums in _ROWS:
        return tuple(_ROWS[dialect.sums](directory) or ())
    return ()


def counted_over(directory: Any) -> bytes | None:
    """Digest of the luminosity blocks, or of the simulation's job, that a file's sums are of; None if unsaid.

    Args:
        directory: the open file.
    """
    if "LuminosityBlocks" in directory:
        blocks = directory["LuminosityBlocks"]
        if "run" in blocks and "luminosityBlock" in blocks:
            pairs = [np.asarray(blocks[name].array(library="np")) for name in ("run", "luminosityBlock")]
            order = np.lexsort(pairs)
            content = b"".join(values[order].astype(np.int64).tobytes() for values in pairs)
            return blake2b(content, digest_size=16).digest()
    if _JOB in directory:
        return blake2b(str(directory[_JOB]).encode(), digest_size=16).digest()
    return None


def generated_sums(directory: Any, events: Any, dialect: Dialect) -> GeneratedSums | None:
    """The sums kept in an open ROOT file, or None where it keeps none.

    Args:
        directory: the open file.
        events: its tree of events.
        dialect: how it is read.
    """
    if dialect.sums == "runs":
        return _from_runs(directory)
    if dialect.sums == "bookkeepers":
        return _from_rows(_bookkeeper_rows(directory))
    if dialect.sums == "histograms":
        return _from_histograms(directory)
    return _from_events(events, dialect) if dialect.sums == "total" else None


def _from_events(events: Any, dialect: Dialect) -> GeneratedSums | None:
    """The dataset's total that each event repeats."""
    branches = dialect.layout(frozenset(branch_names(events))).branches
    if "total_sumw" not in branches or events.num_entries == 0:
        return None
    sumw = float(events[branches["total_sumw"]].array(entry_stop=1, library="np")[0])
    n_events = 0
    if "total_events" in branches:
        n_events = int(events[branches["total_events"]].array(entry_stop=1, library="np")[0])
    return GeneratedSums(n_events, ExactSum.of(sumw), n_attempted=None, is_total=True)


def _from_runs(directory: Any) -> GeneratedSums | None:
    """Sums of the tree Runs of a NanoAOD; older versions end the names in an underscore."""
    return _summed(columns) if (columns := _runs_columns(directory)) is not None else None


def _runs_columns(directory: Any) -> dict[str, NDArray[Any]] | None:
    """The columns of sums of the tree Runs by their names in newer versions, or None where it has none."""
    if "Runs" not in directory:
        return None
    runs = directory["Runs"]
    names = {
        wanted: name
        for wanted in ("genEventCount", "genEventSumw", "genEventSumw2", "genFilterAttempted")
        for name in (wanted, f"{wanted}_")
        if name in runs
    }
    if "genEventSumw" not in names or "genEventCount" not in names:
        return None
    return {wanted: np.asarray(runs[name].array(library="np")) for wanted, name in names.items()}


def _summed(columns: Mapping[str, NDArray[Any]]) -> GeneratedSums:
    """Exact sums of the columns of Runs."""
    attempted = int(columns["genFilterAttempted"].sum()) if "genFilterAttempted" in columns else None
    return GeneratedSums(
        int(columns["genEventCount"].sum()),
        _total(columns["genEventSumw"]),
        _total(columns.get("genEventSumw2", np.zeros(0))),
        attempted,
    )


def _from_rows(rows: list[SumRow] | None) -> GeneratedSums | None:
    """Sums of the CutBookkeepers of a DAOD, or of histograms; None where there are none."""
    if rows is None:
        return None
    total = GeneratedSums(n_attempted=None)
    for row in rows:
        total = total + GeneratedSums(row.n_events, ExactSum.of(row.sumw), ExactSum.of(row.sumw2), None)
    return total


def _from_histograms(directory: Any) -> GeneratedSums | None:
    """Sums of the histograms of TopCPToolkit, those under systematics too; None where there are none."""
    by_systematic = _histograms(directory)
    found = _from_rows(by_systematic.pop(_NOMINAL, None))
    if found is None:
        return None
    totals = {name: sum((row.sumw for row in rows), 0.0) for name, rows in by_systematic.items()}
    return replace(found, varied={name: ExactSum.of(total) for name, total in totals.items()})


def _histogram_rows(directory: Any) -> list[SumRow] | None:
    """Rows of the histograms of TopCPToolkit without a systematic; None where there are none."""
    return _histograms(directory).get(_NOMINAL)


def _histograms(directory: Any) -> dict[str, list[SumRow]]:
    """Systematic → a row of each run's `CutBookkeeper_<sample>_<run>_<systematic>`, of TopCPToolkit.

    Their bins are the number of all events of the job's input, the sum of weights and that of their squares:
    https://topcptoolkit.docs.cern.ch/, docs/starting/running_local.md.

    Raises:
        DataError: sums are of several samples, or a histogram has other bins.
    """
    named = {key: _HISTOGRAM.fullmatch(key) for key in directory.keys(recursive=False, cycle=False)}
    samples = sorted({match["sample"] for match in named.values() if match})
    if len(samples) > 1:
        raise DataError(f"they are of samples {', '.join(samples)}, each with a cross section of its own.")
    rows: dict[str, list[SumRow]] = {}
    for key, match in named.items():
        if match is None:
            continue
        values = directory[key].values()
        if len(values) != 3:
            raise DataError(f"{key} has {len(values)} bins, expected 3: events, Σw and Σw².")
        row = SumRow(int(values[0]), float(values[1]), float(values[2]))
        rows.setdefault(match["systematic"], []).append(row)
    return rows


def _bookkeeper_rows(directory: Any) -> list[SumRow] | None:
    """Of each entry of the CutBookkeepers, the last cycle's row of all executed events.

    It is known by its name, `AllExecutedEvents`, and the stream that it counts, `StreamAOD`, where the file
    has them; else by having accepted most.

    Raises:
        DataError: rows have names, and none is this one.
    """
    if "MetaData" not in directory:
        return None
    metadata = directory["MetaData"]
    wanted = ("nAcceptedEvents", "sumOfEventWeights", "sumOfEventWeightsSquared", "cycle")
    branches = {name: _bookkeeper_branch(metadata, name) for name in wanted}
    if any(branch is None for branch in branches.values()):
        return None
    rows = {name: branch.array(library="np") for name, branch in branches.items() if branch is not None}
    named = _executed(metadata, [len(entry) for entry in rows["cycle"]])
    found = []
    for (accepted, sumw, sumw2, cycle), mine in zip(
        zip(*(rows[name] for name in wanted), strict=True), named, strict=True
    ):
        last = np.flatnonzero(mine & (cycle == np.max(cycle[mine])))
        everything = last[np.argmax(accepted[last])]
        found.append(SumRow(int(accepted[everything]), float(sumw[everything]), float(sumw2[everything])))
    return found


_ROWS: Mapping[SumsKind, Callable[[Any], list[SumRow] | None]] = {
    "bookkeepers": _bookkeeper_rows,
    "histograms": _histogram_rows,
}
"""How sums are kept → the rows that they add up."""


def _executed(metadata: Any, n_rows: list[int]) -> list[NDArray[np.bool_]]:
    """Rows of all executed events of each entry, by name and stream; every row where these are not there."""
    found = [np.ones(n, np.bool_) for n in n_rows]
    for name, wanted in (("name", _EXECUTED), ("inputStreams", _STREAM), ("inputStream", _STREAM)):
        branch = _bookkeeper_branch(metadata, name)
        if branch is None:
            continue
        for entry, values in enumerate(branch.array(library="np")):
            found[entry] &= np.asarray([str(value) == wanted for value in values], np.bool_)
    for mine in found:
        if not mine.any():
            raise DataError(f"no bookkeeper of {_EXECUTED} of {_STREAM}.")
    return found


def _bookkeeper_branch(metadata: Any, name: str) -> Any:
    """The branch of one field of the complete bookkeepers, in either way of writing it, or None."""
    for branch in (f"CutBookkeepersAuxDyn.{name}", f"CutBookkeepersAux./CutBookkeepersAux.{name}"):
        if branch in metadata:
            return metadata[branch]
    return None


def _total(values: NDArray[Any]) -> ExactSum:
    """Exact sum of a column."""
    return exact_sums(np.asarray(values, np.float64), np.zeros(len(values), np.int64), 1)[0]
