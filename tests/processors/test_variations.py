"""Variations run through the whole chain and move what they should, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.processors.fixtures import vh_ww_processor
from znought.analyses.vh_ww.features import FEATURES
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import CardError
from znought.facility.runner import RunResult, process_fileset
from znought.processors.evaluated import WHOLE
from znought.processors.variations import VariationsConfig

_ALL = VariationsConfig(enabled=("jes", "jer", "lepton_scale", "met_soft", "btag"))
_LEPTON = ("pt_l0", "pt_l1", "dphi_ll", "dy_ll", "m_ll")


def _run(paths: tuple[str, str], directory: Path, **options: Any) -> RunResult:
    processor = vh_ww_processor(directory, **options)
    return process_fileset(None, {"x": {"files": list(paths)}}, processor, chunk_size=1500)


def _columns(result: RunResult, variation: str) -> dict[int, dict[str, float]]:
    """Rows of one variation by event number."""
    files = [file.path for file in result.results["x"].columns if file.variation == variation]
    table = pa.concat_tables([pq.read_table(path, partitioning=None) for path in files])
    return {row["event"]: row for row in table.to_pylist()}


@pytest.fixture(scope="module")
def varied(many: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return _run(many, tmp_path_factory.mktemp("varied"), variations=_ALL)


def test_nominal_is_the_same_with_and_without_variations(
    varied: RunResult, many: tuple[str, str], tmp_path: Path
) -> None:
    alone = _run(many, tmp_path)
    assert (
        alone.results["x"].of(WHOLE).cutflows["nominal"] == varied.results["x"].of(WHOLE).cutflows["nominal"]
    )
    nominal = _columns(varied, "nominal")
    for event, row in _columns(alone, "nominal").items():
        assert {name: nominal[event][name] for name in row} == row


def test_every_variation_has_columns_and_a_cutflow(varied: RunResult) -> None:
    names = {f"{name}_{way}" for name in ("jes", "jer", "lepton_scale", "met_soft") for way in ("up", "down")}
    assert set(varied.results["x"].of(WHOLE).cutflows) == {"nominal", *names}
    assert {file.variation for file in varied.results["x"].columns} == {"nominal", *names}


@pytest.mark.parametrize(
    ("name", "untouched", "moved"),
    [
        ("jes_up", (*_LEPTON, "met_track"), ("pt_j0", "pt_j1", "m_jj", "ht_soft", "m_t", "pt_total_track")),
        ("jer_down", (*_LEPTON, "met_track"), ("pt_j0", "m_jj", "met", "met_significance")),
        (
            "lepton_scale_up",
            ("pt_j0", "pt_j1", "m_jj", "dphi_ll"),
            ("pt_l0", "m_ll", "met_track", "sum_m_lj"),
        ),
        ("met_soft_down", (*_LEPTON, "pt_j0", "m_jj", "met_track"), ("met", "ht_soft", "m_t")),
    ],
)
def test_what_moves_and_what_does_not(
    varied: RunResult, name: str, untouched: tuple[str, ...], moved: tuple[str, ...]
) -> None:
    nominal, shifted = _columns(varied, "nominal"), _columns(varied, name)
    common = sorted(set(nominal) & set(shifted))
    same_jets = [event for event in common if nominal[event]["n_jets"] == shifted[event]["n_jets"]]
    assert len(same_jets) > 0.8 * len(nominal)
    for feature in untouched:
        assert all(nominal[event][feature] == shifted[event][feature] for event in same_jets), feature
    for feature in moved:
        assert sum(nominal[e][feature] != shifted[e][feature] for e in same_jets) > 0.95 * len(same_jets)


def test_jet_scale_scales_jets_and_moves_events_over_the_threshold(varied: RunResult) -> None:
    nominal, up = _columns(varied, "nominal"), _columns(varied, "jes_up")
    ratios = [up[e]["pt_j0"] / nominal[e]["pt_j0"] for e in set(nominal) & set(up)]
    assert np.median(ratios) == pytest.approx(1.02, rel=1e-6)
    flows = varied.results["x"].of(WHOLE).cutflows
    counts = [flows[name].counts[-1] for name in ("jes_down", "nominal", "jes_up")]
    assert counts[0] < counts[1] < counts[2]


def test_resolution_is_mirrored_and_from_the_identity(varied: RunResult) -> None:
    nominal, up, down = (_columns(varied, name) for name in ("nominal", "jer_up", "jer_down"))
    # With exactly two jets in all three, smearing cannot swap which jets lead.
    runs = (nominal, up, down)
    common = [e for e in nominal if e in up and e in down and {run[e]["n_jets"] for run in runs} == {2}]
    shift = np.array([up[e]["sum_m_lj"] / nominal[e]["sum_m_lj"] - 1.0 for e in common])
    mirrored = np.array([down[e]["sum_m_lj"] / nominal[e]["sum_m_lj"] - 1.0 for e in common])
    assert np.corrcoef(shift, mirrored)[0, 1] < -0.8
    assert 0.005 < np.std(shift) < 0.05


def test_btag_variations_are_weights_of_the_nominal_columns(varied: RunResult) -> None:
    rows = list(_columns(varied, "nominal").values())
    up = np.array([row["gen_weight_btag_up"] / row["gen_weight"] for row in rows])
    down = np.array([row["gen_weight_btag_down"] / row["gen_weight"] for row in rows])
    assert np.all(up <= 1.0)
    assert np.all(down >= 1.0)
    assert up.mean() < 0.99


def test_btag_variations_of_a_cut_are_partitions(many: tuple[str, str], tmp_path: Path) -> None:
    selection = VHWWSelection(btag_mode="veto")
    result = _run(
        many, tmp_path, selection=selection, variations=VariationsConfig(("btag",), btag_relative=0.3)
    )
    flows = result.results["x"].of(WHOLE).cutflows
    assert set(flows) == {"nominal", "btag_up", "btag_down"}
    assert flows["btag_up"].counts[-1] < flows["nominal"].counts[-1] < flows["btag_down"].counts[-1]
    assert flows["btag_up"].counts[:-1] == flows["nominal"].counts[:-1]


def test_columns_are_float32_in_the_order_of_the_inputs(varied: RunResult) -> None:
    path = next(file.path for file in varied.results["x"].columns if file.variation == "jes_up")
    schema = pq.read_schema(path)
    assert [name for name in schema.names if name in FEATURES] == list(FEATURES)
    assert {str(schema.field(name).type) for name in FEATURES} == {"float"}


def test_mistakes_in_the_card_are_named() -> None:
    with pytest.raises(CardError, match="twice"):
        VariationsConfig(enabled=("jes", "jes"))
    with pytest.raises(CardError, match="jes_relative"):
        VariationsConfig(jes_relative=1.5)
