"""Metrics as a table and a figure: for the report, and for `znought metrics`."""

from collections.abc import Iterator, Sequence

from znought.facility.figures.picture import Picture
from znought.facility.metrics.record import Metrics, StageMetrics, Work, WorkerMetrics
from znought.plots.report import ReportTable
from znought.plots.timeline import StageSpan, timeline

__all__ = ["SECTION", "metrics_pictures", "metrics_tables", "timeline_spans", "worker_table"]

SECTION = "Where the time went"
_STAGE_HEADER = (
    "stage",
    "seconds",
    "workers",
    "tasks",
    "events/s",
    "MB/s",
    "CPU",
    "idle",
    "waited s",
    "failures",
    "retries",
    "lost",
    "MiB",
    "client CPU",
    "client MiB",
)
_WORKER_HEADER = (
    "worker",
    "tasks",
    "events",
    "MB",
    "events/s",
    "MB/s",
    "CPU",
    "idle",
    "waited s",
    "failures",
    "retries",
    "MiB",
)
_CAPTION = (
    "Of each stage as it last ran. Rates, CPU time (over wall time × threads) and idle time are over the "
    "time from its first submitted task to the end of its last; waited: mean time of a task until it began; "
    "lost: tasks at workers that left; MiB: most memory of one process. The client's process holds the "
    "scheduler, too, where the site is this machine."
)


def metrics_tables(metrics: Metrics) -> tuple[ReportTable, ...]:
    """What each stage cost; no table where nothing is known."""
    rows = tuple(_stage_row(name, stage) for name, stage in metrics.stages.items())
    return (ReportTable("Time and memory", _STAGE_HEADER, rows, _CAPTION, section=SECTION),) if rows else ()


def worker_table(name: str, stage: StageMetrics) -> ReportTable:
    """What each worker did in one stage."""
    rows = tuple(
        (
            f"{number}: {address}",
            f"{worker.work.tasks:,}",
            _whole(worker.work.events),
            "" if worker.work.bytes_read is None else f"{worker.work.bytes_read / 1e6:,.1f}",
            *_rates(worker.work),
            f"{worker.work.queued_s:.2f}",
            str(worker.work.failures),
            str(worker.work.retries),
            _whole(worker.work.peak_memory_mib),
        )
        for number, (address, worker) in enumerate(stage.workers.items(), start=1)
    )
    return ReportTable(f"{name}, worker by worker", _WORKER_HEADER, rows, f"Begun {stage.begun}.")


def _stage_row(name: str, stage: StageMetrics) -> tuple[str, ...]:
    client = (f"{stage.client.cpu_share:.0%}", _whole(stage.client.peak_memory_mib))
    if stage.work is None:
        return (name, f"{stage.seconds:.1f}", *([""] * (len(_STAGE_HEADER) - 4)), *client)
    work = stage.work
    return (
        name,
        f"{stage.seconds:.1f}",
        str(len(stage.workers)),
        f"{work.tasks:,}",
        *_rates(work),
        f"{work.queued_s:.2f}",
        str(work.failures),
        str(work.retries),
        str(stage.lost),
        _whole(work.peak_memory_mib),
        *client,
    )


def _rates(work: Work) -> tuple[str, str, str, str]:
    mb_per_s = "" if work.mb_per_s is None else f"{work.mb_per_s:,.1f}"
    return _whole(work.events_per_s), mb_per_s, f"{work.cpu_share:.0%}", f"{work.idle_share:.0%}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def metrics_pictures(metrics: Metrics) -> Iterator[Picture]:
    """The timeline; nothing where no stage has run."""
    spans = timeline_spans(metrics)
    if spans:
        caption = (
            "A row for the client and one for each worker; bars are tasks in the colour of their stage, "
            "white is idle. Stages stand one behind the other as each last ran; time between is left out."
        )
        yield Picture("timeline", "Tasks of each worker", SECTION, timeline(spans), caption)


def timeline_spans(metrics: Metrics) -> list[StageSpan]:
    """Stages one behind the other; a worker keeps its row from stage to stage."""
    spans, rows, begin = list[StageSpan](), dict[str, int](), 0.0
    for name, stage in metrics.stages.items():
        rows = _rows_of(list(stage.workers), rows)
        ran = {rows[address]: _shifted(worker, begin) for address, worker in stage.workers.items()}
        spans.append(StageSpan(name, begin, begin + stage.seconds, ran))
        begin += stage.seconds
    return spans


def _rows_of(workers: Sequence[str], before: dict[str, int]) -> dict[str, int]:
    """Address → row: that which it had, or the lowest that no other worker of the stage has."""
    rows = {address: before[address] for address in workers if address in before}
    taken, free = set(rows.values()), 0
    for address in workers:
        if address not in rows:
            while free in taken:
                free += 1
            rows[address] = free
            taken.add(free)
    return rows


def _shifted(worker: WorkerMetrics, begin: float) -> list[tuple[float, float]]:
    return [(begin + first, begin + last) for first, last in worker.ran]
