"""Where the work runs: one table of sites, and `connect`, which gives a `distributed.Client` on any of them.

Everything that differs between a laptop, coffea-casa, SWAN or a batch system is one function of this
table; the rest of the facility sees a client.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.security import Security

from znought.errors import SiteError, unknown_name

__all__ = ["SITES", "Site", "SiteOptions", "connect"]

# One thread per worker everywhere: TensorFlow ignores OMP_NUM_THREADS and would take every core,
# and two one-thread workers train two folds in less time than one worker with two threads.
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
# Facility workers live two hours: a request for longer jobs would only be refused.
BATCH_WALLTIME = "02:00:00"


@dataclass(frozen=True)
class SiteOptions:
    """What a user may say about a site.

    Attributes:
        workers: number of worker processes; None lets the site decide.
        memory: memory of one worker, as Dask writes it ("4GiB").
        address: scheduler address, for sites that hand one out.
        tls_ca, tls_cert, tls_key: certificate files for a `tls://` address.
        queue: batch queue or partition.
    """

    workers: int | None = None
    memory: str | None = None
    address: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    queue: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise SiteError(f"workers: expected at least 1, received {self.workers}.")
        tls = (self.tls_ca, self.tls_cert, self.tls_key)
        if any(tls) and not all(tls):
            raise SiteError("TLS needs all of tls_ca, tls_cert and tls_key; only some were given.")

    def security(self) -> Security | None:
        """TLS settings of the client, or None to leave them to the environment."""
        if self.tls_ca is None:
            return None
        return Security(
            tls_ca_file=self.tls_ca,
            tls_client_cert=self.tls_cert,
            tls_client_key=self.tls_key,
            require_encryption=True,
        )


@dataclass(frozen=True)
class Site:
    """One kind of cluster: what it is for, how to open it, and whether workers share our code.

    Attributes:
        description: one line for `znought sites`.
        open: from options to a context manager of a client.
        ships_code: workers do not see this installation, so the package is uploaded to them.
        requires: Python packages that the client side needs beyond the base installation.
    """

    description: str
    open: Callable[[SiteOptions], AbstractContextManager[Client]]
    ships_code: bool = True
    requires: tuple[str, ...] = field(default=())


@contextmanager
def _local(options: SiteOptions) -> Iterator[Client]:
    settings = {
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        "distributed.worker.daemon": False,
        # A fold of the training is one long call: a slow heartbeat must not look like a death.
        "distributed.scheduler.worker-ttl": "30 minutes",
        "distributed.admin.tick.limit": "30s",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=options.workers or min(os.cpu_count() or 1, 8),
            threads_per_worker=1,
            processes=True,
            memory_limit=options.memory or "4GiB",
            host="127.0.0.1",
            # Any free port: several analyses may run on one machine.
            dashboard_address="127.0.0.1:0",
            # Workers with TensorFlow take their time to leave; that is no news for a user.
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _address(options: SiteOptions, *, default: str | None = None) -> Iterator[Client]:
    address = options.address or default
    if address is None:
        raise SiteError("This site needs --address with the scheduler's address, e.g. tls://host:8786.")
    try:
        client = Client(address, security=options.security(), timeout="20s")
    except (OSError, TimeoutError, ValueError) as error:
        raise SiteError(f"No Dask scheduler answers at {address}: {error}") from error
    with client:
        yield client


def _coffea_casa(options: SiteOptions) -> AbstractContextManager[Client]:
    return _address(options, default="tls://localhost:8786")


@contextmanager
def _scaled(cluster: Any, options: SiteOptions) -> Iterator[Client]:
    with cluster, Client(cluster) as client:
        cluster.scale(options.workers or 4)
        yield client


def _slurm(options: SiteOptions) -> AbstractContextManager[Client]:
    from dask_jobqueue import SLURMCluster

    return _scaled(SLURMCluster(**_batch_job(options), queue=options.queue), options)


def _htcondor(options: SiteOptions) -> AbstractContextManager[Client]:
    from dask_jobqueue import HTCondorCluster

    return _scaled(HTCondorCluster(**_batch_job(options), disk="2GiB"), options)


def _lxplus(options: SiteOptions) -> AbstractContextManager[Client]:
    from dask_lxplus import CernCluster

    job = {"cores": 1, "memory": options.memory or "4GiB", "disk": "2GiB", "lcg": True}
    ports = {"worker_extra_args": ["--worker-port 10000:10100"]}  # the open range of the site
    return _scaled(CernCluster(**job, **ports), options)


@contextmanager
def _gateway(options: SiteOptions) -> Iterator[Client]:
    from dask_gateway import Gateway

    with Gateway(options.address) as gateway, gateway.new_cluster() as cluster:
        cluster.scale(options.workers or 4)
        with cluster.get_client() as client:
            yield client


def _batch_job(options: SiteOptions) -> dict[str, Any]:
    exports = [f"export {name}={value}" for name, value in WORKER_ENVIRONMENT.items()]
    return {
        "cores": 1,
        "processes": 1,
        "memory": options.memory or "4GiB",
        "walltime": BATCH_WALLTIME,
        "job_script_prologue": exports,
    }


SITES: Mapping[str, Site] = {
    "local": Site("this machine: one-thread worker processes on loopback", _local, ships_code=False),
    "coffea-casa": Site("coffea-casa: the notebook's own scheduler (tls://localhost:8786)", _coffea_casa),
    "swan": Site("SWAN: --address from its Dask panel, TLS from the environment", _address),
    "lxplus": Site("CERN lxplus: HTCondor workers", _lxplus, requires=("dask_lxplus",)),
    "slurm": Site("a Slurm batch system", _slurm, ships_code=False, requires=("dask_jobqueue",)),
    "htcondor": Site("an HTCondor pool", _htcondor, requires=("dask_jobqueue",)),
    "gateway": Site("a Dask Gateway (--address of the gateway)", _gateway, requires=("dask_gateway",)),
    "address": Site("any running scheduler: --address, with TLS files if it asks for them", _address),
}


@contextmanager
def connect(site: str = "local", **options: Any) -> Iterator[Client]:
    """Opens a client on a site and closes all of it afterwards.

    Args:
        site: a name of `SITES`.
        options: fields of `SiteOptions`, e.g. `workers=2`.

    Raises:
        SiteError: unknown site or option, a missing package, no scheduler, or workers unlike us.
    """
    from znought.facility.preflight import missing_packages, prepare_workers

    if site not in SITES:
        raise SiteError(unknown_name("site", site, SITES))
    known = SiteOptions.__dataclass_fields__
    for name in options:
        if name not in known:
            raise SiteError(unknown_name("site option", name, known))
    lacking = missing_packages(SITES[site].requires)
    if lacking:
        raise SiteError(f"Site {site!r} needs {', '.join(lacking)}: install znought[sites].")
    with SITES[site].open(SiteOptions(**options)) as client:
        if SITES[site].ships_code:
            prepare_workers(client)
        yield client
