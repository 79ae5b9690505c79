"""Loose leptons beside tight ones: what plain functions see, and what is kept apart."""

from collections.abc import Mapping
from typing import Any

import awkward as ak
import numpy as np
import pytest

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.analysis import Analysis, Cuts, Variable
from znought.errors import DataError
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Request
from znought.processors.loose import LOOSE, LeptonDefinition, apart, lepton_columns
from znought.processors.plugin import evaluate
from znought.processors.variations import VariationsConfig

TIGHT, LIMITS = {"isolation": (None, 0.05)}, {"isolation": (0.05, 0.2)}
BOTH = {flavour: LeptonDefinition(f"{flavour}s", TIGHT, LIMITS) for flavour in ("electron", "muon")}


def _objects(events: Any, cuts: Cuts) -> Mapping[str, Any]:
    return {
        "electrons": events.Electron[events.Electron.is_tight & (events.Electron.pt > 15.0)],
        "muons": events.Muon[events.Muon.is_tight & (events.Muon.pt > 15.0)],
        "jets": events.Jet[events.Jet.is_good & (events.Jet.pt > 30.0)],
    }


def _select(o: Any, cuts: Cuts) -> Mapping[str, Any]:
    return {"two": ak.num(o.electrons) + ak.num(o.muons) == 2, "jet": ak.num(o.jets) > 0}


ANALYSIS = Analysis(
    "toy",
    objects=_objects,
    select=_select,
    variables=[Variable("ht", lambda o: ak.sum(o.jets.pt, axis=1), bins=(20, 0.0, 400.0))],
)


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Chunk:
    return whole_chunk(write_nanoaod(tmp_path_factory.mktemp("loose") / "a.root", events(2000, seed=4)))


def _made(chunk: Chunk, loose: Mapping[str, LeptonDefinition], *varied: str) -> Mapping[str, Evaluated]:
    request = Request(Cuts(), VariationsConfig(varied), loose=loose)
    return evaluate(ANALYSIS, chunk, request)[WHOLE]


def _by_hand(chunk: Chunk) -> dict[int, list[tuple[float, float, int, bool]]]:
    """pT, |η|, flavour and looseness of the selected leptons of each event with two and a jet, by a loop."""
    view = chunk.view
    found = {}
    parts = []
    for number, flavour in enumerate(("electron", "muon")):
        names = ("pt", "eta", "isolation")
        parts.append(
            (number, [ak.unflatten(view.flat(f"{flavour}_{n}"), view.counts(f"{flavour}_pt")) for n in names])
        )
    jets = ak.unflatten(view.flat("jet_pt"), view.counts("jet_pt"))
    for event in range(len(view)):
        leptons = [
            (float(pt), abs(float(eta)), number, iso >= 0.05)
            for number, (pts, etas, isos) in parts
            for pt, eta, iso in zip(pts[event], etas[event], isos[event], strict=True)
            if pt > 15.0 and iso < 0.2
        ]
        if len(leptons) == 2 and ak.any(jets[event] > 30.0):
            found[event] = sorted(leptons, reverse=True)
    return found


def test_events_are_told_apart_by_their_leptons(chunk: Chunk) -> None:
    expected = _by_hand(chunk)
    found = apart({WHOLE: _made(chunk, BOTH)})[WHOLE]
    tight = [event for event, leptons in expected.items() if not any(one[3] for one in leptons)]
    loose = [event for event, leptons in expected.items() if any(one[3] for one in leptons)]
    assert found[NOMINAL].event.tolist() == tight
    assert found[LOOSE].event.tolist() == loose
    assert len(tight) > 100 < len(loose)
    assert found[NOMINAL].cutflow.names == ("all", "two", "jet", "tight_leptons")
    assert found[NOMINAL].cutflow.counts[-2:] == (len(expected), len(tight))
    columns = found[LOOSE].columns
    for row, event in enumerate(loose):
        leptons = expected[event]
        assert columns["n_loose"][row] == sum(one[3] for one in leptons)
        softest = leptons[-1]
        assert columns["probe_pt"][row] == pytest.approx(softest[0], rel=1e-6)
        assert columns["probe_is_loose"][row] == softest[3]
        for place, one in enumerate(lepton for lepton in leptons if lepton[3]):
            values = [columns[f"loose{place}_{name}"][row] for name in ("pt", "abs_eta", "flavour")]
            assert values == pytest.approx(one[:3], rel=1e-6)
    assert set(columns["loose2_flavour"]) == {-1}
    assert [name for name in found[NOMINAL].columns if "loose" in name] == []


