"""Calibrated electrons and muons by hand: correctionlib called lepton by lepton, on files of CMS' layouts."""

from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri

from tests.processors.fixtures import whole_chunk, write_nanoaod
from tests.processors.lepton_files import (
    ELECTRONS,
    electron_calibration,
    lepton_columns,
    write_electron_energies,
    write_muon_momenta,
)
from tests.processors.test_identification import nanoaod
from znought.errors import CardError, DataError
from znought.processors.calibration.crystal_ball import crystal_ball_number
from znought.processors.calibration.leptons import ElectronCalibration, LeptonCalibration, MuonCalibration
from znought.processors.canonical import (
    CanonicalEvents,
    canonical_events,
    lepton_makers,
    leptons_calibrated,
    varied_events,
)
from znought.processors.variations import Variation, VariationsConfig, object_numbers

WAYS = ("scale_up", "scale_down", "resolution_up", "resolution_down")


def _flat(values: ak.Array) -> np.ndarray:
    found: np.ndarray = ak.to_numpy(ak.flatten(values)).astype(np.float64)
    return found


def _made(path: Path, *, is_data: bool, version: int = 9) -> CanonicalEvents:
    columns = lepton_columns(nanoaod(version), version=version)
    if is_data:
        del columns["genWeight"]
    return canonical_events(whole_chunk(write_nanoaod(path, columns), era="2018", is_data=is_data))


def _numbers(events: CanonicalEvents, name: str) -> np.ndarray:
    identity = events.source.chunk.identity(np.arange(len(events.array)))
    return object_numbers(events.source.counts(name), identity, salt=f"{name.lower()}_resolution")


def _varied(events: CanonicalEvents, calibration: LeptonCalibration, way: str) -> CanonicalEvents:
    kind, _, direction = way.partition("_")
    variation = Variation(f"{calibration.flavour}_{kind}", direction, 0.01)  # type: ignore[arg-type]  # a direction
    return varied_events(events, variation, lepton_makers(variation, {calibration.flavour: calibration}))


def _electron(layout: str, file: Any, e: dict[str, float], *, is_data: bool, way: str, xi: float) -> float:
    """One electron's momentum."""
    names, pt, sc = ELECTRONS[layout], e["pt"], e["sc"]
    if pt < 20.0:
        return pt
    sign = {"up": 1, "down": -1}.get(way.rpartition("_")[2], 0)
    is_scale, is_width = way.startswith("scale"), way.startswith("resolution")
    if layout == "ultra-legacy":
        if is_data or not is_scale:
            return pt
        return pt * float(file[names["scale"]].evaluate("2018", f"scale{way[6:]}", sc, e["gain"]))
    if layout == "2022":
        scale = file[names["scale"]].evaluate
        if is_data:
            return pt * float(scale("total_correction", e["gain"], e["run"], sc, e["r9"], pt))
        width, error = (file[names["smearing"]].evaluate(one, sc, e["r9"]) for one in ("rho", "err_rho"))
        unc = scale("total_uncertainty", e["gain"], 1.0, sc, e["r9"], pt)
    else:
        absolute = [abs(sc)] if layout == "2022 by energy" else []
        if is_data:
            scale = file.compound[names["scale"]].evaluate
            return pt * float(scale("scale", e["run"], sc, e["r9"], *absolute, pt, e["gain"]))
        eta = abs(sc) if absolute else sc
        width, error, unc = (
            file[names["smearing"]].evaluate(one, pt, e["r9"], eta) for one in ("smear", "esmear", "escale")
        )
    width = max(width + sign * error, 0.0) if is_width else width
    return float(pt * (1.0 + width * xi) * (1.0 + sign * unc if is_scale else 1.0))


@pytest.mark.parametrize("is_data", [True, False])
@pytest.mark.parametrize("layout", ELECTRONS)
def test_electrons_are_those_of_the_file(tmp_path: Path, layout: str, is_data: bool) -> None:
    version = 15 if layout == "2024 by energy" else 9
    events = _made(tmp_path / "a.root", is_data=is_data, version=version)
    write_electron_energies(tmp_path / "e.json", layout)
    calibration = electron_calibration(tmp_path / "e.json", layout, is_data=is_data)
    calibration.check()
    calibrated = leptons_calibrated(events, {"electron": calibration})
    file = correctionlib.CorrectionSet.from_file(calibration.file)
    e = events.array.Electron
    change = e.superclusterEta - e.eta if version == 15 else e.deltaEtaSC
    given = {
        "pt": _flat(e.pt),
        "sc": _flat(e.eta) + _flat(change),
        "r9": _flat(e.r9),
        "gain": _flat(e.seedGain),
        "run": _flat(ak.broadcast_arrays(events.array.run, e.pt)[0]),
    }
    xi = ndtri(_numbers(events, "Electron"))
    assert (given["pt"] < 20.0).any()
    ways = ("nominal",) if is_data else ("nominal", *WAYS[: 2 if layout == "ultra-legacy" else 4])
    seen = set()
    for way in ways:
        found = calibrated if way == "nominal" else _varied(calibrated, calibration, way)
        hand = [
            _electron(
                layout, file, {k: float(v[i]) for k, v in given.items()}, is_data=is_data, way=way, xi=xi[i]
            )
            for i in range(len(xi))
        ]
        assert _flat(found.array.Electron.pt) == pytest.approx(hand, rel=1e-6), way
        seen.add(round(sum(hand), 6))
    assert len(seen) == len(ways)
    assert (layout == "ultra-legacy") == np.allclose(
        _flat(calibrated.array.Electron.pt), given["pt"], rtol=1e-3
    )


