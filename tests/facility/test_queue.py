"""What batch systems say reaches the user: refusals at once, reasons while jobs wait."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from znought.errors import SiteError
from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.preflight import wait_for_worker
from znought.facility.cluster.queue import condor_states, logger, queue_line, slurm_states
from znought.facility.cluster.sites import SITES, connect
from znought.facility.cluster.tasks import Watch

Program = Callable[[str, str], None]
# As Slurm and HTCondor word them.
ACCOUNT = (
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified"
)
WALLTIME = (
    "sbatch: error: Batch job submission failed: Requested time limit is invalid "
    "(missing or exceeds some limit)"
)
DISK = "ERROR: Failed submission for job 7.-1 - aborting entire submit"


@pytest.mark.parametrize(
    ("site", "submit", "said"),
    [("slurm", "sbatch", ACCOUNT), ("slurm", "sbatch", WALLTIME), ("htcondor", "condor_submit", DISK)],
)
def test_a_refused_job_is_told_at_once(
    site: str, submit: str, said: str, queue: Path, program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    program(submit, f"echo '{said}' >&2; exit 1")
    with pytest.raises(SiteError) as caught, connect(site, workers=2, interface="lo"):
        pass
    assert str(caught.value).startswith(f"{submit} refused the job: {said}. ")
    assert "--account" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not caplog.records
    assert not list(queue.glob(".znought-tls-*"))


def test_what_was_not_refused_goes_on(queue: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    # A cluster of jobs silences handlers that stand beside Dask's, as pytest's does.
    told = list[str]()
    monkeypatch.setattr(logger, "warning", lambda line, *values: told.append(line % values))
    refusal = "sbatch: error: QOSMaxSubmitJobPerUserLimit"
    taken = f"mkdir {queue}/first 2>/dev/null && echo Submitted batch job 7"
    program("sbatch", f"{taken} || {{ echo {refusal} >&2; exit 1; }}")
    with SITES["slurm"].open(SiteOptions(workers=3, interface="lo")) as client:
        program("squeue", "echo 'PENDING|Priority'")
        assert queue_line(client) == "1 job pending (Priority)"
    assert told == [f"sbatch refused 2 of 3 jobs: {refusal}."]


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("echo 'PENDING|Resources'; echo 'PENDING|Resources'", "2 jobs pending (Resources)"),
        ("echo 'RUNNING|None'; echo 'CONFIGURING|None'", "1 job running, 1 job configuring"),
        (
            "echo 'PENDING|PartitionTimeLimit'; echo 'RUNNING|None'",
            "1 job pending (PartitionTimeLimit), 1 job running: ask for less with --walltime",
        ),
        ("echo 'PENDING|InvalidAccount'; echo 'RUNNING|None'", "name another --account"),
        (
            "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1",
            "2 jobs ended already (their logs",
        ),
        ("sleep 9", "the queue does not answer"),
        (
            "echo 'Unable to contact slurm controller' >&2; exit 1",
            "not answer (Unable to contact slurm contr",
        ),
    ],
)
def test_slurm_says_why_jobs_wait(
    answer: str, line: str, queue: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("znought.facility.cluster.queue._ANSWER_S", 2.0)
    program("sbatch", f"echo x >> {queue}/count; echo Submitted batch job $(wc -l < {queue}/count)")
    program("squeue", f'echo "$@" > {queue}/asked; {answer}')
    with SITES["slurm"].open(SiteOptions(workers=2, interface="lo")) as client:
        assert line in str(queue_line(client))
    assert "--jobs=" in (queue / "asked").read_text()


def test_states_of_slurm_and_htcondor(queue: Path, program: Program) -> None:
    del queue
    program("squeue", "echo 'PENDING|QOSMaxWallDurationPerJobLimit'")
    assert slurm_states(["7"]) == ["pending (QOSMaxWallDurationPerJobLimit)"]
    held = "Error from slot1: Failed to open /eos/x as standard output"
    program("condor_q", f"printf ' 1\\tundefined\\tundefined\\n 5\\t{held}\\tundefined\\n 2\\t\\told\\n'")
    assert condor_states(["7.0", "8.0", "9.0"]) == ["idle", f"held ({held})", "running"]
    program("condor_q", "printf '1\\tundefined\\tno match found\\n'")
    assert condor_states(["7.0"]) == ["idle (no match found)"]


def test_whoever_waits_hears_what_the_queue_says(
    queue: Path, program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    del queue
    program("squeue", "echo 'PENDING|PartitionTimeLimit'")
    said = r"the queue says: 1 job pending \(PartitionTimeLimit\): ask for less with --walltime"
    with SITES["slurm"].open(SiteOptions(workers=1, interface="lo")) as client:
        watch = Watch(client, wait_s=2, say_after_s=0.5, look_every_s=0.1)
        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(SiteError, match=f"Nothing ran for 2 s: there is no worker: {said}"),
        ):
            wait_for_worker(client, watch=watch)
    assert "Waiting: there is no worker: the queue says: 1 job pending" in caplog.text
