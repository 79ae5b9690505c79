"""A scheduler behind TLS and its workers, in processes that tests kill, cut off and start again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed.security import Security

__all__ = ["Mortal", "mortal_facility"]

TLS = {"tls_ca": "ca.pem", "tls_cert": "ca.pem", "tls_key": "key.pem"}


class Mortal:
    """Processes of a facility.

    Args:
        folder: of certificates, of what workers write, and of the log.
        host: on which the scheduler listens.
        environment: of all processes, beside this one's.
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", environment: dict[str, str]) -> None:
        self.folder, self._host = folder, host
        self._environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        self.workers: list[subprocess.Popen[bytes]] = []
        self._schedulers: list[subprocess.Popen[bytes]] = []
        memory = Security.temporary()
        (folder / "ca.pem").write_text(str(memory.tls_ca_file))
        (folder / "key.pem").write_text(str(memory.tls_client_key))
        (folder / "local").mkdir()

    @property
    def options(self) -> dict[str, Any]:
        """How `connect` reaches the scheduler; whoever waits for five minutes in vain ends."""
        address = str(json.loads((self.folder / "scheduler.json").read_text())["address"])
        tls = {name: str(self.folder / file) for name, file in TLS.items()}
        return {"address": address, "wait_min": 5} | tls

    def start(self, *, n_workers: int = 2) -> None:
        """A scheduler, and workers."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self._schedulers.append(self._process("scheduler", f"--host={self._host}", "--port=0"))
        end = time.monotonic() + 120
        while not (file.exists() and file.stat().st_size):
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)
        for _ in range(n_workers):
            self.add_worker()

    def add_worker(self, *arguments: str, within: Sequence[str] = ()) -> None:
        """One worker more of one thread and 3 GiB; `within` is a command that starts it."""
        common = ["--nthreads=1", "--memory-limit=3GiB", "--local-directory=local", "--no-nanny"]
        self.workers.append(self._process("worker", *common, *arguments, within=within))

    def kill_workers(self) -> None:
        """All of them at once, without a last word."""
        for process in self.workers:
            process.kill()
        for process in self.workers:
            process.wait(60)
        self.workers.clear()

    def replace_workers(self) -> None:
        """Kills all workers; two others come."""
        self.kill_workers()
        self.add_worker()
        self.add_worker()

    def kill_scheduler(self) -> None:
        """Without a last word."""
        for process in self._schedulers:
            process.kill()
            process.wait(60)
        self._schedulers.clear()

    def stop(self) -> None:
        """Ends everything."""
        self.kill_workers()
        self.kill_scheduler()

    def _process(self, *arguments: str, within: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        tls = [
            f"--{name.replace('_', '-').replace('tls-ca', 'tls-ca-file')}={file}"
            for name, file in TLS.items()
        ]
        command = [
            *within,
            sys.executable,
            "-m",
            "dask",
            *arguments,
            "--no-dashboard",
            "--protocol=tls",
            *tls,
        ]
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [*command, "--scheduler-file=scheduler.json"],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )


@contextmanager
def mortal_facility(folder: Path, *, host: str = "127.0.0.1", **environment: str) -> Iterator[Mortal]:
    """A facility without any process yet, all of which are ended with the block."""
    facility = Mortal(folder, host=host, environment=environment)
    try:
        yield facility
    finally:
        facility.stop()
