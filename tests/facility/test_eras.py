"""Eras of one card: luminosities, certified and triggered data, each shared event once."""

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from tests.facility.small import N_EVENTS
from tests.facility.spoiled import Card, changed_card, cutflow_sums, processed
from tests.processors.calibrated import calibrated_columns
from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.cards.reading import load_card
from znought.facility.events.store import read_events
from znought.processors.calibration.jets import JetCalibration
from znought.processors.canonical import calibrated_events, canonical_events

MENU = {"MuonEG": ["HLT_MuEG_v*"], "Muon": ["HLT_Mu_v*"]}
RUN = 300_000


def _recorded(path: Path, rng: np.random.Generator, *, fired: str, first_event: int) -> dict[str, Any]:
    """One primary dataset: events in which its path fired, in two runs of ten blocks each."""
    columns = events(N_EVENTS, seed=5, is_data=True, first_event=first_event)
    columns["run"] = np.where(np.arange(N_EVENTS) % 2, RUN, RUN + 1).astype(np.uint32)
    columns["luminosityBlock"] = (np.arange(N_EVENTS) % 10 + 1).astype(np.uint32)
    both = rng.random(N_EVENTS) < 0.5
    columns["HLT_MuEG_v3"] = both if fired == "HLT_Mu_v2" else np.ones(N_EVENTS, np.bool_)
    columns["HLT_Mu_v2"] = both if fired == "HLT_MuEG_v3" else np.ones(N_EVENTS, np.bool_)
    columns["Flag_a"] = np.arange(N_EVENTS) % 7 > 0
    write_nanoaod(path, columns)
    return columns


