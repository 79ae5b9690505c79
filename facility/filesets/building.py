"""A fileset built, refreshed or checked, and what there is to say of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from znought.errors import DataError, ReadError
from znought.facility.filesets.checking import missing_from, mistakes, problem, repeated, strangers
from znought.facility.filesets.counting import (
    Change,
    Looked,
    Progress,
    changes,
    counted,
    described,
    looked_at,
)
from znought.facility.filesets.sources import listed_files
from znought.facility.filesets.written import (
    Counts,
    Origin,
    WrittenDataset,
    read_written,
    write_written,
)

__all__ = ["Told", "built", "checked"]

_MOST = 20  # changes that are listed file by file


@dataclass(frozen=True)
class Told:
    """What there is to say of a fileset.

    Attributes:
        lines: what it holds, and how it differs from what it was.
        mistakes: what is wrong with it.
    """

    lines: tuple[str, ...]
    mistakes: tuple[str, ...] = ()


def built(path: Path, origin: Origin, *, allow_skip: bool = False, progress: Progress | None = None) -> Told:
    """Builds or refreshes a fileset, which is written only if nothing is wrong with it.

    Args:
        path: of the fileset.
        origin: what it is built from; without sources, that of the fileset as it stands.
        allow_skip: leave out files that cannot be read, and no others.
        progress: called with (files looked at, files in all).

    Raises:
        DataError: as `listed_files`; or no source is given, and none is known.
    """
    before = read_written(path) if path.exists() else {}
    found, lost = counted(_listed(path, origin, before), before, progress=progress)
    left_out = [one for one in lost if allow_skip and isinstance(one.found, ReadError)]
    found = {name: _without(dataset, left_out) for name, dataset in found.items()}
    files = {name: [(file, file.counts) for file in one.files if file.counts] for name, one in found.items()}
    wrong = [problem(one) for one in lost if one not in left_out]
    wrong += [f"{name}: none of its files can be read." for name, one in found.items() if not one.files]
    wrong += [*repeated(files), *strangers(files)]
    if wrong:
        return Told((), (*wrong, f"{path} was not written."))
    write_written(path, found)
    remarks = (f"left out: {problem(one)}" for one in left_out)
    return Told((*_told_changes(path, list(changes(before, found))), *remarks, *_told(found)))


def checked(path: Path, wanted: Sequence[str] = (), *, progress: Progress | None = None) -> Told:
    """Looks at every file of a fileset, at the addresses that it gives.

    Args:
        path: of the fileset.
        wanted: datasets that it must hold.
        progress: called with (files looked at, files in all).

    Raises:
        DataError: it does not exist, or is no fileset.
    """
    datasets = read_written(path)
    looks = looked_at(datasets, progress=progress)
    wrong = [*missing_from(wanted, datasets), *mistakes(looks)]
    seen = {one.listed.path: one.found for one in looks if isinstance(one.found, Counts)}
    found = {
        name: replace(one, files=tuple(replace(file, counts=seen.get(file.path)) for file in one.files))
        for name, one in datasets.items()
    }
    return Told((*_elsewhere(looks), *_told(found)), tuple(wrong))


def _listed(path: Path, origin: Origin, before: Mapping[str, WrittenDataset]) -> dict[str, WrittenDataset]:
    """What the sources of a fileset list now: those given, else those that it was built from."""
    if origin.sources:
        return listed_files(origin)
    if origin != Origin(sources=()):
        raise DataError("SOURCE: none given; a fileset is refreshed with the options that it was built with.")
    if not before:
        raise DataError(f"{path} does not exist: give SOURCE, a folder or a list, that it is built from.")
    found = dict[str, WrittenDataset]()
    for one in dict.fromkeys(dataset.origin for dataset in before.values()):
        if one is None:
            raise DataError(f"{path} was written by another program: give the SOURCE that it is built from.")
        found |= listed_files(one)
    return found


def _without(dataset: WrittenDataset, left_out: Sequence[Looked]) -> WrittenDataset:
    gone = {one.listed.path for one in left_out}
    return replace(dataset, files=tuple(file for file in dataset.files if file.path not in gone))


def _told_changes(path: Path, changed: Sequence[Change]) -> Iterator[str]:
    """How a fileset differs from what it was: file by file, or by dataset where there are many."""
    if len(changed) <= _MOST:
        yield from map(str, changed)
    else:
        kinds = dict.fromkeys((one.dataset, one.kind) for one in changed)
        for dataset, kind in kinds:
            n_files = sum((one.dataset, one.kind) == (dataset, kind) for one in changed)
            yield f"{kind}: {n_files} files of {dataset}"
    yield f"{path}: {len(changed)} files differ" if changed else f"{path}: no file differs"


def _told(datasets: Mapping[str, WrittenDataset]) -> Iterator[str]:
    """One line for every dataset of which something is known."""
    for name, dataset in datasets.items():
        if dataset.counted:
            yield described(name, dataset.counted, dataset.sumw)


def _elsewhere(looks: Sequence[Looked]) -> Iterator[str]:
    """Files whose first address does not answer."""
    for one in looks:
        if isinstance(one.found, Counts) and one.found.served_by != one.listed.path:
            yield f"{one.dataset}: {one.listed.path} does not answer; read from {one.found.served_by}"
