"""`znought compare DIR DIR`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["compare"]

First = Annotated[Path, typer.Argument(metavar="DIR", help="Output directory of a finished run.")]
Second = Annotated[Path, typer.Argument(metavar="DIR", help="Another one.")]
Page = Annotated[
    Path | None, typer.Option("--page", metavar="FILE", help="Write one page, figures side by side.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything that differs as JSON, last.")]
_MOST = 30


def compare(first: First, second: Second, page: Page = None, as_json: AsJson = False) -> None:
    """Two results side by side: numbers, yields by event, cards and figures."""
    from znought.facility.comparing.record import compared
    from znought.facility.comparing.tables import comparison_tables, write_comparison
    from znought.facility.terminal import voice

    found = compared(first, second)
    tables = comparison_tables(found, _MOST)
    voice.show(tables)
    if found.is_same:
        voice.say(f"The same in both: {found.n_equal:,} numbers and the whole card.")
    if page is not None:
        voice.say(f"Figures side by side in {write_comparison(page, found)}")
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
