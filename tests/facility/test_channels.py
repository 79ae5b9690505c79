"""An analysis of two channels in the standard flow, from ntuples to the fit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from distributed import Client

from tests.facility.small import context_of, write_ntuples
from znought.analysis import Analysis, Variable
from znought.errors import CardError, DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.figures.inputs import region_pictures
from znought.facility.pipeline import run_stages, whole
from znought.facility.regions.books import read_region_books
from znought.facility.results.standard import Results, read_results
from znought.facility.stages.plot import _cutflow
from znought.facility.stages.process import process

ANALYSIS = """
import awkward as ak
from znought import Analysis, Variable


def objects(events, cuts):
    electrons = events.Electron[events.Electron.is_tight & (events.Electron.pt > 15.0)]
    muons = events.Muon[events.Muon.is_tight & (events.Muon.pt > 15.0)]
    jets = events.Jet[events.Jet.is_good & (events.Jet.pt > 30.0)]
    return {"electrons": electrons, "muons": muons, "jets": jets}


def select(o, cuts):
    return {"e_mu": (ak.num(o.electrons) >= 1) & (ak.num(o.muons) >= 1)}


def m_ll(o):
    return (o.electrons[:, 0] + o.muons[:, 0]).mass


ANALYSIS = Analysis(
    "emu",
    objects=objects,
    select=select,
    channels={"few": lambda o: ak.num(o.jets) < 3, "many": lambda o: ak.num(o.jets) >= 3},
    variables=[
        Variable(m_ll, bins=(20, 0, 200), label="$m_{ll}$", unit="GeV"),
        Variable("n_jets", lambda o: ak.num(o.jets), bins="integer"),
    ],
)
"""
CARD: dict[str, Any] = {
    "analysis": "emu.py",
    "title": "two channels",
    "lumi_ifb": 10.0,
    "signal": "VH",
    "processes": {"VH": {}, "top": {}, "data": {"kind": "data"}},
    "regions": {"low": {"m_ll": [None, 90.0]}, "high": {"m_ll": [90.0, None]}},
    "discriminants": {"low": {"variable": "m_ll", "bins": [3, 10.0, 90.0]}},
    "signal_region": "high",
    "variations": {"enabled": ["jes"], "jes_relative": 0.1},
    "plotting": {"variables": ["m_ll"]},
    "likelihood": {
        "workspace": {"norms": {"rate": {"processes": ["top"], "relative": 0.2, "regions": ["low"]}}}
    },
    "validation": {"action": "report"},
    "crossfit": {"n_bootstrap": 5},
}


def written(folder: Path, **changes: Any) -> Path:
    """The analysis and its card beside the files of a folder."""
    (folder / "emu.py").write_text(ANALYSIS)
    files = {"vh": ("VH", 0.1, "ab"), "ttbar": ("top", 1.0, "c"), "data": ("data", None, "de")}
    datasets: dict[str, Any] = {
        name: {"process": process, "files": [str(folder / f"{one}.root") for one in of]}
        | ({"lumi_ifb": 2.0} if xsec is None else {"xsec_pb": xsec})
        for name, (process, xsec, of) in files.items()
    }
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(CARD | {"datasets": datasets} | changes, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Context[StandardCard]:
    """After a whole run but its figures."""
    folder = tmp_path_factory.mktemp("channels")
    write_ntuples(folder)
    context = context_of(written(folder), folder / "out")
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        run_stages(replace(context, cluster=lambda: client), whole(context)[:-1])
    return context


def results(context: Context[StandardCard]) -> Results:
    return read_results(context.workspace.results)


def test_a_column_tells_channels_apart(finished: Context[StandardCard]) -> None:
    seen: dict[int, set[int]] = {}
    for variation in ("nominal", "jes_up"):
        (file,) = finished.workspace.columns.glob(f"ttbar/{variation}/*.parquet")
        table = pq.read_table(file, partitioning=None)
        for channel, n_jets in zip(table["channel"].to_pylist(), table["n_jets"].to_pylist(), strict=True):
            seen.setdefault(channel, set()).add(n_jets < 3)
    assert seen == {0: {True}, 1: {False}}


def test_cutflows_regions_and_figures_have_the_channels(finished: Context[StandardCard]) -> None:
    flows = json.loads(finished.workspace.cutflow.read_text())["channels"]
    assert flows["few"]["cuts"] == ["all", "e_mu", "few"]
    top = {name: flow["processes"]["top"]["sumw"] for name, flow in flows.items()}
    assert top["few"][1] == pytest.approx(top["few"][2] + top["many"][2])
    found = results(finished).regions
    assert set(found) == {"low", "high", "few", "many", "low_few", "low_many", "high_few", "high_many"}
    for name in ("low", "high"):
        parts = [found[f"{name}_{channel}"]["top"].events[0] for channel in ("few", "many")]
        assert found[name]["top"].events[0] == pytest.approx(sum(parts))
    assert found["few"]["top"].events[0] == pytest.approx(top["few"][2])
    rows, events = _cutflow(finished.workspace)
    assert rows == ("all", "e_mu", "few", "many")
    assert events["top"] == pytest.approx((*top["few"], top["many"][2]))
    books = {
        name: book for name, book in read_region_books(finished.workspace.regions).items() if "low" in name
    }
    shown = read_region_books(finished.workspace.regions)
    assert {name for name, book in shown.items() if book.data is None} == {"high", "high_few", "high_many"}
    pictures = {picture.name for picture in region_pictures(finished.card, books)}
    assert {"n_minus_one_low_few_m_ll", "n_minus_one_low_few_channel"} <= pictures


def test_the_fit_has_a_region_for_each_channel(finished: Context[StandardCard]) -> None:
    spec = json.loads((finished.workspace.fit / "workspace.json").read_text())
    assert [channel["name"] for channel in spec["channels"]] == ["low_few", "low_many"]
    names = {m["name"] for c in spec["channels"] for s in c["samples"] for m in s["modifiers"]}
    assert {"rate", "jes", "mu"} <= names
    fit = results(finished).fit
    assert fit is not None
    assert set(fit.regions) == {"low_few", "low_many"}
    (together,) = [region for name, region in results(finished).regions.items() if name == "low"]
    inside = sum(np.sum(one.before.events["top"]) for one in fit.regions.values())
    assert 0.5 * together["top"].events[0] < inside <= together["top"].events[0] * (1 + 1e-9)


def test_a_card_may_take_some_channels_and_bind_twice(
    finished: Context[StandardCard], tmp_path: Path
) -> None:
    card = finished.card
    again = card.of(finished.analysis)
    assert again.regions == card.regions
    assert list(again.discriminants) == ["low_few", "low_many"]
    one = context_of(written(tmp_path, channels=["many"]), tmp_path / "out").card
    assert list(one.discriminants) == ["low_many"]
    assert one.regions["low_many"]["channel"] == (0.5, 1.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": ["man"]}, "channels: Unknown channel 'man', did you mean 'many'"),
        ({"regions": CARD["regions"] | {"few": {"m_ll": [0.0, None]}}}, "regions.few: .* name of a channel"),
        (
            {"discriminants": {}, "cut_based": {"region": "low", "variable": "m_ll", "lower": 0, "upper": 9}},
            "channels: a fit needs discriminants",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        context_of(written(tmp_path, **changes), tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_channels_that_share_events_are_refused_in_one_line(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    path = written(tmp_path)
    (tmp_path / "emu.py").write_text(ANALYSIS.replace(">= 3", ">= 2"))
    context = context_of(path, tmp_path / "out")
    message = r"emu.py:\d+, channel 'many', .*: \d+ events are in another channel"
    with pytest.raises(DataError, match=message) as caught:
        process(context)
    assert "\n" not in str(caught.value)
    with pytest.raises(CardError, match="'channel' is the name of a column of its channels"):
        Analysis(
            "x", objects=len, select=len, channels={"a": len}, variables=[Variable("channel", lambda o: o.n)]
        )
