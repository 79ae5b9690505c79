"""The display of an event as files of the output directory."""

from pathlib import Path

from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_with_analysis
from znought.facility.displaying.drawn import displayed
from znought.facility.displaying.found import EventNumbers, best_event, entry_of, selected_event
from znought.facility.figures.labels import card_label
from znought.facility.workspace import Workspace
from znought.plots.event_display import event_display
from znought.plots.labels import drawn_as
from znought.plots.style import save

__all__ = ["write_display"]


def write_display(path: Path, output: Path, event: str | None = None, dataset: str = "") -> tuple[Path, ...]:
    """Draws one selected event into `displays/` and returns the files.

    Args:
        path: of the card.
        output: directory of a run, whose columns and ntuples are there.
        event: run:luminosityBlock:event; None for the most signal-like one.
        dataset: whose event it is; sought in all unless given.

    Raises:
        CardError: a card of an existing processor or of a table, which have no objects to draw.
        DataError: no such event, several, or one of blinded data.
    """
    card, found = load_with_analysis(path)
    if not isinstance(card, Card) or not card.needs_cross_sections:
        raise CardError(f"{path}: only events that znought selects itself can be displayed.")
    workspace = Workspace(output)
    selected = (
        best_event(card, workspace, dataset)
        if event is None
        else selected_event(card, workspace, EventNumbers.of(event), dataset)
    )
    with drawn_as(found.analysis, card.styles, card.plotting):
        drawn = displayed(card, selected, entry_of(card, workspace, selected))
        figure = event_display(drawn, label=card_label(card, energy_tev=_energy_tev(card, selected.dataset)))
        name = "_".join((selected.dataset, *map(str, vars(selected.numbers).values())))
        return save(figure, workspace.displays, name, card.plotting.formats)


def _energy_tev(card: Card, dataset: str) -> float:
    """Centre-of-mass energy of the era of a dataset, or of the card."""
    era = card.eras.get(card.datasets[dataset].era or "")
    return card.energy_tev if era is None else era.energy_tev or card.energy_tev
