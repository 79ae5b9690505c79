"""A model that was trained elsewhere gives the scores that it gives there; a table runs from training on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import yaml
from distributed import Client, LocalCluster
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from znought import run, table_card
from znought.errors import CardError, DataError
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.events.store import read_events
from znought.facility.fitting.placement import placed
from znought.facility.pipeline import run_stages, whole
from znought.facility.progress import Silent
from znought.facility.results.standard import read_results
from znought.facility.results.summary import report_tables
from znought.facility.stages.table import take_table
from znought.facility.workspace import Workspace
from znought.models.brought import BroughtClassifier

# Keras saves its variables through an interface that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

INPUTS = ("x", "y", "z")
CLASSES = ("signal", "background")
N_EVENTS = 3000


def frame() -> pd.DataFrame:
    """Signal and background in three variables, with labels and weights."""
    rng = np.random.default_rng(1)
    is_signal = np.arange(N_EVENTS) % 3 == 0
    columns: dict[str, Any] = {n: rng.normal(np.where(is_signal, 1.0, 0.0), 1.0) for n in INPUTS}
    columns["process"] = np.where(is_signal, "signal", "background")
    columns["expected"] = np.where(is_signal, 0.02, 0.5)
    columns["number"] = np.arange(N_EVENTS)
    return pd.DataFrame(columns)


def content(**changes: Any) -> dict[str, Any]:
    """A card of it."""
    return {
        "title": "own columns",
        "lumi_ifb": 10.0,
        "table": {
            "files": ["events.parquet"],
            "label": "process",
            "weight": "expected",
            "identity": ["number"],
            "variables": {"x": {"bins": [10, -4, 4], "label": "$x$"}},
        },
        "processes": {name: {"class": name} for name in CLASSES},
        "classes": list(CLASSES),
        "signal": "signal",
    } | changes


def write_onnx(path: Path, seed: int, size: float = 1.0) -> None:
    """A softmax of a linear map, written by hand."""
    rng = np.random.default_rng(seed)
    weight = numpy_helper.from_array(rng.normal(0.0, size, (3, 2)).astype(np.float32), "weight")
    bias = numpy_helper.from_array(np.array([0.1, -0.2], np.float32), "bias")
    nodes = [
        helper.make_node("Gemm", ["inputs", "weight", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    given = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [None, 3])
    found = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "classifier", [given], [found], [weight, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def write_keras(path: Path) -> Any:
    """A trained network with one sigmoid output."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.layers.Input((3,)), *layers])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    events = frame()
    model.fit(events[list(INPUTS)].to_numpy(), events["process"] == "signal", epochs=2, verbose=0)
    model.save(path)
    return model


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def _folder(folder: Path, **changes: Any) -> Path:
    frame().to_parquet(folder / "events.parquet")
    (folder / "card.yaml").write_text(yaml.safe_dump(content(**changes), sort_keys=False))
    return folder / "card.yaml"


def _context(card: Path, client: Client | None) -> Context[Any]:
    read, found = load_with_analysis(card)
    workspace = Workspace(card.parent / "output")
    return Context(read, workspace, RunOptions(), Silent(), lambda: client, found)  # type: ignore[arg-type, return-value]  # None computes here


