"""Checks that the workers can do the work before any of it is sent, and brings them our code.

A task from a module that a worker lacks kills the worker and hangs the client without an error;
asking first turns that into one line.
"""

import hashlib
import importlib
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from distributed import Client, PipInstall, UploadFile
from distributed.diagnostics.plugin import SchedulerUploadFile

import znought
from znought.errors import SiteError
from znought.facility.cluster.tasks import Watch, arrivals, dashboard

logger = logging.getLogger(__name__)

__all__ = [
    "WORKER_PACKAGES",
    "check_ahead",
    "check_versions",
    "check_workers",
    "install_packages",
    "missing_packages",
    "package_archive",
    "report_workers",
    "require_placed",
    "ship_package",
    "wait_for_worker",
]

# What a worker needs, by stage: facility images ship the first row, often not the second.
WORKER_PACKAGES = {
    "simulate": ("znought", "pythia8mc", "fastjet", "awkward", "uproot"),
    "process": ("znought", "coffea", "awkward", "uproot", "hist", "pyarrow", "vector", "threadpoolctl"),
    "score": ("znought", "tensorflow", "keras", "onnxruntime"),
    "train": ("znought", "tensorflow", "keras", "tf2onnx", "onnxruntime", "sklearn"),
}
# Importing TensorFlow alone takes 0.9 GB.
WORKER_MEMORY_GIB = {"simulate": 0.5, "process": 0.5, "score": 1.0, "train": 1.0}


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those of the given import names that this interpreter cannot find."""
    from importlib.util import find_spec  # this function travels alone

    return [name for name in names if find_spec(name) is None]


def package_archive(directory: Path) -> Path:
    """An importable zip of this package, named by its content.

    The name changes with the content because `upload_file` of a changed file under an old name
    leaves stale submodules on the workers.
    """
    root = Path(znought.__file__).parent
    files = _package_files(root)
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    archive = directory / f"znought-{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for file in files:
            bundle.write(file, Path("znought") / file.relative_to(root))
        _add_metadata(bundle)
    return archive


def _package_files(root: Path) -> list[Path]:
    # An editable installation links the rooms in, and Path.rglob does not follow links.
    found = [Path(folder) / name for folder, _, names in os.walk(root, followlinks=True) for name in names]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def _add_metadata(bundle: zipfile.ZipFile) -> None:
    folder = f"znought-{znought.__version__}.dist-info"
    text = f"Metadata-Version: 2.1\nName: znought\nVersion: {znought.__version__}\n"
    bundle.writestr(f"{folder}/METADATA", text)


def wait_for_worker(client: Client, *, watch: Watch | None = None) -> None:
    """Returns when a worker has done a first task: a task also calls for workers where they come by need.

    Raises:
        SiteError: none did in the time that the site's options allow.
    """
    # A builtin: workers may not have our code yet.
    probe = client.submit(int, pure=False)
    for future in arrivals(client, [probe], watch=watch):
        future.result()


def check_versions(client: Client) -> None:
    """Raises unless scheduler and workers run the client's Python (minor version), dask and distributed.

    `client.get_versions(check=True)` only warns, and tasks of another Python fail in ways that name no cause.

    Raises:
        SiteError: names what differs, where, and both versions.
    """
    versions: Mapping[str, Any] = client.get_versions()  # type: ignore[assignment]  # a synchronous client
    here = _compared(versions["client"])
    there = {"the scheduler": versions["scheduler"], **versions["workers"]}
    differing: dict[str, list[str]] = {}
    for place, record in there.items():
        for name, version in _compared(record).items():
            if version != here[name]:
                differing.setdefault(f"{name} {version} instead of {here[name]}", []).append(place)
    if differing:
        lines = [f"{what} on {_places(places)}" for what, places in differing.items()]
        raise SiteError(
            f"Workers differ from this client: {'; '.join(lines)}. Choose a worker image with the client's "
            f"versions, or start from an environment with the workers' (pip install {_wanted(there)})."
        )


def _wanted(there: Mapping[str, Any]) -> str:
    """What makes this client like the first process that answered."""
    record = next((_compared(one) for one in there.values() if one), {})
    return " ".join(f"{name}=={version}" for name, version in record.items() if name != "python")


def _compared(record: Mapping[str, Any] | None) -> dict[str, str]:
    """Versions that must agree; a process that did not answer has none."""
    packages = record["packages"] if record else {}
    python = str(packages.get("python", "unknown")).split(".")
    return {
        "python": ".".join(python[:2]),
        **{name: str(packages.get(name, "unknown")) for name in ("dask", "distributed")},
    }


def _places(places: Sequence[str]) -> str:
    scheduler = "the scheduler" in places
    n_workers = len(places) - scheduler
    workers = f"{n_workers} worker{'s' * (n_workers > 1)}"
    return " and ".join(["the scheduler"] * scheduler + [workers] * (n_workers > 0))


def ship_package(client: Client) -> None:
    """Brings this package to scheduler and workers, those still to come too, unless they have the same.

    One plugin per content: every plugin ever left on a scheduler runs on each new worker, and several that
    bring the same package at a time break it.
    """
    with tempfile.TemporaryDirectory(prefix="znought-") as folder:
        archive = package_archive(Path(folder))
        name, where = archive.stem, _by_value(_process)
        present = client.run_on_scheduler(_by_value(_shipped))
        if name in present:
            return
        for other in present:
            client.unregister_worker_plugin(other)
        forget = _by_value(_forget_package)
        # The scheduler of a batch site is in this process, and has our code.
        if client.run_on_scheduler(where) != _process():
            client.run_on_scheduler(forget)
            client.run_on_scheduler(_by_value(_remove_plugins), present)
            client.register_plugin(SchedulerUploadFile(str(archive)), name=name)
        client.run(forget, on_error="ignore")
        try:
            client.register_plugin(UploadFile(str(archive)), name=name)
        except Exception as error:  # whatever went wrong on some worker: who has it goes on
            logger.debug("a worker did not take the package: %s", error)
        require_placed(client, f"{name}.zip")


def require_placed(client: Client, name: str) -> None:
    """Makes sure that workers search an archive or a folder that was sent; the few that do not are sent away.

    Raises:
        SiteError: none does.
    """
    lack = _lacking(client, [name], _unplaced)
    _go_on_without(client, lack, "which was sent to them", "look at their logs, is their disk full?")


def _unplaced(names: Iterable[str]) -> list[str]:
    """On a worker: those archives and folders that it does not search for modules."""
    import sys

    return [name for name in names if not any(entry.endswith(f"/{name}") for entry in sys.path)]


def install_packages(client: Client, packages: Sequence[str]) -> None:
    """Installs packages with pip on scheduler and workers, those still to come too.

    Raises:
        SiteError: pip could not.
    """
    # One name for the same packages: a further run finds them there.
    plugin = PipInstall(list(packages), pip_options=["--quiet", "--disable-pip-version-check"])
    plugin.name = f"znought-install-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:16]}"
    try:
        client.register_plugin(plugin, name=plugin.name)
    except RuntimeError as error:
        text = " ".join(str(error).split())
        raise SiteError(
            f"install: {', '.join(packages)} cannot be installed on the workers: {text}"
        ) from error
    client.run(importlib.invalidate_caches)


def _process() -> tuple[str, int]:
    """Which process this is, among all machines."""
    import os
    import socket

    return socket.gethostname(), os.getpid()


def _shipped(dask_scheduler: Any) -> list[str]:
    """On the scheduler: names of the plugins that bring this package to new workers."""
    import re

    return [name for name in dask_scheduler.worker_plugins if re.fullmatch(r"znought-[0-9a-f]{16}", name)]


def _remove_plugins(names: Iterable[str], dask_scheduler: Any) -> None:
    """On the scheduler: without its own plugins of these names, which another content may take again."""
    for name in names:
        if name in dask_scheduler.plugins:
            dask_scheduler.remove_plugin(name=name)


def _forget_package() -> None:
    """On a worker: what an archive of other content has left in its process."""
    import re
    import sys

    for module in [one for one in sys.modules if one.split(".")[0] == "znought"]:
        del sys.modules[module]
    archives = [entry for entry in sys.path if re.search(r"/znought-[0-9a-f]{16}\.zip$", entry)]
    sys.path[:] = [entry for entry in sys.path if entry not in archives]


def _by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of a function that travels whole: workers may not have our code."""
    copied = FunctionType(function.__code__, {}, function.__name__)
    copied.__module__ = "__main__"
    return copied


