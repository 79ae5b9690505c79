"""Nobody waits in silence or without end, and a task computes in one thread wherever it runs."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.core import Status
from threadpoolctl import threadpool_info

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.errors import SiteError
from znought.facility.cluster import preflight
from znought.facility.cluster.preflight import wait_for_worker
from znought.facility.cluster.tasks import Watch, arrivals, note_sign_of_life, obstacle, spread, submit
from znought.facility.ntuples.runner import process_fileset
from znought.models import backend


def _worker(status: str = "running", **counts: int) -> dict[str, Any]:
    metrics = {"task_counts": counts, "memory": 3 * 2**30}
    return {"status": status, "memory_limit": 4 * 2**30, "metrics": metrics}


def test_obstacles_are_named() -> None:
    assert obstacle({"a": _worker(executing=1), "b": _worker("paused")}) is None
    assert "no worker" in str(obstacle({}))
    assert "1 of 2 workers take no tasks, their memory is full (3.0 of 4.0 GiB)" in str(
        obstacle({"a": _worker("paused"), "b": _worker(memory=3)})
    )
    assert "none of them runs a task" in str(obstacle({"a": _worker()}))


@dataclass(eq=False)
class _Scheduler:
    """A client whose scheduler sees what the test wants."""

    workers: dict[str, Any] = field(default_factory=dict)
    status: str = "running"

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        """As distributed answers."""
        assert n_workers == -1
        return {"workers": self.workers}


@pytest.fixture
def times() -> list[float]:
    return [0.0]


def _watch(scheduler: _Scheduler, times: list[float]) -> Watch:
    return Watch(cast(Client, scheduler), clock=lambda: times[0])


def _pass(watch: Watch, times: list[float], seconds: float) -> None:
    for _ in range(int(seconds)):
        times[0] += 1.0
        watch.look()


def test_a_line_within_a_minute_and_an_end_as_stated(
    times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    watch = _watch(_Scheduler(), times)
    _pass(watch, times, 60)
    (line,) = caplog.messages
    assert line == (
        "Waiting: there is no worker: the site has started none, or they left. "
        "The run ends after 30 min of this."
    )
    with pytest.raises(SiteError, match="Nothing ran for 30 min: there is no worker"):
        _pass(watch, times, 30 * 60)
    assert times[0] <= 30 * 60
    assert len(caplog.messages) == 1


def test_work_begins_the_wait_anew(times: list[float], caplog: pytest.LogCaptureFixture) -> None:
    scheduler = _Scheduler({"a": _worker(executing=1)})
    watch = _watch(scheduler, times)
    _pass(watch, times, 3500)
    assert not caplog.messages
    scheduler.workers = {"a": _worker("paused")}
    _pass(watch, times, 60)
    assert "1 of 1 workers take no tasks" in caplog.text
    with pytest.raises(SiteError, match="Nothing ran for 30 min: 1 of 1 workers take no tasks"):
        _pass(watch, times, 1800)


def test_one_paused_worker_among_others_is_one_line(
    times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    watch = _watch(_Scheduler({"a": _worker(executing=1), "b": _worker("paused")}), times)
    _pass(watch, times, 3500)
    assert [message.split(",")[0] for message in caplog.messages] == ["1 of 2 workers take no tasks"]


def test_tasks_that_never_end_are_told_and_end_as_stated(
    times: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    scheduler = _Scheduler({"a": _worker(executing=1), "b": _worker(executing=2)})
    watch = _watch(scheduler, times)
    _pass(watch, times, 3 * 3600)
    (line,) = caplog.messages
    assert line == (
        "3 tasks run on 2 workers, and none has ended for 60 min: look at the dashboard (none here) or the "
        "workers' logs. The run ends after 240 min of this (--stall-min)."
    )
    # An epoch is a sign of life, and so is the end of a task.
    note_sign_of_life(cast(Client, scheduler))
    _pass(watch, times, 3 * 3600)
    watch.seen()
    _pass(watch, times, 3 * 3600)
    assert len(caplog.messages) == 3
    with pytest.raises(SiteError, match="3 tasks run on 2 workers, and none has ended for 240 min"):
        _pass(watch, times, 2 * 3600)


def test_a_lost_scheduler_ends_the_wait(times: list[float]) -> None:
    with pytest.raises(SiteError, match="connection to the scheduler is lost"):
        _pass(_watch(_Scheduler(status="closed"), times), times, 60)


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0", memory_limit=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _impatient(client: Client) -> Watch:
    return Watch(client, wait_s=2, say_after_s=0.5, look_every_s=0.1)


def test_no_job_starts(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(SiteError, match="Nothing ran for 2 s: there is no"):
        wait_for_worker(client, watch=_impatient(client))
    assert "Waiting: there is no worker" in caplog.text


def test_a_paused_worker(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.cluster is not None
    client.cluster.scale(1)
    client.wait_for_workers(1, timeout=30)
    (worker,) = client.cluster.workers.values()
    worker.status = Status.paused
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(SiteError, match="Nothing ran for 2 s: 1 of 1 workers"),
    ):
        list(arrivals(client, spread(client, abs, [-1]), watch=_impatient(client)))
    assert "take no tasks" in caplog.text


def test_process_names_what_workers_lack(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.cluster is not None
    client.cluster.scale(1)
    client.wait_for_workers(1, timeout=30)
    monkeypatch.setitem(preflight.WORKER_PACKAGES, "process", ("no_such_package",))
    path = write_nanoaod(tmp_path / "a.root", events(10, seed=1))
    with pytest.raises(SiteError, match="1 of 1 workers lack no_such_package, which 'process' needs"):
        process_fileset(client, {"ttbar": {"files": [path]}}, vh_ww_processor())


def test_what_arrives_is_everything_once(client: Client) -> None:
    assert client.cluster is not None
    client.cluster.scale(1)
    futures = spread(client, abs, range(-20, 0))
    assert sorted(future.result() for future in arrivals(client, futures)) == list(range(1, 21))
    assert [future.result() for future in futures] == list(range(20, 0, -1))


# --- threads ------------------------------------------------------------------------------------------


def _threads() -> tuple[set[int], tuple[int, int]]:
    """On a worker: threads of every pool of linear algebra and OpenMP, and TensorFlow's two numbers."""
    import numpy as np
    import sklearn  # noqa: F401  # brings OpenMP

    backend.start()
    import tensorflow as tf

    threading = tf.config.threading
    np.ones((8, 8)) @ np.ones((8, 8))
    pools = {pool["num_threads"] for pool in threadpool_info()}
    return pools, (threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())


def test_a_task_has_one_thread_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    # Workers search where this process does, and must find the tests there.
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = dict.fromkeys(names, "2")
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        submit(client, _threads).result(timeout=120)
        # Pools that the first task loaded are limited from the second one on.
        pools, tensorflow = submit(client, _threads).result(timeout=60)
    assert pools == {1}
    assert tensorflow == (1, 1)
