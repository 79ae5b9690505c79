"""The ledger closes: any chunking, order and number of workers, and after every fault."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import DataError, LedgerError, ReadError
from znought.facility.ntuples.ledger import PlannedChunk, PlannedFile, close, due, plan_chunks
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.dialects.files import inspect_file
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.processor import AnalysisProcessor
from znought.processors.result import DatasetResult


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    directory = tmp_path_factory.mktemp("fileset")
    return (
        write_nanoaod(directory / "a.root", events(600, seed=1)),
        write_nanoaod(directory / "b.root", events(400, seed=2, first_event=600)),
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def _fileset(*paths: str, **metadata: Any) -> dict[str, dict[str, Any]]:
    return {"ttbar": {"files": list(paths), "metadata": metadata}}


def _rows(result: RunResult) -> list[tuple[Any, ...]]:
    """All column rows of the dataset, in the order of events."""
    tables = [pq.read_table(file.path) for file in result.results["ttbar"].columns]
    rows = [tuple(row.values()) for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row[2])


def test_chunking_and_workers_change_nothing(files: tuple[str, str], tmp_path: Path, client: Client) -> None:
    seen: list[tuple[int, int]] = []
    whole = process_fileset(None, _fileset(*files), vh_ww_processor(tmp_path / "whole"))
    parts = process_fileset(
        client,
        _fileset(*reversed(files)),
        vh_ww_processor(tmp_path / "parts"),
        chunk_size=70,
        progress=lambda done, total: seen.append((done, total)),
    )
    one, other = whole.results["ttbar"].of(WHOLE), parts.results["ttbar"].of(WHOLE)
    assert one.cutflows == other.cutflows
    assert whole.sums == parts.sums
    assert one.cutflows[NOMINAL].counts[0] == whole.n_events("ttbar") == 1000
    assert one.cutflows[NOMINAL].counts[-1] > 50
    assert _rows(whole) == _rows(parts)
    for name, histogram in one.hists.items():
        assert other.hists[name].values(flow=True) == pytest.approx(histogram.values(flow=True), rel=1e-12)
    assert seen[-1] == (15, 15)
    assert len(other.columns) == 15


def test_columns_hold_what_the_cutflow_counts(files: tuple[str, str], tmp_path: Path) -> None:
    result = process_fileset(None, _fileset(*files), vh_ww_processor(tmp_path))
    flow = result.results["ttbar"].of(WHOLE).cutflows[NOMINAL]
    tables = [pq.read_table(file.path) for file in result.results["ttbar"].columns]
    assert sum(table.num_rows for table in tables) == flow.counts[-1]
    weights = np.concatenate([table["gen_weight"].to_numpy() for table in tables])
    assert weights.sum() == pytest.approx(float(flow.sumw[-1]), rel=1e-12)
    assert pq.ParquetFile(result.results["ttbar"].columns[0].path).num_row_groups == 1
    assert not list(tmp_path.rglob(".*"))


def test_weights_sum_to_the_efficiency_of_the_veto(files: tuple[str, str]) -> None:
    veto = vh_ww_processor(selection=VHWWSelection(btag_mode="veto"))
    weighted = process_fileset(None, _fileset(*files), vh_ww_processor()).results["ttbar"].of(WHOLE)
    cut = process_fileset(None, _fileset(*files), veto).results["ttbar"].of(WHOLE)
    counts = [result.cutflows[NOMINAL].counts for result in (weighted, cut)]
    assert counts[0][:-1] == counts[1][:-1]
    assert counts[0][-1] == counts[0][-2]
    assert counts[1][-1] < counts[1][-2]


def test_data_have_unit_weights_and_a_hard_veto(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "data.root", events(300, seed=5, is_data=True))
    result = process_fileset(None, _fileset(path, is_data=True), vh_ww_processor())
    flow = result.results["ttbar"].of(WHOLE).cutflows[NOMINAL]
    assert [float(total) for total in flow.sumw] == list(flow.counts)
    assert flow.counts[-1] < flow.counts[-2]
    assert result.sums["ttbar"] is None
    with pytest.raises(DataError, match="branch genWeight"):
        process_fileset(None, _fileset(path), vh_ww_processor())


# --- faults -------------------------------------------------------------------------------------------


def test_same_file_twice_is_refused_by_name(files: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.root is listed twice"):
        process_fileset(None, _fileset(files[0], files[0]), vh_ww_processor())
    copy = tmp_path / "copy.root"
    copy.write_bytes(Path(files[0]).read_bytes())
    with pytest.raises(DataError, match=r"copy\.root .* is the same file as .*a\.root"):
        process_fileset(None, _fileset(files[0], str(copy)), vh_ww_processor())
    overlapping = {name: {"files": [files[0]]} for name in ("ttbar", "ttbar_extension")}
    with pytest.raises(DataError, match=r"'ttbar_extension'.* would be counted twice"):
        process_fileset(None, overlapping, vh_ww_processor())


def test_missing_branch_stops_before_anything_is_written(files: tuple[str, str], tmp_path: Path) -> None:
    columns = events(50, seed=3)
    del columns["TkMET_pt"]
    bad = write_nanoaod(tmp_path / "bad.root", columns)
    processor = vh_ww_processor(tmp_path / "columns")
    with pytest.raises(DataError, match=r"bad\.root lacks .*TkMET_pt"):
        process_fileset(None, _fileset(files[0], bad), processor)
    assert not (tmp_path / "columns").exists()


def test_a_bad_file_can_be_left_out_with_an_account(files: tuple[str, str], tmp_path: Path) -> None:
    short = tmp_path / "short.root"
    short.write_bytes(Path(files[1]).read_bytes()[:5000])
    fileset = _fileset(files[0], str(short))
    with pytest.raises(DataError, match=r"short\.root"):
        process_fileset(None, fileset, vh_ww_processor())
    result = process_fileset(None, fileset, vh_ww_processor(), allow_skip=True)
    alone = process_fileset(None, _fileset(files[0]), vh_ww_processor())
    assert result.results["ttbar"].of(WHOLE).cutflows == alone.results["ttbar"].of(WHOLE).cutflows
    assert result.sums == alone.sums
    assert [skipped.path for skipped in result.skipped] == [str(short)]
    assert result.lost_fraction("ttbar") is None


class _Faulty(AnalysisProcessor):
    """Fails in the second half of one file, the first `n_faults` times that it is read."""

    def process(self, events: Any) -> dict[str, DatasetResult]:
        marker = Path(str(self.columns_directory), "faults")
        marker.parent.mkdir(parents=True, exist_ok=True)
        faults = len(marker.read_text()) if marker.exists() else 0
        second_half = events.metadata["filename"].endswith("b.root") and events.metadata["entrystart"] > 0
        if second_half and faults < self.n_faults:
            marker.write_text("x" * (faults + 1))
            raise ReadError(f"{events.metadata['filename']}: connection reset by peer.")
        return super().process(events)

    n_faults = 1


class _Hopeless(_Faulty):
    n_faults = 1000


def _of_kind(kind: type[_Faulty], directory: Path) -> _Faulty:
    calm = vh_ww_processor(directory)
    return kind(calm.analysis, calm.request, calm.columns_directory)


def test_transient_error_is_tried_again(files: tuple[str, str], tmp_path: Path) -> None:
    calm = process_fileset(None, _fileset(*files), vh_ww_processor())
    result = process_fileset(None, _fileset(*files), _of_kind(_Faulty, tmp_path), chunk_size=200)
    assert result.n_rounds == 2
    assert result.results["ttbar"].of(WHOLE).cutflows == calm.results["ttbar"].of(WHOLE).cutflows


def test_lasting_error_stops_with_the_file_or_drops_it_whole(files: tuple[str, str], tmp_path: Path) -> None:
    processor = _of_kind(_Hopeless, tmp_path)
    with pytest.raises(LedgerError, match=r"1 of 5 chunks .*b\.root \(.*connection reset"):
        process_fileset(None, _fileset(*files), processor, chunk_size=200)
    result = process_fileset(None, _fileset(*files), processor, chunk_size=200, allow_skip=True)
    alone = process_fileset(None, _fileset(files[0]), vh_ww_processor())
    assert result.results["ttbar"].of(WHOLE).cutflows == alone.results["ttbar"].of(WHOLE).cutflows
    assert result.lost_fraction("ttbar") == 0.4
    # What the first half of the lost file had written is gone with it.
    assert len(list(tmp_path.rglob("*.parquet"))) == len(result.results["ttbar"].columns) == 3


def test_replaced_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(100, seed=1))
    summary = inspect_file(path)
    write_nanoaod(tmp_path / "a.root", events(100, seed=2))
    monkeypatch.setattr("znought.facility.ntuples.survey.inspect_file", lambda *_, **__: summary)
    with pytest.raises(DataError, match=r"a\.root was replaced after it was planned"):
        process_fileset(None, _fileset(path), vh_ww_processor())


def test_killed_worker_costs_nothing(files: tuple[str, str], tmp_path: Path) -> None:
    calm = process_fileset(None, _fileset(*files), vh_ww_processor())
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        victims = iter([worker.pid for worker in cluster.workers.values()][:1])

        def kill(done: int, _: int) -> None:
            if done == 5:
                os.kill(next(victims), signal.SIGKILL)

        processor = vh_ww_processor(tmp_path)
        result = process_fileset(client, _fileset(*files), processor, chunk_size=50, progress=kill)
    assert result.results["ttbar"].of(WHOLE).cutflows == calm.results["ttbar"].of(WHOLE).cutflows


# --- pure decisions -----------------------------------------------------------------------------------


def test_books_that_do_not_balance_are_refused(files: tuple[str, str]) -> None:
    planned_files = [PlannedFile("ttbar", inspect_file(path)) for path in files]
    planned = plan_chunks(planned_files, chunk_size=250)
    assert [chunk.stop - chunk.start for chunk in planned] == [200, 200, 200, 200, 200]
    assert due(planned, planned[:2]) == planned[2:]
    assert close(planned_files, planned, list(reversed(planned)), {}, allow_skip=False) == ()
    with pytest.raises(LedgerError, match="some twice or unplanned"):
        close(planned_files, planned, [*planned, planned[0]], {}, allow_skip=False)
    with pytest.raises(LedgerError, match=r"chunks cover 400 of 600"):
        close(planned_files, (*planned[:2], *planned[3:]), [], {}, allow_skip=False)
    stranger = PlannedChunk("ttbar", "x.root", "Events", b"", 0, 1)
    with pytest.raises(LedgerError, match="unplanned"):
        close(planned_files, planned, [*planned[1:], stranger], {}, allow_skip=False)
