"""Work on the workers: sent so that it computes in one thread, awaited so that no silence lasts."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import dask
from distributed import Client, Future, as_completed
from threadpoolctl import threadpool_limits

from znought.errors import SiteError
from znought.facility.cluster.failures import SCHEDULER_LOST, checked
from znought.facility.cluster.options import DEFAULT_STALL_MIN, DEFAULT_WAIT_MIN
from znought.facility.cluster.queue import queue_line
from znought.facility.storage.exchange import carried

__all__ = [
    "Watch",
    "arrivals",
    "dashboard",
    "is_again",
    "note_sign_of_life",
    "obstacle",
    "spread",
    "submit",
    "wrap_calls",
]

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
LOOK_EVERY_S = 10.0
SAY_AFTER_S = 30.0

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
_WRAPS: WeakKeyDictionary[Client, Wrap] = WeakKeyDictionary()
_AGAIN = "-again"


def submit(client: Client, function: Callable[..., Any], *arguments: Any, retries: int = 0) -> Future[Any]:
    """The future of one call on a worker."""
    key = f"{_name(function)}-{uuid.uuid4()}"
    function = _wrapped(client, carried(client, function, *arguments))
    return client.submit(_in_one_thread, function, *arguments, key=key, pure=False, retries=retries)


def spread(
    client: Client,
    function: Callable[..., Any],
    items: Sequence[Any],
    *,
    retries: int = 0,
    again: bool = False,
) -> list[Future[Any]]:
    """Futures of a call for each item, in their order.

    Args:
        client: of the workers.
        function: called with each item.
        items: small, as they travel.
        retries: of a call that fails.
        again: the items have been tried before; the names of the tasks say so.
    """
    calls = [_wrapped(client, carried(client, function, item)) for item in items]
    key = _name(function) + (_AGAIN if again else "")
    futures: list[Future[Any]] = client.map(
        _in_one_thread, calls, items, key=key, pure=False, retries=retries
    )
    return futures


def is_again(key: str) -> bool:
    """Whether a task is a further attempt at what had been tried before, by its name."""
    return f"{_AGAIN}-" in key


def wrap_calls(client: Client, wrap: Wrap | None) -> None:
    """What is sent through a client from now on is wrapped first, to be measured; None ends that."""
    if wrap is None:
        _WRAPS.pop(client, None)
    else:
        _WRAPS[client] = wrap


def _wrapped(client: Client, function: Callable[..., Any]) -> Callable[..., Any]:
    wrap = _WRAPS.get(client)
    return function if wrap is None else wrap(function)


def _name(function: Any) -> str:
    """Name of a function behind `functools.partial`, for the dashboard."""
    return str(getattr(getattr(function, "func", function), "__name__", "task"))


def _in_one_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """On a worker: the result, from linear algebra and OpenMP in one thread wherever the worker runs.

    Sums of floats depend on the number of threads in their last digits; the environment that a site gives
    its workers is not ours to choose. Libraries may have been loaded since the last task: set for each.
    """
    threadpool_limits(limits=1)
    return checked(function, *arguments)


# --- waiting ------------------------------------------------------------------------------------------


def obstacle(workers: Mapping[str, Mapping[str, Any]], said: str | None = None) -> str | None:
    """Why no task may be running, from what the scheduler knows of its workers; None if one is running.

    Args:
        workers: address → identity, as in `client.scheduler_info()["workers"]`.
        said: by the queue of a batch system about their jobs.
    """
    if any(_n_running(worker) for worker in workers.values()):
        return None
    if not workers:
        of_site = "the site has started none, or they left" if said is None else f"the queue says: {said}"
        return f"there is no worker: {of_site}"
    return _paused_line(workers) or f"{len(workers)} workers are there, and none of them runs a task"


def _paused_line(workers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Which workers take no tasks because their memory is full, and what to do."""
    paused = [worker for worker in workers.values() if worker["status"] == "paused"]
    if not paused:
        return None
    fullest = max(paused, key=lambda worker: _memory(worker))
    used, limit = _memory(fullest) / 2**30, (fullest["memory_limit"] or 0) / 2**30
    return (
        f"{len(paused)} of {len(workers)} workers take no tasks, their memory is full "
        f"({used:.1f} of {limit:.1f} GiB): give them more with --memory, or start them anew"
    )


def _n_running(worker: Mapping[str, Any]) -> int:
    return _count(worker, "executing") + _count(worker, "long-running")


def _count(worker: Mapping[str, Any], state: str) -> int:
    return int(worker["metrics"].get("task_counts", {}).get(state, 0))


def _memory(worker: Mapping[str, Any]) -> float:
    return float(worker["metrics"].get("memory", 0))


