"""Pictures of any analysis become files and a report, under the headings in their order."""

from collections.abc import Iterator
from pathlib import Path

from tests.facility.small import context_of, small_card
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import CardFigures, write_album
from znought.plots.report import ReportHead
from znought.plots.style import FigureLabel, new_figure


def _pictures() -> Iterator[Picture]:
    for name, section in (("roc", "Networks"), ("limits", "Limits"), ("outputs", "Networks")):
        yield Picture(name, f"Title of {name}", section, new_figure((2.0, 1.0)), f"Caption of {name}.")


def test_the_report_follows_the_order_of_its_headings(tmp_path: Path) -> None:
    context = context_of(small_card(tmp_path), tmp_path / "out")
    written = write_album(
        context,
        _pictures(),
        tables=(),
        head=ReportHead("Test", FigureLabel(), notes=("A note.",)),
        sections=("Limits", "Networks"),
    )
    assert all(path.is_file() for path in written)
    assert {path.name for path in written} == {
        f"{name}.{kind}" for name in ("roc", "limits", "outputs") for kind in ("png", "pdf", "svg", "json")
    } | {"report.html"}
    report = context.workspace.report.read_text()
    places = [report.index(f"Title of {name}") for name in ("limits", "roc", "outputs")]
    assert places == sorted(places)
    assert "Caption of limits." in report


def test_figures_say_the_luminosity_where_it_counts(tmp_path: Path) -> None:
    figures = CardFigures(context_of(small_card(tmp_path, label="Simulation, ours"), tmp_path).card)
    assert (figures.label.label, figures.label.lumi_ifb) == ("Simulation, ours", 10.0)
    assert figures.shapes.lumi_ifb is None
