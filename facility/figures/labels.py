"""What stands above the figures of a card: its label, energies and luminosity."""

from znought.facility.cards.base import Card
from znought.facility.cards.eras import energies_of
from znought.plots.style import FigureLabel

__all__ = ["card_label"]


def card_label(card: Card, lumi_ifb: float | None = None, *, energy_tev: float | None = None) -> FigureLabel:
    """Label of a figure of a card.

    Args:
        card: with its label and the energies of its eras.
        lumi_ifb: of the events; None where it has no meaning, or is an axis.
        energy_tev: of the events, where they are of one era; None where they are of all.
    """
    return FigureLabel(card.label, lumi_ifb, energy_tev or energies_of(card.eras, card.energy_tev))
