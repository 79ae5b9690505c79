"""The books of a run, as pure decisions: which chunks there are, which are due, what was lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from znought.errors import DataError, LedgerError
from znought.processors.dialects.files import FileSummary

__all__ = [
    "Failure",
    "PlannedChunk",
    "PlannedFile",
    "Skipped",
    "close",
    "due",
    "plan_chunks",
    "refuse_duplicates",
    "refuse_empty",
]


_SHOWN = 3


@dataclass(frozen=True)
class PlannedFile:
    """One file of the fileset that opened.

    Attributes:
        dataset: name of the dataset.
        summary: what it holds.
        replicas: where it can be read, the place that answered first; its own path if none are given.
        n_wanted: its first entries, where not all of them are wanted.
    """

    dataset: str
    summary: FileSummary
    replicas: tuple[str, ...] = ()
    n_wanted: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicas", self.replicas or (self.summary.path,))

    @property
    def n_planned(self) -> int:
        """Entries that are to be processed."""
        return self.summary.n_events if self.n_wanted is None else self.n_wanted

    @property
    def share(self) -> float:
        """Share of its entries that is to be processed."""
        return self.n_planned / self.summary.n_events if self.summary.n_events else 1.0


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """Entries of one file that are processed as a whole.

    Attributes:
        dataset: name of the dataset.
        path: the file.
        tree: name of its tree.
        uuid: identity of the file.
        start, stop: entries.
    """

    dataset: str
    path: str
    tree: str
    uuid: bytes
    start: int
    stop: int


@dataclass(frozen=True)
class Failure:
    """Why a chunk came to nothing.

    Attributes:
        reason: one line.
        is_unread: its file could not be read; anything else must not decide which events count.
    """

    reason: str
    is_unread: bool


@dataclass(frozen=True)
class Skipped:
    """One file that was left out, with everything it would have contributed.

    Attributes:
        dataset: name of the dataset.
        path: the file.
        n_events: its entries; None if it never opened.
        reason: one line.
    """

    dataset: str
    path: str
    n_events: int | None
    reason: str


def refuse_duplicates(files: Iterable[PlannedFile]) -> None:
    """Refuse a fileset that would count events twice.

    Raises:
        DataError: two entries are one file, by name or by content.
    """
    seen: dict[bytes, PlannedFile] = {}
    for file in files:
        first = seen.setdefault(file.summary.uuid, file)
        if first is file:
            continue
        message = (
            f"{file.summary.path} (dataset {file.dataset!r}) would be counted twice: it is the same file as "
            f"{first.summary.path} (dataset {first.dataset!r})."
        )
        raise DataError(message)


def refuse_empty(files: Mapping[str, Collection[str]], skipped: Sequence[Skipped]) -> None:
    """Refuse a run in which nothing of a dataset is left.

    Args:
        files: dataset → its files.
        skipped: files that were left out.

    Raises:
        DataError: every file of a dataset was left out.
    """
    for dataset, paths in files.items():
        lost = [skip for skip in skipped if skip.dataset == dataset]
        if paths and len(lost) == len(paths):
            listed = "; ".join(f"{skip.path} ({skip.reason})" for skip in lost[:_SHOWN])
            more = f"; and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            message = (
                f"Dataset {dataset!r}: every one of its {len(lost)} files would be left out: {listed}{more}"
            )
            raise DataError(f"{message}. Mend the files or take the dataset out of the card.")


def plan_chunks(files: Sequence[PlannedFile], *, chunk_size: int) -> tuple[PlannedChunk, ...]:
    """Chunks of at most `chunk_size` entries that cover what is wanted of every file once, in their order."""
    if chunk_size < 1:
        message = f"chunk_size must be at least 1; received {chunk_size}."
        raise DataError(message)
    planned: list[PlannedChunk] = []
    for file in files:
        n_events = file.n_planned
        n_chunks = -(-n_events // chunk_size)
        edges = [n_events * i // n_chunks for i in range(n_chunks + 1)] if n_chunks else []
        planned.extend(
            PlannedChunk(file.dataset, file.summary.path, file.summary.tree, file.summary.uuid, start, stop)
            for start, stop in pairwise(edges)
        )
    return tuple(planned)


def due(planned: Sequence[PlannedChunk], processed: Collection[PlannedChunk]) -> tuple[PlannedChunk, ...]:
    """Planned chunks that nobody has processed yet, in order."""
    done = frozenset(processed)
    return tuple(chunk for chunk in planned if chunk not in done)


def close(
    files: Sequence[PlannedFile],
    planned: Sequence[PlannedChunk],
    processed: Sequence[PlannedChunk],
    failures: Mapping[PlannedChunk, Failure],
    *,
    allow_skip: bool,
) -> tuple[Skipped, ...]:
    """Close the books: every entry of every file processed exactly once, or say what was lost.

    Args:
        files: every file that opened.
        planned: the chunks of these files.
        processed: chunks that returned a result, in any order.
        failures: why, for every chunk that did not.
        allow_skip: leave out files that could not be read, as a whole, instead of stopping.

    Returns:
        The files left out; empty unless `allow_skip`.

    Raises:
        LedgerError: a chunk was processed twice or was never planned, the chunks do not cover a file, or
            chunks failed and skipping is not allowed, or not for this reason.
    """
    _check_coverage(files, planned)
    if len(set(processed)) != len(processed) or not set(processed) <= set(planned):
        message = f"{len(processed)} chunks came back for {len(planned)} planned: some twice or unplanned."
        raise LedgerError(message)
    lost = due(planned, processed)
    if not lost:
        return ()
    nothing = Failure("no result came back", is_unread=False)
    reasons = {chunk.path: failures.get(chunk, nothing).reason for chunk in lost}
    if not (allow_skip and all(failures.get(chunk, nothing).is_unread for chunk in lost)):
        listed = "; ".join(f"{path} ({reason})" for path, reason in reasons.items())
        only = "; allow_skip leaves out files that cannot be read, no others" if allow_skip else ""
        message = f"{len(lost)} of {len(planned)} chunks were not processed: {listed}{only}"
        raise LedgerError(message)
    return tuple(
        Skipped(file.dataset, file.summary.path, file.n_planned, reasons[file.summary.path])
        for file in files
        if file.summary.path in reasons
    )


def _check_coverage(files: Sequence[PlannedFile], planned: Sequence[PlannedChunk]) -> None:
    """Every entry of every file lies in exactly one planned chunk."""
    entries: dict[str, int] = {}
    for chunk in planned:
        if chunk.start != entries.get(chunk.path, 0):
            message = (
                f"{chunk.path}: entries {entries.get(chunk.path, 0)} to {chunk.start} are not in any chunk."
            )
            raise LedgerError(message)
        entries[chunk.path] = chunk.stop
    for file in files:
        covered = entries.get(file.summary.path, 0)
        if covered != file.n_planned:
            message = f"{file.summary.path}: chunks cover {covered} of {file.n_planned} entries."
            raise LedgerError(message)
