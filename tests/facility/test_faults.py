"""Nothing lost and nothing doubled: killed workers, bad reads, files that change, replicas, any chunking."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.errors import DataError, LedgerError
from znought.facility.ntuples import attempt, runner
from znought.facility.ntuples.ledger import PlannedFile, plan_chunks
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.dialects.files import inspect_file
from znought.processors.evaluated import WHOLE
from znought.processors.reading import Tree
from znought.processors.source import kept_tree

N_EVENTS = (300, 200, 150)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    directory = tmp_path_factory.mktemp("faults")
    return tuple(
        write_nanoaod(directory / f"{i}.root", events(n, seed=70 + i, first_event=1000 * i))
        for i, n in enumerate(N_EVENTS)
    )


@pytest.fixture(scope="module")
def calm(files: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The files in one go, without faults."""
    columns = tmp_path_factory.mktemp("calm")
    return process_fileset(None, _fileset(*files), vh_ww_processor(columns))


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[int, Client | None]]:
    """Nobody, one worker, two workers."""
    options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=1, **options) as one,
        LocalCluster(n_workers=2, **options) as two,
        Client(one) as first,
        Client(two, set_as_default=False) as second,
    ):
        yield {0: None, 1: first, 2: second}


def _fileset(*paths: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {"ttbar": {"files": list(paths), **more}}


def _rows(result: RunResult) -> list[tuple[Any, ...]]:
    """Everything that the column files hold, in the order of events."""
    tables = [pq.read_table(file.path, partitioning=None) for file in result.results["ttbar"].columns]
    assert [table.num_rows for table in tables] == [f.n_rows for f in result.results["ttbar"].columns]
    return sorted((tuple(row.values()) for t in tables for row in t.to_pylist()), key=lambda row: row[2])


def _assert_same(found: RunResult, calm: RunResult) -> None:
    """Cutflows and sums to the last digit, columns bit by bit, histograms but for rounding."""
    ours, expected = found.results["ttbar"].of(WHOLE), calm.results["ttbar"].of(WHOLE)
    assert ours.cutflows == expected.cutflows
    assert found.sums == calm.sums
    assert _rows(found) == _rows(calm)
    for name, histogram in expected.hists.items():
        assert ours.hists[name].values(flow=True) == pytest.approx(histogram.values(flow=True), rel=1e-12)


@given(
    order=st.permutations(range(len(N_EVENTS))),
    chunk_size=st.integers(7, 400),
    n_workers=st.sampled_from([0, 1, 2]),
    n_together=st.integers(1, 9),
)
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_chunking_order_and_workers_change_nothing(
    files: tuple[str, ...],
    calm: RunResult,
    clients: dict[int, Client | None],
    tmp_path_factory: pytest.TempPathFactory,
    order: list[int],
    chunk_size: int,
    n_workers: int,
    n_together: int,
) -> None:
    processor = vh_ww_processor(tmp_path_factory.mktemp("any"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_n_together", lambda *_: n_together)
        fileset = _fileset(*(files[i] for i in order))
        found = process_fileset(clients[n_workers], fileset, processor, chunk_size=chunk_size)
    _assert_same(found, calm)


@pytest.mark.parametrize(
    ("seed", "allowed_failures"),
    # With none allowed, Dask gives up on what a killed worker had at hand: the next round takes it.
    [(1, 3), (2, 0), (3, 0)],
)
def test_workers_killed_at_random_cost_nothing(
    seed: int,
    allowed_failures: int,
    files: tuple[str, ...],
    calm: RunResult,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_n_together", lambda *_: 1)
    dice = random.Random(seed)
    begun, over = threading.Event(), threading.Event()
    if allowed_failures > 0:
        begun.set()  # while files are looked at, too
    killed: list[int] = []
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": allowed_failures}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):

        def assassin() -> None:
            begun.wait(timeout=60.0)
            while len(killed) < 2 and not over.wait(dice.uniform(0.02, 0.3)):
                # Asked of the nannies: a worker that has just been killed would not answer.
                pids = [nanny.pid for nanny in cluster.workers.values() if nanny.pid not in (None, *killed)]
                if pids:
                    killed.append(dice.choice(pids))
                    os.kill(killed[-1], signal.SIGKILL)

        thread = threading.Thread(target=assassin)
        thread.start()
        try:
            processor = vh_ww_processor(tmp_path)
            found = process_fileset(
                client, _fileset(*files), processor, chunk_size=3, progress=lambda *_: begun.set()
            )
        finally:
            begun.set()
            over.set()
            thread.join()
    assert killed
    _assert_same(found, calm)


def test_first_read_of_every_file_fails(
    files: tuple[str, ...], calm: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = Tree.read, set()

    def flaky(tree: Tree, *arguments: Any) -> Any:
        if tree.uuid not in seen:
            seen.add(tree.uuid)
            raise OSError("connection reset by peer")
        return read(tree, *arguments)

    monkeypatch.setattr(Tree, "read", flaky)
    processor = vh_ww_processor(tmp_path)
    found = process_fileset(None, _fileset(*files), processor, chunk_size=90)
    assert (len(seen), found.n_rounds) == (3, 2)
    _assert_same(found, calm)


def _copies(files: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    for path in files:
        (directory / Path(path).name).write_bytes(Path(path).read_bytes())
    return tuple(str(directory / Path(path).name) for path in files)


def test_file_cut_short_after_it_was_planned(files: tuple[str, ...], tmp_path: Path) -> None:
    mine = _copies(files, tmp_path)

    def truncate(done: int, _: int) -> None:
        if done == 1:
            os.truncate(mine[1], 3000)

    processor = vh_ww_processor(tmp_path / "columns")
    with pytest.raises(LedgerError, match=r"2 of 7 chunks were not processed: .*1\.root \("):
        process_fileset(None, _fileset(*mine), processor, chunk_size=100, progress=truncate)
    # What is left can be processed with an account of the rest.
    mine = _copies(files, tmp_path)
    found = process_fileset(
        None, _fileset(*mine), processor, chunk_size=100, progress=truncate, allow_skip=True
    )
    others = process_fileset(None, _fileset(mine[0], mine[2]), vh_ww_processor(tmp_path / "others"))
    assert [skip.path for skip in found.skipped] == [mine[1]]
    assert found.lost_fraction("ttbar") == pytest.approx(200 / 650)
    _assert_same(found, others)


def test_file_replaced_after_it_was_planned_stops_by_name(files: tuple[str, ...], tmp_path: Path) -> None:
    mine = _copies(files, tmp_path)

    def exchange(done: int, _: int) -> None:
        if done == 1:
            write_nanoaod(Path(mine[2]), events(N_EVENTS[2], seed=99))

    with pytest.raises(DataError, match=r"2\.root was replaced after it was planned"):
        process_fileset(None, _fileset(*mine), vh_ww_processor(), chunk_size=100, progress=exchange)


# --- replicas -----------------------------------------------------------------------------------------


def test_another_replica_is_read_where_one_is_gone(
    files: tuple[str, ...], calm: RunResult, tmp_path: Path
) -> None:
    gone, nowhere = str(tmp_path / "gone.root"), str(tmp_path / "nowhere.root")
    fileset = _fileset(gone, *files[1:], replicas={gone: ["http://127.0.0.1:1/0.root", files[0], nowhere]})
    processor = vh_ww_processor(tmp_path)
    found = process_fileset(None, fileset, processor, chunk_size=100)
    _assert_same(found, calm)
    assert found.read_from == {gone: {files[0]}, **{path: {path} for path in files[1:]}}
    alone = _fileset(gone, replicas={gone: [nowhere]})
    with pytest.raises(DataError, match=r"nowhere\.root: no such file"):
        process_fileset(None, alone, vh_ww_processor())


def test_a_replica_that_breaks_off_is_left_for_another(
    files: tuple[str, ...], calm: RunResult, tmp_path: Path
) -> None:
    mine = _copies(files, tmp_path)

    def truncate(done: int, _: int) -> None:
        if done == 1:
            os.truncate(mine[0], 3000)

    fileset = _fileset(*mine, replicas={mine[0]: [files[0]]})
    processor = vh_ww_processor(tmp_path / "columns")
    found = process_fileset(None, fileset, processor, chunk_size=100, progress=truncate)
    _assert_same(found, calm)
    assert found.n_rounds == 1
    assert found.read_from[mine[0]] == {mine[0], files[0]}


def test_a_replica_that_is_another_file_is_refused(files: tuple[str, ...], tmp_path: Path) -> None:
    mine = _copies(files, tmp_path)

    def truncate(done: int, _: int) -> None:
        if done == 1:
            os.truncate(mine[0], 3000)

    other = write_nanoaod(tmp_path / "other.root", events(N_EVENTS[0], seed=98))
    fileset = _fileset(*mine, replicas={mine[0]: [other]})
    with pytest.raises(DataError, match=r"other\.root was replaced .*another file stands there"):
        process_fileset(None, fileset, vh_ww_processor(), chunk_size=100, progress=truncate)


def test_a_worker_tries_a_failed_replica_last(files: tuple[str, ...], tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.root")
    tried: list[str] = []

    def counted(path: str, name: str) -> Tree:
        tried.append(path)
        return kept_tree(path, name)

    chunks = plan_chunks([PlannedFile("ttbar", inspect_file(files[0]))], chunk_size=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attempt, "kept_tree", counted)
        attempt.attempt([attempt.Task(chunk, (gone, files[0])) for chunk in chunks], vh_ww_processor())
    assert tried == [gone, files[0], files[0], files[0]]
