"""An existing coffea processor under the ledger: what coffea's Runner gives, also after a worker's death."""

import json
import os
import signal
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
import pyarrow.parquet as pq
import pytest
import uhi.io.json
import uproot
import yaml
from coffea.nanoevents import NanoAODSchema
from coffea.processor import IterativeExecutor, Runner, column_accumulator
from coffea.processor.test_items import NanoEventsProcessor
from distributed import Client, LocalCluster

from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError, LedgerError, ZnoughtError
from znought.facility.cards.checking import check_card
from znought.facility.cards.existing import ProcessorCard, made_processor
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.ntuples.runner import process_fileset
from znought.facility.pipeline import run_stages, standing, whole
from znought.facility.progress import Silent
from znought.facility.results.ledger import DatasetAccount, Ledger
from znought.facility.results.output import output_tables, read_output, write_output
from znought.facility.workspace import Workspace
from znought.processors.existing import ExistingProcessor
from znought.processors.output import Output

PUBLIC = "coffea.processor.test_items:NanoEventsProcessor"

MINE = """
    import awkward as ak
    import hist
    import numpy as np
    from coffea import processor


    class MyProcessor(processor.ProcessorABC):
        def __init__(self, pt_min=20.0):
            self.pt_min = pt_min

        def process(self, events):
            dataset = events.metadata["dataset"]
            muons = events.Muon[events.Muon.pt > self.pt_min]
            axis = hist.axis.Regular(10, 0, 200, name="pt")
            pt = hist.Hist(axis, hist.axis.StrCategory([], growth=True, name="sign"), storage="weight")
            for sign, of in (("plus", muons[muons.charge > 0]), ("minus", muons[muons.charge < 0])):
                pt.fill(ak.flatten(of.pt), sign)
            leading = ak.to_numpy(ak.fill_none(ak.max(muons.pt, axis=1), -1.0))
            found = {
                "n": len(events),
                "cross section": events.metadata["xsec"] * len(events),
                "sumw": np.array([1.0, 2.0]) * len(events),
                "counts": hist.Hist.new.Int(0, 4, name="n").Int64().fill(np.minimum(ak.num(muons), 3)),
                "pt": pt,
                "leading_pt": processor.column_accumulator(leading),
                "files": {events.metadata["filename"].rsplit("/")[-1]},
                "blocks": [int(events.metadata["entrystart"])],
            }
            return {dataset: found}

        def postprocess(self, accumulator):
            return {**accumulator, "total": sum(found["n"] for found in accumulator.values())}
"""


@pytest.fixture(autouse=True)
def _calm_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test hold few collections; coffea warns of each index into one that is not there."""
    monkeypatch.setattr(NanoAODSchema, "warn_missing_crossrefs", False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of one dataset, one of another, and a processor."""
    folder = tmp_path_factory.mktemp("existing")
    for seed, name in enumerate("abc"):
        columns = events(1200, seed=seed, first_event=1200 * seed)
        muons = columns["Muon"]
        columns["Muon"] = ak.with_field(muons, np.float32(0.1057) * ak.ones_like(muons.pt), "mass")
        write_nanoaod(folder / f"{name}.root", columns)
    (folder / "my_processor.py").write_text(textwrap.dedent(MINE))
    return folder


def _card(folder: Path, **changes: Any) -> Path:
    datasets = {
        "ZJets": {"files": [str(folder / "[ab].root")], "metadata": {"xsec": 2.0}},
        "Data": {"files": [str(folder / "c.root")], "metadata": {"xsec": 0.5}},
    }
    content = {
        "processor": "my_processor.py:MyProcessor",
        "schema": "NanoAODSchema",
        "datasets": datasets,
        "processing": {"chunk_size": 1000},
    }
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


def _context(card: Path, output: Path, client: Client | None = None) -> Context[Any]:
    read, found = load_with_analysis(card)
    return Context(read, Workspace(output), RunOptions(), Silent(), lambda: client, found)  # type: ignore[arg-type, return-value]  # no cluster


