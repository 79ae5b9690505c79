"""A facility on this machine, like coffea-casa: a TLS scheduler, and workers that do not see our files."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client
from distributed.security import Security

from tests.facility.test_sites import ABSENT

__all__ = ["Facility", "blind_facility"]

BLIND = 'mount --make-rprivate / && mount -t tmpfs none "$0" && exec "$@"'
"""A worker in a mount namespace of its own, where the folder `$0` is empty."""


@dataclass(frozen=True)
class Facility:
    """A running scheduler with its workers, and the folder with its certificates."""

    folder: Path

    @property
    def options(self) -> dict[str, Any]:
        """How `connect` reaches it."""
        address = str(json.loads((self.folder / "scheduler.json").read_text())["address"])
        tls = {"tls_ca": "ca.pem", "tls_cert": "ca.pem", "tls_key": "key.pem"}
        return {"address": address} | {name: str(self.folder / file) for name, file in tls.items()}

    def connected(self) -> Client:
        """A client without any help of ours."""
        found = self.options
        roles = {"tls_client_cert": found["tls_cert"], "tls_client_key": found["tls_key"]}
        security = Security(require_encryption=True, tls_ca_file=found["tls_ca"], **roles)
        return Client(found["address"], security=security, timeout="30s")


@contextmanager
def blind_facility(
    folder: Path, hidden: Path, *, python: str = sys.executable, n_workers: int = 2
) -> Iterator[Facility]:
    """A scheduler and workers behind TLS, of one thread and 3 GiB each, that lack this package.

    Args:
        folder: of certificates, and of what workers write.
        hidden: folder that the workers do not see.
        python: their interpreter.
        n_workers: how many.
    """
    memory = Security.temporary()
    (folder / "ca.pem").write_text(str(memory.tls_ca_file))
    (folder / "key.pem").write_text(str(memory.tls_client_key))
    (folder / "sitecustomize.py").write_text(ABSENT)
    common = ["--no-dashboard", "--scheduler-file=scheduler.json", "--protocol=tls"]
    common += ["--tls-ca-file=ca.pem", "--tls-cert=ca.pem", "--tls-key=key.pem"]
    worker = ["worker", "--nthreads=1", "--memory-limit=3GiB", "--local-directory=local", *common]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))

        def start(*command: str) -> None:
            # Workers have no keys but those that they are sent.
            kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            environment = {**kept, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            stack.enter_context(process)
            stack.callback(process.terminate)

        start(python, "-m", "dask", "scheduler", "--host=127.0.0.1", "--port=0", *common)
        facility = Facility(folder)
        _wait_for(folder / "scheduler.json")
        for _ in range(n_workers):
            start("unshare", "-m", "sh", "-c", BLIND, str(hidden), python, "-m", "dask", *worker)
        with facility.connected() as client:
            client.wait_for_workers(n_workers, timeout=120)
        yield facility


def _wait_for(file: Path) -> None:
    end = time.monotonic() + 60
    while not file.is_file():
        if time.monotonic() > end:
            raise AssertionError((file.parent / "log").read_text())
        time.sleep(0.1)
