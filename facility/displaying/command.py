"""`znought display CARD [EVENT]`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["display"]

CardPath = Annotated[Path, typer.Argument(metavar="CARD", help="Analysis card (YAML).")]
Numbers = Annotated[
    str | None,
    typer.Argument(metavar="EVENT", help="run:luminosityBlock:event; the most signal-like unless given."),
]
Dataset = Annotated[str, typer.Option("--dataset", metavar="NAME", help="Whose event it is.")]
Output = Annotated[Path, typer.Option("--output", help="Output directory of the run.")]


def display(
    card: CardPath, event: Numbers = None, dataset: Dataset = "", output: Output = Path("output")
) -> None:
    """Draw one selected event: leptons, jets and missing momentum, with its variables."""
    from znought.facility.displaying.written import write_display

    for path in write_display(card, output, event, dataset):
        typer.echo(path)