def _run(card: Path, output: Path, client: Client | None = None) -> Workspace:
    context = _context(card, output, client)
    run_stages(context, whole(context))
    return context.workspace


def _by_coffea(folder: Path, processor: Any) -> Any:
    """The same by coffea's own Runner."""
    files = {"ZJets": ["a.root", "b.root"], "Data": ["c.root"]}
    fileset = {
        name: {
            "files": {str(folder / file): "Events" for file in of},
            "metadata": {"xsec": 2.0 if name == "ZJets" else 0.5},
        }
        for name, of in files.items()
    }
    runner = Runner(IterativeExecutor(status=False), chunksize=700, schema=NanoAODSchema)
    return runner(fileset, processor_instance=processor)


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_public_processor_gives_what_coffeas_runner_gives(folder: Path, tmp_path: Path) -> None:
    """coffea's own example, which nobody here wrote."""
    expected = _by_coffea(folder, NanoEventsProcessor(mode="virtual"))
    card = _card(folder, processor=PUBLIC, arguments={"mode": "virtual"})
    workspace = _run(card, tmp_path)
    text = (workspace.hists / "output.uhi.json").read_text()
    hists = json.loads(text, object_hook=uhi.io.json.object_hook)
    assert set(hists) == {"mass", "pt"}
    for name in hists:
        found = hist.Hist(hists[name])
        order = [found.axes[0].index(dataset) for dataset in expected[name].axes[0]]
        assert np.array_equal(found.values(flow=True)[order], expected[name].values(flow=True)[: len(order)])
        assert found.values().sum() > 300
    with uproot.open(workspace.hists / "output.root") as file:
        assert np.array_equal(file["pt"].values(), hist.Hist(hists["pt"]).values())
    numbers = read_output(workspace.results).numbers
    assert numbers == {"worker": []} | {f"cutflow/{k}": v for k, v in expected["cutflow"].items()}


def test_a_killed_worker_changes_nothing(folder: Path, client: Client) -> None:
    card, found = load_with_analysis(_card(folder, processor=PUBLIC, arguments={"mode": "virtual"}))
    files = {
        name: sorted(map(str, folder.glob(of))) for name, of in (("ZJets", "[ab].root"), ("Data", "c.root"))
    }
    fileset = {name: {"files": paths, "metadata": {}} for name, paths in files.items()}
    pids = list(client.run(os.getpid).values())
    victims = iter(pids[:1])

    def kill(done: int, _: int) -> None:
        if done == 5:
            os.kill(next(victims), signal.SIGKILL)

    assert isinstance(card, ProcessorCard)
    processor = made_processor(found, card.arguments)
    result = process_fileset(client, fileset, processor, chunk_size=100, progress=kill)
    assert next(victims, None) is None
    total = Output.total([entry.output for entry in result.results.values() if entry.output is not None])
    assert total is not None
    expected = _by_coffea(folder, NanoEventsProcessor(mode="virtual"))
    for name in ("mass", "pt"):
        for dataset in files:
            one, other = total.value[name][dataset, :], expected[name][dataset, :]
            assert np.array_equal(one.values(flow=True), other.values(flow=True))
    assert total.value["cutflow"] == expected["cutflow"]


def test_every_kind_of_output_is_written(folder: Path, tmp_path: Path) -> None:
    workspace = _run(card := _card(folder), tmp_path)
    named = load_with_analysis(card)[1].named
    assert named is not None
    mine = named[0]()
    expected = _by_coffea(folder, mine)
    results = read_output(workspace.results)
    assert results.events == {"ZJets": 2400, "Data": 1200}
    assert results.numbers["total"] == 3600
    assert results.numbers["ZJets/cross_section"] == expected["ZJets"]["cross section"] == 4800
    assert results.numbers["Data/sumw"] == [1200, 2400]
    assert results.numbers["ZJets/files"] == ["a.root", "b.root"]
    with uproot.open(workspace.hists / "output.root") as file:
        assert np.array_equal(file["ZJets/counts"].values(), expected["ZJets"]["counts"].values())
        assert np.array_equal(file["ZJets/pt"].variances(), expected["ZJets"]["pt"].variances())
    column = pq.read_table(workspace.columns / "ZJets" / "leading_pt.parquet")
    assert np.array_equal(column["leading_pt"].to_numpy(), expected["ZJets"]["leading_pt"].value)
    assert pq.read_table(workspace.columns / "Data" / "blocks.parquet")["blocks"].to_pylist() == [0, 600]
    ledger = json.loads(workspace.ledger.read_text())
    assert ledger["datasets"]["ZJets"] == {"files": 2, "events": 2400, "files_lost": [], "lost_fraction": 0.0}


