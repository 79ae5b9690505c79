"""What the figures of every analysis share: their labels, and how they become files and a report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from znought.facility.cards.base import Card
from znought.facility.context import Context
from znought.facility.figures.picture import Picture
from znought.plots.report import ReportFigure, ReportTable, write_report
from znought.plots.style import FigureLabel, save

__all__ = ["CardFigures", "write_album"]

CardT = TypeVar("CardT", bound=Card)


@dataclass(frozen=True)
class CardFigures(Generic[CardT]):
    """Figures of one analysis; what they are made of follows in each."""

    card: CardT

    @property
    def label(self) -> FigureLabel:
        """Of figures in which the luminosity counts."""
        return FigureLabel(label=self.card.label, lumi_ifb=self.card.lumi_ifb)

    @property
    def shapes(self) -> FigureLabel:
        """Of figures in which it has no meaning, or is an axis."""
        return FigureLabel(label=self.card.label, lumi_ifb=None)


def write_album(
    context: Context[Card],
    pictures: Iterable[Picture],
    *,
    tables: Sequence[ReportTable],
    notes: Sequence[str],
    about: int,
    sections: Sequence[str] = (),
) -> list[Path]:
    """Writes `figures/` and `report.html`; one figure after another, so that few are in memory.

    Args:
        context: with the card and the output directory.
        pictures: in the order of the report.
        tables, notes: what stands around the figures.
        about: how many figures are expected, for the length of the bar.
        sections: headings in the order of the report, if it is not that of the pictures.
    """
    workspace, written = context.workspace, list[Path]()
    shown: list[ReportFigure] = []
    with context.reporter.bar("drawing figures") as advance:
        for done, picture in enumerate(pictures, start=1):
            pdf, png = save(picture.figure, workspace.figures, picture.name)
            written += [pdf, png]
            shown.append(ReportFigure(picture.title, png, picture.caption, picture.section))
            advance(done, max(done, about), picture.name)
    if sections:
        shown.sort(key=lambda figure: sections.index(figure.section))
    card = context.card
    label = FigureLabel(label=card.label, lumi_ifb=card.lumi_ifb)
    write_report(workspace.report, title=card.title, label=label, tables=tables, figures=shown, notes=notes)
    return [*written, workspace.report]
