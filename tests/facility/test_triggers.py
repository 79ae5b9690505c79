"""Scale factors of triggers: an efficiency that was put in comes back, and weighs events with its errors."""

from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.facility.small import context_of
from tests.plots.drawn import points, texts
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_card, load_with_analysis
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.figures.measured import trigger_pictures
from znought.facility.ntuples.printed import printed_corrections
from znought.facility.ntuples.shown import Shown, shown_corrections
from znought.facility.stages.efficiency import inputs, measure
from znought.facility.stages.process import process
from znought.plots.style import FigureLabel
from znought.processors.calibration.trigger import SCALE, Passed, clopper_pearson

ANALYSIS = """
import awkward as ak
from znought import Analysis, Variable


def objects(events, cuts):
    electrons, muons = events.Electron, events.Muon
    return {"electrons": electrons[electrons.pt > 15], "muons": muons[muons.pt > 15]}


ANALYSIS = Analysis(
    "emu",
    objects=objects,
    select=lambda o, cuts: {"e_mu": (ak.num(o.electrons) == 1) & (ak.num(o.muons) == 1)},
    variables=[
        Variable("pt_e", lambda o: o.electrons.pt[:, 0], bins=(10, 0, 100)),
        Variable("pt_mu", lambda o: o.muons.pt[:, 0], bins=(10, 0, 100)),
    ],
)
"""
EDGES = [15, 25, 40, 80]
TRUE = {True: np.array([0.70, 0.85, 0.95]), False: np.array([0.80, 0.90, 0.96])}
"""Recorded data or simulation → efficiency of each leg by pT."""
ERAS = ("2017", "2018")
N_EVENTS = 40_000


def _columns(
    *, is_data: bool, seed: int, n_events: int = N_EVENTS, correlated: bool = False
) -> dict[str, Any]:
    """Events with decisions of a trigger of known efficiency, and of an orthogonal one."""
    rng = np.random.default_rng(1000 + seed)  # not that of the events themselves
    columns = {
        name: values
        for name, values in events(n_events, seed=seed, is_data=is_data).items()
        if name not in ("Jet", "response")
    }
    columns["run"] = np.full(n_events, 300_000 if is_data else 1, np.uint32)
    probability = np.ones(n_events)
    for name in ("Electron", "Muon"):
        pt = ak.to_numpy(ak.fill_none(ak.max(columns[name].pt, axis=1), 15.0))
        probability *= TRUE[is_data][np.clip(np.searchsorted(EDGES, pt, side="right") - 1, 0, 2)]
    taken = rng.random(n_events) < probability
    columns["HLT_MuEle"] = taken
    share = np.where(taken, 0.5, 0.3) if correlated else 0.5
    columns["HLT_MET"] = rng.random(n_events) < share
    return columns


