"""Tables of the report, for a terminal."""

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from znought.plots.report import ReportTable

__all__ = ["terminal_tables"]

MARGIN = 2
"""Of each cell, both sides together, and of a table."""


def terminal_tables(table: ReportTable, width: int) -> Iterator[RenderableType]:
    """A table of the report, for a terminal: in pieces where it is wider, each with the names of its rows.

    Title and caption take the width of the terminal, however narrow the table is.
    """
    yield Text(table.title, style="table.title")
    for columns in [tuple(range(len(table.header)))] if table.is_prose else _pieces(table, width):
        drawn = Table(box=SIMPLE_HEAD, padding=(0, 1))
        for i in columns:
            # Names of rows wrap where even one column beside them finds no room.
            wraps = i == 0 or (table.is_prose and i > 1)
            left = table.is_prose or not i
            drawn.add_column(table.header[i], justify="left" if left else "right", no_wrap=not wraps)
        for row in table.rows:
            drawn.add_row(*(row[i] for i in columns))
        yield drawn
    if table.caption:
        yield Text(table.caption, style="table.caption")


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
