"""What is written beside a figure is what stands on it."""

import json
from typing import Any

import numpy as np
import uhi.io.json
from hist import Hist
from hist.storage import Weight

from znought.plots.behind import drawn_numbers, histograms_json
from znought.plots.data_mc import data_mc
from znought.plots.style import FigureLabel, new_figure

EDGES = [0.0, 1.0, 2.0, 4.0]
PROCESSES = {"top": ([10.0, 20.0, 30.0], [1.0, 4.0, 9.0]), "WW": ([1.0, 2.0, 3.0], [0.1, 0.2, 0.3])}


def _figure(data: list[float], blinded: list[bool]) -> tuple[dict[str, Hist[Weight]], list[dict[str, Any]]]:
    figure = data_mc(data, PROCESSES, EDGES, variable="m_jj", label=FigureLabel(), blinded=blinded)
    text = histograms_json(figure)
    assert text is not None
    found = json.loads(text, object_hook=uhi.io.json.object_hook)
    return {name: Hist(one) for name, one in found.items()}, drawn_numbers(figure)["panels"]


def test_histograms_come_back_as_they_were_given() -> None:
    found, _ = _figure([12.0, 19.0, 40.0], [False, False, False])
    assert set(found) == {"top", "WW", "data"}
    for name, (sumw, sumw2) in PROCESSES.items():
        np.testing.assert_array_equal(found[name].axes[0].edges, EDGES)
        np.testing.assert_array_equal(found[name].values(), sumw)
        np.testing.assert_array_equal(found[name].variances(), sumw2)
    np.testing.assert_array_equal(found["data"].values(), [12.0, 19.0, 40.0])


def test_bins_of_another_width_are_drawn_per_the_usual_one() -> None:
    _, panels = _figure([12.0, 19.0, 40.0], [False, False, False])
    steps = {one["label"]: one["values"] for one in panels[0]["drawn"] if one["kind"] == "steps"}
    assert [10.0, 20.0, 15.0] in steps.values() or [11.0, 22.0, 16.5] in steps.values()
    (points,) = [one for one in panels[0]["drawn"] if one["kind"] == "points"]
    assert (points["x"], points["y"]) == ([0.5, 1.5, 3.0], [12.0, 19.0, 20.0])
    (ratio,) = [one for one in panels[1]["drawn"] if one["kind"] == "points"]
    np.testing.assert_allclose(ratio["y"], np.array([12.0, 19.0, 40.0]) / [11.0, 22.0, 33.0], rtol=1e-6)


def test_blinded_counts_stand_nowhere() -> None:
    found, panels = _figure([12.0, 777.0, 40.0], [False, True, False])
    assert found["data"].values().tolist() == [12.0, 0.0, 40.0]
    assert "777" not in json.dumps(panels)


def test_numbers_that_are_not_finite_are_null() -> None:
    figure = new_figure((2.0, 1.0))
    axes = figure.add_subplot()
    axes.plot([0.0, 1.0], [np.nan, 2.0], label="curve")
    axes.imshow([[1.0, np.inf]])
    drawn = drawn_numbers(figure)["panels"][0]["drawn"]
    assert drawn[0] == {"kind": "line", "label": "curve", "x": [0.0, 1.0], "y": [None, 2.0]}
    assert drawn[1]["values"] == [[1.0, None]]
    assert histograms_json(figure) is None
