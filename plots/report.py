"""The report: one HTML page that holds its figures and tables and needs nothing else."""

import base64
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO, StringIO
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, UnidentifiedImageError

from znought.errors import DataError
from znought.plots.style import FigureLabel

__all__ = [
    "ReportDocument",
    "ReportFigure",
    "ReportHead",
    "ReportPicture",
    "ReportTable",
    "reduced_picture",
    "write_report",
]

LAST = "Provenance"
"""Heading under which a reader finds how the page came about: always the last."""
_COLOURS = 128


@dataclass(frozen=True)
class ReportTable:
    """A table of finished texts: numbers come rounded.

    Attributes:
        title: what it shows.
        header: one text per column.
        rows: texts, as many per row as columns; the first column is the row's name.
        caption: what a reader must know to read it.
        is_prose: cells are words rather than numbers: they stand to the left and may take several lines.
        section: heading under which it stands.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    is_prose: bool = False
    section: str = "Result"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise DataError(
                    f"Table {self.title!r}: expected {len(self.header)} cells per row. Received: {len(row)}."
                )

    def __str__(self) -> str:
        """The table as plain text."""
        table = (self.header, *self.rows)
        widths = [max(len(row[i]) for row in table) for i in range(len(self.header))]
        lines = [
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        return "\n".join([self.title, *lines, *filter(None, [self.caption])])

    @property
    def source(self) -> str:
        """The table as a data address of comma-separated values."""
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return data_address("text/csv", text.getvalue().encode())

    def _repr_html_(self) -> str:
        """The table as a notebook shows it."""
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.header)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        caption = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        title = f"<caption>{escape(self.title)}</caption>"
        return f"<table>{title}<tr>{head}</tr>{rows}</table>{caption}"


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page.

    Attributes:
        title: what it shows.
        picture: as the page holds it.
        caption: what is plotted, on which events, at which luminosity.
        section: heading under which it stands.
        numbers: file of what is drawn, to be downloaded; None without.
    """

    title: str
    picture: "ReportPicture"
    caption: str = ""
    section: str = "Figures"
    numbers: Path | None = None

    @property
    def download(self) -> str | None:
        """What is drawn, as a data address."""
        return None if self.numbers is None else data_address("application/json", self.numbers.read_bytes())


@dataclass(frozen=True)
class ReportPicture:
    """A picture as a data address, with its size in pixels."""

    source: str
    width: int
    height: int


def reduced_picture(png: Path) -> ReportPicture:
    """A saved picture with few colours, which a drawing needs no more of: a third of the bytes.

    Raises:
        DataError: the file is missing, or is no picture.
    """
    try:
        with Image.open(png) as image:
            reduced = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    except FileNotFoundError as error:
        raise DataError(f"Report: no file {png}.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"Report: {png} is no picture.") from error
    content = BytesIO()
    reduced.save(content, format="PNG", optimize=True)
    return ReportPicture(data_address("image/png", content.getvalue()), *reduced.size)


@dataclass(frozen=True)
class ReportDocument:
    """A text that the page holds whole, folded up.

    Attributes:
        title: what it is.
        name: of the file that it is downloaded as.
        text: all of it.
    """

    title: str
    name: str
    text: str

    @property
    def source(self) -> str:
        """The text as a data address."""
        return data_address("text/plain", self.text.encode())


@dataclass(frozen=True)
class ReportHead:
    """What a reader sees first.

    Attributes:
        title: heading of the page.
        label: what every figure says; the page says it too.
        highlights: the results, each a number with its interval and what it is.
        state: of the results in the referee's eyes; "open" where nobody has judged them.
        verdict: the referee's sentence.
        notes: what limits the numbers.
    """

    title: str
    label: FigureLabel
    highlights: tuple[tuple[str, str], ...] = ()
    state: Literal["pass", "warn", "fail", "open"] = "open"
    verdict: str = ""
    notes: tuple[str, ...] = ()


def data_address(kind: str, content: bytes) -> str:
    """Content as an address that holds it whole.

    >>> data_address("text/plain", b"Z")
    'data:text/plain;base64,Wg=='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True)
class _Section:
    """One heading with all that stands under it."""

    title: str
    tables: tuple[ReportTable, ...]
    figures: tuple[ReportFigure, ...]
    documents: tuple[ReportDocument, ...]

    @property
    def key(self) -> str:
        """Its place in the page's address."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


def write_report(
    path: str | Path,
    *,
    head: ReportHead,
    tables: Sequence[ReportTable],
    figures: Sequence[ReportFigure],
    documents: Sequence[ReportDocument] = (),
    sections: Sequence[str] = (),
) -> Path:
    """Write the self-contained page to `path` (whole or not at all) and return it.

    Args:
        path: the HTML file.
        head: what stands first.
        tables, figures: each under the heading of its section, in this order.
        documents: under the last heading.
        sections: headings in their order; others follow as tables, then figures have them, and "Provenance"
            is the last.
    """
    target = Path(path)
    environment = Environment(
        loader=PackageLoader("znought.plots"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("report.html").render(
        head=head, sections=_sections(tables, figures, documents, sections)
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _sections(
    tables: Sequence[ReportTable],
    figures: Sequence[ReportFigure],
    documents: Sequence[ReportDocument],
    order: Sequence[str],
) -> list[_Section]:
    """Headings that have something under them, in the order of the page."""
    named = [*order, *(one.section for one in tables), *(one.section for one in figures)]
    titles = [title for title in dict.fromkeys(named) if title != LAST]
    found = [
        _Section(
            title,
            tuple(one for one in tables if one.section == title),
            tuple(one for one in figures if one.section == title),
            tuple(documents) if title == LAST else (),
        )
        for title in (*titles, LAST)
    ]
    return [one for one in found if one.tables or one.figures or one.documents]
