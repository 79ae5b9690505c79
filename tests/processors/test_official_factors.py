"""Official scale factors of ten objects of each era against correctionlib called one by one."""

import gzip
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pytest
from scipy.stats import binomtest

from tests.processors.test_calibration import ERAS as NAMES
from znought.errors import CardError, DataError
from znought.processors.calibration import named
from znought.processors.calibration.efficiency import Efficiency
from znought.processors.calibration.measured import Counts, efficiency_corrections
from znought.processors.calibration.named import SHAPE_SYSTEMATICS, TAGGERS, working_points
from znought.processors.calibration.official import OfficialFactor
from znought.processors.corrections import keys, ranges
from znought.processors.dialects.working_points import WORKING_POINTS

ERAS = {era: names.folder for era, names in NAMES.items()}
TAGGER = {era: "particleNet" if era == "2022" else "deepJet" for era in ERAS}
N = 10


@cache
def _set(path: Path) -> Any:
    return correctionlib.CorrectionSet.from_file(str(path))


def _random(era: str) -> dict[str, np.ndarray]:
    """Ten objects in the range of every file."""
    rng = np.random.default_rng(sum(map(ord, era)))
    eta = rng.uniform(-2.39, 2.39, N)
    return {
        "pt": rng.exponential(40.0, N) + np.where(np.arange(N) < 3, 15.0, 30.0),
        "eta": eta,
        "abs_eta": np.abs(eta),
        "supercluster_eta": eta + 0.01,
        "phi": rng.uniform(-3.0, 3.0, N),
        "flavour": np.array([0, 4, 5, 0, 4, 5, 0, 0, 4, 5]),
        "discriminant": rng.uniform(0.0, 1.0, N),
        "pileup": rng.uniform(1.0, 90.0, N),
        "is_btagged": rng.random(N) < 0.5,
    }


