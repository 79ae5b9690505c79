"""What is lost, spoiled or empty is noticed; only what cannot be read is left out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from tests.facility.small import N_EVENTS, context_of
from tests.facility.spoiled import changed_card, cutflow_sums, processed, truncate
from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod, write_tree
from tests.processors.test_identification import nanoaod
from znought.errors import DataError, LedgerError
from znought.facility.events.store import read_events
from znought.facility.manifest import Manifest
from znought.facility.ntuples.inspection import describe
from znought.facility.ntuples.runner import process_fileset
from znought.facility.stages.process import process
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.processor import AnalysisProcessor
from znought.processors.weights import ScaleFactor

# --- column files -------------------------------------------------------------------------------------


@pytest.fixture
def columns(folder: Path) -> Path:
    """Output directory of a finished stage `process`."""
    path = changed_card(folder)
    context = context_of(path, folder / "out")
    manifest = Manifest(context.workspace.manifest)
    manifest.record("process", "mark", process(context), seconds=1.0, section={})
    read_events(folder / "out/columns", ["vh"], ["m_ll"])
    return folder / "out/columns"


def _a_file(columns: Path) -> Path:
    return min((columns / "vh/nominal").glob("*.parquet"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "is gone: run the stage"),
        (truncate, r"has [\d,]+ bytes, [\d,]+ were written"),
        (lambda file: file.write_bytes(b"no parquet" * 100), r"has 1,000 bytes, [\d,]+ were written"),
        (lambda file: file.write_bytes(bytes(file.stat().st_size)), "truncated, damaged or no parquet file"),
        (lambda file: shutil.copy(file, file.with_name("copy.parquet")), r"copy\.parquet was not written by"),
        (lambda file: shutil.rmtree(file.parent), "is gone: run the stage"),
    ],
    ids=["gone", "truncated", "foreign", "zeros", "strange", "folder gone"],
)
def test_a_lost_column_file_is_noticed_where_columns_are_read(
    columns: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(_a_file(columns))
    with pytest.raises(DataError, match=message) as caught:
        read_events(columns, ["vh"], ["m_ll"])
    assert "\n" not in str(caught.value)
    assert len(read_events(columns, ["ttbar"], ["m_ll"])) > 0


@pytest.mark.parametrize("spoil", [truncate, lambda file: file.write_bytes(b"not parquet")])
def test_a_spoiled_parquet_file_is_one_line_without_a_manifest_too(
    columns: Path, spoil: Callable[[Path], object]
) -> None:
    (columns.parent / "manifest.json").unlink()
    spoil(_a_file(columns))
    with pytest.raises(DataError, match="truncated, damaged or no parquet file"):
        read_events(columns, ["vh"], ["m_ll"])
    with pytest.raises(DataError, match="truncated, damaged or no parquet file"):
        list(describe(str(_a_file(columns))))


# --- skipping -----------------------------------------------------------------------------------------

CORRECTION = {
    "schema_version": 2,
    "corrections": [
        {
            "name": "muon",
            "version": 1,
            "inputs": [{"name": "pt", "type": "real"}],
            "output": {"name": "weight", "type": "real"},
            "data": {
                "nodetype": "binning",
                "input": "pt",
                "edges": [0.0, 20.0, 60.0],
                "content": [0.5, 0.75],
                "flow": "error",
            },
        }
    ],
}


def _factor(folder: Path, flow: str) -> dict[str, ScaleFactor]:
    document = json.loads(json.dumps(CORRECTION).replace('"error"', json.dumps(flow)))
    path = folder / f"{flow}.json"
    path.write_text(json.dumps(document))
    return {"muon": ScaleFactor(str(path), "muon", "muon")}


def test_a_value_beyond_a_correction_stops_instead_of_dropping_its_file(
    ntuples: Path, tmp_path: Path
) -> None:
    fileset = {"vh": {"files": [str(ntuples / "a.root"), str(ntuples / "b.root")]}}
    processor = vh_ww_processor(weights=_factor(tmp_path, "error"))
    for allow_skip in (False, True):
        with pytest.raises(
            DataError,
            match=r"weights\.muon: .*a\.root: correction 'muon' of .*error\.json has no value .*clamp",
        ):
            process_fileset(None, fileset, processor, allow_skip=allow_skip)
    clamped = process_fileset(None, fileset, vh_ww_processor(weights=_factor(tmp_path, "clamp")))
    plain = process_fileset(None, fileset, vh_ww_processor())
    flows = [float(found.results["vh"].of(WHOLE).cutflows[NOMINAL].sumw[-1]) for found in (clamped, plain)]
    assert 0.5 < flows[0] / flows[1] <= 0.75


class _Raising(AnalysisProcessor):
    """Fails on one file for a reason that has nothing to do with reading."""

    def process(self, events: Any) -> Any:
        if events.metadata["filename"].endswith("b.root"):
            raise self.error
        return super().process(events)

    error: Exception = RuntimeError("a bug")


class _DiskFull(_Raising):
    error: Exception = OSError(28, "No space left on device")


@pytest.mark.parametrize("processor", [_Raising, _DiskFull])
def test_only_what_cannot_be_read_is_left_out(ntuples: Path, processor: type[_Raising]) -> None:
    fileset = {"vh": {"files": [str(ntuples / "a.root"), str(ntuples / "b.root")]}}
    calm = vh_ww_processor()
    with pytest.raises(LedgerError, match=r"b\.root \(.*\); allow_skip leaves out files that cannot be read"):
        process_fileset(None, fileset, processor(calm.analysis, calm.request), allow_skip=True)


def test_a_file_of_another_kind_is_not_left_out(ntuples: Path, tmp_path: Path) -> None:
    other = write_nanoaod(tmp_path / "other.root", events(10, seed=1), tree="Nominal")
    fileset = {"vh": {"files": [str(ntuples / "a.root"), other]}}
    with pytest.raises(DataError, match=r"other\.root: no tree Events"):
        process_fileset(None, fileset, vh_ww_processor(), allow_skip=True)


# --- replicas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [uproot.ZLIB(4), uproot.LZMA(4), uproot.LZ4(4), uproot.ZSTD(4)])
def test_a_damaged_basket_sends_the_chunk_to_the_next_replica(tmp_path: Path, compression: Any) -> None:
    path = tmp_path / "far.root"
    with uproot.recreate(path, compression=compression) as file:
        write_tree(file, "Events", nanoaod(9))
    with uproot.open(path) as directory:
        branch = directory["Events/Electron_cutBased"]
        seek, size = int(branch.member("fBasketSeek")[0]), branch.basket_compressed_bytes(0)
    spoiled = bytearray(path.read_bytes())
    middle = seek + size // 2
    spoiled[middle : middle + 40] = bytes(255 - byte for byte in spoiled[middle : middle + 40])
    near = tmp_path / "near.root"
    near.write_bytes(spoiled)
    metadata = {"era": "2018"}
    calm = process_fileset(None, {"x": {"files": [str(path)], "metadata": metadata}}, vh_ww_processor())
    fileset = {"x": {"files": [str(near)], "replicas": {str(near): [str(path)]}, "metadata": metadata}}
    found = process_fileset(None, fileset, vh_ww_processor())
    assert found.results["x"].of(WHOLE).cutflows == calm.results["x"].of(WHOLE).cutflows
    assert str(path) in found.read_from[str(near)]


# --- what was right stays right -----------------------------------------------------------------------


def test_a_dataset_without_events_is_rows_of_zeros(folder: Path) -> None:
    none = {name: values[:0] for name, values in events(5, seed=1).items()}
    write_nanoaod(
        folder / "c.root", none, runs={"genEventCount": 10, "genEventSumw": 10.0, "genEventSumw2": 10.0}
    )
    output = processed(changed_card(folder))
    assert cutflow_sums(output, "top") == [0.0] * 9
    assert cutflow_sums(output, "VH")[0] > 0.0


def test_no_events_at_all_is_one_line(folder: Path) -> None:
    none = {name: values[:0] for name, values in events(5, seed=1).items()}
    for name in "abcde":
        write_nanoaod(
            folder / f"{name}.root",
            none,
            runs={"genEventCount": 10 + ord(name), "genEventSumw": 10.0, "genEventSumw2": 11.0},
        )
    with pytest.raises(DataError, match=r"No event passes the selection|No dataset holds an event"):
        processed(changed_card(folder))


def test_a_file_of_runs_alone_counts_in_the_sum(folder: Path) -> None:
    alone = cutflow_sums(processed(changed_card(folder)), "VH")
    none = {name: values[:0] for name, values in events(5, seed=1).items()}
    runs = {
        "genEventCount": 6000,
        "genEventSumw": 6000.0,
        "genEventSumw2": 6000.5,
        "genFilterAttempted": 24000,
    }
    write_nanoaod(folder / "b.root", none, runs=runs)
    half = cutflow_sums(processed(changed_card(folder)), "VH")
    assert half[0] == pytest.approx(alone[0] / 2)


def test_the_last_cycle_of_a_tree_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        write_tree(file, "Events", {name: values[:40] for name, values in events(100, seed=1).items()})
        write_tree(file, "Events", events(100, seed=1))
    with uproot.open(path) as file:
        assert len(file.keys()) == 2
    found = process_fileset(None, {"x": {"files": [str(path)]}}, vh_ww_processor())
    assert found.n_events("x") == 100


def test_negative_weights_stay(folder: Path) -> None:
    columns = events(N_EVENTS, seed=10)
    columns["genWeight"] = np.where(np.arange(N_EVENTS) % 4 == 0, -1.0, 1.0).astype(np.float32)
    runs = {"genEventCount": N_EVENTS, "genEventSumw": N_EVENTS / 2.0, "genEventSumw2": float(N_EVENTS)}
    write_nanoaod(folder / "c.root", columns, runs=runs)
    flow = json.loads((processed(changed_card(folder)) / "cutflow.json").read_text())["processes"]["top"]
    assert flow["sumw"][0] == pytest.approx(10e3)
    assert flow["sumw2"][0] == pytest.approx(N_EVENTS * (10e3 / (N_EVENTS / 2.0)) ** 2)
