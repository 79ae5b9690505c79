"""Plain functions of an analysis on one chunk: what they give, and one line for what they get wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.analysis import Analysis, Cuts, Variable
from znought.errors import CardError, DataError, ReadError
from znought.processors import plugin
from znought.processors.evaluated import WHOLE, Evaluated, Evaluation, Request
from znought.processors.plugin import evaluate, refuse_empty
from znought.processors.reading import Tree
from znought.processors.variations import VariationsConfig

_FIVE = VariationsConfig(enabled=("jes", "jer", "lepton_scale", "met_soft", "btag"))
Function = Callable[..., Any]


class Selection(Cuts):
    pt_min_gev: float = 30.0
    n_jets_min: int = 2


def _objects(events: Any, cuts: Selection) -> Mapping[str, Any]:
    jets = events.Jet[events.Jet.is_good & (events.Jet.pt > cuts.pt_min_gev)]
    leptons = events.Muon[events.Muon.pt > 20.0]
    return {"jets": jets, "muons": leptons, "met": events.MET, "scale": 2.0}


def _select(o: Any, cuts: Selection) -> Mapping[str, Any]:
    return {"jets": ak.num(o.jets) >= cuts.n_jets_min, "muon": ak.num(o.muons) > 0, "met": o.met.pt > 20.0}


def _m_jj(o: Any) -> Any:
    return (o.jets[:, 0] + o.jets[:, 1]).mass


_VARIABLES = (
    Variable("ht", lambda o: ak.sum(o.jets.pt, axis=1), bins=(20, 0.0, 400.0), unit="GeV"),
    Variable("m_jj", _m_jj, bins=(20, 0.0, 400.0), unit="GeV"),
    Variable("n_b", lambda o: ak.sum(o.jets.is_btagged, axis=1), bins="integer"),
    Variable("pt_third", lambda o: ak.firsts(o.jets[:, 2:]).pt, undefined=-1.0),
    Variable("met", lambda o: o.met.pt),
)


def _analysis(**changed: Any) -> Analysis:
    given: dict[str, Any] = {"objects": _objects, "select": _select, "variables": _VARIABLES}
    return Analysis("toy", Selection, **{**given, **changed})


def _run(path: str, analysis: Analysis | None = None, *, is_data: bool = False, **request: Any) -> Evaluation:
    chunk = whole_chunk(path, is_data=is_data)
    return evaluate(analysis or _analysis(), chunk, Request(Selection(), **request))


def _nominal(path: str, analysis: Analysis | None = None, **request: Any) -> Evaluated:
    return _run(path, analysis, **request)[WHOLE]["nominal"]


def test_rows_are_and_ed_and_variables_are_those_of_passing_events(simulated: tuple[str, str]) -> None:
    found = _nominal(simulated[0])
    with uproot.open(simulated[0]) as file:
        tree = file["Events"].arrays()
    jets = tree.Jet_pt > 30.0
    masks = [ak.sum(jets, axis=1) >= 2, ak.any(tree.Muon_pt > 20.0, axis=1), tree.MET_pt > 20.0]
    passed = masks[0] & masks[1] & masks[2]
    assert found.cutflow.names == ("all", "jets", "muon", "met")
    expected = (len(tree), ak.sum(masks[0]), ak.sum(masks[0] & masks[1]), ak.sum(passed))
    assert found.cutflow.counts == expected
    assert found.event.tolist() == np.flatnonzero(passed).tolist()
    np.testing.assert_allclose(found.columns["ht"], ak.sum(tree.Jet_pt[jets], axis=1)[passed], rtol=1e-6)
    np.testing.assert_array_equal(found.weights["gen_weight"], tree.genWeight[passed])
    third = ak.fill_none(ak.pad_none(tree.Jet_pt[jets], 3)[:, 2], -1.0)[passed]
    np.testing.assert_allclose(found.columns["pt_third"], third, rtol=1e-6)
    assert {column.dtype for column in found.columns.values()} == {np.dtype(np.float64)}
    assert float(found.cutflow.sumw[-1]) == pytest.approx(float(ak.sum(tree.genWeight[passed])))


def test_variations_are_those_of_moved_events(many: tuple[str, str]) -> None:
    varied = _run(many[0], variations=_FIVE)[WHOLE]
    names = {f"{name}_{way}" for name in ("jes", "lepton_scale", "met_soft") for way in ("up", "down")}
    assert set(varied) == {"nominal", "jer_up", "btag_down", *names}
    counts = [varied[name].cutflow.counts for name in ("jes_down", "nominal", "jes_up")]
    assert counts[0][1] < counts[1][1] < counts[2][1]
    assert varied["btag_down"].columns["n_b"].sum() < varied["nominal"].columns["n_b"].sum()
    common, first, second = np.intersect1d(
        varied["nominal"].event, varied["lepton_scale_up"].event, return_indices=True
    )
    assert len(common) > 50
    same = {
        name: np.array_equal(
            varied["nominal"].columns[name][first], varied["lepton_scale_up"].columns[name][second]
        )
        for name in ("ht", "met")
    }
    assert same == {"ht": True, "met": False}


def test_what_a_variation_does_not_touch_is_not_computed_again(simulated: tuple[str, str]) -> None:
    calls: list[str] = []

    def objects(events: Any, cuts: Selection) -> Mapping[str, Any]:
        calls.append("objects")
        return {"muons": events.Muon}

    analysis = _analysis(
        objects=objects,
        select=lambda o, cuts: {"muon": ak.num(o.muons) > 0},
        variables=[Variable("pt", lambda o: o.muons[:, 0].pt)],
    )
    found = _run(simulated[0], analysis, variations=_FIVE)[WHOLE]
    assert len(calls) == 2  # nominal, and the leptons up and down together
    assert found["jes_up"].columns is found["nominal"].columns
    ratio = found["lepton_scale_up"].columns["pt"] / found["nominal"].columns["pt"]
    np.testing.assert_allclose(ratio, 1.002, rtol=1e-12)


def test_data_have_no_weights_and_no_variations(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "data.root", events(200, seed=8, is_data=True))
    asked: list[str] = []

    def weights(o: Any) -> Mapping[str, Any]:
        asked.append("weights")
        return {}

    analysis = _analysis(weights=weights)
    found = _run(path, analysis, is_data=True, variations=_FIVE)[WHOLE]
    assert set(found) == {"nominal"}
    assert set(found["nominal"].weights) == {"gen_weight"}
    assert np.all(found["nominal"].weights["gen_weight"] == 1.0)
    assert found["nominal"].cutflow.names[-1] == "weights"  # the same rows as simulation
    assert not asked


def test_weights_multiply_and_vary(simulated: tuple[str, str]) -> None:
    def weights(o: Any) -> Mapping[str, Any]:
        n = ak.num(o.jets)
        return {
            "a": 1.0 + 0.1 * n,
            "b": (0.5 * ak.ones_like(n), 0.6 * ak.ones_like(n), 0.4 * ak.ones_like(n)),
        }

    plain, found = _nominal(simulated[0]), _nominal(simulated[0], _analysis(weights=weights))
    assert set(found.weights) == {"gen_weight", "gen_weight_b_up", "gen_weight_b_down"}
    ratio = found.weights["gen_weight"] / plain.weights["gen_weight"]
    assert np.all((ratio >= 0.5 * 1.2 - 1e-9) & (np.abs(ratio / 0.05 % 1.0 - 0.5).round(6) <= 0.5))
    np.testing.assert_allclose(found.weights["gen_weight_b_up"] / found.weights["gen_weight"], 1.2)
    assert float(found.cutflow.sumw[-1]) == pytest.approx(found.weights["gen_weight"].sum())


def test_channels_split_what_passes(simulated: tuple[str, str]) -> None:
    channels: dict[str, Function | None] = {
        "two": lambda o: ak.num(o.jets) == 2,
        "more": lambda o: ak.num(o.jets) > 2,
    }
    found = _run(simulated[0], _analysis(channels=channels))
    whole = _nominal(simulated[0])
    assert set(found) == {"two", "more"}
    events = np.concatenate([found[name]["nominal"].event for name in channels])
    assert sorted(events) == whole.event.tolist()
    assert found["two"]["nominal"].cutflow.names[-1] == "two"
    assert found["two"]["nominal"].cutflow.counts[-1] == len(found["two"]["nominal"].event)
    one = _run(simulated[0], _analysis(channels=channels), channels=("more",))
    assert set(one) == {"more"}
    with pytest.raises(CardError, match="Unknown channel 'mor', did you mean 'more'"):
        _run(simulated[0], _analysis(channels=channels), channels=("mor",))
    channels["more"] = lambda o: ak.num(o.jets) >= 2
    with pytest.raises(DataError, match=r"channel 'more', dataset 'toy': \d+ events are in another channel"):
        _run(simulated[0], _analysis(channels=channels))


def failing(o: Any) -> Any:
    return o.jets[:, 0].nonsense


_HERE = r"test_plugin\.py:\d+"


def _row(function: Function) -> dict[str, Any]:
    return {"select": lambda o, cuts: {"row": function(o)}}


def _variable(function: Function) -> dict[str, Any]:
    return {"variables": [Variable("x", function)]}


def _weight(function: Function) -> dict[str, Any]:
    return {"weights": lambda o: {"w": function(o)}}


def _third(o: Any) -> Any:
    return ak.firsts(o.jets[:, 2:]).pt


_UNDEFINED = r"undefined \(None or NaN\) for \d+ of \d+ events"
_WRONG: list[tuple[dict[str, Any], str]] = [
    (_row(lambda o: ak.num(o.jets)[1:] > 1), "select, row 'row', .* of 600 events; received 599"),
    (_row(lambda o: ak.num(o.jets)), "row 'row', .* expected one boolean per event, received int64"),
    (_row(lambda o: _third(o) > 50.0), r"row 'row', .* \d+ of 600 values are None; .* ak\.fill_none"),
    (_row(lambda o: o.jets.pt > 50.0), r"row 'row', .* received 600 \* var \* bool"),
    (_row(lambda o: o.jest), "select, .* AttributeError: Unknown object 'jest', did you mean 'jets'"),
    ({"select": lambda o, cuts: {"all": ak.num(o.jets) > 1}}, "row 'all' is made by znought"),
    ({"select": lambda o, cuts: ak.num(o.jets) > 1}, "expected {row: mask}, received Array"),
    ({"objects": lambda events, cuts: events.Jet}, "objects, .* expected {name: objects}, received JetArray"),
    ({"objects": lambda events, cuts: {"events": 1}}, "'events' is given already"),
    ({"objects": lambda events, cuts: {"jets": events.Jet[2:]}}, "'jets' has 598 entries for 600 events"),
    (
        {"objects": lambda events, cuts: {"jets": events.Jets}},
        r"AttributeError: no field named 'Jets' in .*a\.root \(dialect simulation\)",
    ),
    (_variable(lambda o: o.jets.pt), r"variable 'x', .* received \d+ \* var \* float64"),
    (_variable(lambda o: 1.0), "variable 'x', .* expected one number per event, received float"),
    (_variable(lambda o: ak.num(o.jets)[1:]), r"variable 'x', .* of \d+ events; received \d+"),
    (_variable(lambda o: ["a"] * len(o.jets)), "variable 'x', .* received <U1"),
    (_variable(lambda o: o.jets[:, 0]), "variable 'x', .* expected one number per event, received .*Jet"),
    (_variable(_third), rf"{_UNDEFINED}; give Variable\(undefined=...\)"),
    (_variable(lambda o: ak.num(o.jets) / 0.0), r"infinite for \d+ of"),
    (_variable(failing), "variable 'x', .* AttributeError: no field named 'nonsense'"),
    ({"weights": lambda o: [1.0]}, "weights, .* expected {name: array or"),
    (_weight(lambda o: (o.met.pt, o.met.pt)), "weights, 'w', .* received 2 arrays"),
    (_weight(_third), f"weights, 'w', .* {_UNDEFINED}"),
]


@pytest.mark.parametrize(("changed", "message"), _WRONG)
def test_what_functions_get_wrong_is_one_line(
    simulated: tuple[str, str], changed: dict[str, Any], message: str
) -> None:
    with np.errstate(divide="ignore"), pytest.raises(DataError, match=f"^{_HERE}, .*{message}") as caught:
        _run(simulated[0], _analysis(**changed))
    text = str(caught.value)
    assert "\n" not in text
    assert "dataset 'toy'" in text


def test_the_line_is_that_of_the_user_and_the_cause_is_kept(simulated: tuple[str, str]) -> None:
    with pytest.raises(DataError) as caught:
        _run(simulated[0], _analysis(variables=[Variable(failing)]))
    line = failing.__code__.co_firstlineno + 1
    assert str(caught.value).startswith(f"test_plugin.py:{line}, variable 'failing', dataset 'toy': ")
    assert isinstance(caught.value.__cause__, AttributeError)


def test_two_variables_of_one_name_are_refused() -> None:
    with pytest.raises(CardError, match="two variables are called 'ht'"):
        _analysis(variables=[*_VARIABLES, _VARIABLES[0]])


def test_a_selection_that_keeps_nothing_of_a_chunk_gives_no_rows(simulated: tuple[str, str]) -> None:
    def select(o: Any, cuts: Selection) -> Mapping[str, Any]:
        return {"jets": ak.num(o.jets) > 1, "hopeless": ak.num(o.jets) > 1000}

    analysis = _analysis(select=select)
    found = _nominal(simulated[0], analysis)
    assert found.cutflow.counts[-1] == 0
    assert {name: len(column) for name, column in found.columns.items()} == dict.fromkeys(found.columns, 0)
    assert {column.dtype for column in found.columns.values()} == {np.dtype(np.float64)}
    line = select.__code__.co_firstlineno
    with pytest.raises(DataError) as caught:
        refuse_empty(analysis, "toy", found.cutflow)
    assert str(caught.value) == (
        f"test_plugin.py:{line}, select, dataset 'toy': nothing is left of 600 events after 'hopeless'."
    )
    refuse_empty(analysis, "toy", _nominal(simulated[0]).cutflow)


def test_errors_of_reading_stay_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(100, seed=9))
    chunk = whole_chunk(path)

    def broken(*_: Any) -> Any:
        raise ReadError("a.root: the disk is gone")

    monkeypatch.setattr(Tree, "read", broken)
    with pytest.raises(ReadError, match="the disk is gone"):
        evaluate(_analysis(), chunk, Request(Selection()))


def test_names_that_are_always_there(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(50, seed=9))
    seen: list[Any] = []

    def number(o: Any) -> Any:
        seen.append((o.is_data, o.dataset, o.era, o.scale, o.cuts.n_jets_min, len(o.events), dir(o)))
        return o.events.MET.pt

    chunk = whole_chunk(path, era="2018")
    found = evaluate(_analysis(variables=[Variable(number)]), chunk, Request(Selection()))[WHOLE]["nominal"]
    n_passed = found.cutflow.counts[-1]
    names = sorted(["jets", "muons", "met", "scale", "cuts", "events", "is_data", "dataset", "era"])
    assert seen == [(False, "toy", "2018", 2.0, 2, n_passed, names)]
    assert len(found.columns["number"]) == n_passed


@pytest.mark.parametrize(("share", "together"), [(-1.0, 10**9), (2.0, 1), (2.0, 10**9), (0.5, 10_000)])
def test_how_variations_are_put_together_changes_nothing(
    many: tuple[str, str], monkeypatch: pytest.MonkeyPatch, share: float, together: int
) -> None:
    channels = {"two": lambda o: ak.num(o.jets) == 2, "more": lambda o: ak.num(o.jets) > 2}
    analysis = _analysis(weights=lambda o: {"a": 1.0 + ak.num(o.jets)}, channels=channels)
    monkeypatch.setattr(plugin, "_MOST_CHANGED", -1.0)
    monkeypatch.setattr(plugin, "_MOST_TOGETHER", 1)
    one_by_one = _run(many[0], analysis, variations=_FIVE)
    monkeypatch.setattr(plugin, "_MOST_CHANGED", share)
    monkeypatch.setattr(plugin, "_MOST_TOGETHER", together)
    other = _run(many[0], analysis, variations=_FIVE)
    for channel in channels:
        assert list(other[channel]) == list(one_by_one[channel])
        for name, expected in one_by_one[channel].items():
            found = other[channel][name]
            assert found.cutflow == expected.cutflow
            assert found.event.tolist() == expected.event.tolist()
            for column, values in {**expected.columns, **expected.weights}.items():
                np.testing.assert_allclose({**found.columns, **found.weights}[column], values, rtol=1e-12)


def test_cross_references_are_followed_within_each_variation(open_data: Path) -> None:
    def matched(o: Any) -> Any:
        jets = o.events.Electron.matched_jet
        return ak.fill_none(ak.sum(jets.pt, axis=1), 0.0)

    analysis = _analysis(
        objects=lambda events, cuts: {"electrons": events.Electron},
        select=lambda o, cuts: {"electron": ak.num(o.electrons) > 0},
        variables=[Variable("pt", matched)],
    )
    found = _run(str(open_data / "nano_tt_v12.root"), analysis, variations=VariationsConfig(("jes",)))[WHOLE]
    for name, factor in (("jes_up", 1.02), ("jes_down", 0.98)):
        np.testing.assert_allclose(found[name].columns["pt"], factor * found["nominal"].columns["pt"])
    assert found["nominal"].columns["pt"].max() > 0.0
