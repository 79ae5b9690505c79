"""Where the work runs: one table of sites, and `connect`, which gives a `distributed.Client` on any of them.

Everything that differs between a laptop, coffea-casa, SWAN or a batch system is one function of this
table; the rest of the facility sees a client.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.security import Security

from znought.errors import SiteError, unknown_name
from znought.facility.cluster.batch import WORKER_ENVIRONMENT, htcondor, lxplus, scale, slurm
from znought.facility.cluster.certificates import check_certificates
from znought.facility.cluster.configured import Described, described_sites, resolved
from znought.facility.cluster.options import SiteOptions, refuse_plain
from znought.facility.storage.opening import declare_store

EMPTY: Described = MappingProxyType({})

__all__ = ["SITES", "WORKER_ENVIRONMENT", "Site", "SiteOptions", "connect"]


@dataclass(frozen=True)
class Site:
    """One kind of cluster: what it is for, how to open it, and whether workers share our code.

    Attributes:
        description: one line for `znought sites`.
        open: from options to a context manager of a client.
        takes: options that mean something here, beside `store` and the two that bound waiting.
        ships_code: workers do not see this installation, so the package is uploaded to them.
        requires: import name → package on PyPI, of what the client side needs beyond the base installation.
        commands: programs of the batch system that must be on the PATH.
    """

    description: str
    open: Callable[[SiteOptions], AbstractContextManager[Client]]
    takes: tuple[str, ...]
    ships_code: bool = True
    requires: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()


@contextmanager
def _local(options: SiteOptions) -> Iterator[Client]:
    settings = {
        "distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT,
        "distributed.worker.daemon": False,
        # A fold of the training is one long call: a slow heartbeat must not look like a death.
        "distributed.scheduler.worker-ttl": "30 minutes",
        "distributed.admin.tick.limit": "30s",
    }
    with dask.config.set(settings):
        cluster = LocalCluster(
            n_workers=options.workers or min(os.cpu_count() or 1, 8),
            threads_per_worker=1,
            processes=True,
            memory_limit=options.memory or "4GiB",
            host="127.0.0.1",
            # Any free port: several analyses may run on one machine.
            dashboard_address="127.0.0.1:0",
            # Workers with TensorFlow take their time to leave; that is no news for a user.
            silence_logs=logging.ERROR,
        )
        try:
            with Client(cluster) as client:
                yield client
        finally:
            # On a busy machine workers may take longer than Dask waits; what they were asked for is done.
            with suppress(TimeoutError):
                cluster.close()


@contextmanager
def _address(options: SiteOptions, *, default: str | None = None) -> Iterator[Client]:
    address = options.address or default
    if address is None:
        raise SiteError("This site needs --address with the scheduler's address, e.g. tls://host:8786.")
    refuse_plain(address, insecure=options.insecure)
    if address.startswith("tls://"):
        check_certificates(options.security() or Security())
    try:
        client = Client(address, security=options.security(), timeout="20s")
    # TypeError: a tls:// address for which neither the options nor the environment have certificates.
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        hint = " Is it running, and are these its certificates?" if address.startswith("tls://") else ""
        raise SiteError(f"No Dask scheduler answers at {address}: {reason}.{hint}") from error
    with client:
        yield client


def _coffea_casa(options: SiteOptions) -> AbstractContextManager[Client]:
    return _address(options, default="tls://localhost:8786")


@contextmanager
def _gateway(options: SiteOptions) -> Iterator[Client]:
    from dask_gateway import Gateway

    if options.address is not None:
        refuse_plain(options.address, insecure=options.insecure)
    proxy = options.proxy_address
    if proxy is not None:
        refuse_plain(proxy, insecure=options.insecure)
    with Gateway(options.address, proxy_address=proxy) as gateway, gateway.new_cluster() as cluster:
        scale(cluster, options)
        with cluster.get_client() as client:
            yield client


_JOINED = ("address", "tls_ca", "tls_cert", "tls_key", "insecure", "install")
_BATCH = (
    "workers",
    "adapt",
    "memory",
    "account",
    "walltime",
    "log_directory",
    "job_lines",
    "interface",
    "shared_directory",
)
_CONTAINED = (*_BATCH, "image")
_JOBQUEUE = {"dask_jobqueue": "dask-jobqueue", "cryptography": "cryptography"}
_LXPLUS = {"dask_lxplus": "dask-lxplus", "cryptography": "cryptography"}
_CONDOR = ("condor_submit", "condor_rm")

SITES: Mapping[str, Site] = {
    "local": Site(
        "this machine: one-thread worker processes on loopback",
        _local,
        ("workers", "memory"),
        ships_code=False,
    ),
    "coffea-casa": Site(
        "coffea-casa: the notebook's own scheduler (tls://localhost:8786)", _coffea_casa, _JOINED
    ),
    "swan": Site("SWAN: --address from its Dask panel, TLS from the environment", _address, _JOINED),
    "lxplus": Site("CERN lxplus: HTCondor workers", lxplus, _CONTAINED, requires=_LXPLUS, commands=_CONDOR),
    "slurm": Site(
        "a Slurm batch system",
        slurm,
        (*_BATCH, "queue"),
        ships_code=False,
        requires=_JOBQUEUE,
        commands=("sbatch", "scancel"),
    ),
    "htcondor": Site("an HTCondor pool", htcondor, _CONTAINED, requires=_JOBQUEUE, commands=_CONDOR),
    "gateway": Site(
        "a Dask Gateway (--address of the gateway)",
        _gateway,
        ("workers", "adapt", "address", "proxy_address", "insecure", "install"),
        requires={"dask_gateway": "dask-gateway"},
    ),
    "address": Site(
        "any running scheduler: --address, with TLS files if it asks for them", _address, _JOINED
    ),
}


@contextmanager
def connect(site: str = "local", *, of_card: Described = EMPTY, **options: Any) -> Iterator[Client]:
    """Opens a client on a site whose first worker is there, and closes all of it afterwards.

    Args:
        site: a name of `SITES`, or one that the card or the user's `sites.yaml` describes.
        of_card: section `sites` of the card.
        options: fields of `SiteOptions`, e.g. `workers=2`; they come before what is written down.

    Raises:
        SiteError: unknown site or option, a missing package, no scheduler, no worker, or workers unlike us.
    """
    from znought.facility.cluster.preflight import (
        check_versions,
        install_packages,
        ship_package,
        wait_for_worker,
    )

    _refuse_unknown(options)
    base, wanted = resolved(site, options, of_card)
    chosen = _chosen(base)
    wanted.refuse_unused(site, chosen.takes)
    _refuse_lacking(base, chosen)
    patience = {"znought.wait-min": wanted.wait_min, "znought.stall-min": wanted.stall_min}
    with dask.config.set(patience), chosen.open(wanted) as client:
        wait_for_worker(client)
        check_versions(client)
        if chosen.ships_code:
            ship_package(client)
        if wanted.install:
            install_packages(client, wanted.install)
        declare_store(client, wanted.store)
        yield client


def _chosen(site: str) -> Site:
    if site not in SITES:
        raise SiteError(unknown_name("site", site, [*SITES, *described_sites()]))
    return SITES[site]


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    known = SiteOptions.__dataclass_fields__
    for name in options:
        if name not in known:
            raise SiteError(unknown_name("site option", name, known))


def _refuse_lacking(name: str, site: Site) -> None:
    from znought.facility.cluster.preflight import missing_packages

    lacking = [site.requires[module] for module in missing_packages(site.requires)]
    if lacking:
        raise SiteError(f"Site {name!r} needs {', '.join(lacking)}: pip install 'znought[sites]'.")
    absent = [command for command in site.commands if shutil.which(command) is None]
    if absent:
        raise SiteError(f"Site {name!r} needs the command {absent[0]}, which is not on the PATH here.")
