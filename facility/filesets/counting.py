"""Events and sums of weights of every file of a fileset; what did not change is not counted anew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from znought.errors import DataError
from znought.facility.filesets.written import REMOTE, Counts, ListedFile, WrittenDataset
from znought.facility.ntuples.survey import Wanted, look
from znought.processors.dialects.files import FileSummary

__all__ = ["Change", "Looked", "changes", "counted", "described", "looked_at"]

_N_THREADS = 8  # a look at a remote file is waiting, mostly

Progress = Callable[[int, int], None]
Counted = dict[str, list[ListedFile | DataError]]


@dataclass(frozen=True)
class Looked:
    """One file of a fileset, and what a look at it found.

    Attributes:
        dataset: name of its dataset.
        listed: as it stands in the fileset.
        found: what it holds, or what is wrong with it.
    """

    dataset: str
    listed: ListedFile
    found: Counts | DataError


@dataclass(frozen=True)
class Change:
    """One difference between two filesets.

    Attributes:
        dataset, path: the file.
        kind: new, gone, or changed: another file under the same address.
    """

    dataset: str
    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path} ({self.dataset})"


def looked_at(datasets: Mapping[str, WrittenDataset], *, progress: Progress | None = None) -> list[Looked]:
    """A look at every file, at the first of its addresses that answers.

    Args:
        datasets: of the fileset.
        progress: called with (files done, files in all).
    """
    files = [(name, file) for name, dataset in datasets.items() for file in dataset.files]

    def one(pair: tuple[str, ListedFile]) -> Looked:
        name, file = pair
        seen = look(Wanted(name, file.path, file.addresses, file.tree))
        return Looked(name, file, seen if isinstance(seen, DataError) else _counts(*seen))

    found = list[Looked]()
    with ThreadPoolExecutor(_N_THREADS) as pool:
        for looked in pool.map(one, files):
            found.append(looked)
            if progress is not None:
                progress(len(found), len(files))
    return found


def _counts(summary: FileSummary, answered: str) -> Counts:
    size, mtime_ns = _state(answered) or (None, None)
    sums, layout = summary.sums, summary.layout
    return Counts(
        uuid=str(UUID(bytes=summary.uuid)),
        tree=summary.tree,
        n_events=summary.n_events,
        dialect=summary.dialect,
        lacks=tuple(sorted({*layout.missing, *layout.substitutes})),
        is_data="gen_weight" not in layout.branches,
        n_generated=None if sums is None else sums.n_events,
        sumw=None if sums is None else float(sums.sumw),
        is_total=sums is not None and sums.is_total,
        size=size,
        mtime_ns=mtime_ns,
        served_by=answered,
    )


def _state(path: str) -> tuple[int, int] | None:
    """Size and time of a local file that is there."""
    if path.startswith(REMOTE) or not Path(path).is_file():
        return None
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns


def counted(
    datasets: Mapping[str, WrittenDataset],
    before: Mapping[str, WrittenDataset],
    *,
    progress: Progress | None = None,
) -> tuple[dict[str, WrittenDataset], list[Looked]]:
    """The datasets with the counts of their files, and files that cannot be counted.

    A local file of the same size and time as before is not opened again.

    Args:
        datasets: as their sources list them now.
        before: as they were written.
        progress: as of `looked_at`.
    """
    known = {file.path: file for dataset in before.values() for file in dataset.files}
    kept = {
        name: replace(dataset, files=tuple(_known(file, known.get(file.path)) for file in dataset.files))
        for name, dataset in datasets.items()
    }
    unseen = {
        name: replace(dataset, files=tuple(file for file in dataset.files if file.counts is None))
        for name, dataset in kept.items()
    }
    looks = looked_at(unseen, progress=progress)
    seen = {one.listed.path: one.found for one in looks if isinstance(one.found, Counts)}
    found = {
        name: replace(dataset, files=tuple(_with(file, seen) for file in dataset.files))
        for name, dataset in kept.items()
    }
    return found, [one for one in looks if isinstance(one.found, DataError)]


def _known(file: ListedFile, before: ListedFile | None) -> ListedFile:
    """A file with the counts that it had, where it is the same."""
    counts = None if before is None else before.counts
    if counts is None or file.tree not in (None, counts.tree):
        return replace(file, counts=None)
    same = _state(counts.served_by) == (counts.size, counts.mtime_ns) and counts.served_by in file.addresses
    return replace(file, counts=counts if same else None)


def _with(file: ListedFile, seen: Mapping[str, Counts]) -> ListedFile:
    return file if file.counts is not None else replace(file, counts=seen.get(file.path))


def changes(before: Mapping[str, WrittenDataset], after: Mapping[str, WrittenDataset]) -> Iterator[Change]:
    """What is new, gone or changed, in the order of the datasets."""
    old, new = _by_path(before), _by_path(after)
    for path, (name, file) in new.items():
        if path not in old:
            yield Change(name, path, "new")
        elif _content(old[path][1]) != _content(file):
            yield Change(name, path, "changed")
        elif old[path][0] != name:
            yield Change(name, path, f"moved from {old[path][0]}")
    for path, (name, _) in old.items():
        if path not in new:
            yield Change(name, path, "gone")


def _by_path(datasets: Mapping[str, WrittenDataset]) -> dict[str, tuple[str, ListedFile]]:
    return {file.path: (name, file) for name, dataset in datasets.items() for file in dataset.files}


def _content(file: ListedFile) -> tuple[object, ...]:
    counts = file.counts
    return () if counts is None else (counts.uuid, counts.n_events, counts.sumw, counts.tree)


def described(name: str, files: Sequence[Counts], sumw: float | None) -> str:
    """One line about a dataset: kind, format, files, events and sum of weights."""
    kind = "recorded data" if files[0].is_data else "simulation"
    n_events = sum(counts.n_events for counts in files)
    many = f"{len(files)} file{'s' if len(files) > 1 else ''}"
    weights = "" if files[0].is_data else f", Σw {'unknown' if sumw is None else format(sumw, '.10g')}"
    return f"{name}: {kind}, {files[0].dialect or 'any tree'}, {many}, {n_events:,} events{weights}"
