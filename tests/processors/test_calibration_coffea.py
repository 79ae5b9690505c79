"""Calibrated jets against coffea's `CorrectedJetsFactory`, on the same official files, era by era."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from coffea.jetmet_tools import CorrectedJetsFactory, CorrectionLibJECStack

from tests.processors.calibrated import calibrated_columns
from tests.processors.fixtures import whole_chunk, write_nanoaod
from tests.processors.test_calibration import ERAS
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical import calibrated_events, canonical_events, measured_makers, varied_events
from znought.processors.variations import Variation

RELATIVE = 3e-6
"""coffea works with momenta in float32."""


def _coffea(file: str, era: str, jets: ak.Array, columns: dict[str, Any]) -> ak.Array:
    """Jets as coffea corrects them; particle-level partners are those within half of the cone."""
    names = ERAS[era]
    stack = CorrectionLibJECStack.from_file(
        file,
        jec_tag=names.scale.removesuffix("_MC"),
        data_type="MC",
        jet_type=names.algorithm,
        unc_sources=list(names.sources),
        jer_tag=names.resolution.removesuffix("_MC"),
    )
    dr = np.hypot(jets.eta - columns["GenJet_eta"], 0.0)
    near = (columns["Jet_genJetIdx"] >= 0) & (dr < 0.2)
    rho = next(values for name, values in columns.items() if name.endswith("fixedGridRhoFastjetAll"))
    raw = 1.0 - columns["Jet_rawFactor"]
    given = ak.zip(
        {
            "pt": columns["Jet_pt"],
            "eta": jets.eta,
            "phi": jets.phi,
            "mass": columns["Jet_mass"],
            "area": columns["Jet_area"],
            "pt_raw": columns["Jet_pt"] * raw,
            "mass_raw": columns["Jet_mass"] * raw,
            "pt_gen": ak.values_astype(ak.where(near, columns["GenJet_pt"], 0.0), np.float32),
            "rho": ak.broadcast_arrays(rho, jets.pt)[0],
            "event_id": ak.broadcast_arrays(columns["event"], jets.pt)[0],
        }
    )
    known = stack.blank_name_map
    mapped = {
        "JetPt": "pt",
        "JetMass": "mass",
        "JetEta": "eta",
        "JetPhi": "phi",
        "JetA": "area",
        "ptRaw": "pt_raw",
        "massRaw": "mass_raw",
        "ptGenJet": "pt_gen",
        "Rho": "rho",
    }
    return CorrectedJetsFactory({**known, **mapped}, stack).build(given)


def _flat(values: ak.Array) -> np.ndarray:
    found: np.ndarray = ak.to_numpy(ak.flatten(values)).astype(np.float64)
    return found


@pytest.mark.parametrize("era", ERAS)
def test_matched_jets_are_those_of_coffea(open_data: Path, tmp_path: Path, era: str) -> None:
    names = ERAS[era]
    columns = calibrated_columns(names.version)
    path = write_nanoaod(tmp_path / "a.root", columns)
    file = str(open_data / "pog" / names.folder / "jet_jerc.json.gz")
    calibration = JetCalibration(era, file, names.scale, names.resolution, names.algorithm)
    plain = canonical_events(whole_chunk(path, era=era))
    ours = calibrated_events(plain, calibration)
    theirs = _coffea(file, era, plain.array.Jet, columns)
    unsmeared, sigma = _flat(theirs.pt_jec), _flat(theirs.jet_energy_resolution)
    gen = _flat(theirs.pt_gen)
    # coffea's factor reaches below a tenth of the momentum, ours does not.
    matched = (gen > 0) & (np.abs(unsmeared - gen) < 3 * sigma * unsmeared)
    assert 20 < matched.sum() < matched.size
    assert ours.source.array("helper/jet_unsmeared_pt") == pytest.approx(unsmeared, rel=RELATIVE)
    pt = _flat(ours.array.Jet.pt)
    assert pt[matched] == pytest.approx(_flat(theirs.pt)[matched], rel=RELATIVE)
    assert not np.allclose(pt[matched], unsmeared[matched], rtol=1e-3)
    for source in ("jer", *names.sources):
        name = {"jer": "jer", "Total": "jes"}.get(source, f"jes_{source}")
        varied = theirs["JER" if source == "jer" else f"JES_{source}"]
        for way in ("up", "down"):
            variation = Variation(name, way, 0.02)
            moved = _flat(
                varied_events(ours, variation, measured_makers(variation, calibration)).array.Jet.pt
            )
            assert moved[matched] == pytest.approx(_flat(varied[way].pt)[matched], rel=RELATIVE), name
