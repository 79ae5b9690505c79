"""Fixtures of the facility's tests."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.facility.small import write_ntuples


@pytest.fixture(scope="module")
def ntuples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the small card, whole."""
    folder = tmp_path_factory.mktemp("ntuples")
    write_ntuples(folder)
    return folder


@pytest.fixture
def folder(ntuples: Path, tmp_path: Path) -> Path:
    """A copy of the files, to be spoiled."""
    shutil.copytree(ntuples, tmp_path / "in")
    return tmp_path / "in"


@pytest.fixture
def wait_for_file() -> Callable[[Path], None]:
    """A wait for a file that another process writes, whole."""

    def wait(path: Path) -> None:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert path.exists(), f"{path} was not written"

    return wait


# Fakes of the batch systems' programs: they keep what they are given and answer as the real ones do.
FAKES = {"sbatch": "Submitted batch job 7", "condor_submit": "1 job(s) submitted to cluster 7."}
CANCELLING = ("scancel", "condor_rm")


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directory in which fake programs leave submitted jobs as `job`, and arguments of cancelled ones."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, answer in FAKES.items():
        _program(programs / name, f'for last; do :; done; cp "$last" {tmp_path}/job; echo "{answer}"')
    for name in CANCELLING:
        _program(programs / name, f'echo "$@" >> {tmp_path}/cancelled')
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def program(queue: Path) -> Callable[[str, str], None]:
    """Puts a shell script of one of the batch system's names in the place of the fake."""
    return lambda name, script: _program(queue / "bin" / name, script)


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
