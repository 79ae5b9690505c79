"""Presets of eras: what ships with the package, against the official files, and what a card changes of it."""

from importlib import resources
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pytest
import yaml

from tests.facility.small import card_content
from znought.errors import CardError
from znought.facility.cards.era import Era
from znought.facility.cards.eras import correction_file, energies_of, era_metadata
from znought.facility.cards.presets import preset, preset_names
from znought.facility.cards.printed import printed_schema
from znought.facility.cards.reading import StandardCard, load_card
from znought.facility.figures.labels import card_label
from znought.facility.ntuples.fileset import fileset_of_dataset
from znought.facility.regions.selected import conditions_of_region
from znought.facility.results.head import results_head
from znought.facility.results.standard import Results
from znought.facility.results.summary import report_tables
from znought.processors.quality.certification import read_certification
from znought.processors.regions import regions_from_card

CMS = ("cms_run2_ul", "cms_run3_2022")


def _eras(*names: str) -> dict[str, Era]:
    return {era: Era.model_validate(content) for name in names for era, content in preset(name).items()}


def test_every_preset_is_of_eras() -> None:
    assert preset_names() == ("atlas_run2", "cms_run2_ul", "cms_run3_2022")
    assert {*_eras(*preset_names())} == {"2015-16", "2016preVFP", "2016postVFP", "2017", "2018", "2022"}
    assert all(
        file.name.endswith(".yaml") for file in (resources.files("znought.facility") / "presets").iterdir()
    )


def test_luminosities_add_up_to_those_of_the_experiments() -> None:
    """CMS 1.2, 2.3, 2.5 % by year and 1.6 % in all; ATLAS 0.83 % in all."""
    for name, total, expected in (("cms_run2_ul", 137.64, 0.016), ("atlas_run2", 140.1, 0.0083)):
        eras = _eras(name)
        lumi = {era: one.lumi_ifb or 0.0 for era, one in eras.items()}
        assert sum(lumi.values()) == pytest.approx(total, rel=1e-3)
        parameters = {key for one in eras.values() for key in one.lumi_uncertainties}
        parts = [
            sum(lumi[era] * one.lumi_uncertainties.get(key, 0.0) for era, one in eras.items())
            / sum(lumi.values())
            for key in parameters
        ]
        assert float(np.hypot.reduce(parts)) == pytest.approx(expected, abs=5e-4)
    for era, expected in (("2016preVFP", 0.012), ("2017", 0.023), ("2018", 0.025)):
        parts = list(_eras("cms_run2_ul")[era].lumi_uncertainties.values())
        assert float(np.hypot.reduce(parts)) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("name", CMS)