def check_workers(client: Client, stage: str) -> None:
    """Makes sure that every worker has the packages of a stage; the few that lack some are sent away.

    Raises:
        SiteError: all lack some; names the packages.
    """
    _go_on_without(client, _lacking_for(client, stage), f"which {stage!r} needs", _remedy(stage))


def check_ahead(client: Client | None, stages: Iterable[str]) -> None:
    """Makes sure that some worker has the packages of each of the stages to come, before the first begins.

    Raises:
        SiteError: all lack some; names the stage and the packages.
    """
    if client is None:
        return
    for stage in dict.fromkeys(stages):
        lack = _lacking_for(client, stage)
        if lack.workers and len(lack.workers) == lack.n_workers:
            raise SiteError(f"{lack.line(f'which {stage!r} needs')}: {_remedy(stage)}")


@dataclass(frozen=True)
class _Lack:
    """What some workers lack.

    Attributes:
        workers: address → names of modules; of one that could not say, its error.
        n_workers: how many were asked.
    """

    workers: Mapping[str, Any]
    n_workers: int

    def line(self, reason: str) -> str:
        """Who lacks what."""
        names = sorted({name for answer in self.workers.values() for name in _names(answer)})
        return f"{len(self.workers)} of {self.n_workers} workers lack {', '.join(names)}, {reason}"


