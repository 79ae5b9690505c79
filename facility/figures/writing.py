"""What the figures of every analysis share: their labels, and how they become files and a report."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from znought.facility.cards.base import Card
from znought.facility.context import Context
from znought.facility.figures.labels import card_label
from znought.facility.figures.picture import Picture
from znought.facility.workspace import write_text
from znought.plots.behind import drawn_numbers, histograms_json
from znought.plots.drawing import Drawn, draw, draw_all
from znought.plots.report import ReportDocument, ReportFigure, ReportHead, ReportTable, write_report
from znought.plots.style import FigureLabel, label_of

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
    with context.reporter.bar("drawing figures") as advance:
        drawn = _drawn(waiting, workspace.figures, context.card.plotting.formats)
        for done, (picture, one) in enumerate(drawn, start=1):
            numbers = _write_numbers(picture, workspace.figures)
            written += [*one.files, *numbers]
            shown.append(
                ReportFigure(picture.title, one.picture, _caption(picture), picture.section, numbers[0])
            )
            advance(done, len(waiting), picture.name)
    write_report(
        workspace.report, head=head, tables=tables, figures=shown, documents=documents, sections=sections
    )
    return [*written, workspace.report]


def _drawn(
    pictures: Sequence[Picture], folder: Path, formats: Sequence[str]
) -> Iterator[tuple[Picture, Drawn]]:
    """Every picture with its files: the engine's on all cores, then the user's own in this process."""
    shared = [one for one in pictures if not one.is_own]
    yield from zip(shared, draw_all([(one.figure, one.name) for one in shared], folder, formats), strict=True)
    for picture in pictures:
        if picture.is_own:
            yield picture, draw(picture.figure, picture.name, folder, formats)


def _write_numbers(picture: Picture, folder: Path) -> list[Path]:
    """Files of a picture's numbers and, where it has some, of its histograms."""
    about = {"title": picture.title, "caption": picture.caption, "label": _label(picture)}
    content = about | drawn_numbers(picture.figure)
    written = [folder / f"{picture.name}.json"]
    write_text(written[0], json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    if (histograms := histograms_json(picture.figure)) is not None:
        written.append(folder / f"{picture.name}.uhi.json")
        write_text(written[-1], histograms)
    return written


def _label(picture: Picture) -> str:
    """What stands above its frame; empty without."""
    label = label_of(picture.figure)
    return label.words if label else ""


def _caption(picture: Picture) -> str:
    """What the report says below it."""
    return " ".join(filter(None, [picture.caption, _label(picture) and f"{_label(picture)}."]))
