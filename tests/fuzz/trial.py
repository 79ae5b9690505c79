"""One trial in a process of its own: it ends in time, in a result or in a line, or says what it ended in."""

import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from znought.errors import ZnoughtError

__all__ = ["Verdict", "run_trials"]

SECONDS = 60
MEMORY = 6 * 2**30
Verdict = tuple[str, str]
"""How a trial ended ("right", "line", or what is wrong), and the text to it."""
Trial = Callable[[Path, int], str]


def _limited() -> None:
    """What bytes promise may be terabytes: better an error than a machine that swaps."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@contextmanager
def _in_time(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"hangs: nothing within {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _judged(trial: Trial, number: int) -> Verdict:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _in_time(SECONDS):
                wrong = trial(Path(folder), number)
        except ZnoughtError as error:
            text = str(error)
            is_clear = "\n" not in text and 15 < len(text) < 1500
            return ("line" if is_clear else "unclear line"), text.replace(folder, "…")
        except BaseException:
            return "traceback", traceback.format_exc(limit=-6)
        return ("wrong", wrong) if wrong else ("right", "")


def run_trials(trial: Trial, n_trials: int) -> dict[int, Verdict]:
    """Verdict of every trial by its number, two at a time."""
    context = get_context("forkserver")
    with ProcessPoolExecutor(2, mp_context=context, initializer=_limited) as pool:
        verdicts = pool.map(partial(_judged, trial), range(n_trials), chunksize=5)
        return dict(enumerate(verdicts))
