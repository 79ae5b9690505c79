"""Data over simulation where there is little or nothing to draw."""

import numpy as np
import pytest

from tests.plots.drawn import bars, lines, points, texts
from znought.analysis import Analysis, Variable
from znought.errors import DataError
from znought.plots.data_mc import data_mc, n_minus_one
from znought.plots.labels import drawn_as
from znought.plots.style import FigureLabel

LABEL = FigureLabel(lumi_ifb=139.0)
EDGES = [0.0, 1.0, 2.0]


@pytest.mark.parametrize("background", [[0.0, 0.0], [-5.0, -3.0]])
@pytest.mark.parametrize("log", [False, True])
def test_signal_line_over_a_sum_that_is_not_positive(background: list[float], log: bool) -> None:
    processes = {
        "top": (np.array(background), np.ones(2)),
        "VH": (np.array([1.0, 2.0]), np.array([0.1, 0.1])),
    }
    figure = data_mc(None, processes, EDGES, variable="m_jj", label=LABEL, signal="VH", log=log)
    assert not any("×" in text for text in texts(figure))


def test_signal_that_is_no_process_is_named() -> None:
    processes = {"top": (np.ones(2), np.ones(2))}
    with pytest.raises(DataError, match="Unknown signal process 'tops', did you mean 'top'"):
        data_mc(None, processes, EDGES, variable="m_jj", label=LABEL, signal="tops")


def test_a_blinded_window_is_hatched_and_named() -> None:
    processes = {"top": (np.full(4, 9.0), np.ones(4))}
    window = [False, True, True, False]
    figure = data_mc(
        [9.0, 99.0, 99.0, 9.0], processes, [0.0, 1, 2, 3, 4], variable="m_jj", label=LABEL, blinded=window
    )
    upper, lower = figure.axes
    for axes in (upper, lower):
        (hatched,) = [patch for patch in bars(axes) if patch.get_hatch()]
        assert (hatched.get_x(), hatched.get_width()) == (1.0, 2.0)
    assert texts(figure).split("\n").count("blinded") == 1
    assert points(upper)[0][0].tolist() == [0.5, 3.5]


def test_a_wholly_blinded_region_shows_its_uncertainty() -> None:
    processes = {"top": (np.full(2, 9.0), np.ones(2))}
    figure = data_mc(None, processes, [0.0, 1, 2], variable="m_jj", label=LABEL, blinded=[True, True])
    assert not any(patch.get_hatch() for axes in figure.axes for patch in bars(axes))
    assert texts(figure).split("\n").count("data blinded") == 1


def test_a_single_whole_number_is_one_tick() -> None:
    analysis = Analysis("a", columns=len, variables=[Variable("n_b", bins="integer", label="$N_b$")])
    with drawn_as(analysis):
        figure = data_mc(None, {"top": ([3.0], [1.0])}, [1.5, 2.5], variable="n_b", label=LABEL)
    assert figure.axes[1].get_xticks().tolist() == [2.0]


def test_arrows_of_the_ratio_are_explained_where_there_are_some() -> None:
    processes = {"top": (np.full(8, 10.0), np.ones(8))}
    edges = np.arange(9.0)
    calm = data_mc(np.full(8, 11.0), processes, edges, variable="m_jj", label=LABEL)
    wild = data_mc(np.append(np.full(7, 11.0), 99.0), processes, edges, variable="m_jj", label=LABEL)
    assert "ratio beyond the panel" not in texts(calm)
    assert "ratio beyond the panel" in texts(wild)


def test_whole_numbers_are_cut_between_them() -> None:
    analysis = Analysis("a", columns=len, variables=[Variable("n_b", bins="integer", label="$N_b$")])
    with drawn_as(analysis):
        figure = n_minus_one(
            {"top": (np.ones(3), np.ones(3))},
            [0.5, 1.5, 2.5, 3.5],
            variable="n_b",
            limits=(2.0, None),
            label=LABEL,
        )
    (axes,) = figure.axes
    assert [float(x[0]) for x, _ in lines(axes).values()] == [1.5]
    assert axes.get_ylabel() == "Events"
    assert all(tick == round(tick) for tick in axes.get_xticks())
