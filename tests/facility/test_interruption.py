"""Every signal that ends a run closes the cluster first."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.signals import hear_signals
from znought.facility.cluster.interruption import ENDING, Interrupted, interruptible


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals that are not ignored, as they are where a shell runs the tests in the background."""
    before = {one: signal.signal(one, signal.SIG_DFL) for one in ENDING}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_raised_once(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in ENDING]
    closed: list[bool] = []

    def close() -> None:
        os.kill(os.getpid(), number)  # an impatient second one
        closed.append(True)

    def interrupted() -> None:
        with interruptible(), ExitStack() as stack:
            stack.callback(close)
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted) as caught:
        interrupted()
    assert closed
    assert caught.value.status == 128 + number
    assert [signal.getsignal(one) for one in ENDING] == before


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("site", "number", "status"),
    [("slurm", signal.SIGINT, 130), ("slurm", signal.SIGTERM, 143), ("htcondor", signal.SIGINT, 130)],
)
def test_jobs_are_cancelled(
    site: str, number: signal.Signals, status: int, queue: Path, wait_for_file: Callable[[Path], None]
) -> None:
    command = [sys.executable, "-m", "znought.facility.cli", "sites", "--check", site, "--interface", "lo"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        cwd=queue,
        preexec_fn=hear_signals,
    ) as process:
        wait_for_file(queue / "job")
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == status, printed
    assert "Interrupted: the same command again resumes." in printed
    assert "Traceback" not in printed
    assert "7" in (queue / "cancelled").read_text()
