"""Checks that the workers can do the work before any of it is sent, and brings them our code.

A task from a module that a worker lacks kills the worker and hangs the client without an error;
asking first turns that into one line.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from distributed import Client

import znought
from znought.errors import SiteError

__all__ = [
    "WORKER_PACKAGES",
    "check_workers",
    "missing_packages",
    "package_archive",
    "prepare_workers",
    "report_workers",
]

# What a worker needs, by stage: facility images ship the first row, often not the second.
WORKER_PACKAGES = {
    "process": ("coffea", "awkward", "uproot", "hist", "pyarrow", "vector"),
    "train": ("tensorflow", "keras", "tf2onnx", "onnxruntime", "sklearn"),
}
WAIT_FOR_WORKERS_S = 300


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those of the given import names that this interpreter cannot find."""
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


def prepare_workers(client: Client) -> None:
    """Waits for a worker and uploads the package to all of them, now and for those still to come.

    Raises:
        SiteError: no worker came in time.
    """
    try:
        client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
    except TimeoutError as error:
        raise SiteError(f"No worker came within {WAIT_FOR_WORKERS_S} s.") from error
    folder = Path(tempfile.mkdtemp(prefix="znought-"))
    try:
        client.upload_file(str(package_archive(folder)))
    finally:
        shutil.rmtree(folder)


def check_workers(client: Client, stage: str) -> None:
    """Raises unless every worker has the packages of a stage.

    Raises:
        SiteError: names the packages and on how many workers they are missing.
    """
    names = WORKER_PACKAGES[stage]
    found = client.run(missing_packages, names)
    lacking = sorted({name for missing in found.values() for name in missing})
    if lacking:
        affected = sum(bool(missing) for missing in found.values())
        raise SiteError(
            f"{affected} of {len(found)} workers lack {', '.join(lacking)}, which {stage!r} needs: "
            f"choose a worker image that has them."
        )


def report_workers(client: Client) -> list[str]:
    """Lines that tell a user what a site gives: workers, memory, versions, and what stages can run.

    Raises:
        SiteError: the workers' Dask does not match ours.
    """
    client.wait_for_workers(1, timeout=WAIT_FOR_WORKERS_S)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    memory = sum(worker["memory_limit"] for worker in workers.values()) / 2**30
    lines = [f"{len(workers)} workers, {memory:.1f} GiB in all"]
    try:
        client.get_versions(check=True)
        lines.append("versions of Python, dask and distributed agree")
    except ValueError as error:
        raise SiteError(f"Workers differ from this client: {' '.join(str(error).split())}") from error
    for stage in WORKER_PACKAGES:
        try:
            check_workers(client, stage)
            lines.append(f"{stage}: every worker has what it needs")
        except SiteError as error:
            lines.append(f"{stage}: {error}")
    return lines
