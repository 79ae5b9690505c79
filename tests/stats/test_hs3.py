"""Another program reads from HS3 the likelihood of the pyhf workspace that it was written from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pyhs3
import pytest
from pytensor.compile.maker import function
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import explicit_graph_inputs

from tests.stats.regions import config, regions
from znought.errors import DataError
from znought.stats.fit import pyhf_session
from znought.stats.hs3 import hs3_document, write_hs3
from znought.stats.workspace import Spec, build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)

LogDensity = Callable[[dict[str, float]], float]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return build_workspace(regions(), config())


def pyhs3_log_density(path: Path) -> LogDensity:
    model = pyhs3.Workspace.load(path).model("znought", progress=False)
    symbols: list[Any] = list(explicit_graph_inputs([model.log_prob]))
    compiled = function(symbols, model.log_prob, mode=Mode(linker="py", optimizer="fast_compile"))

    def evaluate(values: dict[str, float]) -> float:
        return float(np.squeeze(compiled(*[np.full((1,) * s.ndim, values[s.name]) for s in symbols])))

    return evaluate


def test_pyhs3_reads_the_same_likelihood(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "hs3.json"
    write_hs3(path, spec)
    read = pyhs3_log_density(path)
    rng = np.random.default_rng(1)
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        data, start = workspace.data(model), np.array(model.config.suggested_init())
        for _ in range(8):
            point = start + rng.normal(0, np.where(start == 0, 1.0, 0.05))
            values = dict(zip(model.config.par_names, point.tolist(), strict=True))
            assert read(values) == pytest.approx(float(model.logpdf(point, data)[0]), rel=1e-9, abs=1e-8)


def test_pyhs3_writes_back_what_it_read(spec: Spec) -> None:
    document = hs3_document(spec)
    again = pyhs3.Workspace(**document).model_dump(mode="json", exclude_none=True)
    assert pyhs3.Workspace(**again).model_dump(mode="json") == pyhs3.Workspace(**document).model_dump(
        mode="json"
    )
    for ours, theirs in zip(document["data"], again["data"], strict=True):
        assert ours["contents"] == theirs["contents"]
    for ours, theirs in zip(document["distributions"], again["distributions"], strict=True):
        assert [s["data"]["contents"] for s in ours.get("samples", [])] == [
            s["data"]["contents"] for s in theirs.get("samples", [])
        ]


def test_starting_values_and_bounds_are_pyhfs(spec: Spec) -> None:
    document = json.loads(json.dumps(hs3_document(spec), allow_nan=False))
    points = {entry["name"]: entry["value"] for entry in document["parameter_points"][0]["parameters"]}
    bounds = {axis["name"]: (axis["min"], axis["max"]) for axis in document["domains"][0]["axes"]}
    assert points["mu"] == 1.0
    assert points["mcstat_SR[2]"] == 1.0
    assert points["jes"] == 0.0
    assert bounds["jes"] == (-5.0, 5.0)
    assert document["analyses"][0]["parameters_of_interest"] == ["mu"]


def test_a_modifier_without_counterpart_is_named(spec: Spec) -> None:
    changed = json.loads(json.dumps(spec))
    modifiers = changed["channels"][1]["samples"][0]["modifiers"]
    modifiers.append({"name": "free", "type": "shapefactor", "data": None})
    with pytest.raises(DataError, match="'free' is of type 'shapefactor'"):
        hs3_document(changed)
