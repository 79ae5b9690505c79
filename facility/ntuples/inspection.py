"""What a file holds, in a few lines: for a user who has just been given one."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from znought.errors import DataError
from znought.processors.dialects.files import FileSummary, inspect_file
from znought.processors.dialects.working_points import BTAG_FIELDS, WORKING_POINTS

__all__ = ["describe", "describe_layout"]


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
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{path}: truncated, damaged or no parquet file ({reason}).") from error
    yield f"{path}: parquet, {file.metadata.num_rows} rows in {file.metadata.num_row_groups} row groups"
    for field in file.schema_arrow:
        yield f"  {field.name}: {field.type}"


def _btag(summary: FileSummary) -> Iterator[str]:
    """Working points that a dataset of such files takes, by era."""
    branches = [summary.layout.branches[name] for name in BTAG_FIELDS if name in summary.layout.branches]
    for branch in branches[:1]:
        known = WORKING_POINTS.get(branch, {})
        values = ", ".join(f"{value:g} ({era})" for era, value in known.items())
        yield f"  b-tag {branch}: working point {values or 'in no public file, the card must give it'}"


def describe_layout(summary: FileSummary) -> Iterator[str]:
    """Lines about substitutes of a ROOT file, what it lacks, its working points and systematics."""
    for name, stand_in in summary.layout.substitutes.items():
        yield f"  {name}: substitute declared: {stand_in}"
    for name, tried in summary.layout.missing.items():
        yield f"  {name}: missing, nothing stands in for {' or '.join(tried)}"
    yield from _btag(summary)
    yield from _systematics(summary)


def _systematics(summary: FileSummary) -> Iterator[str]:
    """Columns of weights, and systematics that have copies of columns by what these are."""
    if summary.weights:
        yield f"  columns of weights, beside the generator's: {', '.join(summary.weights)}"
    groups: dict[str, list[str]] = {}
    for one in summary.systematics.values():
        sides = "with up and down" if len(one.sides) == 2 else "with one side"
        groups.setdefault("of the generator's weight" if one.is_generated else sides, []).append(one.name)
    for text, names in groups.items():
        yield f"  systematics {text}: {', '.join(names)}"


def _root(path: str) -> Iterator[str]:
    summary = inspect_file(path)
    yield f"{path}: tree {summary.tree}, {summary.n_events} events, dialect {summary.dialect}"
    yield from describe_layout(summary)
    sums = summary.sums
    if sums is None:
        yield (
            "  no sum of generated weights: recorded data, or simulation that needs generated_sumw in the "
            "card, the signed sum over all generated events"
        )
    else:
        yield f"  generated events {sums.n_events}, sum of weights {float(sums.sumw):g}"
