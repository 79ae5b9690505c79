"""Signals that end a run: all of them close the cluster first, so that no job stays in a queue."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["ENDING", "Interrupted", "interruptible"]

# A batch system, a closed terminal and a user end a run in three ways.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal came; like Ctrl-C, no `except Exception` stops it on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def status(self) -> int:
        """Exit status, as a shell reports a process that this signal ended."""
        return 128 + self.number


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises `Interrupted` where the block is when a signal comes, once.

    A second signal is ignored, because it would break into the closing of the cluster and leave its jobs
    behind; a third one raises again. What the caller ignores, as `nohup` does, stays ignored.
    """
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if len(received) != 2:
            raise Interrupted(number)

    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            _restore(number, handler)


def _restore(number: int, handler: Any) -> None:
    # None: a handler that Python did not set, and cannot set again.
    if handler is not None:
        signal.signal(number, handler)
