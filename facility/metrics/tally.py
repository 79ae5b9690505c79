"""What a task works through, counted where it happens: events, and bytes of files."""

import threading

__all__ = ["count", "counted"]


class _Counts(threading.local):
    events = 0
    bytes_read = 0


_COUNTS = _Counts()


def count(*, events: int = 0, bytes_read: int = 0) -> None:
    """Add to what this thread has worked through."""
    _COUNTS.events += events
    _COUNTS.bytes_read += bytes_read


def counted() -> tuple[int, int]:
    """Events and bytes that this thread has worked through so far."""
    return _COUNTS.events, _COUNTS.bytes_read