def _lacking(
    client: Client, names: Sequence[str], question: Callable[..., list[str]] = missing_packages
) -> _Lack:
    answers: dict[str, Any] = client.run(_by_value(question), names, on_error="return")
    return _Lack({worker: answer for worker, answer in answers.items() if answer}, len(answers))


def _lacking_for(client: Client, stage: str) -> _Lack:
    """Workers without the packages of a stage, or the memory to load them."""
    lack, least = _lacking(client, WORKER_PACKAGES[stage]), WORKER_MEMORY_GIB[stage]
    workers = client.scheduler_info(n_workers=-1)["workers"]
    small = {
        name: [f"{least} GiB of memory (they have {limit / 2**30:.2g})"]
        for name, worker in workers.items()
        if 0 < (limit := worker["memory_limit"] or 0) < least * 2**30
    }
    both = {
        name: [*_names(lack.workers.get(name, ())), *small.get(name, ())]
        for name in dict.fromkeys([*lack.workers, *small])
    }
    return _Lack(both, lack.n_workers)


def _go_on_without(client: Client, lack: _Lack, reason: str, remedy: str) -> None:
    """Sends workers away that lack something, if others have it.

    Raises:
        SiteError: no worker has it.
    """
    if not lack.workers:
        return
    if len(lack.workers) == lack.n_workers:
        raise SiteError(f"{lack.line(reason)}: {remedy}")
    logger.warning("%s: the others go on without them.", lack.line(reason))
    client.retire_workers(list(lack.workers), close_workers=True)


def _remedy(stage: str) -> str:
    return (
        "choose a worker image that has them (memory: --memory), bring them with --install, or run this "
        f"stage elsewhere (--at {stage}=local)."
    )


def _names(answer: Any) -> Sequence[str]:
    """What a worker lacks; one that could not say is described by its error."""
    return [f"an answer ({answer})"] if isinstance(answer, BaseException) else answer


def report_workers(client: Client) -> list[str]:
    """Lines that tell a user what a site gives: workers, memory, versions, and what stages can run.

    Raises:
        SiteError: the workers' Python or Dask does not match ours.
    """
    check_versions(client)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    memory = sum(worker["memory_limit"] or 0 for worker in workers.values()) / 2**30
    lines = [
        f"{len(workers)} worker{'s' if len(workers) != 1 else ''}, {memory:.1f} GiB in all",
        f"dashboard: {dashboard(client) or 'none'}",
        "versions of Python, dask and distributed agree",
    ]
    for stage in WORKER_PACKAGES:
        lack = _lacking_for(client, stage)
        has_all = f"{stage}: every worker has what it needs"
        lines.append(f"{stage}: {lack.line('which it needs')}" if lack.workers else has_all)
    return lines