def test_tight_events_are_those_of_the_analysis_without_loose_leptons(chunk: Chunk) -> None:
    """Where no lepton is loose, whether it is asked for or not."""
    nothing = {
        name: LeptonDefinition(one.objects, TIGHT, {"isolation": (90.0, None)}) for name, one in BOTH.items()
    }
    plain, found = _made(chunk, nothing, "jes"), apart({WHOLE: _made(chunk, BOTH, "jes")})[WHOLE]
    for name in (NOMINAL, "jes_up"):
        # An event with a loose third lepton has two tight ones, and fails the selection of two.
        inside = np.isin(plain[name].event, found[name].event)
        assert set(found[name].event) <= set(plain[name].event)
        assert np.array_equal(plain[name].columns["ht"][inside], found[name].columns["ht"])
    assert LOOSE in found


def test_wrong_leptons_are_one_line(chunk: Chunk) -> None:
    wrong = {"muon": LeptonDefinition("muons", {"isolaton": (None, 0.1)}, LIMITS)}
    with pytest.raises(
        DataError, match=r"fake_leptons: Muon: Unknown field 'isolaton'.*did you mean 'isolation'"
    ):
        _made(chunk, wrong)
    with pytest.raises(
        DataError, match=r"fake_leptons.leptons.muon.objects: 'jets' are not made of events.Muon"
    ):
        _made(chunk, {"muon": LeptonDefinition("jets", TIGHT, LIMITS)})
    four = np.zeros(4, np.int64)
    with pytest.raises(DataError, match="an event has 4 loose leptons, at most 3 count"):
        lepton_columns(1, four, four, np.ones(4), np.ones(4), np.ones(4, np.bool_))


def test_a_lepton_may_be_loose_by_its_identification() -> None:
    values = {"is_tight": np.array([True, True, False]), "isolation": np.array([0.01, 0.1, 0.01])}
    failing = LeptonDefinition("muons", TIGHT, {"is_tight": (0.0, 1.0)})
    tight, loose = failing.masks(values.__getitem__)
    assert (tight.tolist(), loose.tolist()) == ([True, False, False], [False, False, True])
    _, loose = BOTH["muon"].masks(values.__getitem__)
    assert loose.tolist() == [False, True, False]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_harder_misidentified_leptons_raise_the_factor(share: float) -> None:
    """By 1/(1 − h), as documented: the softest lepton of an event is taken for the misidentified one."""
    n, rate = 400_000, 0.3
    rng = np.random.default_rng(8)
    hard_is_fake = rng.uniform(size=n) < share
    is_loose = rng.uniform(size=n) > rate
    event, pt = np.repeat(np.arange(n), 2), np.tile([60.0, 20.0], n)
    loose = np.stack([hard_is_fake & is_loose, ~hard_is_fake & is_loose], axis=1).ravel()
    found = lepton_columns(n, event, np.zeros(2 * n, np.int64), pt, np.zeros(2 * n), loose)
    tight = found["n_loose"] == 0
    probes = (found["n_loose"] == 1) & found["probe_is_loose"]
    factor = tight.sum() / probes.sum()
    assert factor == pytest.approx(rate / (1.0 - rate) / (1.0 - share), rel=0.01)