@pytest.fixture
def eras(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with two primary datasets that share every other event, and what they hold."""
    rng = np.random.default_rng(3)
    shared = _recorded(folder / "d.root", rng, fired="HLT_MuEG_v3", first_event=0)
    again = shared | {"HLT_MuEG_v3": np.ones(N_EVENTS, np.bool_)}
    write_nanoaod(folder / "e.root", {name: values[shared["HLT_Mu_v2"]] for name, values in again.items()})
    for name in "abc":
        columns = events(N_EVENTS, seed=ord(name), first_event=N_EVENTS * "abc".index(name))
        columns["genWeight"] = np.ones(N_EVENTS, np.float32)
        paths = {"HLT_MuEG_v1": np.arange(N_EVENTS) % 3 == 0, "HLT_Mu_v1": np.arange(N_EVENTS) % 5 == 0}
        columns |= paths | {"Flag_a": np.ones(N_EVENTS, np.bool_)}
        write_nanoaod(folder / f"{name}.root", columns)
    (folder / "good.json").write_text(json.dumps({str(RUN): [[1, 4]], str(RUN + 9): [[1, 1]]}))
    return folder, shared


def _with_eras(folder: Path) -> Any:
    def change(card: Card) -> None:
        del card["datasets"]["data"]
        card["eras"] = {
            "early": {"lumi_ifb": 4.0, "filters": ["Flag_a"], "triggers": MENU, "certification": "good.json"},
            "late": {"lumi_ifb": 6.0},
        }
        card["datasets"]["vh"] |= {"era": "early"}
        card["datasets"]["ttbar"] |= {"era": "late"}
        for name, file in (("MuonEG", "d"), ("Muon", "e")):
            files = [str(folder / f"{file}.root")]
            card["datasets"][name] = {
                "process": "data",
                "era": "early",
                "primary_dataset": name,
                "files": files,
            }

    return change


def test_two_eras_in_one_card(eras: tuple[Path, dict[str, Any]]) -> None:
    folder, columns = eras
    output = processed(changed_card(folder, _with_eras(folder)))
    flow = json.loads((output / "cutflow.json").read_text())
    assert flow["cuts"][1:4] == ["certified", "triggered", "clean"]
    # Scaled to the luminosity of its era; the files say that they hold a twelfth of what was generated.
    assert cutflow_sums(output, "VH")[0] == pytest.approx(0.1 * 4e3 / 12)
    assert cutflow_sums(output, "top")[0] == pytest.approx(1.0 * 6e3 / 12)
    # The late era asks for nothing: its events pass.
    assert len(set(cutflow_sums(output, "top")[:4])) == 1
    vh = cutflow_sums(output, "VH")
    assert vh[0] == vh[1] > vh[2] == vh[3]
    ledger = json.loads((output / "ledger.json").read_text())["datasets"]
    block = np.isin(columns["luminosityBlock"], [1, 2, 3, 4]) & (columns["run"] == RUN)
    assert ledger["MuonEG"]["certified"] == {
        "blocks": len({*zip(columns["run"].tolist(), columns["luminosityBlock"].tolist(), strict=True)}),
        "certified_blocks": len({*columns["luminosityBlock"][block].tolist()}),
        "events": N_EVENTS,
        "certified_events": int(block.sum()),
        "certified_fraction": float(block.mean()),
        "lists": ["good.json"],
    }
    # Every shared event was taken from the first primary dataset; the other has none of its own.
    assert not list((output / "columns/Muon").rglob("*.parquet")) or cutflow_sums(output, "data")[2] > 0
    data = cutflow_sums(output, "data")
    assert data[0] == N_EVENTS + int(columns["HLT_Mu_v2"].sum())
    assert data[0] > data[1] > data[2] > data[3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["datasets"]["vh"].pop("era"), r"datasets\.vh\.era: expected one of the card's eras"),
        (lambda c: c["datasets"]["vh"].update(era="lat"), r"datasets\.vh\.era: Unknown era 'lat', did you"),
        (lambda c: c["eras"]["late"].update(lumi_ifb=7.0), r"lumi_ifb: the eras add up to 11\. Received: 10"),
        (
            lambda c: c["eras"]["late"].pop("lumi_ifb"),
            r"eras\.late\.lumi_ifb: give it to all eras or to none",
        ),
        (
            lambda c: c["datasets"]["Muon"].pop("primary_dataset"),
            r"datasets\.Muon\.primary_dataset: expected one of MuonEG, Muon",
        ),
        (
            lambda c: c["datasets"]["Muon"].update(primary_dataset="Moun"),
            "Unknown primary dataset 'Moun', did you mean 'Muon'",
        ),
        (
            lambda c: c["datasets"]["vh"].update(primary_dataset="Muon"),
            r"datasets\.vh\.primary_dataset: has no effect on simulation",
        ),
        (lambda c: c["eras"]["early"].update(filter=["a"]), "did you mean 'eras.early.filters'"),
        (
            lambda c: c["eras"]["early"].update(pileup_id="loose"),
            r"eras\.early\.pileup_id: its bits are those of 2016, 2017, 2018",
        ),
        (
            lambda c: c["eras"]["early"].update(
                jet_vetoes={"hem": {"file": "x.json", "correction": "X", "first_run": 319077}}
            ),
            r"eras\.early\.jet_vetoes\.hem: expected first_run and simulated_share together",
        ),
        (
            lambda c: c["eras"]["early"].update(jet_vetoes={"clean": {"file": "x.json", "correction": "X"}}),
            r"eras\.early\.jet_vetoes\.clean: a row of the cutflow has this name",
        ),
        (
            lambda c: c["eras"]["early"].update(corrections={"pile_up": "puWeights.json.gz"}),
            r"eras\.early\.corrections: Unknown correction 'pile_up', did you mean 'pileup'",
        ),
    ],
)
def test_a_mistake_names_the_era(folder: Path, change: Any, message: str) -> None:
    def both(card: Card) -> None:
        _with_eras(folder)(card)
        change(card)

    with pytest.raises(CardError, match=message) as caught:
        load_card(changed_card(folder, both))
    assert "\n" not in str(caught.value)


def test_a_certification_of_other_runs_is_refused(eras: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = eras
    (folder / "good.json").write_text('{"1": [[1, 9]]}')
    with pytest.raises(
        DataError, match=r"era 'early': good\.json certifies runs 1 to 1, the data hold runs 300000 to 300001"
    ):
        processed(changed_card(folder, _with_eras(folder)))


def test_a_map_that_is_not_there_is_refused_before_anything_is_read(folder: Path, open_data: Path) -> None:
    file = str(open_data / "pog/2018_UL/jetvetomaps.json.gz")

    def change(card: Card, **veto: Any) -> None:
        _with_eras(folder)(card)
        card["eras"]["early"] = {"lumi_ifb": 4.0, "jet_vetoes": {"hem": {"file": file, **veto}}}
        for name in ("MuonEG", "Muon"):
            del card["datasets"][name]["primary_dataset"]

    good = load_card(changed_card(folder, lambda card: change(card, correction="Summer19UL18_V1")))
    assert good.request.quality["vh"].rows == ("hem",)  # type: ignore[attr-defined]  # of this analysis
    other = changed_card(folder, lambda card: change(card, correction="Summer19UL17_V1"))
    with pytest.raises(
        CardError, match=r"eras\.early\.jet_vetoes\.hem: Unknown correction 'Summer19UL17_V1'"
    ):
        processed(other)


def test_without_eras_a_primary_dataset_is_idle(folder: Path) -> None:
    def change(card: Card) -> None:
        card["datasets"]["data"]["primary_dataset"] = "Muon"

    with pytest.raises(CardError, match="has no effect without eras"):
        load_card(changed_card(folder, change))


ANALYSIS = """
import awkward as ak
from znought import Analysis, Variable

ANALYSIS = Analysis(
    "one_jet",
    objects=lambda events, cuts: {"jets": events.Jet},
    select=lambda o, cuts: {"jet": ak.num(o.jets) >= 1},
    variables=[Variable("pt_j0", lambda o: o.jets.pt[:, 0], bins=(10, 0, 500), unit="GeV")],
)
"""


@pytest.fixture
def jets_card(tmp_path: Path, open_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A card of plain functions whose jets are calibrated by the official file of 2018."""
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", f"/nowhere:{open_data / 'pog/2018_UL'}")
    (tmp_path / "one_jet.py").write_text(ANALYSIS)
    write_nanoaod(tmp_path / "a.root", calibrated_columns(9))
    content = {
        "analysis": "one_jet.py",
        "title": "jets",
        "lumi_ifb": 59.8,
        "processes": {"top": {}},
        "variations": {"enabled": ["jes_Regrouped_HF", "jes_Regrouped_HF_2018", "jer"], "jets": "measured"},
        "eras": {
            "2018": {
                "jets": {
                    "file": "jet_jerc.json.gz",
                    "simulation": "Summer19UL18_V5_MC",
                    "resolution": "Summer19UL18_JRV2_MC",
                }
            }
        },
        "datasets": {
            "tt": {"process": "top", "era": "2018", "xsec_pb": 1.0, "files": [str(tmp_path / "a.root")]}
        },
    }
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "card.yaml"


def test_jets_of_a_card_are_calibrated(jets_card: Path, open_data: Path) -> None:
    output = processed(jets_card)
    events = canonical_events(whole_chunk(str(jets_card.parent / "a.root"), era="2018"))
    file = str(open_data / "pog/2018_UL/jet_jerc.json.gz")
    calibration = JetCalibration("2018", file, "Summer19UL18_V5_MC", "Summer19UL18_JRV2_MC")
    jets = calibrated_events(events, calibration).array.Jet
    leading = jets.pt[ak.num(jets.pt) >= 1][:, 0]
    found = read_events(output / "columns", ["tt"], ["pt_j0"]).columns["pt_j0"]
    assert found == pytest.approx(leading.to_numpy(), rel=1e-6)
    kept = {folder.name for folder in (output / "columns/tt").iterdir()}
    assert kept == {
        "nominal",
        "jer_up",
        "jer_down",
        *(f"jes_Regrouped_HF{year}_{way}" for year in ("", "_2018") for way in ("up", "down")),
    }


def test_mistakes_of_calibrations_are_named(jets_card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edited(old: str, new: str) -> Path:
        text = original.replace(old, new)
        assert text != original
        jets_card.write_text(text)
        return jets_card

    original = jets_card.read_text()
    with pytest.raises(CardError, match="no era knows the source 'Regrouped_HFF'"):
        processed(edited("jes_Regrouped_HF_2018", "jes_Regrouped_HFF"))
    with pytest.raises(CardError, match=r"variations\.jets: measured needs jets of every era"):
        load_card(edited("eras:\n  '2018':\n", "eras:\n  '2016': {}\n  '2018':\n"))
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", "/nowhere")
    with pytest.raises(CardError, match=r"jet_jerc\.json\.gz: no such file in .*, /nowhere \(ZNOUGHT_CORR"):
        processed(edited("title: jets", "title: none"))


UNCALIBRATED = """
from dataclasses import replace
from znought.analyses.vh_ww.analysis import ANALYSIS as SHIPPED

ANALYSIS = replace(SHIPPED, name="mine", calibrates=False)
"""


def test_columns_that_calibrate_nothing_refuse_calibrations(folder: Path) -> None:
    (folder / "mine.py").write_text(UNCALIBRATED)

    def change(card: Card) -> None:
        _with_eras(folder)(card)
        card["analysis"] = "mine.py"
        card["eras"]["early"]["jets"] = {"file": "x.json", "simulation": "S", "data": {"A": "D"}}
        for name in ("MuonEG", "Muon"):
            card["datasets"][name]["period"] = "A"

    with pytest.raises(CardError, match=r"eras\.early\.jets: analysis 'mine' makes its columns of jets as"):
        load_card(changed_card(folder, change))