def test_what_holds_is_skipped_and_an_edit_is_noticed(folder: Path, tmp_path: Path) -> None:
    card = _card(folder)
    workspace = _run(card, tmp_path)
    first = workspace.results.stat().st_mtime_ns
    _run(card, tmp_path)
    assert workspace.results.stat().st_mtime_ns == first
    _run(_card(folder, arguments={"pt_min": 30.0}), tmp_path)
    assert workspace.results.stat().st_mtime_ns != first


def test_a_part_of_the_input_is_marked_and_holds(folder: Path, tmp_path: Path) -> None:
    context = _context(_card(folder), tmp_path)
    context = replace(context, options=RunOptions(max_files=1, max_chunks=1))
    run_stages(context, whole(context))
    results = read_output(context.workspace.results)
    assert results.events == {"ZJets": 600, "Data": 600}
    assert results.notes[1].startswith("ZJets: partial input, 600 events, 25.000% of the dataset (2 files")
    assert standing(context, whole(context)) == {"process": True}


def test_a_check_tries_the_processor(folder: Path) -> None:
    report = check_card(_card(folder))
    assert not report.problems
    assert report.tried is not None
    assert "3 files" not in report.tried["ZJets"]
    assert "of the first 200: ZJets/n, " in report.tried["ZJets"]


# --- bad input ----------------------------------------------------------------------------------------


def _returning(value: str) -> str:
    return f"import numpy as np\nclass P:\n    def process(self, events):\n        return {value}\n"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "{'a': {'b': object()}}",
            r"bad\.py:3, process, dataset 'x': output 'a/b' is of type object; expected",
        ),
        ("{'note': 'text'}", r"output 'note' is of type str; .* Texts would be strung together"),
        ("{'pt': events.Muon.pt}", r"output 'pt' is of type awkward\.\S+; .* column_accumulator"),
        ("None", r"output 'output' is of type NoneType"),
        ("{'a b': 1, 'a_b': 2}", r"output 'a_b' is there twice"),
        (
            "{'a': np.ones(events.metadata['entrystop'])}",
            r"output 'a' cannot be added up \(numpy\.ndarray of two",
        ),
        (
            "{'a': 1 if events.metadata['entrystart'] else {1}}",
            r"output 'a' cannot be added up \(int and set\)",
        ),
        ("{'a': events.Muom.pt}", r"bad\.py:4, process, dataset 'x': AttributeError: no field named 'Muom'"),
        ("1 / 0", r"bad\.py:4, process, dataset 'x': ZeroDivisionError: division by zero \(.*a\.root\)"),
    ],
)
def test_what_cannot_be_added_or_done_is_one_line(
    folder: Path, tmp_path: Path, value: str, message: str
) -> None:
    (tmp_path / "bad.py").write_text(_returning(value))
    datasets = {"x": {"files": [str(folder / "a.root")]}}
    card = _card(tmp_path, processor="bad.py:P", datasets=datasets)
    with pytest.raises(DataError, match=message) as caught:
        _run(card, tmp_path / "output")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "output" / "results.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"processor": "my_processor.py:MyProcesor"}, "did you mean 'MyProcessor'"),
        ({"processor": "my_processor.py"}, r"expected file\.py:NAME or package\.module:NAME"),
        ({"processor": "none.py:P"}, r"processor: no such file .*none\.py"),
        ({"processor": "my_processor.py:hist"}, r"has no method process\(events\)"),
        ({"schema": "NanoAOD"}, "did you mean 'NanoAODSchema'"),
        ({"analysis": "x"}, "received both"),
        ({"regions": {}}, "Unknown key 'regions'"),
        ({"datasets": {"x": {"files": ["a"], "metadata": {"filename": "b"}}}}, "filename is given by coffea"),
    ],
)
def test_a_card_that_is_wrong_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        load_with_analysis(_card(folder, **changes))


