"""Runs on a real Slurm: a signal leaves nothing in the queue, and the numbers are those of this machine."""

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import small_card, znought
from tests.signals import hear_signals
from tests.sites.conftest import jobs, wait_for_jobs
from znought.errors import SiteError
from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.preflight import wait_for_worker
from znought.facility.cluster.sites import SITES, connect
from znought.facility.cluster.tasks import Watch

pytestmark = pytest.mark.usefixtures("slurm")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_jobs(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "znought.facility.cli", "simulate", str(small_card(tmp_path))]
    command += ["--output", str(tmp_path / "output"), "--site", "slurm", "--workers", "2", "--memory", "2GiB"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, preexec_fn=hear_signals
    ) as process:
        assert len(wait_for_jobs(2)) == 2
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + number, printed
    assert "Interrupted: the same command again resumes." in printed
    assert "Traceback" not in printed
    assert not wait_for_jobs(0, seconds=10)


def test_the_numbers_are_those_of_this_machine(tmp_path: Path) -> None:
    card = small_card(tmp_path)
    for site in ("local", "slurm"):
        znought(
            "run",
            card,
            "--output",
            tmp_path / site,
            "--site",
            site,
            "--workers",
            2,
            "--memory",
            "3GiB",
            "--json",
        )
    for name in ("cutflow.json", "binning.json", "results.json"):
        here, there = (json.loads((tmp_path / site / name).read_text()) for site in ("local", "slurm"))
        assert here == there, name
    assert not jobs()


def test_slurm_says_why_a_job_waits(caplog: pytest.LogCaptureFixture) -> None:
    why = r"the queue says: 1 job pending \(PartitionTimeLimit\): ask for less with --walltime"
    with SITES["slurm"].open(SiteOptions(workers=1, queue="short", walltime="2:00:00")) as client:
        watch = Watch(client, wait_s=8, say_after_s=2, look_every_s=0.5)
        line = f"Nothing ran for 8 s: there is no worker: {why}"
        # The cluster has silenced the handler.
        with caplog.at_level(logging.WARNING), pytest.raises(SiteError, match=line):
            wait_for_worker(client, watch=watch)
    assert "Waiting: there is no worker: the queue says: 1 job pending" in caplog.text
    assert not wait_for_jobs(0, seconds=30)


def test_what_slurm_refuses_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    refusal = r"sbatch refused the job: .*[Ii]nvalid partition.*\. What was asked for is changed by --queue"
    with pytest.raises(SiteError, match=refusal), connect("slurm", workers=2, queue="no-such-queue"):
        pass
    assert not caplog.messages
    assert not jobs()
