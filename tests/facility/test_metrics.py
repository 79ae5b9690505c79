"""What a stage costs is measured and kept, worker by worker, and decides nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from matplotlib.collections import PolyCollection
from typer.testing import CliRunner

from tests.plots.drawn import texts
from znought.facility.cli import app
from znought.facility.cluster.tasks import arrivals, spread
from znought.facility.metrics.adding import added, window_of, workers_of
from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.metrics.meter import Meter
from znought.facility.metrics.record import keep_metrics, read_metrics, standing_metrics
from znought.facility.metrics.shown import metrics_pictures, metrics_tables, timeline_spans
from znought.facility.metrics.tally import count
from znought.facility.metrics.timed import TaskFacts
from znought.plots.timeline import StageSpan, timeline


def _facts(worker: str, begin: float, end: float, **changes: Any) -> TaskFacts:
    given = {
        "mark": "m",
        "key": f"{worker}-{begin}",
        "worker": worker,
        "process": worker,
        "threads": 1,
        "submitted": 100.0,
        "begin": begin,
        "end": end,
        "cpu_begin": begin,
        "cpu_end": end,
        "events": 1000,
        "bytes_read": 2_000_000,
        "peak_bytes": 50 * 2**20,
    }
    return TaskFacts(**{**given, **changes})


FACTS = (
    _facts("a", 101.0, 105.0),
    _facts("a", 106.0, 110.0, peak_bytes=80 * 2**20),
    _facts("b", 102.0, 104.0, key="k", failure="OSError", events=0, bytes_read=0),
    _facts("a", 110.0, 110.0, key="k", events=0, bytes_read=0),
    _facts("b", 104.0, 105.0, key="attempt-again-1", events=500, bytes_read=0),
)


def test_workers_add_up_to_their_stage() -> None:
    assert window_of(FACTS) == (100.0, 110.0)
    work, workers = added(FACTS), workers_of(FACTS, begun=99.0)
    assert work is not None
    assert (work.tasks, work.failures, work.retries) == (5, 1, 2)
    assert (work.events, work.bytes_read) == (2500, 4_000_000)
    assert (work.events_per_s, work.mb_per_s) == (250.0, 0.4)
    # a: CPU clock from 101 to 110, b: from 102 to 105, over ten seconds of two threads.
    assert work.cpu_share == pytest.approx(12 / 20)
    assert work.idle_share == pytest.approx(1 - 11 / 20)
    assert work.queued_s == pytest.approx((1 + 6 + 2 + 10 + 4) / 5)
    assert work.peak_memory_mib == 80.0
    assert list(workers) == ["a", "b"]
    assert workers["a"].ran == ((2.0, 6.0), (7.0, 11.0), (11.0, 11.0))
    parts = [worker.work for worker in workers.values()]
    assert sum(part.events_per_s or 0.0 for part in parts) == work.events_per_s
    assert sum(part.cpu_share for part in parts) / 2 == pytest.approx(work.cpu_share)
    assert sum(part.retries for part in parts) == work.retries


def test_workers_of_one_process_share_its_time() -> None:
    both = [_facts("a", 100.0, 110.0, process="p"), _facts("b", 100.0, 110.0, process="p")]
    found = workers_of(both, begun=100.0)
    assert [worker.work.cpu_share for worker in found.values()] == [0.5, 0.5]
    assert added(()) is None


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def _worked(number: int) -> int:
    count(events=10, bytes_read=100)
    held = bytearray(2**26)
    held[::4096] = b"x" * len(held[::4096])  # so that its pages are there
    if number < 0:
        raise ValueError("negative")
    return number


def test_a_stage_is_measured_where_it_computes(client: Client, tmp_path: Path) -> None:
    with Meter() as meter:
        meter.watch(client)
        meter.watch(client)  # a stage may ask for its cluster twice
        futures = spread(client, _worked, [1, 2, 3, -1])
        assert len(list(arrivals(client, futures))) == 4
    unmeasured = spread(client, _worked, [5])
    assert unmeasured[0].result() == 5
    found = meter.metrics()
    assert found.work is not None
    assert (found.work.tasks, found.work.failures) == (4, 1)
    assert (found.work.events, found.work.bytes_read) == (40, 400)
    assert found.work.peak_memory_mib is not None
    assert found.work.peak_memory_mib > 64.0
    assert set(found.workers) <= set(client.scheduler_info()["workers"])
    assert found.window is not None
    assert 0.0 <= found.window[0] <= found.window[1] <= found.seconds
    path = tmp_path / "metrics.json"
    keep_metrics(path, "first", found)
    keep_metrics(path, "second", found)
    keep_metrics(path, "first", found)
    assert list(read_metrics(path).stages) == ["second", "first"]
    assert read_metrics(path).stages["first"] == found
    path.write_text('{"stages": {"old": 1}}')  # of another version
    keep_metrics(path, "first", found)
    assert list(standing_metrics(path).stages) == ["first"]


def test_the_most_memory_begins_anew() -> None:
    held = bytearray(2**27)
    held[::4096] = b"x" * len(held[::4096])
    high = peak_bytes()
    del held
    forget_peak()
    low = peak_bytes()
    assert high is not None
    assert low is not None
    assert high - low > 2**26


def _kept(path: Path) -> None:
    """Two stages, the second on a worker of each before and a new one."""
    with Meter() as meter:
        pass
    stage = meter.metrics().model_copy(update={"seconds": 12.0})
    first = {"work": added(FACTS), "workers": workers_of(FACTS, begun=99.0), "window": (1.0, 11.0)}
    others = [_facts("c", 100.0, 103.0), _facts("b", 101.0, 103.0)]
    second = {"work": added(others), "workers": workers_of(others, begun=99.0), "window": (1.0, 4.0)}
    keep_metrics(path, "process", stage.model_copy(update=first))
    keep_metrics(path, "train", stage.model_copy(update=second))
    keep_metrics(path, "fit", stage)


def test_a_worker_keeps_its_row_and_idle_time_stays_white(tmp_path: Path) -> None:
    _kept(tmp_path / "metrics.json")
    metrics = read_metrics(tmp_path / "metrics.json")
    process, train, fit = timeline_spans(metrics)
    assert process.rows == {0: [(2.0, 6.0), (7.0, 11.0), (11.0, 11.0)], 1: [(3.0, 5.0), (5.0, 6.0)]}
    assert train.rows == {0: [(13.0, 16.0)], 1: [(14.0, 16.0)]}
    assert (fit.begin, fit.end, fit.rows) == (24.0, 36.0, {})
    (picture,) = metrics_pictures(metrics)
    bars = picture.figure.axes[0].findobj(PolyCollection)
    assert sum(len(bar.get_paths()) for bar in bars if isinstance(bar, PolyCollection)) == 3 + 5 + 2
    assert {"client", "worker 1", "worker 2", "process", "train", "fit"} <= set(
        texts(picture.figure).splitlines()
    )
    (table,) = metrics_tables(metrics)
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["stage"], row["workers"], row["events/s"], row["CPU"]) == ("process", "2", "250", "60%")
    assert dict(zip(table.header, table.rows[2], strict=True))["workers"] == ""


def test_two_hundred_workers_have_room() -> None:
    many = {row: [(row / 100, 3.0)] for row in range(200)}
    figure = timeline([StageSpan("process", 0.0, 4.0, many)])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:2] == ["client", "worker 10"]
    assert len(names) == 21


def test_the_command_prints_stages_and_workers(tmp_path: Path) -> None:
    _kept(tmp_path / "metrics.json")
    runner = CliRunner()
    stages = runner.invoke(app, ["metrics", str(tmp_path)])
    assert stages.exit_code == 0
    assert "process" in stages.stdout
    workers = runner.invoke(app, ["metrics", str(tmp_path), "--stage", "train"])
    assert "1: c" in workers.stdout
    printed = runner.invoke(app, ["metrics", str(tmp_path), "--json"]).stdout
    assert printed == (tmp_path / "metrics.json").read_text() + "\n"
    unknown = runner.invoke(app, ["metrics", str(tmp_path), "--stage", "trian"])
    assert "'trian'" in str(unknown.exception)
