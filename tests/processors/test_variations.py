"""Variations run through the whole chain and move what they should, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.processors.fixtures import vh_ww_processor
from znought.analyses.vh_ww.selection import VHWWSelection, cut_weight
from znought.analyses.vh_ww.variables import FEATURES
from znought.errors import CardError
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.evaluated import WHOLE
from znought.processors.objects import Jets
from znought.processors.variations import Variation, VariationsConfig, shift_tagging

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
    names = {f"{name}_{way}" for name in ("jes", "lepton_scale", "met_soft") for way in ("up", "down")}
    names.add("jer_up")
    assert set(varied.results["x"].of(WHOLE).cutflows) == {"nominal", *names}
    assert {file.variation for file in varied.results["x"].columns} == {"nominal", *names}


@pytest.mark.parametrize(
    ("name", "untouched", "moved"),
    [
        ("jes_up", (*_LEPTON, "met_track"), ("pt_j0", "pt_j1", "m_jj", "ht_soft", "m_t", "pt_total_track")),
        ("jer_up", (*_LEPTON, "met_track"), ("pt_j0", "m_jj", "met", "met_significance")),
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


def test_resolution_becomes_worse_and_has_no_down(varied: RunResult) -> None:
    nominal, up = (_columns(varied, name) for name in ("nominal", "jer_up"))
    # With exactly two jets in both, smearing cannot swap which jets lead.
    common = [e for e in nominal if e in up and {run[e]["n_jets"] for run in (nominal, up)} == {2}]
    shift = np.array([up[e]["sum_m_lj"] / nominal[e]["sum_m_lj"] - 1.0 for e in common])
    assert 0.005 < np.std(shift) < 0.05
    assert abs(np.mean(shift)) < 4 * np.std(shift) / np.sqrt(len(shift))
    assert "jer_down" not in varied.results["x"].of(WHOLE).cutflows
    assert VariationsConfig().directions("jer") == ("up",)
    assert VariationsConfig().directions("jes") == ("up", "down")


def test_resolution_noise_is_of_the_event_and_not_of_the_chunk(
    varied: RunResult, many: tuple[str, str], tmp_path: Path
) -> None:
    processor = vh_ww_processor(tmp_path, variations=VariationsConfig(("jer",)))
    again = process_fileset(None, {"x": {"files": list(many)}}, processor, chunk_size=4000)
    assert _columns(again, "jer_up") == _columns(varied, "jer_up")


def test_btag_variations_are_weights_of_the_nominal_columns(varied: RunResult) -> None:
    rows = list(_columns(varied, "nominal").values())
    up = np.array([row["gen_weight_btag_up"] / row["gen_weight"] for row in rows])
    down = np.array([row["gen_weight_btag_down"] / row["gen_weight"] for row in rows])
    assert np.all(up <= 1.0)
    assert np.all(down >= 1.0)
    assert up.mean() < 0.99


def test_btag_variations_of_flavours_share_the_whole(many: tuple[str, str], tmp_path: Path) -> None:
    relative = 1e-3
    config = VariationsConfig(
        ("btag_heavy", "btag_light"), btag_heavy_relative=relative, btag_light_relative=relative
    )
    apart = list(_columns(_run(many, tmp_path / "apart", variations=config), "nominal").values())
    together = VariationsConfig(("btag",), btag_relative=relative)
    whole = list(_columns(_run(many, tmp_path / "whole", variations=together), "nominal").values())

    def change(rows: list[dict[str, float]], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([row[f"gen_weight_{name}_up"] / row["gen_weight"] - 1.0 for row in rows])

    heavy, light = change(apart, "btag_heavy"), change(apart, "btag_light")
    assert heavy + light == pytest.approx(change(whole, "btag"), abs=1e-5)
    assert np.mean(heavy) < 1.5 * np.mean(light) < 0  # two of the three flavours of the files


@pytest.mark.parametrize("name", ["btag", "btag_heavy", "btag_light"])
def test_btag_variations_act_on_a_cut(many: tuple[str, str], tmp_path: Path, name: str) -> None:
    selection = VHWWSelection(btag_mode="veto")
    config = VariationsConfig((name,), btag_relative=0.3, btag_heavy_relative=0.3, btag_light_relative=0.3)
    result = _run(many, tmp_path, selection=selection, variations=config)
    flows = result.results["x"].of(WHOLE).cutflows
    assert set(flows) == {"nominal", f"{name}_up", f"{name}_down"}
    sums = [float(flows[way].sumw[-1]) for way in (f"{name}_up", "nominal", f"{name}_down")]
    assert sums[0] < sums[1] < sums[2]
    assert flows[f"{name}_up"].counts[:-1] == flows["nominal"].counts[:-1]
    # Events without a tag keep their weight; the others come in with what the change is worth.
    nominal, up = _columns(result, "nominal"), _columns(result, f"{name}_up")
    assert set(nominal) < set(up)
    assert all(up[event]["gen_weight"] == row["gen_weight"] for event, row in nominal.items())


def test_a_cut_varies_as_the_probability_does() -> None:
    """E[Π (−s)^k] = Π (1 − (1 + s) ε): the weights of a cut, averaged over tags, are those of the weights."""
    rng = np.random.default_rng(3)
    n_events, n_jets, shift = 200_000, 3, 0.3
    efficiency = rng.uniform(0.05, 0.8, (n_jets,))
    tagged = rng.uniform(size=(n_events, n_jets)) < efficiency
    jets = _jets_of(np.where(tagged, 1.0, 0.0))
    up = Variation("btag", "up", shift)
    flavour = np.zeros(n_events * n_jets, np.int64)
    weights = cut_weight(shift_tagging(jets, up, lambda: flavour), VHWWSelection(), working_point=0.5)
    expected = float(np.prod(1 - (1 + shift) * efficiency))
    assert np.mean(weights) == pytest.approx(expected, abs=4 * np.std(weights) / np.sqrt(n_events))
    heavy_only = Variation("btag_heavy", "up", shift)
    unchanged = cut_weight(
        shift_tagging(jets, heavy_only, lambda: flavour), VHWWSelection(), working_point=0.5
    )
    assert np.array_equal(unchanged, cut_weight(jets, VHWWSelection(), working_point=0.5))


def _jets_of(btag: np.ndarray[Any, np.dtype[np.float64]]) -> Jets:
    """Events of equally many central jets with the given discriminants, shape (n_events, n_jets)."""
    n_events, n_jets = btag.shape
    ones = np.ones(btag.size)
    counts = np.full(n_events, n_jets)
    return Jets(counts, 50 * ones, 0 * ones, 0 * ones, 5 * ones, ones > 0, btag.ravel(), np.arange(btag.size))


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
    with pytest.raises(CardError, match="btag holds btag_heavy"):
        VariationsConfig(enabled=("btag", "btag_light"))
    with pytest.raises(CardError, match="lepton_scale holds electron_scale and muon_scale; name it or them"):
        VariationsConfig(("muon_scale", "lepton_scale"))
