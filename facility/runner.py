"""From a fileset to results that are complete: coffea's Runner inside a ledger that closes.

The only module of the facility that knows coffea.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal, Protocol

from coffea.processor import Runner
from coffea.processor.executor import ExecutorBase, WorkItem
from distributed import as_completed

from znought.errors import ZnoughtError
from znought.facility.ledger import (
    PlannedChunk,
    PlannedFile,
    Skipped,
    close,
    due,
    plan_chunks,
    refuse_duplicates,
)
from znought.facility.survey import Fileset, survey
from znought.processors.chunk import check_layout
from znought.processors.dialects import DIALECTS
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.result import DatasetResult
from znought.processors.schema import FlatSchema
from znought.processors.source import KeptSource, kept_trees

__all__ = ["Fileset", "Processor", "RunResult", "process_fileset"]

Progress = Callable[[int, int], None]


class Substitution(Protocol):
    """A preselection that says whether stand-ins for missing inputs are welcome."""

    @property
    def substitutes(self) -> Literal["declare", "refuse"]:
        """Use and report them, or stop."""


class Processor(Protocol):
    """What the runner asks of a processor."""

    @property
    def selection(self) -> Substitution:
        """Its preselection."""

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset."""

    def postprocess(self, accumulator: Any) -> Any:
        """The accumulator as it is."""


# uproot's default goes through an event loop, at a millisecond per branch, and keeps 100 MB of arrays.
_LOCAL: dict[str, Any] = {"handler": KeptSource, "object_cache": kept_trees(), "array_cache": None}
_REMOTE: dict[str, Any] = {"timeout": 60, "array_cache": None}


@dataclass(frozen=True)
class RunResult:
    """What came out of a fileset, complete or with an account of what was left out.

    Attributes:
        results: dataset → cutflow, histograms, column files.
        sums: dataset → sums over all generated events of the files that count; None where a file has none.
        files: every file that opened, by dataset.
        skipped: files left out as a whole; they are in neither results nor sums.
        n_rounds: rounds that were needed.
    """

    results: Mapping[str, DatasetResult]
    sums: Mapping[str, GeneratedSums | None]
    files: tuple[PlannedFile, ...]
    skipped: tuple[Skipped, ...]
    n_rounds: int

    def n_events(self, dataset: str) -> int:
        """Entries of the dataset's files that count."""
        lost = {skipped.path for skipped in self.skipped}
        return sum(
            file.summary.n_events
            for file in self.files
            if file.dataset == dataset and file.summary.path not in lost
        )

    def lost_fraction(self, dataset: str) -> float | None:
        """Share of the dataset's entries that was left out; None if a lost file never opened.

        The luminosity of data shrinks by it; simulation needs no correction, its Σw shrank with it.
        """
        lost = [skipped.n_events for skipped in self.skipped if skipped.dataset == dataset]
        known = [n_events for n_events in lost if n_events is not None]
        if len(known) != len(lost):
            return None
        total = self.n_events(dataset) + sum(known)
        return sum(known) / total if total else 0.0


