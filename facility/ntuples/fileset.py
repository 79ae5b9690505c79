"""Which files make up each dataset, with the metadata that a processor needs: the card made concrete."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.base import BaseCard
from znought.facility.filesets.written import REMOTE, WrittenDataset, place, read_written
from znought.facility.workspace import write_json

__all__ = [
    "Fileset",
    "expanded",
    "file_states",
    "fileset_of_card",
    "fileset_of_dataset",
    "read_fileset",
    "write_fileset",
]

Fileset = dict[str, dict[str, Any]]
"""coffea's plain form: {dataset: {"files": {path: tree}, "metadata": {...}}}; where files stand in more than
one place, "replicas": {path: [url, ...]} as well."""


def fileset_of_card(card: BaseCard) -> Fileset:
    """The files that the card names, globs expanded.

    Raises:
        CardError: a dataset without files, or a file given twice.
        DataError: a path or glob that matches nothing.
    """
    fileset = {name: _entry(card, name) for name in card.sources}
    owner: dict[str, str] = {}
    for name, entry in fileset.items():
        for path in entry["files"]:
            if owner.setdefault(path, name) != name:
                raise CardError(f"{path} belongs to two datasets, {owner[path]} and {name}.")
    return fileset


def fileset_of_dataset(card: BaseCard, name: str) -> Fileset:
    """The files of one dataset, globs expanded.

    Raises:
        CardError: no files, or one given twice.
        DataError: a path or glob that matches nothing.
    """
    return {name: _entry(card, name)}


def _entry(card: BaseCard, name: str) -> dict[str, Any]:
    dataset = card.sources[name]
    if not dataset.files:
        raise CardError(f"datasets.{name}: no files given; name some, or simulate it (recipe).")
    paths: list[str] = []
    replicas: dict[str, list[str]] = {}
    for given in dataset.files:
        if isinstance(given, str):
            paths += _expand(name, given)
        else:
            first, *others = (place(Path(), replica) for replica in given)
            paths.append(first)
            replicas[first] = others
    twice = sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) < len(paths) else []
    if twice:
        raise CardError(f"datasets.{name}: {twice[0]} is listed twice; its events would count twice.")
    found = {
        "files": dict.fromkeys(paths, dataset.tree),
        "metadata": card.metadata(name) | card.era_metadata(name),
    }
    return found | {"replicas": replicas} if replicas else found


def _expand(name: str, pattern: str) -> list[str]:
    return expanded(f"datasets.{name}", Path(), pattern)


def expanded(where: str, folder: Path, pattern: str) -> list[str]:
    """The files that a path or glob names, or a remote one as it is.

    Args:
        where: key of the card, for messages.
        folder: that a relative path begins in.
        pattern: path or glob.

    Raises:
        DataError: it matches nothing.
    """
    if pattern.startswith(REMOTE):
        return [pattern]
    path = folder / pattern
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DataError(f"{where}: no file matches {pattern!r}.")
    return [str(match.resolve()) for match in found]


def write_fileset(
    path: Path,
    card: BaseCard,
    files: Mapping[str, list[Path]],
    *,
    of_data: Mapping[str, Mapping[str, float]],
) -> None:
    """Writes a fileset of local files with paths relative to it, so that the folder may move.

    Args:
        path: where.
        card: whose datasets they are.
        files: by dataset.
        of_data: `lumi_ifb` and `n_events`, the events of all files, of datasets of data.
    """
    root = path.parent.resolve()
    content: Fileset = {}
    for name, paths in files.items():
        relative = {str(p.resolve().relative_to(root)): card.sources[name].tree for p in sorted(paths)}
        content[name] = {"files": relative, "metadata": card.metadata(name) | dict(of_data.get(name, {}))}
    write_json(path, content)


def read_fileset(path: Path, card: BaseCard) -> Fileset:
    """The fileset of a run: from its file where there is one, else from the card.

    Raises:
        CardError: it holds a dataset that the card does not know, or lacks one.
        DataError: it is no fileset, or a file of it is missing.
    """
    if not path.exists() and any(dataset.files for dataset in card.datasets.values()):
        return fileset_of_card(card)
    fileset = {name: _plain(path, dataset) for name, dataset in read_written(path).items()}
    for name, entry in fileset.items():
        if name not in card.sources:
            raise CardError(f"{path}: {unknown_name('dataset', name, card.sources)}")
        agreed = _agreeing(path, name, entry["metadata"], card.metadata(name))
        entry["metadata"] = agreed | card.era_metadata(name)
    lacking = [name for name in card.sources if name not in fileset]
    if lacking:
        raise CardError(f"{path} lacks the datasets {', '.join(lacking)} of the card.")
    return fileset


def _agreeing(path: Path, name: str, stated: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a dataset: the card's, and what the fileset alone knows.

    Raises:
        CardError: the fileset was written for another card.
    """
    for key in ("process", "is_data", "lumi_ifb"):
        if key in stated and key in wanted and stated[key] != wanted[key]:
            raise CardError(
                f"{path}: {name} has {key} {stated[key]!r}, the card says {wanted[key]!r}: write the fileset "
                "anew or mend the card."
            )
    return {**stated, **wanted, **{key: stated[key] for key in ("lumi_ifb", "n_events") if key in stated}}


def _plain(path: Path, dataset: WrittenDataset) -> dict[str, Any]:
    """One dataset of a fileset's file.

    Raises:
        DataError: a local file without another address does not exist.
    """
    for file in dataset.files:
        if not (file.path.startswith(REMOTE) or len(file.addresses) > 1 or Path(file.path).is_file()):
            raise DataError(f"{path} names {file.path}, which does not exist.")
    replicas = {file.path: list(file.addresses[1:]) for file in dataset.files if len(file.addresses) > 1}
    files = {file.path: file.tree for file in dataset.files}
    found = {"files": files, "metadata": dict(dataset.metadata)}
    return found | {"replicas": replicas} if replicas else found


def file_states(fileset: Fileset) -> dict[str, list[int]]:
    """Size and modification time of every local file, so that a replaced one is read again."""
    paths = [path for entry in fileset.values() for path in entry["files"]]
    local = [Path(path) for path in paths if not path.startswith(REMOTE)]
    # One that is gone may still have a replica; whether it has, the run finds out.
    stats = {path: path.stat() for path in local if path.is_file()}
    return {str(path): [found.st_size, found.st_mtime_ns] for path, found in stats.items()}
