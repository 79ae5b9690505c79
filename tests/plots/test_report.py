"""The report is one self-contained page with what it was given."""

import base64
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from znought.errors import DataError
from znought.plots.report import (
    ReportDocument,
    ReportFigure,
    ReportHead,
    ReportTable,
    reduced_picture,
    write_report,
)
from znought.plots.style import FigureLabel


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


def _png(folder: Path) -> Path:
    png = folder / "roc.png"
    Image.new("RGB", (4, 3), "white").save(png)
    return png


def _write(folder: Path) -> Path:
    picture, numbers = reduced_picture(_png(folder)), folder / "roc.json"
    numbers.write_text('{"panels": []}')
    return write_report(
        folder / "out" / "report.html",
        head=ReportHead(
            "VH <signal>",
            FigureLabel(lumi_ifb=139.0),
            highlights=(("1.53 [1.32, 1.75]", "expected Z₀"),),
            state="fail",
            verdict="Referee: 1 fail.",
            notes=("MC statistics limits the last bin.",),
        ),
        tables=[
            ReportTable("Z", ("method", "held-out"), (("cut & count", "0.30"),), "Asimov"),
            ReportTable("Made", ("what", "which"), (("Python", "3"),), section="Provenance"),
        ],
        figures=[
            ReportFigure("ROC", picture, "AUC > 0.8", "Training", numbers),
            ReportFigure("Bins", picture, "", "Binning"),
            ReportFigure("Again", picture, "", "Training"),
        ],
        documents=[ReportDocument("Card", "card.yaml", "lumi_ifb: 139")],
    )


def test_page_needs_no_other_file(tmp_path: Path) -> None:
    path = _write(tmp_path)
    page = _page(path)
    assert len(page.sources) == 3
    for source in page.sources:
        head, _, body = source.partition(",")
        assert head == "data:image/png;base64"
        with Image.open(BytesIO(base64.b64decode(body))) as image:
            assert image.size == (4, 3)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    text = path.read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text


def test_page_says_what_it_was_given_with_markup_escaped(tmp_path: Path) -> None:
    path = _write(tmp_path)
    page = _page(path)
    for text in ("VH <signal>", "cut & count", "0.30", "AUC > 0.8", "MC statistics limits the last bin."):
        assert text in page.text
    assert "<signal>" not in path.read_text(encoding="utf-8")
    assert "Simulation, √s = 13 TeV, 139 fb⁻¹" in page.text
    assert "1.53 [1.32, 1.75]" in page.text
    assert "FAILS" in page.text


def test_headings_gather_tables_and_figures_and_end_with_the_provenance(tmp_path: Path) -> None:
    page = _page(_write(tmp_path))
    headings = [link for link in page.links if link.startswith("#")]
    assert headings == ["#content", "#result", "#training", "#binning", "#provenance"]
    assert page.text.index("Again") < page.text.index("Bins")


def test_numbers_tables_and_documents_come_whole(tmp_path: Path) -> None:
    addresses = [link.partition(",") for link in _page(_write(tmp_path)).links if "base64" in link]
    contents = {head: base64.b64decode(body).decode() for head, _, body in addresses}
    assert contents["data:application/json;base64"] == '{"panels": []}'
    assert contents["data:text/plain;base64"] == "lumi_ifb: 139"
    assert "what,which\nPython,3\n" in contents["data:text/csv;base64"]


def test_nothing_is_left_of_a_page_whose_numbers_are_missing(tmp_path: Path) -> None:
    absent = ReportFigure("ROC", reduced_picture(_png(tmp_path)), numbers=tmp_path / "absent.json")
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        write_report(
            tmp_path / "report.html", head=ReportHead("x", FigureLabel()), tables=[], figures=[absent]
        )
    assert [path.name for path in tmp_path.iterdir()] == ["roc.png"]


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file .*absent\.png"):
        reduced_picture(tmp_path / "absent.png")
    (tmp_path / "absent.png").write_text("no picture")
    with pytest.raises(DataError, match=r"absent\.png is no picture"):
        reduced_picture(tmp_path / "absent.png")


def test_table_with_a_ragged_row_is_refused() -> None:
    with pytest.raises(DataError, match="expected 2 cells per row"):
        ReportTable("Z", ("a", "b"), (("1",),))
