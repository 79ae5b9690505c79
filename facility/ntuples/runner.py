"""From a fileset to results that are complete: every entry of every file once, or a stop that says why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

from znought.errors import ReadError, WorkerError, ZnoughtError
from znought.facility.cluster.preflight import check_workers
from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.ntuples.attempt import Outcome, Processor, Task, attempt
from znought.facility.ntuples.generated import check_generated_sums
from znought.facility.ntuples.ledger import (
    Failure,
    PlannedChunk,
    PlannedFile,
    Skipped,
    close,
    due,
    plan_chunks,
    refuse_duplicates,
    refuse_empty,
)
from znought.facility.ntuples.partial import first_chunks, shares_of
from znought.facility.ntuples.patience import pause_for_servers
from znought.facility.ntuples.survey import Fileset, survey
from znought.processors.chunk import check_layout
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.result import DatasetResult

__all__ = ["Fileset", "Processor", "RunResult", "process_fileset"]

Progress = Callable[[int, int], None]

# Chunks that travel together: enough tasks to share out the work evenly, few enough to cost nothing.
_TASKS_PER_WORKER = 16
_MOST_CHUNKS_PER_TASK = 64


@dataclass(frozen=True)
class RunResult:
    """What came out of a fileset, complete or with an account of what was left out.

    Attributes:
        results: dataset, or part of one that is split → cutflow, histograms, column files.
        sums: dataset → sums over all generated events of the files that count; None where a file has none.
        files: every file that opened, by dataset.
        skipped: files left out as a whole; they are in neither results nor sums.
        n_rounds: rounds that were needed.
        read_from: file → replicas that its chunks were read from.
        shares: dataset → share of its events that was planned, where that was not all of them.
    """

    results: Mapping[str, DatasetResult]
    sums: Mapping[str, GeneratedSums | None]
    files: tuple[PlannedFile, ...]
    skipped: tuple[Skipped, ...]
    n_rounds: int
    read_from: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)

    def n_events(self, dataset: str) -> int:
        """Entries of the dataset's files that count, as far as they were planned."""
        lost = {skipped.path for skipped in self.skipped}
        return sum(
            file.n_planned for file in self.files if file.dataset == dataset and file.summary.path not in lost
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
    max_chunks: int | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Process every entry of every file exactly once, or stop and say which were not.

    Args:
        client: a Dask client; None computes here, one chunk after the other.
        fileset: {dataset: {"files": [path, ...] or {path: tree or None}, "replicas": {path: [url, ...]},
            "metadata": {...}}}.
        processor: what to do with each chunk.
        chunk_size: most entries in a chunk.
        max_rounds: how often a failing chunk or file is tried.
        allow_skip: leave out files that cannot be read instead of stopping.
        max_chunks: of each dataset, the first ones alone; None takes all.
        progress: called with (chunks done, chunks planned).

    Raises:
        SiteError: workers lack packages, or none of them works.
        DataError: a file is missing, damaged, listed twice, or lacks what the analysis needs.
        LedgerError: chunks could not be processed in `max_rounds` rounds.
    """
    if client is not None:
        check_workers(client, "process")
    files, unopened = survey(
        client,
        fileset,
        max_rounds=max_rounds,
        allow_skip=allow_skip,
        any_tree=processor.reads_any_tree,
    )
    _check_files(files, unopened, fileset, processor)
    opened, files = files, first_chunks(files, chunk_size=chunk_size, n=max_chunks)
    planned = plan_chunks(files, chunk_size=chunk_size)
    books = _Books(len(planned), progress)
    tasks = _tasks(planned, files, fileset)
    n_rounds = 0
    while (left := due(planned, books.processed)) and n_rounds < max_rounds:
        pause_for_servers(n_rounds, books.unread([tasks[chunk] for chunk in left]))
        n_rounds += 1
        # After a failure each chunk is on its own, so that none suffers for its neighbours.
        n_together = _n_together(client, len(left)) if n_rounds == 1 else 1
        due_tasks = [tasks[chunk] for chunk in left]
        _run_round(client, due_tasks, processor, books, n_together=n_together, again=n_rounds > 1)
    skipped = close(files, planned, books.processed, books.failures, allow_skip=allow_skip)
    refuse_empty(_listed(fileset), (*unopened, *skipped))
    _forget(books, skipped)
    return RunResult(
        _by_dataset(fileset, books),
        _sums(fileset, files, (*unopened, *skipped), shares_of(fileset, opened, files)),
        files,
        (*unopened, *skipped),
        n_rounds,
        books.read_from,
        shares_of(fileset, opened, files),
    )


def _listed(fileset: Fileset) -> dict[str, list[str]]:
    """Dataset → its files."""
    return {dataset: list(entry["files"]) for dataset, entry in fileset.items()}


def _check_files(
    files: Sequence[PlannedFile], unopened: Sequence[Skipped], fileset: Fileset, processor: Processor
) -> None:
    """Refuse, before anything is processed, files that would give no result or a wrong one."""
    refuse_empty(_listed(fileset), unopened)
    refuse_duplicates(files)
    if processor.reads_any_tree:
        return
    check_generated_sums(files, unopened, fileset)
    for file in files:
        _check_file(file, fileset, processor)


def _check_file(file: PlannedFile, fileset: Fileset, processor: Processor) -> None:
    """Refuse, before anything is written, a file that lacks what the analysis needs."""
    metadata = fileset[file.dataset].get("metadata", {})
    check_layout(
        file.summary.layout,
        path=file.summary.path,
        is_data=bool(metadata.get("is_data", False)),
        refuse_substitutes=processor.refuse_substitutes,
        complete=processor.needs_complete_layout,
    )


# --- processing ---------------------------------------------------------------------------------------


@dataclass
class _Books:
    """What came back so far: results per file, in the order of the plan whatever the order of arrival."""

    n_planned: int
    progress: Progress | None
    processed: list[PlannedChunk] = field(default_factory=list)
    failures: dict[PlannedChunk, Failure] = field(default_factory=dict)
    results: dict[tuple[str, str], DatasetResult] = field(default_factory=dict)
    read_from: dict[str, frozenset[str]] = field(default_factory=dict)

    def enter(self, tasks: Sequence[Task], outcome: Outcome) -> None:
        """Add what some tasks came to."""
        for key, result in outcome.results.items():
            self.results[key] = self.results.get(key, DatasetResult()) + result
        for path, replicas in outcome.read_from.items():
            self.read_from[path] = self.read_from.get(path, frozenset()) | replicas
        for task in tasks:
            self.processed.append(task.chunk)
            self.failures.pop(task.chunk, None)

    def fail(self, tasks: Sequence[Task], error: BaseException) -> None:
        """Note why some tasks came to nothing."""
        unread = next((cause for cause in _chain(error) if isinstance(cause, ReadError)), None)
        for task in tasks:
            reason = _one_line(error) if unread is None else str(unread).removeprefix(f"{task.chunk.path}: ")
            self.failures[task.chunk] = Failure(reason, unread is not None)

    def unread(self, tasks: Sequence[Task]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Replicas of every chunk whose file could not be read, and why."""
        for task in tasks:
            failure = self.failures.get(task.chunk)
            if failure is not None and failure.is_unread:
                yield task.replicas, failure.reason

    def report(self, n_done: int) -> None:
        """Tell whoever watches."""
        if self.progress is not None:
            self.progress(n_done, self.n_planned)


def _tasks(
    planned: Sequence[PlannedChunk], files: Sequence[PlannedFile], fileset: Fileset
) -> dict[PlannedChunk, Task]:
    """Each chunk with the metadata of its dataset, which all share, and the replicas, the best one first."""
    replicas = {file.summary.path: file.replicas for file in files}
    metadata = {dataset: dict(entry.get("metadata", {})) for dataset, entry in fileset.items()}
    return {chunk: Task(chunk, replicas[chunk.path], metadata[chunk.dataset]) for chunk in planned}


def _n_together(client: Any | None, n_chunks: int) -> int:
    """How many chunks travel as one task."""
    n_workers = 1 if client is None else max(len(client.nthreads()), 1)
    return min(max(n_chunks // (n_workers * _TASKS_PER_WORKER), 1), _MOST_CHUNKS_PER_TASK)


def _run_round(
    client: Any | None,
    tasks: Sequence[Task],
    processor: Processor,
    books: _Books,
    *,
    n_together: int,
    again: bool,
) -> None:
    """Give every due chunk one attempt and enter what comes back."""
    groups = [tuple(tasks[i : i + n_together]) for i in range(0, len(tasks), n_together)]
    function = partial(attempt, processor=processor)
    n_done = len(books.processed)
    arrived: dict[int, Outcome | None] = {}
    n_entered = 0
    for number, outcome, error in (
        _on_cluster(client, groups, function, again=again) if client is not None else _here(groups, function)
    ):
        if error is not None:
            _stop_if_hopeless(error)
            books.fail(groups[number], error)
        arrived[number] = outcome
        # Entered in the order of the plan, so that sums of floats do not depend on the workers.
        while n_entered in arrived:
            ready = arrived.pop(n_entered)
            if ready is not None:
                books.enter(groups[n_entered], ready)
            n_entered += 1
        n_done += len(groups[number])
        books.report(n_done)


Group = tuple[Task, ...]
Attempt = tuple[int, Outcome | None, BaseException | None]


def _here(groups: Sequence[Group], function: Callable[[Group], Outcome]) -> Iterator[Attempt]:
    """One group after the other, in this process."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        for number, group in enumerate(groups):
            future = pool.submit(function, group)
            error = future.exception()
            yield number, None if error is not None else future.result(), error


def _on_cluster(
    client: Any, groups: Sequence[Group], function: Callable[[Group], Outcome], *, again: bool
) -> Iterator[Attempt]:
    """Groups in the order in which the workers finish them."""
    futures = spread(client, function, groups, again=again)
    number_of = {future.key: number for number, future in enumerate(futures)}
    try:
        for future in arrivals(client, futures):
            yield number_of[future.key], *_answer(future)
            future.release()
    finally:
        client.cancel(futures)


def _answer(future: Any) -> tuple[Outcome | None, BaseException | None]:
    """What a task came to, or why there is nothing."""
    try:
        return (future.result(), None) if future.status == "finished" else (None, _reason(future))
    except Exception as error:
        # The worker left between the end of its task and this question, and so did the next.
        return None, error


def _reason(future: Any) -> BaseException:
    return future.exception() or RuntimeError(f"task {future.status}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that caused it."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _stop_if_hopeless(error: BaseException) -> None:
    """Raise what no further round can mend: the errors that the analysis itself raises."""
    for cause in _chain(error):
        if isinstance(cause, ZnoughtError) and not isinstance(cause, (ReadError, WorkerError)):
            raise cause
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise cause


def _one_line(error: BaseException) -> str:
    """The first cause in one line; what this package says stands for itself."""
    if isinstance(error, ZnoughtError):
        return str(error)
    cause = list(_chain(error))[-1]
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


# --- closing ------------------------------------------------------------------------------------------


def _forget(books: _Books, skipped: Sequence[Skipped]) -> None:
    """Drop, as a whole, what files contributed that are left out."""
    lost = {skip.path for skip in skipped}
    for key in [key for key in books.results if key[1] in lost]:
        for file in books.results.pop(key).columns:
            Path(file.path).unlink(missing_ok=True)


def _by_dataset(fileset: Fileset, books: _Books) -> dict[str, DatasetResult]:
    """Results of every dataset, or of the parts of one that is split; files in the order of the fileset."""
    parts = {name: entry.get("metadata", {}).get("parts", {}) for name, entry in fileset.items()}
    names = [part for name in fileset for part in (parts[name] or [name])]
    totals = dict.fromkeys(names, DatasetResult())
    for (dataset, _), result in books.results.items():
        totals[dataset] = totals[dataset] + result
    return totals


def _sums(
    fileset: Fileset,
    files: Sequence[PlannedFile],
    skipped: Sequence[Skipped],
    shares: Mapping[str, float],
) -> dict[str, GeneratedSums | None]:
    """Sums over the generated events of the files that count, as far as they were planned."""
    lost = {skip.path for skip in skipped}
    incomplete = {skip.dataset for skip in skipped}
    sums: dict[str, GeneratedSums | None] = {}
    for dataset in fileset:
        mine = [f for f in files if f.dataset == dataset and f.summary.path not in lost]
        parts = [_of_share(f, shares.get(dataset, 1.0)) for f in mine]
        known = [part for part in parts if part is not None]
        complete = bool(parts) and len(known) == len(parts)
        # A total of the whole dataset says nothing about a part of it.
        complete &= not (any(part.is_total for part in known) and dataset in incomplete)
        sums[dataset] = reduce(add, known, GeneratedSums()) if complete else None
    return sums


def _of_share(file: PlannedFile, share: float) -> GeneratedSums | None:
    """The sums of a file as far as it was planned; those of a whole dataset by the share of that."""
    sums = file.summary.sums
    return sums if sums is None else sums.times(share if sums.is_total else file.share)
