"""Tables of the report, for a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from znought.plots.report import ReportTable

__all__ = ["terminal_table"]


def terminal_table(table: ReportTable) -> Table:
    """A table of the report, for a terminal."""
    drawn = Table(title=table.title, caption=table.caption, box=SIMPLE_HEAD, padding=(0, 1))
    drawn.title_justify = drawn.caption_justify = "left"
    for i, column in enumerate(table.header):
        wraps = table.is_prose and i > 1
        left = table.is_prose or not i
        drawn.add_column(column, justify="left" if left else "right", no_wrap=not wraps)
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
