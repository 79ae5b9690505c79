"""How much of the recorded data is certified, for the ledger; and a certification of other data refused."""

from typing import TYPE_CHECKING

from znought.errors import DataError
from znought.facility.results.ledger import CertifiedEvents
from znought.processors.quality.blocks import Blocks

if TYPE_CHECKING:
    from znought.processors.quality.judged import Quality

__all__ = ["certified_events", "refuse_uncertified"]

_BLOCK_BITS = 32


def certified_events(blocks: Blocks, quality: "Quality | None" = None) -> CertifiedEvents:
    """How much of a dataset is certified, and by which lists.

    The luminosity of the certified blocks is for the experiment to say, and stands in the card; without its
    tables the share of blocks is no share of luminosity.
    """
    found = CertifiedEvents(
        blocks=len(blocks.read),
        certified_blocks=len(blocks.certified),
        events=blocks.events,
        certified_events=blocks.certified_events,
        certified_fraction=blocks.certified_events / blocks.events if blocks.events else 0.0,
    )
    if quality is None or quality.certification is None:
        return found
    return found.model_copy(update={"lists": quality.certification.lists})


def refuse_uncertified(name: str, blocks: Blocks, quality: "Quality | None") -> None:
    """Refuse data of which the certification knows no run.

    Raises:
        DataError: names era, file and runs.
    """
    if quality is None or quality.certification is None or not blocks.read or blocks.certified:
        return
    runs = sorted({key >> _BLOCK_BITS for key in blocks.read})
    known = quality.certification.runs
    if set(runs) & set(known):
        return
    raise DataError(
        f"datasets.{name}: era {quality.era!r}: {quality.certification.file} certifies runs {known[0]} to "
        f"{known[-1]}, the data hold runs {runs[0]} to {runs[-1]} and none in common."
    )
