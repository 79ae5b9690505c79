"""What listens beyond this machine speaks TLS, on every site that opens anything."""

import os
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]  # no stubs
import pytest

from znought.facility.cluster.options import SiteOptions
from znought.facility.cluster.sites import SITES, connect
from znought.facility.cluster.tasks import dashboard

Socket = tuple[str, int]


def _listening() -> set[Socket]:
    """Address and port of every TCP socket on which this process and its children listen."""
    here = psutil.Process(os.getpid())
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in (here, *here.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def _outside(sockets: set[Socket]) -> set[Socket]:
    return {one for one in sockets if not (one[0].startswith("127.") or one[0] == "::1")}


def _speaks_tls(port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain) as talk,
        ):
            return str(talk.version()).startswith("TLSv1")
    except ssl.SSLError:
        return False


def test_a_local_cluster_stays_on_loopback() -> None:
    before = _listening()
    with connect("local", workers=1):
        opened = _listening() - before
    assert len(opened) >= 4  # scheduler, nanny, worker, dashboard
    assert not _outside(opened)


@pytest.mark.parametrize("site", ["slurm", "htcondor", "lxplus"])
def test_a_scheduler_of_a_batch_site_is_behind_tls(
    site: str, queue: Path, wait_for_file: Callable[[Path], None]
) -> None:
    before = _listening()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of dask_lxplus
        with SITES[site].open(SiteOptions(workers=1)) as client:
            wait_for_file(queue / "job")
            page = urlsplit(dashboard(client) or "")
            assert urlopen(page.geturl(), timeout=10).status == 200
            assert page.hostname == "127.0.0.1"
            opened = _listening() - before
            outside = _outside(opened)
            assert outside, "the scheduler was to listen on the network"
            assert len(opened) > len(outside), "the dashboard was to listen on loopback"
            assert all(_speaks_tls(port) for _, port in outside), outside


def test_a_plain_socket_would_be_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert ("0.0.0.0", port) in _outside(_listening())

        def answer() -> None:
            server.settimeout(10)
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert not _speaks_tls(port)
        thread.join()