@dataclass
class Watch:
    """Tells whoever waits why nothing comes, and ends a wait that would not end.

    Attributes:
        client: of the scheduler that is asked.
        wait_s: seconds without any running task after which the wait ends.
        stall_s: seconds in which tasks run and none ends, after which the wait ends; a line says so before.
        say_after_s: seconds without any running task after which one line says why.
        look_every_s: seconds between two looks.
        clock: seconds, of any origin.
    """

    client: Client
    wait_s: float = field(default_factory=lambda: _configured_s("wait-min", DEFAULT_WAIT_MIN))
    stall_s: float = field(default_factory=lambda: _configured_s("stall-min", DEFAULT_STALL_MIN))
    say_after_s: float = SAY_AFTER_S
    look_every_s: float = LOOK_EVERY_S
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._alive = self._looked = self._ended = self.clock()
        self._signs = _SIGNS.get(self.client, 0)
        self._said: set[str] = set()

    def seen(self) -> None:
        """Something arrived: the wait begins anew."""
        self._ended = self.clock()
        self._said.discard("slow")
        self._running()

    def _running(self) -> None:
        self._alive = self.clock()
        self._said.discard("stalled")

    def look(self) -> None:
        """Looks at the workers, when it is time to.

        Raises:
            SiteError: the scheduler is gone, or nothing has run or ended for as long as one may wait.
        """
        now = self.clock()
        if now - self._looked < self.look_every_s:
            return
        self._looked = now
        workers = self._workers()
        reason = obstacle(workers)
        if reason is None:
            self._running()
            self._look_for_progress(now, workers)
            if line := _paused_line(workers):
                self._say("paused", lambda: f"{line}; the others go on.")
            return
        self._ended = now
        if now - self._alive >= self.wait_s:
            raise SiteError(f"Nothing ran for {_duration(self.wait_s)}: {self._with_queue(workers)}.")
        if now - self._alive >= self.say_after_s:
            ends = f"The run ends after {_duration(self.wait_s)} of this."
            self._say("stalled", lambda: f"Waiting: {self._with_queue(workers)}. {ends}")

    def _with_queue(self, workers: Mapping[str, Mapping[str, Any]]) -> str:
        """The obstacle, with what a batch system says: asked only when it is about to be told."""
        return str(obstacle(workers, None if workers else queue_line(self.client)))

    def _look_for_progress(self, now: float, workers: Mapping[str, Mapping[str, Any]]) -> None:
        """Says that tasks run for long without an end, and ends what would not end."""
        signs = _SIGNS.get(self.client, 0)
        if signs != self._signs:
            self._signs, self._ended = signs, now
            self._said.discard("slow")
        silent_s = now - self._ended
        n_running = sum(_n_running(worker) for worker in workers.values())
        what = f"{n_running} tasks run on {len(workers)} workers, and none has ended for"
        if silent_s >= self.stall_s:
            todo = _where_to_look(self.client)
            raise SiteError(f"{what} {_duration(self.stall_s)}: {todo}; the same command again resumes.")
        if silent_s >= self.stall_s / 4:
            ends = f"The run ends after {_duration(self.stall_s)} of this (--stall-min)."
            line = f"{what} {_duration(self.stall_s / 4)}"
            self._say("slow", lambda: f"{line}: {_where_to_look(self.client)}. {ends}")

    def require_scheduler(self) -> None:
        """Raises if the connection to the scheduler is lost."""
        if self.client.status != "running":
            raise SiteError(SCHEDULER_LOST)

    def _workers(self) -> Mapping[str, Mapping[str, Any]]:
        self.require_scheduler()
        workers: Mapping[str, Mapping[str, Any]] = self.client.scheduler_info(n_workers=-1)["workers"]
        return workers

    def _say(self, what: str, line: Callable[[], str]) -> None:
        """Each thing once while it lasts."""
        if what not in self._said:
            self._said.add(what)
            logger.warning(line())


_SIGNS: WeakKeyDictionary[Client, int] = WeakKeyDictionary()


def note_sign_of_life(client: Client) -> None:
    """Counts progress within a task, such as an epoch: a wait for its end begins anew."""
    _SIGNS[client] = _SIGNS.get(client, 0) + 1


def _configured_s(name: str, default: int) -> float:
    return 60.0 * float(dask.config.get(f"znought.{name}", default))


def _where_to_look(client: Client) -> str:
    return f"look at the dashboard ({dashboard(client) or 'none here'}) or the workers' logs"


def dashboard(client: Client) -> str | None:
    """Address of the page on which a cluster shows its tasks; None where there is none."""
    try:
        link = client.dashboard_link
    except (KeyError, ValueError, AttributeError):
        return None
    page = urlsplit(link or "")
    scheduler = getattr(client.cluster, "scheduler_spec", None) or {}
    if str(scheduler.get("options", {}).get("dashboard_address", "")).startswith("127.0.0.1:"):
        # Dask names the machine of the scheduler, and the page answers to loopback alone.
        page = page._replace(netloc=f"127.0.0.1:{page.port}")
    return page.geturl() or None


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def arrivals(
    client: Client, futures: Sequence[Future[Any]] | as_completed, *, watch: Watch | None = None
) -> Iterator[Future[Any]]:
    """Futures in the order in which they end, well or badly.

    Args:
        client: of the futures.
        futures: a sequence, or an `as_completed` that may grow meanwhile.
        watch: with other times than the usual ones.

    Raises:
        SiteError: from `Watch`.
    """
    watch = watch or Watch(client)
    ending = futures if isinstance(futures, as_completed) else as_completed(futures)
    while True:
        while not ending.has_ready():
            if ending.is_empty():
                return
            with ending.thread_condition:
                ending.thread_condition.wait(timeout=0.1)
            watch.look()
        watch.seen()
        future = next(ending)
        if future.status in ("cancelled", "lost"):
            watch.require_scheduler()
        yield future
