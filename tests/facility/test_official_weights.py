"""Official scale factors of a card, from its eras' files to columns, against correctionlib alone."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.facility.official import ERAS, TAGGERS, WEIGHTS, columns_of, official_card
from tests.facility.small import context_of
from tests.plots.drawn import points, texts
from tests.processors.fixtures import write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.checking import check_card
from znought.facility.cards.corrections import correction_problems
from znought.facility.cards.event_weights import ParticleWeight
from znought.facility.cards.official import Official, official_of
from znought.facility.cards.reading import load_card
from znought.facility.cards.sections import Dataset
from znought.facility.figures.measured import btag_pictures
from znought.facility.fitting.templates import selected_events, systematics_of
from znought.facility.pipeline import whole
from znought.facility.stages.efficiency import measure
from znought.facility.stages.process import process
from znought.plots.style import FigureLabel
from znought.processors.calibration.official import OfficialFactor


@pytest.fixture
def corrections(open_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZNOUGHT_CORRECTIONS", str(open_data / "pog"))
    return open_data / "pog"


def _read(output: Path, era: str) -> dict[str, np.ndarray]:
    path = next((output / "columns" / f"tt_{era}" / "nominal").glob("*.parquet"))
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


@cache
def _set(file: Path) -> Any:
    return correctionlib.CorrectionSet.from_file(str(file))


class ByHand:
    """Weights of one event, object by object, by correctionlib alone."""

    def __init__(self, folder: Path, era: str, columns: dict[str, Any], output: Path) -> None:
        self.columns, self.era = columns, era
        names = {"btag": "btagging", "muon": "muon_Z", "electron": "electron", "pileup": "puWeights"}
        self.sets = {kind: _set(folder / ERAS[era][0] / f"{file}.json.gz") for kind, file in names.items()}
        self.efficiency = _set(output / "efficiencies/btag.json")["btag_efficiency"]

    def _objects(self, i: int, name: str, pt_min: float, eta_max: float) -> list[dict[str, float]]:
        fields = [key for key in self.columns if key.startswith(f"{name}_")]
        every = [
            {key.removeprefix(f"{name}_"): float(self.columns[key][i][k]) for key in fields}
            for k in range(len(self.columns[f"{name}_pt"][i]))
        ]
        return [one for one in every if one["pt"] > pt_min and abs(one["eta"]) < eta_max]

    def electron(self, i: int, name: str, way: str = "sf") -> float:
        (correction,) = self.sets["electron"].values()
        year, weight = {"2018": "2018", "2022": "2022Re-recoBCD"}[self.era], 1.0
        for one in self._objects(i, "Electron", 10.0, 2.5):
            point = name
            if name == "Reco":
                above = {"2018": "RecoAbove20", "2022": "Reco20to75" if one["pt"] < 75 else "RecoAbove75"}
                point = "RecoBelow20" if one["pt"] < 20 else above[self.era]
            weight *= correction.evaluate(year, way, point, one["eta"] + one["deltaEtaSC"], one["pt"])
        return weight

    def muon(self, i: int, name: str, way: str = "nominal", sign: float = 0.0) -> float:
        weight = 1.0
        for one in self._objects(i, "Muon", 15.0, 2.4):
            given = one["eta"], one["pt"]
            value = self.sets["muon"][name].evaluate(*given, "nominal" if sign else way)
            weight *= value + (sign * self.sets["muon"][name].evaluate(*given, way) if sign else 0.0)
        return weight

    def btag(self, i: int, heavy: str = "central", light: str = "central") -> float:
        tagger, weight = TAGGERS[self.era], 1.0
        name = {"2018": "incl", "2022": "light"}[self.era]
        branch = {"2018": "btagDeepFlavB", "2022": "btagPNetB"}[self.era]
        cut = self.sets["btag"][f"{tagger}_wp_values"].evaluate("M")
        for one in self._objects(i, "Jet", 20.0, 2.5):
            flavour, given = int(one["hadronFlavour"]), (abs(one["eta"]), one["pt"])
            kind, way = (name, light) if flavour == 0 else ("comb", heavy)
            factor = self.sets["btag"][f"{tagger}_{kind}"].evaluate(way, "M", flavour, *given)
            e = self.efficiency.evaluate(f"top_{self.era}", flavour, *given)
            weight *= factor if one[branch] > cut else (1 - factor * e) / (1 - e)
        return weight

    def top(self, i: int) -> float:
        pt = self.columns["GenPart_pt"][i]
        return float(np.prod([np.exp(0.0615 - 0.0005 * float(pt[k])) for k in (1, 2)]) ** 0.5)

    def factors(self, i: int) -> dict[str, float]:
        """Each weight, nominal."""
        (pileup,) = self.sets["pileup"].values()
        iso = {"2018": "NUM_TightRelIso_DEN_TightIDandIPCut", "2022": "NUM_TightPFIso_DEN_TightID"}[self.era]
        found = {
            "pileup": pileup.evaluate(float(self.columns["Pileup_nTrueInt"][i]), "nominal"),
            "electron_reco": self.electron(i, "Reco"),
            "electron_id": self.electron(i, "wp80iso"),
            "muon_id": self.muon(i, "NUM_TightID_DEN_TrackerMuons"),
            "muon_iso": self.muon(i, iso),
            "btag": self.btag(i),
            "top_pt": self.top(i),
        }
        return found | (
            {"prefiring": float(self.columns["L1PreFiringWeight_Nom"][i])} if self.era == "2018" else {}
        )

    def varied(self, i: int) -> dict[str, float]:
        """Some varied weights over their nominal ones, of each kind of part."""
        nominal = self.factors(i)
        name = "NUM_TightID_DEN_TrackerMuons"
        moved = {
            "electron_reco_down": ("electron_reco", self.electron(i, "Reco", "sfdown")),
            "muon_id_stat_down": ("muon_id", self.muon(i, name, "stat", -1.0)),
            "muon_id_syst_up": ("muon_id", self.muon(i, name, "syst", 1.0)),
            "btag_heavy_correlated_up": ("btag", self.btag(i, heavy="up_correlated")),
            "btag_light_uncorrelated_down": (
                "btag",
                self.btag(i, light="down_uncorrelated" if self.era == "2018" else "down"),
            ),
            "top_pt_up": ("top_pt", self.top(i) ** 2),
            "top_pt_down": ("top_pt", 1.0),
        }
        if self.era == "2018":
            up = float(self.columns["L1PreFiringWeight_Up"][i])
            moved["prefiring_up"] = ("prefiring", up)
        else:
            moved["btag_light_correlated_up"] = ("btag", nominal["btag"])
        return {key: value / nominal[name] for key, (name, value) in moved.items()}


def test_two_eras_are_weighed_as_their_files_say(corrections: Path, tmp_path: Path) -> None:
    path, output = official_card(tmp_path), tmp_path / "out"
    context = context_of(path, output)
    with pytest.raises(CardError, match=r"weights\.btag: its efficiencies were not measured yet: run `zn"):
        process(context)
    assert [one.name for one in measure(context)] == ["btag.json"]
    process(context)
    for era in ERAS:
        columns, found = columns_of(era), _read(output, era)
        hand = ByHand(corrections, era, columns, output)
        assert len(found["event"]) > 30
        for row, event in enumerate(found["event"][:10].tolist()):
            i = int(np.flatnonzero(np.asarray(columns["event"]) == event)[0])
            nominal = float(np.prod([*hand.factors(i).values()]))
            assert found["gen_weight"][row] == pytest.approx(nominal, rel=1e-6)
            for name, ratio in hand.varied(i).items():
                assert found[f"gen_weight_{name}"][row] == pytest.approx(nominal * ratio, rel=1e-6), name


def test_measured_efficiencies_are_counted_jets(corrections: Path, tmp_path: Path) -> None:
    """By hand, in all bins with enough jets; all of a flavour elsewhere."""
    output = tmp_path / "out"
    context = context_of(official_card(tmp_path, {"btag": WEIGHTS["btag"]}), output)
    measure(context)
    found = _set(output / "efficiencies/btag.json")["btag_efficiency"]
    for era, branch in (("2018", "btagDeepFlavB"), ("2022", "btagPNetB")):
        columns = columns_of(era)
        tags = _set(corrections / ERAS[era][0] / "btagging.json.gz")
        cut = tags[f"{TAGGERS[era]}_wp_values"].evaluate("M")
        flat = {name: np.concatenate([*map(np.asarray, columns[f"Jet_{name}"])]) for name in ("pt", "eta")}
        flat |= {
            "tag": np.concatenate([*map(np.asarray, columns[f"Jet_{branch}"])]) > cut,
            "flavour": np.concatenate([*map(np.asarray, columns["Jet_hadronFlavour"])]),
        }
        use = (flat["pt"] > 20) & (abs(flat["eta"]) < 2.5)
        for flavour in (0, 4, 5):
            mine = use & (flat["flavour"] == flavour)
            central = mine & (abs(flat["eta"]) < 1.2) & (flat["pt"] < 40)
            assert central.sum() > 20
            given = found.evaluate(f"top_{era}", flavour, 0.5, 30.0)
            assert given == pytest.approx(flat["tag"][central].mean())
            # Two jets beyond the last edge: their bin is the nearest one.
            assert found.evaluate(f"top_{era}", flavour, 0.5, 1e4) == found.evaluate(
                f"top_{era}", flavour, 0.5, 199.0
            )
    _check_figures(context.workspace.efficiencies, context.card)


def _check_figures(folder: Path, card: Card) -> None:
    """A panel of each flavour, with the numbers of the file in all bins that hold enough jets."""
    weights: Any = card.weights
    pictures = {one.name: one for one in btag_pictures(weights, folder, label=FigureLabel())}
    assert set(pictures) == {f"btag_btag_top_{era}" for era in ERAS}
    found, weight = _set(folder / "btag.json"), weights["btag"]
    figure = pictures["btag_btag_top_2018"].figure
    assert {"$b$ jets", "$c$ jets", "light jets", "0 ≤ $|\\eta|$ < 1.2"} <= {*texts(figure).split("\n")}
    n_drawn = 0
    for axes, flavour in zip(figure.axes, (5, 4, 0), strict=True):
        for i, (_, drawn) in enumerate(points(axes)):
            eta = weight.edges_abs_eta[i]
            places = [("top_2018", flavour, eta, pt) for pt in weight.edges_pt_gev[:-1]]
            low = [found["btag_efficiency_interval"].evaluate("down", *one) for one in places]
            given = [found["btag_efficiency"].evaluate(*one) for one in places]
            kept = [value for value, end in zip(given, low, strict=True) if end >= 0.0]
            assert drawn.tolist() == pytest.approx(kept)
            n_drawn += len(kept)
    assert 0 < n_drawn <= 3 * (len(weight.edges_abs_eta) - 1) * (len(weight.edges_pt_gev) - 1)
    with pytest.raises(DataError, match="its efficiencies are gone"):
        [*btag_pictures(weights, folder.parent, label=FigureLabel())]


def test_the_analysis_tags_by_the_working_point_of_the_weights(corrections: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    without = {"pileup": {"kind": "pileup"}}
    process(context_of(official_card(tmp_path, without), output))
    loose = _read(output, "2018")["n_b"].sum()
    context = context_of(official_card(tmp_path, {"btag": WEIGHTS["btag"]}), output)
    measure(context)
    process(context)
    found = _read(output, "2018")
    columns = columns_of("2018")
    rows = [int(np.flatnonzero(np.asarray(columns["event"]) == event)[0]) for event in found["event"]]
    expected = [
        sum(
            float(tag) > 0.2783 and float(pt) > 20 and abs(float(eta)) < 2.5
            for tag, pt, eta in zip(
                columns["Jet_btagDeepFlavB"][i], columns["Jet_pt"][i], columns["Jet_eta"][i], strict=True
            )
        )
        for i in rows
    ]
    assert found["n_b"].tolist() == expected
    assert loose > sum(expected) > 0


def test_the_working_point_is_that_of_the_era_unless_given(corrections: Path, tmp_path: Path) -> None:
    without = {key: value for key, value in WEIGHTS["btag"].items() if key != "working_point"}
    path = official_card(tmp_path, {"btag": without})
    content = yaml.safe_load(path.read_text())
    content["eras"]["2018"]["btag_working_point"] = "T"
    path.write_text(yaml.safe_dump(content))
    card = load_card(path)
    assert isinstance(card, Card)
    assert card.request.btags == {"tt_2018": {"Jet_btagDeepFlavB": 0.71}, "tt_2022": {"Jet_btagPNetB": 0.047}}
    factor = official_of(card).of_era("2018")["btag"]
    assert isinstance(factor, OfficialFactor)
    assert {lookup.fixed["working_point"] for lookup in factor.lookups} == {"T"}
    content["weights"]["btag"]["working_point"] = "M"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CardError, match=r"weights\.btag: eras\.2018\.btag_working_point is T, not M"):
        load_card(path)


@pytest.mark.parametrize("key", ["Jet_btagDeepFlavB", "nanoaod_v9"])
def test_two_cuts_on_one_tag_are_refused(corrections: Path, tmp_path: Path, key: str) -> None:
    weights = {"btag": WEIGHTS["btag"] | {"efficiency": "none.json"}}
    (tmp_path / "none.json").write_text("{}")
    path = official_card(tmp_path, weights, selection={"btag_working_points": {key: 0.3}})
    message = rf"selection\.btag_working_points: {key} is cut at 0\.3, but the scale factors of era '2018'"
    with pytest.raises(DataError, match=message):
        process(context_of(path, tmp_path / "out"))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({"kind": "pile"}, r"weights\.x: expected a kind out of pileup, electron, muon, btag"),
        ({"kind": "muon", "nam": "a"}, r"weights\.x\.name: Field required"),
        ({"kind": "pileup", "nam": "a"}, r"Unknown key 'weights\.x\.nam', did you mean 'weights\.x\.name'"),
        ({"kind": "pileup", "eras": ["2019"]}, r"weights\.x\.eras: Unknown era '2019', did you mean '2018'"),
        (
            {"kind": "muon", "name": {"2018": "NUM_TightID_DEN_TrackerMuons"}},
            r"weights\.x: no name for era '2022', only for 2018",
        ),
        ({"kind": "particle", "particle": 6}, r"weights\.x: expected one of formula, file with name"),
        (
            {"kind": "btag", "tagger": "deepJet", "working_point": "M", "groups": {"a": ["tp"]}},
            r"weights\.x\.groups: Unknown process 'tp', did you mean 'top'",
        ),
    ],
)
def test_a_mistake_in_a_weight_is_one_line(tmp_path: Path, weight: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        load_card(official_card(tmp_path, {"x": weight}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            {"kind": "muon", "name": "NUM_TightID_DEN_TrackerMuon"},
            r"weights\.x: era '2018', 2018_UL/muon_Z\.json\.gz: Unknown correction .*did you mean 'NUM_Tight",
        ),
        (
            {"kind": "electron", "name": "wp80Iso"},
            r"weights\.x: era '2018', 2018_UL/electron\.json\.gz: Unknown WorkingPoint .* mean 'wp80iso'",
        ),
        (
            {"kind": "btag", "tagger": "deepJet", "working_point": "XT"},
            r"weights\.x: era '2018', 2018_UL/btagging\.json\.gz: Unknown working_point of 'deepJet_comb' '",
        ),
        (
            {"kind": "btag_shape", "tagger": "deepJet", "systematics": ["hfstat1"]},
            r"weights\.x: era '2018', .*: Unknown systematic of 'deepJet_shape' 'up_hfstat1', did you mean",
        ),
        (
            {"kind": "particle", "particle": 6, "formula": "exp(x"},
            r"weights\.x: era '2018': formula 'exp\(x': Failed to parse",
        ),
    ],
)
def test_a_name_that_no_file_has_is_found_before_any_event(
    corrections: Path, tmp_path: Path, weight: dict[str, Any], message: str
) -> None:
    path = official_card(tmp_path, {"x": weight})
    card = load_card(path)
    assert [*correction_problems(card)] == [one.text for one in check_card(path).problems]  # type: ignore[arg-type]  # of a card with eras
    problem = check_card(path).problems[0]
    assert re.search(message, problem.text)
    assert "\n" not in problem.text
    assert problem.line is not None


def test_missing_files_and_names_are_all_told_at_once(tmp_path: Path, corrections: Path) -> None:
    """Every file of every era, and the names of jet energy corrections, in one check."""
    jets = {"file": "2018_UL/jet_jerc.json.gz", "simulation": "Summer19UL18_V6_MC", "algorithm": "AK4PFchs"}
    files = {"pileup": "2018_UL/puWeight.json.gz"}
    eras = {"2018": {"corrections": files, "jets": jets}, "2022": {"certification": "Cert.json"}}
    found = check_card(official_card(tmp_path, {}, eras=eras)).problems
    assert [one.text.split(": ")[0] for one in found] == [
        "eras.2018.corrections.pileup",
        "eras.2022.certification",
        "eras.2018.jets.simulation",
    ]
    assert "puWeight.json.gz: no such file in " in found[0].text
    assert "Unknown correction 'Summer19UL18_V6_MC_L1L2L3Res_AK4PFchs', did you mean" in found[2].text


def test_objects_where_a_file_has_no_value_are_refused_moved_or_left(
    corrections: Path, tmp_path: Path
) -> None:
    text = "muons[(muons.pt > 15) & (np.abs(muons.eta) < 2.4)]"
    weights = {"muon": {"kind": "muon", "name": "NUM_TightID_DEN_TrackerMuons", "objects": "muons"}}
    values = {}
    for outside in ("refuse", "clamp", "one"):
        path = official_card(tmp_path, {"muon": weights["muon"] | {"outside": outside}})
        source = path.parent / "tagged.py"
        source.write_text(source.read_text().replace(text, "muons[muons.pt > 15]"))
        context = context_of(path, tmp_path / outside)
        if outside == "refuse":
            message = (
                r"2018\.root: era '2018': weights\.muon: correction NUM_TightID_DEN_TrackerMuons of muon_Z\."
                r"json\.gz has values for \|eta\| from 0 to 2\.4; \d+ of \d+ objects lie outside, the fir"
            )
            with pytest.raises(DataError, match=message):
                process(context)
        else:
            process(context)
            values[outside] = _read(tmp_path / outside, "2018")
    columns, correction = columns_of("2018"), _set(corrections / "2018_UL/muon_Z.json.gz")
    for row, event in enumerate(values["clamp"]["event"].tolist()):
        i = int(np.flatnonzero(np.asarray(columns["event"]) == event)[0])
        given = [
            (float(x), float(p)) for x, p in zip(columns["Muon_eta"][i], columns["Muon_pt"][i], strict=True)
        ]
        factor = correction["NUM_TightID_DEN_TrackerMuons"].evaluate
        inside = [factor(x, p, "nominal") for x, p in given if p > 15 and abs(x) < 2.4]
        beyond = [factor(2.3999, p, "nominal") for x, p in given if p > 15 and abs(x) >= 2.4]
        assert values["one"]["gen_weight"][row] == pytest.approx(np.prod(inside))
        assert values["clamp"]["gen_weight"][row] == pytest.approx(np.prod([*inside, *beyond]))
    assert not np.array_equal(values["one"]["gen_weight"], values["clamp"]["gen_weight"])


def test_a_split_dataset_has_a_weight_as_a_whole(tmp_path: Path) -> None:
    def factors(*processes: str) -> dict[str, Any]:
        weight = ParticleWeight(particle=6, formula="1+0*x", processes=processes)
        return Official({"x": weight}, {}, {"d": Dataset()}, {"d": "a + b"}, tmp_path, True).factors

    assert factors().keys() == factors("a", "b").keys() == {"d"}
    assert factors("c") == {}
    with pytest.raises(
        CardError, match=r"weights\.x\.processes: events that are split among a, b have it all"
    ):
        factors("a")


def test_jets_of_another_tagger_are_refused(corrections: Path, tmp_path: Path) -> None:
    weights = {"btag": {"kind": "btag_shape", "tagger": "deepJet"}}
    with pytest.raises(DataError, match=r"2022\.root: its jets are tagged by Jet_btagPNetB, but the scale"):
        process(context_of(official_card(tmp_path, weights), tmp_path / "out"))


def test_a_substitute_is_said(corrections: Path, tmp_path: Path) -> None:
    """Without the supercluster's pseudorapidity the track's stands for it, and the record says so."""
    path = official_card(tmp_path, {"id": {"kind": "electron", "name": "Tight"}})
    columns = columns_of("2018")
    del columns["Electron_deltaEtaSC"]
    write_nanoaod(tmp_path / "2018.root", columns)
    process(context_of(path, tmp_path / "out"))
    said = json.loads((tmp_path / "out/columns/substitutes.json").read_text())
    assert "track" in said["tt_2018"]["Electron.supercluster_eta"]
    assert "Electron.supercluster_eta" not in said.get("tt_2022", {})


def test_each_part_is_a_systematic_and_some_are_apart_by_era(corrections: Path, tmp_path: Path) -> None:
    """In the flow `efficiency` stands before `process`; uncorrelated parts are one parameter for each era."""
    path = official_card(tmp_path)
    content = yaml.safe_load(path.read_text())
    content |= {"signal": "top", "regions": {"SR": {"n_b": [0, None]}}, "signal_region": "SR"}
    content["discriminants"] = {"SR": {"variable": "n_b", "bins": [2, 0, 6]}}
    path.write_text(yaml.safe_dump(content))
    context = context_of(path, tmp_path / "out")
    names = [stage.name for stage in whole(context)]
    assert names.index("efficiency") + 1 == names.index("process")
    assert [one.name for one in whole(context) if "efficiencies" in one.reads] == ["process", "plot"]
    measure(context)
    process(context)
    card = context.card
    found = systematics_of(card, context.workspace)
    apart = ("muon_id_stat", "btag_heavy_uncorrelated", "btag_light_uncorrelated")
    common = ("pileup", "electron_reco", "electron_id", "muon_id_syst", "muon_iso", "prefiring", "top_pt")
    expected = {*common, "btag_heavy_correlated", "btag_light_correlated"}
    assert found.keys() == expected | {f"{name}_{era}" for name in apart for era in ERAS}
    bins = {"SR": np.array([0.0, 3.0, 6.0])}
    read = {
        name: selected_events(card, context.workspace, bins, name)
        for name in ("nominal", "muon_id_stat_2018_up", "muon_id_stat_up")
    }
    weights = {name: np.sort(one.weights) for name, one in read.items()}
    moved = {name: int((weights[name] != weights["nominal"]).sum()) for name in weights}
    assert 0 < moved["muon_id_stat_2018_up"] < moved["muon_id_stat_up"]
