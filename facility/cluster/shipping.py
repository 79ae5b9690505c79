"""The user's modules on the workers: the files of an analysis, as they are now."""

import importlib
import logging
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle
from distributed import Client, WorkerPlugin

from znought.facility.cluster.preflight import require_placed
from znought.facility.manifest import fingerprint

__all__ = ["bring_modules"]

logger = logging.getLogger(__name__)

PLUGIN = "znought-analysis"
_brought: WeakKeyDictionary[Client, str] = WeakKeyDictionary()


class ModulesPlugin(WorkerPlugin):
    """Brings modules to each worker, those that come later too."""

    name = PLUGIN

    def __init__(self, sources: Mapping[str, str], digest: str) -> None:
        self.sources, self.digest = dict(sources), digest

    def setup(self, worker: Any) -> None:
        """Called on each worker."""
        place(Path(worker.local_directory), self.sources, self.digest)


def place(parent: Path, sources: Mapping[str, str], digest: str) -> None:
    """Writes modules into a folder and puts it first among those that are searched for modules.

    Modules of an earlier content are forgotten.
    """
    folder = parent / folder_name(digest)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        Path(folder, f"{name}.py").write_text(text, encoding="utf-8")
        sys.modules.pop(name, None)
    sys.path[:] = [str(folder), *(path for path in sys.path if f"{PLUGIN}-" not in path)]
    importlib.invalidate_caches()


def folder_name(digest: str) -> str:
    """Name of the folder of modules of one content."""
    return f"{PLUGIN}-{digest[:16]}"


def place_on_scheduler(sources: Mapping[str, str], digest: str, client_process: str) -> None:
    """On the scheduler, which opens what tasks hold: as on a worker, unless it is the client's process."""
    if process_name() != client_process:
        place(Path(tempfile.mkdtemp(prefix="znought-")), sources, digest)


def process_name() -> str:
    """This very process."""
    return f"{socket.gethostname()} {os.getpid()}"


def bring_modules(client: Client | None, modules: Mapping[str, Path]) -> None:
    """Brings a user's modules to scheduler and workers, those still to come too; none is brought twice.

    Raises:
        SiteError: no worker took them; the few that did not are sent away.
    """
    if client is None or not modules:
        return
    sources = {name: path.read_text(encoding="utf-8") for name, path in modules.items()}
    digest = fingerprint(sources)
    if _brought.get(client) != digest:
        # By value: a worker that comes later may be given this plugin before it has our package.
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        try:
            client.run_on_scheduler(place_on_scheduler, sources, digest, process_name())
            try:
                client.register_plugin(ModulesPlugin(sources, digest))
            except Exception as error:  # whatever went wrong on some worker: who has them goes on
                logger.debug("a worker did not take the analysis: %s", error)
        finally:
            cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        require_placed(client, folder_name(digest))
        _brought[client] = digest
