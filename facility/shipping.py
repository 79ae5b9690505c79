"""The user's modules on the workers: the files of an analysis, as they are now."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import cloudpickle
from distributed import Client, WorkerPlugin

from znought.facility.manifest import fingerprint

__all__ = ["bring_modules"]

PLUGIN = "znought-analysis"
_brought: WeakKeyDictionary[Client, str] = WeakKeyDictionary()


class ModulesPlugin(WorkerPlugin):
    """Writes modules into a folder of the worker and puts it first among those that are searched.

    A worker that comes later runs it too; modules of an earlier content are forgotten.
    """

    name = PLUGIN

    def __init__(self, sources: Mapping[str, str], digest: str) -> None:
        self.sources, self.digest = dict(sources), digest

    def setup(self, worker: Any) -> None:
        """Called on each worker."""
        folder = Path(worker.local_directory, f"analysis-{self.digest[:16]}")
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.sources.items():
            Path(folder, f"{name}.py").write_text(text, encoding="utf-8")
            sys.modules.pop(name, None)
        sys.path[:] = [str(folder), *(path for path in sys.path if "analysis-" not in path)]
        importlib.invalidate_caches()


def bring_modules(client: Client | None, modules: Mapping[str, Path]) -> None:
    """Brings a user's modules to all workers, now and for those still to come; none is brought twice."""
    if client is None or not modules:
        return
    sources = {name: path.read_text(encoding="utf-8") for name, path in modules.items()}
    digest = fingerprint(sources)
    if _brought.get(client) != digest:
        # By value: a worker that comes later may be given this plugin before it has our package.
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        try:
            client.register_plugin(ModulesPlugin(sources, digest))
        finally:
            cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        _brought[client] = digest