def test_names_are_those_of_the_official_files(
    name: str, open_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", f"{open_data / 'pog'}:{open_data / 'certification'}")
    for era, one in _eras(name).items():
        (file,) = one.certifications
        certification = read_certification(correction_file(file, Path("/nowhere")))
        first, last = one.runs or (certification.runs[0], certification.runs[-1])
        assert any(first <= run <= last for run in certification.runs)
        jets = one.jets
        assert jets is not None
        energies = correctionlib.CorrectionSet.from_file(str(correction_file(jets.file, Path("/nowhere"))))
        for scale in (jets.simulation, *jets.data.values()):
            assert f"{scale}_L1L2L3Res_{jets.algorithm}" in list(energies.compound)
        for what in ("PtResolution", "ScaleFactor"):
            assert f"{jets.resolution}_{what}_{jets.algorithm}" in list(energies)
        for file in one.corrections.values():
            correction_file(file, Path("/nowhere"))
        # Working points are read from the file of the era.
        btag = correction_file(one.corrections["btag"], Path("/nowhere"))
        taggers = correctionlib.CorrectionSet.from_file(str(btag))
        found = era_metadata(era, one, Path("/nowhere"))["btag_working_points"]
        assert found["Jet_btagDeepFlavB"] == taggers["deepJet_wp_values"].evaluate("L")
        medium = one.model_copy(update={"btag_working_point": "M"})
        found = era_metadata(era, medium, Path("/nowhere"))["btag_working_points"]
        assert found["Jet_btagDeepFlavB"] == taggers["deepJet_wp_values"].evaluate("M")
    wrong = Era(corrections={"btag": "2018_UL/muon_Z.json.gz"})
    message = r"eras\.2018\.corrections\.btag: Unknown correction 'deepJet_wp_values'"
    with pytest.raises(CardError, match=message):
        era_metadata("2018", wrong, Path("/nowhere"))


def _card(folder: Path, eras: Any, **changes: Any) -> Path:
    content = card_content(folder)
    content |= {"eras": eras, "lumi_ifb": 101.31} | changes
    del content["datasets"]["data"], content["processes"]["data"]
    for name, era in (("vh", "2017"), ("ttbar", "2018")):
        content["datasets"][name]["era"] = era
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


TWO: dict[str, Any] = {"preset": "cms_run2_ul", "2016preVFP": None, "2016postVFP": None}
WITHOUT_JETS: dict[str, Any] = {"2017": {"jets": None}, "2018": {"jets": None}}


def test_a_card_changes_single_keys(tmp_path: Path) -> None:
    menu = {"MuonEG": ["HLT_Mu23_*"]}
    eras: dict[str, Any] = TWO | WITHOUT_JETS
    eras["2017"] = {"jets": None, "filters": None}
    eras["2018"] = {
        "jets": None,
        "pileup_id": None,
        "triggers": menu,
        "jet_vetoes": {"jet_veto": {"drops": "events"}},
    }
    card = load_card(_card(tmp_path, eras))
    assert isinstance(card, StandardCard)
    assert [*card.eras] == ["2017", "2018"]
    own, shipped = card.eras["2018"], preset("cms_run2_ul")["2018"]
    assert own.triggers == {"MuonEG": ("HLT_Mu23_*",)}
    assert own.jets is None
    assert own.filters == tuple(shipped["filters"])
    assert card.eras["2017"].filters == ()
    assert own.jet_vetoes["jet_veto"].drops == "events"
    assert own.jet_vetoes["jet_veto"].correction == "Summer19UL18_V1"
    assert (own.pileup_id, card.eras["2017"].pileup_id) == (None, "loose")
    assert card.lumi_shifts == {
        "lumi_correlated": {"vh": 0.009, "ttbar": 0.02},
        "lumi_2017_2018": {"vh": 0.006, "ttbar": 0.002},
        "lumi_2017": {"vh": 0.02, "ttbar": 0.0},
        "lumi_2018": {"vh": 0.0, "ttbar": 0.015},
    }
    assert '"cms_run2_ul"' in printed_schema(tmp_path / "card.yaml").text[0]


BOTH_RUNS: dict[str, Any] = {
    "preset": ["cms_run2_ul", "cms_run3_2022"],
    **dict.fromkeys(("2016preVFP", "2016postVFP", "2017")),
    "2018": {"jets": None},
    "2022": {"jets": None},
}


def test_labels_say_the_energy_of_each_era(tmp_path: Path) -> None:
    """One era of each run: both stand in labels of all events, its own in a region of one era."""
    path = _card(tmp_path, BOTH_RUNS, lumi_ifb=67.81)
    content = yaml.safe_load(path.read_text())
    for dataset, era in zip(content["datasets"].values(), ("2018", "2022"), strict=True):
        dataset["era"] = era
    path.write_text(yaml.safe_dump(content | {"by_era": True}))
    card = load_card(path)
    assert isinstance(card, StandardCard)
    assert energies_of(card.eras, card.energy_tev) == pytest.approx({13.0: 59.83 / 67.81, 13.6: 7.98 / 67.81})
    both = "59.83 fb⁻¹ (13 TeV) + 7.98 fb⁻¹ (13.6 TeV)"
    assert card_label(card, card.lumi_ifb).words == f"Simulation, {both}"
    lumi, energy = conditions_of_region(card, regions_from_card(card.regions)["2022"])
    assert card_label(card, lumi, energy_tev=energy).words == "Simulation, √s = 13.6 TeV, 7.98 fb⁻¹"
    results = Results(
        analysis="own",
        title="yields",
        label=card.label,
        lumi_ifb=card.lumi_ifb,
        energies_tev=energies_of(card.eras, card.energy_tev),
        sigma_background=0.1,
        events={},
    )
    again = Results.model_validate_json(results.model_dump_json())
    assert report_tables(again)[0].title == f"Simulation, {both}: expected events of yields"
    assert results_head(again, None).label.conditions == both


@pytest.mark.parametrize(
    ("eras", "changes", "message"),
    [
        (
            {"2017": {"energy_tev": 13.0}, "2018": {"energy_tev": 13.6}},
            {},
            r"eras: of several energies; give each its lumi_ifb",
        ),
        ({"preset": "cms_run2"}, {}, r"eras\.preset: Unknown preset 'cms_run2', did you mean 'cms_run2_ul'"),
        (TWO | {"2081": {}}, {}, r"eras: Unknown era of the preset '2081', did you mean '2018'"),
        (TWO | {"2018": {"filter": []}}, {}, r"did you mean 'eras\.2018\.filters'"),
        (
            TWO | WITHOUT_JETS,
            {"lumi_ifb": 137.64},
            r"lumi_ifb: the eras add up to 101\.31\. Received: 137\.64",
        ),
        (
            TWO | WITHOUT_JETS,
            {"likelihood": {"workspace": {"luminosity_rel": 0.01}}},
            r"luminosity_rel: has no effect beside lumi_uncertainties of eras",
        ),
        (
            TWO | WITHOUT_JETS,
            {"likelihood": {"workspace": {"norms": {"lumi_2017": {"relative": 0.1, "processes": ["VH"]}}}}},
            r"eras\.2017\.lumi_uncertainties\.lumi_2017: another uncertainty has this name",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, eras: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        load_card(_card(tmp_path, eras, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("of_era", [True, False])
def test_events_are_not_generated_at_another_energy(tmp_path: Path, of_era: bool) -> None:
    shipped = yaml.safe_load((resources.files("znought.analyses") / "vh_ww.yaml").read_text())
    if of_era:
        shipped["eras"] = {"2022": {"energy_tev": 13.6}}
        shipped["datasets"] = {name: one | {"era": "2022"} for name, one in shipped["datasets"].items()}
    else:
        shipped["energy_tev"] = 13.6
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(shipped))
    with pytest.raises(CardError, match=r"recipe: \w+ is generated at 13 TeV, and energy_tev is 13\.6"):
        load_card(path)


def test_luminosities_of_eras_may_not_have_the_name_of_a_rate(tmp_path: Path) -> None:
    shipped = yaml.safe_load((resources.files("znought.analyses") / "vh_bb_smeft.yaml").read_text())
    shipped["eras"] = {"2018": {"lumi_uncertainties": {"lumi_2018": 0.015, "rate_vh": 0.1}}}
    shipped["datasets"] = {name: one | {"era": "2018"} for name, one in shipped["datasets"].items()}
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(shipped))
    with pytest.raises(CardError, match=r"lumi_uncertainties\.rate_vh: another uncertainty has this"):
        load_card(path)


def test_what_an_era_asks_of_jets_travels_with_every_chunk(
    tmp_path: Path, open_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", str(open_data / "pog"))
    eras = {**TWO, "2017": {"jets": None, "jet_id": "tight_lepton_veto"}, "2018": WITHOUT_JETS["2018"]}
    card = load_card(_card(tmp_path, eras))
    for file in "abc":
        (tmp_path / f"{file}.root").touch()
    for name, expected in (("vh", "tight_lepton_veto"), ("ttbar", None)):
        metadata = fileset_of_dataset(card, name)[name]["metadata"]
        assert (metadata.get("jet_id"), metadata["pileup_id"]) == (expected, "loose")
        assert metadata["btag_working_points"]["Jet_btagDeepFlavB"] > 0.0
