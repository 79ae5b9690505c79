"""What the figures of every analysis share: their labels, and how they become files and a report."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from znought.facility.cards.base import Card
from znought.facility.context import Context
from znought.facility.figures.labels import card_label
from znought.facility.figures.picture import Picture
from znought.facility.workspace import write_text
from znought.plots.behind import drawn_numbers, histograms_json
from znought.plots.report import ReportDocument, ReportFigure, ReportHead, ReportTable, write_report
from znought.plots.style import FigureLabel, label_of, save

__all__ = ["CardFigures", "write_album"]

CardT = TypeVar("CardT", bound=Card)


@dataclass(frozen=True)
class CardFigures(Generic[CardT]):
    """Figures of one analysis; what they are made of follows in each."""

    card: CardT

    @property
    def label(self) -> FigureLabel:
        """Of figures in which the luminosity counts."""
        return card_label(self.card, self.card.lumi_ifb)

    @property
    def shapes(self) -> FigureLabel:
        """Of figures in which it has no meaning, or is an axis."""
        return card_label(self.card)


def write_album(
    context: Context[Card],
    pictures: Iterable[Picture],
    *,
    tables: Sequence[ReportTable],
    head: ReportHead,
    documents: Sequence[ReportDocument] = (),
    sections: Sequence[str] = (),
) -> list[Path]:
    """Writes `figures/` and `report.html`.

    Args:
        context: with the card and the output directory.
        pictures: in the order of the report; each stands under the heading of its section.
        tables: before the figures of the same heading.
        head: what stands first in the report.
        documents: that the report holds whole.
        sections: headings in the order of the report; others follow in the order of tables and pictures.
    """
    workspace, written, shown = context.workspace, list[Path](), list[ReportFigure]()
    # All of them before the first is drawn: how many there are is known from the start.
    waiting = list(pictures)
    total = len(waiting)
    with context.reporter.bar("drawing figures") as advance:
        for done in range(1, total + 1):
            picture = waiting.pop(0)
            files, figure = _written(picture, workspace.figures, context.card.plotting.formats)
            written += files
            shown.append(figure)
            advance(done, total, picture.name)
    write_report(
        workspace.report, head=head, tables=tables, figures=shown, documents=documents, sections=sections
    )
    return [*written, workspace.report]


def _written(picture: Picture, folder: Path, formats: Sequence[str]) -> tuple[list[Path], ReportFigure]:
    """Files of one picture: in every format, its numbers, and its histograms where it has some."""
    files = [*save(picture.figure, folder, picture.name, formats)]
    label = label_of(picture.figure)
    about = {"title": picture.title, "caption": picture.caption, "label": label.words if label else ""}
    numbers = folder / f"{picture.name}.json"
    content = about | drawn_numbers(picture.figure)
    write_text(numbers, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    downloads = [numbers]
    if (histograms := histograms_json(picture.figure)) is not None:
        downloads.append(folder / f"{picture.name}.uhi.json")
        write_text(downloads[-1], histograms)
    caption = " ".join(filter(None, [picture.caption, f"{about['label']}." if label else ""]))
    shown = ReportFigure(picture.title, files[0], caption, picture.section, numbers)
    return [*files, *downloads], shown
