"""Facts of tasks → what each worker and all of them did: pure sums."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from znought.facility.cluster.tasks import is_again
from znought.facility.metrics.record import Work, WorkerMetrics
from znought.facility.metrics.timed import TaskFacts

__all__ = ["added", "window_of", "workers_of"]

MIB = 2**20
MEGABYTE = 10**6


def window_of(facts: Sequence[TaskFacts]) -> tuple[float, float] | None:
    """When the first task was submitted and the last one ended; None without tasks."""
    if not facts:
        return None
    return min(one.submitted for one in facts), max(one.end for one in facts)


def workers_of(facts: Sequence[TaskFacts], begun: float) -> dict[str, WorkerMetrics]:
    """Address → what the worker did, in the order in which they began.

    Args:
        facts: of one run of a stage.
        begun: when the stage began.
    """
    window = window_of(facts)
    if window is None:
        return {}
    repeated = _repeated(facts)
    found: dict[str, list[TaskFacts]] = {}
    for one in sorted(facts, key=lambda one: one.begin):
        found.setdefault(one.worker, []).append(one)
    cpu = _cpu_seconds(facts)
    return {
        worker: WorkerMetrics(
            threads=mine[0].threads,
            work=_work(mine, window, mine[0].threads, cpu[worker], repeated),
            ran=tuple((round(one.begin - begun, 4), round(one.end - begun, 4)) for one in mine),
        )
        for worker, mine in found.items()
    }


def added(facts: Sequence[TaskFacts]) -> Work | None:
    """What all workers did together; None without tasks."""
    window = window_of(facts)
    if window is None:
        return None
    threads = {one.worker: one.threads for one in facts}
    return _work(facts, window, sum(threads.values()), sum(_cpu_seconds(facts).values()), _repeated(facts))


def _work(
    facts: Sequence[TaskFacts],
    window: tuple[float, float],
    threads: int,
    cpu_s: float,
    repeated: Collection[tuple[str, float]],
) -> Work:
    wall = max(window[1] - window[0], 1e-6)
    events, bytes_read = sum(one.events for one in facts), sum(one.bytes_read for one in facts)
    peaks = [one.peak_bytes for one in facts if one.peak_bytes is not None]
    busy = sum(one.end - one.begin for one in facts)
    return Work(
        tasks=len(facts),
        failures=sum(one.failure is not None for one in facts),
        retries=sum((one.key, one.begin) in repeated for one in facts),
        events=events or None,
        bytes_read=bytes_read or None,
        events_per_s=round(events / wall, 1) if events else None,
        mb_per_s=round(bytes_read / wall / MEGABYTE, 3) if bytes_read else None,
        cpu_share=round(cpu_s / (wall * threads), 4),
        idle_share=round(max(1.0 - busy / (wall * threads), 0.0), 4),
        queued_s=round(sum(max(one.begin - one.submitted, 0.0) for one in facts) / len(facts), 4),
        peak_memory_mib=round(max(peaks) / MIB, 1) if peaks else None,
    )


def _cpu_seconds(facts: Iterable[TaskFacts]) -> dict[str, float]:
    """CPU time of each worker between its first task and its last; workers of one process share alike."""
    found: dict[str, float] = {}
    for _, group in groupby(sorted(facts, key=lambda one: one.process), key=lambda one: one.process):
        mine = list(group)
        workers = {one.worker for one in mine}
        spent = max(one.cpu_end for one in mine) - min(one.cpu_begin for one in mine)
        found |= dict.fromkeys(workers, spent / len(workers))
    return found


def _repeated(facts: Iterable[TaskFacts]) -> frozenset[tuple[str, float]]:
    """Attempts, by key and begin, at what had been tried before."""
    seen: set[str] = set()
    found: set[tuple[str, float]] = set()
    for one in sorted(facts, key=lambda one: one.begin):
        if one.key in seen or is_again(one.key):
            found.add((one.key, one.begin))
        seen.add(one.key)
    return frozenset(found)
