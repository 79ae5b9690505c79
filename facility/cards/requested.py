"""What a card asks of every chunk of its events."""

from pathlib import Path
from typing import TYPE_CHECKING

from znought.facility.cards.calibrations import calibrations_of
from znought.facility.cards.eras import qualities
from znought.facility.cards.metadata import generated_of
from znought.facility.cards.official import official_of
from znought.facility.cards.weights import correction_weights
from znought.processors.evaluated import WHOLE, Request

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["request_of"]


def request_of(card: "Card", efficiencies: Path | None) -> Request:
    """What a card asks of every chunk, with measured efficiencies of b-tags out of a folder.

    Args:
        card: the card.
        efficiencies: the folder; without it scale factors that take measured efficiencies are left out.

    Raises:
        CardError: a file that is not there, or a source of the jet energy scale that no era knows.
    """
    jets, leptons = calibrations_of(card)
    official = official_of(card, efficiencies)
    return Request(
        card.selection,
        card.variations,
        correction_weights(card.weights),
        card.channels or (WHOLE,),
        refuse_substitutes=card.processing.substitutes == "refuse",
        quality=qualities(card.eras, card.datasets, card.folder),
        theory={n: one.weights(generated_of(card, one.processes)) for n, one in card.theory.items()},
        jets=jets,
        leptons=leptons,
        factors=official.factors,
        varied_factors=official.varied,
        btags=official.btags,
        eras=tuple(card.eras),
        loose=card.loose_leptons,
        copies=card.copies,
        columns_of_weight=card.processing.weights,
    )
