"""Calibrated jets against correctionlib called jet by jet, for each of the five eras' official files."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest

from tests.processors.calibrated import N_EVENTS, calibrated_columns
from tests.processors.fixtures import whole_chunk, write_nanoaod
from znought.errors import CardError, DataError
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical import (
    CanonicalEvents,
    calibrated_events,
    canonical_events,
    measured_makers,
    varied_events,
    varied_source,
)
from znought.processors.canonical.momenta import JET_NOISE
from znought.processors.variations import Variation, VariationsConfig


@dataclass(frozen=True)
class Official:
    """Names in the files of one era."""

    folder: str
    scale: str
    data: str
    resolution: str
    algorithm: str
    sources: tuple[str, ...]
    version: int = 9


REGROUPED = ("Total", "Regrouped_Absolute", "Regrouped_FlavorQCD", "Regrouped_HF")
ERAS = {
    "2016preVFP": Official(
        "2016preVFP_UL",
        "Summer19UL16APV_V7_MC",
        "Summer19UL16APV_RunBCD_V7_DATA",
        "Summer20UL16APV_JRV3_MC",
        "AK4PFchs",
        (*REGROUPED, "Regrouped_BBEC1_2016"),
    ),
    "2016postVFP": Official(
        "2016postVFP_UL",
        "Summer19UL16_V7_MC",
        "Summer19UL16_RunFGH_V7_DATA",
        "Summer20UL16_JRV3_MC",
        "AK4PFchs",
        REGROUPED,
    ),
    "2017": Official(
        "2017_UL",
        "Summer19UL17_V5_MC",
        "Summer19UL17_RunB_V5_DATA",
        "Summer19UL17_JRV2_MC",
        "AK4PFchs",
        REGROUPED,
    ),
    "2018": Official(
        "2018_UL",
        "Summer19UL18_V5_MC",
        "Summer19UL18_RunA_V5_DATA",
        "Summer19UL18_JRV2_MC",
        "AK4PFchs",
        (*REGROUPED, "AbsoluteStat"),
    ),
    "2022": Official(
        "2022_Summer22",
        "Summer22_22Sep2023_V2_MC",
        "Summer22_22Sep2023_RunCD_V2_DATA",
        "Summer22_22Sep2023_JRV1_MC",
        "AK4PFPuppi",
        ("Total", "AbsoluteStat"),
        12,
    ),
}


def _calibration(open_data: Path, era: str, *, is_data: bool = False) -> JetCalibration:
    official = ERAS[era]
    file = str(open_data / "pog" / official.folder / "jet_jerc.json.gz")
    if is_data:
        return JetCalibration(era, file, official.data, "", official.algorithm)
    return JetCalibration(era, file, official.scale, official.resolution, official.algorithm)


@cache
def _official(file: str) -> Any:
    return correctionlib.CorrectionSet.from_file(file)


@dataclass(frozen=True)
class ByHand:
    """Jets of one chunk, calibrated one by one with correctionlib alone."""

    calibration: JetCalibration
    columns: dict[str, Any]
    noise: np.ndarray

    def momenta(self, way: str = "nom") -> list[float]:
        """Of all jets, in order."""
        names = self.calibration
        corrections = _official(names.file)
        scale = corrections.compound[f"{names.scale}_L1L2L3Res_{names.algorithm}"]
        c, found, k = self.columns, list[float](), -1
        rho = next(values for name, values in c.items() if name.endswith("fixedGridRhoFastjetAll"))
        for i in range(N_EVENTS):
            for j in range(len(c["Jet_pt"][i])):
                k += 1
                raw = float(c["Jet_pt"][i][j]) * (1.0 - float(c["Jet_rawFactor"][i][j]))
                eta = float(c["Jet_eta"][i][j])
                given = {
                    "JetA": float(c["Jet_area"][i][j]),
                    "JetEta": eta,
                    "JetPt": raw,
                    "Rho": float(rho[i]),
                }
                pt = raw * scale.evaluate(*(given[one.name] for one in scale.inputs))
                if names.resolution:
                    pt *= self._smearing(corrections, i, j, pt, float(rho[i]), self.noise[k], way)
                found.append(pt)
        return found

    def _smearing(
        self, corrections: Any, i: int, j: int, pt: float, rho: float, noise: float, way: str
    ) -> float:
        names, c = self.calibration, self.columns
        eta, phi = float(c["Jet_eta"][i][j]), float(c["Jet_phi"][i][j])
        sigma = corrections[f"{names.resolution}_PtResolution_{names.algorithm}"].evaluate(eta, pt, rho)
        factor = corrections[f"{names.resolution}_ScaleFactor_{names.algorithm}"]
        given = {"JetEta": eta, "JetPt": pt, "systematic": way}
        sf = factor.evaluate(*(given[one.name] for one in factor.inputs))
        index = int(c["Jet_genJetIdx"][i][j])
        if index >= 0:
            gen = {name: float(c[f"GenJet_{name}"][i][index]) for name in ("pt", "eta", "phi")}
            dphi = (phi - gen["phi"] + np.pi) % (2 * np.pi) - np.pi
            if np.hypot(eta - gen["eta"], dphi) < 0.2 and abs(pt - gen["pt"]) < 3 * sigma * pt:
                return float(max(1 + (sf - 1) * (pt - gen["pt"]) / pt, 0.1))
        return float(max(1 + noise * sigma * np.sqrt(max(sf**2 - 1, 0.0)), 0.1))


def _events(tmp_path: Path, columns: dict[str, Any], era: str, **metadata: Any) -> CanonicalEvents:
    path = write_nanoaod(tmp_path / "a.root", columns)
    return canonical_events(whole_chunk(path, era=era, **metadata))


def _pt(events: CanonicalEvents) -> np.ndarray:
    found: np.ndarray = ak.to_numpy(ak.flatten(events.array.Jet.pt))
    return found


def _sources(corrections: Any, official: Official) -> list[str]:
    """Every source of the energy scale in a file: all that asks for η and pT alone, but levels."""
    before, after = f"{official.scale}_", f"_{official.algorithm}"
    names = [name for name in corrections if name.startswith(before) and name.endswith(after)]
    names = [one for one in names if [i.name for i in corrections[one].inputs] == ["JetEta", "JetPt"]]
    found = [name.removeprefix(before).removesuffix(after) for name in names]
    found = [name for name in found if not re.match(r"L\d", name)]
    reduced = [name for name in found if name.startswith("Regrouped") and name != "Regrouped_Total"]
    assert len(reduced) == (0 if official.folder.startswith("2022") else 11)
    assert len(found) > 50
    return found


@pytest.mark.parametrize("era", ERAS)
def test_jets_are_those_of_the_official_files(open_data: Path, tmp_path: Path, era: str) -> None:
    official = ERAS[era]
    columns = calibrated_columns(official.version)
    events = _events(tmp_path, columns, era)
    calibration = _calibration(open_data, era)
    calibrated = calibrated_events(events, calibration)
    hand = ByHand(calibration, columns, events.source.array(JET_NOISE))
    nominal = np.array(hand.momenta())
    assert _pt(calibrated) == pytest.approx(nominal, rel=1e-6)
    before = _pt(events)
    assert np.abs(nominal / before - 1).max() > 0.05
    mass = ak.to_numpy(ak.flatten(calibrated.array.Jet.mass))
    assert mass == pytest.approx(ak.to_numpy(ak.flatten(events.array.Jet.mass)) * nominal / before, rel=1e-6)
    corrections = _official(calibration.file)
    eta = ak.to_numpy(ak.flatten(events.array.Jet.eta))
    for source in _sources(corrections, official):
        size = corrections[f"{official.scale}_{source}_{official.algorithm}"].evaluate(eta, nominal)
        for way, sign in (("up", 1.0), ("down", -1.0)):
            variation = Variation("jes" if source == "Total" else f"jes_{source}", way, 0.02)  # type: ignore[arg-type]  # the name of a direction
            jets = varied_source(calibrated.source, variation, measured_makers(variation, calibration))
            assert jets.array("data/Jet.pt") == pytest.approx(nominal * (1 + sign * size), rel=1e-6), source
    for way in ("up", "down"):
        variation = Variation("jer", way, 0.05)  # type: ignore[arg-type]  # as above
        moved = varied_events(calibrated, variation, measured_makers(variation, calibration))
        assert _pt(moved) == pytest.approx(np.array(hand.momenta(way)), rel=1e-6)


@pytest.mark.parametrize("era", ERAS)
def test_recorded_jets_take_their_period(open_data: Path, tmp_path: Path, era: str) -> None:
    columns = calibrated_columns(ERAS[era].version)
    del columns["genWeight"]
    events = _events(tmp_path, columns, era, is_data=True)
    calibration = _calibration(open_data, era, is_data=True)
    calibrated = calibrated_events(events, calibration)
    hand = ByHand(calibration, columns, np.zeros(0))
    assert _pt(calibrated) == pytest.approx(np.array(hand.momenta()), rel=1e-6)


def test_missing_momentum_follows_the_jets(open_data: Path, tmp_path: Path) -> None:
    """By hand, of jets that are no lepton's energy deposit too."""
    columns = calibrated_columns(9)
    events = _events(tmp_path, columns, "2018")
    calibrated = calibrated_events(events, _calibration(open_data, "2018"))
    jets, moved = events.array.Jet, calibrated.array.Jet
    clean = True
    for lepton in (events.array.Electron, events.array.Muon):
        tight = lepton[lepton.is_tight & (lepton.pt > 10)]
        clean = clean & ak.all(jets.metric_table(tight) >= 0.4, axis=2)
    change = ak.where(clean, moved.pt - jets.pt, 0.0)
    met = events.array.MET
    px = met.pt * np.cos(met.phi) - ak.sum(change * np.cos(jets.phi), axis=1)
    py = met.pt * np.sin(met.phi) - ak.sum(change * np.sin(jets.phi), axis=1)
    assert calibrated.array.MET.pt.tolist() == pytest.approx(np.hypot(px, py).tolist(), rel=1e-6)
    assert np.abs(calibrated.array.MET.pt.to_numpy() - met.pt.to_numpy()).max() > 1.0


