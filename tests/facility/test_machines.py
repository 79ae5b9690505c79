"""What machines do to a run is one clear line: full disks, short memory, killed workers, a lost scheduler."""

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError

from tests.facility.small import context_of, small_card
from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.errors import LedgerError, SiteError, WorkerError
from znought.facility.cluster import preflight
from znought.facility.cluster.failures import in_one_line
from znought.facility.cluster.preflight import check_ahead, check_workers, report_workers
from znought.facility.cluster.tasks import arrivals, spread, submit
from znought.facility.ntuples.runner import process_fileset
from znought.facility.pipeline import run_stages, whole
from znought.facility.storage.mirror import write_pieces
from znought.processors.evaluated import WHOLE
from znought.processors.processor import AnalysisProcessor


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers in this process, with 600 MiB each, which what tests before left does not pause."""
    watched = ("target", "spill", "pause", "terminate")
    with dask.config.set({f"distributed.worker.memory.{what}": False for what in watched}):
        cluster = LocalCluster(n_workers=2, processes=False, dashboard_address=":0", memory_limit="600MiB")
    with cluster, Client(cluster) as client:
        yield client


# --- disks --------------------------------------------------------------------------------------------


def _fill_disk() -> None:
    Path("/dev/full").write_text("x")


def test_a_full_disk_of_a_worker_names_it(client: Client) -> None:
    line = r"Worker inproc://\S+: its disk is full \(\[Errno 28\] No space left on device\)\. Make room there"
    with pytest.raises(WorkerError, match=line):
        submit(client, _fill_disk).result(timeout=30)


def test_a_full_disk_is_told_beside_a_task_too() -> None:
    with pytest.raises(WorkerError, match=r"Worker .*: its disk is full .*Make room there"):
        write_pieces([("/dev/full", 0, b"x")])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "a.json"),
            r"The disk is full .*'a\.json'\)\. Make room",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full .*quota exceeded"),
        (
            OSError(errno.EROFS, "Read-only file system", "out"),
            "may not be written or read: .*Read-only file",
        ),
        (MemoryError(), r"The memory of this machine does not suffice \(MemoryError\)"),
        (
            CommClosedError("in <TLS>: Stream is closed"),
            "connection to the scheduler is lost: the same command",
        ),
    ],
)
def test_what_happens_to_the_client_is_one_line(error: Exception, line: str) -> None:
    with pytest.raises(SiteError, match=line) as caught, in_one_line():
        raise error
    assert "\n" not in str(caught.value)


def test_a_mistake_of_ours_stays_what_it_is() -> None:
    with pytest.raises(FileNotFoundError), in_one_line():
        Path("no such file").read_text()


class _FullDisk(AnalysisProcessor):
    """Finds no room for what it writes, as long as a file stands beside its input."""

    def process(self, events: Any) -> Any:
        if Path(events.metadata["filename"]).with_name("full").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().process(events)


def test_room_that_is_made_lets_a_run_go_on(client: Client, tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(90, seed=3))
    fileset, calm, full = {"x": {"files": [path]}}, vh_ww_processor(), tmp_path / "full"
    processor = _FullDisk(calm.analysis, calm.request)
    full.touch()
    with pytest.raises(
        LedgerError, match=r"3 of 3 chunks .*a\.root \(Worker \S+: its disk is full"
    ) as caught:
        process_fileset(client, fileset, processor, chunk_size=30)
    assert "\n" not in str(caught.value)

    def make_room(done: int, _: int) -> None:
        if done == 3:
            full.unlink(missing_ok=True)

    found = process_fileset(client, fileset, processor, chunk_size=30, progress=make_room)
    assert found.n_rounds == 2
    expected = process_fileset(None, fileset, calm)
    assert found.results["x"].of(WHOLE).cutflows == expected.results["x"].of(WHOLE).cutflows


# --- memory -------------------------------------------------------------------------------------------


def _too_large() -> None:
    raise MemoryError("Unable to allocate 64.0 GiB")


def test_short_memory_of_a_worker_names_it(client: Client) -> None:
    with pytest.raises(WorkerError, match=r"its memory does not suffice .*64\.0 GiB.*--memory"):
        submit(client, _too_large).result(timeout=30)


def test_workers_with_little_memory_are_refused_before_any_work(client: Client) -> None:
    check_workers(client, "process")
    with pytest.raises(
        SiteError, match=r"2 of 2 workers lack 1\.0 GiB of memory \(they have 0\.59\).*--memory"
    ):
        check_workers(client, "train")
    assert "train: 2 of 2 workers lack 1.0 GiB of memory (they have 0.59), which it needs" in report_workers(
        client
    )


def _hoard() -> int:
    held = []
    for _ in range(64):
        held.append(os.urandom(2**25))
        time.sleep(0.02)
    return len(held)


def test_a_worker_that_exceeds_its_memory_is_one_line() -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit="700MiB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
        pytest.raises(SiteError, match=r"1 worker died over the same task, at last .*--memory") as caught,
        in_one_line(),
    ):
        [future.result() for future in arrivals(client, [submit(client, _hoard)])]
    assert "\n" not in str(caught.value)


# --- workers and scheduler ----------------------------------------------------------------------------


def test_a_lost_scheduler_is_one_line() -> None:
    cluster = LocalCluster(n_workers=1, processes=False, dashboard_address=":0")
    with cluster, Client(cluster.scheduler_address, timeout="2s") as client:
        futures = spread(client, time.sleep, [5.0])
        cluster.close()
        line = "connection to the scheduler is lost: the same command again"
        with pytest.raises(SiteError, match=line), in_one_line():
            list(arrivals(client, futures))


def test_what_a_later_stage_needs_is_asked_before_the_first(
    ntuples: Path, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preflight.WORKER_PACKAGES, "score", ("json", "no_such_package"))
    for stage in ("train", "score"):
        monkeypatch.setitem(preflight.WORKER_MEMORY_GIB, stage, 0.1)
    context = replace(context_of(small_card(ntuples), tmp_path / "output"), cluster=lambda: client)
    with pytest.raises(
        SiteError, match=r"2 of 2 workers lack no_such_package, which 'score' needs: .*--at score=local"
    ):
        run_stages(context, whole(context))
    assert not (tmp_path / "output" / "cutflow.json").exists()
    check_ahead(client, ["process", "train"])
