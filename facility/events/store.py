"""Columns and scores on disk, read back as arrays in an order that no chunking can change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.facility.manifest import MANIFEST, recorded_files
from znought.facility.metrics.tally import count
from znought.facility.workspace import atomic_path
from znought.identity import event_identity
from znought.stats.labels import Labels

__all__ = [
    "IDENTITY",
    "WHOLE_SHARE",
    "EventTable",
    "Share",
    "column_bytes",
    "partition_files",
    "read_events",
    "read_files",
    "stored_columns",
    "stored_datasets",
    "stored_rows",
    "write_parquet",
]

IDENTITY = ("run", "luminosityBlock", "event", "response")


@dataclass(frozen=True)
class Share:
    """One of several equal shares of the generated events, drawn by a hash of their numbers.

    Attributes:
        index: from 0 on.
        of: how many shares there are.
    """

    index: int = 0
    of: int = 1

    def rows(self, table: pa.Table) -> pa.Table:
        """The rows of the share's events; all responses of one event are in one share."""
        if self.of == 1:
            return table
        mixed = event_identity(*(table.column(name).to_numpy() for name in IDENTITY[:3]), salt="share")
        return table.filter(pa.array(mixed % np.uint64(self.of) == np.uint64(self.index)))


WHOLE_SHARE = Share()


@dataclass(frozen=True)
class EventTable:
    """Events of several datasets as arrays of equal length.

    Attributes:
        columns: name to array, shape (n_events,).
        dataset: index into `datasets`, shape (n_events,).
        datasets: names.
    """

    columns: Mapping[str, NDArray[Any]]
    dataset: NDArray[np.int16]
    datasets: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, values in self.columns.items():
            if values.shape != self.dataset.shape:
                raise DataError(
                    f"Column {name!r}: expected {self.dataset.size} events, received {values.size}."
                )

    def __len__(self) -> int:
        return int(self.dataset.size)

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self.columns[name]
        except KeyError:
            raise DataError(unknown_name("column", name, self.columns)) from None

    def matrix(self, names: Sequence[str]) -> NDArray[np.float32]:
        """The named columns side by side, shape (n_events, n_names)."""
        return np.column_stack([self[name].astype(np.float32, copy=False) for name in names])

    def select(self, mask: NDArray[np.bool_]) -> "EventTable":
        """The events where `mask` holds."""
        chosen = {name: values[mask] for name, values in self.columns.items()}
        return EventTable(chosen, self.dataset[mask], self.datasets)

    def per_dataset(self, values: Mapping[str, Any]) -> NDArray[Any]:
        """One value per event, looked up by its dataset."""
        return np.asarray([values[name] for name in self.datasets])[self.dataset]

    def labels(self, names: Mapping[str, str]) -> Labels:
        """One name per event, such as its process, looked up by its dataset."""
        return Labels(self.datasets, self.dataset).renamed({name: names[name] for name in self.datasets})

    @classmethod
    def joined(cls, parts: list["EventTable"]) -> "EventTable":
        """Events of several tables, the datasets of each behind those before; the list is used up.

        Column by column, each given up once it is joined: all events twice would not fit.
        """
        names, codes, columns = list[str](), list[NDArray[np.int16]](), list[dict[str, NDArray[Any]]]()
        while parts:
            part = parts.pop(0)
            codes.append((part.dataset + len(names)).astype(np.int16))
            names += part.datasets
            columns.append(dict(part.columns))
        # Columns without events are of no type.
        filled = [one for one, code in zip(columns, codes, strict=True) if code.size] or columns[:1]
        joined = {name: np.concatenate([one.pop(name) for one in filled]) for name in list(filled[0])}
        return cls(joined, np.concatenate(codes), tuple(names))

    @cached_property
    def identity(self) -> NDArray[np.uint64]:
        """Integers that are equal for the detector responses of one generated event, and for nothing else.

        The dataset is part of it: generators number the events of each dataset from one.
        """
        salted = np.zeros(len(self), dtype=np.uint64)
        for code, name in enumerate(self.datasets):
            rows = self.dataset == code
            parts = (self[column][rows] for column in IDENTITY[:3])
            salted[rows] = event_identity(*parts, salt=name)
        return salted


def partition_files(directory: Path, dataset: str, variation: str = "nominal") -> list[Path]:
    """Parquet files of one dataset and variation, in the order of their names."""
    return sorted((directory / dataset / variation).glob("*.parquet"))


def stored_columns(directory: Path, datasets: Iterable[str], variation: str = "nominal") -> list[str]:
    """Names of the columns that the files of some datasets hold; none where there is no file."""
    files = (file for dataset in datasets for file in partition_files(directory, dataset, variation))
    first = next(files, None)
    return [] if first is None else list(_opened(first).schema_arrow.names)


def stored_datasets(directory: Path, variation: str = "nominal") -> list[tuple[str, str]]:
    """Channel and name of every dataset with files; the channel is empty where channels share columns."""
    places = sorted(path.parent for path in directory.rglob(variation) if path.is_dir())
    return [("" if one.parent == directory else one.parent.name, one.name) for one in places]


