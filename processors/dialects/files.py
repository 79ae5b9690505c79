"""Look into a ROOT file before anything is computed: whole, readable, of which dialect, how many events."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uproot

from znought.errors import DataError, ReadError, unknown_name
from znought.processors.copies import Systematic, copies_in, systematics_of, weight_columns
from znought.processors.damage import reading
from znought.processors.dialects import DIALECTS, dialect_of
from znought.processors.dialects.layout import Layout
from znought.processors.dialects.sums import GeneratedSums, SumRow, counted_over, generated_sums, sum_rows
from znought.processors.reading import branch_names
from znought.processors.source import is_local, open_options

__all__ = ["SKIM", "FileSummary", "detect", "inspect_file", "inspect_tree"]

SKIM = "znought_skim"
"""Key of what marks a file of a skim: the name of its dataset."""


@dataclass(frozen=True)
class FileSummary:
    """What is known of a file before it is processed.

    Attributes:
        path: as it stands in the fileset.
        uuid: the file's own identity, 16 bytes.
        tree: name of the events' tree.
        n_events: its entries.
        dialect: name of the dialect that reads it.
        layout: branches, substitutes and what is missing.
        sums: sums over all generated events, or None where the file keeps none.
        sum_rows: what they add up, as it is written.
        counted_over: what they are of, where their numbers alone cannot tell; None if nothing says so.
        systematics: those that the tree has copies of columns for, by name.
        weights: columns that may multiply the generator's weight.
        is_skim: whether it is a file of a skim, which says what of all events only beside it.
    """

    path: str
    uuid: bytes
    tree: str
    n_events: int
    dialect: str
    layout: Layout
    sums: GeneratedSums | None
    sum_rows: tuple[SumRow, ...] = ()
    counted_over: bytes | None = None
    systematics: Mapping[str, Systematic] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    is_skim: bool = False


def inspect_file(path: str, *, tree: str | None = None, dialect: str | None = None) -> FileSummary:
    """What a ROOT file holds and which dialect reads it; missing fields are listed, not refused.

    Args:
        path: local path or URL.
        tree: name of the events' tree; found by the dialects' names if None.
        dialect: name of the dialect; found by its branches if None.

    Raises:
        ReadError: the file is absent, truncated or no ROOT file.
        DataError: it has no such tree, or no dialect fits.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise DataError(unknown_name("dialect", dialect, DIALECTS))
    with _opened(path) as directory:
        name = _tree_name(directory, path, tree)
        events = directory[name]
        branches = branch_names(events)
        chosen = DIALECTS[dialect] if dialect is not None else dialect_of(branches, path=path)
        try:
            sums = generated_sums(directory, events, chosen)
        except DataError as error:
            message = f"{path}: sums over generated events: {error}"
            raise DataError(message) from error
        return FileSummary(
            path,
            directory.file.uuid.bytes,
            name,
            int(events.num_entries),
            chosen.name,
            chosen.layout(frozenset(branches)),
            sums,
            rows := sum_rows(directory, chosen),
            counted_over(directory) if rows and all(row.is_of_equal_weights for row in rows) else None,
            systematics_of(copies_in(branches)),
            weight_columns(branches),
            SKIM in directory,
        )


def inspect_tree(path: str, *, tree: str | None = None) -> FileSummary:
    """What a ROOT file holds, whatever its branches: no dialect, and no sums over generated events.

    Args:
        path: local path or URL.
        tree: name of the events' tree; found by the dialects' names if None.

    Raises:
        ReadError: the file is absent, truncated or no ROOT file.
        DataError: it has no such tree.
    """
    with _opened(path) as directory:
        name = _tree_name(directory, path, tree)
        n_events, uuid = int(directory[name].num_entries), directory.file.uuid.bytes
        return FileSummary(path, uuid, name, n_events, "", Layout("", {}, {}, {}), None)


def detect(path: str) -> str:
    """Name of the dialect that reads a ROOT file."""
    return inspect_file(path).dialect


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """An open ROOT file that is as long as its header says; every failure names the file."""
    local = Path(path)
    if is_local(path) and not local.is_file():
        message = f"{path}: no such file."
        raise ReadError(message)
    with reading(path), uproot.open(path, **open_options(path)) as directory:
        if is_local(path):
            _check_length(directory, local)
        yield directory


def _check_length(directory: Any, local: Path) -> None:
    """Refuse a file that is shorter than its header says."""
    expected, found = int(directory.file.fEND), local.stat().st_size
    if found < expected:
        message = f"{local}: truncated, {found} of {expected} bytes."
        raise ReadError(message)


def _tree_name(directory: Any, path: str, wanted: str | None) -> str:
    """Name of the events' tree in an open file."""
    present = [key.split(";")[0] for key in directory.keys()]  # noqa: SIM118  # not a dict
    candidates = [wanted] if wanted is not None else list(dict.fromkeys(d.tree for d in DIALECTS.values()))
    for name in candidates:
        if name in present and hasattr(directory[name], "num_entries"):
            return name
    message = (
        f"{path}: no tree {' or '.join(candidates)}; it holds {', '.join(sorted(set(present))) or 'nothing'}."
    )
    raise DataError(message)