def _muon(file: Any, mu: dict[str, float], *, is_data: bool, way: str, number: float) -> float:
    """One muon's momentum, with CMS' formulas."""
    pt, eta, phi, layers, charge = (mu[name] for name in ("pt", "eta", "phi", "layers", "charge"))
    kind = "data" if is_data else "mc"
    found = pt
    if 26.0 <= pt <= 80.0:
        a, m = (file[f"{one}_{kind}"].evaluate(eta, phi, "nom") for one in ("a", "m"))
        found = 1.0 / (m / pt + charge * a)
    if not is_data and 26.0 <= found <= 80.0 and 26.0 <= pt <= 80.0:
        k_data, k_mc, error = (
            file[one].evaluate(abs(eta), which)
            for one, which in (("k_data", "nom"), ("k_mc", "nom"), ("k_mc", "stat"))
        )
        k = np.sqrt(k_data**2 - k_mc**2) if k_mc < k_data else 0.0
        if k and way.startswith("resolution"):
            k += error if way == "resolution_up" else -error
        p = [file["poly_params"].evaluate(abs(eta), layers, i) for i in range(3)]
        mean, sigma, n, alpha = (file["cb_params"].evaluate(abs(eta), layers, i) for i in range(4))
        x = mean + sigma * _crystal_ball(number, alpha, n)
        found *= 1.0 + k * max(p[0] + p[1] * found + p[2] * found**2, 0.0) * x
    if way.startswith("scale") and pt <= 80.0:
        a, m, rho = (
            file[one].evaluate(eta, phi, which)
            for one, which in (("a_mc", "stat"), ("m_mc", "stat"), ("m_mc", "rho_stat"))
        )
        error = found**2 * np.sqrt((m / found) ** 2 + a**2 + 2 * charge * rho * m / found * a)
        found += error if way == "scale_up" else -error
    return float(found)


def _crystal_ball(u: float, a: float, n: float) -> float:
    """Inverse of its distribution as in MuonScaRe.py, one number at a time."""
    from math import erf, exp, pi, sqrt

    from scipy.special import erfinv

    c1, d1 = n / a / (n - 1) * exp(-a * a / 2), 2 * sqrt(pi / 2) * erf(a / sqrt(2))
    norm = 1 / (d1 + 2 * c1)
    f, g, k, nc = 1 - a * a / n, n / a, 1 / (n - 1), norm * c1
    c, d = (d1 + 2 * c1) / c1, (d1 + 2 * c1) / 2
    if u < nc:
        return float(g * (f - (nc / u) ** k))
    if u > nc * (c - 1):
        return float(-g * (f - (c - u / nc) ** (-k)))
    return float(-sqrt(2) * erfinv((d - u / norm) / sqrt(pi / 2)))


@pytest.mark.parametrize("is_data", [True, False])
def test_muons_are_those_of_the_file(tmp_path: Path, is_data: bool) -> None:
    events = _made(tmp_path / "a.root", is_data=is_data)
    write_muon_momenta(tmp_path / "mu.json")
    calibration = MuonCalibration("2018", str(tmp_path / "mu.json"), is_data=is_data, pt_max_gev=80.0)
    calibration.check()
    calibrated = leptons_calibrated(events, {"muon": calibration})
    file = correctionlib.CorrectionSet.from_file(calibration.file)
    mu, numbers = events.array.Muon, _numbers(events, "Muon")
    names = {"pt": "pt", "eta": "eta", "phi": "phi", "charge": "charge", "layers": "nTrackerLayers"}
    given = {name: _flat(mu[field]) for name, field in names.items()}
    assert (given["pt"] < 26.0).any()
    assert (given["pt"] > 80.0).any()
    seen = set()
    ways = ("nominal",) if is_data else ("nominal", *WAYS)
    for way in ways:
        found = calibrated if way == "nominal" else _varied(calibrated, calibration, way)
        hand = [
            _muon(
                file, {k: float(v[i]) for k, v in given.items()}, is_data=is_data, way=way, number=numbers[i]
            )
            for i in range(len(numbers))
        ]
        assert _flat(found.array.Muon.pt) == pytest.approx(hand, rel=1e-6), way
        seen.add(round(sum(hand), 6))
    assert len(seen) == len(ways)