def read_events(
    directory: Path,
    datasets: Sequence[str],
    columns: Iterable[str],
    *,
    variation: str = "nominal",
    share: Share = WHOLE_SHARE,
) -> EventTable:
    """Events of some datasets, sorted by (run, luminosityBlock, event, response) within each.

    Args:
        directory: `columns/` or `scores/` of a workspace.
        datasets: which ones, in the order wanted; one without selected events contributes none.
        columns: names beyond the identity.
        variation: systematic variation.
        share: of the generated events.

    Raises:
        DataError: a column is missing; or a file is damaged, gone, or not one that a stage has written.
    """
    names = list(dict.fromkeys([*IDENTITY, *columns]))
    parts = [_read_dataset(directory, dataset, variation, names, share) for dataset in datasets]
    n_rows = [len(part[names[0]]) if part else 0 for part in parts]
    code = np.repeat(np.arange(len(parts), dtype=np.int16), n_rows)
    filled = [part for part in parts if part]
    if not filled:
        return EventTable({name: np.empty(0) for name in names}, code, tuple(datasets))
    # Column by column, each given up once it is joined: all events twice would not fit.
    columns = {name: np.concatenate([part.pop(name) for part in filled]) for name in names}
    return EventTable(columns, code, tuple(datasets))


def read_files(
    directory: Path,
    datasets: Sequence[str],
    columns: Iterable[str],
    *,
    variation: str = "nominal",
) -> Iterator[EventTable]:
    """Events of one file after the other, as they stand there; arguments and errors as of `read_events`."""
    names = list(dict.fromkeys([*IDENTITY, *columns]))
    for code, dataset in enumerate(datasets):
        for file in _files(directory, dataset, variation):
            table = _read_file(file, names)
            found = {name: table.column(name).to_numpy() for name in names}
            yield EventTable(found, np.full(table.num_rows, code, np.int16), tuple(datasets))


def stored_rows(directory: Path, datasets: Iterable[str], variation: str = "nominal") -> int:
    """Number of events in the files of some datasets."""
    files = (file for dataset in datasets for file in _files(directory, dataset, variation))
    return sum(_opened(file).metadata.num_rows for file in files)


def _files(directory: Path, dataset: str, variation: str) -> list[Path]:
    """Files of one dataset and variation, those that the manifest knows."""
    files = partition_files(directory, dataset, variation)
    return _known_files(directory, files, directory / dataset / variation)


def _read_dataset(
    directory: Path, dataset: str, variation: str, names: list[str], share: Share
) -> dict[str, NDArray[Any]]:
    """The sorted columns of one dataset; empty without events."""
    files = _files(directory, dataset, variation)
    tables = [table for file in files if (table := share.rows(_read_file(file, names))).num_rows]
    if not tables:
        return {}
    merged = pa.concat_tables(tables)
    columns = {name: merged.column(name) for name in names}
    del tables, merged  # so that a column goes when it has been sorted
    order = np.lexsort([columns[name].to_numpy() for name in reversed(IDENTITY)])
    return {name: columns.pop(name).to_numpy()[order] for name in names}


def _read_file(file: Path, names: list[str]) -> pa.Table:
    opened = _opened(file)
    available = opened.schema_arrow.names
    for name in names:
        if name not in available:
            raise DataError(f"{file}: {unknown_name('column', name, available)}")
    count(bytes_read=column_bytes(opened, names))
    try:
        return opened.read(columns=names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(_damaged(file, error)) from error


def column_bytes(opened: pq.ParquetFile, names: Iterable[str]) -> int:
    """Bytes of some columns in their file, compressed."""
    wanted, metadata = frozenset(names), opened.metadata
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(one.total_compressed_size for one in columns if one.path_in_schema in wanted)


def _opened(file: Path) -> pq.ParquetFile:
    """A parquet file of this package.

    Raises:
        DataError: it is truncated, no parquet file, or gone.
    """
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(_damaged(file, error)) from error


def _damaged(file: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:160]
    return f"{file}: truncated, damaged or no parquet file ({reason}). Run the stage that writes it again."


def _known_files(directory: Path, files: list[Path], folder: Path) -> list[Path]:
    """The files of a folder, if they are those that the manifest of the output directory knows of it.

    Raises:
        DataError: a file is gone, has another size, or was not written by a stage.
    """
    root = next((up for up in (directory, *directory.parents[:2]) if (up / MANIFEST).is_file()), None)
    if root is None:
        return files
    recorded = recorded_files(root / MANIFEST)
    beside = f"{directory.resolve().relative_to(root.resolve()).as_posix()}/"
    if not any(name.startswith(beside) for name in recorded):
        return files  # the stage that writes this directory is at work
    mine = f"{folder.resolve().relative_to(root.resolve()).as_posix()}/"
    expected = {name: size for name, size in recorded.items() if name.startswith(mine)}
    present = {f"{mine}{file.name}": file.stat().st_size for file in files}
    for name, size in expected.items():
        if name not in present:
            raise DataError(f"{root / name} is gone: run the stage that wrote it again.")
        if present[name] != size:
            raise DataError(
                f"{root / name} has {present[name]:,} bytes, {size:,} were written: run the stage that "
                "wrote it "
                "again."
            )
    strange = sorted(present.keys() - expected.keys())
    if strange:
        raise DataError(f"{root / strange[0]} was not written by any stage: take it out of the folder.")
    return files


def write_parquet(path: Path, columns: Mapping[str, NDArray[Any]]) -> int:
    """Writes columns as one row group, whole or not at all; returns the number of rows."""
    table = pa.table(dict(columns))
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, row_group_size=max(table.num_rows, 1))
    return int(table.num_rows)
