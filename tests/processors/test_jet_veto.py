"""Regions in which jets are not to be trusted: the official map of each era, called directly beside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.errors import CardError, DataError
from znought.processors.canonical import canonical_events
from znought.processors.chunk import Chunk
from znought.processors.quality.jet_veto import JetVeto, check_map, in_region
from znought.processors.quality.judged import CLEAN, Judged, Quality, judged

MAPS = {
    "2016preVFP": ("2016preVFP_UL", "Summer19UL16_V1"),
    "2016postVFP": ("2016postVFP_UL", "Summer19UL16_V1"),
    "2017": ("2017_UL", "Summer19UL17_V1"),
    "2018": ("2018_UL", "Summer19UL18_V1"),
    "2022": ("2022_Summer22", "Summer22_23Sep2023_RunCD_V1"),
}


def _veto(open_data: Path, era: str, **changes: Any) -> JetVeto:
    folder, name = MAPS[era]
    file = str(open_data / "pog" / folder / "jetvetomaps.json.gz")
    return replace(JetVeto(era, file, name), **changes)


@pytest.mark.parametrize("era", MAPS)
def test_directions_equal_those_of_the_file(open_data: Path, era: str) -> None:
    veto = _veto(open_data, era)
    check_map(veto)
    direct = correctionlib.CorrectionSet.from_file(veto.file)[veto.correction]
    rng = np.random.default_rng(4)
    eta, phi = rng.uniform(-5.19, 5.19, 4000), rng.uniform(-3.1415, 3.1415, 4000)
    inside, beyond = in_region(veto.file, veto.correction, "jetvetomap", eta, phi)
    assert inside.tolist() == [
        direct.evaluate("jetvetomap", *one) != 0.0 for one in zip(eta, phi, strict=True)
    ]
    assert 10 < inside.sum() < 400
    assert not beyond.any()
    # φ comes round, in the precision of a file too; η beyond the map vetoes nothing.
    again, _ = in_region(veto.file, veto.correction, "jetvetomap", eta, phi + 2 * np.pi)
    assert (again == inside).all()
    edge = np.array([np.pi, -np.pi, 3.0, 0.0], np.float32)
    assert in_region(veto.file, veto.correction, "jetvetomap", np.array([0.1, 0.1, 5.3, -5.2]), edge)[
        1
    ].tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_the_map_of_2018_holds_hem(open_data: Path) -> None:
    """So that HEM 15/16 apart, for runs from 319077 on, needs the maps without it."""
    veto = _veto(open_data, "2018")
    eta, phi = (axis.ravel() for axis in np.meshgrid(np.linspace(-5, 5, 101), np.linspace(-3.1, 3.1, 63)))
    regions = {
        kind: in_region(veto.file, veto.correction, f"jetvetomap{kind}", eta, phi)[0]
        for kind in ("", "_hot", "_hem1516", "_hbp2m1")
    }
    assert (regions[""] == (regions["_hot"] | regions["_hem1516"] | regions["_hbp2m1"])).all()
    assert regions["_hem1516"].sum() > 50


def _chunk(
    path: Path, jets: list[list[tuple[float, float, float]]], *, muons: Any = None, **metadata: Any
) -> Chunk:
    """Events of jets (pT, η, φ)."""
    n_events = len(jets)
    columns = events(n_events, seed=3, is_data=bool(metadata.get("is_data", False)))
    fields = {
        name: ak.Array([[jet[i] for jet in jets_] for jets_ in jets])
        for i, name in enumerate(("pt", "eta", "phi"))
    }
    made = ak.zip({name: ak.values_astype(values, np.float32) for name, values in fields.items()})
    made = ak.with_field(made, ak.zeros_like(made.pt), "mass")
    made = ak.with_field(made, ak.zeros_like(made.pt), "btagDeepFlavB")
    made = ak.with_field(made, ak.values_astype(ak.full_like(made.pt, 2), np.int32), "jetId")
    for name in ("chEmEF", "neEmEF"):
        made = ak.with_field(made, ak.full_like(made.pt, 0.3), name)
    columns |= {"Jet": made, "run": np.full(n_events, metadata.pop("run", 1), np.uint32)}
    del columns["SoftActivity_ht"]
    if muons is not None:
        columns["Muon"] = muons
    return whole_chunk(write_nanoaod(path, columns), era="2018", **metadata)


HEM = (100.0, -2.0, -1.2)
GOOD = (100.0, 0.3, 0.2)


def _judged(chunk: Chunk, **vetoes: JetVeto) -> Judged:
    rows = tuple(name for name, veto in vetoes.items() if veto.drops == "events")
    return judged(chunk, Quality("2018", rows, jet_vetoes=vetoes))


def test_events_with_a_jet_in_the_region_do_not_count(tmp_path: Path, open_data: Path) -> None:
    veto = _veto(open_data, "2018")
    jets = [[GOOD], [GOOD, HEM], [(16.0, *HEM[1:])], [(14.0, *HEM[1:])], [], [(100.0, 5.3, 0.0)]]
    chunk = _chunk(tmp_path / "a.root", jets)
    found = _judged(chunk, jet_veto=veto)
    assert found.kept.tolist() == [True, False, False, True, True, True]
    assert found.rows == ("jet_veto",)
    assert found.passed.tolist() == [1, 0, 0, 1, 1, 1]
    assert chunk.declared["Summer19UL18_V1 jetvetomap"] == (
        "era '2018': jets beyond the map of jetvetomaps.json.gz are not vetoed"
    )
    # A jet of which most is electromagnetic is not asked, and no jet that fails the identification.
    assert _judged(chunk, jet_veto=replace(veto, em_fraction_max=0.5)).kept.all()
    assert not _judged(chunk, jet_veto=replace(veto, em_fraction_max=0.9)).kept.all()
    flagged = _chunk(tmp_path / "b.root", jets, jet_id="tight_lepton_veto")
    assert _judged(flagged, jet_veto=veto).kept.all()


def test_a_jet_at_a_muon_is_none(tmp_path: Path, open_data: Path) -> None:
    def muon(eta: float, phi: float) -> dict[str, float]:
        return {"pt": 20.0, "eta": eta, "phi": phi, "charge": 1, "pfRelIso03_all": 0.1}

    near, far, at_good = muon(-1.9, -1.1), muon(-1.7, -1.2), muon(0.3, 0.2)
    muons = ak.Array([[at_good], [at_good, near], [far], [far, near], []])
    chunk = _chunk(tmp_path / "a.root", [[GOOD, HEM], [GOOD, HEM], [HEM], [HEM], [HEM]], muons=muons)
    assert _judged(chunk, jet_veto=_veto(open_data, "2018")).kept.tolist() == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_jets_alone_may_be_dropped(tmp_path: Path, open_data: Path) -> None:
    jets = [[GOOD, HEM], [HEM], [GOOD], [GOOD, GOOD]]
    chunk = _chunk(tmp_path / "a.root", jets)
    found = _judged(chunk, jet_veto=_veto(open_data, "2018", drops="jets"))
    assert found.kept.all()
    assert found.rows == ()
    for counting in (found.chunk, found.chunk.counting(np.array([True, True, False, True]))):
        good = canonical_events(counting).array.Jet.is_good.tolist()
        expected = [[True, False], [False], [True], [True, True]]
        assert good == (expected if len(counting.view) == 4 else [*expected[:2], expected[3]])
    view = found.chunk.view.only(np.array([1, 3]))
    assert found.chunk.dialect.jets(view, np.zeros(3)).usable.tolist() == [False, True, True]


def test_hem_applies_from_a_run_on_and_to_a_share_of_simulation(tmp_path: Path, open_data: Path) -> None:
    hem = _veto(open_data, "2018", types=("jetvetomap_hem1516",), first_run=319077, simulated_share=0.65)
    jets = [[HEM]] * 2000
    for run, kept in ((319076, True), (319077, False), (325175, False)):
        chunk = _chunk(tmp_path / f"{run}.root", jets[:5], is_data=True, run=run)
        assert (_judged(chunk, hem=hem).kept == kept).all()
    chunk = _chunk(tmp_path / "mc.root", jets)
    found = _judged(chunk, hem=hem).kept
    assert found.mean() == pytest.approx(0.35, abs=3 * np.sqrt(0.35 * 0.65 / 2000))
    # The same events whatever stands beside them.
    part = chunk.counting(np.arange(2000) % 3 == 0)
    assert (_judged(part, hem=hem).kept == found[::3]).all()
    assert _judged(chunk, hem=replace(hem, simulated_share=0.0)).kept.all()


def test_jets_of_events_that_do_not_count_are_not_read(tmp_path: Path, open_data: Path) -> None:
    columns = events(50, seed=3)
    columns["Jet"] = ak.with_field(
        columns["Jet"], ak.where(ak.local_index(columns["Jet"].pt, 0) == 7, np.nan, columns["Jet"].eta), "eta"
    )
    columns["Flag_a"] = np.arange(50) != 7
    path = write_nanoaod(tmp_path / "a.root", columns)
    quality = Quality(
        "2018", (CLEAN, "veto"), filters=("Flag_a",), jet_vetoes={"veto": _veto(open_data, "2018")}
    )
    found = judged(whole_chunk(path), quality)
    assert not found.kept[7]
    assert found.passed[7] == 0
    with pytest.raises(DataError, match="entry 7"):
        judged(whole_chunk(path), replace(quality, rows=("veto",)))


def test_mistakes_name_map_and_file(tmp_path: Path, open_data: Path) -> None:
    with pytest.raises(
        CardError, match=r"Summer19UL18_V1 of .*json\.gz: Unknown type 'jetvetomap_hem', did you"
    ):
        check_map(_veto(open_data, "2018", types=("jetvetomap_hem",)))
    with pytest.raises(CardError, match=r"Unknown correction 'Summer19UL17_V1'"):
        check_map(_veto(open_data, "2018", correction="Summer19UL17_V1"))
    path = write_nanoaod(tmp_path / "a.root", events(20, seed=1))
    with pytest.raises(DataError, match=r"a\.root: era '2018' vetoes jets by their electromagnetic share"):
        _judged(whole_chunk(path), veto=_veto(open_data, "2018", em_fraction_max=0.9))
