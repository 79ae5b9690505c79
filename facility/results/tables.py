"""Tables of the report, for a terminal."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table

from znought.plots.report import ReportTable

__all__ = ["terminal_tables"]

MARGIN = 2
"""Of each cell, both sides together, and of a table."""


def terminal_tables(table: ReportTable, width: int) -> Iterator[Table]:
    """A table of the report, for a terminal: in pieces where it is wider, each with the names of its rows."""
    pieces = [tuple(range(len(table.header)))] if table.is_prose else _pieces(table, width)
    for n, columns in enumerate(pieces):
        first, last = n == 0, n == len(pieces) - 1
        drawn = Table(
            title=table.title if first else None,
            caption=table.caption if last else None,
            box=SIMPLE_HEAD,
            padding=(0, 1),
        )
        drawn.title_justify = drawn.caption_justify = "left"
        for i in columns:
            # Names of rows wrap where even one column beside them finds no room.
            wraps = i == 0 or (table.is_prose and i > 1)
            left = table.is_prose or not i
            drawn.add_column(table.header[i], justify="left" if left else "right", no_wrap=not wraps)
        for row in table.rows:
            drawn.add_row(*(row[i] for i in columns))
        yield drawn


def _pieces(table: ReportTable, width: int) -> Sequence[tuple[int, ...]]:
    """Numbers of the columns that stand together; the first is in all."""
    widths = [
        max(cell_len(text) for text in column) + MARGIN
        for column in zip(table.header, *table.rows, strict=True)
    ]
    pieces, room = [[0]], width - MARGIN - widths[0]
    for i, wide in enumerate(widths[1:], 1):
        if wide > room and len(pieces[-1]) > 1:
            pieces.append([0])
            room = width - MARGIN - widths[0]
        pieces[-1].append(i)
        room -= wide
    return [tuple(piece) for piece in pieces]
