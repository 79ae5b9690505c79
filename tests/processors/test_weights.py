"""Scale factors of correctionlib files reach the weights of the right lepton, and only those."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot
from numpy.typing import NDArray

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import CardError, DataError
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.weights import ScaleFactor, check_scale_factors


def _binned(name: str, variable: str, edges: list[float], values: list[float]) -> dict[str, Any]:
    """A correction in bins of one variable, with a systematic input that adds 10 %."""

    def node(shift: float) -> dict[str, Any]:
        content = [value * (1.0 + shift) for value in values]
        return {"nodetype": "binning", "input": variable, "edges": edges, "content": content, "flow": "clamp"}

    shifts = {"nominal": 0.0, "sfup": 0.1, "sfdown": -0.1}
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": "variation", "type": "string"}, {"name": variable, "type": "real"}],
        "output": {"name": "weight", "type": "real"},
        "data": {
            "nodetype": "category",
            "input": "variation",
            "content": [{"key": key, "value": node(shift)} for key, shift in shifts.items()],
        },
    }


def _btag(name: str, heavy: float, light: float) -> dict[str, Any]:
    """A correction by variation, hadron flavour and pT of a jet; above 60 GeV it is 10 % smaller."""

    def by_pt(value: float) -> dict[str, Any]:
        content = [value, 0.9 * value]
        return {
            "nodetype": "binning",
            "input": "pt",
            "edges": [0.0, 60.0, 1e4],
            "content": content,
            "flow": 0.0,
        }

    def by_flavour(shift: float) -> dict[str, Any]:
        content = [{"key": k, "value": by_pt((heavy if k else light) * (1 + shift))} for k in (0, 4, 5)]
        return {"nodetype": "category", "input": "flavor", "content": content}

    shifts = {"central": 0.0, "up": 0.03, "down": -0.03}
    return {
        "name": name,
        "version": 1,
        "inputs": [
            {"name": "systematic", "type": "string"},
            {"name": "flavor", "type": "int"},
            {"name": "pt", "type": "real"},
        ],
        "output": {"name": "weight", "type": "real"},
        "data": {
            "nodetype": "category",
            "input": "systematic",
            "content": [{"key": key, "value": by_flavour(shift)} for key, shift in shifts.items()],
        },
    }


@pytest.fixture(scope="module")
def corrections(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("corrections") / "sf.json"
    document = {
        "schema_version": 2,
        "corrections": [
            _binned("muon_id", "pt", [0.0, 30.0, 1e4], [0.9, 1.1]),
            _binned("electron_id", "sc_eta", [-5.0, 0.0, 5.0], [0.8, 1.2]),
            _binned("pileup", "npu", [0.0, 30.0, 100.0], [0.5, 1.5]),
            _btag("btag_sf", 0.95, 0.8),
            _btag("btag_efficiency", 0.6, 0.05),
        ],
    }
    path.write_text(json.dumps(document))
    return str(path)


_SYSTEMATICS: dict[Any, str] = {"nominal": "nominal", "up": "sfup", "down": "sfdown"}


def _run(path: str, directory: Path, **weights: ScaleFactor) -> RunResult:
    processor = vh_ww_processor(directory, weights=weights)
    return process_fileset(None, {"x": {"files": [path]}}, processor)


def _rows(result: RunResult) -> Any:
    return pq.read_table(result.results["x"].columns[0].path, partitioning=None)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    columns = events(1500, seed=41)
    columns["Pileup_nTrueInt"] = np.random.default_rng(1).uniform(10, 50, 1500).astype(np.float32)
    return write_nanoaod(tmp_path_factory.mktemp("weighted") / "a.root", columns)


def test_each_factor_follows_its_lepton_and_varies_alone(path: str, corrections: str, tmp_path: Path) -> None:
    weights = {
        "muon_id": ScaleFactor(
            corrections, "muon_id", "muon", systematic_input="variation", systematics=_SYSTEMATICS
        ),
        "electron_id": ScaleFactor(
            corrections,
            "electron_id",
            "electron",
            inputs={"sc_eta": "eta"},
            systematic_input="variation",
            systematics=_SYSTEMATICS,
        ),
        "pileup": ScaleFactor(
            corrections, "pileup", "event", inputs={"npu": "pileup"}, fixed={"variation": "nominal"}
        ),
    }
    plain, weighted = _rows(_run(path, tmp_path / "plain")), _run(path, tmp_path / "weighted", **weights)
    table = _rows(weighted)
    ratio = table["gen_weight"].to_numpy() / plain["gen_weight"].to_numpy()
    expected = sorted(m * e * p for m in (0.9, 1.1) for e in (0.8, 1.2) for p in (0.5, 1.5))
    assert np.unique(ratio.round(9)).tolist() == pytest.approx(expected)
    for name in ("muon_id", "electron_id"):
        for way, factor in (("up", 1.1), ("down", 0.9)):
            varied = table[f"gen_weight_{name}_{way}"].to_numpy() / table["gen_weight"].to_numpy()
            assert varied == pytest.approx(factor)
    assert "gen_weight_pileup_up" not in table.column_names
    # Both leptons below 30 GeV: the muon is in the lower bin for certain.
    soft = plain["pt_l0"].to_numpy() < 30.0
    assert np.unique(ratio[soft].round(9)).tolist() == pytest.approx([0.36, 0.54, 1.08, 1.62])
    flow = weighted.results["x"].of(WHOLE).cutflows[NOMINAL]
    assert float(flow.sumw[-1]) == pytest.approx(table["gen_weight"].to_numpy().sum(), rel=1e-12)


def _jets_of(path: str) -> dict[int, list[tuple[float, int, float]]]:
    """pT, flavour and tagging probability of the jets of each event in the acceptance of b-tagging.

    Only of events in which no such jet is near any lepton, so that none is removed as one.
    """
    found = {}
    with uproot.open(path) as file:
        names = [f"{kind}_{x}" for kind in ("Jet", "Electron", "Muon") for x in ("pt", "eta", "phi")]
        rows = file["Events"].arrays(["event", *names, "Jet_hadronFlavour", "Jet_btagProb85"]).to_list()
    for row in rows:
        jets = [
            (pt, eta, phi, flavour, probability)
            for pt, eta, phi, flavour, probability in zip(
                *(row[f"Jet_{x}"] for x in ("pt", "eta", "phi", "hadronFlavour", "btagProb85")), strict=True
            )
            if pt > 20.0 and abs(eta) < 2.5
        ]
        leptons = [
            (eta, phi)
            for kind in ("Electron", "Muon")
            for eta, phi in zip(row[f"{kind}_eta"], row[f"{kind}_phi"], strict=True)
        ]
        distances = [
            np.hypot(jet[1] - eta, (jet[2] - phi + np.pi) % (2 * np.pi) - np.pi)
            for jet in jets
            for eta, phi in leptons
        ]
        if not distances or min(distances) > 0.41:
            found[row["event"]] = [(pt, flavour, probability) for pt, _, _, flavour, probability in jets]
    return found


def _expected(jets: list[tuple[float, int, float]], *, shift: float, efficiency: bool) -> float:
    """Π (1 − f ε)/(1 − ε) over b- and c-jets, by hand."""
    product = 1.0
    for pt, flavour, probability in jets:
        if flavour in (4, 5):
            step = 0.9 if pt >= 60.0 else 1.0
            tagged = 0.6 * step if efficiency else probability
            product *= (1.0 - 0.95 * step * (1.0 + shift) * tagged) / (1.0 - tagged)
    return product


@pytest.mark.parametrize("mode", ["weight", "veto"])
def test_the_b_tag_factor_is_that_of_events_without_a_tag(
    path: str, corrections: str, tmp_path: Path, mode: Literal["weight", "veto"]
) -> None:
    """With the ntuple's own tagging probability, and with an efficiency out of the file."""
    btag = ScaleFactor(
        corrections,
        "btag_sf",
        "jets",
        inputs={"flavor": "flavour"},
        systematic_input="systematic",
        systematics={"nominal": "central", "up": "up", "down": "down"},
        flavours=(4, 5),
        efficiency="btag_efficiency" if mode == "veto" else "",
    )
    found = {}
    for name, weights in (("plain", {}), ("weighted", {"btag_sf": btag})):
        processor = vh_ww_processor(tmp_path / name, selection=VHWWSelection(btag_mode=mode), weights=weights)
        found[name] = _rows(process_fileset(None, {"x": {"files": [path]}}, processor))
    plain, table, jets = found["plain"], found["weighted"], _jets_of(path)
    rows = [i for i, event in enumerate(table["event"].to_pylist()) if event in jets]
    assert len(rows) > 50
    for column, shift in (("", 0.0), ("_btag_sf_up", 0.03), ("_btag_sf_down", -0.03)):
        ratio = table[f"gen_weight{column}"].to_numpy() / plain["gen_weight"].to_numpy()
        for i in rows:
            event = table["event"][i].as_py()
            expected = _expected(jets[event], shift=shift, efficiency=mode == "veto")
            assert ratio[i] == pytest.approx(expected, rel=1e-5)


