"""Integrations of matrix elements, made once and kept outside the repository."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from znought.simulation.recipe import MatrixElement
from znought.simulation.sherpa.child import Child
from znought.simulation.sherpa.installed import program, sherpa_version
from znought.simulation.sherpa.run_card import run_card, run_digest

__all__ = ["integrated", "kept_in", "run_folder"]

CARD = "Sherpa.yaml"
KEPT = ("Results.zip", "Process")
"""What a run takes over from an integration."""


def kept_in() -> Path:
    """Folder of all integrations: `znought/sherpa` in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "znought" / "sherpa"


def integrated(element: MatrixElement, name: str) -> Path:
    """Folder of the integration of a matrix element, made where it is not there yet.

    It is whole or not there: work goes on in a folder beside it, one number of jets after the other, and an
    interrupted one goes on from the last that is done. Other processes wait for the one that does it.

    Args:
        element: what is integrated.
        name: of the recipe, for messages.

    Raises:
        DataError: Sherpa cannot integrate it.
    """
    folder = kept_in() / f"{name}-{run_digest(element, sherpa_version())}"
    if not folder.is_dir():
        with _alone(folder):
            if not folder.is_dir():
                _integrate(element, name, folder)
    return folder


def run_folder(element: MatrixElement, name: str) -> Path:
    """A new folder with the run card and the integration of a matrix element, to run in and to remove.

    Raises:
        DataError: Sherpa cannot integrate it.
    """
    kept = integrated(element, name)
    folder = Path(tempfile.mkdtemp(prefix="znought-sherpa-"))
    (folder / CARD).write_text(run_card(element), encoding="utf-8")
    _take_over(kept, folder)
    return folder


def _take_over(kept: Path, folder: Path) -> None:
    for name in KEPT:
        copy = shutil.copytree if (kept / name).is_dir() else shutil.copy
        copy(kept / name, folder / name)


def _integrate(element: MatrixElement, name: str, folder: Path) -> None:
    part = folder.with_name(f"{folder.name}.part")
    for jets in range(element.jets + 1):
        _add_jets(replace(element, jets=jets, enhance={}), name, part)
    (part / str(element.jets)).rename(folder)
    shutil.rmtree(part)


def _add_jets(element: MatrixElement, name: str, part: Path) -> None:
    """Integrates the element with its jets on top of those with fewer, unless it is there.

    Sherpa takes what an interrupted integration left for a whole one, whatever its error: so nothing of an
    unfinished number of jets is kept.
    """
    done, fewer, work = part / str(element.jets), part / str(element.jets - 1), part / "work"
    if done.is_dir():
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if fewer.is_dir():
        _take_over(fewer, work)
    (work / CARD).write_text(run_card(element), encoding="utf-8")
    with closing(Child("integrate", work, name, str(program()))) as child:
        child.finish()
    work.rename(done)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time, on this machine and where the file system has locks."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
