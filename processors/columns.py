"""Columns of one chunk as parquet: written whole or not at all, one row group."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["ColumnFile", "write_columns"]


@dataclass(frozen=True)
class ColumnFile:
    """One parquet file that a chunk wrote.

    Attributes:
        variation: "nominal" or a name such as "jes_up".
        path: where it stands.
        n_rows: its rows.
    """

    variation: str
    path: str
    n_rows: int


def write_columns(columns: Mapping[str, NDArray[Any]], path: Path, *, variation: str) -> ColumnFile:
    """Write columns of equal length to `path` through a temporary name, so that retries are idempotent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [pa.array(np.ascontiguousarray(values)) for values in columns.values()]
    # No value is ever missing: said so, nothing need be written about it.
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(
            table,
            temporary,
            row_group_size=max(table.num_rows, 1),
            # Continuous inputs have nothing to compress.
            compression={
                name: "none" if values.dtype.kind == "f" else "lz4" for name, values in columns.items()
            },
            # Continuous inputs have no repeated values to gain from.
            use_dictionary=False,
            write_statistics=False,
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return ColumnFile(variation, str(path), table.num_rows)
