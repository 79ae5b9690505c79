"""What a batch system says of our jobs: why it refuses them, and why they wait."""

import asyncio
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

from distributed import Client
from distributed.core import Status

from znought.errors import SiteError

__all__ = ["condor_states", "note_queue", "queue_line", "slurm_states", "submit_jobs"]

logger = logging.getLogger(__name__)

States = Callable[[Sequence[str]], list[str]]
"""From identifiers of jobs to a word on each that the queue still knows."""

_ANSWER_S = 20.0
_QUEUES: WeakKeyDictionary[Client, "_Queue"] = WeakKeyDictionary()

# Reasons of Slurm that no patience mends ("Job Reason Codes" in the manual of squeue).
_REMEDIES = {
    "TimeLimit": "ask for less with --walltime",
    "MaxWall": "ask for less with --walltime",
    "Account": "name another --account",
    "NodeLimit": "ask for less with --memory, or name another --queue",
    "BadConstraints": "ask for less with --memory, or name another --queue",
    "Partition": "name another --queue",
    "MaxMem": "ask for less with --memory",
}

# JobStatus of the manual of condor_q.
_CONDOR = {"1": "idle", "2": "running", "3": "removed", "4": "completed", "5": "held", "7": "suspended"}


def submit_jobs(cluster: Any, n_jobs: int) -> None:
    """Submits the first jobs of a cluster, and hears what the batch system answers.

    `cluster.scale` submits in the background, where a refusal is lost.

    Raises:
        SiteError: all jobs are refused; says what the batch system said.
    """
    try:
        cluster.sync(_submitted, cluster, n_jobs)
    except (RuntimeError, ValueError) as error:
        said, program = _said(str(error)), cluster.job_cls.submit_command.split()[0]
        refused = [job for job in cluster.workers.values() if job.job_id is None]
        # Jobs of dask_jobqueue never say that they are closed, and closing a cluster asks those that an error
        # still knows.
        for job in cluster.workers.values():
            job.status = Status.failed if job.job_id is None else Status.closing
        if len(refused) == len(cluster.workers):
            raise SiteError(
                f"{program} refused the job: {said}. What was asked for is changed by --queue, --account, "
                "--memory, --walltime and --job-line."
            ) from error
        logger.warning("%s refused %d of %d jobs: %s.", program, len(refused), n_jobs, said)


async def _submitted(cluster: Any, n_jobs: int) -> None:
    while len(cluster.worker_spec) < n_jobs:
        cluster.worker_spec.update(cluster.new_worker_spec())
    # A signal ends this wait: what is being submitted must be known all the same, to be cancelled.
    await asyncio.shield(asyncio.ensure_future(_ready(cluster)))


async def _ready(cluster: Any) -> None:
    await cluster


def _said(text: str) -> str:
    """What a program wrote, of dask_jobqueue's account of its failure."""
    for part in (r"stderr:\n(.*?)\n*\Z", r"stdout:\n(.*?)\n*(?:stderr:|\Z)", r"(.*)"):
        found = re.search(part, text, re.DOTALL)
        if found and (line := " ".join(found[1].split())):
            return line.rstrip(".")
    return "it does not say why"


@dataclass(frozen=True)
class _Queue:
    """How to ask for jobs.

    Attributes:
        cluster: whose jobs they are.
        states: asks the batch system.
        logs: folder in which they write.
    """

    cluster: ref[Any]
    states: States
    logs: str

    def line(self) -> str | None:
        """What the batch system says now, with what to do."""
        cluster = self.cluster()
        workers = [] if cluster is None else list(cluster.workers.values())
        jobs = [str(job.job_id) for job in workers if job.job_id is not None]
        if not jobs:
            return "no job is in the queue"
        try:
            states = self.states(jobs)
        except (OSError, subprocess.SubprocessError) as error:
            return f"the queue does not answer ({error})"
        counted = Counter(states)
        if n_ended := len(jobs) - len(states):
            counted[f"ended already (their logs are in {self.logs})"] = n_ended
        said = ", ".join(f"{n} job{'s' * (n > 1)} {state}" for state, n in counted.items())
        remedy = next((what for word, what in _REMEDIES.items() if word in said), None)
        return f"{said}: {remedy}" if remedy else said


def note_queue(client: Client, cluster: Any, states: States, *, logs: str) -> None:
    """Remembers how to ask for the jobs of a client's cluster, and where these write their logs."""
    _QUEUES[client] = _Queue(ref(cluster), states, logs)


def queue_line(client: Client) -> str | None:
    """What the queue says of a client's jobs, with what to do; None for a client without a queue."""
    queue = _QUEUES.get(client)
    return None if queue is None else queue.line()


def slurm_states(jobs: Sequence[str]) -> list[str]:
    """State of each job that Slurm still knows, with its reason while it waits."""
    lines = _answer("squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%T|%r")
    found = [line.partition("|")[::2] for line in lines]
    return [
        state.lower() if reason in ("", "None") else f"{state.lower()} ({reason})" for state, reason in found
    ]


def condor_states(jobs: Sequence[str]) -> list[str]:
    """State of each job that HTCondor still knows, with the reason for which it is held or not matched."""
    lines = _answer("condor_q", *jobs, "-af:t", "JobStatus", "HoldReason", "LastRejMatchReason")
    return [_condor_state(line.strip().split("\t")) for line in lines]


def _condor_state(columns: Sequence[str]) -> str:
    status, *reasons = (one.strip() for one in columns)
    state = _CONDOR.get(status, f"in state {status}")
    said = [one for one in reasons if one and one != "undefined"]
    return f"{state} ({said[0]})" if said and state in ("idle", "held") else state


def _answer(*command: str) -> list[str]:
    """Lines that a program of the batch system prints; none where it knows no such job.

    Raises:
        OSError: it fails for another reason.
    """
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_ANSWER_S, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode and "invalid job id" not in done.stderr.lower():
        raise OSError(" ".join(done.stderr.split()) or f"{command[0]} left with {done.returncode}")
    return [line for line in done.stdout.splitlines() if line.strip()]