def test_a_changed_file_is_read_again(path: str, corrections: str, tmp_path: Path) -> None:
    file = tmp_path / "sf.json"
    text = Path(corrections).read_text()
    muon = ScaleFactor(str(file), "muon_id", "muon", fixed={"variation": "nominal"})
    sums: list[NDArray[np.float64]] = []
    for content in (text, text.replace("1.1]", "2.2]")):
        file.write_text(content)
        sums.append(_rows(_run(path, tmp_path / str(len(sums)), muon_id=muon))["gen_weight"].to_numpy())
    assert np.unique((sums[1] / sums[0]).round(9)).tolist() == [1.0, 2.0]


_MUON = {"correction": "muon_id", "applies_to": "muon", "fixed": {"variation": "nominal"}}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, None),
        ({"file": "nowhere.json"}, "weights.x: no such file nowhere.json."),
        ({"correction": "muon_idd"}, "Unknown correction 'muon_idd', did you mean 'muon_id'?"),
        ({"inputs": {"ptt": "pt"}}, "Unknown input of 'muon_id' 'ptt', did you mean 'pt'?"),
        ({"fixed": {"year": "2018"}}, "Unknown input of 'muon_id' 'year'"),
        ({"fixed": {}}, "inputs.variation or fixed.variation is needed for 'muon_id': Unknown muon variable"),
        ({"inputs": {"pt": "et"}}, "Unknown muon variable 'et', did you mean 'eta'?"),
        (
            {"fixed": {}, "systematic_input": "variation", "systematics": {"nominal": "nominl"}},
            "systematics.nominal: Unknown variation 'nominl', did you mean 'nominal'?",
        ),
        (
            {"correction": "btag_sf", "applies_to": "jets", "fixed": {"systematic": "central"}},
            "Unknown jets variable 'flavor', did you mean 'flavour'?",
        ),
    ],
)
def test_a_wrong_entry_is_refused_before_any_event_is_read(
    corrections: str, changes: dict[str, Any], text: str | None
) -> None:
    factor = ScaleFactor(**({"file": corrections} | _MUON | changes))
    if text is None:
        check_scale_factors({"x": factor})
        return
    with pytest.raises(CardError) as error:
        check_scale_factors({"x": factor})
    assert text in str(error.value)
    assert str(error.value).startswith("weights.x: ")
    assert "\n" not in str(error.value)