def _scored(card: Path, client: Client) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Scores of the signal in the order of the table, and the table."""
    context = _context(card, client)
    stages = {stage.name: stage for stage in whole(context)}
    run_stages(context, [stages[name] for name in ("process", "train", "score")])
    scores = read_events(context.workspace.scores, CLASSES, ["score_signal", "event_weight"])
    order = np.argsort(scores["event"])
    events = frame()
    assert np.array_equal(scores["event"][order], events["number"])
    assert np.array_equal(scores["event_weight"][order], events["expected"])
    return scores["score_signal"][order], events


def test_a_keras_model_gives_the_scores_that_it_gives_outside(tmp_path: Path, client: Client) -> None:
    model = write_keras(tmp_path / "mine.keras")
    section = {"files": ["mine.keras"], "inputs": list(INPUTS), "outputs": list(CLASSES)}
    scores, events = _scored(_folder(tmp_path, model=section), client)
    outside = model.predict(events[list(INPUTS)].to_numpy(), verbose=0)[:, 0]
    assert np.abs(scores - outside).max() < 1e-6
    assert outside.std() > 0.01


def test_an_onnx_model_by_folds_gives_the_scores_that_it_gives_outside(
    tmp_path: Path, client: Client
) -> None:
    for fold in (0, 1):
        write_onnx(tmp_path / f"fold_{fold}.onnx", seed=fold)
    section = {
        "files": ["fold_0.onnx", "fold_1.onnx"],
        "inputs": list(INPUTS),
        "folds": {"column": "event", "modulo": 2},
    }
    scores, events = _scored(_folder(tmp_path, model=section), client)
    outside = np.empty(N_EVENTS, np.float32)
    for fold in (0, 1):
        session = onnxruntime.InferenceSession(tmp_path / f"fold_{fold}.onnx")
        rows = events["number"].to_numpy() % 2 == fold
        features = events.loc[rows, list(INPUTS)].to_numpy(np.float32)
        outside[rows] = session.run(None, {"inputs": features})[0][:, 0]
    assert np.abs(scores - outside).max() < 1e-6


def test_events_of_a_sure_model_count_in_the_last_bin(tmp_path: Path, client: Client) -> None:
    write_onnx(tmp_path / "sure.onnx", seed=1, size=1e4)
    section = {"files": ["sure.onnx"], "inputs": list(INPUTS)}
    regions = {
        "regions": {"all": {}},
        "discriminants": {"all": {"output": "signal", "edges": [0.0, 0.5, 1.0]}},
    }
    card = _folder(tmp_path, model=section, **regions)
    scores, events = _scored(card, client)
    assert (scores == 1.0).sum() > 1000
    context = _context(card, client)
    found = placed(context.card, context.workspace, CLASSES, {"all": np.array([0.0, 0.5, 1.0])})
    assert (found.where == "all").all()
    assert found.weight[found.discriminant >= 0.5].sum() == pytest.approx(
        events.expected[scores >= 0.5].sum()
    )


def test_a_table_runs_to_the_final_table(tmp_path: Path, client: Client) -> None:
    """With its own model, so that nothing need be trained."""
    write_onnx(tmp_path / "mine.onnx", seed=3)
    section = {"files": ["mine.onnx"], "inputs": list(INPUTS)}
    context = _context(_folder(tmp_path, model=section, crossfit={"n_bootstrap": 10}), client)
    run_stages(context, whole(context))
    results = read_results(context.workspace.results)
    assert results.events["signal"].raw == 1000
    assert results.events["background"].weighted == pytest.approx(1000.0)
    assert set(results.z0) == {"mva_greedy", "mva_optimal"}
    assert results.auc["macro"].value > 0.5
    assert not results.auc_boosting
    assert report_tables(results)[0].rows[0][0] == "network, greedy bins"
    assert (tmp_path / "output" / "report.html").exists()
    written = json.loads((tmp_path / "output" / "models" / "model.json").read_text())
    assert written["inputs"] == list(INPUTS)


def test_a_table_in_memory_gives_its_yields(tmp_path: Path, client: Client) -> None:
    """A DataFrame of a notebook."""
    table, events = content()["table"] | {"files": []}, frame()
    given = content(table=table, regions={"high": {"x": [0.5, None]}})
    del given["signal"]
    results = run(table_card(given, events), client, output=tmp_path)
    expected = float(0.02 * ((events.process == "signal") & (events.x >= 0.5)).sum())
    assert results.regions["high"]["signal"].events == (pytest.approx(expected),)


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": {"files": ["m.onnx"], "inputs": ["x", "yy"]}},
            r"model\.inputs: Unknown variable 'yy', did",
        ),
        ({"model": {"files": ["a.onnx", "b.onnx"], "inputs": ["x"]}}, "2 files need the rule"),
        (
            {"model": {"files": ["m.onnx"], "inputs": ["x"], "outputs": ["signal"]}},
            r"model\.outputs: expected",
        ),
        (
            {"model": {"files": ["m.onnx"], "inputs": ["x"]}, "network": {}},
            "network: has no effect beside model",
        ),
        (
            {"model": {"files": ["m.onnx"], "inputs": ["x"], "folds": {"column": "fold", "modulo": None}}},
            r"model\.folds\.column: Unknown column 'fold'",
        ),
        (
            {"table": {"files": ["events.parquet"], "label": "process"}},
            "labels without weights: give `weight`",
        ),
        (
            {"table": {"files": ["events.parquet"], "label": "proces", "weight": "expected"}},
            "did you mean 'process'",
        ),
        ({"table": {"files": ["none.parquet"], "label": "process", "weight": "expected"}}, "no such file"),
        ({"datasets": {}}, "datasets: has no effect on a table"),
    ],
)
def test_a_card_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        load_with_analysis(
            _folder(tmp_path, **{"network": {}} | changes if "model" not in changes else changes)
        )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda events: events.assign(process="top"), r"3,000 rows of column process: Unknown process 'top'"),
        (
            lambda events: events[events.process == "signal"],
            "no row of column process is of the process 'backgr",
        ),
        (
            lambda events: events.assign(expected=np.nan),
            "column expected is null, NaN or infinite in 1,000 of 1,000",
        ),
        (lambda events: events.assign(x=np.inf), "column x is null, NaN or infinite"),
        (lambda events: events.assign(number=1), "999 of 1,000 events of signal stand there twice by number"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, edit: Any, message: str) -> None:
    card = _folder(tmp_path, network={})
    edit(frame()).to_parquet(tmp_path / "events.parquet")
    with pytest.raises(DataError, match=message):
        list(take_table(_context(card, None)))


def _loaded(path: Path, inputs: Sequence[str] = INPUTS) -> BroughtClassifier:
    return BroughtClassifier.load([path], inputs=inputs, classes=CLASSES)


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "mine.onnx", seed=1)
    with pytest.raises(DataError, match=r"mine\.onnx takes 3 inputs, the card names 2"):
        _loaded(tmp_path / "mine.onnx", ("x", "y"))
    with pytest.raises(DataError, match=r"mine\.onnx gives 2 outputs, the card names 3"):
        BroughtClassifier.load([tmp_path / "mine.onnx"], inputs=INPUTS, classes=("a", "b", "c"))
    for name in ("damaged.onnx", "damaged.keras"):
        (tmp_path / name).write_bytes(b"not a model")
        with pytest.raises(DataError, match=f"{name} cannot be loaded"):
            _loaded(tmp_path / name)
    good = _loaded(tmp_path / "mine.onnx")
    with pytest.raises(DataError, match="folds 0 … 1 for 1 networks"):
        good.score(np.zeros((2, 3), np.float32), np.array([0, 1]))


def test_a_model_without_a_last_activation_is_refused(tmp_path: Path) -> None:
    given = helper.make_tensor_value_info("inputs", TensorProto.DOUBLE, [1, 3])
    found = helper.make_tensor_value_info("scores", TensorProto.DOUBLE, [1, 3])
    graph = helper.make_graph([helper.make_node("Identity", ["inputs"], ["scores"])], "g", [given], [found])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        tmp_path / "m.onnx",
    )
    model = BroughtClassifier.load([tmp_path / "m.onnx"], inputs=INPUTS, classes=("a", "b", "c"))
    scores = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)
    assert np.array_equal(model.score(scores), scores)
    with pytest.raises(DataError, match=r"m\.onnx: scores from -1 to 2, expected 0 to 1: its last layer"):
        model.score(np.array([[-1.0, 0.0, 2.0]], np.float32))
