"""A fileset as it is written: coffea's own layout, with what was counted in each file beside it."""

import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from znought.errors import DataError
from znought.facility.results.records import Record
from znought.facility.workspace import read_json, write_json

__all__ = ["Counts", "ListedFile", "Origin", "WrittenDataset", "place", "read_written", "write_written"]

_COUNTED = ("is_data", "n_events", "sumw")
REMOTE = ("root://", "http://", "https://")


class Counts(Record):
    """What stands in one file.

    Attributes:
        uuid: the file's own identity.
        tree, n_events: name of the tree of events, and its entries.
        dialect: the format that reads it; empty for any tree.
        lacks: fields of the format that it does not have.
        is_data: without weights of a generator.
        n_generated, sumw: generated events and the signed sum of their weights; None where it keeps none.
        is_total: the sums are those of the whole dataset, as every file of it repeats them.
        size, mtime_ns: of a local file.
        served_by: the address that it was read from.
    """

    uuid: str
    tree: str
    n_events: int
    dialect: str
    lacks: tuple[str, ...] = ()
    is_data: bool
    n_generated: int | None = None
    sumw: float | None = None
    is_total: bool = False
    size: int | None = None
    mtime_ns: int | None = None
    served_by: str


class Origin(Record):
    """Where the files of a fileset come from, so that it can be made anew.

    Attributes:
        sources: folders, text files, JSON files and names of datasets.
        pattern: regular expression whose group is the dataset's name; None takes folder or file.
        tree: name of the tree of events; None finds it by the format.
        redirectors: tried behind the addresses of a file, in order.
        allowed, preferred, blocked: sites of datasets on the grid.
    """

    sources: tuple[str, ...]
    pattern: str | None = None
    tree: str | None = None
    redirectors: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True)
class ListedFile:
    """One file of a dataset.

    Attributes:
        addresses: where it stands, the first to be tried first.
        tree: name of the tree of events; None finds it by the format.
        counts: what it holds, once somebody looked.
    """

    addresses: tuple[str, ...]
    tree: str | None = None
    counts: Counts | None = None

    @property
    def path(self) -> str:
        """The address that stands for the file."""
        return self.addresses[0]


@dataclass(frozen=True)
class WrittenDataset:
    """The files of one dataset.

    Attributes:
        files: in their order.
        metadata: what others wrote of it.
        origin: how its fileset was made; None for one of other programs.
    """

    files: tuple[ListedFile, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def counted(self) -> tuple[Counts, ...]:
        """Counts of the files that somebody looked into."""
        return tuple(file.counts for file in self.files if file.counts is not None)

    @property
    def n_events(self) -> int:
        """Events of all files."""
        return sum(counts.n_events for counts in self.counted)

    @property
    def sumw(self) -> float | None:
        """Signed sum of weights over all generated events; None where a file keeps none."""
        sums = [counts.sumw for counts in self.counted]
        known = [one for one in sums if one is not None]
        if not known or len(known) < len(self.files):
            return None
        return known[0] if all(counts.is_total for counts in self.counted) else fsum(known)


def place(folder: Path, name: str) -> str:
    """A remote file as it is named, a local one from the root of the file system."""
    return name if name.startswith(REMOTE) else str((folder / name).resolve())


def read_written(path: Path) -> dict[str, WrittenDataset]:
    """The datasets of a fileset, of ours or in either layout of coffea.

    Args:
        path: JSON, compressed or not: {dataset: [path, ...]} or {dataset: {"files": [path, ...] or
            {path: tree or {"object_path": tree, ...}}, "metadata": {...}}}.

    Raises:
        DataError: no such file, no JSON, or of another layout.
    """
    content = _json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected datasets with their files, received {type(content).__name__}.")
    return {str(name): _dataset(path, str(name), entry) for name, entry in content.items()}


def _json(path: Path) -> Any:
    if path.suffix != ".gz":
        return read_json(path)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: no compressed JSON ({' '.join(str(error).split())}).") from error


def _dataset(path: Path, name: str, entry: Any) -> WrittenDataset:
    """One dataset of a fileset's file, whatever its layout."""
    whole: dict[str, Any] = entry if isinstance(entry, dict) and "files" in entry else {"files": entry}
    listed, tree = whole["files"], whole.get("treename")
    files = dict.fromkeys(listed, tree) if _is_list(listed) else listed
    if not (isinstance(files, dict) and files and all(_is_spec(one) for one in files.values())):
        expected = 'a list of paths, or {"files": {path: tree}, "metadata": {…}}'
        raise DataError(f"{path}: {name}: expected {expected}.")
    if _is_list(listed) and len(files) < len(listed):
        twice = next(one for one in listed if listed.count(one) > 1)
        raise DataError(f"{path}: {name}: {twice} is listed twice; its events would count twice.")
    folder, others, counted = path.parent, whole.get("replicas", {}), whole.get("counted", {})
    try:
        origin = None if "built_from" not in whole else Origin.model_validate(whole["built_from"])
        found = tuple(
            ListedFile(
                tuple(place(folder, address) for address in (one, *others.get(one, ()))),
                spec["object_path"] if isinstance(spec, dict) else spec,
                Counts.model_validate(counted[one]) if one in counted else None,
            )
            for one, spec in files.items()
        )
    except (ValidationError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: {name}: written by another version; build it anew.") from error
    return WrittenDataset(found, dict(whole.get("metadata") or {}), origin)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_spec(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, dict) and "object_path" in value)


def write_written(path: Path, datasets: Mapping[str, WrittenDataset]) -> None:
    """Writes a fileset whole or not at all, files below its folder relative to it."""
    write_json(path, {name: _entry(path.parent.resolve(), dataset) for name, dataset in datasets.items()})


def _entry(root: Path, dataset: WrittenDataset) -> dict[str, Any]:
    files, replicas, counted = dict[str, Any](), dict[str, list[str]](), dict[str, Any]()
    for file in dataset.files:
        name, *others = (_below(root, address) for address in file.addresses)
        files[name] = _spec(file)
        if others:
            replicas[name] = others
        if file.counts is not None:
            counted[name] = file.counts.model_dump(mode="json", exclude_defaults=True)
    metadata = {key: value for key, value in dataset.metadata.items() if key not in _COUNTED}
    if dataset.counted:
        metadata["is_data"] = is_data = dataset.counted[0].is_data
        metadata |= {"n_events": dataset.n_events} if is_data else {"sumw": dataset.sumw}
    found: dict[str, Any] = {"files": files, "metadata": metadata}
    if replicas:
        found["replicas"] = replicas
    if dataset.origin is not None:
        found["built_from"] = dataset.origin.model_dump(mode="json", exclude_defaults=True)
    return found | {"counted": counted}


def _spec(file: ListedFile) -> str | dict[str, Any] | None:
    if file.counts is None:
        return file.tree
    n_events = file.counts.n_events
    steps = [[0, n_events]]
    return {
        "object_path": file.counts.tree,
        "steps": steps,
        "num_entries": n_events,
        "uuid": file.counts.uuid,
    }


def _below(root: Path, address: str) -> str:
    if address.startswith(REMOTE) or not Path(address).is_relative_to(root):
        return address
    return os.path.relpath(address, root)
