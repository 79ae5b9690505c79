"""Figures drawn by several processes are those drawn by one, in their order."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from znought.plots import drawing
from znought.plots.drawing import Drawn, draw_all
from znought.plots.labels import Experiment, in_style_of
from znought.plots.style import FigureLabel, add_label, new_figure, style_context


def _figure(number: int) -> Figure:
    with style_context():
        figure = new_figure((3.0, 2.0))
        axes = figure.add_subplot()
        axes.plot([0, 1], [2, number])
        add_label(axes, FigureLabel(lumi_ifb=139.0))
    return figure


def _drawn(folder: Path, monkeypatch: pytest.MonkeyPatch, per_process: int) -> list[Drawn]:
    monkeypatch.setattr(drawing, "_FIGURES_PER_PROCESS", per_process)
    return list(draw_all([(_figure(i), f"figure_{i}") for i in range(3)], folder, ("pdf", "png", "svg")))


@pytest.mark.parametrize("style", ["none", "ATLAS"])
def test_processes_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: Experiment) -> None:
    monkeypatch.setattr(drawing, "cpu_count", lambda: 2)
    with in_style_of(style):
        alone = _drawn(tmp_path / "alone", monkeypatch, 100)
        shared = _drawn(tmp_path / "shared", monkeypatch, 1)
    assert [one.files[0].name for one in shared] == ["figure_0.png", "figure_1.png", "figure_2.png"]
    for one, other in zip(alone, shared, strict=True):
        assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in other.files]
        assert one.picture == other.picture
    assert len({one.picture.source for one in shared}) == 3


def test_a_figure_that_cannot_be_drawn_stops_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(drawing, "cpu_count", lambda: 2)
    with pytest.raises(FileExistsError):
        _drawn(tmp_path / "file", monkeypatch, 1)