def test_a_source_of_another_year_moves_nothing(open_data: Path, tmp_path: Path) -> None:
    events = _events(tmp_path, calibrated_columns(9), "2018")
    calibration = _calibration(open_data, "2018")
    calibrated = calibrated_events(events, calibration)
    variation = Variation("jes_Regrouped_BBEC1_2017", "up", 0.02)
    moved = varied_events(calibrated, variation, measured_makers(variation, calibration))
    assert np.array_equal(_pt(moved), _pt(calibrated))


def test_what_a_file_lacks_is_named(open_data: Path, tmp_path: Path) -> None:
    columns = calibrated_columns(9)
    del columns["Jet_area"]
    events = _events(tmp_path, columns, "2018")
    calibrated = calibrated_events(events, _calibration(open_data, "2018"))
    with pytest.raises(DataError, match=r"a\.root: jets are calibrated from branch Jet_area"):
        calibrated.source.array("data/Jet.pt")
    wrong = JetCalibration("2018", _calibration(open_data, "2018").file, "Summer19UL18_V6_MC")
    with pytest.raises(CardError, match="era '2018': Unknown correction 'Summer19UL18_V6_MC_L1"):
        wrong.energy_factor(**{name: np.ones(1) for name in ("pt", "eta", "area", "rho", "run")})


def test_names_of_variations() -> None:
    measured = VariationsConfig(("jes_Regrouped_HF", "jer"), jets="measured")
    assert [one.name for one in measured.all()] == [
        "jes_Regrouped_HF_up",
        "jes_Regrouped_HF_down",
        "jer_up",
        "jer_down",
    ]
    with pytest.raises(CardError, match=r"Unknown variation 'jes_Regrouped_HF'\. Expected one of: jes"):
        VariationsConfig(("jes_Regrouped_HF",))
    with pytest.raises(CardError, match="jes holds all of its sources"):
        VariationsConfig(("jes", "jes_Regrouped_HF"), jets="measured")
