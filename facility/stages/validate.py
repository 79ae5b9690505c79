"""Stage `validate`: columns → books of the regions, and data against simulation before any training."""

from collections.abc import Iterable
from pathlib import Path

from znought.errors import DataError
from znought.facility.cards.base import Card
from znought.facility.context import Context
from znought.facility.figures.inputs import validation_pictures
from znought.facility.regions.books import region_books, regions_file, write_region_books
from znought.facility.regions.comparison import validated
from znought.facility.regions.validation import Validation, validation_file, write_validation
from znought.plots.style import save

__all__ = ["inputs", "validate"]

# As many findings as fit into the one line of a message; the file holds all of them.
SHOWN = 4


def inputs(context: Context[Card]) -> object:
    """Beyond the card: whether the blinded region is compared too."""
    return context.options.unblind


def validate(context: Context[Card]) -> Iterable[Path]:
    """Writes `regions.*` and `validation.*` of every channel, and stops where the card refuses inputs.

    Raises:
        DataError: a limit of the card's section `validation` is broken and its action is "refuse".
    """
    card, workspace, unblind = context.card, context.workspace, context.options.unblind
    written = []
    for channel in card.partitions:
        blinded = None if unblind else card.blinded_region
        books, tables = region_books(card, workspace, blinded=blinded, channel=channel)
        written += write_region_books(regions_file(workspace, channel), books, tables)
    # What an earlier card compared says nothing about this one.
    for stale in workspace.validation.parent.glob(f"{workspace.validation.stem}*.json"):
        stale.unlink()
    compared = {}
    for channel in card.partitions if card.of_kind("data") else ():
        if (found := validated(card, workspace, unblind=unblind, channel=channel)) is not None:
            compared[channel] = found
            write_validation(validation_file(workspace, channel), found)
    for channel, found in compared.items():
        if found.findings and card.validation.action == "refuse":
            _refuse(context, found, channel)
    return [*written, *(validation_file(workspace, channel) for channel in compared)]


def _refuse(context: Context[Card], found: Validation, channel: str) -> None:
    """Draws the inputs in question, and stops."""
    figures = context.workspace.figures
    for picture in validation_pictures(context.card, found, channel=channel, only=found.suspects):
        save(picture.figure, figures, picture.name)
    more = f"; and {len(found.findings) - SHOWN} more" if len(found.findings) > SHOWN else ""
    raise DataError(
        f"Validation refuses the inputs {found.where}: {'; '.join(found.findings[:SHOWN])}{more}. "
        f"Numbers in {validation_file(context.workspace, channel)}, figures in {figures}."
    )
