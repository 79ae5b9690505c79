"""The report is one self-contained page with what it was given."""

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from znought.errors import DataError
from znought.plots.report import ReportFigure, ReportTable, write_report
from znought.plots.style import FigureLabel

PNG = b"\x89PNG\r\n\x1a\n not really a picture"


class _Page(HTMLParser):
    """Collects addresses, cells and visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "img", "link", "br"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "src":
                self.sources.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def _write(folder: Path) -> Path:
    png = folder / "roc.png"
    png.write_bytes(PNG)
    return write_report(
        folder / "out" / "report.html",
        title="VH <signal>",
        label=FigureLabel(lumi_ifb=139.0),
        tables=[ReportTable("Z", ("method", "held-out"), (("cut & count", "0.30"),), "Asimov")],
        figures=[
            ReportFigure("ROC", png, "AUC > 0.8", "Training"),
            ReportFigure("Again", png, "", "Training"),
            ReportFigure("Bins", png, "", "Binning"),
        ],
        notes=["MC statistics limits the last bin."],
    )


def test_page_needs_no_other_file(tmp_path: Path) -> None:
    page = _page(_write(tmp_path))
    assert len(page.sources) == 3
    for source in page.sources:
        head, _, body = source.partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(body) == PNG
    assert all(link.startswith("#") for link in page.links)


def test_page_says_what_it_was_given_with_markup_escaped(tmp_path: Path) -> None:
    path = _write(tmp_path)
    page = _page(path)
    for text in ("VH <signal>", "cut & count", "0.30", "AUC > 0.8", "MC statistics limits the last bin."):
        assert text in page.text
    assert "<signal>" not in path.read_text(encoding="utf-8")
    assert "Simulation, √s = 13 TeV, 139 fb⁻¹" in page.text
    assert page.links == ["#tables", "#section-1", "#section-2"]


def test_nothing_is_left_of_a_page_whose_figure_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*absent\.png"):
        write_report(
            tmp_path / "report.html",
            title="x",
            label=FigureLabel(),
            tables=[],
            figures=[ReportFigure("ROC", tmp_path / "absent.png")],
        )
    assert list(tmp_path.iterdir()) == []


def test_table_with_a_ragged_row_is_refused() -> None:
    with pytest.raises(DataError, match="expected 2 cells per row"):
        ReportTable("Z", ("a", "b"), (("1",),))
