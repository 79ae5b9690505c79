"""Folders that the pages' code finds: an empty one, one with an analysis that has run, one with ntuples."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.docs.real_data import write_real_data
from tests.facility.small import write_ntuples
from tests.integration.conftest import Finished, finished
from tests.pages import DOCS, Block, blocks_of

__all__ = ["Run", "finished", "folder_of", "peak", "run_block", "surroundings"]

Run = Callable[[str], Path]


def surroundings() -> dict[str, str]:
    """The environment of a shell that finds znought, and figures without a screen."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "2"}


def _called(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=surroundings(), capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


def run_block(block: Block, folder: Path) -> None:
    """Writes the file of a block, or runs its code in a folder: in a shell, or in a Python of its own."""
    if name := block.marked("file"):
        (folder / name).write_text(block.text)
        if block.language == "python":
            _called([sys.executable, "-c", f"import {Path(name).stem}"], folder)
    elif name := block.marked("add"):
        with (folder / name).open("a") as file:
            file.write(block.text)
    elif block.language == "console":
        lines = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
        _called(["bash", "-e", "-c", "\n".join(lines)], folder)
    elif block.language == "python":
        _called([sys.executable, "-c", block.text], folder)


@pytest.fixture(scope="session")
def peak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `znought init peak` after the commands of the page on starting."""
    folder = tmp_path_factory.mktemp("starting")
    for block in blocks_of(DOCS / "starting.md"):
        run_block(block, folder)
    return folder / "peak"


@pytest.fixture
def folder_of(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """The folder that a page's code is run in."""

    def made(page: str) -> Path:
        if page == "tutorial_demo.md":
            run: Finished = request.getfixturevalue("finished")
            (tmp_path / "demo").symlink_to(run.output)
        elif page == "own_ntuples.md":
            for name in ("ttbar", "data"):
                (tmp_path / "ntuples" / name).mkdir(parents=True)
            write_ntuples(tmp_path)
            for name, dataset in (("c", "ttbar"), ("d", "data"), ("e", "data")):
                (tmp_path / f"{name}.root").rename(tmp_path / "ntuples" / dataset / f"{name}.root")
        elif page == "real_data.md":
            write_real_data(tmp_path)
        elif page != "tutorial_own_analysis.md":
            # Times of files are part of what a run depends on.
            folder = shutil.copytree(request.getfixturevalue("peak"), tmp_path / "peak", symlinks=True)
            (folder / "demo").symlink_to(folder / "output")
            return folder
        return tmp_path

    return made
