"""Missing transverse momentum of type 1 by hand, event by event, with each era's official files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from tests.processors.calibrated import N_EVENTS, calibrated_columns
from tests.processors.fixtures import whole_chunk, write_nanoaod
from tests.processors.test_calibration import ERAS, ByHand, _official
from znought.errors import DataError
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical import calibrated_events, canonical_events, measured_makers, varied_events
from znought.processors.canonical.momenta import JET_NOISE
from znought.processors.variations import Variation

FIRST = 10
"""Events that are worked out by hand."""
RAW = {era: "RawPuppiMET" if era == "2022" else "RawMET" for era in ERAS}


def met_columns(era: str) -> dict[str, Any]:
    """NanoAOD columns with the uncorrected missing momentum, its jets, and their muons and photons."""
    columns = calibrated_columns(ERAS[era].version)
    rng = np.random.default_rng(len(era))
    counts = ak.num(columns["Jet_pt"])
    n_jets = int(ak.sum(counts))
    for name, values in (
        ("muonSubtrFactor", np.where(rng.random(n_jets) < 0.2, rng.uniform(0.0, 0.9, n_jets), 0.0)),
        ("neEmEF", rng.uniform(0.0, 0.9, n_jets)),
        ("chEmEF", np.where(rng.random(n_jets) < 0.2, rng.uniform(0.0, 0.9, n_jets), 0.0)),
    ):
        columns[f"Jet_{name}"] = ak.unflatten(values.astype(np.float32), counts)
    low = rng.poisson(3.0, N_EVENTS)
    n_low = int(low.sum())
    for name, values in (
        ("rawPt", rng.uniform(5.0, 25.0, n_low)),
        ("eta", rng.uniform(-4.5, 4.5, n_low)),
        ("phi", rng.uniform(-3.1, 3.1, n_low)),
        ("area", rng.uniform(0.4, 0.6, n_low)),
        ("muonSubtrFactor", np.where(rng.random(n_low) < 0.2, 0.5, 0.0)),
    ):
        columns[f"CorrT1METJet_{name}"] = ak.unflatten(values.astype(np.float32), low)
    columns[f"{RAW[era]}_pt"] = rng.exponential(40.0, N_EVENTS).astype(np.float32)
    columns[f"{RAW[era]}_phi"] = rng.uniform(-3.1, 3.1, N_EVENTS).astype(np.float32)
    for axis in "XY":
        columns[f"MET_MetUnclustEnUpDelta{axis}"] = rng.normal(0.0, 5.0, N_EVENTS).astype(np.float32)
    for name in ("PuppiMET_pt", "PuppiMET_ptUnclusteredUp", "PuppiMET_ptUnclusteredDown"):
        columns[name] = rng.exponential(40.0, N_EVENTS).astype(np.float32)
    for name in ("PuppiMET_phi", "PuppiMET_phiUnclusteredUp", "PuppiMET_phiUnclusteredDown"):
        columns[name] = rng.uniform(-3.1, 3.1, N_EVENTS).astype(np.float32)
    return columns


def _by_hand(
    columns: dict[str, Any],
    era: str,
    calibration: JetCalibration,
    momenta: tuple[list[float], list[float]],
    sign: float,
) -> np.ndarray:
    """px and py of each event, jet by jet, the total energy scale moved; of smeared and plain ones."""
    names, corrections = ERAS[era], _official(calibration.file)
    scale = corrections.compound[f"{names.scale}_L1L2L3Res_{names.algorithm}"]
    first = corrections[f"{names.scale}_L1FastJet_{names.algorithm}"]
    size = corrections[f"{names.scale}_Total_{names.algorithm}"]
    rho = next(values for name, values in columns.items() if name.endswith("fixedGridRhoFastjetAll"))
    (smeared, unsmeared), found, k = momenta, [], -1
    for i in range(FIRST):
        pt, phi = (float(columns[f"{RAW[era]}_{name}"][i]) for name in ("pt", "phi"))
        met = pt * np.array([np.cos(phi), np.sin(phi)])
        jets = [
            {name: float(columns[f"Jet_{name}"][i][j]) for name in ("pt", "eta", "phi", "area", "rawFactor")}
            | {name: float(columns[f"Jet_{name}"][i][j]) for name in ("muonSubtrFactor", "neEmEF", "chEmEF")}
            for j in range(len(columns["Jet_pt"][i]))
        ]
        for jet in jets:
            k += 1
            rest = 1.0 - jet["muonSubtrFactor"]
            raw, eta = jet["pt"] * (1.0 - jet["rawFactor"]), jet["eta"]
            if unsmeared[k] * rest <= 15.0 or jet["neEmEF"] + jet["chEmEF"] >= 0.9:
                continue
            given = {"JetA": jet["area"], "JetEta": eta, "JetPt": raw, "Rho": float(rho[i])}
            offset = raw * first.evaluate(*(given[one.name] for one in first.inputs))
            full = smeared[k] * (1.0 + sign * size.evaluate(eta, smeared[k]))
            met -= rest * (full - offset) * np.array([np.cos(jet["phi"]), np.sin(jet["phi"])])
        for j in range(len(columns["CorrT1METJet_rawPt"][i])):
            raw, eta, phi, area, muon = (
                float(columns[f"CorrT1METJet_{name}"][i][j])
                for name in ("rawPt", "eta", "phi", "area", "muonSubtrFactor")
            )
            given = {"JetA": area, "JetEta": eta, "JetPt": raw, "Rho": float(rho[i])}
            full = raw * (1 - muon) * scale.evaluate(*(given[one.name] for one in scale.inputs))
            if full > 15.0:
                offset = raw * (1 - muon) * first.evaluate(*(given[one.name] for one in first.inputs))
                full *= 1.0 + sign * size.evaluate(eta, full)
                met -= (full - offset) * np.array([np.cos(phi), np.sin(phi)])
        found.append(met)
    return np.array(found).T


def _vector(events: Any) -> np.ndarray:
    met = events.array.MET
    return np.stack([met.pt * np.cos(met.phi), met.pt * np.sin(met.phi)])[:, :FIRST]


@pytest.mark.parametrize("era", ERAS)
def test_type_one_is_that_of_the_official_files(open_data: Path, tmp_path: Path, era: str) -> None:
    names, columns = ERAS[era], met_columns(era)
    file = str(open_data / "pog" / names.folder / "jet_jerc.json.gz")
    calibration = JetCalibration(era, file, names.scale, names.resolution, names.algorithm, RAW[era])
    plain = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns), era=era))
    calibrated = calibrated_events(plain, calibration)
    noise = plain.source.array(JET_NOISE)
    unsmearing = replace(calibration, resolution="")
    momenta = (ByHand(calibration, columns, noise).momenta(), ByHand(unsmearing, columns, noise).momenta())
    nominal = _by_hand(columns, era, calibration, momenta, 0.0)
    assert _vector(calibrated) == pytest.approx(nominal, rel=1e-6, abs=1e-6)
    for way, sign in (("up", 1.0), ("down", -1.0)):
        variation = Variation("jes", way, 0.02)  # type: ignore[arg-type]  # the name of a direction
        moved = varied_events(calibrated, variation, measured_makers(variation, calibration))
        expected = _by_hand(columns, era, calibration, momenta, sign)
        assert _vector(moved) == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert np.abs(expected - nominal).max() > 1.0
        variation = Variation("met_soft", way, 0.1)  # type: ignore[arg-type]  # as above
        moved = varied_events(calibrated, variation, measured_makers(variation, calibration))
        if era == "2022":
            ending = f"Unclustered{way.capitalize()}"
            pairs = [(columns[f"PuppiMET_pt{e}"], columns[f"PuppiMET_phi{e}"]) for e in (ending, "")]
            high, low = (np.stack([pt * np.cos(phi), pt * np.sin(phi)]) for pt, phi in pairs)
            change = high - low
        else:
            change = sign * np.stack([columns[f"MET_MetUnclustEnUpDelta{axis}"] for axis in "XY"])
        assert _vector(moved) == pytest.approx(nominal + change[:, :FIRST], rel=1e-5, abs=1e-4)


def test_what_a_file_lacks_for_type_one_is_named(open_data: Path, tmp_path: Path) -> None:
    columns = met_columns("2018")
    del columns["CorrT1METJet_area"]
    names = ERAS["2018"]
    file = str(open_data / "pog" / names.folder / "jet_jerc.json.gz")
    calibration = JetCalibration("2018", file, names.scale, names.resolution, names.algorithm, "RawMET")
    plain = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns), era="2018"))
    with pytest.raises(DataError, match=r"a\.root: jets are calibrated from branch CorrT1METJet_area, which"):
        calibrated_events(plain, calibration).source.array("data/MET.pt")


def test_a_real_file_keeps_its_missing_momentum(open_data: Path) -> None:
    """Made anew by a later calibration, PUPPI's stays near the file's; the uncorrected one does not."""
    era = ERAS["2022"]
    file = str(open_data / "pog" / era.folder / "jet_jerc.json.gz")
    calibration = JetCalibration("2022", file, era.scale, "", era.algorithm, "RawPuppiMET")
    chunk = whole_chunk(str(open_data / "nano_tt_v12.root"), era="2022")
    found = calibrated_events(canonical_events(chunk), calibration).array.MET.pt.to_numpy()
    of_file, raw = (
        np.asarray(chunk.view.branch(f"{name}_pt").content) for name in ("PuppiMET", "RawPuppiMET")
    )
    assert np.median(np.abs(found - of_file)) < 1.0
    assert np.median(np.abs(raw - of_file)) > 5.0
