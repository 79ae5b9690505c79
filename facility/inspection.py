"""What a file holds, in a few lines: for a user who has just been given one."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from znought.errors import DataError
from znought.processors.dialects.files import inspect_file

__all__ = ["describe"]


def describe(path: str) -> Iterator[str]:
    """Lines about a ROOT or parquet file.

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    if path.endswith(".parquet"):
        yield from _parquet(Path(path))
    else:
        yield from _root(path)


def _parquet(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    file = pq.ParquetFile(path)
    yield f"{path}: parquet, {file.metadata.num_rows} rows in {file.metadata.num_row_groups} row groups"
    for field in file.schema_arrow:
        yield f"  {field.name}: {field.type}"


def _root(path: str) -> Iterator[str]:
    summary = inspect_file(path)
    yield f"{path}: tree {summary.tree}, {summary.n_events} events, dialect {summary.dialect}"
    for name, stand_in in summary.layout.substitutes.items():
        yield f"  {name}: not in this format, {stand_in} stands in"
    for name in summary.layout.missing:
        yield f"  {name}: missing, and nothing stands in"
    sums = summary.sums
    if sums is None:
        yield "  no sum of generated weights: cannot be normalised (data need none)"
    else:
        yield f"  generated events {sums.n_events}, sum of weights {float(sums.sumw):g}"
