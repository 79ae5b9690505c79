"""Failures of machines, in one clear line each: full disks, lack of memory, lost workers and schedulers."""

import errno
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TypeVar

from distributed import KilledWorker, get_worker
from distributed.comm.core import CommClosedError

from znought.errors import SiteError, WorkerError

__all__ = ["SCHEDULER_LOST", "checked", "in_one_line"]

Result = TypeVar("Result")

SCHEDULER_LOST = "The connection to the scheduler is lost: the same command again resumes."
# EFBIG: a limit on the size of files.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_RESUMES = "the same command again resumes."


def checked(function: Callable[..., Result], *arguments: object) -> Result:
    """On a worker: the result of a call.

    Raises:
        WorkerError: the worker lacks disk or memory; names the worker.
    """
    try:
        return function(*arguments)
    except (OSError, MemoryError) as error:
        lack = _lack(error)
        if lack is None:
            raise
        raise WorkerError(f"{_worker()}: {lack}") from error


def _worker() -> str:
    """Which worker this is; beside its tasks it does not know its own address."""
    try:
        return f"Worker {get_worker().address}"
    except ValueError:
        return f"Worker on {socket.gethostname()}"


def _lack(error: BaseException) -> str | None:
    """What a process lacks, with what to do about it; None for another error."""
    if isinstance(error, MemoryError):
        return f"its memory does not suffice ({_text(error)}). Give workers more with --memory."
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"its disk is full ({_text(error)}). Make room there, or give workers more disk."
    return None


@contextmanager
def in_one_line() -> Iterator[None]:
    """Raises what machines do to a run as one clear line; all else passes as it is.

    Raises:
        SiteError: a disk is full or may not be written to, memory is short, workers or scheduler are lost.
    """
    try:
        yield
    except KilledWorker as error:
        n_lost = error.allowed_failures + 1
        raise SiteError(
            f"{n_lost} worker{'s' * (n_lost > 1)} died over the same task, at last "
            f"{error.last_worker.address}: most often their memory does not suffice. Give workers more with "
            f"--memory; {_RESUMES}"
        ) from error
    except (CommClosedError, CancelledError) as error:
        raise SiteError(SCHEDULER_LOST) from error
    except MemoryError as error:
        raise SiteError(f"The memory of this machine does not suffice ({_text(error)}).") from error
    except OSError as error:
        if error.errno in _FULL:
            raise SiteError(f"The disk is full ({_text(error)}). Make room: {_RESUMES}") from error
        if error.errno in _FORBIDDEN:
            raise SiteError(f"This may not be written or read: {_text(error)}.") from error
        # Dask's own, while it tries to reach the scheduler again.
        if error.errno is None and "timed out" in str(error).lower():
            raise SiteError(SCHEDULER_LOST) from error
        raise


def _text(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
