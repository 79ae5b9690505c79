"""Official scale factors in the shipped analyses: the same weights as their corrections called one by one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from tests.analyses.vh_bb.test_columns import Event, write
from tests.analyses.vh_bb.test_variations import TWO_MUONS
from tests.processors.fixtures import events, write_nanoaod
from znought.analyses.vh_bb.analysis import ANALYSIS as VH_BB
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.analyses.vh_ww.analysis import ANALYSIS as VH_WW
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.facility.ntuples.runner import process_fileset
from znought.processors.calibration import named
from znought.processors.calibration.efficiency import Efficiency
from znought.processors.calibration.official import OfficialFactor
from znought.processors.calibration.weighing import Factor
from znought.processors.evaluated import Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.weights import ScaleFactor


def _category(name: str, content: Mapping[Any, Any]) -> dict[str, Any]:
    items = [{"key": key, "value": value} for key, value in content.items()]
    return {"nodetype": "category", "input": name, "content": items}


def _in_pt(low: float, high: float) -> dict[str, Any]:
    return {
        "nodetype": "binning",
        "input": "pt",
        "edges": [0.0, 60.0, 1e4],
        "content": [low, high],
        "flow": "clamp",
    }


def _correction(name: str, inputs: Mapping[str, str], data: Any) -> dict[str, Any]:
    given = [{"name": one, "type": kind} for one, kind in inputs.items()]
    return {
        "name": name,
        "version": 1,
        "inputs": given,
        "output": {"name": "sf", "type": "real"},
        "data": data,
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files as official ones are laid out, with values of our own."""
    lepton = {"eta": "real", "pt": "real", "scale_factors": "string"}
    muon = {"nominal": _in_pt(0.9, 1.1), "stat": 0.02, "syst": 0.03, "systup": 1.2, "systdown": 0.8}
    momenta = {"flavor": "int", "abseta": "real", "pt": "real"}
    jets = {"systematic": "string", "working_point": "string"} | momenta

    def tags(flavours: tuple[int, ...], shift: float) -> Any:
        def of(by: float) -> Any:
            return _category("flavor", dict.fromkeys(flavours, _in_pt(shift * by, shift * by + 0.05)))

        return _category("systematic", {"central": of(1.0), "up": of(1.1), "down": of(0.9)})

    efficiency = _category("flavor", {0: 0.05, 4: 0.2, 5: _in_pt(0.5, 0.7)})
    content = {
        "muon": [_correction("NUM_ID", lepton, _category("scale_factors", muon))],
        "btag": [
            _correction("toy_comb", jets, tags((4, 5), 0.9)),
            _correction("toy_incl", jets, tags((0,), 1.2)),
            _correction("btag_efficiency", momenta, efficiency),
        ],
    }
    for name, corrections in content.items():
        document = {"schema_version": 2, "corrections": corrections}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return {name: str(tmp_path / f"{name}.json") for name in content}


def _both(files: dict[str, str]) -> tuple[dict[str, Factor], dict[str, ScaleFactor]]:
    """By kind, and correction by correction."""
    btag = named.btag_points(
        "btag", "", files["btag"], objects="jets", tagger="toy", working_point="M", uncertainty="total"
    )
    parts = {name: getattr(btag, name) for name in ("weight", "era", "file", "objects", "lookups", "outside")}
    by_kind: dict[str, Factor] = {
        "muon": named.muon("muon", "", files["muon"], objects="muon", name="NUM_ID", uncertainty="total"),
        "btag": OfficialFactor(**parts, efficiency=Efficiency(files["btag"], "")),
    }
    given: dict[str, Any] = {
        "inputs": {"flavor": "flavour", "abseta": "abs_eta"},
        "fixed": {"working_point": "M"},
        "systematic_input": "systematic",
        "systematics": {"nominal": "central", "up": "up", "down": "down"},
        "efficiency": "btag_efficiency",
    }
    muon = {"nominal": "nominal", "up": "systup", "down": "systdown"}
    one_by_one = {
        "muon": ScaleFactor(
            files["muon"],
            "NUM_ID",
            "muon",
            systematic_input="scale_factors",
            systematics=muon,  # type: ignore[arg-type]  # names of directions
        ),
        "btag_heavy": ScaleFactor(files["btag"], "toy_comb", "jets", flavours=(4, 5), **given),
        "btag_light": ScaleFactor(files["btag"], "toy_incl", "jets", flavours=(0,), **given),
    }
    return by_kind, one_by_one


def _columns(analysis: Any, request: Request, path: str, directory: Path) -> dict[str, np.ndarray]:
    processor = AnalysisProcessor(analysis.for_workers, request, str(directory))
    result = process_fileset(None, {"x": {"files": [path]}}, processor).results["x"]
    (file,) = [one for one in result.of(request.channels[0]).columns if one.variation == "nominal"]
    table = pq.read_table(file.path, partitioning=None)
    return {name: table[name].to_numpy() for name in table.column_names if name.startswith("gen_weight")}


def _same(
    analysis: Any, cuts: Any, channel: str, path: str, files: dict[str, str], folder: Path
) -> dict[str, np.ndarray]:
    """Columns of weights by kind, once they are those of the corrections one by one."""
    by_kind, one_by_one = _both(files)
    varied = (*(f"{name}_{way}" for name in one_by_one for way in ("up", "down")), "other_up")
    requests = {
        "kinds": Request(cuts, channels=(channel,), factors={"x": by_kind}, varied_factors=varied),
        "one": Request(cuts, channels=(channel,), weights=one_by_one),
        "plain": Request(cuts, channels=(channel,)),
    }
    found = {name: _columns(analysis, one, path, folder / name) for name, one in requests.items()}
    assert found["kinds"].keys() == {*found["one"], "gen_weight_other_up"}
    for name, values in found["one"].items():
        assert found["kinds"][name] == pytest.approx(values, rel=1e-12), name
    assert np.array_equal(found["kinds"]["gen_weight_other_up"], found["kinds"]["gen_weight"])
    assert not np.allclose(found["kinds"]["gen_weight"], found["plain"]["gen_weight"], rtol=1e-3)
    return found["kinds"]


def test_vh_ww(tmp_path: Path, files: dict[str, str]) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(1200, seed=41))
    found = _same(VH_WW, VHWWSelection(btag_mode="veto"), "", path, files, tmp_path)
    assert len(found["gen_weight"]) > 50
    assert len({*(found["gen_weight_btag_light_up"] / found["gen_weight"]).round(9)}) > 3


@pytest.mark.parametrize(("channel", "event"), [("0L", Event()), ("2L", TWO_MUONS)])
def test_vh_bb(tmp_path: Path, files: dict[str, str], channel: str, event: Event) -> None:
    with uproot.open(write(tmp_path / "a.root", [event, event])) as file:
        tree = file["Events"]
        columns = {one.name: one.array() for one in tree.branches if not one.name.startswith("n")}
    place = ak.local_index(columns["Jet_pt"])
    flavour = ak.where(place == 0, 5, ak.where(place == 1, 0, 4))
    columns["Jet_hadronFlavour"] = ak.values_astype(flavour, "int32")
    path = write_nanoaod(tmp_path / "b.root", columns)
    found = _same(VH_BB, VHBBSelection(), channel, path, files, tmp_path)
    moved = found["gen_weight_muon_up"] / found["gen_weight"]
    assert (moved != 1.0).all() == (channel == "2L")
