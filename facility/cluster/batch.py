"""Clusters of batch systems: a scheduler here, behind TLS, and one job for each worker."""

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.security import Security
from distributed.utils import get_ip_interface

from znought.errors import SiteError
from znought.facility.cluster.certificates import sweep, temporary_security
from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.queue import (
    States,
    condor_states,
    note_queue,
    slurm_states,
    submit_jobs,
)

__all__ = ["WORKER_ENVIRONMENT", "htcondor", "lxplus", "scale", "slurm"]

# One thread per worker everywhere, and set before anything is loaded; tasks set theirs once more.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "XRD_RUNFORKHANDLER": "1",
    # A failed task is reported once, by the client that asked for it.
    "DASK_LOGGING__DISTRIBUTED": "critical",
}
N_JOBS = 4
LOGS = ".znought-logs"
LOOPBACK_DASHBOARD = "127.0.0.1:0"


@contextmanager
def slurm(options: SiteOptions) -> Iterator[Client]:
    """A client of Slurm jobs."""
    with _restored_handlers():
        from dask_jobqueue import SLURMCluster
    minutes, seconds = divmod(options.life_s, 60)
    walltime = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    job = {"walltime": walltime, "queue": options.queue, "account": options.account}
    with _scaled(SLURMCluster, job, options, slurm_states) as client:
        yield client


@contextmanager
def htcondor(options: SiteOptions) -> Iterator[Client]:
    """A client of HTCondor jobs, which end by `allowed_job_duration`: the class knows no wall time."""
    with _restored_handlers():
        from dask_jobqueue import HTCondorCluster
    directives: dict[str, object] = {"allowed_job_duration": options.life_s}
    if options.account is not None:
        directives["accounting_group"] = options.account
    if options.image is not None:
        directives["container_image"] = options.image
    job = {"disk": "2GiB", "job_extra_directives": directives}
    with _scaled(HTCondorCluster, job, options, condor_states) as client:
        yield client


@contextmanager
def lxplus(options: SiteOptions) -> Iterator[Client]:
    """A client of jobs in CERN's HTCondor pool.

    References:
        CERN batch documentation, "Job flavours": without `MaxRuntime` a job may live 20 minutes.
        README of dask-lxplus: no container with LCG, whose software is in CVMFS; its class opens the ports.
    """
    with _restored_handlers():
        from dask_lxplus import CernCluster
    directives: dict[str, object] = {"MY.MaxRuntime": options.life_s}
    if options.account is not None:
        directives["+AccountingGroup"] = f'"{options.account}"'
    job = {
        "disk": "2GiB",
        "lcg": options.image is None and sys.executable.startswith("/cvmfs/"),
        "container_runtime": "none" if options.image is None else "singularity",
        "worker_image": options.image,
        "job_extra_directives": directives,
    }
    with _scaled(CernCluster, job, options, condor_states) as client:
        yield client


@contextmanager
def _scaled(
    cluster_type: Callable[..., Any], job: Mapping[str, Any], options: SiteOptions, states: States
) -> Iterator[Client]:
    sweep(_shared(options))
    with temporary_security(_shared(options)) as security:
        common = _common_job(options, security)
        with warnings.catch_warnings():  # CernCluster resets the filters of the whole process
            cluster = cluster_type(**job, **common)
        with cluster, Client(cluster) as client:
            bounds = options.least_and_most
            submit_jobs(cluster, bounds[0] if bounds else options.workers or N_JOBS)
            if bounds:
                scale(cluster, options)
            note_queue(client, cluster, states, logs=common["log_directory"])
            yield client


def scale(cluster: Any, options: SiteOptions) -> None:
    """Asks a cluster for a number of workers, or for as many as the work needs between two."""
    bounds = options.least_and_most
    if bounds is None:
        cluster.scale(options.workers or N_JOBS)
    else:
        cluster.adapt(minimum=bounds[0], maximum=bounds[1])


def _common_job(options: SiteOptions, security: Security) -> dict[str, Any]:
    if options.interface is not None:
        try:
            get_ip_interface(options.interface)
        except ValueError as error:
            raise SiteError(f"interface: {error}") from error
    return {
        "cores": 1,
        "processes": 1,
        "memory": options.memory or "4GiB",
        "job_script_prologue": [
            *(f"export {name}={value}" for name, value in WORKER_ENVIRONMENT.items()),
            *options.job_lines,
        ],
        "log_directory": options.log_directory or str(_shared(options) / LOGS),
        "security": security,
        "protocol": "tls://",
        "interface": options.interface,
        # Dashboards know no certificates: they answer to this machine, and to the worker's own, alone.
        "scheduler_options": {"dashboard_address": LOOPBACK_DASHBOARD},
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", LOOPBACK_DASHBOARD],
    }


def _shared(options: SiteOptions) -> Path:
    """A directory that jobs see too."""
    return Path(options.shared_directory) if options.shared_directory else Path.home()


@contextmanager
def _restored_handlers() -> Iterator[None]:
    """Gives Ctrl-C back to whom it belonged: dask_jobqueue takes it at import, to leave with status 0."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
