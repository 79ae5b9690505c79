"""One stage measured while it runs: this process, and every task that it sends to workers."""

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from distributed import Client

from znought.facility.cluster.tasks import wrap_calls
from znought.facility.metrics.adding import MIB, added, window_of, workers_of
from znought.facility.metrics.memory import forget_peak, peak_bytes
from znought.facility.metrics.record import ClientMetrics, StageMetrics
from znought.facility.metrics.timed import TASKS_TOPIC, TaskFacts, Timed

__all__ = ["Meter"]

_CLUSTER_TOPIC = "all"
"""On which Dask's scheduler says that workers come and leave."""


class Meter:
    """Measures inside its `with` block; `metrics` says afterwards what was found."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(4)
        self._facts: list[TaskFacts] = []
        self._lost = 0
        self._clients: list[Client] = []
        self._begun = self._ended = self._cpu_s = 0.0
        self._peak: int | None = None

    def __enter__(self) -> "Meter":
        forget_peak()
        self._begun, self._cpu_s = time.time(), time.process_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended, self._cpu_s = time.time(), time.process_time() - self._cpu_s
        self._peak = peak_bytes()
        for client in self._clients:
            wrap_calls(client, None)
            if client.status == "running":
                client.unsubscribe_topic(TASKS_TOPIC)
                client.unsubscribe_topic(_CLUSTER_TOPIC)

    def watch(self, client: Client | None) -> None:
        """Measures every task that is sent through a client from now on; nothing without one."""
        if client is None or client in self._clients:
            return
        self._clients.append(client)
        client.subscribe_topic(TASKS_TOPIC, self._heard)
        client.subscribe_topic(_CLUSTER_TOPIC, self._heard_of_cluster)
        wrap_calls(client, self._timed)

    @property
    def seconds(self) -> float:
        """Wall time of the block."""
        return self._ended - self._begun

    def metrics(self) -> StageMetrics:
        """What the stage cost."""
        window, seconds = window_of(self._facts), max(self.seconds, 1e-6)
        return StageMetrics(
            begun=datetime.fromtimestamp(self._begun, UTC).isoformat(timespec="seconds"),
            seconds=round(self.seconds, 3),
            client=ClientMetrics(
                cpu_share=round(self._cpu_s / seconds, 4),
                peak_memory_mib=None if self._peak is None else round(self._peak / MIB, 1),
            ),
            window=None if window is None else _since(self._begun, *window),
            lost=self._lost,
            work=added(self._facts),
            workers=workers_of(self._facts, self._begun),
        )

    def _timed(self, function: Callable[..., Any]) -> Timed:
        return Timed(function, self._mark, time.time())

    def _heard(self, event: tuple[float, Mapping[str, Any]]) -> None:
        facts = TaskFacts(**event[1])
        if facts.mark == self._mark:
            self._facts.append(facts)

    def _heard_of_cluster(self, event: tuple[float, Mapping[str, Any]]) -> None:
        if event[1].get("action") == "remove-worker":
            self._lost += len(event[1]["processing-tasks"])


def _since(begun: float, first: float, last: float) -> tuple[float, float]:
    return round(first - begun, 4), round(last - begun, 4)
