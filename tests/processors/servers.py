"""XRootD servers of Debian's package on loopback, which tests start and kill."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["free_port", "xrootd_server"]


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"the xrootd server ended with code {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the xrootd server does not listen")


@contextmanager
def xrootd_server(served: Path, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a server that exports the folder, which any user may read."""
    program = shutil.which("xrootd")
    if program is None:
        pytest.skip("no xrootd server here (Debian: xrootd-server)")
    port = port or free_port()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        work.chmod(0o777)
        config = work / "xrootd.cfg"
        paths = f"all.adminpath {work}\nall.pidpath {work}\n"
        config.write_text(f"xrd.port {port}\nxrd.network nodnr\nall.export {served}\n{paths}")
        # The server refuses to run as root.
        user = ["-R", "nobody"] if work.owner() == "root" else []
        command = [program, "-c", str(config), "-l", str(work / "log"), *user]
        process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield f"root://127.0.0.1:{port}/", process
        finally:
            process.kill()
            process.wait(10)
