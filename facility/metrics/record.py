"""`metrics.json`: what each stage cost when it last ran."""

from pathlib import Path

from pydantic import Field

from znought.errors import DataError
from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_json

__all__ = [
    "ClientMetrics",
    "Metrics",
    "StageMetrics",
    "Work",
    "WorkerMetrics",
    "keep_metrics",
    "read_metrics",
    "standing_metrics",
]


class Work(Record):
    """What was worked through, by one worker or by all of a stage; rates are over the stage's window.

    Attributes:
        tasks: attempts that ended, well or badly.
        failures: attempts that ended in an error.
        retries: attempts at what had been tried before.
        events: None where tasks count none.
        bytes_read: of files, compressed as they stand there; None where tasks count none.
        events_per_s, mb_per_s: 10⁶ bytes a megabyte.
        cpu_share: CPU time of processes over wall time × threads.
        idle_share: time of threads without a task.
        queued_s: mean time of a task between being submitted and beginning.
        peak_memory_mib: most memory of one process; None where the system does not say.
    """

    tasks: int
    failures: int
    retries: int
    events: int | None
    bytes_read: int | None
    events_per_s: float | None
    mb_per_s: float | None
    cpu_share: float
    idle_share: float
    queued_s: float
    peak_memory_mib: float | None


class WorkerMetrics(Record):
    """One worker in one stage.

    Attributes:
        threads: of the worker.
        work: what it worked through.
        ran: begin and end of its tasks, seconds since the stage began.
    """

    threads: int
    work: Work
    ran: tuple[tuple[float, float], ...]


class ClientMetrics(Record):
    """The process that runs the flow, and the scheduler where it stands in it.

    Attributes:
        cpu_share: CPU time over wall time; above 1 where several threads compute.
        peak_memory_mib: None where the system does not say.
    """

    cpu_share: float
    peak_memory_mib: float | None


class StageMetrics(Record):
    """One stage when it last ran.

    Attributes:
        begun: date and time, UTC.
        seconds: wall time.
        client: of the process that runs the flow.
        window: from the first submitted task to the end of the last, seconds since the stage began; None
            where the stage sends no task.
        lost: tasks that were at workers which left.
        work: of all workers together.
        workers: address → what it did.
    """

    begun: str
    seconds: float
    client: ClientMetrics
    window: tuple[float, float] | None = None
    lost: int = 0
    work: Work | None = None
    workers: dict[str, WorkerMetrics] = Field(default_factory=dict)


class Metrics(Record):
    """The content of `metrics.json`.

    Attributes:
        stages: in the order in which they last ran.
    """

    stages: dict[str, StageMetrics] = Field(default_factory=dict)


def read_metrics(path: Path) -> Metrics:
    """What the stages of an output directory cost.

    Raises:
        DataError: no stage has run, or another version wrote the file.
    """
    return read_record(path, Metrics)


def standing_metrics(path: Path) -> Metrics:
    """The same, and nothing where no stage has run or another version wrote the file: no result needs it."""
    try:
        return read_metrics(path)
    except DataError:
        return Metrics()


def keep_metrics(path: Path, stage: str, found: StageMetrics) -> None:
    """Notes what a stage cost; what others have cost stays."""
    stages = dict(standing_metrics(path).stages)
    stages.pop(stage, None)
    kept = Metrics(stages={**stages, stage: found})
    write_json(path, kept.model_dump(mode="json"))
