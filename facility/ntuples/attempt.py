"""What a worker does: chunks of files in, their results out, from the first replica that can be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from znought.errors import ReadError
from znought.facility.metrics.tally import count
from znought.facility.ntuples.ledger import PlannedChunk
from znought.facility.ntuples.memory import keep_freed_memory
from znought.processors.dialects.view import Entries
from znought.processors.result import DatasetResult
from znought.processors.source import by_health, kept_tree, note_failure

__all__ = ["Outcome", "Processor", "Task", "attempt"]


class Processor(Protocol):
    """What the runner asks of a processor."""

    @property
    def reads_any_tree(self) -> bool:
        """Take files as they are: no dialect is looked for, and no sum over generated events."""

    @property
    def refuse_substitutes(self) -> bool:
        """Stop where a format lacks an input, instead of declaring what stands for it."""

    @property
    def needs_complete_layout(self) -> bool:
        """Refuse, before anything is processed, a file that lacks any field of its dialect."""

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset; of one that is split, its parts'."""


@dataclass(frozen=True, slots=True)
class Task:
    """One chunk with all that is needed to process it.

    Attributes:
        chunk: the chunk.
        replicas: where its file can be read, the best place first.
        metadata: of the dataset.
    """

    chunk: PlannedChunk
    replicas: tuple[str, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What the chunks of some tasks add up to.

    Attributes:
        results: (dataset or part of one, file) → result.
        read_from: file → replicas that its chunks were read from.
    """

    results: Mapping[tuple[str, str], DatasetResult]
    read_from: Mapping[str, frozenset[str]]


def attempt(tasks: Sequence[Task], processor: Processor) -> Outcome:
    """Process some chunks, one after the other; the first failure ends it, and nothing of it counts."""
    keep_freed_memory()
    parts: dict[tuple[str, str], list[DatasetResult]] = {}
    read_from: dict[str, set[str]] = {}
    for task in tasks:
        replica, results = _processed(task, processor)
        for dataset, result in results.items():
            parts.setdefault((dataset, task.chunk.path), []).append(result)
        read_from.setdefault(task.chunk.path, set()).add(replica)
    return Outcome(
        {key: DatasetResult.total(results) for key, results in parts.items()},
        {path: frozenset(replicas) for path, replicas in read_from.items()},
    )


def _processed(task: Task, processor: Processor) -> tuple[str, dict[str, DatasetResult]]:
    """The first replica that can be read, and the results of the chunk by dataset."""
    *others, last = by_health(task.replicas)
    for replica in others:
        try:
            return replica, _read_and_processed(task, replica, processor)
        except ReadError:
            note_failure(replica)
    try:
        return last, _read_and_processed(task, last, processor)
    except ReadError:
        note_failure(last)
        raise


def _read_and_processed(task: Task, replica: str, processor: Processor) -> dict[str, DatasetResult]:
    """The results of the chunk, read from one replica; the processor refuses one that is another file."""
    chunk = task.chunk
    metadata = {
        **task.metadata,
        "dataset": chunk.dataset,
        "filename": replica,
        "treename": chunk.tree,
        "entrystart": chunk.start,
        "entrystop": chunk.stop,
        "fileuuid": str(UUID(bytes=chunk.uuid)),
    }
    tree = kept_tree(replica, chunk.tree)
    results = processor.process(Entries(tree, chunk.start, chunk.stop, metadata))
    count(events=chunk.stop - chunk.start, bytes_read=tree.newly_requested())
    return results
