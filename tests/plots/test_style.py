"""The style leaves no trace, saved figures are whole and repeatable, each carries its label."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tests.plots.drawn import texts
from znought.analysis import Analysis
from znought.errors import DataError
from znought.facility.cards.plotting import Plotting
from znought.plots.labels import drawn_as
from znought.plots.style import FigureLabel, add_label, new_figure, save, style_context, vector


def _figure() -> Figure:
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        axes.plot([0, 1], [2, 3])
        add_label(axes, FigureLabel(lumi_ifb=139.0))
    return figure


def test_style_leaves_settings_and_pyplot_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    save(_figure(), tmp_path, "one")
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_style_is_undone_after_an_error() -> None:
    before = mpl.rcParams["font.size"]
    with pytest.raises(DataError), style_context():
        FigureLabel(lumi_ifb=-1.0)
    assert mpl.rcParams["font.size"] == before


def test_label_says_simulation_energy_and_luminosity() -> None:
    drawn = texts(_figure())
    assert "Simulation" in drawn.split("\n")
    assert "13 TeV, 139 fb" in drawn


def test_label_without_luminosity_names_none() -> None:
    assert "fb" not in FigureLabel().right


@pytest.mark.parametrize(("experiment", "font"), [("ATLAS", "sans-serif"), ("LHCb", "serif")])
def test_an_experiment_is_named_where_the_card_asks_for_its_style(experiment: Any, font: str) -> None:
    with drawn_as(Analysis("a", columns=len), {}, Plotting(style=experiment)):
        assert {experiment, " Simulation"} <= set(texts(_figure()).split("\n"))
        with style_context():
            assert mpl.rcParams["font.family"] == [font]
    assert experiment not in texts(_figure())


@pytest.mark.parametrize("lumi", [0.0, -1.0, float("nan")])
def test_label_refuses_a_luminosity_that_is_none(lumi: float) -> None:
    with pytest.raises(DataError, match="Luminosity"):
        FigureLabel(lumi_ifb=lumi)


@pytest.mark.parametrize("energy", [13000.0, {13.0: 0.5, 13600.0: 0.5}, {}])
def test_label_refuses_an_energy_in_gev(energy: float | dict[float, float]) -> None:
    with pytest.raises(DataError, match="TeV"):
        FigureLabel(energy_tev=energy)


def test_label_of_two_energies_says_the_luminosity_of_each() -> None:
    label = FigureLabel("Preliminary", 146.0, {13.0: 138 / 146, 13.6: 8 / 146})
    assert label.words == "Preliminary, 138 fb⁻¹ (13 TeV) + 8 fb⁻¹ (13.6 TeV)"
    assert label.right == "138 fb$^{-1}$ (13 TeV) + 8 fb$^{-1}$ (13.6 TeV)"
    # Where luminosity is an axis, the energies stand alone.
    assert replace(label, lumi_ifb=None).words == "Preliminary, √s = 13 and 13.6 TeV"
    # Nor has a page of two results one energy.
    assert FigureLabel("Two results", energy_tev=None).words == "Two results"
    with pytest.raises(DataError, match="add up to 1"):
        FigureLabel(energy_tev={13.0: 138.0, 13.6: 8.0})


@pytest.mark.parametrize("formats", [("pdf", "png", "svg"), ("svg",), ()])
def test_save_writes_a_picture_and_what_is_asked_for(tmp_path: Path, formats: tuple[str, ...]) -> None:
    paths = save(_figure(), tmp_path / "deep", "name", formats)
    assert [path.name for path in paths] == [
        "name.png",
        *(f"name.{kind}" for kind in formats if kind != "png"),
    ]
    assert sorted((tmp_path / "deep").iterdir()) == sorted(paths)


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    first = save(_figure(), tmp_path, "first")
    second = save(_figure(), tmp_path, "second")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_saving_leaves_the_figure_ready_for_changes(tmp_path: Path) -> None:
    figure = _figure()
    first = save(figure, tmp_path, "first")
    assert isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
    # Places on an SVG page are hashed with all their digits.
    assert [one.read_bytes() for one in save(figure, tmp_path, "second")][:2] == [
        one.read_bytes() for one in first[:2]
    ]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "name.png").write_text("old")
    figure = _figure()
    figure.axes[0].set_title("$\\nonsense{$")
    with pytest.raises(ValueError, match="nonsense"):
        save(figure, tmp_path, "name")
    assert [path.name for path in tmp_path.iterdir()] == ["name.png"]
    assert (tmp_path / "name.png").read_text() == "old"


def test_vector_names_what_is_wrong() -> None:
    with pytest.raises(DataError, match=r"yields: expected 3 values. Received: shape \(2,\)"):
        vector([1.0, 2.0], what="yields", size=3)
    with pytest.raises(DataError, match="yields: 1 of 2 values are not finite"):
        vector([1.0, np.nan], what="yields")