def _card(folder: Path, **weight: Any) -> Path:
    (folder / "emu.py").write_text(ANALYSIS)
    axes = {"electrons.pt": EDGES, "muons.pt": EDGES}
    given = {
        "kind": "trigger",
        "axes": axes,
        "orthogonal": {era: ["HLT_MET*"] for era in ERAS},
        "data": {era: [f"met_{era}.root"] for era in ERAS},
    }
    content = {
        "analysis": "emu.py",
        "title": "triggers",
        "lumi_ifb": 101.3,
        "eras": {
            era: {"lumi_ifb": lumi, "triggers": {"MuonEG": ["HLT_MuEle"]}, "bad_runs": [1]}
            for era, lumi in zip(ERAS, (41.5, 59.8), strict=True)
        },
        "processes": {"top": {}},
        "datasets": {
            f"tt_{era}": {
                "process": "top",
                "era": era,
                "xsec_pb": 1.0,
                "files": [str(folder / f"tt_{era}.root")],
            }
            for era in ERAS
        },
        "weights": {"emu_trigger": given | weight},
    }
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a card whose triggers were measured; those of 2018 depend on each other."""
    folder = tmp_path_factory.mktemp("triggers")
    for seed, era in enumerate(ERAS):
        write_nanoaod(folder / f"tt_{era}.root", _columns(is_data=False, seed=seed, correlated=era == "2018"))
        write_nanoaod(folder / f"met_{era}.root", _columns(is_data=True, seed=10 + seed))
    measure(context_of(_card(folder), folder / "out"))
    return folder


def _set(folder: Path) -> Any:
    return correctionlib.CorrectionSet.from_file(str(folder / "out" / "efficiencies" / "emu_trigger.json"))


def test_a_known_efficiency_comes_back(measured: Path) -> None:
    found, pulls = _set(measured), list[float]()
    for era in ERAS:
        for i in range(3):
            for k in range(3):
                place = (EDGES[i] + 1.0, EDGES[k] + 1.0)
                true = {kind: TRUE[kind][i] * TRUE[kind][k] for kind in (True, False)}
                if era == "2017":
                    for kind, name in ((True, "data"), (False, "simulation")):
                        value, high, low = (
                            found[f"trigger_efficiency_{name}"].evaluate(era, way, *place)
                            for way in ("nominal", "up", "down")
                        )
                        assert 0.0 < low < value < high <= 1.0
                        pulls.append(
                            (value - true[kind]) / (high - value if value < true[kind] else value - low)
                        )
                    scale, up, down = (
                        found["trigger_scale_factor"].evaluate(era, way, *place)
                        for way in ("nominal", "stat_up", "stat_down")
                    )
                    ratio = true[True] / true[False]
                    pulls.append((scale - ratio) / (up - scale if scale < ratio else scale - down))
    assert np.abs(pulls).max() < 3.5
    assert 0.6 < np.std(pulls) < 1.5
    # Beyond the last edge the nearest bin counts.
    assert found["trigger_scale_factor"].evaluate("2017", "nominal", 500.0, 500.0) == found[
        "trigger_scale_factor"
    ].evaluate("2017", "nominal", 79.0, 79.0)


def test_efficiencies_are_drawn_as_they_were_measured(measured: Path) -> None:
    card, found = load_card(measured / "card.yaml"), _set(measured)
    assert isinstance(card, Card)
    weights = {name: one for name, one in card.weights.items() if isinstance(one, TriggerWeight)}
    drawn = [*trigger_pictures(weights, measured / "out" / "efficiencies", label=FigureLabel())]
    assert [one.name for one in drawn] == [f"trigger_emu_trigger_{era}" for era in ERAS]
    upper, lower = drawn[0].figure.axes
    for axes, name, n_curves in ((upper, "efficiency_data", 2), (lower, "scale_factor", 1)):
        values = [points(axes)[n_curves * k][1] for k in range(3)]
        for i, k in np.ndindex(3, 3):
            place = (EDGES[i] + 1.0, EDGES[k] + 1.0)
            known = found[f"trigger_{name}"].evaluate("2017", "nominal", *place)
            assert values[k][i] == pytest.approx(known, rel=1e-12)
    assert "Data, muons 15 ≤ $p_{T}$ < 25 GeV" in texts(drawn[0].figure)
    with pytest.raises(DataError, match="its efficiencies are gone"):
        [*trigger_pictures(weights, measured, label=FigureLabel())]


def test_triggers_that_depend_on_each_other_are_told(measured: Path) -> None:
    found = _set(measured)
    alpha = {era: found["trigger_correlation"].evaluate(era, "nominal") for era in ERAS}
    error = {era: found["trigger_correlation"].evaluate(era, "up") - alpha[era] for era in ERAS}
    assert abs(alpha["2017"] - 1.0) < 3.5 * error["2017"]
    # ε_B is 0.5 of events that the trigger took, and 0.3 of the others.
    columns = _columns(is_data=False, seed=1, correlated=True)
    chosen = np.ones(N_EVENTS, np.bool_)
    for name in ("Electron", "Muon"):
        chosen &= ak.to_numpy(ak.sum(columns[name].pt > 15, axis=1) == 1)
    weight = np.asarray(columns["genWeight"], np.float64)[chosen]
    fired, other = columns["HLT_MuEle"][chosen], columns["HLT_MET"][chosen]
    expected = weight[fired].sum() * weight[other].sum() / (weight.sum() * weight[fired & other].sum())
    assert alpha["2018"] == pytest.approx(expected, rel=1e-9)
    assert abs(alpha["2018"] - 1.0) > 5 * error["2018"]
    scale = [
        found["trigger_scale_factor"].evaluate("2018", way, 30.0, 30.0) for way in ("nominal", "syst_up")
    ]
    assert scale[1] / scale[0] - 1.0 == pytest.approx(abs(alpha["2018"] - 1.0), rel=1e-9)


def test_events_are_weighed_by_it(measured: Path) -> None:
    process(context_of(_card(measured), measured / "out"))
    found = _set(measured)["trigger_scale_factor"]
    for era in ERAS:
        path = next((measured / "out" / "columns" / f"tt_{era}" / "nominal").glob("*.parquet"))
        table = pq.read_table(path)
        column = {name: table[name].to_numpy() for name in table.column_names}
        place = (column["pt_e"].astype(np.float64), column["pt_mu"].astype(np.float64))
        assert len(place[0]) > 1000
        nominal = found.evaluate(era, "nominal", *place)
        for part in ("stat", "syst"):
            for way in ("up", "down"):
                expected = found.evaluate(era, f"{part}_{way}", *place) / nominal
                varied = column[f"gen_weight_emu_trigger_{part}_{way}"] / column["gen_weight"]
                assert varied == pytest.approx(expected, rel=1e-6)


def _shown(folder: Path) -> list[Shown]:
    card, found = load_with_analysis(_card(folder))
    assert isinstance(card, Card)
    shown = shown_corrections(card, found.analysis, folder / "out" / "efficiencies", n_events=30)
    return [one for one in shown if not one.note]


def test_what_was_measured_is_shown(measured: Path) -> None:
    lines = [*printed_corrections(str(_card(measured)), measured / "out")]
    assert any(
        "emu_trigger" in line and "none of these events has all of the objects" in line for line in lines
    )
    shown = _shown(measured)
    assert {one.name for one in shown} == {"emu_trigger_stat", "emu_trigger_syst"}
    for one in shown:
        place = (one.inputs["electrons.pt"], one.inputs["muons.pt"])
        part = one.name.removeprefix("emu_trigger_")
        ways = ("nominal", f"{part}_up", f"{part}_down")
        assert one.values == tuple(_set(measured)[SCALE].evaluate(one.era, way, *place) for way in ways)
    again = _card(measured, file="out/efficiencies/emu_trigger.json", orthogonal={}, data={})
    assert [*printed_corrections(str(again), measured / "nowhere")] == lines
    with pytest.raises(CardError, match="emu_trigger: its efficiencies were not measured yet"):
        [*printed_corrections(str(_card(measured)), measured / "nowhere")]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"axes": {"pt": EDGES}}, "expected objects.variable, such as electrons.pt, received 'pt'"),
        ({"axes": {"electrons.pt": [3, 2]}}, "axes.electrons.pt must rise"),
        ({"axes": {}}, "axes: expected one or two, received 0"),
        ({"data": {"2017": ["met_2017.root"]}}, "weights.emu_trigger.data: nothing for era '2018'"),
        ({"orthogonal": {era: ["HLT_MuEle"] for era in ERAS}}, "HLT_MuEle is a trigger of era '2017' itself"),
        ({"file": "x.json"}, "expected a file, or orthogonal paths with data"),
    ],
)
def test_a_wrong_section_is_refused(measured: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(CardError) as caught:
        load_card(_card(measured, **changes))
    assert line in str(caught.value)


def test_wrong_files_and_names_are_refused(measured: Path) -> None:
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"data": {era: ["nowhere.root"] for era in ERAS}}, "weights.emu_trigger.data.2017: no file matches"),
        ({"orthogonal": {era: ["HLT_Other"] for era in ERAS}}, "asks for the trigger HLT_Other, of which"),
        ({"after": "e_e"}, "Unknown row 'e_e'"),
        ({"axes": {"taus.pt": EDGES}}, "taus"),
    ]
    for changes, line in mistakes:
        with pytest.raises((CardError, DataError)) as caught:
            measure(context_of(_card(measured, **changes), measured / "wrong"))
        assert line in str(caught.value)


def test_other_data_are_measured_anew(measured: Path, tmp_path: Path) -> None:
    context = context_of(_card(measured), tmp_path / "out")
    before = inputs(context)
    (measured / "met_2017.root").touch()
    assert inputs(context) != before


def test_events_without_one_of_the_objects_are_refused(measured: Path) -> None:
    text = ANALYSIS.replace("(ak.num(o.electrons) == 1) & (ak.num(o.muons) == 1)", "ak.num(o.muons) >= 1")
    card = _card(measured)
    (measured / "emu.py").write_text(text.replace("o.electrons.pt[:, 0]", "ak.num(o.electrons)"))
    with pytest.raises(
        DataError, match=r"weights.emu_trigger: \d+ of \d+ selected events lack one of electrons, muons"
    ):
        process(context_of(card, measured / "out"))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    passed = rng.binomial(200, 0.9, 20_000).astype(np.float64)
    total = np.full(len(passed), 200.0)
    found = clopper_pearson(Passed(total, total, passed))
    inside = np.mean((found.low <= 0.9) & (found.high >= 0.9))
    assert 0.683 - 0.01 < inside < 0.80  # never less than it says
    few = clopper_pearson(Passed(np.array([5.0, 50.0]), np.array([5.0, 50.0]), np.array([5.0, 50.0])))
    assert np.isnan(few.value[0])
    assert (few.value[1], few.high[1]) == (1.0, 1.0)
