"""Corrections of a card as lines for a terminal."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cards.corrections import correction_problems
from znought.facility.cards.official import efficiency_file
from znought.facility.cards.reading import load_with_analysis
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.cards.weights import measured_weights
from znought.facility.ntuples.shown import Shown, shown_corrections
from znought.facility.workspace import Workspace

__all__ = ["printed_corrections"]

_HEADER = ("correction", "event", "inputs", "nominal", "up", "down")


def printed_corrections(path: str, output: Path = Path("output")) -> Iterator[str]:
    """A table for each era: every correction on a few events.

    Args:
        path: of the card.
        output: directory of a run, in which efficiencies of triggers were measured.

    Raises:
        CardError: a card of an existing processor, without corrections, or with one that does not exist.
    """
    card, found = load_with_analysis(Path(path))
    if not isinstance(card, Card):
        raise CardError(f"{path}: an existing processor has its own corrections.")
    for problem in correction_problems(card):
        raise CardError(f"{path}: {problem}")
    folder = Workspace(output).efficiencies.resolve()
    for name, weight in measured_weights(card.weights).items():
        if isinstance(weight, TriggerWeight) and not efficiency_file(folder, name).is_file():
            cure = f"`znought efficiency` measures them, and --output says where; there are none in {folder}"
            raise CardError(f"{path}: weights.{name}: its efficiencies were not measured yet: {cure}.")
    shown = [*shown_corrections(card, found.analysis, folder)]
    if not shown:
        asking = "neither jets, electrons or muons of an era nor a weight by kind"
        raise CardError(f"{path}: {asking} asks for a correction.")
    for era, rows in groupby(shown, key=lambda one: one.era):
        yield f"era {era}" if era else "no era"
        yield from _table([_HEADER, *map(_cells, rows)])


def _cells(one: Shown) -> tuple[str, ...]:
    inputs = ", ".join(f"{name} {value:.5g}" for name, value in one.inputs.items())
    if one.note:
        return (one.name, str(one.event), inputs, one.note, "", "")
    values = ("-" if value is None else f"{value:.6g}" for value in one.values)
    return (one.name, str(one.event), inputs, *values)


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as what they hold; notes reach over the rest of their row."""
    noted = {row for row in rows if row is not _HEADER and not row[-1]}
    widths = [max(len(row[i]) for row in rows if row not in noted or i < 3) for i in range(len(_HEADER))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