def _all(factor: OfficialFactor, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return factor.of_objects(given.__getitem__, N, factor.ways)


def _same(found: np.ndarray, hand: list[float]) -> None:
    assert len(found) == N
    assert found == pytest.approx(np.array(hand), rel=1e-6)


@pytest.mark.parametrize("era", ERAS)
def test_pileup_and_leptons(open_data: Path, era: str) -> None:
    folder, given = open_data / "pog" / ERAS[era], _random(era)
    (pileup,) = _set(folder / "puWeights.json.gz").values()
    found = _all(named.pileup("pu", era, str(folder / "puWeights.json.gz")), given)
    for way in ("nominal", "up", "down"):
        _same(found[way], [pileup.evaluate(float(n), way) for n in given["pileup"]])

    file = folder / "electron.json.gz"
    (electron,) = _set(file).values()
    year = "2022Re-recoBCD" if era == "2022" else era
    for name in ("Reco", "wp90iso", "Tight"):
        found = _all(named.electron("e", era, str(file), objects="electrons", name=name), given)
        for way, value in (("nominal", "sf"), ("up", "sfup"), ("down", "sfdown")):
            hand = []
            for eta, pt in zip(given["supercluster_eta"], given["pt"], strict=True):
                above = ("Reco20to75" if pt < 75 else "RecoAbove75") if era == "2022" else "RecoAbove20"
                point = ("RecoBelow20" if pt < 20 else above) if name == "Reco" else name
                hand.append(electron.evaluate(year, value, point, float(eta), float(pt)))
            _same(found[way], hand)

    file = folder / "muon_Z.json.gz"
    iso = "NUM_TightPFIso_DEN_TightID" if era == "2022" else "NUM_TightRelIso_DEN_TightIDandIPCut"
    path = {"2016preVFP": "IsoMu24_or_IsoTkMu24", "2016postVFP": "IsoMu24_or_IsoTkMu24", "2017": "IsoMu27"}
    trigger = f"NUM_{path.get(era, 'IsoMu24')}_DEN_CutBasedIdTight_and_PFIsoTight"
    for name in ("NUM_TightID_DEN_TrackerMuons", iso, trigger):
        muon = _set(file)[name]
        momenta = given | {"pt": given["pt"] + (30.0 if name == trigger else 0.0)}
        pairs = [*zip(momenta["eta"], momenta["pt"], strict=True)]
        found = _all(named.muon("m", era, str(file), objects="muons", name=name), momenta)
        central, stat, syst = (
            np.array([muon.evaluate(float(eta), float(pt), way) for eta, pt in pairs])
            for way in ("nominal", "stat", "syst")
        )
        _same(found["nominal"], [*central])
        _same(found["stat_up"], [*(central + stat)])
        _same(found["stat_down"], [*(central - stat)])
        _same(found["syst_down"], [*(central - syst)])
        total = named.muon("m", era, str(file), objects="muons", name=name, uncertainty="total")
        # The file's total is both in quadrature: neither part counts twice.
        _same(_all(total, momenta)["up"], [*(central + np.hypot(stat, syst))])


@pytest.mark.parametrize("era", ERAS)
def test_jets(open_data: Path, tmp_path: Path, era: str) -> None:
    file, given = open_data / "pog" / ERAS[era] / "btagging.json.gz", _random(era)
    corrections, tagger = _set(file), TAGGER[era]
    light = "light" if era == "2022" else "incl"
    jets = [*zip(given["flavour"].tolist(), given["abs_eta"], given["pt"], strict=True)]

    def points(heavy: str, flat: str, kind: str = "comb") -> list[float]:
        return [
            corrections[f"{tagger}_{kind if flavour else light}"].evaluate(
                heavy if flavour else flat, "M", flavour, float(eta), float(pt)
            )
            for flavour, eta, pt in jets
        ]

    factor = named.btag_points("b", era, str(file), objects="jets", tagger=tagger, working_point="M")
    found = _all(factor, given)
    _same(found["nominal"], points("central", "central"))
    _same(found["heavy_correlated_up"], points("up_correlated", "central"))
    _same(found["heavy_uncorrelated_down"], points("down_uncorrelated", "central"))
    if era == "2022":
        assert "light_correlated_up" not in found
        _same(found["light_uncorrelated_up"], points("central", "up"))
    else:
        _same(found["light_correlated_up"], points("central", "up_correlated"))
    options: dict[str, Any] = {"objects": "jets", "tagger": tagger, "working_point": "M"}
    other = named.btag_points("b", era, str(file), heavy="mujets", uncertainty="total", **options)
    _same(_all(other, given)["heavy_down"], points("down", "central", "mujets"))
    shape = named.btag_shape("b", era, str(file), objects="jets", tagger=tagger)
    found = _all(shape, given)
    assert len(found) == 1 + 2 * len(SHAPE_SYSTEMATICS)
    for way in ("central", "up_hf", "down_cferr1", "up_lfstats2"):
        known = {5, 0} if way != "central" and "cf" not in way else {4} if "cf" in way else {0, 4, 5}
        part = "_".join(reversed(way.split("_"))) if "_" in way else "nominal"
        hand = [
            corrections[f"{tagger}_shape"].evaluate(
                way if flavour in known else "central", flavour, float(eta), float(pt), float(disc)
            )
            for (flavour, eta, pt), disc in zip(jets, given["discriminant"], strict=True)
        ]
        _same(found[part], hand)


@pytest.mark.parametrize("era", ERAS)
def test_working_points_are_those_of_the_file(open_data: Path, era: str) -> None:
    """Of every tagger, read without correctionlib, too; the built-in ones are the loose ones of the file."""
    file = open_data / "pog" / ERAS[era] / "btagging.json.gz"
    content = {
        one["name"]: one["data"] for one in json.loads(gzip.decompress(file.read_bytes()))["corrections"]
    }
    taggers = [name.removesuffix("_wp_values") for name in content if name.endswith("_wp_values")]
    assert len(taggers) >= 2
    for tagger in taggers:
        read = {item["key"]: item["value"] for item in content[f"{tagger}_wp_values"]["content"]}
        assert working_points(str(file), tagger) == read
        built_in = WORKING_POINTS.get(TAGGERS[tagger], {})
        assert built_in.get(era, read["L"]) == read["L"]


def test_a_tagged_jet_has_its_factor_and_another_what_is_left(open_data: Path, tmp_path: Path) -> None:
    """Method 1a: f of tagged jets, (1 − f ε)/(1 − ε) of others."""
    file, given = open_data / "pog/2018_UL/btagging.json.gz", _random("2018")
    every = np.full((1, 2), 100.0)
    counts = {
        flavour: Counts(every, every, every * np.array([[share, 2 * share]]))
        for flavour, share in ((0, 0.05), (4, 0.15), (5, 0.4))
    }
    made, remarks = efficiency_corrections({"tt": counts}, ((0.0, 2.5), (20.0, 50.0, 100.0)))
    assert remarks == []
    (tmp_path / "e.json").write_text(made.model_dump_json(exclude_unset=True))
    plain = named.btag_points("b", "2018", str(file), objects="jets", tagger="deepJet", working_point="M")
    factor = replace(plain, efficiency=Efficiency(str(tmp_path / "e.json"), "tt"))
    scale = _all(plain, given)["light_correlated_up"]
    share = np.array([{0: 0.05, 4: 0.15, 5: 0.4}[flavour] for flavour in given["flavour"].tolist()])
    e = share * np.where(given["pt"] < 50.0, 1.0, 2.0)
    expected = np.where(given["is_btagged"], scale, (1 - scale * e) / (1 - e))
    assert _all(factor, given)["light_correlated_up"] == pytest.approx(expected)
    assert 0 < given["is_btagged"].sum() < N
    lost = replace(factor, efficiency=Efficiency(str(tmp_path / "e.json"), "t"))
    with pytest.raises(DataError, match=r"correction 'btag_efficiency' of .* has no value"):
        _all(lost, given)


def test_bins_with_few_jets_take_a_wider_efficiency() -> None:
    def counts(n: float, tagged: float) -> Counts:
        every = np.array([[100.0, n]])
        return Counts(every, every, np.array([[30.0, tagged]]))

    two, nothing = np.array([[2.0, 1.0]]), np.zeros((1, 2))
    few, none, many = Counts(two, two, two), Counts(nothing, nothing, nothing), counts(50.0, 20.0)
    samples = {"a": {0: counts(10.0, 9.0), 4: few, 5: none}, "b": {0: many, 4: many, 5: none}}
    made, remarks = efficiency_corrections(samples, ((0.0, 2.5), (20.0, 50.0, 100.0)))
    found = made.to_evaluator()["btag_efficiency"].evaluate
    assert found("a", 0, 1.0, 70.0) == pytest.approx(39 / 110)  # all bins of the sample's flavour
    assert found("a", 4, 1.0, 70.0) == pytest.approx((2 + 1 + 50) / (2 + 1 + 150))  # all samples
    assert found("b", 0, 1.0, 70.0) == pytest.approx(0.4)
    assert [line.split(":")[0] for line in remarks] == ["a", "a", "a", "b"]
    # Ends of the interval: of 20 out of 50 as scipy has it, and none where there are too few jets.
    ends = made.to_evaluator()["btag_efficiency_interval"].evaluate
    known = binomtest(20, 50).proportion_ci(0.6826894921370859, method="exact")
    assert [ends(way, "b", 0, 1.0, 70.0) for way in ("down", "up")] == pytest.approx([known.low, known.high])
    assert {ends(way, "a", 0, 1.0, 70.0) for way in ("down", "up")} == {-1.0}
    with pytest.raises(IndexError):
        found("a", 5, 1.0, 70.0)


def test_ranges_are_the_files_own(open_data: Path) -> None:
    folder = open_data / "pog/2022_Summer22"
    muon = ranges(str(folder / "muon_Z.json.gz"), "NUM_TightID_DEN_TrackerMuons", {})
    assert (muon["eta"].low, muon["eta"].high, muon["eta"].is_of_size) == (0.0, 2.4, True)
    assert muon["pt"].low == 15.0
    file = str(folder / "electron.json.gz")
    middle = ranges(file, "Electron-ID-SF", {"WorkingPoint": "Reco20to75"})
    assert (middle["pt"].low, middle["pt"].high) == (20.0, 75.0)
    assert keys(file, "Electron-ID-SF", "year") == ("2022Re-recoBCD",)
    assert ranges(str(folder / "btagging.json.gz"), "particleNet_light", {}).keys() == {"abseta"}


@pytest.mark.parametrize("pt", [9.9, 5.25])
def test_electrons_below_the_file_are_refused_with_all_names(open_data: Path, pt: float) -> None:
    file = str(open_data / "pog/2018_UL/electron.json.gz")
    given = _random("2018") | {"pt": np.full(N, 30.0)}
    given["pt"][3] = pt
    for name in ("Reco", "wp80iso"):
        factor = named.electron("ele", "2018", file, objects="electrons", name=name)
        message = (
            r"era '2018': weights\.ele: correction UL-Electron-ID-SF of electron\.json\.gz has values for pt "
            rf"from 10 to inf; 1 of 10 objects lie outside, the first at {pt}"
        )
        with pytest.raises(DataError, match=message):
            _all(factor, given)
        clamped = _all(named.electron("ele", "2018", file, objects="e", name=name, outside="clamp"), given)
        edge = given | {"pt": np.where(given["pt"] < 10.0, 10.0, given["pt"])}
        assert clamped["nominal"] == pytest.approx(_all(factor, edge)["nominal"])
        left = _all(named.electron("ele", "2018", file, objects="e", name=name, outside="one"), given)
        assert left["up"][3] == left["nominal"][3] == 1.0


@pytest.mark.parametrize("era", ERAS)
def test_traps_of_every_file_are_refused_or_clamped(open_data: Path, era: str) -> None:
    """Muons beyond |η| = 2.4 and below 15 GeV, electrons below 10 GeV, b-tags beyond |η| = 2.5."""
    given = _random(era) | {"pt": np.full(N, 40.0)}
    for kind, variable, beyond, edge in (
        ("muon", "eta", 2.45, np.nextafter(2.4, 0.0)),
        ("muon", "pt", 14.0, 15.0),
        ("electron", "pt", 9.0, 10.0),
        ("btag", "abs_eta", 2.6, np.nextafter(2.5, 0.0)),
    ):
        values = given[variable].copy()
        values[3] = beyond
        outside, at_edge = (
            given | {variable: values},
            given | {variable: np.where(values == beyond, edge, values)},
        )
        refusing, clamping, leaving = (_trap(open_data, era, kind, way) for way in ("refuse", "clamp", "one"))
        with pytest.raises(
            DataError, match=rf"era '{era}': weights\.w: correction .* of {kind}.*json\.gz has val"
        ):
            _all(refusing, outside)
        assert _all(clamping, outside)["nominal"] == pytest.approx(
            _all(refusing, at_edge)["nominal"], rel=1e-6
        )
        assert _all(leaving, outside)["nominal"][3] == 1.0


def _trap(open_data: Path, era: str, kind: str, outside: Any) -> OfficialFactor:
    name = {"muon": "muon_Z", "electron": "electron", "btag": "btagging"}[kind]
    file = str(open_data / "pog" / ERAS[era] / f"{name}.json.gz")
    if kind == "muon":
        chosen = "NUM_TightID_DEN_TrackerMuons"
        return named.muon("w", era, file, objects="muons", name=chosen, outside=outside)
    if kind == "electron":
        return named.electron("w", era, file, objects="electrons", name="wp80iso", outside=outside)
    options: dict[str, Any] = {"tagger": TAGGER[era], "working_point": "M", "outside": outside}
    return named.btag_points("w", era, file, objects="jets", **options)


def test_a_variation_without_its_up_is_refused(open_data: Path, tmp_path: Path) -> None:
    content = json.loads(gzip.decompress((open_data / "pog/2018_UL/puWeights.json.gz").read_bytes()))
    node = content["corrections"][0]["data"]
    node["content"] = [item for item in node["content"] if item["key"] != "up"]
    (tmp_path / "pu.json").write_text(json.dumps(content))
    with pytest.raises(CardError, match=r"Unknown weights of 'Collisions18_UltraLegacy_goldenJSON' 'up'"):
        named.pileup("pu", "2018", str(tmp_path / "pu.json"))
