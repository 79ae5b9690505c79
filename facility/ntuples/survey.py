"""Every file of a fileset, looked at before anything is computed: here or on the workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import KilledWorker

from znought.errors import DataError, ReadError
from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.ntuples.ledger import PlannedFile, Skipped
from znought.facility.ntuples.patience import pause_for_servers
from znought.processors.dialects.files import FileSummary, inspect_file, inspect_tree

__all__ = ["Fileset", "Look", "Wanted", "look", "survey"]

Fileset = Mapping[str, Mapping[str, Any]]
"""coffea's plain form, and where else its files stand:
{dataset: {"files": [path, ...] or {path: tree}, "replicas": {path: [url, ...]}, "metadata": {...}}}."""


@dataclass(frozen=True)
class Wanted:
    """One file to look at.

    Attributes:
        dataset: name of its dataset.
        path: as it stands in the fileset.
        replicas: where it can be read, the first to be tried first.
        tree, dialect: of its events; found by its content if None.
        any_tree: take it as it is, whether or not a dialect reads it.
    """

    dataset: str
    path: str
    replicas: tuple[str, ...]
    tree: str | None
    dialect: str | None = None
    any_tree: bool = False


def survey(
    client: Any | None, fileset: Fileset, *, max_rounds: int, allow_skip: bool, any_tree: bool = False
) -> tuple[tuple[PlannedFile, ...], tuple[Skipped, ...]]:
    """Every file of the fileset that opens, and those that do not and may be left out.

    Args:
        client: a Dask client, or None to look from here.
        fileset: {dataset: {"files": [path, ...] or {path: tree or None}, "metadata": {...}}}.
        max_rounds: how often a file that cannot be read is tried.
        allow_skip: list files that cannot be read instead of stopping.
        any_tree: take files as they are, whether or not a dialect reads them.

    Raises:
        ReadError: a file is missing or damaged, and may not be left out.
        DataError: a file is listed twice, or can be read but is of no use.
    """
    wanted = [
        Wanted(
            dataset,
            path,
            (path, *entry.get("replicas", {}).get(path, ())),
            tree,
            entry.get("metadata", {}).get("dialect"),
            any_tree,
        )
        for dataset, entry in fileset.items()
        for path, tree in _paths(dataset, entry).items()
    ]
    looks = _looked_at(client, wanted, max_rounds)
    files: list[PlannedFile] = []
    skipped: list[Skipped] = []
    for file, seen in zip(wanted, looks, strict=True):
        if isinstance(seen, DataError):
            # Only what cannot be read may be left out: any other choice of files would be a bias.
            if not (allow_skip and isinstance(seen, ReadError)):
                raise seen
            skipped.append(Skipped(file.dataset, file.path, None, str(seen).removeprefix(f"{file.path}: ")))
            continue
        summary, answered = seen
        others = [replica for replica in file.replicas if replica != answered]
        files.append(PlannedFile(file.dataset, summary, (answered, *others)))
    return tuple(files), tuple(skipped)


def _paths(dataset: str, entry: Mapping[str, Any]) -> dict[str, str | None]:
    """path → tree of one dataset; a list may name a file twice, which is refused here by name."""
    files = entry.get("files")
    if not files:
        message = f"Dataset {dataset!r} has no files."
        raise DataError(message)
    if isinstance(files, Mapping):
        return dict(files)
    paths = [str(path) for path in files]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        message = f"{twice[0]} is listed twice in dataset {dataset!r}."
        raise DataError(message)
    return dict.fromkeys(paths)


Look = tuple[FileSummary, str] | DataError
"""What a file holds with the replica that said so, or what is wrong with it."""


def _looked_at(client: Any | None, wanted: Sequence[Wanted], max_rounds: int) -> list[Look]:
    """A look at each file; reading errors are tried again."""
    looks: dict[int, Look] = {}
    for n_rounds in range(max_rounds):
        again = [i for i in range(len(wanted)) if not _is_settled(looks.get(i))]
        if not again:
            break
        pause_for_servers(n_rounds, [(wanted[i].replicas, str(looks[i])) for i in again if i in looks])
        part = [wanted[i] for i in again]
        found = map(look, part) if client is None else _on_workers(client, part)
        looks.update(zip(again, found, strict=True))
    return [looks[i] for i in range(len(wanted))]


def _on_workers(client: Any, wanted: Sequence[Wanted]) -> Iterator[Look]:
    """A look at each file by a worker; what killed its worker may be tried again."""
    futures = spread(client, look, wanted)
    for _ in arrivals(client, futures):
        pass  # all of them, with somebody who watches
    for file, future in zip(wanted, futures, strict=True):
        error = future.exception()
        if isinstance(error, KilledWorker):
            yield _KilledError(f"{file.path}: the worker that looked at it was killed.")
        else:
            yield future.result()


def look(wanted: Wanted) -> Look:
    """What the first replica that can be read holds, or what is wrong with the last one."""
    *others, last = wanted.replicas
    for replica in others:
        try:
            summary = _summary(wanted, replica)
        except DataError:
            continue
        return replace(summary, path=wanted.path), replica
    try:
        summary = _summary(wanted, last)
    except DataError as error:
        return error
    return replace(summary, path=wanted.path), last


def _summary(wanted: Wanted, replica: str) -> FileSummary:
    """What one replica holds."""
    if wanted.any_tree:
        return inspect_tree(replica, tree=wanted.tree)
    return inspect_file(replica, tree=wanted.tree, dialect=wanted.dialect)


class _KilledError(DataError):
    """A look that killed its worker: it may be tried again, but what it is of is never left out."""


def _is_settled(seen: Look | None) -> bool:
    return seen is not None and not isinstance(seen, ReadError | _KilledError)