def process_fileset(
    client: Any | None,
    fileset: Fileset,
    processor: Processor,
    *,
    chunk_size: int = 100_000,
    max_rounds: int = 3,
    allow_skip: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Process every entry of every file exactly once, or stop and say which were not.

    Args:
        client: a Dask client; None computes here, one chunk after the other.
        fileset: {dataset: {"files": [path, ...] or {path: tree or None}, "metadata": {...}}}.
        processor: what to do with each chunk.
        chunk_size: most entries in a chunk.
        max_rounds: how often a failing chunk or file is tried.
        allow_skip: leave out files that keep failing instead of stopping.
        progress: called with (chunks done, chunks planned).

    Raises:
        DataError: a file is missing, damaged, listed twice, or lacks what the analysis needs.
        LedgerError: chunks could not be processed in `max_rounds` rounds.
    """
    files, unopened = survey(client, fileset, max_rounds=max_rounds, allow_skip=allow_skip)
    refuse_duplicates(files)
    for file in files:
        _check_file(file, fileset, processor)
    planned = plan_chunks(files, chunk_size=chunk_size)
    books = _Books(len(planned), progress)
    n_rounds = 0
    while (left := due(planned, books.processed)) and n_rounds < max_rounds:
        n_rounds += 1
        _run_round(client, left, fileset, processor, books)
    skipped = close(files, planned, books.processed, books.failures, allow_skip=allow_skip)
    _forget(books, skipped)
    return RunResult(
        _by_dataset(fileset, books),
        _sums(fileset, files, (*unopened, *skipped)),
        files,
        (*unopened, *skipped),
        n_rounds,
    )


def _check_file(file: PlannedFile, fileset: Fileset, processor: Processor) -> None:
    """Refuse, before anything is written, a file that lacks what the analysis needs."""
    metadata = fileset[file.dataset].get("metadata", {})
    check_layout(
        file.summary.layout,
        path=file.summary.path,
        is_data=bool(metadata.get("is_data", False)),
        refuse_substitutes=processor.selection.substitutes == "refuse",
    )


# --- processing ---------------------------------------------------------------------------------------


@dataclass
class _Books:
    """What came back so far: results per file, in the order of the plan whatever the order of arrival."""

    n_planned: int
    progress: Progress | None
    processed: list[PlannedChunk] = field(default_factory=list)
    failures: dict[PlannedChunk, str] = field(default_factory=dict)
    results: dict[tuple[str, str], DatasetResult] = field(default_factory=dict)

    def enter(self, chunk: PlannedChunk, result: Mapping[str, DatasetResult]) -> None:
        """Add the result of one chunk."""
        key = (chunk.dataset, chunk.path)
        self.results[key] = self.results.get(key, DatasetResult()) + result[chunk.dataset]
        self.processed.append(chunk)
        self.failures.pop(chunk, None)

    def report(self, n_done: int) -> None:
        """Tell whoever watches."""
        if self.progress is not None:
            self.progress(n_done, self.n_planned)


def _run_round(
    client: Any | None,
    chunks: Sequence[PlannedChunk],
    fileset: Fileset,
    processor: Processor,
    books: _Books,
) -> None:
    """Give every due chunk one attempt and enter what comes back."""
    items = {_work_item(chunk, fileset): chunk for chunk in chunks}
    executor = _LedgerExecutor(status=False, compression=None, client=client, items=items, books=books)
    runner = Runner(
        executor=executor,
        schema=FlatSchema,
        metadata_cache={},
        cachestrategy=dict,  # a cache per chunk: branches that two columns share are read once
    )
    for is_local in (True, False):
        part = [item for item in items if ("://" not in item.filename) == is_local]
        if part:
            runner.run(
                part,
                processor,
                uproot_options=_LOCAL if is_local else _REMOTE,
                iteritems_options={"filter_name": _branches()},
            )


def _work_item(chunk: PlannedChunk, fileset: Fileset) -> WorkItem:
    """The chunk in coffea's words."""
    return WorkItem(
        chunk.dataset,
        chunk.path,
        chunk.tree,
        chunk.start,
        chunk.stop,
        chunk.uuid,
        dict(fileset[chunk.dataset].get("metadata", {})),
    )


def _branches() -> list[str]:
    """Every branch that any dialect may read, with the counters of their collections."""
    names = {branch for dialect in DIALECTS.values() for branch in dialect.branches()}
    collections = {name.split("_")[0] for name in names if "_" in name and "." not in name}
    counters = {f"n{name}" for name in collections} | {f"{name}_n" for name in collections}
    return sorted(names | counters)


@dataclass
class _LedgerExecutor(ExecutorBase):  # type: ignore[misc]  # coffea has no type information
    """Executor that keeps the result of every chunk that worked and the reason of every one that did not.

    coffea's own executors either drop a failing chunk silently or throw all other work away.
    """

    client: Any | None = None
    items: Mapping[WorkItem, PlannedChunk] = field(default_factory=dict)
    books: _Books = field(default_factory=lambda: _Books(0, None))

    def __call__(
        self, items: Sequence[WorkItem], function: Callable[[WorkItem], Any], accumulator: Any
    ) -> tuple[dict[str, Any], int]:
        """Process the items; the result that coffea sees is empty, the books hold everything."""
        attempts = _on_cluster(self.client, items, function) if self.client else _here(items, function)
        arrived: dict[WorkItem, Any] = {}
        n_before = len(self.books.processed)
        due_in_order = iter(items)
        waiting = next(due_in_order, None)
        for n_done, (item, result, error) in enumerate(attempts, start=1):
            if error is not None:
                _stop_if_hopeless(error)
                self.books.failures[self.items[item]] = _one_line(error)
            arrived[item] = result
            # Entered in the order of the plan, so that sums of floats do not depend on the workers.
            while waiting is not None and waiting in arrived:
                ready = arrived.pop(waiting)
                if ready is not None:
                    self.books.enter(self.items[waiting], ready["out"])
                waiting = next(due_in_order, None)
            self.books.report(n_before + n_done)
        return {"out": {}, "processed": set()}, 0


Attempt = tuple[WorkItem, Any, BaseException | None]


def _here(items: Sequence[WorkItem], function: Callable[[WorkItem], Any]) -> Iterator[Attempt]:
    """One item after the other, in this process."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        for item in items:
            future = pool.submit(function, item)
            error = future.exception()
            yield item, None if error is not None else future.result(), error


def _on_cluster(
    client: Any, items: Sequence[WorkItem], function: Callable[[WorkItem], Any]
) -> Iterator[Attempt]:
    """Items in the order in which the workers finish them."""
    futures = client.map(function, items, pure=False, retries=0)
    item_of = {future.key: item for future, item in zip(futures, items, strict=True)}
    try:
        for future in as_completed(futures):
            item = item_of[future.key]
            if future.status == "finished":
                yield item, future.result(), None
            else:
                yield item, None, future.exception() or RuntimeError(f"task {future.status}")
            future.release()
    finally:
        client.cancel(futures)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that caused it."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _stop_if_hopeless(error: BaseException) -> None:
    """Raise what no further round can mend: the errors that the analysis itself raises."""
    for cause in _chain(error):
        if isinstance(cause, ZnoughtError):
            raise cause
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise cause


def _one_line(error: BaseException) -> str:
    """The first cause in one line."""
    cause = list(_chain(error))[-1]
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


# --- closing ------------------------------------------------------------------------------------------


def _forget(books: _Books, skipped: Sequence[Skipped]) -> None:
    """Drop, as a whole, what files contributed that are left out."""
    for skip in skipped:
        result = books.results.pop((skip.dataset, skip.path), DatasetResult())
        for file in result.columns:
            Path(file.path).unlink(missing_ok=True)


def _by_dataset(fileset: Fileset, books: _Books) -> dict[str, DatasetResult]:
    """Results of every dataset, files in the order of the fileset."""
    totals = dict.fromkeys(fileset, DatasetResult())
    for (dataset, _), result in books.results.items():
        totals[dataset] = totals[dataset] + result
    return totals


def _sums(
    fileset: Fileset, files: Sequence[PlannedFile], skipped: Sequence[Skipped]
) -> dict[str, GeneratedSums | None]:
    """Sums over the generated events of the files that count."""
    lost = {skip.path for skip in skipped}
    incomplete = {skip.dataset for skip in skipped}
    sums: dict[str, GeneratedSums | None] = {}
    for dataset in fileset:
        parts = [f.summary.sums for f in files if f.dataset == dataset and f.summary.path not in lost]
        known = [part for part in parts if part is not None]
        complete = bool(parts) and len(known) == len(parts)
        # A total of the whole dataset says nothing about a part of it.
        complete &= not (any(part.is_total for part in known) and dataset in incomplete)
        sums[dataset] = reduce(add, known, GeneratedSums()) if complete else None
    return sums
