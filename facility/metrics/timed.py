"""On a worker: a task that tells the client when it ran and what it took."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from distributed import get_worker

from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.metrics.tally import counted

__all__ = ["TASKS_TOPIC", "TaskFacts", "Timed"]

TASKS_TOPIC = "znought-tasks"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One attempt at one task; times are seconds since the epoch.

    Attributes:
        mark: of the stage's run that sent it.
        key: of the task, the same in every attempt.
        worker: its address.
        process: host and number of the worker's process.
        threads: of the worker.
        submitted, begin, end: by the client's clock, by the worker's, and again.
        cpu_begin, cpu_end: CPU time of the process so far, seconds.
        events, bytes_read: what the task has counted.
        peak_bytes: most memory of the process since its first task of this stage.
        failure: class of the error that ended it.
    """

    mark: str
    key: str
    worker: str
    process: str
    threads: int
    submitted: float
    begin: float
    end: float
    cpu_begin: float
    cpu_end: float
    events: int
    bytes_read: int
    peak_bytes: int | None
    failure: str | None = None


@dataclass(frozen=True)
class Timed:
    """A call that leaves its facts with the scheduler, which passes them on to the client.

    Attributes:
        function: what is called.
        mark: of the stage's run.
        submitted: when, seconds since the epoch.
    """

    function: Callable[..., Any]
    mark: str
    submitted: float

    def __call__(self, *arguments: Any) -> Any:
        _forget_other(self.mark)
        begin, cpu_begin, before = time.time(), time.process_time(), counted()
        failure: str | None = None
        try:
            return self.function(*arguments)
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            events, bytes_read = (now - then for now, then in zip(counted(), before, strict=True))
            worker = get_worker()
            facts = TaskFacts(
                mark=self.mark,
                key=str(worker.get_current_task()),
                worker=str(worker.address),
                process=f"{platform.node()}:{os.getpid()}",
                threads=int(worker.state.nthreads),
                submitted=self.submitted,
                begin=begin,
                end=time.time(),
                cpu_begin=cpu_begin,
                cpu_end=time.process_time(),
                events=events,
                bytes_read=bytes_read,
                peak_bytes=peak_bytes(),
                failure=failure,
            )
            worker.log_event(TASKS_TOPIC, asdict(facts))


_MARKS: list[str] = []


def _forget_other(mark: str) -> None:
    """Begins the peak of memory anew with the first task of another stage."""
    if [mark] != _MARKS:
        _MARKS[:] = [mark]
        forget_peak()