def test_arguments_that_the_class_does_not_take_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"arguments: MyProcessor\(\.\.\.\) fails: .*unexpected keyword"):
        _run(_card(folder, arguments={"pt": 1.0}), tmp_path)


def test_a_schema_that_does_not_fit_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="schema DelphesSchema does not fit"):
        _run(_card(folder, schema="DelphesSchema"), tmp_path)


def test_a_damaged_basket_is_a_file_that_may_be_left_out(folder: Path, tmp_path: Path) -> None:
    """Opened and planned, it fails in the middle of the processor: a reading error, not the user's."""
    whole_file = bytearray((folder / "c.root").read_bytes())
    with uproot.open(folder / "c.root") as file:
        place = int(file["Events/Muon_pt"].member("fBasketSeek")[0])
    whole_file[place + 60 : place + 400] = b"\xff" * 340
    (tmp_path / "damaged.root").write_bytes(whole_file)
    files = [str(folder / "a.root"), str(tmp_path / "damaged.root")]
    datasets = {"ZJets": {"files": files, "metadata": {"xsec": 1.0}}}
    (tmp_path / "my_processor.py").write_text(textwrap.dedent(MINE))
    with pytest.raises(
        LedgerError, match=r"2 of 4 chunks .*damaged\.root \(entries 600 to 1200 cannot be read"
    ):
        _run(_card(tmp_path, datasets=datasets), tmp_path / "output")
    skipping = {"chunk_size": 1000, "allow_skip": True}
    workspace = _run(_card(tmp_path, datasets=datasets, processing=skipping), tmp_path / "output")
    assert read_output(workspace.results).numbers["ZJets/n"] == 1200
    lost = json.loads(workspace.ledger.read_text())["datasets"]["ZJets"]
    assert (lost["lost_fraction"], len(lost["files_lost"])) == (0.5, 1)


def test_what_is_not_finite_is_null_and_said(tmp_path: Path) -> None:
    value = {"a": np.array([1.0, np.nan]), "b": float("inf"), "h": hist.Hist.new.Int(0, 2).Int(0, 2).Int64()}
    value["h4"] = hist.Hist(*(hist.axis.Integer(0, 2, name=name) for name in "wxyz"))
    ledger = Ledger(rounds=1, datasets={"x": DatasetAccount(files=1, events=1)})
    workspace = Workspace(tmp_path)
    _, notes = write_output(Output.of(value), workspace, origin={"processor": "p"}, title="", ledger=ledger)
    results = read_output(workspace.results)
    assert results.numbers == {"a": [1.0, None], "b": None}
    assert [note.split()[0] for note in notes] == ["a", "b", "h4"]
    with uproot.open(workspace.hists / "output.root") as file:
        assert file.keys(cycle=False) == ["h"]
    assert output_tables(results)[0].rows[1] == ("b", "number", "not finite")


def test_outputs_are_added_as_coffea_adds_them() -> None:
    one = {"a": 1, "b": {"x"}, "c": column_accumulator(np.array([1.0])), "only": 2.0}
    other = {"a": 2, "b": {"y"}, "c": column_accumulator(np.array([2.0]))}
    total = Output.total([Output.of(one), Output.of(other)])
    assert total is not None
    assert (total.value["a"], total.value["b"], total.value["only"]) == (3, {"x", "y"}, 2.0)
    assert total.value["c"].value.tolist() == [1.0, 2.0]
    assert one["a"] == 1
    with pytest.raises(ZnoughtError, match="postprocess: "):
        ExistingProcessor(_Failing(), NanoAODSchema).postprocessed(total)


class _Failing:
    def process(self, events: Any) -> Any:
        return events

    def postprocess(self, accumulator: Any) -> Any:
        raise ValueError("not today")