def test_data_are_not_corrected(corrections: str, tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "data.root", events(300, seed=2, is_data=True))
    muon = ScaleFactor(corrections, "muon_id", "muon", fixed={"variation": "nominal"})
    processor = vh_ww_processor(tmp_path, weights={"muon_id": muon})
    result = process_fileset(None, {"x": {"files": [path], "metadata": {"is_data": True}}}, processor)
    assert set(_rows(result)["gen_weight"].to_pylist()) == {1.0}


def test_mistakes_are_named(simulated: tuple[str, str], corrections: str, tmp_path: Path) -> None:
    fixed: dict[str, str | int | float] = {"variation": "nominal"}
    cases: list[tuple[ScaleFactor, type[Exception], str]] = [
        (ScaleFactor("nowhere.json", "muon_id", "muon"), CardError, "no such file nowhere.json"),
        (ScaleFactor(corrections, "muon_idd", "muon"), CardError, "did you mean 'muon_id'"),
        (
            ScaleFactor(corrections, "electron_id", "electron", fixed=fixed),
            CardError,
            "Unknown electron variable 'sc_eta'",
        ),
        (
            ScaleFactor(corrections, "pileup", "event", inputs={"npu": "pileup"}, fixed=fixed),
            DataError,
            "no number of true interactions",
        ),
    ]
    for factor, kind, text in cases:
        with pytest.raises(kind, match=text):
            _run(simulated[0], tmp_path, wrong=factor)
    with pytest.raises(CardError, match=r"systematics\.nominal"):
        ScaleFactor("x", "y", "muon", systematic_input="variation")
    with pytest.raises(CardError, match="no systematic_input"):
        ScaleFactor("x", "y", "muon", systematics={"nominal": "n"})
    with pytest.raises(CardError, match="of jets"):
        ScaleFactor("x", "y", "muon", flavours=(5,))
    with pytest.raises(CardError, match="both"):
        ScaleFactor("x", "y", "muon", systematic_input="v", systematics={"nominal": "n", "up": "u"})
