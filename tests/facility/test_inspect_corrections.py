"""`znought inspect --corrections`: what every correction of a card gives on a few events."""

from pathlib import Path

import correctionlib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.facility.official import ERAS, columns_of, official_card
from tests.processors.fixtures import write_nanoaod
from tests.processors.lepton_files import lepton_columns, write_electron_energies, write_muon_momenta
from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_with_analysis
from znought.facility.cli import app
from znought.facility.ntuples.printed import printed_corrections
from znought.facility.ntuples.shown import FEW_EVENTS, Shown, shown_corrections


@pytest.fixture
def card_path(open_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card of two eras, of which one calibrates its jets, the other its leptons."""
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", str(open_data / "pog"))
    columns = lepton_columns(columns_of("2022")) | {"run": np.full(100, 2, np.uint32)}
    write_nanoaod(tmp_path / "2022.root", columns)
    path = official_card(tmp_path)
    content = yaml.safe_load(path.read_text())
    content["eras"]["2018"]["jets"] = {
        "file": "2018_UL/jet_jerc.json.gz",
        "simulation": "Summer19UL18_V5_MC",
        "resolution": "Summer19UL18_JRV2_MC",
    }
    content["eras"]["2022"]["electrons"] = write_electron_energies(tmp_path / "e.json", "2022")
    content["eras"]["2022"]["muons"] = write_muon_momenta(tmp_path / "mu.json")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def _shown(path: Path) -> list[Shown]:
    card, found = load_with_analysis(path)
    assert isinstance(card, Card)
    return [*shown_corrections(card, found.analysis)]


def test_values_are_those_of_the_files(card_path: Path, open_data: Path) -> None:
    rows = _shown(card_path)
    for era, (folder, _) in ERAS.items():
        (pileup,) = correctionlib.CorrectionSet.from_file(
            str(open_data / "pog" / folder / "puWeights.json.gz")
        ).values()
        mine = [one for one in rows if one.era == era and one.name == "pileup"]
        truth = columns_of(era)["Pileup_nTrueInt"]
        assert [one.event for one in mine] == [*range(FEW_EVENTS)]
        for one in mine:
            n = float(truth[one.event])
            assert one.inputs == {"pileup": pytest.approx(n)}
            assert one.values == pytest.approx([pileup.evaluate(n, way) for way in ("nominal", "up", "down")])
    names = {one.name for one in rows if one.era == "2018"}
    assert {"Jet.pt jes", "MET.pt jer", "muon_id_stat", "btag_heavy_correlated", "prefiring"} <= names
    others = {one.name for one in rows if one.era == "2022"}
    assert not others & {"Jet.pt jes", "prefiring"}
    assert {f"{flavour}.pt {flavour.lower()}_scale" for flavour in ("Electron", "Muon")} <= others
    assert {f"{flavour}.pt {flavour.lower()}_resolution" for flavour in ("Electron", "Muon")} <= others
    for one in rows:
        nominal, up, down = one.values
        if one.name in ("Jet.pt jes", "Muon.pt muon_scale"):
            assert None not in (nominal, up, down)
            assert down < nominal < up  # type: ignore[operator]  # none is None


def test_the_command_prints_a_table_for_each_era(card_path: Path) -> None:
    result = CliRunner().invoke(app, ["inspect", "--corrections", str(card_path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line for line in lines if line.startswith("era")] == ["era 2018", "era 2022"]
    assert lines[1].split() == ["correction", "event", "inputs", "nominal", "up", "down"]
    assert any(line.split()[:2] == ["electron_id", "0"] for line in lines)


def test_objects_without_a_value_say_why(card_path: Path) -> None:
    source = card_path.parent / "tagged.py"
    source.write_text(
        source.read_text().replace("(muons.pt > 15) & (np.abs(muons.eta) < 2.4)", "muons.pt > 0")
    )
    notes = [one for one in _shown(card_path) if one.note]
    assert notes
    assert all(one.values == (None, None, None) and "objects lie outside" in one.note for one in notes)


def test_a_card_without_corrections_says_so(tmp_path: Path) -> None:
    path = official_card(tmp_path, {}, eras={"2018": {}, "2022": {}})
    with pytest.raises(CardError, match="neither jets, electrons or muons of an era nor a weight by"):
        [*printed_corrections(str(path))]


def test_measured_leptons_need_a_calibration_in_every_era(card_path: Path) -> None:
    content = yaml.safe_load(card_path.read_text())
    for variations, message in (
        (
            {"leptons": "measured", "enabled": ["electron_scale"]},
            r"electron_scale needs electrons of every era.*'2018'",
        ),
        ({"leptons": "measured", "enabled": ["jes"]}, "measured has no effect: no lepton is varied"),
        ({"enabled": ["muon_resolution"]}, "muon_resolution has no relative size: give leptons: measured"),
    ):
        card_path.write_text(yaml.safe_dump({**content, "variations": variations}, sort_keys=False))
        with pytest.raises(CardError, match=message):
            load_with_analysis(card_path)
