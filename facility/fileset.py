"""Which files make up each dataset, with the metadata that a processor needs: the card made concrete."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from znought.errors import CardError, DataError, unknown_name
from znought.facility.card_base import Card
from znought.facility.workspace import read_json, write_json

__all__ = ["Fileset", "file_states", "fileset_of_card", "read_fileset", "write_fileset"]

Fileset = dict[str, dict[str, Any]]
"""coffea's plain form: {dataset: {"files": {path: tree}, "metadata": {...}}}."""

REMOTE = ("root://", "http://", "https://")


def metadata(card: Card, dataset: str) -> dict[str, Any]:
    """What travels with every chunk of a dataset."""
    entry = card.datasets[dataset]
    is_data = card.processes[entry.process].kind == "data"
    kept = {"process": entry.process, "is_data": is_data}
    if entry.lumi_ifb is not None:
        kept["lumi_ifb"] = entry.lumi_ifb
    if is_data and entry.n_events:
        kept["n_events"] = entry.n_events
    return kept


def fileset_of_card(card: Card) -> Fileset:
    """The files that the card names, globs expanded.

    Raises:
        CardError: a dataset without files, or a file given twice.
        DataError: a path or glob that matches nothing.
    """
    fileset = {name: _entry(card, name) for name in card.datasets}
    owner: dict[str, str] = {}
    for name, entry in fileset.items():
        for path in entry["files"]:
            if owner.setdefault(path, name) != name:
                raise CardError(f"{path} belongs to two datasets, {owner[path]} and {name}.")
    return fileset


def _entry(card: Card, name: str) -> dict[str, Any]:
    dataset = card.datasets[name]
    if not dataset.files:
        raise CardError(f"datasets.{name}: no files given; name some, or simulate it (recipe).")
    paths = [path for pattern in dataset.files for path in _expand(name, pattern)]
    twice = sorted({path for path in paths if paths.count(path) > 1}) if len(set(paths)) < len(paths) else []
    if twice:
        raise CardError(f"datasets.{name}: {twice[0]} is listed twice; its events would count twice.")
    return {"files": dict.fromkeys(paths, dataset.tree), "metadata": metadata(card, name)}


def _expand(name: str, pattern: str) -> list[str]:
    if pattern.startswith(REMOTE):
        return [pattern]
    path = Path(pattern)
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DataError(f"datasets.{name}: no file matches {pattern!r}.")
    return [str(match.resolve()) for match in found]


def write_fileset(
    path: Path,
    card: Card,
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
        relative = {str(p.resolve().relative_to(root)): card.datasets[name].tree for p in sorted(paths)}
        content[name] = {"files": relative, "metadata": metadata(card, name) | dict(of_data.get(name, {}))}
    write_json(path, content)


def read_fileset(path: Path, card: Card) -> Fileset:
    """The fileset of a run: from its file where there is one, else from the card.

    Raises:
        CardError: it holds a dataset that the card does not know, or lacks one.
        DataError: a file of it is missing.
    """
    if not path.exists() and any(dataset.files for dataset in card.datasets.values()):
        return fileset_of_card(card)
    fileset = {name: _absolute(path, entry) for name, entry in read_json(path).items()}
    for name in fileset:
        if name not in card.datasets:
            raise CardError(f"{path}: {unknown_name('dataset', name, card.datasets)}")
    lacking = [name for name in card.datasets if name not in fileset]
    if lacking:
        raise CardError(f"{path} lacks the datasets {', '.join(lacking)} of the card.")
    return fileset


def _absolute(path: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    files = {}
    for name, tree in entry["files"].items():
        absolute = name if name.startswith(REMOTE) else str((path.parent / name).resolve())
        if not name.startswith(REMOTE) and not Path(absolute).is_file():
            raise DataError(f"{path} names {absolute}, which does not exist.")
        files[absolute] = tree
    return {"files": files, "metadata": dict(entry["metadata"])}


def file_states(fileset: Fileset) -> dict[str, list[int]]:
    """Size and modification time of every local file, so that a replaced one is read again."""
    paths = [path for entry in fileset.values() for path in entry["files"]]
    local = [Path(path) for path in paths if not path.startswith(REMOTE)]
    return {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in local}
