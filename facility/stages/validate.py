"""Stage `validate`: columns → books of the regions, and data against simulation before any training."""

from collections.abc import Iterable
from pathlib import Path

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.figures.inputs import validation_pictures
from znought.facility.regions.books import region_books, regions_file, write_region_books
from znought.facility.regions.comparison import validated
from znought.facility.regions.validation import Validation
from znought.facility.workspace import write_json
from znought.plots.style import save

__all__ = ["inputs", "validate"]

# As many findings as fit into the one line of a message; the file holds all of them.
SHOWN = 4


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card: whether the signal region is compared too."""
    return context.options.unblind


def validate(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `regions.*` and `validation.json`, and stops where the card says that inputs be refused.

    Raises:
        DataError: a limit of the card's section `validation` is broken and its action is "refuse".
    """
    card, workspace = context.card, context.workspace
    blinded = None if context.options.unblind else card.blinded_region
    written = []
    for channel in card.partitions:
        books, tables = region_books(card, workspace, blinded=blinded, channel=channel)
        written += write_region_books(regions_file(workspace, channel), books, tables)
    # What an earlier card compared says nothing about this one.
    workspace.validation.unlink(missing_ok=True)
    found = validated(card, workspace, unblind=context.options.unblind) if card.of_kind("data") else None
    if found is None:
        return written
    write_json(workspace.validation, found.model_dump(mode="json"))
    if found.findings and card.validation.action == "refuse":
        _refuse(context, found)
    return [*written, workspace.validation]


def _refuse(context: Context[StandardCard], found: Validation) -> None:
    """Draws the inputs in question, and stops."""
    figures = context.workspace.figures
    for picture in validation_pictures(context.card, found, only=found.suspects):
        save(picture.figure, figures, picture.name)
    more = f"; and {len(found.findings) - SHOWN} more" if len(found.findings) > SHOWN else ""
    raise DataError(
        f"Validation refuses the inputs {found.where}: {'; '.join(found.findings[:SHOWN])}{more}. "
        f"Numbers in {context.workspace.validation}, figures in {figures}."
    )