def test_missing_momentum_follows_tight_leptons(tmp_path: Path) -> None:
    """In nominal events and in variations; and the same numbers whatever events stand beside."""
    events = _made(tmp_path / "a.root", is_data=False)
    write_electron_energies(tmp_path / "e.json", "2022 by energy")
    write_muon_momenta(tmp_path / "mu.json")
    electron = electron_calibration(tmp_path / "e.json", "2022 by energy")
    both: dict[str, LeptonCalibration] = {
        "electron": electron,
        "muon": MuonCalibration("2018", str(tmp_path / "mu.json")),
    }
    calibrated = leptons_calibrated(events, both)
    variation = Variation("lepton_scale", "up", 0.01)
    moved = varied_events(calibrated, variation, lepton_makers(variation, both))
    for before, after in ((events, calibrated), (calibrated, moved)):
        px, py = (before.array.MET.pt * trig(before.array.MET.phi) for trig in (np.cos, np.sin))
        for name in ("Electron", "Muon"):
            old, new = before.array[name], after.array[name]
            gained = ak.where(old.is_tight & (old.pt > 10.0), new.pt - old.pt, 0.0)
            px, py = (p - ak.sum(gained * trig(old.phi), axis=1) for p, trig in ((px, np.cos), (py, np.sin)))
            assert np.abs(_flat(new.pt) - _flat(old.pt)).max() > 0.05
        assert after.array.MET.pt.to_numpy() == pytest.approx(np.hypot(px, py).to_numpy(), rel=1e-9)
    kept = np.arange(len(events.array)) % 3 == 0
    part = leptons_calibrated(canonical_events(events.source.chunk.counting(kept)), both)
    for name in ("Electron", "Muon"):
        assert part.array[name].pt.tolist() == calibrated.array[name].pt[kept].tolist()


def test_crystal_ball_numbers_are_of_its_density() -> None:
    for alpha, n in ((1.2, 3.5), (2.5, 1.5), (0.5, 20.0)):

        def density(t: float, alpha: float = alpha, n: float = n) -> float:
            if abs(t) <= alpha:
                return float(np.exp(-t * t / 2))
            return float((n / alpha) ** n * np.exp(-alpha * alpha / 2) * (n / alpha - alpha + abs(t)) ** -n)

        half = quad(density, 0, alpha)[0] + quad(density, alpha, np.inf)[0]
        for number in (0.01, 0.2, 0.5, 0.7, 0.97):
            x = crystal_ball_number(np.array([number]), alpha=np.array([alpha]), n=np.array([n]))[0]
            area = quad(density, 0, x, points=[min(alpha, abs(x)) * np.sign(x)] if x else None)[0]
            assert 0.5 + area / (2 * half) == pytest.approx(number, abs=1e-7)


def test_mistakes_are_one_line_with_era_correction_and_file(tmp_path: Path) -> None:
    write_electron_energies(tmp_path / "e.json", "2022")
    write_muon_momenta(tmp_path / "mu.json")
    names, file = ELECTRONS["2022"], str(tmp_path / "e.json")
    with pytest.raises(CardError, match=r"era '2022': Unknown correction '2022_ScaleJSON'.*e\.json"):
        ElectronCalibration("2022", file, "2022_ScaleJSON").check()
    with pytest.raises(
        CardError, match=r"era '2022': correction 'a_mc' of .*mu\.json is no scale or smearing"
    ):
        ElectronCalibration("2022", str(tmp_path / "mu.json"), "a_mc").check()
    with pytest.raises(CardError, match=r"era '2022': Unknown correction 'a_data'.*e\.json"):
        MuonCalibration("2022", file).check()
    with pytest.raises(CardError, match=r"era '2022': Unknown valtype of .*SmearingJSON' 'total_correction'"):
        ElectronCalibration("2022", file, names["smearing"], names["smearing"]).check()
    columns = lepton_columns(nanoaod(9))
    del columns["Electron_r9"]
    events = canonical_events(whole_chunk(write_nanoaod(tmp_path / "a.root", columns), era="2022"))
    found = leptons_calibrated(
        events, {"electron": electron_calibration(tmp_path / "e.json", "2022", "2022")}
    )
    with pytest.raises(
        DataError, match=r"a\.root: leptons are calibrated by branch Electron_r9, which it has"
    ):
        found.source.array("data/Electron.pt")
    with pytest.raises(CardError, match="muon_resolution has no relative size: give leptons: measured"):
        VariationsConfig(("muon_resolution",))
