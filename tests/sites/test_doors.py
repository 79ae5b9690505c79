"""Doors of a cluster on a real Slurm: what listens where, and who comes in."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from distributed.security import Security

from znought.facility.cluster.sites import connect

pytestmark = pytest.mark.usefixtures("slurm")


@pytest.fixture(scope="module")
def client(slurm: None) -> Iterator[Client]:
    del slurm
    with connect("slurm", workers=1, memory="2GiB") as client:
        yield client


def _listening(pids: set[int]) -> list[str]:
    """Address and port of every TCP socket on which some processes listen, as `ss` reads it."""
    listing = subprocess.run(["ss", "-Htlnp"], check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in listing.splitlines()]
    return [columns[3] for columns in lines if any(f"pid={pid}," in columns[-1] for pid in pids)]


def _ours(client: Client) -> set[int]:
    """The scheduler's process and those of the jobs, nannies included."""
    return {os.getpid(), *client.run(os.getpid).values(), *client.run(os.getppid).values()}


def test_whoever_is_outside_meets_nothing_but_tls(client: Client) -> None:
    sockets = _listening(_ours(client))
    # Scheduler, nanny and worker, and the two pages that tell how they fare.
    assert len(sockets) >= 4
    outside = [one for one in sockets if not one.startswith(("127.0.0.1:", "[::1]:"))]
    assert outside, "the scheduler was to listen on the network"
    for socket in outside:
        talk = ["openssl", "s_client", "-brief", "-connect", socket.replace("0.0.0.0", "127.0.0.1")]
        done = subprocess.run(talk, input="", capture_output=True, text=True, timeout=20, check=False)
        assert "Protocol version: TLSv1" in done.stderr, f"{socket}: {done.stderr}"


def test_an_interface_is_chosen(client: Client) -> None:
    del client  # its module-wide cluster stays open beside this one
    with connect("slurm", workers=1, memory="2GiB", interface="lo") as chosen:
        address = chosen.scheduler_info()["address"]
        (worker,) = chosen.scheduler_info(n_workers=-1)["workers"]
        assert address.startswith("tls://127.0.0.1:")
        assert worker.startswith("tls://127.0.0.1:")
        ports = {where.rpartition(":")[2] for where in (address, worker)}
        sockets = [one for one in _listening(_ours(chosen)) if one.rpartition(":")[2] in ports]
        assert sorted(sockets) == sorted(f"127.0.0.1:{port}" for port in ports)


def test_a_stranger_is_refused(client: Client) -> None:
    port = client.scheduler_info()["address"].rpartition(":")[2]
    with pytest.raises((OSError, TimeoutError)):
        Client(f"tcp://127.0.0.1:{port}", timeout="3s")
    with pytest.raises((OSError, TimeoutError)):
        Client(f"tls://127.0.0.1:{port}", security=Security.temporary(), timeout="3s")
    assert client.submit(sum, [1, 2]).result(timeout=20) == 3


def test_certificates_are_private_and_go(slurm: None) -> None:
    del slurm
    before = set(Path.home().glob(".znought-tls-*"))
    with connect("slurm", workers=1, memory="2GiB"):
        (folder,) = set(Path.home().glob(".znought-tls-*")) - before
        assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700, 0o600}
    assert not folder.exists()
    assert Path.home() not in Path.cwd().parents or not list(Path.cwd().glob(".dask-jobqueue*"))
