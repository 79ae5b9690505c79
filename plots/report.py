"""The report: one HTML page that holds its figures and tables and needs nothing else."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from znought.errors import DataError
from znought.plots.style import FigureLabel

__all__ = ["ReportFigure", "ReportTable", "write_report"]


@dataclass(frozen=True)
class ReportTable:
    """A table of finished texts: numbers come rounded.

    Attributes:
        title: what it shows.
        header: one text per column.
        rows: texts, as many per row as columns; the first column is the row's name.
        caption: what a reader must know to read it.
        is_prose: cells are words rather than numbers: they stand to the left and may take several lines.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    is_prose: bool = False

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
    """A figure that was saved as PNG.

    Attributes:
        title: what it shows.
        png: where the picture is.
        caption: what a reader must know to read it.
        section: heading under which it stands; neighbours of one section share it.
    """

    title: str
    png: Path
    caption: str = ""
    section: str = "Figures"

    @property
    def source(self) -> str:
        """The picture as a data address.

        Raises:
            DataError: the file is missing.
        """
        if not self.png.is_file():
            raise DataError(f"Report figure {self.title!r}: no file {self.png}.")
        return "data:image/png;base64," + base64.b64encode(self.png.read_bytes()).decode("ascii")


def write_report(
    path: str | Path,
    *,
    title: str,
    label: FigureLabel,
    tables: Sequence[ReportTable],
    figures: Sequence[ReportFigure],
    notes: Sequence[str] = (),
) -> Path:
    """Write the self-contained page to `path` (whole or not at all) and return it.

    Args:
        path: the HTML file.
        title: heading of the page.
        label: what every figure says; the page says it too.
        tables: first on the page, in order.
        figures: after the tables, grouped by section.
        notes: what limits the numbers; stands above the tables.

    Raises:
        DataError: a figure's file is missing.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    sections = [(name, list(group)) for name, group in groupby(figures, key=lambda figure: figure.section)]
    environment = Environment(
        loader=PackageLoader("znought.plots"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    lumi = f", {label.lumi_ifb:g} fb⁻¹" if label.lumi_ifb is not None else ""
    text = environment.get_template("report.html").render(
        title=title,
        conditions=f"{label.label}, √s = {label.energy_tev:g} TeV{lumi}",
        tables=tables,
        sections=sections,
        notes=notes,
    )
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
