"""Own arrays, tables and histograms in, results that show themselves out; bad input is one clear line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hist import Hist
from matplotlib.colors import to_hex

import znought
from znought.errors import DataError
from znought.facility.notebook.bins import greedy
from znought.facility.notebook.likelihoods import Likelihood, fit, workspace
from znought.facility.notebook.networks import train_folds
from znought.models.network import NetworkConfig
from znought.models.scoring import Scorer
from znought.models.training import TrainingConfig
from znought.plots.data_mc import data_mc
from znought.plots.style import FigureLabel
from znought.stats import binning

# TensorFlow's variables, which Keras saves, know an older __array__ than numpy's.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RNG = np.random.default_rng(7)
QUICK = TrainingConfig(n_folds=2, n_repeats=2, test_fraction=0.0, max_epochs=6, batch_size=64)
SMALL = NetworkConfig(hidden_nodes=(8,), learning_rate=0.02)


def _hist(values: list[float], sumw2: list[float] | None = None) -> Hist:  # type: ignore[type-arg]  # of any storage
    filled = Hist.new.Reg(len(values), 0, 1, name="x").Weight()
    filled.view()["value"] = values
    filled.view()["variance"] = values if sumw2 is None else sumw2
    return filled


def test_the_bins_are_those_of_the_library() -> None:
    scores, is_signal = RNG.uniform(size=4000), np.arange(4000) < 1000
    scores[is_signal] = np.sqrt(scores[is_signal])
    weights = np.where(is_signal, 0.1, 1.0)
    found = greedy(scores, weights, is_signal, lower=0.0)
    same = binning.greedy(scores, weights, is_signal, lower=0.0)
    assert found.edges.tolist() == same.edges.tolist()
    assert found.z_total == same.z_total
    assert len(found.table.rows) == len(found.edges)
    assert f"{same.z_total:.3f}" in found._repr_html_()
    assert "array" not in repr(found)
    assert znought.greedy is greedy


def test_a_lone_signal_has_the_colour_of_its_stack() -> None:
    figure = greedy([0.9] * 50 + [0.3] * 500, [1.0] * 550, [True] * 50 + [False] * 500, lower=0.0).plot()
    upper, lower = figure.axes
    handles = dict(zip(*reversed(upper.get_legend_handles_labels()), strict=True))
    fill, line = (handles[name] for name in ("signal", "signal alone"))
    assert to_hex(fill.get_facecolor()) == to_hex(line.get_edgecolor())
    assert to_hex(fill.get_facecolor()) != to_hex(handles["background"].get_facecolor())
    assert to_hex(lower.patches[-1].get_edgecolor()) == to_hex(line.get_edgecolor())


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    table = pd.DataFrame({"x": RNG.normal(size=1500), "y": RNG.normal(size=1500)})
    table["kind"] = np.where(table["x"] + 0.5 * RNG.normal(size=1500) > 0, "VH", "top")
    return table


def test_networks_of_an_own_frame_score_what_they_have_not_seen(frame: pd.DataFrame, tmp_path: Path) -> None:
    found = train_folds(frame, inputs=["x", "y"], label="kind", network=SMALL, training=QUICK)
    assert found.classes == ("VH", "top")
    assert found.scores.shape == (1500, 2)
    assert found.auc["macro"].value > 0.8
    # The same rows have the same folds: scored again they have the same scores, saved networks too.
    np.testing.assert_allclose(found.score(frame), found.scores, atol=1e-6)
    found.save(tmp_path / "models")
    scorer = Scorer.load(tmp_path / "models")
    assert scorer.manifest.feature_names == ("x", "y")
    assert "AUC" in found._repr_html_()
    assert found.plot().axes[0].get_xlabel().startswith("False-positive rate")


def test_folds_follow_from_the_events_where_they_are_named(frame: pd.DataFrame) -> None:
    one = train_folds(
        frame.assign(run=1, luminosityBlock=1, event=np.arange(1500) // 2),
        inputs=["x"],
        label="kind",
        network=SMALL,
        training=QUICK,
    )
    fold = one.data.fold.reshape(-1, 2)
    assert (fold[:, 0] == fold[:, 1]).all()
    assert set(fold.ravel()) == {0, 1}


def test_a_table_that_cannot_be_trained_on_is_one_line(frame: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="Unknown column 'z'"):
        train_folds(frame, inputs=["z"], label="kind")
    with pytest.raises(DataError, match="expected two classes or more in column 'kind'"):
        train_folds(frame[frame["kind"] == "VH"], inputs=["x"], label="kind")
    with pytest.raises(DataError, match="but no luminosityBlock"):
        train_folds(frame.assign(run=1, event=1), inputs=["x"], label="kind")


def _likelihood(**changes: object) -> Likelihood:
    regions = {"SR": {"signal": _hist([1.0, 9.0]), "background": _hist([90.0, 10.0], [0.9, 0.1])}}
    given = {"data": {"SR": _hist([92.0, 20.0])}, "norms": {"xsec": ("background", 0.05)}}
    return workspace(regions, signal="signal", **(given | changes))  # type: ignore[arg-type]


def test_a_likelihood_of_own_histograms() -> None:
    likelihood = _likelihood(variations={"jes_up": {"SR": {"background": _hist([92.0, 11.0])}}})
    spec: Any = likelihood.spec
    samples = spec["channels"][0]["samples"]
    by_name = {sample["name"]: sample for sample in samples}
    kinds = {(m["name"], m["type"]) for m in by_name["background"]["modifiers"]}
    assert {("xsec", "normsys"), ("jes", "normsys"), ("jes", "histosys")} <= kinds
    assert by_name["background"]["data"] == [90.0, 10.0]
    assert not any(m["name"] == "jes" for m in by_name["signal"]["modifiers"])
    observed, expected = fit(likelihood), fit(likelihood, data="expected")
    assert expected.mu == pytest.approx(1.0, abs=1e-3)
    assert observed.result.data == "observed"
    assert observed.mu > 1.0
    assert {row[0] for row in observed.table.rows} == {"μ", "Z₀", "jes", "xsec"}
    assert "<table>" in observed._repr_html_()
    assert "90.00" not in likelihood._repr_html_()
    assert "100.00 ± 1.00" in likelihood._repr_html_()
    assert likelihood.plot().axes
    assert observed.plot().axes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {"SR": _hist([1.0, 2.0, 3.0])}}, "data of SR: expected the edges of the processes"),
        ({"data": {"SR": [1.0, 2.0]}}, "data of SR: expected a hist.Hist of one axis. Received: list"),
        ({"variations": {"jes": {}}}, "expected names as jes_up and jes_down. Received: 'jes'"),
    ],
)
def test_histograms_that_do_not_fit_are_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _likelihood(**changes)


def test_weights_without_variances_are_refused() -> None:
    unweighted = Hist.new.Reg(2, 0, 1, name="x").Double().fill([0.1, 0.9], weight=[0.5, 2.0])
    with pytest.raises(DataError, match=r"signal in SR: filled with weights into Double, use Weight\(\)"):
        workspace({"SR": {"signal": unweighted, "background": _hist([3.0, 4.0])}}, signal="signal")


def test_data_and_processes_may_be_histograms() -> None:
    processes = {"background": _hist([90.0, 10.0]), "signal": _hist([1.0, 9.0])}
    label = FigureLabel("Simulation")
    own = data_mc(_hist([92.0, 20.0]), processes, variable="x", label=label)
    pairs = {"background": ([90.0, 10.0], [90.0, 10.0]), "signal": ([1.0, 9.0], [1.0, 9.0])}
    plain = data_mc([92.0, 20.0], pairs, [0.0, 0.5, 1.0], variable="x", label=label)
    assert [axes.get_ylim() for axes in own.axes] == [axes.get_ylim() for axes in plain.axes]
    texts = [[text.get_text() for text in figure.axes[0].texts] for figure in (own, plain)]
    assert texts[0] == texts[1]
    with pytest.raises(DataError, match="other edges"):
        data_mc(_hist([1.0, 2.0, 3.0]), processes, variable="x", label=label)
    with pytest.raises(DataError, match="edges: expected bin edges"):
        data_mc([92.0, 20.0], pairs, variable="x", label=label)
